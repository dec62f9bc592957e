# SPDX-License-Identifier: Apache-2.0
"""Which tasks are for training, which for evaluation: `draw_split`, `move_easy`.

Seeds are apart: 1 to 50 for training, 51 to 80 for evaluation. Templates are apart in part: those
without training wordings are never trained on. Training intents that come close to an evaluation
intent (ROUGE-L of 0.7) are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from agent_learning.bench.auditing import idle
from agent_learning.bench.drawing import draw_task
from agent_learning.bench.leakage import leaking
from agent_learning.bench.searching import shortest_solution
from agent_learning.bench.task import EVALUATION_SEEDS, TRAINING_SEEDS, BenchTask, Split
from agent_learning.bench.template import Template
from env.backends.base import Backend
from env.backends.making import make_backend
from ns3_scenarios.processes import unordered
from ns3_scenarios.scenario.base import canonical_json

PER_TEMPLATE: Mapping[Split, int] = {"evaluation": 12, "train": 20}
EASY = 0.8
"""Success rate above which an agent finds a task easy."""


def draw_split(
    templates: Sequence[Template],
    split: Split,
    per_template: int | None = None,
    *,
    apart_from: Sequence[BenchTask] = (),
    jobs: int = 1,
    on_done: Callable[[int, int], None] | None = None,
) -> list[BenchTask]:
    """Tasks that the surrogate finds sound, with the shortest solutions that are found on it.

    Args:
        templates: all or some; for training, those without wordings for it are passed over.
        split: train or evaluation.
        per_template: tasks at most of each.
        apart_from: evaluation tasks whose intents no intent may come close to.
        jobs: processes.
        on_done: told of how many of how many templates are done.

    Raises:
        BenchUserError: a template makes no task.
        WorkerError: processes are killed again and again.
    """
    most = per_template or PER_TEMPLATE[split]
    known = tuple(sorted({task.task.intent for task in apart_from}))
    fit = [one for one in templates if split != "train" or one.use == "shared"]
    calls = {one.name: (one, split, most, known) for one in fit}
    found: dict[str, list[BenchTask]] = {}
    again = "its template is drawn once more"
    for name, tasks in unordered(_sound_tasks, calls, jobs, whose="that draw", again=again):
        found[name] = tasks
        if on_done:
            on_done(len(found), len(fit))
    return [task for one in fit for task in found[one.name]]


def _sound_tasks(
    template: Template, split: Split, most: int, apart_from: tuple[str, ...]
) -> list[BenchTask]:
    """Sound tasks of one template; those whose content is like that of another come last."""
    drawn = [draw_task(template, seed, split) for seed in seeds_of(template, split)]
    if apart_from:
        leaks = leaking([task.task.intent for task in drawn], apart_from)
        drawn = [task for task, leak in zip(drawn, leaks, strict=True) if not leak]
    first: dict[str, BenchTask] = {}
    for task in drawn:
        first.setdefault(_likeness(task), task)
    fresh = {task.id for task in first.values()}
    found: list[BenchTask] = []
    for task in sorted(drawn, key=lambda task: task.id not in fresh):
        if len(found) < most and (sound := settled(task, bool(template.hidden))):
            found.append(sound)
    return sorted(found, key=lambda task: task.seed)


def settled(task: BenchTask, keep_readings: bool) -> BenchTask | None:
    """The task with the shortest solution that is found on the surrogate; None if it is unsound.

    Args:
        task: as drawn.
        keep_readings: whether calls that only read belong to a solution.
    """

    def make() -> Backend:
        return make_backend("surrogate", task.task.network, task.seed)

    if any(idle(task.task, make)):
        return None
    solution = shortest_solution(task.task, make, keep_readings=keep_readings)
    if solution is None:
        return None
    shorter = task.task.model_copy(update={"reference": solution})
    return BenchTask.make(task.template, task.domain, task.split, task.seed, shorter, task.agents)


def seeds_of(template: Template, split: Split) -> list[int]:
    """The seeds of a split, from another one on for each template, so that all are used alike."""
    seeds = list(TRAINING_SEEDS if split == "train" else EVALUATION_SEEDS)
    first = int(hashlib.sha256(template.name.encode()).hexdigest(), 16) % len(seeds)
    return seeds[first:] + seeds[:first]


def _likeness(task: BenchTask) -> str:
    """Equal in tasks that differ in wording and seed only."""
    fields = task.task.model_dump(mode="json", exclude={"intent", "reference", "scenario"})
    return canonical_json([task.task.scenario.name, fields])


class Solved(NamedTuple):
    """How often an agent solves a task."""

    task_id: str
    agent: str
    rate: float


def move_easy(tasks: Iterable[BenchTask], solved: Iterable[Solved]) -> list[BenchTask]:
    """The same tasks, those in the split `basic` that every agent solves above 80 %.

    Args:
        tasks: of any split; training tasks stay where they are.
        solved: rates of agents; tasks that some of the agents have not tried stay.
    """
    rates: dict[str, dict[str, float]] = {}
    for one in solved:
        rates.setdefault(one.task_id, {})[one.agent] = one.rate
    agents = {agent for by_agent in rates.values() for agent in by_agent}

    def is_easy(task: BenchTask) -> bool:
        mine = rates.get(task.id, {})
        return bool(agents) and mine.keys() == agents and min(mine.values()) > EASY

    return [
        task.model_copy(update={"split": "basic"})
        if task.split == "evaluation" and is_easy(task)
        else task
        for task in tasks
    ]
