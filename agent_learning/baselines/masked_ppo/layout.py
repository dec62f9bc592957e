# SPDX-License-Identifier: Apache-2.0
"""What a policy sees and chooses from: `Layout`, the same for all tasks of a scenario."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from env.agents import Call
from env.goals import Verdict, judge
from env.gym.actions import ToolActions
from env.gym.session import progress_of
from env.numbers.kpis import UNKNOWN, observer_of, reader_of_kpis
from env.numbers.places import Floats32, read_state
from env.tasks import Task
from env.view import View
from ns3_scenarios.scenario import ScenarioConfig

MOST_PREDICATES = 8
"""Of a goal, whose progress a policy sees."""
OWN = ("changes_left", *(f"goal.{i}" for i in range(MOST_PREDICATES)))


class Layout:
    """Observations and actions of a scenario, whatever the task and its faults.

    An observation has the figures of `Observer`, then the share of changes left and the progress
    of each predicate of the goal, -1 where there is none. An action is one of `ToolActions`, but
    for letting time pass: an agent that makes no call stops.

    Args:
        scenario: of the network.
    """

    def __init__(self, scenario: ScenarioConfig) -> None:
        self.scenario = scenario
        self._observer = observer_of(scenario)
        self.actions = ToolActions(scenario)
        self.observation_names = (*self._observer.names, *OWN)

    def start(self, task: Task, view: View) -> tuple[Verdict, ...]:
        """What has become of the goal before the first call."""
        return judge(task.goal, view.history, view.controls)

    def progress(self, task: Task, view: View, start: Sequence[Verdict]) -> list[float | None]:
        """Of each predicate: 0 as at the start, 1 where it holds; None where nothing is known."""
        now = judge(task.goal, view.history, view.controls)
        return [progress_of(one, then) for one, then in zip(now, start, strict=True)]

    def observation(self, task: Task, view: View, start: Sequence[Verdict]) -> Floats32:
        """What a policy sees, shape (len(observation_names),)."""
        read = reader_of_kpis(view.scenario, view.now)
        controls = read_state(self._observer.places, view.controls)
        left = 1 - len(view.changes) / task.max_changes
        own = np.full(len(OWN), UNKNOWN, np.float32)
        own[0] = left
        progress = self.progress(task, view, start)[:MOST_PREDICATES]
        own[1 : 1 + len(progress)] = [UNKNOWN if p is None else p for p in progress]
        return np.concatenate([self._observer.see(read, controls)[0], np.clip(own, -1, 1)])

    def masks(self, view: View) -> list[NDArray[np.bool_]]:
        """Which choices of each dimension there are now."""
        tool, *others = self.actions.masks(view)
        tool[0] = False
        tool[1:] &= [view.scope.has_tool(entry.tool.name) for entry in self.actions.entries]
        return [tool, *others]

    def call(self, action: Sequence[int] | NDArray[np.int64], view: View) -> Call | None:
        """The call that an action means."""
        return self.actions.call(action, view)


@lru_cache(maxsize=16)
def layout_of(scenario: ScenarioConfig) -> Layout:
    """The layout of a scenario; faults make no difference to it."""
    return Layout(scenario)
