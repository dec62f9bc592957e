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
    begun = begin(make, task, agent=agent.name, episodes=episodes, model=model)
    if on_event:
        begun.environment.listeners.append(on_event)

    def player(environment: Environment) -> None:
        backend, answer = environment.backend, None
        scope = task.scope if task else None
        last = backend.interval + intervals
        agent.start(task.intent if task else "", environment.view(scope), backend.seed)
        while not environment.over and (task or backend.interval < last):
            call = agent.act(environment.view(scope), answer)
            if call is not None:
                answer = environment.call(*call, agent=agent.name, scope=scope)
            elif task:
                return
            else:
                environment.run_on(last - backend.interval)

    return _played(begun, player)


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
    header = log.header
    task = header.task
    scope = task.scope if task else None

    def player(environment: Environment) -> None:
        for call in log.calls:
            if environment.over:
                return
            if call.tool:
                environment.call(call.tool, call.arguments, agent=call.agent, scope=scope)
            elif call.changes:
                environment.configure(call.changes, agent=call.agent)
            else:
                environment.run_on(call.arguments["intervals"])

    begun = begin(
        make, task, agent=header.agent, advance=header.advance, episodes=episodes, model=model
    )
    return _played(begun, player)


@dataclass(frozen=True)
class Begun:
    """An episode that goes on."""

    environment: Environment
    attempt: Attempt | None
    """At the task, if there is one."""
    recorder: Recorder | None

    def end(self, error: str = "") -> Played:
        """Judge it and write its end down; closing the environment is left to the caller.

        Args:
            error: of the backend, if it has failed.
        """
        outcome: Outcome = "ended"
        reason = ""
        if error:
            outcome, reason = "error", error
        elif self.attempt:
            self.attempt.give_up()
            outcome = "success" if self.attempt.status == "success" else "failure"
            reason = self.attempt.reason
        if self.recorder:
            self.recorder.end(outcome, reason)
        path = self.recorder.path if self.recorder else None
        return Played(outcome, reason, self.environment, path)


def begin(
    make: MakeBackend,
    task: Task | None = None,
    *,
    agent: str = "",
    advance: int = 1,
    episodes: str | Path | None = None,
    model: str = "",
) -> Begun:
    """Begin an episode; arguments and exceptions are those of `play`.

    Args:
        make: the network.
        task: to be reached.
        agent: name, for the record.
        advance: intervals that the network runs after a change, without a task.
        episodes: folder in which it is recorded.
        model: name of the surrogate, for the record.
    """
    backend = make()
    try:
        attempt = Attempt(task, backend) if task else None
        environment = attempt.environment if attempt else Environment(backend, advance=advance)
        recorder = None
        if episodes is not None:
            header = Header(
                scenario=backend.scenario,
                seed=backend.seed,
                backend=backend.name,
                model=model,
                task=task,
                settings=task.settings if task else (),
                agent=agent,
                advance=environment.advance,
                started=now_utc(),
                code_version=version("sixg-agent-gym"),
            )
            recorder = Recorder(episodes, environment, header)
    except BaseException:
        backend.close()
        raise
    return Begun(environment, attempt, recorder)


def _played(begun: Begun, player: Callable[[Environment], None]) -> Played:
    with begun.environment as environment:
        try:
            player(environment)
        except BackendError as error:
            return begun.end(str(error))
        return begun.end()
