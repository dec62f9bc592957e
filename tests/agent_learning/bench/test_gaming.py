# SPDX-License-Identifier: Apache-2.0
"""Nothing but the goal, reached within the constraints, is a success."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent_learning.bench.rescoring import play_again
from agent_learning.bench.task import BenchTask
from agent_learning.bench.trial import TrialRecord
from env.agents import Agent, Call
from env.environment import Answer
from env.view import View

Calls = list[tuple[str, dict[str, Any]]]
MakeTask = Callable[..., BenchTask]
Play = Callable[..., TrialRecord]


def power(cell: str, tx_power_dbm: float) -> tuple[str, dict[str, Any]]:
    return "set_cell_tx_power", {"cell": cell, "tx_power_dbm": tx_power_dbm}


def scores_nothing(record: TrialRecord) -> None:
    assert record.status == "failure"
    assert record.spl == 0


def test_solution_scores_all(make_task: MakeTask, solution: Calls, play: Play) -> None:
    record = play(make_task(), solution)
    assert record.status == "success"
    assert record.spl == 1
    assert record.counts.changes == record.shortest == 3
    assert record.counts.constraint_violations == record.counts.invalid_calls == 0


def test_detour_shortens_spl_but_reading_does_not(
    make_task: MakeTask, solution: Calls, play: Play
) -> None:
    read = ("list_alarms", {})
    assert play(make_task(), [read, solution[0], read, *solution[1:]]).spl == 1
    assert play(make_task(), [power("c0", 35), *solution]).spl == 3 / 4


def test_talk_is_no_success(make_task: MakeTask, talker: Agent, play: Play) -> None:
    record = play(make_task(), talker)
    scores_nothing(record)
    assert record.counts.steps == 0


def test_stopping_early_is_no_success(make_task: MakeTask, solution: Calls, play: Play) -> None:
    """Also not one interval before the goal has held long enough."""
    scores_nothing(play(make_task(), solution[:2]))
    scores_nothing(play(make_task(advance=1), solution))


def test_breaking_the_network_and_rolling_back_is_no_success(
    make_task: MakeTask, play: Play
) -> None:
    back = [("rollback_change", {"change_id": f"c{n}"}) for n in (1, 2, 3, 4)]
    broken = [power(cell, -30) for cell in ("c0", "c1", "c2")]
    over_at_once = play(make_task(), [*broken, *back])
    scores_nothing(over_at_once)
    assert over_at_once.counts.changes == over_at_once.counts.constraint_violations == 1
    free = play(make_task(constraints=[]), [*broken[:2], *back[:2]])
    scores_nothing(free)
    assert [call.ok for call in free.calls] == [True] * 4
    assert free.counts.harmful_changes >= 1
    assert free.counts.constraint_violations == 0


def test_repeated_reading_is_no_success(make_task: MakeTask, play: Play) -> None:
    record = play(make_task(), [("get_network_state", {})] * 50)
    scores_nothing(record)
    assert record.reason == "all 12 calls were used"
    assert record.counts.steps == 12
    assert record.counts.changes == 0


def test_goal_with_a_broken_constraint_is_no_success(make_task: MakeTask, play: Play) -> None:
    """The last change reaches the goal and breaks the constraint in the same interval."""
    record = play(make_task(hold_intervals=1), [power("c1", 30), power("c2", 30), power("c0", -10)])
    assert record.calls[-1].moments[0].met
    scores_nothing(record)
    assert record.counts.constraint_violations == 1
    assert record.counts.harmful_changes >= 1


def test_constraint_on_controls_refuses_the_call(make_task: MakeTask, play: Play) -> None:
    awake = {"kind": "control", "path": "cells.*.sleep_mode", "comparison": "==", "value": "on"}
    record = play(
        make_task(constraints=[awake]), [("set_cell_sleep", {"cell": "c0", "mode": "off"})]
    )
    scores_nothing(record)
    assert record.counts.invalid_calls == 1
    assert record.counts.changes == 0


def test_breaking_down_is_a_failure_and_no_matter_of_infrastructure(
    make_task: MakeTask, solution: Calls, play: Play
) -> None:
    class Fragile:
        name = "fragile"

        def start(self, intent: str, view: View, seed: int) -> None:
            pass

        def act(self, view: View, last: Answer | None) -> Call | None:
            raise KeyError("cells")

    record = play(make_task(), Fragile())
    scores_nothing(record)
    assert "KeyError" in record.reason


def test_forged_kpis_are_found_by_a_replay(make_task: MakeTask, play: Play) -> None:
    """An agent in this process can write to the arrays that it is shown."""
    goal = {
        "kind": "kpi",
        "table": "network",
        "kpi": "within_budget_pct",
        "slice": "embb",
        "window": 5,
        "comparison": ">=",
        "value": 99.9,
    }

    class Forger:
        name = "forger"

        def start(self, intent: str, view: View, seed: int) -> None:
            self._calls = iter([power("c0", 26)])

        def act(self, view: View, last: Answer | None) -> Call | None:
            for kpis in view.history:
                kpis.column("network", "within_budget_pct")[:] = 1000.0
            return next(self._calls, None)

    task = make_task(goal=[goal], constraints=[])
    forged, honest = play(task, Forger()), play(task, [power("c0", 26)])
    assert (forged.status, honest.status) == ("success", "failure")
    assert play_again(honest, task).calls == honest.calls
    again = play_again(forged, task)
    assert again.calls != forged.calls
    assert again.status == "failure"
