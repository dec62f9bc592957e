# SPDX-License-Identifier: Apache-2.0
"""Plays saved trajectories once more, and says which come out otherwise: `replay`.

That a record agrees with itself is checked whenever it is read. Only a replay shows that the
network really was as the record says.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from agent_learning.bench.playing import Setup, play_trial
from agent_learning.bench.running import code_version
from agent_learning.bench.saving import RunFolder
from agent_learning.bench.task import BenchTask
from agent_learning.bench.teams import in_turn
from agent_learning.bench.trial import TrialRecord
from agent_learning.errors import BenchUserError
from env.agents import Agent
from env.fidelity.playing import model_hash
from experiment_model import DEFAULT_MODEL
from ns3_scenarios.processes import unordered


class Difference(NamedTuple):
    """A trial that came out otherwise."""

    task_id: str
    trial: int
    was: str
    now: str


def replay(
    run: RunFolder,
    *,
    model: str | Path | None = None,
    jobs: int = 1,
    on_trials: Callable[[int, int], None] | None = None,
) -> list[Difference]:
    """Make the calls of every trial again on its backend, without the agent.

    Trials that the infrastructure failed are left out. None other differs, unless the model or the
    code is another one, or something but the calls moved the network.

    Args:
        run: whose trials they are.
        model: folder of the surrogate's model; that of the package by default.
        jobs: trials at the same time.
        on_trials: told how many trials are done, of how many.

    Raises:
        BenchUserError: the run cannot be read, or was made with another model.
        WorkerError: processes are killed again and again.
    """
    header, folder = run.header(), Path(model) if model else None
    if header.model_sha256 not in ("", known := model_hash(folder or DEFAULT_MODEL)):
        raise BenchUserError(
            f"{run.path} was made with the model {header.model_sha256[:12]}, not {known[:12]}; "
            "replay it with the model that it was made with"
        )
    tasks = {task.id: task for task in run.tasks()}
    records = {r.key: r for r in run.records() if r.status != "infrastructure"}
    calls = {key: (record, tasks[record.task_id], folder) for key, record in records.items()}
    found = []
    for n, (key, now) in enumerate(
        unordered(play_again, calls, jobs, whose="that replay", again="its trial is replayed anew"),
        1,
    ):
        was = records[key]
        if (now.status, now.start, now.calls) != (was.status, was.start, was.calls):
            found.append(Difference(*key, _said(was), _said(now)))
        if on_trials:
            on_trials(n, len(calls))
    return sorted(found)


def play_again(record: TrialRecord, task: BenchTask, model: Path | None = None) -> TrialRecord:
    """Make the calls of a trial again on its backend.

    Args:
        record: of the trial.
        task: that it tried.
        model: folder of the surrogate's model; that of the package by default.
    """

    def recorded(name: str, task: BenchTask) -> dict[str, Agent]:
        roles = [role.name for role in task.agents] or [name]
        return in_turn(roles, [(call.agent, (call.tool, call.arguments)) for call in record.calls])

    setup = Setup(
        record.calls[0].agent if record.calls and not task.agents else record.agent,
        record.backend,
        model,
        record.model_sha256,
        code_version(),
        recorded,
    )
    return play_trial(task, record.trial, setup)


def _said(record: TrialRecord) -> str:
    return f"{record.status} after {record.counts.steps} calls: {record.reason}"
