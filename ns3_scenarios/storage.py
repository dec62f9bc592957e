# SPDX-License-Identifier: Apache-2.0
"""How a dataset lies on disk, and how it is written so that no half-written file is ever seen.

    manifest.json                                 provenance, every run, rows and hash of every file
    scenarios/<config>.json                       the scenario of each configuration, in full
    <table>/config=<config>/seed=<seed>/part.parquet
    runs/config=<config>/seed=<seed>/part.parquet what varied, and the schedule, one row per run
    timings.json                                  wall-clock times, which no other file contains

The `runs` file of a run is written last: a run is there when that file is. Equal runs give equal
bytes. `ns3_scenarios.dataset` reads what this module writes.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from ns3_scenarios.errors import DatasetError
from ns3_scenarios.kpi import KPI_SCHEMA_VERSION, TABLES, arrow_schema
from ns3_scenarios.library import parse_model
from ns3_scenarios.scenario import Model
from ns3_scenarios.traces import Traces

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
TIMINGS = "timings.json"
FAILURES = "failures.json"
RUNS = "runs"
PART = "part.parquet"
TEMPORARY = ".tmp"

Scalar = bool | int | float | str


class FileEntry(Model):
    """What a manifest says of one Parquet file."""

    rows: int
    bytes: int
    sha256: str


class RunEntry(Model):
    """What a manifest says of one run."""

    config: str
    seed: int
    schedule_hash: str
    files: dict[str, FileEntry]
    """By table."""

    @property
    def id(self) -> tuple[str, int]:
        """Configuration and seed, which name the run within its dataset."""
        return self.config, self.seed


class Manifest(Model):
    """What a dataset holds and where it came from."""

    format: Literal["sixg-dataset"] = "sixg-dataset"
    format_version: int = FORMAT_VERSION
    kpi_schema_version: int = KPI_SCHEMA_VERSION
    code_version: str
    ran_hash: str
    ns3_version: str
    """Empty, like `ran_hash`, if NS-3 has not made it."""
    scenario: str
    parameters: tuple[str, ...] = ()
    """Paths of the varied fields: columns of the table `runs`."""
    configs: tuple[str, ...]
    seeds: tuple[int, ...]
    spec: dict[str, Any] | None = None
    """The sweep specification, self-contained."""
    runs: tuple[RunEntry, ...] = ()

    @property
    def planned_runs(self) -> int:
        """Runs of the complete dataset; of one that is no sweep's, those that are there."""
        if self.spec is None:
            return len(self.runs)
        per_config = self.spec.get("seeds_per_config") or len(self.seeds)
        return len(self.configs) * int(per_config)


class RunLike(Protocol):
    """What must be known of a run to store it (`ns3_scenarios.sweeps.Run` has it)."""

    @property
    def config(self) -> Any:
        """With `key`, `scenario` and `values`."""

    @property
    def seed(self) -> int:
        """Of the simulation."""

    @property
    def schedule(self) -> Any:
        """Control changes."""


def part_path(table: str, config: str, seed: int) -> str:
    """Path of a run's file, relative to the dataset."""
    return f"{table}/config={config}/seed={seed}/{PART}"


def write_atomic(path: Path, data: bytes | pa.Buffer) -> None:
    """Put a whole file in place, or leave what was there.

    Raises:
        DatasetError: it cannot be written.
    """
    # Processes of several machines may write the same file, and their numbers may be equal.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}{TEMPORARY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DatasetError(
            f"cannot write {path}: {error.strerror}; what was written before is kept"
        ) from None


def write_json(path: Path, data: Any) -> None:
    """Write JSON in a form in which equal data are equal text.

    Raises:
        DatasetError: it cannot be written.
    """
    write_atomic(path, (json.dumps(data, indent=1, sort_keys=True) + "\n").encode())


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a dataset.

    Raises:
        DatasetError: missing, unreadable, or of another version.
    """
    path = folder / MANIFEST
    data = read_json(path)
    if not isinstance(data, dict) or data.get("format") != "sixg-dataset":
        raise DatasetError(f"{path} is not the manifest of a dataset of this project")
    for field, known in (
        ("format_version", FORMAT_VERSION),
        ("kpi_schema_version", KPI_SCHEMA_VERSION),
    ):
        if data.get(field) != known:
            raise DatasetError(
                f"{path}: {field} is {data.get(field)!r}, but this version reads {known}; "
                "make the dataset again, or read it with the version that made it "
                f"({data.get('code_version', 'unknown')})"
            )
    return parse_model(Manifest, data, str(path), DatasetError)


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        DatasetError: missing or unreadable.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DatasetError(f"{path.parent} is not a dataset: it has no {path.name}") from None
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON: {error}") from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest; the order of its runs does not depend on the order in which they ended.

    Raises:
        DatasetError: it cannot be written.
    """
    runs = sorted(manifest.runs, key=lambda run: run.id)
    data = manifest.model_copy(update={"runs": tuple(runs)}).model_dump(mode="json")
    write_json(folder / MANIFEST, data)


