# SPDX-License-Identifier: Apache-2.0
"""`SixG/Tools-v1`: one tool call per step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from env.backends.base import BackendName
from env.gym.actions import ToolActions
from env.gym.networks import Model
from env.gym.session import within
from env.gym.stage import STEPS, Stage
from env.numbers.kpis import observer_of
from env.numbers.places import Floats32
from env.tasks import Task
from env.view import Scope
from ns3_scenarios.scenario import ScenarioConfig


class ToolEnv(Stage, gymnasium.Env[Floats32, NDArray[np.int64]]):
    """An agent calls configuration tools, one or none in each step.

    The action is a choice of each dimension of `actions.dimensions`: tool, elements, values. The
    observation has figures from 0 to 1, or -1 where nothing is known; `observation_names` says
    which. Each step lets one interval pass, or as many as the task says, also after a call that is
    refused; the answer of the call is in the info. Rewards, termination and truncation are those of
    `Session`.

    Args:
        scenario: of an open-ended episode; a scenario, a packaged one's name, or a YAML file.
        task: to be reached, instead; a task, a packaged one's name, or a YAML file.
        backend: surrogate, ns3 or auto.
        model: for all but ns3; that of the package by default.
        steps: after which an episode is cut short.
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
        task: Task | str | Path | None = None,
        backend: BackendName = "surrogate",
        model: Model | None = None,
        steps: int = STEPS,
        n_seeds: int = 100,
        render_mode: str | None = None,
    ) -> None:
        self.set_up(scenario, task, backend, model, steps, n_seeds, render_mode)
        self.actions = ToolActions(self.scenario, within(self.task, Scope()))
        self.action_space = spaces.MultiDiscrete(list(self.actions.dimensions.values()))
        goal = self.task.goal if self.task else ()
        self.observation_names = (
            *observer_of(self.scenario).names,
            "steps_left",
            "changes_left",
            *(f"goal.{i}" for i in range(len(goal))),
        )
        self.observation_space = spaces.Box(-1, 1, (len(self.observation_names),), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats32, dict[str, Any]]:
        """Begin an episode; the seed is the network's."""
        super().reset(seed=seed)
        session = self.begin(seed, self.np_random)
        self.show()
        return session.observation(), session.info()

    def step(self, action: NDArray[np.int64]) -> tuple[Floats32, float, bool, bool, dict[str, Any]]:
        """Make a call, or none, and let an interval pass."""
        session = self.session
        interval = session.environment.backend.interval
        call = self.actions.call(action, session.view())
        info: dict[str, Any] = {"tool": "", "ok": True}
        if call is not None:
            answer = session.call(call)
            info = {"tool": call[0], "arguments": call[1], "ok": answer.ok,
                    "answer": answer.content}  # fmt: skip
        reward = session.end_step(interval)
        self.show()
        ends = session.terminated, session.truncated
        return session.observation(), float(reward), *ends, session.info() | info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which choices make sense now, all dimensions one after the other."""
        return np.concatenate(self.actions.masks(self.session.view()))
