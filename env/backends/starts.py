# SPDX-License-Identifier: Apache-2.0
"""Where episodes start without NS-3: in the state that NS-3 reaches, kept for the next time.

A start is the KPI tables of the first `WARM_UP` intervals of a scenario and a seed. Live NS-3 makes
it once; it is kept in the user's cache folder, named after everything that it depends on.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
from platformdirs import user_cache_dir

from env.backends.base import WARM_UP
from env.errors import BackendError
from env.kpis import Kpis
from ns3_scenarios.errors import DatasetError, SixgError
from ns3_scenarios.kpi import KPI_SCHEMA_VERSION, TABLES, arrow_schema
from ns3_scenarios.live import LiveSimulation
from ns3_scenarios.ran.build import source_hash
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.storage import write_atomic

Tables = dict[str, pa.Table]
DIGEST_BYTES = 32
KEPT = 64
"""Starts that a process keeps in memory."""


def start_of(scenario: ScenarioConfig, seed: int) -> list[Kpis]:
    """KPIs of the first intervals, as live NS-3 has them for the same scenario and seed.

    Raises:
        BackendError: no earlier run has left them, and NS-3 cannot be run.
    """
    return Kpis.each_of_arrow(_tables(scenario, seed))


def start_path(scenario: ScenarioConfig, seed: int) -> Path:
    """The file in which a start is kept."""
    parts = (scenario.canonical_json(), seed, WARM_UP, KPI_SCHEMA_VERSION, _source_hash())
    key = hashlib.sha256(repr(parts).encode()).hexdigest()[:24]
    return Path(user_cache_dir("sixg"), "starts", f"{scenario.name}-{seed}-{key}.arrow")


_source_hash = lru_cache(maxsize=1)(source_hash)


@lru_cache(maxsize=KEPT)
def _tables(scenario: ScenarioConfig, seed: int) -> Tables:
    path = start_path(scenario, seed)
    with suppress(OSError, ValueError, KeyError, pa.ArrowException):
        return _decoded(path.read_bytes())
    try:
        with LiveSimulation(scenario, seed) as live:
            tables = live.advance(WARM_UP)
    except SixgError as error:
        raise BackendError(
            f"the start of scenario {scenario.name!r} with seed {seed} has to be simulated once by "
            f"NS-3, which fails: {error}"
        ) from error
    with suppress(DatasetError):  # a cache that cannot be written costs time only
        write_atomic(path, _encoded(tables))
    return tables


def _encoded(tables: Tables) -> bytes:
    """Arrow streams without metadata, compressed one after the other, behind their SHA-256."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as compressed:
        for name in TABLES:
            table = tables[name].unify_dictionaries().combine_chunks()
            bare = pa.schema([(field.name, field.type) for field in table.schema])
            with pa.ipc.new_stream(compressed, bare) as stream:
                stream.write_table(table.cast(bare))
    data: bytes = sink.getvalue().to_pybytes()
    return hashlib.sha256(data).digest() + data


def _decoded(data: bytes) -> Tables:
    digest, data = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    if hashlib.sha256(data).digest() != digest:
        raise ValueError("the file is not what was written")
    source = pa.CompressedInputStream(pa.BufferReader(data), "zstd")
    return {name: pa.ipc.open_stream(source).read_all().cast(arrow_schema(name)) for name in TABLES}