def write_run(
    folder: Path, run: RunLike, traces: Traces, columns: Mapping[str, pa.DataType]
) -> RunEntry:
    """Write all files of one run, the one that makes it count last.

    Args:
        folder: the dataset.
        run: what was simulated.
        traces: what came of it.
        columns: Arrow types of the varied fields, by path.

    Raises:
        DatasetError: a file cannot be written.
    """
    config, provenance = run.config, traces.provenance
    scenario_path = folder / "scenarios" / f"{config.key}.json"
    if not scenario_path.exists():
        write_json(scenario_path, config.scenario.model_dump(mode="json"))
    metadata = json.dumps({**provenance.as_dict(), "config": config.key}, sort_keys=True)
    tables = {name: _conform(name, traces[name]) for name in TABLES}
    tables[RUNS] = _run_row(run, provenance.schedule_hash, columns)
    files = {}
    for name, table in tables.items():
        data = _parquet(table, metadata)
        write_atomic(folder / part_path(name, config.key, run.seed), data)
        files[name] = FileEntry(
            rows=table.num_rows, bytes=data.size, sha256=hashlib.sha256(data).hexdigest()
        )
    return RunEntry(
        config=config.key, seed=run.seed, schedule_hash=provenance.schedule_hash, files=files
    )


def read_entry(folder: Path, config: str, seed: int) -> tuple[RunEntry, dict[str, Any]] | None:
    """What the files of a run say of it: its manifest entry and provenance; None if not all there.

    Unlike a manifest, this is true even after a sweep was killed.
    """
    files, provenance = {}, {}
    for name in (*TABLES, RUNS):
        path = folder / part_path(name, config, seed)
        try:
            data = path.read_bytes()
            parquet = pq.read_metadata(pa.BufferReader(data))
            provenance = json.loads(parquet.metadata[b"provenance"])
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            return None
        files[name] = FileEntry(
            rows=parquet.num_rows, bytes=len(data), sha256=hashlib.sha256(data).hexdigest()
        )
    schedule_hash = provenance.get("schedule_hash", "")
    entry = RunEntry(config=config, seed=seed, schedule_hash=schedule_hash, files=files)
    return entry, provenance


def sizes_match(folder: Path, entry: RunEntry) -> bool:
    """Whether all files of a run are there with the size that the manifest says."""
    try:
        return all(
            (folder / part_path(table, *entry.id)).stat().st_size == file.bytes
            for table, file in entry.files.items()
        )
    except OSError:
        return False


def remove_temporaries(folder: Path) -> None:
    """Delete what writers left behind that were killed."""
    for path in folder.glob(f"**/.*{TEMPORARY}"):
        path.unlink(missing_ok=True)


def column_type(values: list[Scalar]) -> pa.DataType:
    """The Arrow type that holds all values: a number if all are numbers, else text."""
    kinds = {type(v) for v in values}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    return pa.float64() if kinds <= {int, float} else pa.string()


def _conform(name: str, table: pa.Table) -> pa.Table:
    schema = arrow_schema(name)
    if table.schema.equals(schema):
        return table.unify_dictionaries().combine_chunks()
    return table.select(schema.names).cast(schema).unify_dictionaries().combine_chunks()


def _run_row(run: RunLike, schedule_hash: str, columns: Mapping[str, pa.DataType]) -> pa.Table:
    scenario = run.config.scenario
    schedule = json.dumps([c.model_dump(mode="json") for c in run.schedule])
    fields: list[tuple[str, pa.DataType, Any, str]] = [
        ("scenario", pa.string(), scenario.name, "Name of the scenario."),
        ("duration_s", pa.float64(), scenario.duration_s, "Simulated time."),
        ("interval_ms", pa.float64(), scenario.interval_ms, "Reporting interval."),
        ("schedule_hash", pa.string(), schedule_hash, "Hash of the control changes."),
        ("schedule", pa.string(), schedule, "All control changes, as JSON."),
    ]
    for path, type_ in columns.items():
        value = run.config.values[path]
        fields.append((path, type_, str(value) if type_ == pa.string() else value, "Varied."))
    units = {"duration_s": "s", "interval_ms": "ms"}
    schema = pa.schema(
        [
            pa.field(name, type_, metadata={"unit": units.get(name, ""), "description": text})
            for name, type_, _, text in fields
        ],
        metadata={"table": RUNS, "kpi_schema_version": str(KPI_SCHEMA_VERSION)},
    )
    return pa.table([pa.array([v], type_) for _, type_, v, _ in fields], schema=schema)


def _parquet(table: pa.Table, provenance: str) -> pa.Buffer:
    """A table as Parquet, which depends on the table and the provenance alone."""
    table = table.replace_schema_metadata(
        {**(table.schema.metadata or {}), b"provenance": provenance.encode()}
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", compression_level=3, row_group_size=2**16)
    return sink.getvalue()
