# SPDX-License-Identifier: Apache-2.0
"""Plays episodes of a network with an agent that speaks the protocol: `serve_ns3gym`.

The agent binds and answers, we connect and ask: nothing here listens. An episode is a connection.
An action that cannot be used is answered by the same state once more, with one sentence in `info`;
no time passes and nothing changes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from env.errors import BackendError, EnvUserError, ToolError
from env.goals import judge
from env.interfaces.limits import check_limits
from env.interfaces.ns3gym.messages import (
    BOX,
    FLOAT,
    GAME_OVER,
    SIMULATION_END,
    BoxSpace,
    EnvActMsg,
    EnvStateMsg,
    MalformedError,
    SimInitAck,
    SimInitMsg,
    SpaceDescription,
    box_container,
    box_values,
)
from env.interfaces.ns3gym.wire import MAX_MESSAGE_BYTES, PeerError, Wire
from env.numbers.controls import ROUNDING
from env.numbers.whole_network import WholeNetwork
from env.playing import Begun
from env.view import Scope
from ns3_scenarios.errors import ControlError

GOODBYE_S = 10.0
"""Longest wait for the answer to the last state of an episode."""
RETRY_S = 0.2


@dataclass(frozen=True)
class Limits:
    """What an agent may take of a server."""

    max_episodes: int = 1000
    """After which the server ends."""
    max_intervals: int = 50
    """Reporting intervals of an episode."""
    max_refused: int = 100
    """Actions of an episode that cannot be used."""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    """Of a message from the agent."""
    wait_s: float = 600.0
    """Longest wait for an agent to begin an episode."""
    action_s: float = 600.0
    """Longest wait for an action, after which the episode ends."""

    def __post_init__(self) -> None:
        check_limits(self)


def serve_ns3gym(
    begin: Callable[[int], Begun],
    *,
    host: str = "127.0.0.1",
    port: int = 5555,
    limits: Limits | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> int:
    """Play episodes with the agent that binds at an address, until no agent is left.

    Args:
        begin: episode n; n counts from 0. It is closed here.
        host: of the agent.
        port: of the agent.
        limits: what the agent may take.
        say: is told in a sentence how episodes begin and end, and what is wrong with actions.

    Returns:
        Episodes that were played.

    Raises:
        EnvUserError: the address cannot be used, or no agent ever came.
        BackendError: the network cannot be started or has failed.
    """
    limits = limits or Limits()
    for number in range(limits.max_episodes):
        begun = begin(number)
        with begun.environment:
            episode = _Episode(begun, limits, say)
            try:
                wire = episode.connect(host, port)
            except PeerError as error:
                begun.end()
                if number == 0:
                    raise EnvUserError(str(error)) from None
                say(f"{error}; {number} episodes were played")
                return number
            with wire:
                say(f"episode {number} begins with the agent at {wire.address}")
                say(f"episode {number} is over: {episode.play(wire)}")
    return limits.max_episodes


class _Episode:
    """One episode, on one connection."""

    def __init__(self, begun: Begun, limits: Limits, say: Callable[[str], None]) -> None:
        self._begun = begun
        self._environment = begun.environment
        self._task = begun.attempt.task if begun.attempt else None
        scope = self._task.scope if self._task else Scope()
        self._network = WholeNetwork(self._environment.backend.scenario, scope=scope)
        self._limits = limits
        self._say = say
        self._first = self._environment.backend.interval
        self._stopped = False

    @property
    def _done(self) -> int:
        """Intervals of the episode."""
        return self._environment.backend.interval - self._first

    def connect(self, host: str, port: int) -> Wire:
        """Introduce the network to an agent.

        An agent that has closed its last episode and not yet bound anew may take the message with
        it; so it is sent again.

        Raises:
            PeerError: no agent has come in time.
        """
        limits = self._limits
        deadline_s = time.monotonic() + limits.wait_s
        while True:
            wire = Wire("simulation", host, port, max_message_bytes=limits.max_message_bytes)
            try:
                wire.send(self._introduction(), max(0, deadline_s - time.monotonic()))
                ack = wire.receive(SimInitAck, max(0, deadline_s - time.monotonic()))
                if ack.done or ack.stopSimReq:
                    self._stopped = ack.stopSimReq
                    return wire
                why = "the agent's SimInitAck is not done"
            except MalformedError as error:
                why = str(error)
            except PeerError:
                wire.close()
                if time.monotonic() >= deadline_s:
                    raise PeerError(
                        f"no agent at tcp://{host}:{port} began an episode within "
                        f"{limits.wait_s:g} s"
                    ) from None
                time.sleep(RETRY_S)
                continue
            except BaseException:
                wire.close()
                raise
            wire.close()
            self._say(f"an agent is turned away: {why}")
            time.sleep(RETRY_S)

    def play(self, wire: Wire) -> str:
        """Play to the end, and say how it came.

        Raises:
            BackendError: the network has failed.
        """
        if self._stopped:
            self._begun.end()
            return "the agent wants none"
        try:
            return self._turns(wire)
        except PeerError as error:
            self._begun.end()
            return str(error)
        except BackendError as error:
            self._begun.end(str(error))
            with suppress(PeerError):
                wire.send(self._state(0.0, over="the network behind it has failed"), GOODBYE_S)
            raise

    def _turns(self, wire: Wire) -> str:
        limits, reward, refused, n_refused = self._limits, 0.0, "", 0
        while True:
            over = self._over(n_refused)
            wire.send(self._state(reward, over, refused), limits.action_s)
            if over:
                break
            try:
                answer = wire.receive(EnvActMsg, limits.action_s)
                if answer.stopSimReq:
                    self._begun.end()
                    return "the agent stopped"
                n = len(self._network.knobs.places)
                self._act(box_values(answer.actData, n).astype(np.float64))
            except (MalformedError, ToolError, ControlError) as error:
                refused, reward, n_refused = str(error), 0.0, n_refused + 1
                self._say(f"an action is refused: {refused}")
            else:
                refused, reward = "", self._reward()
        self._begun.end()
        with suppress(MalformedError, PeerError):  # it is over either way
            wire.receive(EnvActMsg, GOODBYE_S)
        return over

    def _act(self, action: NDArray[np.float64]) -> None:
        """Set all controls and run one interval on.

        Raises:
            ToolError: a number is out of range, or the task forbids it. Nothing is changed.
            BackendError: the network has failed.
        """
        for place, value in zip(self._network.knobs.places, action, strict=True):
            if not abs(value) <= 1 + ROUNDING:
                why = f"{place.path}={value:g} is not allowed; it must be from -1 to 1"
                raise ToolError("bad_arguments", why)
        changes = self._network.changes(self._environment.backend, action)
        if changes:
            self._environment.configure(changes, agent="ns3gym")
        else:
            self._environment.run_on(1)

    def _over(self, n_refused: int) -> str:
        """Why no action is taken any more."""
        limits = self._limits
        if self._environment.over:
            return self._environment.over
        if self._done >= limits.max_intervals:
            return f"all {limits.max_intervals} intervals have passed"
        if n_refused >= limits.max_refused:
            return f"{n_refused} actions could not be used"
        return ""

    def _reward(self) -> float:
        """Of the last interval.

        With a task, the share of the goal's predicates that hold, less 1; when it has failed, as
        many ones less as intervals are left. Without one, the utility.
        """
        backend = self._environment.backend
        if self._task is None:
            return self._network.utility(backend)
        verdicts = judge(self._task.goal, backend.history, backend.controls)
        missed = sum(verdict.holds is not True for verdict in verdicts) / len(verdicts)
        failed = self._begun.attempt is not None and self._begun.attempt.status == "failure"
        return -missed - (self._limits.max_intervals - self._done if failed else 0)

    def _state(self, reward: float, over: str, refused: str = "") -> Any:
        backend = self._environment.backend
        decided = bool(over) and over == self._environment.over
        info: dict[str, Any] = {
            "interval": backend.interval,
            "time_ms": backend.history[-1].time_ms,
            "status": self._begun.attempt.status if self._begun.attempt else "",
            "over": over,
            "error": refused,
        }
        if not self._done:
            info |= {
                "task": self._task.intent if self._task else "",
                "scenario": backend.scenario.name,
                "seed": backend.seed,
                "backend": backend.name,
                "observations": self._network.names,
                "actions": self._network.knobs.described(),
            }
        return EnvStateMsg(
            obsData=box_container(self._network.read(backend)),
            reward=reward,
            isGameOver=bool(over),
            reason=GAME_OVER if decided else SIMULATION_END,
            info=json.dumps(info, separators=(",", ":")),
        )

    def _introduction(self) -> Any:
        return SimInitMsg(
            simProcessId=os.getpid(),
            obsSpace=_box(len(self._network.names), "observations"),
            actSpace=_box(len(self._network.knobs.places), "actions"),
        )


def _box(n: int, name: str) -> Any:
    """So many numbers from -1 to 1."""
    description = SpaceDescription(type=BOX, name=name)
    description.space.Pack(BoxSpace(low=-1, high=1, dtype=FLOAT, shape=[n]))
    return description
