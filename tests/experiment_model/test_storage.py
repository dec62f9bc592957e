# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

import experiment_model.writing
from experiment_model import (
    BoosterFile,
    Card,
    Data,
    ExperimentModel,
    Gate,
    ModelError,
    ModelSpec,
    write_model,
)

Edit = Callable[[dict[str, Any]], None]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def edit(folder: Path, change: Edit) -> None:
    """Change a model's `model.json`."""
    data = json.loads((folder / "model.json").read_text())
    change(data)
    (folder / "model.json").write_text(json.dumps(data))


def refused(folder: Path, sentence: str) -> None:
    with pytest.raises(ModelError, match=f"^{re.escape(sentence)}$"):
        ExperimentModel.load(folder)


# Round trip


def test_model_read_predicts_what_the_model_written_did(parts: Any, tmp_path: Path) -> None:
    model = ExperimentModel.load(parts.write(tmp_path / "a"))
    write_model(tmp_path / "b", model.spec, {
        name: (tmp_path / "a" / name).read_bytes() for name in model.spec.booster_files
    })  # fmt: skip
    again = ExperimentModel.load(tmp_path / "b")
    assert model.kinds == again.kinds == ("cell", "edge")
    for kind, rows in parts.rows.items():
        assert model.features(kind) == again.features(kind) == parts.spec.kinds[kind].features
        assert model.kpis(kind) == again.kpis(kind)
        first, second = (m.predict(kind, rows) for m in (model, again))
        for name in ("mean", "quantiles", "score", "in_distribution"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_equal_models_give_equal_bytes(parts: Any, tmp_path: Path) -> None:
    first, second = contents(parts.write(tmp_path / "a")), contents(parts.write(tmp_path / "b"))
    assert first == second
    assert set(first) == {"model.json", *parts.spec.booster_files}


def test_file_of_a_booster_is_smaller_and_xgboost_reads_it(parts: Any, folder: Path) -> None:
    for name, booster in parts.boosters.items():
        data = (folder / name).read_bytes()
        read = xgboost.Booster(model_file=bytearray(data))
        rows = parts.rows[name.split(".")[0]]
        np.testing.assert_array_equal(read.inplace_predict(rows), booster.inplace_predict(rows))
        again = xgboost.Booster(model_file=read.save_raw("ubj"))
        np.testing.assert_array_equal(again.inplace_predict(rows), booster.inplace_predict(rows))
        if booster.inplace_predict(rows).ndim > 1:
            assert len(data) < len(booster.save_raw("ubj"))


def test_card_comes_back_as_it_was(parts: Any, tmp_path: Path) -> None:
    card = Card(
        name="default",
        created_with={"xgboost": "3.2.0"},
        data=Data(scenarios=("quickstart",), seeds=(1, 2), runs=4, rows={"cell": 2000}),
        gates=(Gate(name="R2 of throughput", passed=True, value=0.97, limit=0.95),),
        metrics={"cell": {"throughput_mbps": {"r2": 0.97, "floor": None}}},
        limits=("Not for more than 57 cells.",),
    )
    spec = parts.spec.model_copy(update={"card": card})
    write_model(tmp_path / "model", spec, parts.boosters)
    assert ExperimentModel.load(tmp_path / "model").card == card
    assert card.passed


@pytest.mark.parametrize(
    ("passed", "verdict"), [((), False), ((True, True), True), ((True, False), False)]
)
def test_card_passes_if_it_has_gates_and_meets_all(passed: tuple[bool, ...], verdict: bool) -> None:
    assert Card(gates=tuple(Gate(name="g", passed=p) for p in passed)).passed is verdict


# Writing


def test_model_is_replaced_by_a_new_one(parts: Any, own_folder: Path) -> None:
    spec = parts.spec.model_copy(update={"card": Card(name="new")})
    write_model(own_folder, spec, parts.boosters)
    assert ExperimentModel.load(own_folder).card.name == "new"
    assert [path.name for path in own_folder.parent.iterdir()] == ["model"]


def test_empty_folder_and_missing_parents_do(parts: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "a" / "b" / "model"):
        assert ExperimentModel.load(parts.write(folder)).kinds == ("cell", "edge")


def test_folder_of_something_else_is_not_replaced(parts: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    sentence = f"{tmp_path} holds something else than a model, and is not replaced"
    with pytest.raises(ModelError, match=f"^{re.escape(sentence)}$"):
        parts.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(ModelError, match=r"is not a folder, and is not replaced by a model$"):
        parts.write(tmp_path / "notes.txt")


def test_model_with_a_foreign_file_is_not_replaced(parts: Any, own_folder: Path) -> None:
    (own_folder / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match=r"holds 'notes\.txt', which is no part of its model"):
        parts.write(own_folder)
    assert (own_folder / "notes.txt").read_text() == "mine"


def test_model_that_does_not_fit_is_not_written(parts: Any, own_folder: Path) -> None:
    before = contents(own_folder)
    boosters = {**parts.boosters, "cell.ubj": parts.boosters["cell.latency.ubj"]}
    with pytest.raises(ModelError, match=r"cell\.ubj has 1 outputs; it must have 3$"):
        write_model(own_folder, parts.spec, boosters)
    assert contents(own_folder) == before
    assert [path.name for path in own_folder.parent.iterdir()] == ["model"]


def test_failure_at_the_last_step_leaves_the_model_that_was_there(
    parts: Any, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(own_folder)

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(experiment_model.writing.Path, "rename", full)
    with pytest.raises(ModelError, match=r"^cannot write .*: No space left on device$"):
        parts.write(own_folder)
    assert contents(own_folder) == before
    assert [path.name for path in own_folder.parent.iterdir()] == ["model"]


KILLED_AT_EVERY_STEP = """
import json, os, signal, sys
from pathlib import Path
from experiment_model import Card, ExperimentModel, ModelError, write_model
from experiment_model.storage import read_model

source, folder = Path(sys.argv[1]), Path(sys.argv[2])
spec, files = read_model(source)

def write(name):
    write_model(folder, spec.model_copy(update={"card": Card(name=name)}), files)

def killed_at(step):
    if sys.argv[3] == "old":
        write("old")
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        if event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "open"):
            seen += str(folder.parent) in str(arguments[0]) or event.startswith("os.r")
            if seen > step:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    write("new")

def tell(step):
    try:
        print(json.dumps(ExperimentModel.load(folder).card.name), flush=True)
    except ModelError as error:
        print(json.dumps(str(error)), flush=True)
    write("next")
    assert ExperimentModel.load(folder).card.name == "next"
    assert os.listdir(folder.parent) == [folder.name]

def apart(function, step):
    # In a fork of a process that has no threads yet.
    child = os.fork()
    if not child:
        function(step)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

step = ended = 0
while True:
    ended = apart(killed_at, step)
    assert apart(tell, step) == 0
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    step += 1
    if ended == 0:
        break
    assert ended == -signal.SIGKILL
"""


@pytest.mark.parametrize("before", ["old", "none"])
def test_writer_killed_at_any_step_leaves_a_whole_model(
    parts: Any, tmp_path: Path, before: str
) -> None:
    boosters = {name: parts.boosters[name] for name in parts.boosters if name.startswith("edge")}
    write_model(tmp_path / "small", ModelSpec(kinds={"edge": parts.spec.kinds["edge"]}), boosters)
    (tmp_path / "models").mkdir()
    target = tmp_path / "models" / "model"
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EVERY_STEP, str(tmp_path / "small"), str(target), before],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    nothing = "old" if before == "old" else f"there is no folder {target}"
    assert len(found) > 10
    at = found.index("new")
    assert set(found[:at]) == {nothing}
    assert set(found[at:]) == {"new"}


def test_full_disk_leaves_the_model_that_was_there(parts: Any, own_folder: Path) -> None:
    before = contents(own_folder)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(ModelError, match=r"^cannot write .*: File too large$"):
            parts.write(own_folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(own_folder) == before
    assert [path.name for path in own_folder.parent.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda b: b.pop("cell.ubj"), "booster 'cell.ubj' is not given"),
        (lambda b: b.update({"x.ubj": b["cell.ubj"]}), "booster 'x.ubj' is named by no kind"),
    ],
)
def test_boosters_must_be_those_of_the_spec(
    parts: Any, tmp_path: Path, change: Callable[[dict[str, Any]], Any], sentence: str
) -> None:
    boosters = dict(parts.boosters)
    change(boosters)
    with pytest.raises(ModelError, match=f"^{re.escape(sentence)}$"):
        write_model(tmp_path / "model", parts.spec, boosters)


# Reading what is no model, or no longer


def test_missing_folder(tmp_path: Path) -> None:
    refused(tmp_path / "none", f"there is no folder {tmp_path / 'none'}")


def test_folder_without_a_model(tmp_path: Path) -> None:
    refused(tmp_path, f"{tmp_path} is not a model: it has no model.json")


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "\x00\xff", '{"format": []}', "[" * 100_000])
def test_model_json_of_no_model(own_folder: Path, text: str) -> None:
    (own_folder / "model.json").write_text(text)
    refused(own_folder, f"{own_folder} is not a model: model.json is not JSON of a model")


