# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agent_learning.baselines.moves import moves_for
from agent_learning.baselines.planner import Planner
from agent_learning.baselines.settings import keep, setting
from env.backends.making import make_backend
from env.environment import Environment
from env.errors import ToolError
from env.playing import Played, play
from env.tasks import Attempt, Call, Task, load_task
from env.tools import TOOLS
from env.tools.proposing import changes_of
from env.tools.reasoning.foresight import ToolCall
from env.view import Scope, View
from ns3_scenarios.control_ranges import Span, control_ranges
from ns3_scenarios.controls import ControlState
from ns3_scenarios.library import load_scenario

TASKS = ("climb_higher", "move_vision", "save_power", "widen_carriers")


def _play(task: Task, backend: Any = "surrogate", seed: int = 51) -> Played:
    return play(lambda: make_backend(backend, task.network, seed), Planner(task), task=task)


def _calls(played: Played) -> Sequence[tuple[str, Any]]:
    return [(event.tool, event.arguments) for event in played.environment.events]


@pytest.mark.parametrize("name", TASKS)
def test_it_solves_packaged_tasks(name: str) -> None:
    assert _play(load_task(name)).outcome == "success"


def test_it_knows_nothing_of_the_reference() -> None:
    task = load_task("leave_slow_trunk")
    other = (Call(tool="set_cell_tx_power", arguments={"cell": "c0", "tx_power_dbm": 0}),)
    calls = [_calls(_play(t)) for t in (task, task.model_copy(update={"reference": other}))]
    assert calls[0] == calls[1]


def test_it_plans_on_a_model_of_its_own_whatever_the_backend_could_foresee() -> None:
    """Its view has no look-ahead, and it may not use the one of the episode."""
    task = load_task("end_degradation")
    backend = make_backend("surrogate", task.network, 51)

    def refuse(*_: object) -> Any:
        raise AssertionError("it asked the network of the episode for its future")

    backend.futures = refuse  # type: ignore[method-assign]
    assert play(lambda: backend, Planner(task), task=task).outcome == "success"


def test_its_plans_hold_on_live_ns3() -> None:
    assert _play(load_task("end_degradation"), "ns3").outcome == "success"


def _with(task: Task, **fields: Any) -> Task:
    data = task.model_dump(mode="json")
    return Task.model_validate(data | fields)


def test_it_keeps_constraints_on_controls() -> None:
    """The way that it takes first is closed, so it takes another."""
    task = load_task("leave_slow_trunk")
    free = _calls(_play(task))
    assert free[0][0] == "reroute_flow"
    closed = _with(
        task,
        constraints=[
            {
                "kind": "control",
                "path": "slices.embb.routes.s0.core",
                "comparison": "==",
                "value": "auto",
            }
        ],
    )
    played = _play(closed)
    assert played.outcome == "success"
    assert all(event.answer.ok for event in played.environment.events)
    assert played.environment.backend.controls.get("slices.embb.routes.s0.core") == "auto"


def test_it_sets_controls_that_a_goal_names() -> None:
    goal = [
        {"kind": "control", "path": "cells.*.tilt_deg", "comparison": "<", "value": 5},
        {"kind": "control", "path": "cells.c1.scheduler", "comparison": "==", "value": "qos"},
        {"kind": "control", "path": "links.trunk.queue", "comparison": "!=", "value": "fifo"},
    ]
    task = _with(load_task("end_degradation"), goal=goal, settings=[], max_changes=6)
    played = _play(task)
    assert played.outcome == "success"
    assert len(played.environment.changes) <= 5


def test_it_calls_nothing_out_of_its_scope() -> None:
    task = load_task("leave_slow_trunk").model_copy(update={"tools": ("graceful_degradation",)})
    played = _play(task)
    assert {tool for tool, _ in _calls(played)} <= {"graceful_degradation"}
    assert all(event.answer.ok for event in played.environment.events)


def test_it_stops_where_it_may_change_nothing() -> None:
    task = load_task("leave_slow_trunk").model_copy(update={"tools": ("get_topology",)})
    assert _calls(_play(task)) == []


