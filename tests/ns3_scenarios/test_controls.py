# SPDX-License-Identifier: Apache-2.0
"""Controls: every path leads to one, changes are all made or none, and mistakes are explained."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns3_scenarios.controls import ControlChange, ControlState, check_schedule
from ns3_scenarios.errors import ControlError
from ns3_scenarios.library import load_scenario
from ns3_scenarios.scenario import ScenarioConfig

SCENARIO = load_scenario("quickstart")
INITIAL = ControlState.initial(SCENARIO)


def after(*changes: tuple[str, Any]) -> ControlState:
    return INITIAL.with_changes([ControlChange(path=p, value=v) for p, v in changes], SCENARIO)


def test_initial_state_is_the_scenarios() -> None:
    assert list(INITIAL.cells) == list(SCENARIO.cell_ids)
    cell = INITIAL.cells["c1"]
    assert cell.tx_power_dbm == SCENARIO.carriers[0].tx_power_dbm
    assert cell.tilt_deg == SCENARIO.gnb_antenna.tilt_deg
    assert cell.scheduler == SCENARIO.radio.scheduler
    assert list(cell.slices) == [s.name for s in SCENARIO.slices]
    assert cell.slices["embb"].max_pct == SCENARIO.slices[0].max_pct


def test_carriers_have_cells_of_their_own() -> None:
    scenario = load_scenario("fr3_wideband")
    narrow = scenario.model_copy(
        update={
            "carriers": (
                scenario.carriers[0],
                scenario.carriers[1].model_copy(update={"bandwidth_mhz": 200.0}),
            )
        }
    )
    state = ControlState.initial(narrow)
    assert [state.cells[c].bandwidth_mhz for c in ("c0", "c1", "c2")] == [400, 200, 400]


def test_every_path_can_be_read_and_set_to_what_it_is() -> None:
    paths = list(INITIAL.paths())
    assert len(paths) == len(set(paths))
    per_cell = 8 + 3 * 3 + 3 + 2
    flows = sum(len(ue.flows) for ue in INITIAL.ues.values())
    assert len([p for p in paths if p.startswith("cells.")]) == 3 * per_cell
    assert len([p for p in paths if p.startswith("ues.")]) == 12 + 2 * flows
    assert after(*((path, INITIAL.get(path)) for path in paths)) == INITIAL


@given(st.sampled_from(sorted(INITIAL.cells)), st.floats(-30, 60))
def test_change_changes_its_control_alone(cell: str, power_dbm: float) -> None:
    path = f"cells.{cell}.tx_power_dbm"
    state = after((path, power_dbm))
    assert state.get(path) == power_dbm
    others = [p for p in INITIAL.paths() if p != path]
    assert [state.get(p) for p in others] == [INITIAL.get(p) for p in others]


def test_impossible_states_are_found_whole_as_in_changes() -> None:
    INITIAL.check(SCENARIO)
    for path, value in (
        ("cells.c2.bandwidth_mhz", 21.0),
        ("slices.mmtc.routes.s0.core", "s0-core"),
        ("ues.u3.target_cell", "c9"),
        ("applications.vision.site", "core"),
    ):
        section, name, *rest = path.split(".")
        tree = getattr(INITIAL, section)[name].model_dump()
        node = tree
        for step in rest[:-1]:
            node = node[step]
        node[rest[-1]] = value
        element = type(getattr(INITIAL, section)[name]).model_validate(tree)
        whole = INITIAL.model_copy(update={section: getattr(INITIAL, section) | {name: element}})
        with pytest.raises(ControlError) as of_state:
            whole.check(SCENARIO)
        with pytest.raises(ControlError) as of_change:
            after((path, value))
        assert str(of_state.value) == str(of_change.value)


def test_controls_that_do_not_go_together_are_named_alone() -> None:
    for changes, says in (
        ([("cells.c0.slices.embb.min_pct", 95.0)], "cells.c0.slices.embb: dedicated_pct <="),
        (
            [("cells.c0.slices.urllc.min_pct", 61.0), ("cells.c0.slices.urllc.max_pct", 61.0)],
            "cells.c0: min_pct of all slices adds up to 101, more than 100",
        ),
    ):
        with pytest.raises(ControlError) as caught:
            after(*changes)
        assert str(caught.value).startswith(says)


def test_star_means_every_name_at_its_place() -> None:
    assert INITIAL.expand("cells.*.tilt_deg") == [f"cells.c{i}.tilt_deg" for i in range(3)]
    assert len(INITIAL.expand("cells.*.slices.*.max_pct")) == 9
    state = after(("cells.*.tilt_deg", 7))
    assert {cell.tilt_deg for cell in state.cells.values()} == {7}


def test_star_passes_over_what_has_no_such_control(everything: ScenarioConfig) -> None:
    state = ControlState.initial(everything)
    first = [f"c{i}" for i in range(0, 12, 2)]
    assert state.expand("cells.*.handover.ttt_ms") == [f"cells.{c}.handover.ttt_ms" for c in first]
    offsets = [f"cells.{c}.handover.cio_db.c2" for c in first if c != "c2"]
    assert state.expand("cells.*.handover.cio_db.c2") == offsets
    assert state.expand("ues.*.waypoint.z_m") == ["ues.u0.waypoint.z_m", "ues.u1.waypoint.z_m"]
    assert state.expand("*.*.queue") == [f"links.{link.name}.queue" for link in everything.links]
    for path in ("cells.c1.handover.ttt_ms", "ues.u2.waypoint.z_m"):
        with pytest.raises(ControlError, match="matches no control of this scenario"):
            state.expand(path)


def test_path_that_stops_short_takes_in_what_is_below(everything: ScenarioConfig) -> None:
    state = ControlState.initial(everything)
    paths = list(state.paths())
    assert state.below("*") == paths
    assert state.below("cells.c1") == [p for p in paths if p.startswith("cells.c1.")]
    assert state.below("cells.*.tilt_deg") == state.expand("cells.*.tilt_deg")
    assert state.below("ues.*.waypoint") == [p for p in paths if ".waypoint." in p]
    wireless = SCENARIO.model_copy(update={"transport": None, "edge": None})
    with pytest.raises(ControlError, match="'links' matches no control"):
        ControlState.initial(wireless).below("links")


def test_changes_are_made_together() -> None:
    # Either alone would break dedicated <= min <= max.
    state = after(("cells.c0.slices.mmtc.min_pct", 35), ("cells.c0.slices.mmtc.max_pct", 60))
    assert state.cells["c0"].slices["mmtc"].min_pct == 35


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("cells.c9.tilt_deg", 1, "'c9' is not one of c0, c1, c2"),
        ("cells.*.tilt", 1, "'tilt' is not one of tx_power_dbm, tilt_deg"),
        ("cells.c0", 1, "stops short of a value"),
        ("cells.c0.slices.gold.max_pct", 1, "'gold' is not one of embb, urllc, mmtc"),
        ("cells.c0.tx_power_dbm", 61, r"cells\.c0\.tx_power_dbm=61: .*less than or equal to 60"),
        ("cells.c0.tx_power_dbm", "high", r"cells\.c0\.tx_power_dbm='high'"),
        ("cells.c0.scheduler", "fair", r"cells\.c0\.scheduler='fair'"),
        ("cells.c0.bandwidth_mhz", 40, r"bandwidth_mhz=40 exceeds the carrier's 20 MHz"),
        ("cells.c0.slices.embb.min_pct", 95, "dedicated_pct <= min_pct <= max_pct must hold"),
        ("cells.*.slices.*.min_pct", 40, "min_pct"),
    ],
)
def test_impossible_change_is_refused_and_explained(path: str, value: Any, says: str) -> None:
    with pytest.raises(ControlError, match=says) as caught:
        after((path, value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("cells.c0.handover", "stops short of a value"),
        ("ues.u0.flows", "stops short of a value"),
        ("cells.c9.tilt_deg", "'c9' is not one of c0, c1, c2"),
        ("cells.c0.tilt_deg.low", "'low' is not one of nothing below it"),
    ],
)
def test_what_is_no_control_has_no_value(path: str, says: str) -> None:
    with pytest.raises(ControlError, match=says):
        INITIAL.get(path)


def test_schedule_is_gone_through_in_order() -> None:
    last = SCENARIO.n_intervals - 1
    check_schedule((ControlChange(interval=last, path="cells.c0.tilt_deg", value=3),), SCENARIO)
    with pytest.raises(ControlError, match=f"comes after the last one, {last}"):
        check_schedule(
            (ControlChange(interval=last + 1, path="cells.c0.tilt_deg", value=3),), SCENARIO
        )
    narrowed = (
        ControlChange(interval=1, path="cells.c0.slices.mmtc.max_pct", value=5),
        ControlChange(interval=2, path="cells.c0.slices.mmtc.min_pct", value=6),
    )
    with pytest.raises(ControlError, match="must hold, got 0, 6, 5"):
        check_schedule(narrowed, SCENARIO)
