# SPDX-License-Identifier: Apache-2.0
"""One episode of tool calls and what it is worth: `Session`."""

from __future__ import annotations

from typing import Any

import numpy as np

from env.agents import Call
from env.backends.base import Backend
from env.environment import Answer, Environment
from env.goals import Verdict, judge
from env.numbers.kpis import UNKNOWN, observer_of, reader_of_kpis
from env.numbers.places import Floats32, read_state
from env.numbers.utility import utility_of
from env.tasks import Attempt, Task
from env.view import Scope, View


class Session:
    """An episode that one or several agents play, step by step.

    In a step one interval passes, or as many as the task lets pass after a change.

    With a task, what a step is worth is the progress that it makes: the change of the mean
    progress of the predicates of the goal, plus 1 on success, minus 1 where a constraint breaks. A
    predicate has progress 1 where it holds, 0 where the episode began, and what lies between in
    proportion to its margin, down to -1. Without a task, a step is worth the utility of its
    interval.

    Args:
        backend: a network that nothing was done to; the session closes it.
        task: to be reached, if there is one.
        steps: after which the episode is cut short.
        together: whether several agents call in the same step; else each call is a step.
    """

    def __init__(
        self, backend: Backend, task: Task | None, steps: int, together: bool = False
    ) -> None:
        self.task, self._steps, self._done = task, steps, 0
        self.attempt = Attempt(task, backend) if task else None
        self.environment = self.attempt.environment if self.attempt else Environment(backend)
        self._intervals = task.advance if task else 1
        if together:
            self.environment.advance = 0
        self._scenario = backend.scenario
        self._observer = observer_of(backend.scenario)
        self._utility: tuple[int, float] | None = None
        self._at_start = self._verdicts()
        self._progress = self._mean_progress()

    def view(self, scope: Scope | None = None) -> View:
        """What is known now, within the tools of the task and a scope."""
        return self.environment.view(within(self.task, scope or Scope()))

    def call(self, call: Call, agent: str = "", scope: Scope | None = None) -> Answer:
        """Call a tool; what is wrong with the call is in the answer."""
        return self.environment.call(*call, agent=agent, scope=within(self.task, scope or Scope()))

    def end_step(self, interval: int) -> float:
        """Let time pass, unless it has since a step began, and say what the step was worth.

        Args:
            interval: intervals done when the step began.
        """
        environment = self.environment
        if environment.backend.interval == interval and not environment.over:
            environment.run_on(self._intervals)
        self._done += 1
        if self.attempt is None:
            return self.utility
        before, self._progress = self._progress, self._mean_progress()
        reward = self._progress - before
        return reward + (self.attempt.status == "success") - self._broken()

    @property
    def utility(self) -> float:
        """Of the last interval."""
        interval = self.environment.backend.interval
        if self._utility is None or self._utility[0] != interval:
            read = reader_of_kpis(self._scenario, self.environment.backend.history[-1])
            self._utility = interval, float(utility_of(self._scenario).of(read)[0])
        return self._utility[1]

    @property
    def terminated(self) -> bool:
        """Whether the goal is reached or a constraint broken."""
        return self.attempt is not None and (self.attempt.status == "success" or self._broken())

    @property
    def truncated(self) -> bool:
        """Whether calls, changes or steps are used up before that."""
        over = bool(self.environment.over) or self._done >= self._steps
        return over and not self.terminated

    def observation(self) -> Floats32:
        """Figures of `Observer`, then share of steps left, share of changes left, and progress."""
        backend = self.environment.backend
        controls = read_state(self._observer.places, backend.controls)
        read = reader_of_kpis(self._scenario, backend.history[-1])
        changes = 1.0
        if self.task:
            changes -= len(self.environment.changes) / self.task.max_changes
        progress = [UNKNOWN if p is None else p for p in self._each_progress()]
        own = np.array([1 - self._done / self._steps, changes, *progress], np.float32)
        return np.concatenate([self._observer.see(read, controls)[0], np.clip(own, -1, 1)])

    def info(self) -> dict[str, Any]:
        """The interval, and what the episode has come to."""
        found: dict[str, Any] = {
            "interval": self.environment.backend.interval,
            "served_by": self.environment.backend.served_by,
            "utility": self.utility,
        }
        if self.attempt:
            found |= {"status": self.attempt.status, "reason": self.attempt.reason}
            found["progress"] = self._progress
        return found

    def close(self) -> None:
        """Close the network."""
        self.environment.close()

    def _verdicts(self) -> tuple[Verdict, ...]:
        if self.task is None:
            return ()
        backend = self.environment.backend
        return judge(self.task.goal, backend.history, backend.controls)

    def _broken(self) -> bool:
        if self.task is None:
            return False
        backend = self.environment.backend
        verdicts = judge(self.task.constraints, backend.history, backend.controls)
        return any(v.holds is False for v in verdicts)

    def _each_progress(self) -> list[float | None]:
        return [progress_of(v, s) for v, s in zip(self._verdicts(), self._at_start, strict=True)]

    def _mean_progress(self) -> float:
        known = [p or 0.0 for p in self._each_progress()]
        return sum(known) / len(known) if known else 0.0


def within(task: Task | None, scope: Scope) -> Scope:
    """What an agent of a task may see and do that has a scope of its own."""
    own = frozenset(task.tools if task else ())
    both = own & scope.tools if own and scope.tools else own | scope.tools
    return Scope(tools=both, elements=scope.elements)


def progress_of(now: Verdict, start: Verdict) -> float | None:
    """From 0 as at the start to 1 where it holds; None where nothing is known."""
    if now.holds is None:
        return None
    if now.holds:
        return 1.0
    if now.margin is None:
        return 0.0
    target = getattr(now.predicate, "value", 1.0)
    short = -start.margin if start.margin is not None and start.margin < 0 else abs(target) or 1.0
    return max(-1.0, 1 + now.margin / short)