@pytest.mark.parametrize("name", ["quickstart", "uav_corridor", "edge_campus"])
def test_every_control_but_positions_and_orders_can_be_set_by_a_call(name: str) -> None:
    scenario = load_scenario(name)
    with Environment(make_backend("surrogate", scenario, 1)) as environment:
        view = environment.view()
    alone = ("waypoint", "target_cell")
    for path, range_ in control_ranges(scenario).items():
        if any(word in path.split(".") for word in alone):
            assert setting(path, "") is None
            continue
        now = view.controls.get(path)
        values = range_.sweep
        tries = [values.min, values.max] if isinstance(values, Span) else values
        for value in tries:
            call = setting(path, value)
            assert call is not None, path
            after = _after(view, [call])
            if after and not path.endswith("route"):
                assert after.get(path) in (value, pytest.approx(value)), path
        assert view.controls.get(path) == now


def _after(view: View, calls: Sequence[ToolCall]) -> ControlState | None:
    """Controls after some calls; None where the network does not allow them together."""
    try:
        after, _ = changes_of(view, [(c.tool, c.arguments) for c in calls])
    except ToolError as error:
        if error.code != "not_allowed":
            raise
        return None
    return after.controls


def test_waiting_changes_nothing() -> None:
    backend = make_backend("surrogate", load_scenario("quickstart"), 1)
    attempt = Attempt(load_task("end_degradation"), backend)
    view = attempt.environment.view()
    wait = keep(view)
    assert wait is not None
    assert _after(view, wait.calls) == view.controls


@pytest.mark.parametrize("name", ["save_power", "cover_suburb", "move_navigation", "climb_higher"])
def test_moves_can_nearly_all_be_made_and_are_no_longer_than_allowed(name: str) -> None:
    task = load_task(name)
    attempt = Attempt(task, make_backend("surrogate", task.network, 51))
    view = attempt.environment.view()
    moves = moves_for(view, task.goal, 4)
    assert len(moves) >= 3
    assert max(len(move.calls) for move in moves) <= 4
    made = [_after(view, move.calls) for move in moves]
    assert sum(after is not None for after in made) >= 0.9 * len(moves)


def test_what_was_set_wrong_can_be_set_as_planned() -> None:
    task = load_task("widen_embb")
    attempt = Attempt(task, make_backend("surrogate", task.network, 51))
    view = attempt.environment.view()
    planned = next(m for m in moves_for(view, task.goal, 20) if "as planned" in m.strategy)
    assert _after(view, planned.calls) == ControlState.initial(view.scenario)


def test_an_agent_of_a_team_does_its_part_and_leaves_the_rest_to_others() -> None:
    goal = [{"kind": "control", "path": "cells.*.tilt_deg", "comparison": "==", "value": 5}]
    task = _with(load_task("end_degradation"), goal=goal, settings=[])
    attempt = Attempt(task, make_backend("surrogate", task.network, 51))
    scope = Scope(elements=frozenset({"c0"}))
    view = attempt.environment.view(scope)
    planner = Planner(task)
    planner.start(task.intent, view, 1)
    call = planner.act(view, None)
    assert call == ("set_antenna_tilt", {"cell": "c0", "tilt_deg": 5})
    answer = attempt.call(*call)
    passes = 0
    while call := planner.act(attempt.environment.view(scope), answer):
        assert TOOLS[call[0]].read_only
        answer = attempt.call(*call)
        passes += 1
    assert 1 <= passes <= 10


def test_it_flies_uavs_where_a_goal_wants_them() -> None:
    goal = [
        {"kind": "control", "path": "ues.u1.waypoint.z_m", "comparison": ">=", "value": 95},
        {"kind": "control", "path": "ues.u1.waypoint.x_m", "comparison": "==", "value": 10},
    ]
    task = _with(load_task("climb_higher"), goal=goal, max_changes=2)
    played = _play(task)
    assert played.outcome == "success"
    assert [c.tool for c in played.environment.changes] == ["set_waypoint"]


def test_shares_of_slices_are_made_to_fit() -> None:
    goal = [
        {
            "kind": "control",
            "path": "cells.c0.slices.urllc.min_pct",
            "comparison": ">=",
            "value": 60,
        },
        {
            "kind": "control",
            "path": "cells.c0.slices.embb.max_pct",
            "comparison": "<=",
            "value": 20,
        },
    ]
    task = _with(load_task("end_degradation"), goal=goal, settings=[])
    played = _play(task)
    assert played.outcome == "success"
    assert all(event.answer.ok for event in played.environment.events)
    assert len(played.environment.changes) == 2
