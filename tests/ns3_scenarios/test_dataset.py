# SPDX-License-Identifier: Apache-2.0
"""Datasets: what is written can be read, by everyone, byte for byte the same, or not at all."""

import errno
import json
import os
import random
import re
import resource
import subprocess
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ns3_scenarios.controls import ControlChange
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.errors import DatasetError
from ns3_scenarios.kpi import KPI_SCHEMA_VERSION, TABLES, arrow_schema
from ns3_scenarios.storage import (
    Manifest,
    column_type,
    part_path,
    read_entry,
    write_atomic,
    write_manifest,
    write_run,
)
from ns3_scenarios.sweeps.design import Plan, Run, plan
from ns3_scenarios.sweeps.spec import parse_spec
from ns3_scenarios.traces import Provenance, Traces

SPEC = {
    "scenario": "quickstart",
    "duration_s": 1,
    "vary": {
        "scenario.carriers.0.bandwidth_mhz": {"values": [20, 40]},
        "controls.cells.c0.tilt_deg": {"min": 0, "max": 10},
    },
    "design": "latin_hypercube",
    "n_configs": 3,
    "seeds": "1-2",
}


def tables_of(run: Run) -> dict[str, pa.Table]:
    """KPI tables with arbitrary content in the shape of a run's."""
    scenario = run.config.scenario
    names = {
        "cell": list(scenario.cell_ids),
        "slice": [s.name for s in scenario.slices],
        "ue": [f"u{i}" for i in range(scenario.n_users)],
        "scheduler": ["proportional_fair"],
    }
    keys = {"network": "slice", "slice": "cell", "neighbour": "ue", "flow": "ue"}
    draw = random.Random(f"{run.id}")
    tables = {}
    for table in TABLES:
        schema = arrow_schema(table)
        key = keys.get(table, table)
        elements = names.get(key, ["first", "second"])
        rows = [(i, name) for i in range(scenario.n_intervals) for name in elements]
        columns = []
        for field in schema:
            if field.name == "interval":
                values = [i for i, _ in rows]
            elif field.name == key:
                values = [name for _, name in rows]
            elif pa.types.is_dictionary(field.type):
                values = [draw.choice(names.get(field.name, ["some", "other"])) for _ in rows]
            elif pa.types.is_boolean(field.type):
                values = [draw.random() < 0.5 for _ in rows]
            elif pa.types.is_integer(field.type):
                values = [draw.randrange(100) for _ in rows]
            else:
                values = [None if draw.random() < 0.1 else draw.random() * 50 for _ in rows]
            columns.append(pa.array(values, field.type))
        tables[table] = pa.table(columns, schema=schema)
    return tables


def traces_of(run: Run) -> Traces:
    provenance = Provenance(
        scenario=run.config.scenario.name,
        config_hash=run.config.scenario.config_hash(),
        schedule_hash="0123456789abcdef",
        seed=run.seed,
        code_version="1",
        ran_hash="2",
        ns3_version="3",
        kpi_schema_version=KPI_SCHEMA_VERSION,
    )
    return Traces(tables_of(run), provenance, wall_s=random.random(), events=1)


def write_dataset(folder: Path, whole: Plan) -> Dataset:
    columns = {p: column_type([c.values[p] for c in whole.configs]) for p in whole.parameters}
    entries = [write_run(folder, run, traces_of(run), columns) for run in whole.runs]
    manifest = Manifest(
        code_version="1",
        ran_hash="2",
        ns3_version="3",
        scenario="quickstart",
        parameters=whole.parameters,
        configs=tuple(c.key for c in whole.configs),
        seeds=whole.spec.seeds,
        spec=whole.spec.model_dump(mode="json"),
        runs=tuple(entries),
    )
    write_manifest(folder, manifest)
    return Dataset.open(folder)


@pytest.fixture(scope="module")
def whole() -> Plan:
    return plan(parse_spec(SPEC))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, whole: Plan) -> Dataset:
    return write_dataset(tmp_path_factory.mktemp("shared"), whole)


