# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from env.backends.starts import start_of
from env.errors import ToolError
from env.gym.actions import BINS, HOLD, ToolActions, entries_of
from env.tools import TOOLS
from env.tools.proposing import changes_of
from env.view import Scope, View
from ns3_scenarios.control_ranges import Span, control_ranges
from ns3_scenarios.controls import ControlState
from ns3_scenarios.library import load_scenario

CONFIGURE = [tool for tool in TOOLS.values() if not tool.read_only]


@lru_cache
def view_of(name: str) -> View:
    scenario = load_scenario(name)
    return View(scenario, ControlState.initial(scenario), start_of(scenario, 1))


def test_every_configuration_tool_can_be_chosen() -> None:
    view = view_of("uav_corridor")
    chosen = {entry.tool.name for entry in ToolActions(view.scenario).entries}
    assert chosen == {tool.name for tool in CONFIGURE}


def test_entries_need_all_their_optional_arguments() -> None:
    for tool in CONFIGURE:
        required = set(tool.schema.get("required", ()))
        sets = [{*entry.names, *entry.values} - required for entry in entries_of(tool)]
        assert sets
        assert not any(a < b for a in sets for b in sets)


@pytest.mark.parametrize("name", ["quickstart", "uav_corridor", "urban_macro_slices"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_action_is_a_call_that_fits_the_network(name: str, data: st.DataObject) -> None:
    view = view_of(name)
    actions = ToolActions(view.scenario)
    chosen = [data.draw(st.integers(0, n - 1)) for n in actions.dimensions.values()]
    call = actions.call(chosen, view)
    if chosen[0] == 0:
        assert call is None
        return
    assert call is not None
    tool, _ = call
    assert actions.labels[chosen[0]].startswith(f"{tool}(")
    try:
        changes_of(view, [call])
    except ToolError as error:
        refused = error.code
    else:
        refused = ""
    assert refused in ("", "no_such_element" if tool == "rollback_change" else "not_allowed")


def test_values_span_what_is_sensible() -> None:
    view = view_of("quickstart")
    actions = ToolActions(view.scenario)
    tool = actions.labels.index("set_antenna_tilt(cell, tilt_deg)")
    names = list(actions.dimensions)
    chosen = np.zeros(len(names), int)
    chosen[names.index("tool")] = tool
    found = []
    for number in range(BINS):
        chosen[names.index("value_0")] = number
        call = actions.call(chosen, view)
        assert call is not None
        found.append(call[1]["tilt_deg"])
    sweep = control_ranges(view.scenario)["cells.c0.tilt_deg"].sweep
    assert isinstance(sweep, Span)
    assert (found[0], found[-1]) == (sweep.min, sweep.max)
    assert np.allclose(np.diff(found), (sweep.max - sweep.min) / (BINS - 1))


def test_scope_leaves_only_its_tools_and_elements() -> None:
    view = view_of("quickstart")
    scope = Scope(frozenset({"set_cell_tx_power", "set_handover_params"}), frozenset({"c1"}))
    actions = ToolActions(view.scenario, scope)
    tools = {entry.tool.name for entry in actions.entries}
    assert tools == scope.tools
    assert actions.dimensions["cell"] == 1
    for number in range(1, actions.dimensions["tool"]):
        chosen = [number] + [0] * (len(actions.dimensions) - 1)
        call = actions.call(chosen, view)
        assert call is not None
        assert call[1]["cell"] == "c1"


def test_nothing_to_choose_is_a_hold() -> None:
    actions = ToolActions(view_of("quickstart").scenario, Scope(tools=frozenset({"list_alarms"})))
    assert actions.labels == [HOLD]
    assert actions.call([0], view_of("quickstart")) is None
