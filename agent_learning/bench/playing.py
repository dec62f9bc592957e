# SPDX-License-Identifier: Apache-2.0
"""Plays one trial: `play_trial`.

The agents of a task are asked in turn for a call, each within its scope, until all pass one after
the other or the trial is over; who speaks does not pass, up to as many times as the task has calls.
An agent gets each answer once; after a turn without a call it gets none.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agent_learning.bench.task import BenchTask
from agent_learning.bench.teams import scopes_of, tell
from agent_learning.bench.trial import (
    Called,
    Judged,
    Moment,
    Said,
    Sla,
    Status,
    TrialRecord,
    counts_of,
    shortest_of,
)
from agent_learning.errors import AgentInfrastructureError
from env.agents import Agent
from env.backends.base import Backend, BackendName
from env.backends.making import backend_maker, loaded_model
from env.environment import Answer, Environment, Event
from env.errors import BackendError
from env.goals import Goal, judge
from env.sla import sla_terms
from env.tasks import Attempt, Task
from experiment_model import ExperimentModel
from ns3_scenarios.errors import UserError, WorkerError

MakeAgents = Callable[[str, BenchTask], Mapping[str, Agent]]
"""Agents of a name for a task, by role, in the order in which they are asked."""
INFRASTRUCTURE = (AgentInfrastructureError, BackendError, WorkerError)


class Setup(NamedTuple):
    """What is common to the trials of a run."""

    agent: str
    backend: BackendName
    model: Path | None
    """Folder of the surrogate's model; None for that of the package."""
    model_sha256: str
    code_version: str
    make: MakeAgents


def play_trial(task: BenchTask, trial: int, setup: Setup) -> TrialRecord:
    """Let an agent try a task once.

    Args:
        task: to be tried.
        trial: its number, from 1; it decides the seed of the agent.
        setup: of the run.

    Raises:
        UserError: there is no such agent or model, or the scenario cannot be used.
    """
    began = time.perf_counter()
    seed = agent_seed(task, trial)
    log = _Log(task.task)
    status: Status = "infrastructure"
    agents: Mapping[str, Agent] = {}
    try:
        backend = _backend(task, setup)
        attempt = log.begin(backend)
        with attempt.environment:
            agents = setup.make(setup.agent, task)
            _take_turns(task, attempt, agents, seed, log)
            attempt.give_up()
        status = "success" if attempt.status == "success" else "failure"
        reason = attempt.reason
    except _BrokeDownError as error:
        status, reason = "failure", str(error)
    except UserError:
        raise
    except INFRASTRUCTURE as error:
        reason = str(error)
    except Exception as error:  # one trial that breaks the machinery must not end all others
        reason = f"{type(error).__name__}: {error}"
    calls = tuple(log.calls)
    return TrialRecord(
        task_id=task.id,
        task_hash=task.content_hash,
        template=task.template,
        domain=task.domain,
        tier=task.tier,
        split=task.split,
        seed=task.seed,
        agent=setup.agent,
        trial=trial,
        agent_seed=seed,
        backend=setup.backend,
        model_sha256=setup.model_sha256,
        code_version=setup.code_version,
        status=status,
        reason=reason,
        shortest=shortest_of(task),
        counts=counts_of(log.start_sla, calls),
        **_usage(agents),
        start=log.start,
        start_sla=log.start_sla,
        calls=calls,
        words=tuple(log.words),
        wall_s=round(time.perf_counter() - began, 3),
    )


def agent_seed(task: BenchTask, trial: int) -> int:
    """The seed that an agent is started with; trials of a task differ in it alone."""
    return int.from_bytes(hashlib.sha256(f"{task.id}/{trial}".encode()).digest()[:4])


