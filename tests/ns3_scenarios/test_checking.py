# SPDX-License-Identifier: Apache-2.0
"""Every kind of damage to a dataset gives exactly its finding, and a whole dataset gives none."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ns3_scenarios.checking import Finding, check_dataset
from ns3_scenarios.checking.columns import NEEDED, NULLS, limits
from ns3_scenarios.checking.elements import KEYS, Elements
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.errors import DatasetError
from ns3_scenarios.foreign import RecordedRun, write_dataset
from ns3_scenarios.kpi import TABLES, arrow_schema
from ns3_scenarios.storage import part_path
from ns3_scenarios.sweeps import sweep
from ns3_scenarios.sweeps.spec import parse_spec

SPEC = {
    "scenario": "quickstart",
    "duration_s": 0.6,
    "vary": {"scenario.carriers.0.tx_power_dbm": {"values": [30, 38]}},
    "design": "grid",
    "seeds": "1-2",
    "schedule": {"kind": "random_piecewise", "controls": {"cells.*.tilt_deg": "auto"}},
}
Rows = pd.DataFrame
TRACES_PAGE = Path(__file__).resolve().parents[2] / "docs" / "traces.md"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sweep(parse_spec(SPEC), tmp_path_factory.mktemp("checking") / "dataset").path


@pytest.fixture
def dataset(tmp_path: Path, simulated: Path) -> Path:
    return Path(shutil.copytree(simulated, tmp_path / "dataset"))


def run_of(folder: Path, number: int = 0) -> tuple[str, int]:
    return Dataset.open(folder).manifest.runs[number].id


def manifest_of(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return data


def write_manifest(folder: Path, data: Any) -> None:
    (folder / "manifest.json").write_text(json.dumps(data))


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change a file, and make the manifest agree with it."""
    pq.write_table(change(pq.ParquetFile(path).read()), path)
    folder = path.parents[3]
    data = manifest_of(folder)
    for run in data["runs"]:
        for table in run["files"]:
            if folder / part_path(table, run["config"], run["seed"]) == path:
                del run["files"][table]
                break
    write_manifest(folder, data)


def change_table(folder: Path, table: str, change: Callable[[pa.Table], pa.Table]) -> None:
    rewrite(folder / part_path(table, *run_of(folder)), change)


def change_values(folder: Path, table: str, change: Callable[[Rows], None]) -> None:
    def changed(before: pa.Table) -> pa.Table:
        frame = before.to_pandas()
        for name in frame.select_dtypes("category"):
            frame[name] = frame[name].astype(object)
        change(frame)
        return pa.Table.from_pandas(frame, schema=before.schema, preserve_index=False)

    change_table(folder, table, changed)


def set_column(name: str, values: pa.Array | pa.ChunkedArray) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index(name)
        field = pa.field(name, values.type, metadata=table.schema.field(at).metadata)
        return table.set_column(at, field, values)

    return change


def only(folder: Path) -> Finding:
    """The one finding."""
    report = check_dataset(folder)
    assert [f.rule.name for f in report.findings] == [report.findings[0].rule.name]
    assert report.ok == (report.findings[0].rule.severity == "warning")
    return report.findings[0]


# What is whole


def test_whole_dataset_has_no_findings(simulated: Path) -> None:
    told = []
    report = check_dataset(simulated, lambda done, total: told.append((done, total)))
    assert report.findings == ()
    assert report.ok
    assert report.runs == 4
    assert told[-1] == (4, 4)


def test_flow_rows_are_those_of_every_scenario(any_scenario: Any) -> None:
    elements = Elements(any_scenario)
    assert set(elements.rows) == set(KEYS)
    for table, rows in elements.rows.items():
        assert len(set(rows)) == len(rows), table
        assert len(elements.codes[table][0]) == len(rows)


