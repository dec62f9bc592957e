# SPDX-License-Identifier: Apache-2.0
"""Traces that cannot be used get one sentence, and cost no model that was there before."""

import json
import re
import shutil
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import calibration.cli
import sixg
from calibration.samples import split_of
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.storage import part_path
from ns3_scenarios.sweeps import parse_spec, sweep


@pytest.fixture
def sixg_says(monkeypatch, capsys):
    """Runs the command line here; gives the sentence that it ends with."""
    monkeypatch.setattr(calibration.cli, "default_jobs", lambda: 1)
    monkeypatch.setenv("COLUMNS", "1000")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["sixg", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            sixg.main()
        out, err = capsys.readouterr()
        assert ended.value.code == 2, err
        assert out == ""
        return err.splitlines()[-1]

    return run


@pytest.fixture(scope="module")
def small(dataset, tmp_path_factory):
    """One run of each side, which is enough to begin with."""
    folder = tmp_path_factory.mktemp("small") / "dataset"
    shutil.copytree(dataset.path, folder)
    return with_runs(folder, {split_of(r.config, r.seed): r.id for r in runs(dataset)}.values())


@pytest.fixture
def copy(small, tmp_path):
    return shutil.copytree(small, tmp_path / "copy")


def runs(dataset):
    return dataset.manifest.runs


def with_runs(folder, kept):
    """Strikes runs off the list of a dataset."""

    def strike(data):
        data["runs"] = [r for r in data["runs"] if (r["config"], r["seed"]) in kept]

    return manifest(folder, strike)


def part(folder, table, index=0):
    run = Dataset.open(folder).manifest.runs[index]
    return folder / part_path(table, *run.id)


def rewritten(folder, table, change, index=0):
    path = part(folder, table, index)
    pq.write_table(change(pq.read_table(path)), path)
    return folder


def with_column(column, change):
    """Changes the values of a column of a table, given as a list."""

    def changed(table):
        values = change(table[column].to_pylist())
        return table.set_column(table.schema.get_field_index(column), column, [values])

    return changed


def manifest(folder, change):
    path = folder / "manifest.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    return folder


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()
    return folder


def foreign(folder):
    empty(folder)
    pq.write_table(pa.table({"rsrp": [1.0]}), folder / "log.parquet")
    (folder / "log.csv").write_text("rsrp\n1\n")
    return folder


def truncated(folder):
    path = part(folder, "flow")
    path.write_bytes(path.read_bytes()[:-100])
    return folder


def swapped(folder):
    """Two rows change places, and the file has the length that the manifest says."""
    rewritten(folder, "cell", lambda t: t.take([1, 0, *range(2, len(t))]))
    size = part(folder, "cell").stat().st_size
    return manifest(folder, lambda d: d["runs"][0]["files"]["cell"].update(bytes=size))


def text_file(folder):
    part(folder, "cell").write_text("cell,dl_sinr_db\nc0,10\n")
    return folder


def twice(data):
    data["runs"].append(data["runs"][0])


BAD = {
    "missing": (
        lambda f: f / "none",
        r"^{f}/none is not a dataset: there is no such folder$",
    ),
    "a file": (
        lambda f: f / "manifest.json",
        r"^{f}/manifest\.json is not a dataset: it is a file$",
    ),
    "empty": (empty, r"^{f} is not a dataset: it has no manifest\.json$"),
    "foreign files": (foreign, r"^{f} is not a dataset: it has no manifest\.json$"),
    "no runs": (
        lambda f: manifest(f, lambda d: d.update(runs=[])),
        r"^{f} has no runs; a model needs many$",
    ),
    "later version": (
        lambda f: manifest(f, lambda d: d.update(format_version=9)),
        r"format_version is 9, but this version reads 1",
    ),
    "no JSON": (
        lambda f: (f / "manifest.json").write_text("{") and f,
        r"^{f}/manifest\.json is not JSON",
    ),
    "same run twice": (
        lambda f: manifest(f, twice),
        r"^{f}: run config=\w+ seed=\d+ is there 2 times; configuration and seed must name one",
    ),
    "table not listed": (
        lambda f: manifest(f, lambda d: d["runs"][0]["files"].pop("cell")),
        r"^{f}: .*table cell",
    ),
    "truncated": (truncated, r"^{f}: a file cannot be read as Parquet \(table flow\): config="),
    "CSV instead": (text_file, r"^{f}: a file cannot be read as Parquet \(table cell\): config="),
    "file gone": (
        lambda f: part(f, "edge").unlink() or f,
        r"^{f}: the file of a table is missing \(table edge\): config=",
    ),
    "foreign columns": (
        lambda f: rewritten(f, "ue", lambda t: t.rename_columns([f"x{n}" for n in t.schema.names])),
        r"^{f}: columns that calibration reads are missing \(table ue, interval,.*: config=",
    ),
    "missing column": (
        lambda f: rewritten(f, "slice", lambda t: t.drop_columns(["dl_latency_ms"])),
        r"^{f}: columns that calibration reads are missing \(table slice, dl_latency_ms\): config=",
    ),
    "null": (
        lambda f: rewritten(f, "ue", with_column("rsrp_dbm", lambda v: [None, *v[1:]])),
        r"null where a value always exists \(table ue, rsrp_dbm\): config=\w+ seed=\d+: rsrp_dbm",
    ),
    "NaN": (
        lambda f: rewritten(f, "cell", with_column("power_w", lambda v: [*v[:-1], float("nan")])),
        r"null where a value always exists \(table cell, power_w\): .*power_w = nan",
    ),
    "infinite": (
        lambda f: rewritten(f, "link", with_column("delay_ms", lambda v: [float("inf"), *v[1:]])),
        r"values are infinite \(table link, delay_ms\): config=.*delay_ms = inf.*; allowed: finite",
    ),
    "out of range": (
        lambda f: rewritten(f, "cell", with_column("dl_bler_pct", lambda v: [-5.0, *v[1:]])),
        r"out of the physical range \(table cell, dl_bler_pct\): .*= -5",
    ),
    "text for numbers": (
        lambda f: rewritten(f, "cell", with_column("power_w", lambda v: ["much"] * len(v))),
        r"values of another type \(table cell, power_w\): .*is string, not double",
    ),
    "rows missing": (
        lambda f: rewritten(f, "cell", lambda t: t.slice(1)),
        r"rows are not those of the scenario \(table cell, cell\): .*23 rows, not 24",
    ),
    "rows swapped": (
        swapped,
        r"^{f}: the rows are in another order \(table cell, cell\): config=\w+ seed=\d+: row 0 is "
        r"of cell c1 in interval 0, not of cell c0 in interval 0; allowed: ordered by interval",
    ),
    "no schedule": (
        lambda f: rewritten(f, "runs", with_column("schedule", lambda v: ["{"] * len(v))),
        r"schedule of a run is missing or not readable \(table runs, schedule\): ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_traces_get_one_sentence_and_cost_nothing(what, copy, tmp_path, sixg_says):
    spoil, sentence = BAD[what]
    folder = spoil(copy)
    out = tmp_path / "model"
    out.mkdir()
    said = sixg_says("calibrate", folder, "--out", out)
    assert re.search(sentence.format(f=copy), said), said
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("what", ["missing", "truncated", "NaN"])
def test_validation_says_the_same(what, copy, sixg_says):
    spoil, sentence = BAD[what]
    assert re.search(sentence.format(f=copy), sixg_says("validate", "default", spoil(copy)))


@pytest.mark.parametrize(
    ("keep", "command", "sentence"),
    [
        (lambda s: s != "test", "calibrate", "none of 3 runs has a seed of the test split (51-80)"),
        (lambda s: s != "test", "validate", "none of 3 runs has a seed of the test split (51-80)"),
        (lambda s: s == "test", "calibrate", "all of 1 runs have seeds of the test split (51-80)"),
        (lambda s: s == "fit", "calibrate", "no configuration of 1 is left for 'stop'"),
    ],
)
def test_traces_without_a_side_get_one_sentence(keep, command, sentence, copy, tmp_path, sixg_says):
    kept = [r.id for r in runs(Dataset.open(copy)) if keep(split_of(*r.id))]
    with_runs(copy, kept)
    out = tmp_path / "model"
    arguments = [copy, "--out", out] if command == "calibrate" else ["default", copy]
    assert sentence in sixg_says(command, *arguments)
    assert not out.exists()


def test_dataset_given_twice(small, copy, tmp_path, sixg_says):
    for other in (small, copy):
        said = sixg_says("calibrate", small, other, "--out", tmp_path / "model")
        assert said.endswith(f"{small} and in {other}; each run may be given once")


def test_two_datasets_of_one_name(small, tmp_path, sixg_says):
    kept = [run.id for run in runs(Dataset.open(small))]
    halves = [
        with_runs(shutil.copytree(small, tmp_path / name / "traces"), part)
        for name, part in (("a", kept[:2]), ("b", kept[2:]))
    ]
    said = sixg_says("calibrate", *halves, "--out", tmp_path / "model")
    assert said == (
        f"{halves[0]} and {halves[1]} are both called 'traces'; rename one of the folders, as a "
        "model knows its datasets by their names"
    )
    assert not (tmp_path / "model").exists()


def test_run_of_one_interval(tmp_path, sixg_says):
    spec = {"scenario": "quickstart", "duration_s": 0.2, "seeds": "51"}
    short = sweep(parse_spec(spec), tmp_path / "short").path
    said = sixg_says("validate", "default", short)
    assert said == f"there are no runs with two intervals or more in {short}"


def test_what_is_no_model_is_refused_before_the_fit(small, tmp_path, sixg_says):
    (tmp_path / "notes.txt").write_text("mine")
    said = sixg_says("calibrate", small, "--out", tmp_path)
    assert said == f"{tmp_path} holds something else than a model, and is not replaced"
