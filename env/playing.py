# SPDX-License-Identifier: Apache-2.0
"""Lets an agent play, and plays recorded episodes again: `play`, `play_log`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from env.agents import Agent
from env.backends.base import Backend
from env.environment import Environment, Event
from env.episodes import Header, Log, Outcome, Recorder, now_utc, play_again
from env.errors import BackendError
from env.tasks import Attempt, Task

OnEvent = Callable[[Event, Environment], None]
MakeBackend = Callable[[], Backend]


@dataclass(frozen=True)
class Played:
    """What came of an episode."""

    outcome: Outcome
    reason: str
    intervals: int
    calls: int
    changes: int
    path: Path | None
    """Folder of the episode, where it was recorded."""


def play(
    make: MakeBackend,
    agent: Agent,
    *,
    task: Task | None = None,
    intervals: int = 10,
    episodes: str | Path | None = None,
    on_event: OnEvent | None = None,
    model: str = "",
) -> Played:
    """Let an agent play one episode.

    Args:
        make: the network; of a task, one of `task.network`.
        agent: that plays.
        task: to be reached; without one, the network runs for `intervals`.
        intervals: reporting intervals of an episode without a task.
        episodes: folder in which it is recorded.
        on_event: told of every call and of time that passes.
        model: name of the surrogate, for the record.

    Raises:
        EnvUserError: the episode cannot be recorded.
        BackendError: the network cannot be started.
    """
    backend = make()
    attempt = Attempt(task, backend) if task else None
    environment = attempt.environment if attempt else Environment(backend)
    with environment:
        first = backend.interval
        recorder = None
        if episodes is not None:
            recorder = Recorder(
                episodes,
                environment,
                Header(
                    scenario=backend.scenario,
                    seed=backend.seed,
                    backend=backend.name,
                    model=model,
                    task=task.model_dump(mode="json") if task else None,
                    settings=task.settings if task else (),
                    agent=agent.name,
                    started=now_utc(),
                    code_version=version("sixg-agent-gym"),
                ),
            )
        watch = environment.on_event
        if on_event:
            told = on_event

            def both(event: Event) -> None:
                if watch:
                    watch(event)
                told(event, environment)

            environment.on_event = both
        outcome, reason = _play(environment, attempt, agent, first + intervals)
        if recorder:
            recorder.end(outcome, reason)
        return Played(
            outcome,
            reason,
            backend.interval,
            sum(bool(event.tool) for event in environment.events),
            len(environment.changes),
            recorder.path if recorder else None,
        )


def _play(
    environment: Environment, attempt: Attempt | None, agent: Agent, last: int
) -> tuple[Outcome, str]:
    backend, answer = environment.backend, None
    agent.start(attempt.task.intent if attempt else "", environment.view(), backend.seed)
    try:
        if attempt:
            while attempt.status == "running":
                call = agent.act(environment.view(attempt.task.scope), answer)
                if call is None:
                    attempt.give_up()
                else:
                    answer = attempt.call(*call, agent=agent.name)
            return attempt.outcome, attempt.reason
        while backend.interval < last and len(environment.events) < environment.max_calls:
            call = agent.act(environment.view(), answer)
            if call is None:
                environment.run_on(last - backend.interval)
            else:
                answer = environment.call(*call, agent=agent.name)
        return "ended", ""
    except BackendError as error:
        return "error", str(error)


def play_log(log: Log, backend: Backend) -> tuple[Outcome, str, Environment]:
    """Make the calls of an episode on a backend, and judge its task there.

    Returns:
        The outcome, why, and the environment, which the caller closes.

    Raises:
        BackendError: the backend has failed.
    """
    task = Task.model_validate(log.header.task) if log.header.task else None
    if task is None:
        environment = Environment(backend, advance=log.header.advance)
        play_again(log, environment)
        return "ended", "", environment
    attempt = Attempt(task, backend)
    for call in log.calls:
        if attempt.status != "running":
            break
        if call.tool:
            attempt.call(call.tool, call.arguments, agent=call.agent)
        else:
            attempt.wait(call.arguments["intervals"])
    attempt.give_up()
    return attempt.outcome, attempt.reason, attempt.environment