def test_rules_speak_of_columns_that_exist() -> None:
    assert set(NEEDED) == set(NULLS) == set(TABLES)
    for table in TABLES:
        names = arrow_schema(table).names
        assert set(NEEDED[table]) | set(NULLS[table]) <= set(names)
        for name in names:
            low, high = limits(table, name)
            assert low < high


def test_calibration_reads_no_column_that_may_be_missing() -> None:
    trajectory = pytest.importorskip("calibration.trajectory")
    for table, columns in trajectory.COLUMNS.items():
        assert set(columns) <= set(NEEDED[table]), table


def column_tables() -> str:
    """All columns as docs/traces.md has them."""
    lines: list[str] = []
    for table, columns in TABLES.items():
        lines += [f"**{table}**", "", "| column | type | unit | needed | what it is |"]
        lines.append("| --- | --- | --- | --- | --- |")
        for c in columns:
            kind = "text" if pa.types.is_dictionary(c.type) else str(c.type)
            needed = "yes" if c.name in NEEDED[table] else ""
            text = c.description
            if meaning := NULLS[table].get(c.name):
                text += f" *Null if* {meaning}."
            unit = "" if c.unit == "1" else c.unit
            lines.append(f"| `{c.name}` | {kind} | {unit} | {needed} | {text} |")
        lines.append("")
    return "\n".join(lines)


def test_documentation_has_all_columns_as_they_are() -> None:
    text = TRACES_PAGE.read_text(encoding="utf-8")
    assert text.partition("## Columns\n\n")[2] == column_tables()


def test_example_of_the_documentation_works_as_written(tmp_path: Path) -> None:
    code = re.findall(r"```python\n(.*?)```", TRACES_PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(code) == 1
    command = [sys.executable, "-c", code[0]]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "error" not in ended.stdout
    dataset = Dataset.open(tmp_path / "my-dataset")
    assert len(dataset) == 4
    assert dataset.table("cell")["time_ms"].to_pylist()[:2] == [200.0, 400.0]
    warned = {f.rule.name for f in check_dataset(dataset.path).findings}
    assert warned == {"null-unread", "no-values"}


# The dataset as a whole


def test_missing_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        check_dataset(tmp_path / "none")


def test_missing_manifest_does_not_hide_the_rest(dataset: Path) -> None:
    config, seed = run_of(dataset)
    (dataset / "manifest.json").unlink()
    assert only(dataset).rule.name == "manifest"
    (dataset / part_path("cell", config, seed)).unlink()
    names = [(f.rule.name, f.table) for f in check_dataset(dataset).findings]
    assert names == [("manifest", ""), ("missing-file", "cell")]


@pytest.mark.parametrize(
    ("change", "example"),
    [
        ({"kpi_schema_version": 99}, "kpi_schema_version is 99"),
        ({"format_version": 0}, "format_version is 0"),
    ],
)
def test_other_version_is_the_only_finding(
    dataset: Path, change: dict[str, Any], example: str
) -> None:
    write_manifest(dataset, {**manifest_of(dataset), **change})
    report = check_dataset(dataset)
    assert [f.rule.name for f in report.findings] == ["manifest"]
    assert example in report.findings[0].example


def test_foreign_files_are_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "readings.csv").write_text("time,load\n0,1\n")
    names = {f.rule.name for f in check_dataset(tmp_path).findings}
    assert names == {"manifest", "no-runs"}


def test_dataset_without_runs(dataset: Path) -> None:
    write_manifest(dataset, {**manifest_of(dataset), "runs": [], "spec": None})
    assert only(dataset).rule.name == "no-runs"


def test_unfinished_sweep_is_a_warning(dataset: Path) -> None:
    data = manifest_of(dataset)
    data["runs"].pop()
    write_manifest(dataset, data)
    found = only(dataset)
    assert (found.rule.name, found.example) == ("incomplete", "3 of 4 runs")


def test_run_that_is_there_twice(dataset: Path) -> None:
    data = manifest_of(dataset)
    data["runs"].append(data["runs"][0])
    write_manifest(dataset, data)
    found = only(dataset)
    assert (found.rule.name, found.runs) == ("duplicate-run", 1)


