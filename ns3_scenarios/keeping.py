# SPDX-License-Identifier: Apache-2.0
"""What NS-3 has simulated is kept in the user's cache folder for the next time: `kept`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
from platformdirs import user_cache_dir

from ns3_scenarios.errors import DatasetError
from ns3_scenarios.kpi import KPI_SCHEMA_VERSION, TABLES, arrow_schema
from ns3_scenarios.ran.build import source_hash
from ns3_scenarios.storage import write_atomic

Tables = dict[str, pa.Table]
DIGEST_BYTES = 32


def kept_path(folder: str, name: str, decides: Sequence[object]) -> Path:
    """The file in which something is kept; see `kept`."""
    parts = (*decides, KPI_SCHEMA_VERSION, _source_hash())
    key = hashlib.sha256(repr(parts).encode()).hexdigest()[:24]
    return Path(user_cache_dir("sixg"), folder, f"{name}-{key}.arrow")


def kept(path: Path, simulate: Callable[[], Sequence[Tables]]) -> list[Tables]:
    """KPI tables of stretches of simulation that an earlier call has left, or that are made now.

    Args:
        path: of `kept_path`. A file that cannot be read or written costs time only.
        simulate: makes the tables.
    """
    with suppress(OSError, ValueError, KeyError, pa.ArrowException):
        return _decoded(path.read_bytes())
    made = simulate()
    with suppress(DatasetError):
        write_atomic(path, _encoded(made))
    return list(made)


_source_hash = lru_cache(maxsize=1)(source_hash)


def _encoded(stretches: Iterable[Tables]) -> bytes:
    """Arrow streams without metadata, compressed one after the other, behind their SHA-256."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as compressed:
        for tables in stretches:
            for name in TABLES:
                table = tables[name].unify_dictionaries().combine_chunks()
                bare = pa.schema([(field.name, field.type) for field in table.schema])
                with pa.ipc.new_stream(compressed, bare) as stream:
                    stream.write_table(table.cast(bare))
    data: bytes = sink.getvalue().to_pybytes()
    return hashlib.sha256(data).digest() + data


def _decoded(data: bytes) -> list[Tables]:
    digest, data = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    if hashlib.sha256(data).digest() != digest:
        raise ValueError("the file is not what was written")
    source = pa.BufferReader(pa.CompressedInputStream(pa.BufferReader(data), "zstd").read())
    stretches = []
    while source.tell() < source.size():
        stretches.append(
            {
                name: pa.ipc.open_stream(source).read_all().cast(arrow_schema(name))
                for name in TABLES
            }
        )
    return stretches
