# SPDX-License-Identifier: Apache-2.0
"""Ranges of controls: one for each, within what is allowed, and accepted wherever it is sampled."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns3_scenarios.control_ranges import ControlRange, Span, Values, control_ranges
from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.errors import ControlError
from ns3_scenarios.geometry import network_radius_m
from ns3_scenarios.library import load_scenario
from ns3_scenarios.scenario import ScenarioConfig

QUICKSTART = load_scenario("quickstart")


def drawn_from(values: Values) -> st.SearchStrategy[float | str]:
    if isinstance(values, Span):
        return st.floats(values.min, values.max)
    return st.sampled_from(values)


def within(value: object, values: Values) -> bool:
    if isinstance(values, Span):
        return isinstance(value, int | float) and values.min <= value <= values.max
    return value in values


def range_of(path: str, scenario: ScenarioConfig = QUICKSTART) -> ControlRange:
    return control_ranges(scenario)[path]


def test_every_control_has_a_range_around_its_own_setting(any_scenario: ScenarioConfig) -> None:
    state = ControlState.initial(any_scenario)
    ranges = control_ranges(any_scenario)
    assert list(ranges) == list(state.paths())
    for path, range_ in ranges.items():
        assert range_.path == path
        assert within(state.get(path), range_.allowed), range_
        ends = (
            (range_.sweep.min, range_.sweep.max) if isinstance(range_.sweep, Span) else range_.sweep
        )
        assert all(within(end, range_.allowed) for end in ends), range_
        if range_.kind != "order" and not path.endswith(("waypoint.x_m", "waypoint.y_m")):
            may_be_low = path.endswith(".slices.c.max_pct")  # lower than sensible in one scenario
            assert may_be_low or within(state.get(path), range_.sweep), range_


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_every_sampled_change_is_accepted(
    any_scenario: ScenarioConfig, data: st.DataObject
) -> None:
    range_ = data.draw(st.sampled_from(list(control_ranges(any_scenario).values())))
    value = data.draw(drawn_from(range_.sweep))
    change = ControlChange(path=range_.path, value=value)
    state = ControlState.initial(any_scenario).with_changes([change], any_scenario)
    assert state.get(range_.path) == value


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [
        ("cells.c0.tx_power_dbm", -30, 60),
        ("cells.c0.tilt_deg", -90, 90),
        ("cells.c0.target_bler", 0.001, 0.5),
        ("cells.c0.bandwidth_mhz", 5, 20),
        ("cells.c0.wake_prb_pct", 0, 100),
        ("cells.c0.handover.a3_offset_db", -15, 15),
        ("cells.c0.handover.hysteresis_db", 0, 15),
        ("cells.c0.handover.ttt_ms", 0, 5120),
        ("cells.c0.handover.cio_db.c1", -24, 24),
    ],
)
def test_allowed_ends_where_changes_are_refused(path: str, low: float, high: float) -> None:
    assert range_of(path).allowed == Span(low, high)
    state = ControlState.initial(QUICKSTART)
    for value in (low, high):
        state.with_changes([ControlChange(path=path, value=value)], QUICKSTART)
    for value in (low - 0.01, high + 0.01):
        with pytest.raises(ControlError, match=re.escape(path)):
            state.with_changes([ControlChange(path=path, value=value)], QUICKSTART)


def test_ranges_are_those_of_the_scenario() -> None:
    assert range_of("cells.c0.tx_power_dbm").sweep == Span(26, 41)
    assert range_of("cells.c0.tx_power_dbm").unit == "dBm"
    assert range_of("cells.c0.tilt_deg").sweep == Span(0, 20)
    assert range_of("cells.c0.bandwidth_mhz").sweep == (5, 10, 15, 20)
    assert range_of("cells.c0.numerology").sweep == (0, 1, 2)
    assert range_of("cells.c0.target_bler").sweep == Span(0.01, 0.4, log=True)
    assert range_of("cells.c0.slices.embb.min_pct").sweep == Span(0, 90)
    assert range_of("cells.c0.slices.urllc.dedicated_pct").sweep == Span(0, 10)
    assert range_of("cells.c0.slices.mmtc.max_pct").sweep == Span(5, 100)
    assert range_of("ues.u0.flows.xr0.slice").sweep == ("embb", "urllc", "mmtc")
    assert range_of("ues.u1.target_cell").sweep == ("c1", "c0", "c2")
    ceiling = load_scenario("indoor_hotspot_fr2")
    assert range_of("cells.c0.tilt_deg", ceiling).sweep == Span(80, 90)


def test_narrow_carrier_limits_numerology_and_bandwidth(everything: ScenarioConfig) -> None:
    # 5 MHz holds no resource block of 240 kHz subcarriers, 10 MHz none of 960 kHz.
    assert range_of("cells.c0.numerology", everything).allowed == (0, 1, 2, 3, 4, 5)
    assert range_of("cells.c0.numerology", everything).sweep == (3, 4, 5)
    assert range_of("cells.c0.bandwidth_mhz", everything).sweep == (5, 7.5, 10)


def test_routes_are_the_loop_free_paths_of_least_delay(everything: ScenarioConfig) -> None:
    routes = range_of("slices.a.routes.s0.core", everything)
    assert routes.sweep == (
        "auto",
        "s0-agg-core",
        "s0-s1-agg-core",
        "s0-agg-mec-core",
        "s0-s1-agg-mec-core",
    )
    by_flow = {
        flow: range_of(f"ues.u{user}.flows.{flow}.route", everything).sweep
        for user, flow in ((0, "cbr0"), (0, "detect"), (2, "http0"))
    }
    assert by_flow["http0"] == ("slice", *routes.sweep[1:])  # starts at s0
    assert {r.split("-")[0] for r in by_flow["cbr0"][1:]} == {"s0", "s1"}  # starts anywhere
    assert {r.split("-")[-1] for r in by_flow["detect"][1:]} == {"mec"}


def test_waypoints_stay_in_the_fence_and_over_the_network(everything: ScenarioConfig) -> None:
    radius_m = network_radius_m(everything)
    assert math.isclose(radius_m, 300)
    x, y, z, speed = (
        range_of(f"ues.u0.waypoint.{field}", everything)
        for field in ("x_m", "y_m", "z_m", "speed_mps")
    )
    assert (x.allowed, x.sweep) == (Span(50, 5000), Span(50, 300))
    assert (y.allowed, y.sweep) == (Span(-80, 1e5), Span(-80, 300))
    assert (z.allowed, z.sweep) == (Span(20, 120), Span(20, 120))
    assert speed.sweep == Span(15, 40)
    assert {r.group for r in (x, y, z, speed)} == {"ues.u0.waypoint"}


def test_only_cells_of_the_first_carrier_are_targets(everything: ScenarioConfig) -> None:
    first = tuple(f"c{i}" for i in range(0, 12, 2))
    assert range_of("ues.u0.target_cell", everything).sweep == first
    assert range_of("ues.u0.target_cell", everything).allowed == ("", *first)
    assert set(range_of("ues.u2.target_cell", everything).sweep) == set(first)
    assert "cells.c1.handover.ttt_ms" not in control_ranges(everything)