def test_other_format(own_folder: Path) -> None:
    edit(own_folder, lambda data: data.update(format="sixg-dataset"))
    refused(
        own_folder,
        f"{own_folder} is not a model: model.json has format='sixg-dataset'; "
        "it must be 'sixg-experiment-model'",
    )


def test_later_version_with_parts_that_are_not_known(own_folder: Path) -> None:
    edit(own_folder, lambda data: data.update(schema_version=3, novelty=True))
    refused(own_folder, f"{own_folder} has schema_version 3; this release reads 2")


def test_missing_file(own_folder: Path) -> None:
    (own_folder / "cell.latency.ubj").unlink()
    refused(own_folder, f"{own_folder} is incomplete: cell.latency.ubj is missing")


def _table(data: dict[str, Any]) -> Any:
    return data["kinds"]["edge"]["intervals"]["tables"][""]["load_pct"]


@pytest.mark.parametrize(
    "tamper",
    [lambda data: data[:-1], lambda data: data + b"}", lambda data: data.replace(b"f", b"g", 1)],
)
def test_changed_file(own_folder: Path, tamper: Callable[[bytes], bytes]) -> None:
    file = own_folder / "edge.ubj"
    file.write_bytes(tamper(file.read_bytes()))
    refused(
        own_folder,
        f"{file} is not the file that the model was written with: its SHA-256 differs",
    )


