# SPDX-License-Identifier: Apache-2.0
"""Lets an agent play, and plays recorded episodes again: `play`, `play_again`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from env.agents import Agent
from env.backends.base import Backend
from env.environment import Environment, Event
from env.episodes import Header, Log, Outcome, Recorder, now_utc
from env.errors import BackendError
from env.tasks import Attempt, Task

MakeBackend = Callable[[], Backend]
Player = Callable[[Environment, Attempt | None], None]


@dataclass(frozen=True)
class Played:
    """What came of an episode."""

    outcome: Outcome
    reason: str
    environment: Environment
    """It is closed; its events, changes and history are still there."""
    path: Path | None
    """Folder of the episode, where it was recorded."""


def play(
    make: MakeBackend,
    agent: Agent,
    *,
    task: Task | None = None,
    intervals: int = 10,
    episodes: str | Path | None = None,
    on_event: Callable[[Event], None] | None = None,
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

    def player(environment: Environment, attempt: Attempt | None) -> None:
        backend, answer = environment.backend, None
        last = backend.interval + intervals
        agent.start(attempt.task.intent if attempt else "", environment.view(), backend.seed)
        if attempt:
            while attempt.status == "running":
                call = agent.act(environment.view(attempt.task.scope), answer)
                if call is None:
                    attempt.give_up()
                else:
                    answer = attempt.call(*call, agent=agent.name)
            return
        while backend.interval < last and len(environment.events) < environment.max_calls:
            call = agent.act(environment.view(), answer)
            if call is None:
                environment.run_on(last - backend.interval)
            else:
                answer = environment.call(*call, agent=agent.name)

    return _episode(make, player, task, agent.name, 1, episodes, on_event, model)


def play_again(
    make: MakeBackend,
    log: Log,
    *,
    episodes: str | Path | None = None,
    model: str = "",
) -> Played:
    """Make the calls of an episode once more, on any backend, and judge its task there.

    Args:
        make: a network of the same scenario and seed.
        log: of the episode.
        episodes: folder in which the new episode is recorded.
        model: name of the surrogate, for the record.

    Raises:
        EnvUserError: the episode cannot be recorded.
        BackendError: the network cannot be started.
    """

    def player(environment: Environment, attempt: Attempt | None) -> None:
        running = attempt or environment
        for call in log.calls:
            if attempt and attempt.status != "running":
                return
            if call.tool:
                running.call(call.tool, call.arguments, agent=call.agent)
            else:
                running.run_on(call.arguments["intervals"])
        if attempt:
            attempt.give_up()

    header = log.header
    task = Task.model_validate(header.task) if header.task else None
    return _episode(make, player, task, header.agent, header.advance, episodes, None, model)


def _episode(
    make: MakeBackend,
    player: Player,
    task: Task | None,
    agent: str,
    advance: int,
    episodes: str | Path | None,
    on_event: Callable[[Event], None] | None,
    model: str,
) -> Played:
    backend = make()
    attempt = Attempt(task, backend) if task else None
    environment = attempt.environment if attempt else Environment(backend, advance=advance)
    with environment:
        recorder = None
        if episodes is not None:
            header = Header(
                scenario=backend.scenario,
                seed=backend.seed,
                backend=backend.name,
                model=model,
                task=task.model_dump(mode="json") if task else None,
                settings=task.settings if task else (),
                agent=agent,
                advance=advance,
                started=now_utc(),
                code_version=version("sixg-agent-gym"),
            )
            recorder = Recorder(episodes, environment, header)
        if on_event:
            environment.listeners.append(on_event)
        outcome: Outcome
        try:
            player(environment, attempt)
            outcome, reason = (attempt.outcome, attempt.reason) if attempt else ("ended", "")
        except BackendError as error:
            outcome, reason = "error", str(error)
        if recorder:
            recorder.end(outcome, reason)
        return Played(outcome, reason, environment, recorder.path if recorder else None)
