# SPDX-License-Identifier: Apache-2.0
"""Why a task cannot do without a tool: `templates_by_tool`, `reveals`.

A control is set by one tool alone, so that a goal on it needs that tool. A tool that only reads is
needed where it says what the intent does not: which cell, link or user is meant. Whether it does is
tried: the same network with something else hidden must have the same intent and give another
answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent_learning.bench.drawing import draw_task, options_of
from agent_learning.bench.task import BenchTask, Split
from agent_learning.bench.template import Template
from env.backends.base import BackendName
from env.backends.making import make_backend
from env.tasks import Attempt, Call
from env.tools import TOOLS


def templates_by_tool(tasks: Sequence[BenchTask]) -> dict[str, list[str]]:
    """Templates whose shortest known solutions call each of the 42 tools."""
    found: dict[str, set[str]] = {tool: set() for tool in TOOLS}
    for task in tasks:
        for call in task.task.reference:
            found[call.tool].add(task.template)
    return {tool: sorted(templates) for tool, templates in found.items()}


def reveals(
    template: Template,
    seed: int,
    variable: str,
    split: Split = "evaluation",
    backend: BackendName = "surrogate",
) -> dict[str, bool]:
    """Whether readings tell apart what a variable may be, by the tools that a solution reads with.

    Args:
        template: that hides the variable.
        seed: of the network.
        variable: that is hidden.
        split: whose wording is taken.
        backend: that the readings are taken on.

    Raises:
        ValueError: the intent gives the variable away.
        BackendError: the network fails.
    """
    task = draw_task(template, seed, split)
    calls = [call for call in task.task.reference if TOOLS[call.tool].read_only]
    told: dict[str, bool] = {call.tool: False for call in calls}
    options = options_of(template, seed, split, variable)
    tasks = [draw_task(template, seed, split, {variable: option}) for option in options]
    if len({one.task.intent for one in tasks}) > 1:
        raise ValueError(f"the intent of {template.name} gives {variable} away")
    other = next(one for one in tasks if _changes(one) != _changes(task))
    # Readings stop where something is found: all of both solutions are taken on both networks.
    calls = list({c.model_dump_json(): c for t in (task, other) for c in t.task.reference}.values())
    answers = [_answers(one, calls, backend) for one in (task, other)]
    for call, one, another in zip(calls, *answers, strict=True):
        if TOOLS[call.tool].read_only and one != another:
            told[call.tool] = True
    return told


def _changes(task: BenchTask) -> list[Call]:
    return [call for call in task.task.reference if not TOOLS[call.tool].read_only]


def _answers(task: BenchTask, calls: Sequence[Call], backend: BackendName) -> list[Any]:
    attempt = Attempt(task.task, make_backend(backend, task.task.network, task.seed))
    with attempt.environment as environment:
        return [
            environment.call(call.tool, call.arguments).content
            if TOOLS[call.tool].read_only
            else None
            for call in calls
        ]
