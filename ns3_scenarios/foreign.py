# SPDX-License-Identifier: Apache-2.0
"""Writes a dataset from tables that NS-3 has not made: of another simulator, or of a testbed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ns3_scenarios.checking.elements import KEYS, Elements, codes_of
from ns3_scenarios.checking.runs import CONFIG_NAME
from ns3_scenarios.controls import ControlChange, Schedule, check_schedule
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.errors import ControlError, DatasetError
from ns3_scenarios.kpi import KPI_SCHEMA_VERSION, TABLES, arrow_schema
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.storage import Manifest, RunEntry, write_manifest, write_run
from ns3_scenarios.traces import Provenance, Traces
from ns3_scenarios.worker import code_version, schedule_hash

if TYPE_CHECKING:
    import pandas as pd

STRANGER = 2**31
"""Place of names that the scenario does not have: behind all others."""
NOT_NS3 = ""
"""Version of NS-3, and hash of the RAN model, of what they have not made."""


@dataclass(frozen=True)
class RecordedRun:
    """One run as another simulator or a testbed recorded it."""

    scenario: ScenarioConfig
    """The network; `duration_s` and `interval_ms` are those of the recording."""
    seed: int
    """Tells apart the recordings of one configuration: of the simulator, or a number."""
    tables: Mapping[str, pd.DataFrame | pa.Table]
    """KPI tables by name; a column or table that is left out is null or without rows."""
    schedule: Iterable[ControlChange] = ()
    """What was changed, and when; without it, nothing was."""
    config: str = ""
    """Name of the configuration; by default the hash of the scenario."""


@dataclass(frozen=True)
class _Config:
    key: str
    scenario: ScenarioConfig
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Run:
    config: _Config
    seed: int
    schedule: Schedule


def write_dataset(folder: str | Path, runs: Iterable[RecordedRun]) -> Dataset:
    """Write a dataset of runs that were recorded elsewhere.

    Rows are put in order, `time_ms` is worked out where it is missing, and columns get the types
    and units of the schema. Whether the values make sense is for `sixg traces check` to say.

    Args:
        folder: new or empty.
        runs: taken one by one, so that they need not be in memory together.

    Raises:
        DatasetError: the folder is in use or cannot be written; there is no run; or a run has a
            table or column that is not in the schema or cannot be converted, an impossible
            schedule, or the configuration and seed of another one.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(f"{folder} is in use; choose an empty or new folder")
    entries: dict[tuple[str, int], RunEntry] = {}
    configs: dict[str, ScenarioConfig] = {}
    for recorded in runs:
        run, tables = _checked(recorded)
        key = run.config.key, run.seed
        where = f"config={key[0]} seed={key[1]}"
        if key in entries:
            raise DatasetError(f"two runs have {where}; give them different seeds")
        if configs.setdefault(key[0], run.config.scenario) != run.config.scenario:
            raise DatasetError(f"{where} has another scenario than config={key[0]} had before")
        provenance = Provenance(
            scenario=run.config.scenario.name,
            config_hash=run.config.scenario.config_hash(),
            schedule_hash=schedule_hash(run.schedule),
            seed=run.seed,
            code_version=code_version(),
            ran_hash=NOT_NS3,
            ns3_version=NOT_NS3,
            kpi_schema_version=KPI_SCHEMA_VERSION,
        )
        entries[key] = write_run(folder, run, Traces(tables, provenance, wall_s=0, events=0), {})
    if not entries:
        raise DatasetError("there is no run to write")
    manifest = Manifest(
        code_version=code_version(),
        ran_hash=NOT_NS3,
        ns3_version=NOT_NS3,
        scenario=next(iter(configs.values())).name,
        configs=tuple(configs),
        seeds=tuple(sorted({seed for _, seed in entries})),
        runs=tuple(entries.values()),
    )
    write_manifest(folder, manifest)
    return Dataset.open(folder)