def test_file_of_no_given_hash(own_folder: Path) -> None:
    edit(own_folder, lambda data: data["files"].pop("edge.ubj"))
    refused(own_folder, f"{own_folder / 'model.json'}: files lacks 'edge.ubj', which a kind names")


def test_file_that_is_no_booster(own_folder: Path) -> None:
    data = b"not a booster"
    (own_folder / "edge.ubj").write_bytes(data)
    entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    edit(own_folder, lambda spec: spec["files"].update({"edge.ubj": entry}))
    refused(
        own_folder,
        f"{own_folder}: edge.ubj is not an XGBoost model in UBJSON: 'n' is no type of a value",
    )


def test_booster_of_other_features(own_folder: Path) -> None:
    def drop(data: dict[str, Any]) -> None:
        kind = data["kinds"]["edge"]
        kind["features"].append({"name": "new"})
        domain = kind["domain"]
        for name in ("centre", "scale", "low", "high", "was_missing"):
            domain[name].append(domain[name][0])
        domain["whitening"] = [[1, 0, 0]]

    edit(own_folder, drop)
    refused(own_folder, f"{own_folder}: edge.ubj has 2 features; its kind has 3")


def test_sizes_are_bounded(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"MAX_JSON_BYTES": 100, "MAX_BOOSTER_BYTES": 1000, "MAX_MODEL_BYTES": 10_000}
    for name, limit in limits.items():
        with monkeypatch.context() as patch:
            patch.setattr(f"experiment_model.storage.{name}", limit)
            with pytest.raises(ModelError, match=f"{limit} (bytes, the most|at most are read)"):
                ExperimentModel.load(own_folder)


