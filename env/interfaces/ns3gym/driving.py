# SPDX-License-Identifier: Apache-2.0
"""A simulation that speaks the protocol as an environment of Gymnasium: `Ns3GymEnv`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.error import ResetNeeded

from env.errors import BackendError, EnvUserError
from env.interfaces.ns3gym.foreign import Process
from env.interfaces.ns3gym.messages import (
    GAME_OVER,
    EnvActMsg,
    EnvStateMsg,
    MalformedError,
    SimInitAck,
    SimInitMsg,
)
from env.interfaces.ns3gym.spaces import container_of, space_of, value_of
from env.interfaces.ns3gym.wire import MAX_MESSAGE_BYTES, PeerError, Wire

GOODBYE_S = 5.0
"""For a simulation to end by itself when its episode is over."""
MAX_SEED = 2**32 - 1


class Ns3GymEnv(gymnasium.Env[Any, Any]):
    """An existing simulation of ns3-gym, or anything else that speaks its protocol.

    Spaces are those of the simulation, which is started for them when the environment is made. Each
    episode has a simulation of its own: the protocol knows no other reset.

    Args:
        command: that starts a simulation; see `Process`. Without one, whoever starts simulations
            must start one per episode, and chooses the seeds.
        port: that simulations connect to; 0, for a free one, needs a command.
        host: address to listen at.
        seed: of the first simulation, from 1.
        cwd: folder that simulations run in.
        start_s: longest time from the start of a simulation to its first state.
        step_s: longest time of a step.
        max_message_bytes: of a message from a simulation.

    Raises:
        EnvUserError: an argument cannot be used.
        BackendError: the simulation does not start, is gone, is too slow, or breaks the protocol.
    """

    def __init__(
        self,
        command: Sequence[str] = (),
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        seed: int = 1,
        cwd: str | Path | None = None,
        start_s: float = 120.0,
        step_s: float = 60.0,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        if not command and not port:
            raise EnvUserError("port=0 is not allowed without a command that is told of the port")
        self._command, self._host, self._port = tuple(command), host, port
        self._cwd = Path(cwd) if cwd else None
        self._start_s, self._step_s = start_s, step_s
        self._max_message_bytes = max_message_bytes
        self._wire: Wire | None = None
        self._process: Process | None = None
        self._observation: Any = None
        self._new = False
        self._begin(seed)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode: with the seed, or with one drawn from those before.

        A seed is passed on as `--simSeed`; 0, which means any there, as the greatest one.

        Raises:
            BackendError: as when the environment is made.
        """
        super().reset(seed=seed)
        if not self._new or (seed is not None and _sim_seed(seed) != self._seed):
            self._begin(int(self.np_random.integers(1, MAX_SEED)) if seed is None else seed)
        self._new = False
        return self._observation, self._info(self._state)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act, and wait for the next state.

        Returns:
            Observation, reward, whether the game is over, whether the simulation has come to its
            end, and the simulation's own words under `info`.

        Raises:
            ResetNeeded: the episode is over.
            EnvUserError: the action is not in the action space. Nothing is sent.
            BackendError: the simulation is gone, too slow, or breaks the protocol.
        """
        if self._wire is None or self._new:
            raise ResetNeeded("reset() must be called before step()")
        assert self.action_space is not None
        container = container_of(self.action_space, action)
        try:
            self._wire.send(EnvActMsg(actData=container), self._step_s)
            state = self._wire.receive(EnvStateMsg, self._step_s)
            self._see(state)
        except (MalformedError, PeerError) as error:
            raise self._failed(error) from None
        if state.isGameOver:
            self._end()
        over = bool(state.isGameOver)
        terminated = over and state.reason == GAME_OVER
        reward = float(state.reward)
        return self._observation, reward, terminated, over and not terminated, self._info(state)

    def close(self) -> None:
        """End the simulation. Closing twice is allowed."""
        self._end()

    def _begin(self, seed: int) -> None:
        self._end()
        self._seed = _sim_seed(seed)
        self._wire = Wire(
            "agent",
            self._host,
            self._port,
            max_message_bytes=self._max_message_bytes,
            health=lambda: self._process.health() if self._process else "",
        )
        try:
            if self._command:
                self._process = Process(self._command, self._wire.port, self._seed, self._cwd)
            said = self._wire.receive(SimInitMsg, self._start_s)
            self.observation_space = space_of(said.obsSpace)
            self.action_space = space_of(said.actSpace)
            self._wire.send(SimInitAck(done=True), self._start_s)
            self._state = self._wire.receive(EnvStateMsg, self._start_s)
            if self._state.isGameOver:
                raise MalformedError("the simulation was over before its first step")
            self._see(self._state)
        except (MalformedError, PeerError) as error:
            raise self._failed(error) from None
        except BaseException:
            self._end()
            raise
        self._new = True

    def _see(self, state: Any) -> None:
        """Take the observation of a state; at the end there may be none, and the last one stays."""
        if not state.isGameOver or state.HasField("obsData"):
            self._observation = value_of(self.observation_space, state.obsData)

    def _info(self, state: Any) -> dict[str, Any]:
        return {"info": state.info, "sim_seed": self._seed if self._command else None}

    def _failed(self, error: Exception) -> BackendError:
        """The error of a simulation that is done with."""
        self._end(patience_s=0)
        return BackendError(f"the simulation has failed: {error}")

    def _end(self, patience_s: float = GOODBYE_S) -> None:
        """Tell the simulation to stop, where it waits for an answer, and make sure that it does."""
        self._new = False
        if self._wire is not None:
            with suppress(PeerError, MalformedError):
                self._wire.send(EnvActMsg(stopSimReq=True), 0)
        if self._process is not None:
            self._process.close(patience_s)
            self._process = None
        if self._wire is not None:
            self._wire.close()
            self._wire = None


def _sim_seed(seed: int) -> int:
    return seed % MAX_SEED or MAX_SEED