def test_configuration_cannot_lead_out_of_the_folder(dataset: Path) -> None:
    data = manifest_of(dataset)
    data["runs"].append({**data["runs"][0], "config": "../../elsewhere"})
    write_manifest(dataset, data)
    found = only(dataset)
    assert found.rule.name == "config-name"
    assert "elsewhere" in found.example


@pytest.mark.parametrize(("name", "rule"), [("config", "one-config"), ("seed", "one-seed")])
def test_nothing_can_be_held_out(dataset: Path, name: str, rule: str) -> None:
    data = manifest_of(dataset)
    first = data["runs"][0][name]
    data |= {"runs": [r for r in data["runs"] if r[name] == first], "spec": None}
    write_manifest(dataset, data)
    assert only(dataset).rule.name == rule


def test_too_short_runs(tmp_path: Path, simulated: Path) -> None:
    recorded = []
    for run in recorded_of(simulated):
        tables = {n: t.filter(pa.compute.field("interval") < 2) for n, t in run.tables.items()}
        scenario = run.scenario.model_copy(update={"duration_s": 0.4})
        schedule = [c for c in run.schedule if c.interval < 2]
        recorded.append(RecordedRun(scenario, run.seed, tables, schedule, run.config))
    write_dataset(tmp_path / "short", recorded)
    found = only(tmp_path / "short")
    assert (found.rule.name, found.runs) == ("too-short", 4)


@pytest.mark.parametrize("damage", ["missing", "no JSON", "wrong field"])
def test_scenario_that_cannot_be_used(dataset: Path, damage: str) -> None:
    config, _ = run_of(dataset)
    path = dataset / "scenarios" / f"{config}.json"
    if damage == "missing":
        path.unlink()
    elif damage == "no JSON":
        path.write_text("{")
    else:
        path.write_text(path.read_text().replace("frequency_ghz", "frequency_hz"))
    found = only(dataset)
    assert (found.rule.name, found.runs) == ("scenario", 2)


# Schedules


def change_run(folder: Path, **changes: Any) -> None:
    def change(frame: Rows) -> None:
        for name, value in changes.items():
            frame[name] = value

    change_values(folder, "runs", change)


@pytest.mark.parametrize(
    ("schedule", "rule", "example"),
    [
        ("[", "schedule", "not JSON"),
        ('[{"interval": 0}]', "schedule", "0.path"),
        (None, "schedule", "None"),
        (
            '[{"interval": 0, "path": "cells.c9.tilt_deg", "value": 1}]',
            "impossible-schedule",
            "'c9' is not one of c0",
        ),
        (
            '[{"interval": 3, "path": "cells.c0.tilt_deg", "value": 1}]',
            "impossible-schedule",
            "after the last one",
        ),
        ("[]", "schedule-hash", "not "),
    ],
)
def test_schedule_that_cannot_be(
    dataset: Path, schedule: str | None, rule: str, example: str
) -> None:
    change_run(dataset, schedule=schedule)
    found = only(dataset)
    assert (found.rule.name, found.table, found.runs) == (rule, "runs", 1)
    assert example in found.example


def test_schedule_that_is_missing(dataset: Path) -> None:
    change_table(dataset, "runs", lambda t: t.drop(["schedule"]))
    assert only(dataset).rule.name == "schedule"


def test_length_differs_from_the_scenario(dataset: Path) -> None:
    change_run(dataset, interval_ms=100.0)
    found = only(dataset)
    assert (found.rule.name, found.columns) == ("other-length", ("interval_ms",))


# Files