def _checked(recorded: RecordedRun) -> tuple[_Run, dict[str, pa.Table]]:
    scenario, schedule = recorded.scenario, tuple(recorded.schedule)
    key = recorded.config or scenario.config_hash()
    where = f"config={key} seed={recorded.seed}"
    if recorded.seed < 0:
        raise DatasetError(f"{where}: seed must be 0 or more")
    if not CONFIG_NAME.fullmatch(key):
        raise DatasetError(f"config={key!r} must be letters, digits, hyphens, underscores or dots")
    try:
        check_schedule(schedule, scenario)
    except ControlError as error:
        raise DatasetError(f"{where}: {error}") from None
    _check_names(where, "table", recorded.tables, TABLES)
    elements = Elements(scenario)
    tables = {name: _table(where, name, recorded.tables.get(name), elements) for name in TABLES}
    return _Run(_Config(key, scenario), recorded.seed, schedule), tables


def _check_names(where: str, what: str, given: Iterable[Any], known: Iterable[str]) -> None:
    allowed = list(known)
    for name in given:
        if name not in allowed:
            close = difflib.get_close_matches(str(name), allowed, n=1)
            hint = f", did you mean {close[0]!r}?" if close else ""
            raise DatasetError(
                f"{where}: there is no {what} {name!r}{hint}; allowed are {', '.join(allowed)}"
            )


def _table(
    where: str, name: str, given: pd.DataFrame | pa.Table | None, elements: Elements
) -> pa.Table:
    """A table with all columns of the schema, in order."""
    schema = arrow_schema(name)
    if given is None:
        return schema.empty_table()
    names = [str(c) for c in (given.schema.names if isinstance(given, pa.Table) else given)]
    if twice := [c for c in names if names.count(c) > 1]:
        raise DatasetError(f"{where}: table {name} has column {twice[0]!r} more than once")
    try:
        source = (
            given
            if isinstance(given, pa.Table)
            else pa.table({str(c): pa.Array.from_pandas(given[c]) for c in given.columns})
        )
    except pa.ArrowException as error:
        raise DatasetError(f"{where}: table {name} cannot be converted: {error}") from None
    _check_names(f"{where}: table {name}", "column", source.schema.names, schema.names)
    if "interval" not in source.schema.names:
        raise DatasetError(f"{where}: table {name} needs the column 'interval'")
    columns = []
    for target in schema:
        if target.name in source.schema.names:
            columns.append(_column(where, name, source[target.name], target))
        elif target.name == "time_ms":
            ends = source["interval"].cast(pa.float64()).to_numpy() + 1
            columns.append(pa.array(ends * elements.scenario.interval_ms, from_pandas=True))
        else:
            columns.append(pa.nulls(len(source), target.type))
    return _in_order(name, pa.table(columns, schema=schema), elements)


def _column(where: str, table: str, column: pa.ChunkedArray, target: pa.Field) -> pa.ChunkedArray:
    if column.type == target.type:
        return column
    try:
        if pa.types.is_dictionary(target.type):
            return column.cast(pa.string()).dictionary_encode().cast(target.type)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            raise pa.ArrowInvalid("it is text")
        return column.cast(target.type)
    except pa.ArrowException as error:
        raise DatasetError(
            f"{where}: column {target.name} of table {table} is {column.type} and cannot be made "
            f"{target.type}: {error}"
        ) from None


def _in_order(name: str, table: pa.Table, elements: Elements) -> pa.Table:
    """Rows by interval, then as the scenario has the elements; strangers come last."""
    interval = np.nan_to_num(table["interval"].to_numpy()).astype(np.int64)
    if name in KEYS:
        codes = tuple(codes_of(table[key], elements.names[name, key]) for key in KEYS[name])
        within = [elements.places(name, codes)]
    elif name == "neighbour":
        ue = codes_of(table["ue"], elements.names[name, "ue"])
        within = [ue, np.nan_to_num(table["rank"].to_numpy()).astype(np.int64)]
    else:
        within = []
    within = [np.where(number < 0, STRANGER, number) for number in within]
    order = np.lexsort((*reversed(within), interval))
    return table if (np.diff(order) == 1).all() else table.take(pa.array(order))
