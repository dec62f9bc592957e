# SPDX-License-Identifier: Apache-2.0
"""Shortest known solutions: what a template suggests, made shorter on a network, or found there.

A solution is shortened by leaving out one call after the other for as long as the goal is still
reached. Where the suggestion does not reach it, `evaluate_intent_feasibility` is asked for changes
that do, again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from env.backends.base import Backend
from env.tasks import Attempt, Call, Task
from env.tools import TOOLS

MakeBackend = Callable[[], Backend]
ROUNDS = 4
"""Times that changes are looked for, each on what the ones before have left."""
HORIZON = 5
"""Intervals that a search looks ahead."""


@dataclass(frozen=True)
class Tried:
    """What calls come to."""

    succeeded: bool
    taken: tuple[Call, ...]
    """That were made before the attempt was over, and not refused."""


def attempt_calls(task: Task, make: MakeBackend, calls: Sequence[Call]) -> Tried:
    """Make calls at a task, one after the other, until it is over.

    Raises:
        BackendError: the network fails.
    """
    attempt = Attempt(task, make())
    taken = []
    with attempt.environment:
        for call in calls:
            if attempt.status != "running":
                break
            if attempt.call(call.tool, call.arguments).ok:
                taken.append(call)
    return Tried(attempt.status == "success", tuple(taken))


def shortest_solution(
    task: Task, make: MakeBackend, *, keep_readings: bool
) -> tuple[Call, ...] | None:
    """The shortest solution that is found; None without any.

    Args:
        task: whose reference is a first guess.
        make: the network, the same each time.
        keep_readings: whether calls that only read belong to a solution, since they reveal what
            its changes are.

    Raises:
        BackendError: the network fails.
    """
    tried = attempt_calls(task, make, task.reference)
    if not tried.succeeded:
        tried = _found(task, make)
    if not tried.succeeded:
        return None
    calls = [c for c in tried.taken if keep_readings or not TOOLS[c.tool].read_only]
    for number in reversed(range(len(calls))):
        if TOOLS[calls[number].tool].read_only:
            continue
        fewer = calls[:number] + calls[number + 1 :]
        again = attempt_calls(task, make, fewer)
        if again.succeeded and again.taken == tuple(fewer):
            calls = fewer
    return tuple(calls)


def _found(task: Task, make: MakeBackend) -> Tried:
    """A solution that reasoning finds on the way."""
    attempt = Attempt(task, make())
    goal = [predicate.model_dump() for predicate in task.goal]
    taken: list[Call] = []
    with attempt.environment as environment:
        for _ in range(ROUNDS):
            asked = environment.call(
                "evaluate_intent_feasibility", {"intent": goal, "horizon": HORIZON}
            )
            changes = asked.content["changes"] if asked.ok else []
            for change in changes:
                call = Call.model_validate(change)
                if attempt.status == "running" and attempt.call(call.tool, call.arguments).ok:
                    taken.append(call)
            if not changes or attempt.status != "running":
                break
    return Tried(attempt.status == "success", tuple(taken))
