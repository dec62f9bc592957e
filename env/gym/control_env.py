# SPDX-License-Identifier: Apache-2.0
"""`SixG/Control-v1`: all numeric controls at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from env.backends.base import Backend, BackendName
from env.drawing import Screen, picture
from env.errors import EnvUserError
from env.gym.networks import Model, Networks, check_positive
from env.gym.stage import STEPS, check_render_mode
from env.numbers.places import Floats32
from env.numbers.whole_network import WholeNetwork
from env.view import View
from ns3_scenarios.scenario import ScenarioConfig


class ControlEnv(gymnasium.Env[Floats32, Floats32]):
    """An agent sets numeric controls of the whole network in each interval.

    The action has a number from -1 to 1 for each control of `control_paths`, as `Knobs` says. The
    observation has figures from 0 to 1, or -1 where nothing is known. The reward is the utility of
    the interval (`Utility`). An episode is cut short after `steps`; nothing else ends it.

    Args:
        scenario: a scenario, a packaged one's name, or a YAML file.
        controls: paths of the controls, in which `*` stands for anything; all by default.
        backend: surrogate, ns3 or auto.
        model: for all but ns3; that of the package by default.
        steps: of an episode.
        n_seeds: networks that episodes without a seed of their own draw from.
        render_mode: rgb_array or human.

    Raises:
        EnvUserError: an argument cannot be used.
        ScenarioError: the scenario cannot be used.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array"], "render_fps": 5}  # noqa: RUF012

    def __init__(
        self,
        scenario: ScenarioConfig | str | Path = "quickstart",
        controls: Sequence[str] = ("*",),
        backend: BackendName = "surrogate",
        model: Model | None = None,
        steps: int = STEPS,
        n_seeds: int = 100,
        render_mode: str | None = None,
    ) -> None:
        check_positive(steps=steps)
        check_render_mode(render_mode)
        self._networks = Networks(scenario, backend, model, n_seeds)
        self.scenario = self._networks.scenario
        self._steps, self._done = steps, 0
        self.render_mode = render_mode
        self._screen = Screen() if render_mode == "human" else None
        self._network = WholeNetwork(self.scenario, controls)
        self.control_paths = tuple(place.path for place in self._network.knobs.places)
        self.observation_names = (*self._network.names, "steps_left")
        self._backend: Backend | None = None
        n = len(self.control_paths)
        self.action_space = spaces.Box(-1, 1, (n,), np.float32)
        self.observation_space = spaces.Box(-1, 1, (len(self.observation_names),), np.float32)

    @property
    def backend(self) -> Backend:
        """The network of the episode.

        Raises:
            EnvUserError: none has begun.
        """
        if self._backend is None:
            raise EnvUserError("no episode has begun; call reset first")
        return self._backend

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats32, dict[str, Any]]:
        """Begin an episode; the seed is the network's."""
        super().reset(seed=seed)
        if self._backend is not None:
            self._backend.close()
        self._backend = self._networks.make(self._networks.seed(seed, self.np_random))
        self._done = 0
        self._show()
        return self._observation(), self._info()

    def step(self, action: Floats32) -> tuple[Floats32, float, bool, bool, dict[str, Any]]:
        """Set all controls and let an interval pass."""
        backend = self.backend
        changes = self._network.changes(backend, np.asarray(action))
        if changes:
            backend.apply(changes)
        backend.advance(1)
        self._done += 1
        self._show()
        reward = self._network.utility(backend)
        return self._observation(), reward, False, self._done >= self._steps, self._info()

    def action_of_now(self) -> Floats32:
        """The action that leaves controls as they are."""
        return self._network.knobs.hold(self.backend.controls)

    def render(self) -> Any:
        """The map of the network as a picture, shape (height, width, 3); in mode human, nothing."""
        return picture(self._view()) if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Close the network and the window."""
        if self._backend is not None:
            self._backend.close()
            self._backend = None
        if self._screen:
            self._screen.close()

    def _observation(self) -> Floats32:
        seen = self._network.read(self.backend)
        return np.append(seen, 1 - self._done / self._steps).astype(np.float32)

    def _info(self) -> dict[str, Any]:
        return {"interval": self.backend.interval, "served_by": self.backend.served_by}

    def _view(self) -> View:
        backend = self.backend
        return View(backend.scenario, backend.controls, backend.history)

    def _show(self) -> None:
        if self._screen:
            self._screen.show(self._view())
