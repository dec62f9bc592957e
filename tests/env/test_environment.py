# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from env.environment import Environment
from env.tools import TOOLS
from env.view import Scope

POWER = {"cell": "c0", "tx_power_dbm": 30}


@pytest.mark.parametrize(
    ("name", "arguments", "code", "argument"),
    [
        ("open_door", {}, "unknown_tool", "name"),
        ("set_cell_tx_power", {"cell": "c0"}, "bad_arguments", "tx_power_dbm"),
        ("set_cell_tx_power", {**POWER, "z": 1}, "bad_arguments", "z"),
        ("set_cell_tx_power", {**POWER, "tx_power_dbm": "30"}, "bad_arguments", "tx_power_dbm"),
        ("set_cell_tx_power", {**POWER, "tx_power_dbm": 60.1}, "bad_arguments", "tx_power_dbm"),
        ("set_cell_tx_power", {**POWER, "tx_power_dbm": True}, "bad_arguments", "tx_power_dbm"),
        ("set_cell_tx_power", {**POWER, "tx_power_dbm": float("nan")}, "bad_arguments", ""),
        ("set_cell_tx_power", [1], "bad_arguments", ""),
        ("set_cell_tx_power", {**POWER, "cell": "c9"}, "no_such_element", "cell"),
        ("set_cell_tx_power", {**POWER, "cell": "c" * 70_000}, "bad_arguments", ""),
        ("rollback_change", {"change_id": "c1"}, "no_such_element", "change_id"),
    ],
)
def test_bad_call_changes_nothing_and_says_why(
    live: Environment, name: str, arguments: Any, code: str, argument: str
) -> None:
    before = live.backend.state_hash()
    answer = live.call(name, arguments)
    assert not answer.ok
    assert answer.content["code"] == code
    assert answer.content.get("argument", "") == argument
    assert live.backend.state_hash() == before
    assert answer.interval == live.backend.interval


def test_change_takes_effect_and_runs_one_interval(live: Environment) -> None:
    before = live.backend.controls
    answer = live.call("set_cell_tx_power", POWER)
    assert answer.ok
    assert answer.content["settings"] == [
        {"path": "cells.c0.tx_power_dbm", "before": 38.0, "after": 30.0}
    ]
    assert live.backend.interval == 3
    after = live.backend.controls
    assert [p for p in before.paths() if before.get(p) != after.get(p)] == ["cells.c0.tx_power_dbm"]
    assert live.backend.history[-1].rows("cell", cell="c0")[0]["tx_power_dbm"] == 30


def test_reads_leave_the_simulation_as_it_would_have_been(live: Environment) -> None:
    live.call("set_cell_tx_power", POWER)
    before = live.backend.state_hash()
    for _ in range(3):
        assert live.call("get_cell_config", {"cell": "c1"}).ok
        live.view().futures((), 1, 2)
    assert live.backend.state_hash() == before
    undisturbed = live.backend.futures((), 1, 1).draws[0][0]
    live.run_on()
    assert live.backend.history[-1].interval == undisturbed.interval


def test_futures_are_draws_of_what_may_come(live: Environment) -> None:
    def throughput_mbps() -> list[list[float]]:
        draws = live.backend.futures((), 2, 3).draws
        return [[k.column("network", "throughput_mbps").sum() for k in draw] for draw in draws]

    first = throughput_mbps()
    assert throughput_mbps() == first
    assert len({tuple(draw) for draw in first}) == 3


def test_rollbacks_restore_controls_in_any_order_that_does_not_conflict(live: Environment) -> None:
    start = live.backend.controls
    ids = [
        live.call("set_cell_tx_power", {"cell": cell, "tx_power_dbm": dbm}).content["change_id"]
        for cell, dbm in (("c0", 30), ("c1", 31), ("c0", 32))
    ]
    conflict = live.call("rollback_change", {"change_id": ids[0]})
    assert conflict.content["code"] == "conflict"
    assert ids[2] in conflict.content["message"]
    for change_id in (ids[1], ids[2], ids[0]):
        assert live.call("rollback_change", {"change_id": change_id}).ok
    assert live.backend.controls == start
    again = live.call("rollback_change", {"change_id": ids[0]})
    assert again.content["code"] == "not_allowed"


def test_scope_hides_tools_and_elements(live: Environment) -> None:
    scope = Scope(tools=frozenset({"get_cell_config"}), elements=frozenset({"c1"}))
    assert live.call("get_cell_config", {"cell": "c1"}, scope=scope).ok
    hidden = live.call("get_cell_config", {"cell": "c0"}, scope=scope)
    assert hidden.content["allowed"] == ["c1"]
    assert live.call("set_cell_tx_power", POWER, scope=scope).content["code"] == "unknown_tool"


def test_rollback_is_bound_to_the_scope(live: Environment) -> None:
    """What an agent may not set, it may not set back."""
    calls = [
        ("set_cell_tx_power", {"cell": "c0", "tx_power_dbm": 30}),
        ("set_cell_tx_power", {"cell": "c1", "tx_power_dbm": 31}),
        ("trigger_slice_reallocation", {"cell": "c1", "slice": "embb", "max_pct": 90}),
        ("set_handover_params", {"cell": "c1", "neighbour": "c2", "cio_db": 2}),
    ]
    for name, arguments in calls:
        assert live.call(name, arguments).ok
    before, scope = live.backend.state_hash(), Scope(elements=frozenset({"c1"}))
    for change_id in ("c1", "c3", "c4"):
        refused = live.call("rollback_change", {"change_id": change_id}, scope=scope).content
        assert (refused["code"], refused["allowed"]) == ("no_such_element", ["c2"])
    assert live.backend.state_hash() == before
    recent = live.call("list_alarms", scope=scope).content["recent_changes"]
    assert [change["change_id"] for change in recent] == ["c2"]
    assert live.call("rollback_change", {"change_id": "c2"}, scope=scope).ok
    wider = Scope(elements=frozenset({"c1", "c2", "embb"}))
    for change_id in ("c3", "c4"):
        assert live.call("rollback_change", {"change_id": change_id}, scope=wider).ok
    assert not live.call("rollback_change", {"change_id": "c1"}, scope=wider).ok


def test_an_episode_takes_only_so_many_calls(live: Environment) -> None:
    live.max_calls = 1
    assert live.call("get_cell_config", {"cell": "c0"}).ok
    assert live.call("get_cell_config", {"cell": "c0"}).content["code"] == "episode_over"


def test_schemas_are_closed_and_described() -> None:
    for tool in TOOLS.values():
        assert tool.schema["additionalProperties"] is False
        assert "$ref" not in str(tool.schema)
        assert all(p.get("description") for p in tool.schema["properties"].values())
        assert tool.description
