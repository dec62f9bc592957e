# SPDX-License-Identifier: Apache-2.0
"""Configuration tools change what they say and nothing else, within their bounds, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from env.environment import Environment
from env.errors import ErrorCode, ToolError
from env.tools import TOOLS
from env.tools.proposing import changes_of
from env.view import Change, Scope
from ns3_scenarios.controls import ControlState

Network = Callable[[str], Environment]
CONFIGURATION = [tool for tool in TOOLS.values() if tool.effect == "configuration"]
C0, HO, EMBB = "cells.c0", "cells.c0.handover", "cells.c0.slices.embb"
NEAR, FAR = "s0-agg-core", "s0-agg-ring-core"

GOOD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "switch_network_slice",
        {"ue": "u9", "slice": "embb"},
        {"ues.u9.flows.mtc0.slice": "embb"},
    ),
    (
        "switch_network_slice",
        {"ue": "u0", "flow": "vision", "slice": "urllc"},
        {"ues.u0.flows.vision.slice": "urllc"},
    ),
    (
        "trigger_slice_reallocation",
        {"cell": "c0", "slice": "embb", "dedicated_pct": 10, "min_pct": 20, "max_pct": 60},
        {f"{EMBB}.dedicated_pct": 10, f"{EMBB}.min_pct": 20, f"{EMBB}.max_pct": 60},
    ),
    (
        "trigger_slice_reallocation",
        {"cell": "c0", "slice": "embb", "max_pct": 55.5},
        {f"{EMBB}.max_pct": 55.5},
    ),
    (
        "edge_offload",
        {"application": "vision", "site": "cloud", "fraction": 0.5},
        {"applications.vision.site": "cloud", "applications.vision.fraction": 0.5},
    ),
    (
        "edge_offload",
        {"application": "vision", "fraction": 0},
        {"applications.vision.fraction": 0},
    ),
    (
        "graceful_degradation",
        {"slice": "embb", "level": "reduce_rate"},
        {"slices.embb.degradation": "reduce_rate"},
    ),
    ("set_cell_tx_power", {"cell": "c0", "tx_power_dbm": 30}, {f"{C0}.tx_power_dbm": 30}),
    ("set_antenna_tilt", {"cell": "c0", "tilt_deg": 4.5}, {f"{C0}.tilt_deg": 4.5}),
    (
        "set_cell_carrier",
        {"cell": "c0", "bandwidth_mhz": 10, "numerology": 2},
        {f"{C0}.bandwidth_mhz": 10, f"{C0}.numerology": 2},
    ),
    ("set_cell_carrier", {"cell": "c0", "numerology": 0}, {f"{C0}.numerology": 0}),
    (
        "set_scheduler",
        {"cell": "c0", "policy": "qos", "target_bler": 0.01},
        {f"{C0}.scheduler": "qos", f"{C0}.target_bler": 0.01},
    ),
    ("set_scheduler", {"cell": "c0", "policy": "max_ci"}, {f"{C0}.scheduler": "max_ci"}),
    (
        "set_handover_params",
        {"cell": "c0", "a3_offset_db": 4, "hysteresis_db": 2, "ttt_ms": 80},
        {f"{HO}.a3_offset_db": 4, f"{HO}.hysteresis_db": 2, f"{HO}.ttt_ms": 80},
    ),
    (
        "set_handover_params",
        {"cell": "c0", "neighbour": "c1", "cio_db": -3},
        {f"{HO}.cio_db.c1": -3},
    ),
    ("request_handover", {"ue": "u3", "target_cell": "c2"}, {}),
    (
        "set_cell_sleep",
        {"cell": "c0", "mode": "light", "wake_prb_pct": 20},
        {f"{C0}.sleep_mode": "light", f"{C0}.wake_prb_pct": 20},
    ),
    (
        "reroute_flow",
        {"slice": "embb", "path": FAR.split("-")},
        {"slices.embb.routes.s0.core": FAR},
    ),
    (
        "reroute_flow",
        {"ue": "u0", "flow": "xr0", "path": NEAR.split("-")},
        {"ues.u0.flows.xr0.route": NEAR},
    ),
    ("reroute_flow", {"link": "trunk", "queue": "codel"}, {"links.trunk.queue": "codel"}),
    (
        "set_waypoint",
        {"ue": "u0", "x_m": 10, "y_m": -20, "z_m": 50},
        {"ues.u0.waypoint.x_m": 10, "ues.u0.waypoint.y_m": -20, "ues.u0.waypoint.z_m": 50},
    ),
]
IRREVERSIBLE = ("request_handover", "set_waypoint")

IN_FORCE = {
    ("cell", "cell", "c0"): [
        (f"{C0}.tx_power_dbm", "tx_power_dbm"),
        (f"{C0}.tilt_deg", "tilt_deg"),
        (f"{C0}.bandwidth_mhz", "bandwidth_mhz"),
        (f"{C0}.numerology", "numerology"),
        (f"{C0}.scheduler", "scheduler"),
        (f"{C0}.sleep_mode", "sleep_mode"),
        (f"{C0}.wake_prb_pct", "wake_prb_pct"),
        (f"{HO}.a3_offset_db", "a3_offset_db"),
        (f"{HO}.hysteresis_db", "hysteresis_db"),
        (f"{HO}.ttt_ms", "ttt_ms"),
    ],
    ("slice", "slice", "embb"): [
        (f"{EMBB}.dedicated_pct", "dedicated_pct"),
        (f"{EMBB}.min_pct", "min_pct"),
        (f"{EMBB}.max_pct", "max_pct"),
    ],
    ("network", "slice", "embb"): [("slices.embb.degradation", "degradation")],
    ("application", "application", "vision"): [
        ("applications.vision.site", "site"),
        ("applications.vision.fraction", "fraction"),
    ],
    ("link", "link", "trunk"): [("links.trunk.queue", "queue")],
    ("flow", "flow", "vision"): [("ues.u0.flows.vision.slice", "slice")],
}
"""Where KPI tables of live NS-3 say what is in force: the first row of a table with a name."""


def scenario_of(tool: str) -> str:
    return "uav_corridor" if tool == "set_waypoint" else "quickstart"


def differences(before: ControlState, after: ControlState) -> dict[str, Any]:
    return {p: after.get(p) for p in before.paths() if before.get(p) != after.get(p)}


def state(environment: Environment) -> tuple[Any, ...]:
    backend = environment.backend
    return (
        backend.state_hash(),
        backend.interval,
        backend.controls,
        len(backend.history),
        len(environment.changes),
    )


def refuse(
    environment: Environment, tool: str, arguments: Any, code: str, scope: Scope | None = None
) -> dict[str, Any]:
    before = state(environment)
    answer = environment.call(tool, arguments, scope=scope)
    assert not answer.ok, arguments
    assert answer.content["code"] == code, answer.content
    assert "\n" not in answer.content["message"]
    assert state(environment) == before
    return answer.content


def test_every_tool_has_a_good_call() -> None:
    assert {tool for tool, _, _ in GOOD} == {t.name for t in CONFIGURATION} - {"rollback_change"}
    assert [t.name for t in CONFIGURATION].index("rollback_change") == 13


@pytest.mark.parametrize(("tool", "arguments", "expected"), GOOD)
def test_a_good_call_changes_what_it_says_and_a_rollback_restores_it(
    network: Network, tool: str, arguments: dict[str, Any], expected: dict[str, Any]
) -> None:
    environment = network(scenario_of(tool))
    backend = environment.backend
    before, interval = backend.controls, backend.interval
    answer = environment.call(tool, arguments)
    assert answer.ok, answer.content
    assert differences(before, backend.controls) == expected
    assert backend.interval == interval + 1
    stated = {s["path"]: (s["before"], s["after"]) for s in answer.content["settings"]}
    asked = {p: (before.get(p), value) for p, value in expected.items()}
    assert stated == (asked or {"ues.u3.target_cell": ("", "c2")})
    for (table, column, name), settings_ in IN_FORCE.items():
        rows = backend.history[-1].rows(table, **{column: name})
        for path, shown in settings_:
            if path in expected:
                assert rows[0][shown] == expected[path]
    undo = {"change_id": answer.content["change_id"]}
    if tool in IRREVERSIBLE:
        assert answer.content["reversible"] is False
        refuse(environment, "rollback_change", undo, "not_allowed")
        return
    assert environment.call("rollback_change", undo).ok
    assert backend.controls == before
    refuse(environment, "rollback_change", undo, "not_allowed")


EDGES: list[tuple[str, dict[str, Any], str, float, float, str]] = [
    ("set_cell_tx_power", {"cell": "c2"}, "tx_power_dbm", -30, 60, "bad_arguments"),
    ("set_antenna_tilt", {"cell": "c2"}, "tilt_deg", -90, 90, "bad_arguments"),
    ("set_cell_carrier", {"cell": "c2"}, "bandwidth_mhz", 5, 20, "not_allowed"),
    ("set_cell_carrier", {"cell": "c2"}, "numerology", 0, 6, "bad_arguments"),
    ("set_scheduler", {"cell": "c2"}, "target_bler", 0.001, 0.5, "bad_arguments"),
    ("set_handover_params", {"cell": "c2"}, "a3_offset_db", -15, 15, "bad_arguments"),
    ("set_handover_params", {"cell": "c2"}, "hysteresis_db", 0, 15, "bad_arguments"),
    ("set_handover_params", {"cell": "c2"}, "ttt_ms", 0, 5120, "bad_arguments"),
    (
        "set_handover_params",
        {"cell": "c2", "neighbour": "c0"},
        "cio_db",
        -24,
        24,
        "bad_arguments",
    ),
    ("set_cell_sleep", {"cell": "c2"}, "wake_prb_pct", 0, 100, "bad_arguments"),
    ("edge_offload", {"application": "vision"}, "fraction", 0, 1, "bad_arguments"),
    (
        "trigger_slice_reallocation",
        {"cell": "c2", "slice": "mmtc", "dedicated_pct": 0, "max_pct": 100},
        "min_pct",
        0,
        50,
        "not_allowed",
    ),
    (
        "trigger_slice_reallocation",
        {"cell": "c2", "slice": "mmtc", "min_pct": 30, "max_pct": 100},
        "dedicated_pct",
        0,
        30,
        "not_allowed",
    ),
    (
        "trigger_slice_reallocation",
        {"cell": "c2", "slice": "mmtc", "dedicated_pct": 0, "min_pct": 0},
        "max_pct",
        0,
        100,
        "bad_arguments",
    ),
    ("set_waypoint", {"ue": "u0", "y_m": 0, "z_m": 60}, "x_m", -600, 900, "not_allowed"),
    ("set_waypoint", {"ue": "u0", "x_m": 0, "z_m": 60}, "y_m", -600, 900, "not_allowed"),
    ("set_waypoint", {"ue": "u0", "x_m": 0, "y_m": 0}, "z_m", 30, 120, "not_allowed"),
    (
        "set_waypoint",
        {"ue": "u0", "x_m": 0, "y_m": 0, "z_m": 60},
        "speed_mps",
        0.1,
        40,
        "bad_arguments",
    ),
]
"""Tool, other arguments, a number, its least and greatest value, and how one beyond the greatest is
refused: by the schema, or by the scenario."""


@pytest.mark.parametrize(("tool", "others", "name", "low", "high", "code"), EDGES)
def test_every_bound_is_allowed_and_nothing_beyond(
    network: Network,
    tool: str,
    others: dict[str, Any],
    name: str,
    low: float,
    high: float,
    code: str,
) -> None:
    environment = network(scenario_of(tool))
    for value in (low, high):
        answer = environment.call(tool, {**others, name: value})
        assert answer.ok, answer.content
    whole = TOOLS[tool].schema["properties"][name]
    step = 1 if "integer" in json.dumps(whole) else 0.001
    for value in (low - step, high + step):
        beyond = value > high
        scenarios = code == "not_allowed" and (beyond or tool == "set_waypoint")
        content = refuse(
            environment,
            tool,
            {**others, name: value},
            "not_allowed" if scenarios else "bad_arguments",
        )
        if scenarios:
            assert f"{value:g}" in content["message"] or name in content["message"]
        else:
            assert content["argument"] == name
            assert content["value"] == value
            assert "at most" in content["allowed"]


def test_bounds_of_numbers_are_all_tried() -> None:
    tried = {(tool, name) for tool, _, name, *_ in EDGES}
    for tool in CONFIGURATION:
        for name, about in tool.schema["properties"].items():
            if "maximum" in json.dumps(about):
                assert (tool.name, name) in tried


@pytest.mark.parametrize(
    ("tool", "arguments", "name"),
    [
        ("graceful_degradation", {"slice": "mmtc"}, "level"),
        ("set_scheduler", {"cell": "c2"}, "policy"),
        ("set_cell_sleep", {"cell": "c2"}, "mode"),
        ("reroute_flow", {"link": "detour_far"}, "queue"),
    ],
)
def test_every_choice_is_allowed_and_nothing_else(
    network: Network, tool: str, arguments: dict[str, Any], name: str
) -> None:
    environment = network("quickstart")
    about = TOOLS[tool].schema["properties"][name]
    words = about.get("enum") or about["anyOf"][0]["enum"]
    for word in words:
        assert environment.call(tool, {**arguments, name: word}).ok
    content = refuse(environment, tool, {**arguments, name: "other"}, "bad_arguments")
    assert (content["argument"], content["allowed"]) == (name, words)


@pytest.mark.parametrize(
    ("scenario", "tool", "arguments", "code", "says"),
    [
        (
            "quickstart",
            "switch_network_slice",
            {"ue": "u0", "flow": "cbr7", "slice": "embb"},
            "no_such_element",
            "flow='cbr7' is no flow of u0: it is not one of xr0, bursty1, vision",
        ),
        (
            "quickstart",
            "switch_network_slice",
            {"ue": "u0", "slice": "gold"},
            "no_such_element",
            "slice='gold'",
        ),
        (
            "quickstart",
            "trigger_slice_reallocation",
            {"cell": "c0", "slice": "embb", "min_pct": 91},
            "not_allowed",
            "dedicated_pct <= min_pct <= max_pct must hold, got 0, 91, 90",
        ),
        (
            "quickstart",
            "trigger_slice_reallocation",
            {"cell": "c0", "slice": "mmtc", "min_pct": 51, "max_pct": 60},
            "not_allowed",
            "cells.c0: min_pct of all slices adds up to 101, more than 100",
        ),
        (
            "quickstart",
            "trigger_slice_reallocation",
            {"cell": "c0", "slice": "embb"},
            "bad_arguments",
            "give at least one of dedicated_pct, min_pct, max_pct",
        ),
        (
            "quickstart",
            "edge_offload",
            {"application": "vision", "site": "core"},
            "no_such_element",
            "site='core' is no edge site",
        ),
        (
            "bare",
            "edge_offload",
            {"application": "vision", "fraction": 1},
            "no_such_element",
            "there is none here",
        ),
        (
            "quickstart",
            "set_cell_carrier",
            {"cell": "c0", "bandwidth_mhz": 5, "numerology": 6},
            "not_allowed",
            "holds no resource block at numerology 6; at least 12.0 MHz is needed",
        ),
        (
            "quickstart",
            "set_cell_carrier",
            {"cell": "c0"},
            "bad_arguments",
            "give at least one of bandwidth_mhz, numerology",
        ),
        (
            "bare",
            "set_handover_params",
            {"cell": "c1", "a3_offset_db": 1},
            "not_allowed",
            "cell='c1' is not allowed: users are connected on the first carrier",
        ),
        (
            "quickstart",
            "set_handover_params",
            {"cell": "c0", "neighbour": "c0", "cio_db": 1},
            "no_such_element",
            "neighbour='c0' is no neighbour relation of c0: it is not one of c1, c2",
        ),
        (
            "quickstart",
            "set_handover_params",
            {"cell": "c0", "neighbour": "c1"},
            "bad_arguments",
            "neighbour and cio_db go together",
        ),
        (
            "bare",
            "request_handover",
            {"ue": "u0", "target_cell": "c3"},
            "not_allowed",
            "target_cell='c3' is not allowed: users are connected on the first carrier",
        ),
        (
            "quickstart",
            "reroute_flow",
            {"slice": "embb", "path": ["s0", "ring", "core"]},
            "not_allowed",
            "no link joins 's0' and 'ring'",
        ),
        (
            "quickstart",
            "reroute_flow",
            {"slice": "embb", "path": ["agg", "core"]},
            "not_allowed",
            "it must lead from one of s0 to one of core, mec, cloud",
        ),
        (
            "quickstart",
            "reroute_flow",
            {"ue": "u0", "flow": "xr0", "path": ["s0", "agg", "s0", "agg", "core"]},
            "not_allowed",
            "visits 's0' twice",
        ),
        (
            "quickstart",
            "reroute_flow",
            {"slice": "embb", "path": ["s0", "agg-core"]},
            "bad_arguments",
            "path.1='agg-core'",
        ),
        (
            "quickstart",
            "reroute_flow",
            {"slice": "embb", "ue": "u0", "path": ["s0", "agg", "core"]},
            "bad_arguments",
            "give slice and path; or ue, flow and path; or link and queue",
        ),
        (
            "bare",
            "reroute_flow",
            {"slice": "embb", "path": []},
            "not_allowed",
            "this network has no transport links",
        ),
        (
            "quickstart",
            "set_waypoint",
            {"ue": "u0", "x_m": 0, "y_m": 0, "z_m": 60},
            "no_such_element",
            "ue='u0' is no UAV of this network: there is none here",
        ),
        (
            "uav_corridor",
            "set_waypoint",
            {"ue": "u1", "x_m": 300, "y_m": 0, "z_m": 60},
            "not_allowed",
            "is the first point of the mission that u1 flies",
        ),
        (
            "uav_corridor",
            "set_waypoint",
            {"ue": "u1", "x_m": 901, "y_m": 0, "z_m": 60},
            "not_allowed",
            "waypoint=(901, 0, 60) lies outside the geofence, x -600 to 900",
        ),
    ],
)
def test_what_the_network_does_not_allow_changes_nothing_and_is_explained(
    network: Network, scenario: str, tool: str, arguments: dict[str, Any], code: str, says: str
) -> None:
    assert says in refuse(network(scenario), tool, arguments, code)["message"]


def test_a_user_is_not_ordered_where_it_is(network: Network) -> None:
    environment = network("quickstart")
    (row,) = environment.backend.history[-1].rows("ue", ue="u6")
    here = {"ue": "u6", "target_cell": row["cell"]}
    said = refuse(environment, "request_handover", here, "not_allowed")["message"]
    assert "it serves u6 already" in said


def test_a_user_without_a_cell_cannot_be_ordered(live: Environment) -> None:
    for cell in ("c0", "c1", "c2"):
        assert live.call("set_cell_sleep", {"cell": cell, "mode": "off"}).ok
    live.run_on(6)
    lost = live.backend.history[-1].rows("ue", state="lost")
    assert lost
    order = {"ue": lost[0]["ue"], "target_cell": "c2"}
    said = refuse(live, "request_handover", order, "not_allowed")["message"]
    assert "its state is lost, and it must be connected" in said


def test_a_waypoint_may_be_flown_to_again(network: Network) -> None:
    environment = network("uav_corridor")
    point = {"ue": "u4", "x_m": 0, "y_m": 0, "z_m": 60, "speed_mps": 20}
    assert environment.call("set_waypoint", point).ok
    assert environment.call("set_waypoint", point).ok


def test_an_empty_path_gives_up_those_set_before(network: Network) -> None:
    environment = network("quickstart")
    start = environment.backend.controls
    for target in ({"slice": "mmtc"}, {"ue": "u1", "flow": "xr0"}):
        assert environment.call("reroute_flow", {**target, "path": FAR.split("-")}).ok
        assert environment.backend.controls != start
        assert environment.call("reroute_flow", {**target, "path": []}).ok
        assert environment.backend.controls == start


def test_elements_out_of_scope_cannot_be_named(network: Network) -> None:
    scope = Scope(elements=frozenset({"c0", "u0", "embb", "vision", "trunk", "mec"}))
    for tool, arguments in (
        ("set_antenna_tilt", {"cell": "c1", "tilt_deg": 3}),
        ("set_handover_params", {"cell": "c0", "neighbour": "c1", "cio_db": 3}),
        ("request_handover", {"ue": "u0", "target_cell": "c1"}),
        ("switch_network_slice", {"ue": "u0", "slice": "urllc"}),
        ("switch_network_slice", {"ue": "u1", "slice": "embb"}),
        ("edge_offload", {"application": "vision", "site": "cloud"}),
        ("reroute_flow", {"link": "to_mec", "queue": "red"}),
    ):
        refuse(network("quickstart"), tool, arguments, "no_such_element", scope)


def test_a_rollback_that_no_longer_fits_names_what_stands_in_its_way(network: Network) -> None:
    environment = network("quickstart")
    start = environment.backend.controls
    less = {"cell": "c1", "slice": "embb", "min_pct": 10}
    more = {"cell": "c1", "slice": "mmtc", "min_pct": 80, "max_pct": 80}
    first, second = (
        environment.call("trigger_slice_reallocation", a).content["change_id"] for a in (less, more)
    )
    content = refuse(environment, "rollback_change", {"change_id": first}, "conflict")
    assert second in content["message"]
    for change_id in (second, first):
        assert environment.call("rollback_change", {"change_id": change_id}).ok
    assert environment.backend.controls == start


REVERSIBLE = [(t, a) for t, a, _ in GOOD if t not in IRREVERSIBLE]
SHARES = [
    ("trigger_slice_reallocation", {"cell": "c0", "slice": name, "min_pct": share, "max_pct": 100})
    for name in ("embb", "mmtc")
    for share in (10, 40, 80)
]


def test_rollback_leaves_no_change_that_cannot_be_undone(network: Network) -> None:
    view = network("quickstart").view()
    made: list[Change] = []
    for name, share in (("embb", 10), ("mmtc", 80), ("mmtc", 10)):
        arguments = {"cell": "c0", "slice": name, "min_pct": share, "max_pct": 100}
        view, new = changes_of(view, [("trigger_slice_reallocation", arguments)])
        made += new
    with pytest.raises(ToolError, match=made[2].change_id) as refusal:
        changes_of(view, [("rollback_change", {"change_id": made[0].change_id})])
    assert refusal.value.code == "conflict"
    for change in reversed(made):
        view, _ = changes_of(view, [("rollback_change", {"change_id": change.change_id})])
    assert view.controls == network("quickstart").view().controls


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([*REVERSIBLE, *SHARES]), max_size=8), st.randoms(use_true_random=False)
)
def test_rollbacks_in_any_order_end_where_all_began(
    network: Network, calls: list[tuple[str, dict[str, Any]]], random: Any
) -> None:
    start = network("quickstart").view()
    view = start
    waiting: list[Change] = []
    for call in calls:
        with suppress(ToolError):  # shares that do not fit
            view, made = changes_of(view, [call])
            waiting += made
    while waiting:
        change = random.choice(waiting)
        later = waiting[waiting.index(change) + 1 :]
        try:
            view, _ = changes_of(view, [("rollback_change", {"change_id": change.change_id})])
            waiting.remove(change)
        except ToolError as refusal:
            conflicts = refusal.code == "conflict"
            named = any(f" {other.change_id} (" in str(refusal) for other in later)
            if not (conflicts and named):
                raise
    assert view.controls == start.controls


NAMES = ["c0", "c2", "c9", "u0", "u11", "embb", "mmtc", "vision", "mec", "trunk", "agg", "core"]
SCALARS = st.one_of(
    st.sampled_from([*NAMES, "s0", "xr0", "*", "", "c0.tilt_deg", "qos", "off", "none", "red"]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(-20, 20),
    st.integers(-(2**70), 2**70),
    st.integers(-2, 7),
    st.booleans(),
    st.none(),
    st.text(max_size=8),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=6,
)


@st.composite
def any_call(draw: st.DrawFn) -> tuple[str, Any]:
    tool = draw(st.sampled_from(CONFIGURATION))
    if draw(st.integers(0, 9)) == 0:
        return tool.name, draw(ANYTHING)
    good = [a for t, a, _ in GOOD if t == tool.name] or [{"change_id": "c1"}]
    arguments = dict(draw(st.sampled_from(good)))
    for name in draw(st.sets(st.sampled_from([*tool.schema["properties"], "more"]), max_size=3)):
        arguments[name] = draw(ANYTHING)
    for name in draw(st.sets(st.sampled_from(sorted(arguments)), max_size=1)):
        del arguments[name]
    return tool.name, arguments


@settings(max_examples=400, deadline=None)
@given(any_call())
def test_no_call_whatsoever_changes_anything_on_error(
    network: Network, call: tuple[str, Any]
) -> None:
    environment = network("quickstart")
    before, controls = state(environment), environment.backend.controls
    answer = environment.call(*call)
    if answer.ok:
        stated = {s["path"] for s in answer.content["settings"]}
        assert set(differences(controls, environment.backend.controls)) <= stated
        return
    assert state(environment) == before
    assert answer.content["code"] in get_args(ErrorCode)
    assert answer.content["message"]
    assert "\n" not in answer.content["message"]
