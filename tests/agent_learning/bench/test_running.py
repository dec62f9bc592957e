# SPDX-License-Identifier: Apache-2.0
"""Runs: every trial once, the same every time, and going on after whatever ended them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from agent_learning.bench.rescoring import replay
from agent_learning.bench.running import run
from agent_learning.bench.saving import RunFolder
from agent_learning.bench.task import BenchTask
from agent_learning.bench.trial import TrialRecord, counts_of, outcome_of
from agent_learning.errors import AgentInfrastructureError, BenchUserError
from env.agents import Agent, Call, Hold
from env.environment import Answer
from env.errors import BackendError
from env.view import View
from ns3_scenarios.errors import UserError

Calls = list[tuple[str, dict[str, Any]]]
MakeTask = Callable[..., BenchTask]
Play = Callable[..., TrialRecord]
Lines = Callable[[RunFolder], list[bytes]]


def without_wall_time(lines: list[bytes]) -> list[str]:
    found = [json.loads(line) for line in lines]
    return [json.dumps({k: v for k, v in one.items() if k != "wall_s"}) for one in found]


class Limited:
    """Its endpoint takes no more requests after the first."""

    name = "limited"

    def start(self, intent: str, view: View, seed: int) -> None:
        self._asked = 0

    def act(self, view: View, last: Answer | None) -> Call | None:
        self._asked += 1
        if self._asked > 1:
            raise AgentInfrastructureError("429 Too Many Requests")
        return "list_alarms", {}


def make_limited(name: str, task: BenchTask) -> dict[str, Agent]:
    """Out of order at tasks at the edge."""
    return {name: Limited() if task.domain == "edge" else Hold()}


def make_held(name: str, task: BenchTask) -> dict[str, Agent]:
    return {name: Hold()}


def test_every_trial_is_there_once_and_in_order(ran: RunFolder, packaged: list[BenchTask]) -> None:
    expected = [(task.id, trial) for task in packaged for trial in (1, 2)]
    assert [trial.key for trial in ran.trials()] == expected
    summary = pq.read_table(ran.path / "summary.parquet").to_pylist()
    assert [(row["task_id"], row["trial"]) for row in summary] == expected
    for row, trial in zip(summary, ran.trials(), strict=True):
        assert row["status"] == trial.status
        assert row["changes"] == trial.counts.changes
        assert row["spl"] == trial.spl
    assert ran.tasks() == packaged


def test_same_agent_and_seed_make_the_same_bytes(
    ran: RunFolder, packaged: list[BenchTask], lines_of: Lines, tmp_path: Path
) -> None:
    """Whatever the processes and the order in which trials end."""
    again = run("random", packaged, tmp_path, trials=2)
    assert without_wall_time(lines_of(again)) == without_wall_time(lines_of(ran))
    assert (again.path / "tasks.jsonl").read_bytes() == (ran.path / "tasks.jsonl").read_bytes()
    trials = again.trials()
    assert trials[0].agent_seed != trials[1].agent_seed


@pytest.mark.parametrize("cut", [0, 1, 300])
def test_killed_run_goes_on(
    ran: RunFolder, packaged: list[BenchTask], lines_of: Lines, tmp_path: Path, cut: int
) -> None:
    """A kill leaves whole lines in any order, and maybe half a line."""
    whole = lines_of(ran)
    for name in ("run.json", "tasks.jsonl"):
        (tmp_path / name).write_bytes((ran.path / name).read_bytes())
    left = b"".join([whole[5], whole[0], whole[3], whole[6][:cut]])
    (tmp_path / "trials.jsonl").write_bytes(left)
    told: list[tuple[int, int]] = []
    again = run("random", packaged, tmp_path, trials=2, on_trials=lambda *n: told.append(n))
    assert told == [(n, 8) for n in range(3, 9)]
    now = lines_of(again)
    assert without_wall_time(now) == without_wall_time(whole)
    assert [now[n] for n in (0, 3, 5)] == [whole[n] for n in (0, 3, 5)]
    untouched = (again.path / "trials.jsonl").read_bytes()
    run("random", packaged, tmp_path, trials=2)
    assert (again.path / "trials.jsonl").read_bytes() == untouched


def test_more_trials_join_those_that_are_there(packaged: list[BenchTask], tmp_path: Path) -> None:
    first = run("hold", packaged[:1], tmp_path, make=make_held)
    wall = [trial.wall_s for trial in first.trials()]
    more = run("hold", packaged[:2], tmp_path, trials=2, make=make_held)
    assert [t.trial for t in more.trials()] == [1, 2, 1, 2]
    assert more.trials()[0].wall_s == wall[0]


def test_infrastructure_counts_apart_and_is_tried_again(
    packaged: list[BenchTask], tmp_path: Path
) -> None:
    first = run("limited", packaged, tmp_path, make=make_limited)
    assert [t.status for t in first.trials()].count("infrastructure") == 1
    failed = first.trials()[1]
    assert failed.reason == "429 Too Many Requests"
    assert failed.counts.steps == 1
    again = run("limited", packaged, tmp_path, make=make_held)
    assert [t.status for t in again.trials()] == ["failure"] * 4


def test_failing_network_is_no_failure_of_the_agent(make_task: MakeTask, play: Play) -> None:
    class Unlucky:
        name = "unlucky"

        def start(self, intent: str, view: View, seed: int) -> None:
            pass

        def act(self, view: View, last: Answer | None) -> Call | None:
            raise BackendError("the simulation was killed")

    record = play(make_task(), Unlucky())
    assert (record.status, record.reason) == ("infrastructure", "the simulation was killed")


def test_scores_follow_from_the_trajectory(ran: RunFolder) -> None:
    """From the verdicts that were stored, and from a replay of the calls."""
    tasks = {task.id: task for task in ran.tasks()}
    for record in ran.records():
        assert outcome_of(tasks[record.task_id].task, record.calls) == record.status
        assert counts_of(record.start_sla, record.calls) == record.counts
        assert record.calls[-1].interval == record.start.interval + sum(
            len(call.moments) for call in record.calls
        )
    assert replay(ran) == []


def edit(path: Path, **fields: Any) -> None:
    first, *others = path.read_text().splitlines(keepends=True)
    path.write_text("".join([json.dumps({**json.loads(first), **fields}) + "\n", *others]))


def test_record_that_contradicts_itself_is_refused(
    packaged: list[BenchTask], tmp_path: Path
) -> None:
    saved = run("hold", packaged[:2], tmp_path, make=make_held)
    file = tmp_path / "trials.jsonl"
    original = file.read_text()
    edit(file, status="success")
    with pytest.raises(BenchUserError, match="line 1: status='success', but by its verdicts"):
        saved.trials()
    file.write_text(original)
    edit(file, counts={**saved.trials()[0].counts.model_dump(), "steps": 9})
    with pytest.raises(BenchUserError, match="line 1: counts are not those"):
        saved.trials()
    file.write_text(original)
    edit(file, task_hash="0" * 64)
    with pytest.raises(BenchUserError, match=r"line 1: task_id=.* is no task of"):
        saved.trials()
    file.write_text("{\n" + original)
    with pytest.raises(BenchUserError, match="line 1"):
        saved.trials()


def test_other_run_in_the_same_folder_is_refused(
    ran: RunFolder, packaged: list[BenchTask], lines_of: Lines
) -> None:
    before = lines_of(ran)
    with pytest.raises(BenchUserError, match="has trials with agent='random', not 'rules'"):
        run("rules", packaged, ran.path)
    changed = packaged[0].model_copy(update={"tier": "L3"})
    with pytest.raises(BenchUserError, match="another task of the name"):
        run("random", [changed], ran.path)
    with FileLock(ran.path / ".lock"), pytest.raises(BenchUserError, match="another process"):
        run("random", packaged, ran.path)
    assert lines_of(ran) == before


def test_mistakes_are_refused_before_anything_is_written(
    packaged: list[BenchTask], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(BenchUserError, match="trials=0"):
        run("random", packaged, out, trials=0)
    with pytest.raises(BenchUserError, match="there is none"):
        run("random", [], out)
    with pytest.raises(BenchUserError, match="two have one id"):
        run("random", [packaged[0], packaged[0]], out)
    with pytest.raises(UserError, match="'nobody' is not allowed"):
        run("nobody", packaged, out)
    with pytest.raises(UserError, match="'simulator' is not allowed"):
        run("random", packaged, out, backend="simulator")  # type: ignore[arg-type]
    assert not out.exists()
    with pytest.raises(BenchUserError, match="is no run of a benchmark"):
        RunFolder(tmp_path).header()


def test_what_json_has_not_is_an_invalid_call(make_task: MakeTask, play: Play) -> None:
    for arguments in ({"cell": {1, 2}}, {"cell": "c0", "tx_power_dbm": float("nan")}, "c0", [1]):
        record = play(make_task(), [("set_cell_tx_power", arguments)])  # type: ignore[list-item]
        assert record.counts.invalid_calls == 1
        assert TrialRecord.model_validate_json(record.model_dump_json()) == record