@pytest.mark.parametrize("table", ["runs", *TABLES])
def test_missing_file(dataset: Path, table: str) -> None:
    (dataset / part_path(table, *run_of(dataset))).unlink()
    found = only(dataset)
    assert (found.rule.name, found.table, found.runs) == ("missing-file", table, 1)


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign"])
def test_damaged_file(dataset: Path, damage: str) -> None:
    path = dataset / part_path("ue", *run_of(dataset))
    data = path.read_bytes()
    path.write_bytes(
        {"cut": data[: len(data) // 2], "empty": b"", "foreign": b"a,b\n1,2\n"}[damage]
    )
    found = only(dataset)
    assert (found.rule.name, found.table) == ("damaged-file", "ue")


def test_changed_file_is_a_warning(dataset: Path) -> None:
    path = dataset / part_path("ue", *run_of(dataset))
    pq.write_table(pq.ParquetFile(path).read(), path, compression="none")
    found = only(dataset)
    assert (found.rule.name, found.table) == ("changed-file", "ue")


# Columns


def test_missing_column_that_is_needed(dataset: Path) -> None:
    change_table(
        dataset,
        "slice",
        lambda t: t.rename_columns(
            ["dl_latency_s" if n == "dl_latency_ms" else n for n in t.schema.names]
        ),
    )
    found = only(dataset)
    assert (found.rule.name, found.columns) == ("missing-column", ("dl_latency_ms",))
    assert "'dl_latency_s'" in found.example


def test_missing_column_that_is_not_needed_is_a_warning(dataset: Path) -> None:
    change_table(dataset, "cell", lambda t: t.drop(["energy_j", "wakes"]))
    found = only(dataset)
    assert (found.rule.name, found.columns) == ("missing-unread-column", ("wakes", "energy_j"))


@pytest.mark.parametrize("table", ["ue", "runs"])
def test_column_that_is_there_twice(dataset: Path, table: str) -> None:
    name = arrow_schema("ue").names[3] if table == "ue" else "schedule"
    change_table(dataset, table, lambda t: t.append_column(name, t[name]))
    found = only(dataset)
    assert (found.rule.name, found.table, found.columns) == ("double-column", table, (name,))


def test_column_of_another_kind(dataset: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        return set_column("power_w", table["power_w"].cast(pa.string()))(table)

    change_table(dataset, "cell", change)
    found = only(dataset)
    assert (found.rule.name, found.columns) == ("wrong-type", ("power_w",))
    assert "string" in found.example


def test_whole_numbers_where_others_are_expected_are_a_warning(dataset: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        return set_column("users", table["users"].cast(pa.float64()))(table)

    change_table(dataset, "cell", change)
    assert only(dataset).rule.name == "other-type"


def test_plain_text_is_as_good_as_a_dictionary(dataset: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        return set_column("cell", table["cell"].cast(pa.string()))(table)

    change_table(dataset, "cell", change)
    assert check_dataset(dataset).findings == ()


def test_other_unit(dataset: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index("power_w")
        field = table.schema.field(at).with_metadata({"unit": "mW"})
        return table.set_column(at, field, table["power_w"])

    change_table(dataset, "cell", change)
    found = only(dataset)
    assert (found.rule.name, found.columns) == ("wrong-unit", ("power_w",))
    assert "'mW', not 'W'" in found.example


def test_units_that_are_not_told_are_a_warning(dataset: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        return pa.table(
            table.columns, schema=pa.schema([f.remove_metadata() for f in table.schema])
        )

    change_table(dataset, "edge", change)
    found = only(dataset)
    assert (found.rule.name, found.table) == ("no-unit", "edge")
    assert "site" not in found.columns
    assert "util_pct" in found.columns


# Rows


@pytest.mark.parametrize("table", list(KEYS))
def test_row_that_is_missing(dataset: Path, table: str) -> None:
    change_table(dataset, table, lambda rows: rows.slice(0, len(rows) - 1))
    found = only(dataset)
    assert (found.rule.name, found.table, found.columns) == ("other-rows", table, KEYS[table])
    assert "in interval 2" in found.example


def test_row_of_a_pair_that_does_not_exist(dataset: Path) -> None:
    def change(frame: Rows) -> None:
        frame.loc[0, "to_node"] = frame.loc[0, "from_node"]

    change_values(dataset, "link", change)
    assert only(dataset).rule.name == "other-rows"


def test_rows_in_another_order(dataset: Path) -> None:
    change_table(dataset, "flow", lambda t: t.take(list(range(len(t)))[::-1]))
    found = only(dataset)
    assert (found.rule.name, found.table) == ("other-order", "flow")


@pytest.mark.parametrize(
    ("table", "column"),
    [("network", "slice"), ("ue", "cell"), ("ue", "state"), ("neighbour", "cell"), ("flow", "ue")],
)
def test_unknown_name(dataset: Path, table: str, column: str) -> None:
    def change(frame: Rows) -> None:
        frame.loc[1, column] = "stranger"

    change_values(dataset, table, change)
    found = only(dataset)
    assert (found.rule.name, found.table, found.columns) == ("unknown-name", table, (column,))
    assert "'stranger'" in found.example


def test_alarm_of_a_stranger_is_a_warning(dataset: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        row = {
            "interval": 0,
            "time_ms": 200.0,
            "alarm": "fire:house",
            "element": "house",
            "cause": "fire",
            "severity": "major",
            "raised_ms": 10.0,
            "cleared_ms": None,
        }
        return pa.Table.from_pylist([row], schema=table.schema)

    change_table(dataset, "alarm", change)
    assert only(dataset).rule.name == "unknown-alarm"


@pytest.mark.parametrize("interval", [-1, 3])
def test_interval_that_does_not_exist(dataset: Path, interval: int) -> None:
    def change(frame: Rows) -> None:
        frame.loc[frame.interval == 2, "interval"] = interval

    change_values(dataset, "cell", change)
    found = only(dataset)
    assert (found.rule.name, found.columns) == ("other-interval", ("interval",))


def test_time_in_another_unit(dataset: Path) -> None:
    def change(frame: Rows) -> None:
        frame["time_ms"] /= 1e3

    change_values(dataset, "cell", change)
    assert only(dataset).rule.name == "other-time"


def test_rank_that_is_there_twice(dataset: Path) -> None:
    def change(frame: Rows) -> None:
        frame.loc[(frame.ue == "u0") & (frame["rank"] == 2), "rank"] = 1

    change_values(dataset, "neighbour", change)
    assert only(dataset).rule.name == "twice"


# Values


@pytest.mark.parametrize(
    ("table", "column", "rule"),
    [
        ("cell", "power_w", "null"),
        ("ue", "cell", "null"),
        ("cell", "interval", "null"),
        ("ue", "cqi", "null-unread"),
        ("cell", "scheduler", "null-unread"),
    ],
)
def test_null_without_meaning(dataset: Path, table: str, column: str, rule: str) -> None:
    def change(before: pa.Table) -> pa.Table:
        values = before[column].to_pylist()
        values[1] = None
        return set_column(column, pa.array(values, before[column].type))(before)

    change_table(dataset, table, change)
    found = only(dataset)
    assert (found.rule.name, found.table, found.columns) == (rule, table, (column,))
    assert f"{column} = None" in found.example


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("power_w", np.nan, "null"),
        ("power_w", np.inf, "infinite"),
        ("power_w", -1.0, "out-of-range"),
        ("dl_latency_ms", np.nan, "nan"),
        ("dl_latency_ms", -np.inf, "infinite"),
        ("dl_latency_ms", -0.1, "out-of-range"),
        ("dl_prb_util_pct", 100.1, "out-of-range"),
        ("rlf", -1, "out-of-range"),
        ("dl_mcs", 29.0, "out-of-range"),
        ("dl_sinr_db", -11.0, ""),
        ("dl_prb_util_pct", 100.0, ""),
    ],
)
def test_value_that_cannot_be(dataset: Path, column: str, value: float, rule: str) -> None:
    def change(before: pa.Table) -> pa.Table:
        values = before[column].to_pylist()
        values[1] = value
        return set_column(column, pa.array(values, before[column].type))(before)

    change_table(dataset, "cell", change)
    if not rule:
        assert check_dataset(dataset).findings == ()
        return
    found = only(dataset)
    assert (found.rule.name, found.columns) == (rule, (column,))


def test_column_that_never_has_a_value_is_a_warning(dataset: Path) -> None:
    for path in dataset.glob("slice/*/*/part.parquet"):
        rewrite(path, lambda t: set_column("dl_jitter_ms", pa.nulls(len(t), pa.float64()))(t))
    found = only(dataset)
    assert (found.rule.name, found.columns) == ("no-values", ("dl_jitter_ms",))


@pytest.mark.parametrize(
    ("table", "column"), [("ue", "ul_dropped_bits"), ("flow", "in_flight_bits")]
)
def test_bits_that_come_from_nowhere(dataset: Path, table: str, column: str) -> None:
    def change(frame: Rows) -> None:
        frame.loc[frame.index[-1], column] += 50_000

    change_values(dataset, table, change)
    found = only(dataset)
    assert (found.rule.name, found.table) == ("not-conserved", table)
    assert column in found.columns


@pytest.mark.parametrize("table", ["ue", "slice", "flow", "link"])
def test_throughput_in_another_unit(dataset: Path, table: str) -> None:
    column = "dl_throughput_mbps" if table in ("ue", "slice") else "throughput_mbps"

    def change(frame: Rows) -> None:
        frame[column] *= 1e3

    change_values(dataset, table, change)
    found = only(dataset)
    assert (found.rule.name, found.table, found.columns[0]) == ("other-rate", table, column)


# All together


def test_all_findings_come_at_once_errors_first(dataset: Path) -> None:
    for path in dataset.glob("edge/*/*/part.parquet"):
        rewrite(path, lambda t: t.drop(["jobs_completed"]))
    (dataset / part_path("flow", *run_of(dataset))).unlink()
    (dataset / part_path("cell", *run_of(dataset, 1))).write_bytes(b"PAR1")
    report = check_dataset(dataset)
    found = [(f.rule.severity, f.rule.name, f.table, f.runs) for f in report.findings]
    assert found == [
        ("error", "damaged-file", "cell", 1),
        ("error", "missing-file", "flow", 1),
        ("warning", "missing-unread-column", "edge", 4),
    ]
    assert not report.ok
    data = report.as_dict()
    assert (data["errors"], data["warnings"], data["runs"]) == (2, 1, 4)
    assert data["findings"][2]["columns"] == ["jobs_completed"]
    assert json.loads(json.dumps(data)) == data


# Datasets of others


def recorded_of(folder: Path) -> list[RecordedRun]:
    dataset = Dataset.open(folder)
    changes = {(row["config"], row["seed"]): row["schedule"] for row in dataset.runs.to_pylist()}
    from ns3_scenarios.controls import ControlChange

    return [
        RecordedRun(
            scenario=dataset.scenario(run.config),
            seed=run.seed,
            tables={
                name: dataset.table(name, run.config, run.seed).drop(["config", "seed"])
                for name in TABLES
            },
            schedule=[ControlChange(**c) for c in json.loads(changes[run.id])],
            config=run.config,
        )
        for run in dataset.manifest.runs
    ]


def plain(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


@pytest.mark.parametrize("kind", ["arrow", "pandas", "shuffled"])
def test_dataset_written_again_reads_equal(tmp_path: Path, simulated: Path, kind: str) -> None:
    def tables_of(run: RecordedRun) -> dict[str, Any]:
        if kind == "arrow":
            return dict(run.tables)
        frames = {name: table.to_pandas() for name, table in run.tables.items()}
        if kind == "shuffled":
            frames = {
                name: frame.sample(frac=1, random_state=1).drop(columns="time_ms")
                if name in KEYS or name == "neighbour"
                else frame
                for name, frame in frames.items()
            }
        return frames

    again = write_dataset(
        tmp_path / "again",
        (
            RecordedRun(run.scenario, run.seed, tables_of(run), run.schedule, run.config)
            for run in recorded_of(simulated)
        ),
    )
    before = Dataset.open(simulated)
    for name in TABLES:
        assert plain(again.table(name)) == plain(before.table(name)), name
        assert again.table(name).schema == before.table(name).schema
    assert again.is_complete
    assert again.manifest.ns3_version == again.manifest.ran_hash == ""
    assert check_dataset(again.path).findings == ()
    again.verify()
    config = before.manifest.runs[0].config
    assert again.scenario(config) == before.scenario(config)
    kept = ["config", "seed", "schedule", "schedule_hash", "duration_s", "interval_ms"]
    assert plain(again.runs.select(kept)) == plain(before.runs.select(kept))


def test_configuration_is_the_scenario_by_default(tmp_path: Path, simulated: Path) -> None:
    run = recorded_of(simulated)[0]
    written = write_dataset(tmp_path / "one", [RecordedRun(run.scenario, 7, run.tables)])
    assert written.manifest.runs[0].id == (run.scenario.config_hash(), 7)
    assert {f.rule.name for f in check_dataset(written.path).findings} == {"one-config", "one-seed"}


def frame_of(folder: Path, table: str) -> Rows:
    frame: Rows = recorded_of(folder)[0].tables[table].to_pandas()
    return frame


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda r, f: {"tables": {"cells": f}}, "no table 'cells', did you mean 'cell'?"),
        (
            lambda r, f: {"tables": {"cell": f.rename(columns={"power_w": "power_mw"})}},
            "table cell: there is no column 'power_mw', did you mean 'power_w'?",
        ),
        (
            lambda r, f: {"tables": {"cell": f.drop(columns="interval")}},
            "table cell needs the column 'interval'",
        ),
        (
            lambda r, f: {"tables": {"cell": f.assign(power_w="much")}},
            "column power_w of table cell is",
        ),
        (
            lambda r, f: {"tables": {"cell": f.assign(rlf=0.5)}},
            "column rlf of table cell is double and cannot be made int64",
        ),
        (
            lambda r, f: {"tables": {"cell": pd.concat([f, f[["rlf"]]], axis=1)}},
            "table cell has column 'rlf' more than once",
        ),
        (lambda r, f: {"seed": -1}, "seed must be 0 or more"),
        (lambda r, f: {"config": "a/b"}, "config='a/b' must be letters"),
        (
            lambda r, f: {"schedule": [r.schedule[0].model_copy(update={"interval": 9})]},
            "a change at interval 9 comes after the last one",
        ),
    ],
)
def test_mistakes_in_recorded_runs_are_one_sentence(
    tmp_path: Path, simulated: Path, mistake: Any, message: str
) -> None:
    run = recorded_of(simulated)[0]
    frame = run.tables["cell"].to_pandas()
    with pytest.raises(DatasetError) as caught:
        write_dataset(tmp_path / "bad", [RecordedRun(**{**vars(run), **mistake(run, frame)})])
    assert message in str(caught.value)
    assert not (tmp_path / "bad" / "manifest.json").exists()


def test_runs_must_be_different_and_some(tmp_path: Path, simulated: Path) -> None:
    run, other = recorded_of(simulated)[0], recorded_of(simulated)[-1]
    assert run.config != other.config
    with pytest.raises(DatasetError, match="there is no run to write"):
        write_dataset(tmp_path / "none", [])
    with pytest.raises(DatasetError, match="give them different seeds"):
        write_dataset(tmp_path / "twice", [run, run])
    with pytest.raises(DatasetError, match="has another scenario"):
        write_dataset(
            tmp_path / "mixed",
            [run, RecordedRun(other.scenario, 9, other.tables, config=run.config)],
        )
    with pytest.raises(DatasetError, match="is in use"):
        write_dataset(simulated, [run])
