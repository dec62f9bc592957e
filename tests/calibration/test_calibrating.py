# SPDX-License-Identifier: Apache-2.0
"""From a dataset to a judged model, in Python and on the command line."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from calibration import calibrating
from calibration.calibrating import calibrate, validate_on
from calibration.features import ROWS, Radio, steps_of
from calibration.fitting import Fitted, fit
from calibration.samples import samples_of_datasets
from calibration.targets import EDGE_LOAD, LINK_LOAD, TARGETS
from experiment_model import ExperimentModel, ModelError, write_model
from experiment_model.storage import read_model
from ns3_scenarios.sweeps import parse_spec, sweep

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments):
    command = [sys.executable, str(ROOT / "sixg.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_model_predicts_what_it_has_not_seen(model):
    _, report = model
    throughput = report.kinds["class"].kpis["throughput_mbps"].pooled
    assert throughput.r2 > 0.7
    assert report.data.leaked_configs == ()


def test_model_says_what_it_was_made_from(model, dataset):
    path, report = model
    card = ExperimentModel.load(path).card
    assert card.data.scenarios == ("quickstart",)
    assert max(card.data.seeds) <= 50
    assert set(card.data.configs) < set(dataset.manifest.configs)
    assert card.created_with["ran"] == dataset.manifest.ran_hash
    assert card.gates == report.card_gates()
    assert card.limits


def test_running_gives_what_validation_judges(model, runs):
    path, _ = model
    loaded = ExperimentModel.load(path)
    for kind in ROWS:
        rows = ROWS[kind](Radio(steps_of(runs[0][1])))
        by_name = {name: column.ravel() for name, column in rows.columns.items()}
        by_order = loaded.predict(kind, rows.matrix()).mean
        assert np.array_equal(loaded.predict(kind, by_name).mean, by_order)
        assert np.isfinite(by_order).all()


def test_more_load_never_means_less_use(model, runs):
    path, _ = model
    loaded = ExperimentModel.load(path)
    for kind, names in (
        ("link", LINK_LOAD),
        ("edge", EDGE_LOAD),
    ):
        rows = ROWS[kind](Radio(steps_of(runs[1][1])))
        matrix, columns = rows.matrix(), list(rows.columns)
        at = [kpi.name for kpi in loaded.kpis(kind)].index("util_pct")
        use = [
            loaded.predict(kind, _scaled(matrix, [columns.index(n) for n in names], f)).mean[:, at]
            for f in (0, 0.5, 1, 1.5, 3)
        ]
        assert (np.diff(use, axis=0) >= -1e-6).all()


def test_what_adds_up_grows_with_the_network(model, runs):
    path, _ = model
    loaded = ExperimentModel.load(path)
    for kind, targets in TARGETS.items():
        adding = [t for t in targets if t.adds_up]
        rows = ROWS[kind](Radio(steps_of(runs[1][1])))
        if not adding or not len(rows):
            continue
        columns = [list(rows.columns).index(t.base) for t in adding]
        names = [kpi.name for kpi in loaded.kpis(kind)]
        mine = [names.index(t.name) for t in adding]
        one, ten = (loaded.predict(kind, _scaled(rows.matrix(), columns, f)).mean for f in (1, 10))
        others = np.delete(one, mine, axis=1)
        assert np.array_equal(np.delete(ten, mine, axis=1), others)
        for t, k, column in zip(adding, mine, columns, strict=True):
            large = rows.matrix()[:, column] > 100 * t.scale
            assert np.allclose(ten[large, k], 10 * one[large, k], rtol=0.1)


def _scaled(matrix, columns, factor):
    changed = matrix.copy()
    changed[:, columns] *= factor
    return changed


def test_equal_traces_give_equal_models(dataset, quick, tmp_path):
    samples = {
        kind: every
        for kind, every in samples_of_datasets([dataset.path]).items()
        if kind in ("edge", "link")
    }
    for name in ("one", "two"):
        fitted = fit(samples, quick)
        write_model(tmp_path / name, fitted.spec, fitted.boosters)
    contents = [{f.name: f.read_bytes() for f in (tmp_path / n).iterdir()} for n in ("one", "two")]
    assert contents[0] == contents[1]


def test_model_without_a_verdict_is_never_written(model, quick, dataset, tmp_path, monkeypatch):
    path, _ = model
    spec, files = read_model(path)
    out = tmp_path / "model"
    shutil.copytree(path, out)

    def ended(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(calibrating, "samples_of_datasets", lambda *_, **__: {})
    monkeypatch.setattr(calibrating, "fit_to_roll", lambda *_, **__: Fitted(spec, files))
    monkeypatch.setattr(calibrating, "validate", ended)
    for folder in (out, tmp_path / "new"):
        with pytest.raises(KeyboardInterrupt):
            calibrate([dataset.path], folder, quick)
    assert read_model(out) == (spec, files)
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_command_line_judges_and_fails_by_the_gates(model, dataset, tmp_path):
    path, report = model
    page = tmp_path / "report.html"
    ended = run("validate", path, dataset.path, "--json", "--html", page)
    assert ended.returncode == (0 if report.passed else 1)
    judged = json.loads(ended.stdout)
    assert set(judged["kinds"]) == set(ROWS)
    assert judged["kinds"]["cell"]["kpis"]["power_w"]["pooled"]["r2"] == pytest.approx(
        report.kinds["cell"].kpis["power_w"].pooled.r2
    )
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert "Traceback" not in ended.stderr


def test_single_configuration_is_one_clear_error(tmp_path):
    spec = {"scenario": "quickstart", "duration_s": 0.6, "seeds": "1-2"}
    few = sweep(parse_spec(spec), tmp_path / "few")
    ended = run("calibrate", few.path, "--out", tmp_path / "model")
    assert ended.returncode == 2
    assert "a model needs some 20 configurations" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["calibrate", "nowhere", "--out", "m"], "nowhere is not a dataset"),
        (["validate", "nowhere", "also_nowhere"], "nowhere"),
    ],
)
def test_mistake_is_one_sentence(arguments, says):
    ended = run(*arguments)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


def test_tampered_model_is_refused(model, dataset, tmp_path):
    path, _ = model
    broken = tmp_path / "broken"
    shutil.copytree(path, broken)
    victim = broken / "link.all.ubj"
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    with pytest.raises(ModelError, match=r"link\.all\.ubj"):
        validate_on(broken, [dataset.path])
