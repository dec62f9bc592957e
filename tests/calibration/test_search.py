# SPDX-License-Identifier: Apache-2.0
"""A search for hyper-parameters goes on where it was ended, and finds what it would have found."""

import pickle
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

import sixg
from calibration.boosting import BoostingSettings
from calibration.fitting import KindFit, Settings, fit
from calibration.samples import read_runs, samples_of
from calibration.search import SPACE, search
from ns3_scenarios.errors import UserError

QUICK = Settings(
    boosting={"edge": BoostingSettings(n_rounds=20, max_depth=3)}, threads=1, max_rows=1500
)
KILLED_IN_THE_SECOND_TRIAL = """
import os, pickle, signal, sys
from pathlib import Path
from calibration.fitting import KindFit
from calibration.search import search

samples, settings = pickle.loads(Path(sys.argv[1]).read_bytes())
whole, seen = KindFit.error, []

def error(self, boosting):
    seen.append(boosting)
    if len(seen) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, boosting)

KindFit.error = error
search(samples, settings, 3, Path(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def samples(dataset):
    return samples_of(read_runs(dataset), ("edge",))


def test_killed_search_goes_on_and_finds_the_same(samples, tmp_path, monkeypatch):
    whole = search(samples, QUICK, 3, tmp_path / "whole.log")
    given = tmp_path / "given.pickle"
    given.write_bytes(pickle.dumps((samples, QUICK)))
    log = tmp_path / "killed.log"
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_IN_THE_SECOND_TRIAL, str(given), str(log)], check=False
    )
    assert ended.returncode == -signal.SIGKILL
    with log.open("ab") as file:
        file.write(b'{"op_code": 4, "wor')
    said = []
    assert search(samples, QUICK, 3, log, said.append) == whole
    assert [text.partition(",")[0] for text in said] == ["edge: trial 2 of 3", "edge: trial 3 of 3"]
    monkeypatch.setattr(KindFit, "error", None)
    assert search(samples, QUICK, 3, log) == whole


def test_settings_that_are_found_are_no_worse_and_are_said(samples, tmp_path):
    found = search(samples, QUICK, 3, tmp_path / "log")
    work = KindFit("edge", samples["edge"], QUICK, lambda _: None)
    best, start = found.boosting["edge"], QUICK.boosting["edge"]
    assert work.error(best) <= work.error(start)
    card = fit(samples, found).spec.card
    for name, (low, high, _) in SPACE.items():
        assert min(low, getattr(start, name)) <= card.settings["edge"][name] <= high


def test_log_of_something_else_is_refused(samples, tmp_path):
    log = tmp_path / "log"
    search(samples, QUICK, 1, log)
    with pytest.raises(UserError, match="is of a search on other traces or with other settings"):
        search(samples, replace(QUICK, seed=1), 1, log)
    for text in ("notes\nof mine\n", "notes", "{}\n"):
        log.write_text(text)
        with pytest.raises(UserError, match=r"log is no log of a search; move it away"):
            search(samples, QUICK, 1, log)
        assert log.read_text() == text


def test_command_line_searches_beside_the_model(dataset, tmp_path, monkeypatch):
    asked = []

    def ended(samples, settings, trials, log, on_step):
        asked.append((trials, log))
        raise UserError("that is enough")

    monkeypatch.setattr("calibration.calibrating.samples_of_datasets", lambda *_, **__: {})
    monkeypatch.setattr("calibration.search.search", ended)
    arguments = ["calibrate", str(dataset.path), "--out", str(tmp_path / "m"), "--trials", "5"]
    monkeypatch.setattr(sys, "argv", ["sixg", *arguments])
    with pytest.raises(SystemExit):
        sixg.main()
    assert asked == [(5, tmp_path / "m.search.log")]


def test_without_optuna_there_is_one_sentence(samples, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match="needs Optuna: pip install optuna"):
        search(samples, QUICK, 1, tmp_path / "log")
