# SPDX-License-Identifier: Apache-2.0
"""`sixg fidelity` as a user meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, str(Path(__file__).resolve().parents[3] / "sixg.py"), "fidelity"]
ENVIRONMENT = {**os.environ, "COLUMNS": "200"}


def fidelity(*arguments: object, status: int) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=ENVIRONMENT,
    )
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended


def test_stopped_run_goes_on_and_reports(tmp_path: Path) -> None:
    """Stopped after its first episodes; the same command then plays what is left."""
    out, page = tmp_path / "out", tmp_path / "page.html"
    arguments = ("-s", "quickstart", "-p", "random", "-n", 2, "--intervals", 5, "--out", out)
    first = subprocess.Popen(
        [*COMMAND, *map(str, arguments), "-j", "2"],
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    until = time.monotonic() + 120
    while not list(out.glob("quickstart-*")) and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("quickstart-*/episode.jsonl")}
    assert 1 <= len(kept) <= 6
    # Two episodes are too few for any gate but that all could be played.
    told = json.loads(fidelity(*arguments, "--json", "--html", page, status=1).stdout)
    assert told["verdict"] == "unjudged"
    assert "gap" in told["unjudged"]
    assert (told["episodes"], told["failures"], told["seeds"]) == (2, [], [51, 52])
    assert {kpi["element"] for kpi in told["kpis"]} == {"embb", "urllc", "mmtc", "cells"}
    assert all(len(kpi["error_by_step"]) == 5 for kpi in told["kpis"])
    assert "NOT JUDGED" in page.read_text()
    now = {path: path.stat().st_mtime_ns for path in out.glob("quickstart-*/episode.jsonl")}
    assert len(now) == 6
    assert kept.items() <= now.items()
    shown = fidelity(*arguments, status=1).stdout
    assert "throughput_mbps" in shown
    assert "not judged: gap: no episode of a task was played" in shown
    assert "unjudged: 1 gates hold, 0 fail" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no --scenario or --task is given"),
        (("-s", "nowhere"), "nowhere"),
        (("-s", "quickstart", "-p", "x"), "agent='x' is not allowed"),
        (("-s", "quickstart", "--out", __file__), "cannot write episodes"),
    ],
)
def test_mistakes_get_one_sentence(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = fidelity(*arguments, status=2)
    assert said in ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
