# SPDX-License-Identifier: Apache-2.0
"""What Inspect AI reads back is what was run."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_learning.bench.inspect_log import write_log
from agent_learning.bench.running import run
from agent_learning.bench.saving import RunFolder
from agent_learning.bench.task import BenchTask
from agent_learning.errors import AgentInfrastructureError, BenchUserError
from env.agents import Agent

log = pytest.importorskip("inspect_ai.log")


def make_unreachable(name: str, task: BenchTask) -> dict[str, Agent]:
    class Unreachable:
        def __init__(self) -> None:
            self.name = name

        def start(self, intent: str, view: object, seed: int) -> None:
            raise AgentInfrastructureError("the endpoint does not answer")

        def act(self, view: object, last: object) -> None:
            return None

    return {name: Unreachable()}


def test_log_has_every_trial_and_call(ran: RunFolder, tmp_path: Path) -> None:
    file = write_log(ran.path, tmp_path / "logs")
    assert [
        Path(info.name.removeprefix("file://")) for info in log.list_eval_logs(str(tmp_path))
    ] == [file]
    read = log.read_eval_log(str(file))
    records = list(ran.records())
    intents = {task.id: task.task.intent for task in ran.tasks()}
    assert read.status == "success"
    assert len(read.samples) == len(records)
    solved = sum(record.succeeded for record in records) / len(records)
    assert read.results.scores[0].metrics["sr_all"].value == pytest.approx(solved)
    samples = {(sample.id, sample.epoch): sample for sample in read.samples}
    for record in records:
        sample = samples[record.key]
        assert sample.input == intents[record.task_id]
        assert sample.scores["network"].value == ("C" if record.succeeded else "I")
        assert sample.scores["network"].explanation == record.reason
        calls = [m.tool_calls[0] for m in sample.messages if m.role == "assistant"]
        assert [(c.function, c.arguments) for c in calls] == [
            (c.tool, c.arguments) for c in record.calls
        ]
        answers = [m for m in sample.messages if m.role == "tool"]
        assert [m.error is None for m in answers] == [c.ok for c in record.calls]


def test_infrastructure_is_an_error_without_a_score(
    packaged: list[BenchTask], tmp_path: Path
) -> None:
    saved = run("unreachable", packaged[:1], tmp_path / "run", make=make_unreachable)
    (sample,) = log.read_eval_log(str(write_log(saved.path, tmp_path))).samples
    assert sample.scores is None
    assert sample.error.message == "the endpoint does not answer"


def test_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchUserError, match="is no run of a benchmark"):
        write_log(tmp_path, tmp_path)
