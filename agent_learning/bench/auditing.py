# SPDX-License-Identifier: Apache-2.0
"""Whether tasks are worth a place in the benchmark: `audit`.

Of each task: its goal does not hold at the start, waiting does not reach it, its reference does,
and an agent that makes random changes hardly ever does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
from pydantic import ValidationError

from agent_learning.bench.saving import whole_lines
from agent_learning.bench.searching import attempt_calls
from agent_learning.bench.task import BenchTask, Domain, Split, Tier
from agent_learning.errors import BenchUserError
from env.backends.base import Backend, BackendName
from env.backends.making import make_backend
from env.environment import Answer
from env.errors import BackendError
from env.goals import judge, met
from env.tasks import Attempt, Task
from env.tools import TOOLS
from env.view import View
from experiment_model import DEFAULT_MODEL
from ns3_scenarios.processes import unordered
from ns3_scenarios.scenario import Identifier, Model

RECORDS = "audit.jsonl"
WAITING_FACTOR = 2
"""How much longer is waited than the changes of the reference take."""
MOST_RANDOM = 0.5
"""Share of random episodes above which a task is too easy."""


class Audited(Model):
    """What was found of one task on one backend."""

    task_id: str
    template: Identifier
    domain: Domain
    tier: Tier
    split: Split
    backend: BackendName
    model_sha256: str
    """Of the surrogate; empty where there is none."""
    starts_solved: bool = False
    waiting_solves: bool = False
    reference_solves: bool = False
    random_solved: int = 0
    """Random episodes that reached the goal."""
    random_episodes: int = 0
    seconds: float = 0
    """That the audit took."""
    error: str = ""
    """Of the backend, where it failed."""

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the task is out; nothing where it is sound."""
        found = {
            "holds at the start": self.starts_solved,
            "waiting solves it": self.waiting_solves,
            "reference fails": not self.reference_solves,
            "random agent solves it": self.random_solved > MOST_RANDOM * self.random_episodes,
            self.error: bool(self.error),
        }
        return tuple(fault for fault, is_so in found.items() if is_so)


class RandomChanges:
    """Makes random changes with the tools and elements in scope, the values spread evenly."""

    name = "random_changes"

    def __init__(self, task: Task) -> None:
        try:
            from env.gym.actions import ToolActions
        except ImportError:
            raise BenchUserError(
                "an audit needs the extra 'gym': pip install 'sixg-agent-gym[gym]'"
            ) from None
        self._actions = ToolActions(task.network, task.scope)

    def start(self, intent: str, view: View, seed: int) -> None:
        """Seed the draws."""
        self._rng = np.random.default_rng(seed)

    def act(self, view: View, last: Answer | None) -> tuple[str, dict[str, object]] | None:
        """A random call that configures."""
        sizes = list(self._actions.dimensions.values())
        action = self._rng.integers(sizes)
        action[0] = 1 + self._rng.integers(sizes[0] - 1)
        return self._actions.call(action, view)


def audit(
    tasks: Sequence[BenchTask],
    backend: BackendName,
    out: Path,
    *,
    random_episodes: int = 1,
    jobs: int = 1,
    on_done: Callable[[int, int], None] | None = None,
) -> list[Audited]:
    """Audit tasks; what was found in an earlier call is kept.

    Args:
        tasks: to be audited.
        backend: surrogate or ns3.
        out: folder of the records, one line of JSON each.
        random_episodes: of the random agent at each task.
        jobs: processes.
        on_done: told of how many of how many tasks are done.

    Returns:
        A finding for each task, in their order.

    Raises:
        BenchUserError: records cannot be read or written.
        WorkerError: processes are killed again and again.
    """
    model = _model_hash(backend)
    wanted = {task.id: task for task in tasks}
    found = {
        one.task_id: one
        for one in read_audit(out)
        if one.task_id in wanted
        and (one.backend, one.model_sha256) == (backend, model)
        and one.random_episodes >= random_episodes
        and not one.error
    }
    calls = {
        id_: (task, backend, random_episodes) for id_, task in wanted.items() if id_ not in found
    }
    if on_done:
        on_done(len(found), len(wanted))
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (out / RECORDS).open("a+", encoding="utf-8") as file:
            _end_after_last_line(file)
            again = "its task is audited once more"
            for id_, one in unordered(audit_task, calls, jobs, whose="of the audit", again=again):
                found[id_] = one
                file.write(one.model_dump_json() + "\n")
                file.flush()
                if on_done:
                    on_done(len(found), len(wanted))
    except OSError as error:
        raise BenchUserError(f"cannot write to {out}: {error.strerror}") from None
    return [found[id_] for id_ in wanted]