@pytest.fixture
def dataset(tmp_path: Path, whole: Plan) -> Dataset:
    return write_dataset(tmp_path / "dataset", whole)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# Content


@pytest.mark.parametrize("table", TABLES)
def test_what_is_written_is_read(shared: Dataset, whole: Plan, table: str) -> None:
    for run in whole.runs:
        read = shared.table(table, config=run.config.key, seed=run.seed)
        assert set(read["config"].to_pylist()) == {run.config.key}
        assert set(read["seed"].to_pylist()) == {run.seed}
        assert read.drop(["config", "seed"]).to_pylist() == tables_of(run)[table].to_pylist()


def test_rows_come_by_configuration_seed_and_interval(shared: Dataset, whole: Plan) -> None:
    table = shared.table("cell", columns=["interval"])
    rows = list(zip(*(table[n].to_pylist() for n in ("config", "seed", "interval")), strict=True))
    assert rows == sorted(rows)
    assert len(rows) == len(whole.runs) * 5 * 3


def test_runs_table_says_what_varied(shared: Dataset, whole: Plan) -> None:
    rows = {(r["config"], r["seed"]): r for r in shared.runs.to_pylist()}
    assert len(rows) == len(whole.runs) == 6
    for run in whole.runs:
        row = rows[run.id]
        for path, value in run.config.values.items():
            assert row[path] == value
        assert [ControlChange(**c) for c in json.loads(row["schedule"])] == list(run.schedule)


def test_scenario_of_a_configuration_is_kept_in_full(shared: Dataset, whole: Plan) -> None:
    for config in whole.configs:
        assert shared.scenario(config.key) == config.scenario


def test_columns_keep_type_unit_and_3gpp_name(shared: Dataset, whole: Plan) -> None:
    path = shared.path / part_path("cell", *whole.runs[0].id)
    schema = pq.read_schema(path)
    assert schema.names == arrow_schema("cell").names
    assert schema.field("dl_throughput_mbps").metadata[b"unit"] == b"Mbit/s"
    assert schema.field("dl_throughput_mbps").metadata[b"ts28552"] == b"DRB.UEThpDl"
    assert pa.types.is_dictionary(schema.field("cell").type)
    assert json.loads(schema.metadata[b"provenance"])["ran_hash"] == "2"
    assert shared.table("cell").schema.field("cell").type == pa.dictionary(pa.int16(), pa.string())


def test_only_asked_columns_are_read(shared: Dataset) -> None:
    table = shared.table("ue", seed=2, columns=["dl_sinr_db"])
    assert table.column_names == ["config", "seed", "dl_sinr_db"]


def test_equal_runs_give_equal_bytes(shared: Dataset, dataset: Dataset) -> None:
    assert bytes_of(shared.path) == bytes_of(dataset.path)


def test_files_are_zstd_with_statistics(shared: Dataset, whole: Plan) -> None:
    metadata = pq.read_metadata(shared.path / part_path("cell", *whole.runs[0].id))
    chunk = metadata.row_group(0).column(0)
    assert chunk.compression == "ZSTD"
    assert (chunk.statistics.min, chunk.statistics.max) == (0, 4)


# Other readers


def test_pandas_reads_one_configuration_and_seed(shared: Dataset, whole: Plan) -> None:
    run = whole.runs[-1]
    frame = pd.read_parquet(
        shared.path / "slice", filters=[("config", "==", run.config.key), ("seed", "==", run.seed)]
    )
    assert len(frame) == tables_of(run)["slice"].num_rows
    assert (
        frame["dl_offered_bits"].sum() == pc.sum(tables_of(run)["slice"]["dl_offered_bits"]).as_py()
    )


def test_duckdb_pushes_predicates_down(shared: Dataset, whole: Plan) -> None:
    run = whole.runs[-1]
    source = f"read_parquet('{shared.path}/slice/**/*.parquet', hive_partitioning=true)"
    query = (
        f"select sum(dl_offered_bits) from {source} "
        f"where config = '{run.config.key}' and seed = {run.seed} and interval > 2"
    )
    table = tables_of(run)["slice"]
    late = table.filter(pc.greater(table["interval"], 2))
    assert duckdb.sql(query).fetchall() == [(pc.sum(late["dl_offered_bits"]).as_py(),)]
    explained = duckdb.sql(f"explain analyze {query}").fetchall()[0][1]
    assert re.search(r"Total Files Read:\s*1\D", explained), explained


