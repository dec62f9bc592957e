# SPDX-License-Identifier: Apache-2.0
"""What environments of tool calls share: networks, the episode, pictures: `Stage`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.random import Generator

from env.backends.base import BackendName
from env.drawing import Screen, picture
from env.errors import EnvUserError
from env.gym.networks import Model, Networks, check_positive
from env.gym.session import Session
from env.tasks import Task, load_task
from ns3_scenarios.scenario import ScenarioConfig

STEPS = 50


class Stage:
    """Base of environments in which tools are called, by one or several agents."""

    render_mode: str | None

    def set_up(
        self,
        scenario: ScenarioConfig | str | Path,
        task: Task | str | Path | None,
        backend: BackendName,
        model: Model | None,
        steps: int,
        n_seeds: int,
        render_mode: str | None,
    ) -> None:
        """Take the arguments that `ToolEnv` and `ToolParallelEnv` have in common.

        Raises:
            EnvUserError: an argument cannot be used.
            ScenarioError: the scenario cannot be used.
        """
        check_positive(steps=steps)
        check_render_mode(render_mode)
        self.task = task if task is None or isinstance(task, Task) else load_task(task)
        network = self.task.network if self.task else scenario
        self._networks = Networks(network, backend, model, n_seeds)
        self.scenario = self._networks.scenario
        self._steps = steps
        self.render_mode = render_mode
        self._screen = Screen() if render_mode == "human" else None
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The episode.

        Raises:
            EnvUserError: none has begun.
        """
        if self._session is None:
            raise EnvUserError("no episode has begun; call reset first")
        return self._session

    def begin(self, seed: int | None, rng: Generator, together: bool = False) -> Session:
        """End the episode before and begin one.

        Args:
            seed: of the network; without one it is drawn.
            rng: to draw from.
            together: whether several agents call in the same step.
        """
        self.close_session()
        backend = self._networks.make(self._networks.seed(seed, rng))
        self._session = Session(backend, self.task, self._steps, together)
        return self._session

    def show(self) -> None:
        """Bring the window up to date, if there is one."""
        if self._screen:
            self._screen.show(self.session.view())

    def render(self) -> Any:
        """The map of the network as a picture, shape (height, width, 3); in mode human, nothing."""
        return picture(self.session.view()) if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Close the network and the window."""
        self.close_session()
        if self._screen:
            self._screen.close()

    def close_session(self) -> None:
        """Close the network of the episode."""
        if self._session is not None:
            self._session.close()
            self._session = None


def check_render_mode(mode: str | None) -> None:
    """Refuse a mode that there is not.

    Raises:
        EnvUserError: names it.
    """
    if mode not in (None, "human", "rgb_array"):
        raise EnvUserError(f"render_mode={mode!r} is not allowed; it must be human or rgb_array")
