# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from agent_learning.bench.auditing import RECORDS, Audited, audit, audit_task, read_audit
from agent_learning.bench.drawing import draw_task
from agent_learning.bench.searching import attempt_calls, shortest_solution
from agent_learning.bench.splits import Solved, draw_split, move_easy, seeds_of, settled
from agent_learning.bench.task import EVALUATION_SEEDS, BenchTask
from agent_learning.bench.template import load_template
from agent_learning.errors import BenchUserError
from env.backends.base import Backend, BackendName
from env.backends.making import make_backend


def drawn(name: str, **changes: object) -> BenchTask:
    task = draw_task(load_template(name), 51, "evaluation")
    return task.model_copy(update={"task": task.task.model_copy(update=changes)})


@pytest.mark.parametrize("backend", ["surrogate", "ns3"])
@pytest.mark.parametrize("name", ["free_throttled_slice", "hand_over_to_survivor"])
def test_sound_tasks_are_found_sound_on_both_backends(name: str, backend: BackendName) -> None:
    assert audit_task(drawn(name), backend).faults == ()


def test_what_is_wrong_with_a_task_is_found() -> None:
    name = "free_throttled_slice"
    assert audit_task(drawn(name, reference=()), "surrogate").faults == ("reference fails",)
    without = audit_task(drawn(name, settings=()), "surrogate")
    assert without.faults[:2] == ("holds at the start", "waiting solves it")
    goal = drawn(name).task.goal
    easy = tuple(g.model_copy(update={"value": -1.0}) for g in goal if g.kind == "kpi")
    assert audit_task(drawn(name, goal=easy), "surrogate").random_solved == 1


def test_an_audit_goes_on_where_it_stopped(tmp_path: Path) -> None:
    tasks = [draw_task(load_template("climb"), seed, "evaluation") for seed in (51, 52)]
    first = audit(tasks[:1], "surrogate", tmp_path)
    with (tmp_path / RECORDS).open("a") as file:
        file.write('{"task_id": "cut o')
    assert read_audit(tmp_path) == first
    steps: list[tuple[int, int]] = []
    both = audit(tasks, "surrogate", tmp_path, on_done=lambda *step: steps.append(step))
    assert both[0] == first[0]
    assert [one.task_id for one in both] == [task.id for task in tasks]
    assert steps == [(1, 2), (2, 2)]
    assert read_audit(tmp_path) == both
    (tmp_path / RECORDS).write_text("{}\n")
    with pytest.raises(BenchUserError, match="line 1: this is no finding"):
        read_audit(tmp_path)


def test_solutions_lose_what_they_do_not_need() -> None:
    task = drawn("free_throttled_slice").task
    reading, change = task.reference
    detour = change.model_copy(update={"arguments": {**change.arguments, "level": "reduce_rate"}})
    long = task.model_copy(update={"reference": (reading, detour, change), "max_changes": 9})

    def make() -> Backend:
        return make_backend("surrogate", task.network, 51)

    assert shortest_solution(long, make, keep_readings=True) == (reading, change)
    assert shortest_solution(long, make, keep_readings=False) == (change,)


def test_a_solution_is_found_without_a_suggestion() -> None:
    task = drawn("end_shortage", reference=()).task

    def make() -> Backend:
        return make_backend("surrogate", task.network, 51)

    found = shortest_solution(task, make, keep_readings=False)
    assert found
    assert attempt_calls(task, make, found).succeeded


def test_unsound_tasks_are_not_drawn() -> None:
    assert settled(drawn("free_throttled_slice", settings=()), True) is None
    template = load_template("free_throttled_slice")
    tasks = draw_split([template], "evaluation", 3)
    assert len({task.id for task in tasks}) == 3
    assert all(audit_task(task, "surrogate").faults == () for task in tasks)
    assert sorted(seeds_of(template, "evaluation")) == list(EVALUATION_SEEDS)


def test_tasks_that_every_agent_solves_become_basic() -> None:
    easy, hard, untried = (
        draw_task(load_template("climb"), seed, "evaluation") for seed in (51, 52, 53)
    )
    solved = [
        *(Solved(easy.id, agent, 0.9) for agent in ("rules", "planner")),
        Solved(hard.id, "rules", 0.8),
        Solved(hard.id, "planner", 1.0),
        Solved(untried.id, "planner", 1.0),
    ]
    moved = move_easy([easy, hard, untried], solved)
    assert [task.split for task in moved] == ["basic", "evaluation", "evaluation"]
    assert moved[0].id == easy.id
    assert move_easy([easy], []) == [easy]


def test_random_success_counts_above_a_half() -> None:
    fields = {"task_id": "t", "template": "t", "domain": "uav", "tier": "L1", "split": "evaluation"}
    one = Audited(**fields, backend="ns3", model_sha256="", reference_solves=True)  # type: ignore[arg-type]
    at_most = one.model_copy(update={"random_solved": 1, "random_episodes": 2})
    assert at_most.faults == ()
    above = one.model_copy(update={"random_solved": 2, "random_episodes": 3})
    assert above.faults == ("random agent solves it",)
