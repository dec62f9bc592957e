# SPDX-License-Identifier: Apache-2.0
"""The leaderboard, and `sixg bench` as a user meets it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent_learning.bench import cli
from agent_learning.bench.report import page, report_of
from agent_learning.bench.running import run, spread
from agent_learning.bench.saving import RunFolder
from agent_learning.bench.task import BenchTask
from agent_learning.errors import BenchUserError

COMMAND = [sys.executable, str(Path(__file__).resolve().parents[3] / "sixg.py"), "bench"]
MakeTask = Callable[..., BenchTask]


def bench(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "COLUMNS": "250"},
    )
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended


@pytest.fixture(scope="session")
def boards(
    ran: RunFolder, packaged: list[BenchTask], tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """Runs of three agents on the surrogate, and of one on live NS-3."""
    folder = tmp_path_factory.mktemp("boards")
    for agent in ("reference", "hold"):
        run(agent, packaged, folder / agent)
    run("reference", packaged[:2], folder / "live", backend="ns3")
    return [ran.path, *(folder / name for name in ("hold", "reference", "live"))]


def test_report_ranks_compares_and_verifies(boards: list[Path]) -> None:
    report = report_of(boards)
    assert report.runs[-1].backend == "ns3"
    assert report.runs[0].agent == "reference"
    rates = {r.agent: r.overall.sr.value for r in report.runs[:3]}
    assert list(rates.values()) == sorted(rates.values(), reverse=True)
    assert rates["hold"] == 0
    (verified,) = report.verified
    assert (verified.agent, verified.tasks) == ("reference", 2)
    assert verified.verified_sr.value == report.runs[-1].overall.sr.value
    assert len(report.comparisons) == 3
    assert all(c.other != "reference" for c in report.comparisons)
    assert {len(r.overall.pass_k) for r in report.runs if r.agent == "random"} == {2}
    assert report_of(boards) == report


class Sources(HTMLParser):
    """Whatever a page would fetch, and its pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.pictures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href") and value and not value.startswith(("data:", "#")):
                self.fetched.append(value)
        self.pictures += tag == "img"


def test_page_is_whole_and_fetches_nothing(boards: list[Path]) -> None:
    report = report_of(boards)
    html = page(report)
    found = Sources()
    found.feed(html)
    assert found.fetched == []
    assert "url(" not in html
    assert found.pictures == 2
    for each in report.runs:
        assert f"<td>{each.agent}</td><td>{each.backend}</td>" in html
    assert page(report) == html


def test_agents_on_the_page_are_text(packaged: list[BenchTask], tmp_path: Path) -> None:
    script = tmp_path / "<b>.json"
    script.write_text("[]")
    run(f"script:{script}", packaged[:1], tmp_path / "run")
    html = page(report_of([tmp_path / "run"]))
    assert "<b>.json" not in html
    assert "&lt;b&gt;.json" in html


def test_runs_that_cannot_be_compared_are_refused(boards: list[Path], tmp_path: Path) -> None:
    with pytest.raises(BenchUserError, match="is a second run of agent 'hold' on surrogate"):
        report_of([boards[1], boards[1]])
    with pytest.raises(BenchUserError, match="is no run of a benchmark"):
        report_of([tmp_path])


def test_some_tasks_are_of_all_templates(make_task: MakeTask) -> None:
    tasks = [make_task(seed, template=t) for t in ("a", "b", "c") for seed in (51, 52, 53)]
    chosen = [(task.template, task.seed) for task in spread(tasks, 5)]
    assert chosen == [("a", 51), ("b", 51), ("c", 51), ("a", 52), ("b", 52)]
    assert sorted(t.id for t in spread(tasks, 100)) == sorted(t.id for t in tasks)


def test_killed_command_goes_on_and_reports(ran: RunFolder, tmp_path: Path) -> None:
    tasks, out = ran.path / "tasks.jsonl", tmp_path / "out"
    arguments = ("run", "-a", "rules", "-s", tasks, "-k", 6, "--out", out, "-j", 1)
    first = subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stderr=subprocess.PIPE, start_new_session=True
    )
    until = time.monotonic() + 120
    file = out / "trials.jsonl"
    while not (file.exists() and file.stat().st_size) and time.monotonic() < until:
        time.sleep(0.005)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    before = file.read_bytes().splitlines(keepends=True)
    whole = [line for line in before if line.endswith(b"\n")]
    assert 1 <= len(whole) < 24
    told = bench(*arguments)
    assert re.search(r"\d+ of 24 trials succeeded, 0 failed", told.stdout)
    after = file.read_bytes().splitlines(keepends=True)
    assert len(after) == len(set(after)) == 24
    assert set(whole) <= set(after)
    assert {t.key for t in RunFolder(out).trials()} == {
        (task.id, trial) for task in ran.tasks() for trial in range(1, 7)
    }


def test_command_reports(boards: list[Path], tmp_path: Path) -> None:
    html, runs = tmp_path / "board.html", [str(path) for path in boards[:2]]
    shown = CliRunner().invoke(cli.app, ["report", *runs, "--html", str(html)])
    assert shown.exit_code == 0
    assert "against" in shown.stdout
    assert html.read_text().startswith("<!DOCTYPE html>")
    told = CliRunner().invoke(cli.app, ["report", *runs, "--json"])
    assert {r["agent"] for r in json.loads(told.stdout)["runs"]} == {"random", "hold"}


def test_command_replays(ran: RunFolder, tmp_path: Path) -> None:
    """A record that agrees with itself, but not with the network."""
    shutil.copytree(ran.path, tmp_path / "run")
    arguments = ["report", str(tmp_path / "run"), "--replay", "-j", "1"]
    assert CliRunner().invoke(cli.app, arguments).exit_code == 0
    file = tmp_path / "run" / "trials.jsonl"
    first, *others = file.read_text().splitlines(keepends=True)
    forged = json.loads(first)
    forged["start"]["goal"][0]["value"] = 12.5
    file.write_text("".join([json.dumps(forged) + "\n", *others]))
    ended = CliRunner().invoke(cli.app, arguments)
    assert ended.exit_code == 1
    assert forged["task_id"] in ended.stderr


def test_mistake_is_one_sentence(tmp_path: Path) -> None:
    ended = bench("run", "-a", "rules", "-s", "nowhere", "--out", tmp_path / "out", status=2)
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "nowhere" in ended.stderr