def first_booster(data: dict[str, Any], file: str) -> None:
    data["kinds"]["edge"]["boosters"][0]["file"] = file


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: first_booster(d, "../edge.ubj"), "'../edge.ubj' is not allowed"),
        (lambda d: first_booster(d, "/etc/x.ubj"), "'/etc/x.ubj' is not allowed"),
        (lambda d: first_booster(d, "model.json"), "'model.json' is not allowed"),
        (lambda d: first_booster(d, "cell.ubj"), "files of boosters: 'cell.ubj' is there twice"),
        (lambda d: d.update(extra=1), "extra is not a field"),
        (lambda d: d.pop("kinds"), "kinds is missing"),
        (lambda d: d.update(kinds={}), "kinds={} is not allowed"),
        (
            lambda d: d["kinds"]["edge"]["kpis"][0].update(scale=0),
            "kinds.edge.kpis.0.scale=0 is not allowed: input should be greater than 0",
        ),
        (
            lambda d: d["kinds"]["cell"]["kpis"][0].update(lower=-2),
            "lower=-2.0 is not allowed with transform log; it must be greater than -2",
        ),
        (
            lambda d: d["kinds"]["cell"]["kpis"][0].update(lower=500),
            "lower=500 must be less than upper=400",
        ),
        (
            lambda d: d["kinds"]["cell"]["kpis"][0].update(base="x"),
            "base='x' of throughput_mbps is not a feature",
        ),
        (
            lambda d: d["kinds"]["cell"]["kpis"][0].update(name="x"),
            "boosters must predict exactly the kpis; 'throughput_mbps' differs",
        ),
        (
            lambda d: d["kinds"]["cell"]["features"][0].update(name="load_pct"),
            "features: 'load_pct' is there twice",
        ),
        (
            lambda d: d["kinds"]["cell"]["boosters"][1].update(monotone={"x": 1}),
            "monotone: 'x' is not a feature",
        ),
        (
            lambda d: d["kinds"]["cell"]["intervals"]["tables"][""].pop("sinr_db"),
            "intervals.tables[''] lacks 'sinr_db'",
        ),
        (
            lambda d: _table(d)["quantiles"][0].reverse(),
            "tables..load_pct: quantiles must not descend",
        ),
        (
            lambda d: _table(d)["edges"].append(0.0),
            "tables..load_pct: edges must ascend and be one fewer than the levels",
        ),
        (
            lambda d: _table(d)["quantiles"][0].pop(),
            "tables[''].load_pct has 22 quantiles; it must have one per probability, 23",
        ),
        (
            lambda d: d["kinds"]["edge"]["intervals"]["probabilities"].reverse(),
            "probabilities must ascend and lie between 0 and 1",
        ),
        (
            lambda d: d["kinds"]["edge"]["joint"].update(correlation=[[2]]),
            "correlation must be symmetric with ones on its diagonal",
        ),
        (
            lambda d: d["kinds"]["edge"]["joint"].update(
                correlation=[[1, 1], [1, 1]], persistence=[0, 0]
            ),
            "correlation must be positive definite",
        ),
        (
            lambda d: d["kinds"]["edge"]["joint"].update(
                correlation=[[1, 0], [0, 1]], persistence=[0, 0]
            ),
            "joint is of 2 kpis; there are 1",
        ),
        (
            lambda d: d["kinds"]["edge"]["domain"]["scale"].pop(),
            "scale has 1 values; centre has 2",
        ),
        (
            lambda d: d["kinds"]["edge"]["domain"]["low"].__setitem__(0, None),
            "must be a range, or both null",
        ),
        (
            lambda d: d["kinds"]["edge"]["domain"]["shares"].__setitem__(0, 0.001),
            "shares must ascend from 0 to 1",
        ),
        (
            lambda d: d["kinds"]["edge"]["domain"]["distances"].reverse(),
            "distances must not descend",
        ),
        (
            lambda d: d["kinds"]["edge"]["domain"]["whitening"][0].append(1),
            "whitening must have rows of 2 values",
        ),
    ],
)  # fmt: skip
def test_impossible_model_json(own_folder: Path, change: Edit, sentence: str) -> None:
    edit(own_folder, change)
    with pytest.raises(ModelError, match=re.escape(sentence)) as caught:
        ExperimentModel.load(own_folder)
    message = str(caught.value)
    assert message.startswith(f"{own_folder / 'model.json'}: ")
    assert "\n" not in message


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_not_finite(own_folder: Path, number: str) -> None:
    file = own_folder / "model.json"
    file.write_text(file.read_text().replace('"threshold":0.01', f'"threshold":{number}', 1))
    with pytest.raises(ModelError, match=r"domain\.threshold=(nan|inf) is not allowed"):
        ExperimentModel.load(own_folder)


def test_model_of_several_kinds_names_the_booster_that_does_not_fit(
    parts: Any, tmp_path: Path, trained: Callable[..., xgboost.Booster]
) -> None:
    rows = parts.rows["edge"]
    booster = trained(rows, rows[:, :1], rounds=2, base_score=0.5)
    with pytest.raises(ModelError, match=r"edge\.ubj has base_score \[0\.5\]; it must be 0$"):
        write_model(tmp_path / "model", parts.spec, {**parts.boosters, "edge.ubj": booster})
    named = trained(rows, rows[:, :1], rounds=2)
    named.feature_names = ["power_dbm", "load_pct"]
    with pytest.raises(
        ModelError, match=r"edge\.ubj has feature 'power_dbm' in the place of 'load_pct'$"
    ):
        write_model(tmp_path / "model", parts.spec, {**parts.boosters, "edge.ubj": named})


def test_spec_is_checked_where_it_is_made(parts: Any) -> None:
    edge = parts.spec.kinds["edge"]
    twice = BoosterFile(file="edge.ubj", kpis=("load_pct",))
    data = edge.model_dump() | {"boosters": (twice, twice)}
    with pytest.raises(ValueError, match="kpis of boosters: 'load_pct' is there twice"):
        ModelSpec.model_validate({"kinds": {"edge": data}})
