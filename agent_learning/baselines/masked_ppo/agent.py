# SPDX-License-Identifier: Apache-2.0
"""Plays a trained policy: `PpoAgent`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agent_learning.baselines.masked_ppo.layout import layout_of
from agent_learning.baselines.masked_ppo.policy import CARD, Policy
from env.agents import Call
from env.environment import Answer
from env.tasks import Task
from env.view import View
from ns3_scenarios.scenario import ScenarioConfig


class PpoAgent:
    """Makes the calls that a policy draws; equal seeds give equal calls.

    Args:
        folder: of a checkpoint, or of one for each scenario in folders of their names.
        task: whose goal it sees the progress of.

    Raises:
        BenchUserError: the checkpoint cannot be read, or is of another scenario.
    """

    def __init__(self, folder: str | Path, task: Task) -> None:
        self.name = f"ppo:{folder}"
        folder = Path(folder)
        if not (folder / CARD).exists() and (folder / task.scenario.name).is_dir():
            folder /= task.scenario.name
        self._policy, self._task = Policy.load(folder), task
        self._layout = layout_of(without_faults(task.scenario))
        self._policy.check(self._layout)

    def start(self, intent: str, view: View, seed: int) -> None:
        """Seed the draws, and see how far off the goal is."""
        self._rng = np.random.default_rng(seed)
        self._begun = self._layout.start(self._task, view)

    def act(self, view: View, last: Answer | None) -> Call | None:
        """The next call."""
        seen = self._layout.observation(self._task, view, self._begun)
        masks = self._layout.masks(view)
        if not all(mask.any() for mask in masks):
            return None
        return self._layout.call(self._policy.choose(seen, masks, self._rng), view)


def without_faults(scenario: ScenarioConfig) -> ScenarioConfig:
    """The scenario as it is built: what fails makes no difference to what can be seen or done."""
    return scenario.model_copy(update={"faults": (), "random_faults": None})