class _Log:
    """What happens in a trial, as its record keeps it."""

    def __init__(self, task: Task) -> None:
        self.calls: list[Called] = []
        self.words: list[Said] = []
        self.start = Moment(interval=0, goal=(), constraints=())
        self.start_sla: Sla = {}
        self._task = task

    def begin(self, backend: Backend) -> Attempt:
        """Begin the attempt, and listen."""
        try:
            attempt = Attempt(self._task, backend)
        except BaseException:
            backend.close()
            raise
        environment = attempt.environment
        self.start = self._moment(environment, 0)
        self.start_sla = self._sla(environment, self._task.advance)
        self._environment, self._seen = environment, backend.interval
        environment.listeners.append(self._on_event)
        return attempt

    def _on_event(self, event: Event) -> None:
        environment, now = self._environment, event.answer.interval
        passed = range(now - self._seen - 1, -1, -1)
        self._seen = now
        self.calls.append(
            Called(
                agent=event.agent,
                tool=event.tool,
                arguments=event.arguments,
                ok=event.answer.ok,
                content=event.answer.content,
                interval=now,
                changes=event.changes,
                moments=tuple(self._moment(environment, ago) for ago in passed),
                sla=self._sla(environment, len(passed)) if passed else {},
            )
        )

    def _moment(self, environment: Environment, ago: int) -> Moment:
        """The verdicts some intervals ago."""
        history = environment.backend.history
        history = history[: len(history) - ago]

        def judged(goal: Goal) -> tuple[Judged, ...]:
            verdicts = judge(goal, history, environment.backend.controls)
            return tuple(Judged(value=v.value, holds=v.holds) for v in verdicts)

        task = self._task
        return Moment(
            interval=len(history), goal=judged(task.goal), constraints=judged(task.constraints)
        )

    def _sla(self, environment: Environment, intervals: int) -> Sla:
        backend = environment.backend
        recent = backend.history[-intervals:]
        return {
            f"{one.name}.{term.name}": term.holds
            for one in backend.scenario.slices
            for term in sla_terms(backend.scenario, one.name, recent)
        }


class _BrokeDownError(Exception):
    """Raised where the code of an agent fails; counting that apart would reward it."""


def _take_turns(
    task: BenchTask, attempt: Attempt, agents: Mapping[str, Agent], seed: int, log: _Log
) -> None:
    environment = attempt.environment
    scopes = scopes_of(task) or dict.fromkeys(agents, task.task.scope)
    answers: dict[str, Answer | None] = dict.fromkeys(agents)
    for role, agent in agents.items():
        with _own_code():
            agent.start(task.task.intent, environment.view(scopes[role]), seed)
    passed = 0
    for role, agent in itertools.cycle(agents.items()):
        if environment.over or passed == len(agents):
            return
        with _own_code():
            call = agent.act(environment.view(scopes[role]), answers[role])
            words = tell(agents, role) if len(agents) > 1 else ""
            tool, arguments = call or (None, None)
        if words:
            log.words.append(Said(calls=len(log.calls), agent=role, words=words))
        if tool is None:
            answers[role] = None
            speaks = words and len(log.words) < task.task.max_calls
            passed = 0 if speaks else passed + 1
            continue
        passed = 0
        answers[role] = environment.call(
            str(tool), _as_json(arguments), agent=role, scope=scopes[role]
        )


@contextmanager
def _own_code() -> Iterator[None]:
    try:
        yield
    except INFRASTRUCTURE:
        raise
    except Exception as error:
        raise _BrokeDownError(f"the agent broke down: {type(error).__name__}: {error}") from error


def _backend(task: BenchTask, setup: Setup) -> Backend:
    model = None if setup.backend == "ns3" else _model(setup.model)
    return backend_maker(setup.backend, task.task.network, model)(task.seed)


@lru_cache(maxsize=1)
def _model(folder: Path | None) -> ExperimentModel | None:
    return loaded_model(folder)


def _usage(agents: Mapping[str, Agent]) -> dict[str, Any]:
    """Tokens, requests and cost of all agents that count them."""
    found = {"tokens_in": 0, "tokens_out": 0, "requests": 0, "cost_usd": 0.0}
    for agent in agents.values():
        usage = getattr(agent, "usage", None)
        for name in found:
            found[name] += getattr(usage, name, 0)
    return found


def _as_json(arguments: Any) -> Any:
    """Arguments as JSON has them; what JSON has not, as text, which tools refuse."""
    try:
        return json.loads(json.dumps(arguments, default=_plain, allow_nan=False))
    except (ValueError, TypeError, RecursionError):
        return str(arguments)[:500]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)
