# SPDX-License-Identifier: Apache-2.0
"""A model is fitted anew with runs that are chosen, and with episodes that agents played."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from calibration.boosting import BoostingSettings
from calibration.calibrating import judged_and_written
from calibration.fitting import Settings, fit
from calibration.refitting import check_datasets, refit
from calibration.samples import samples_of_datasets, split_of
from experiment_model import ExperimentModel
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.episode import Episode
from ns3_scenarios.errors import DatasetError, UserError
from ns3_scenarios.storage import MANIFEST

ROOT = Path(__file__).resolve().parents[2]
BUDGET = 4


KINDS = ("edge", "network")


@pytest.fixture(scope="module")
def hasty():
    """Settings of a fit that is no good and takes a second or two."""
    boosting = dict.fromkeys(KINDS, BoostingSettings(n_rounds=4, max_depth=3))
    return Settings(boosting=boosting, threads=1, max_rows=3000)


@pytest.fixture(scope="module")
def model(dataset, hasty, tmp_path_factory):
    """A model of some kinds of element."""
    path = tmp_path_factory.mktemp("model") / "hasty"
    samples = samples_of_datasets([dataset.path])
    samples = {kind: samples[kind] for kind in KINDS}
    judged_and_written(fit(samples, hasty), path, samples, [dataset.path], on_step=lambda _: None)
    return path


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Episodes in which agents turned down the power of a cell."""
    folder = tmp_path_factory.mktemp("played")
    for seed in range(1, 5):
        changes = [{"interval": 2, "path": "cells.c0.tx_power_dbm", "value": 30 + seed}]
        Episode(scenario="quickstart", seed=seed, n_intervals=6, changes=changes).save(
            folder / f"{seed}.json"
        )
    return folder


@pytest.fixture(scope="module")
def refitted(model, dataset, hasty, played, tmp_path_factory):
    out = tmp_path_factory.mktemp("refitted") / "better"
    steps = []
    done = refit(
        model,
        [dataset.path],
        out,
        budget=BUDGET,
        episodes=[played],
        rounds=2,
        settings=hasty,
        on_step=steps.append,
    )
    return out, done.report, steps


def traces_of(out):
    return out.with_name(f"{out.name}-traces")


def test_budget_is_spent_on_new_configurations_with_training_seeds(refitted, dataset):
    out, report, _ = refitted
    chosen = Dataset.open(traces_of(out) / "dataset-for-better")
    assert len(chosen) == report.simulated == BUDGET
    assert not set(chosen.manifest.configs) & set(dataset.manifest.configs)
    assert all(1 <= run.seed <= 50 for run in chosen.manifest.runs)
    assert {split_of(*run.id) for run in chosen.manifest.runs} == {"fit"}
    assert set(chosen.manifest.configs) < set(ExperimentModel.load(out).card.data.configs)


def test_report_has_the_error_of_every_round(refitted):
    _, report, _ = refitted
    runs = [one.training_runs for one in report.rounds]
    assert len(runs) == 3
    assert runs[2] - runs[1] == BUDGET // 2
    assert all(0 < one.error < 2 for one in report.rounds)
    assert set(report.rounds[2].errors) == set(KINDS)


def test_episodes_are_replayed_and_some_are_held_out(refitted):
    out, report, _ = refitted
    replayed = Dataset.open(traces_of(out) / "episodes-quickstart-for-better")
    assert len(replayed) == 4
    assert report.episodes.held_out == 1
    assert set(report.episodes.before) == set(report.episodes.after)
    fitted_on = set(ExperimentModel.load(out).card.data.configs)
    assert len(fitted_on & set(replayed.manifest.configs)) == 3


def test_card_lists_what_the_next_refit_needs(refitted, dataset):
    out, _, _ = refitted
    made = [path.parent for path in traces_of(out).glob(f"*/{MANIFEST}")]
    model = ExperimentModel.load(out)
    assert set(check_datasets(model, [dataset.path, *made])) == set(model.card.data.datasets)
    with pytest.raises(DatasetError, match="dataset 'dataset-for-better', on which the model was"):
        check_datasets(model, [dataset.path])


def test_same_call_goes_on_from_where_it_was_killed(refitted, model, dataset, hasty, played):
    out, report, _ = refitted
    folder = traces_of(out) / "dataset-for-better"
    kept = {p: p.read_bytes() for p in folder.glob("runs/*/*/*")}
    lost = next(iter(kept))
    shutil.rmtree(lost.parents[1])
    state = json.loads((traces_of(out) / "refit.json").read_text())
    state["rounds"][1]["errors"] = None
    (traces_of(out) / "refit.json").write_text(json.dumps(state))
    simulated = []
    again = refit(
        model,
        [dataset.path],
        out,
        budget=BUDGET,
        episodes=[played],
        rounds=2,
        settings=hasty,
        on_runs=lambda done, total: simulated.append((done, total)),
    )
    assert again.report == report
    assert lost.read_bytes() == kept[lost]
    assert simulated[-1] == (BUDGET + 4, BUDGET + 4)


def test_changed_or_missing_datasets_are_one_clear_error(model, dataset, tmp_path):
    loaded = ExperimentModel.load(model)
    with pytest.raises(DatasetError, match="dataset 'dataset', on which the model was fitted, is"):
        check_datasets(loaded, [])
    changed = tmp_path / "dataset"
    changed.mkdir()
    text = (dataset.path / MANIFEST).read_text()
    (changed / MANIFEST).write_text(text + "\n")
    with pytest.raises(DatasetError, match="is not what the model was fitted on"):
        check_datasets(loaded, [changed])


def test_datasets_are_known_by_the_names_that_they_are_given(model, dataset, tmp_path, monkeypatch):
    loaded = ExperimentModel.load(model)
    link = tmp_path / "link"
    link.symlink_to(dataset.path)
    with pytest.raises(DatasetError, match="dataset 'dataset', on which the model was fitted, is"):
        check_datasets(loaded, [link])
    monkeypatch.chdir(dataset.path)
    assert set(check_datasets(loaded, ["."])) == {"dataset"}


def test_episodes_with_test_seeds_are_refused(model, dataset, tmp_path):
    Episode(scenario="quickstart", seed=60, n_intervals=3).save(tmp_path / "e.json")
    with pytest.raises(DatasetError, match=r"seed=60, which is kept for tests \(51-80\)"):
        refit(model, [dataset.path], tmp_path / "new", episodes=[tmp_path])


def test_nothing_to_add_is_one_clear_error(model, dataset, tmp_path):
    with pytest.raises(UserError, match="nothing to fit anew with"):
        refit(model, [dataset.path], tmp_path / "new")


def test_model_is_not_replaced_by_its_refit(model, dataset):
    with pytest.raises(UserError, match="is the model that is fitted anew"):
        refit(model, [dataset.path], model, budget=2)


def test_mistake_on_the_command_line_is_one_sentence(model, tmp_path):
    command = [sys.executable, str(ROOT / "sixg.py"), "refit", model, tmp_path, "--out", "new"]
    ended = subprocess.run([*command, "--budget", "2"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "is not a dataset" in ended.stderr
    assert "Traceback" not in ended.stderr