def test_polars_pushes_predicates_down(shared: Dataset, whole: Plan) -> None:
    run = whole.runs[-1]
    frame = pl.scan_parquet(shared.path / "slice/**/*.parquet", hive_partitioning=True)
    query = frame.filter(
        (pl.col("config") == run.config.key) & (pl.col("seed") == run.seed)
    ).select(pl.col("dl_offered_bits").sum())
    assert query.collect().item() == pc.sum(tables_of(run)["slice"]["dl_offered_bits"]).as_py()
    assert "SELECTION" in query.explain()
    assert "FILTER" not in query.explain()


# Mistakes and damage


def test_missing_folder_and_manifest_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=re.escape(str(tmp_path / "none"))):
        Dataset.open(tmp_path / "none")
    with pytest.raises(DatasetError, match=r"is not a dataset: it has no manifest\.json"):
        Dataset.open(tmp_path)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "is not JSON"),
        ("[]", "is not the manifest of a dataset"),
        ('{"format": "sixg-dataset", "format_version": 99}', "format_version is 99"),
        (
            '{"format": "sixg-dataset", "format_version": 1, "kpi_schema_version": 99}',
            "kpi_schema_version is 99",
        ),
    ],
)
def test_unusable_manifest_is_one_sentence(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DatasetError, match=what) as caught:
        Dataset.open(tmp_path)
    assert str(tmp_path / "manifest.json") in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "overwritten", "missing", "foreign"])
@pytest.mark.parametrize("table", ["cell", "runs"])
def test_damaged_file_is_named(dataset: Dataset, whole: Plan, damage: str, table: str) -> None:
    path = dataset.path / part_path(table, *whole.runs[0].id)
    whole_file = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole_file[: len(whole_file) // 2])
    elif damage == "overwritten":
        middle = len(whole_file) // 4
        path.write_bytes(whole_file[:middle] + bytes(200) + whole_file[middle + 200 :])
    elif damage == "missing":
        path.unlink()
    else:
        path.write_text("no Parquet at all")
    with pytest.raises(DatasetError, match=re.escape(str(path))):
        dataset.verify()
    if damage != "overwritten":  # a hash sees any change, a reader only what it stumbles over
        with pytest.raises(DatasetError, match=re.escape(str(path))):
            dataset.table(table)


def test_whole_dataset_verifies(shared: Dataset) -> None:
    shared.verify()


def test_unknown_table_column_configuration_and_seed_are_named(shared: Dataset) -> None:
    with pytest.raises(DatasetError, match="no table 'cells'; allowed are network, cell"):
        shared.table("cells")
    with pytest.raises(DatasetError, match="no column 'sinr'"):
        shared.table("ue", columns=["sinr"])
    with pytest.raises(DatasetError, match="no run of configuration 'abc'"):
        shared.table("ue", config="abc")
    with pytest.raises(DatasetError, match="no run of seed 77"):
        shared.table("ue", seed=[1, 77])
    with pytest.raises(DatasetError, match="no run of configuration 'abc'"):
        shared.scenario("abc")


def test_unfinished_run_is_no_run(dataset: Dataset, whole: Plan) -> None:
    run = whole.runs[0]
    assert read_entry(dataset.path, *run.id) is not None
    (dataset.path / part_path("runs", *run.id)).unlink()
    assert read_entry(dataset.path, *run.id) is None


def test_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(DatasetError, match=rf"cannot write {path}: {os.strerror(errno.EFBIG)}"):
            write_atomic(path, bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert bytes_of(tmp_path) == {"file": b"before"}


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_really_full_disk(tmp_path: Path, whole: Plan) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(DatasetError, match=r"cannot write .*: No space left on device"):
            write_dataset(tmp_path, whole)
        assert not list(tmp_path.rglob("*.tmp"))
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