def _end_after_last_line(file: IO[str]) -> None:
    """Drop a line that an interruption has cut off."""
    file.seek(0)
    content = file.read().encode()
    file.truncate(content.rfind(b"\n") + 1)


def read_audit(out: Path) -> list[Audited]:
    """Findings of earlier audits: the latest of each task, backend and model.

    A last line that was cut off does not count.

    Raises:
        BenchUserError: a line is no finding.
    """
    file = out / RECORDS if out.is_dir() else out
    found: dict[tuple[str, str, str], Audited] = {}
    for where, line in whole_lines(file):
        try:
            one = Audited.model_validate_json(line)
        except ValidationError:
            raise BenchUserError(f"{where}: this is no finding of an audit") from None
        found[one.task_id, one.backend, one.model_sha256] = one
    return list(found.values())


def audit_task(task: BenchTask, backend: BackendName, random_episodes: int = 1) -> Audited:
    """Audit one task; a backend that fails is part of the finding."""
    began = time.monotonic()
    found = Audited(
        task_id=task.id,
        template=task.template,
        domain=task.domain,
        tier=task.tier,
        split=task.split,
        backend=backend,
        model_sha256=_model_hash(backend),
        random_episodes=random_episodes,
    )

    def make() -> Backend:
        return make_backend(backend, task.task.network, task.seed)

    try:
        starts, waits = idle(task.task, make)
        fields: dict[str, object] = {
            "starts_solved": starts,
            "waiting_solves": waits,
            "reference_solves": attempt_calls(task.task, make, task.task.reference).succeeded,
            "random_solved": sum(_random(task, make, n) for n in range(random_episodes)),
        }
    except BackendError as error:
        fields = {"error": str(error)}
    return found.model_copy(update={**fields, "seconds": round(time.monotonic() - began, 2)})


def idle(task: Task, make: Callable[[], Backend]) -> tuple[bool, bool]:
    """Whether the goal holds at the start, and whether it is reached without any change.

    Raises:
        BackendError: the network fails.
    """
    attempt = Attempt(task, make())
    with attempt.environment as environment:
        backend = environment.backend
        starts = met(judge(task.goal, backend.history, backend.controls)) is True
        changes = sum(not TOOLS[call.tool].read_only for call in task.reference)
        environment.run_on(WAITING_FACTOR * max(changes, 1) * task.advance)
    return starts, attempt.status == "success"


def _random(task: BenchTask, make: Callable[[], Backend], number: int) -> bool:
    attempt = Attempt(task.task, make())
    agent = RandomChanges(task.task)
    with attempt.environment as environment:
        view = environment.view(task.task.scope)
        agent.start("", view, 1000 * task.seed + number)
        while attempt.status == "running":
            call = agent.act(environment.view(task.task.scope), None)
            attempt.call(*(call or ("", {})))
    return attempt.status == "success"


def sound_ids(findings: Iterable[Audited]) -> set[str]:
    """Tasks that every finding of them calls sound."""
    faulty = {one.task_id for one in findings if one.faults}
    return {one.task_id for one in findings} - faulty


@cache
def _model_hash(backend: BackendName) -> str:
    from env.fidelity.playing import model_hash

    return model_hash(DEFAULT_MODEL) if backend == "surrogate" else ""
