# SPDX-License-Identifier: Apache-2.0
"""Random schedules over every control: possible at every moment, complete, and repeatable."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns3_scenarios.control_ranges import LEAST_MAX_PCT, Span, control_ranges
from ns3_scenarios.controls import ControlChange, ControlState, Schedule, check_schedule
from ns3_scenarios.library import load_scenario
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.sweeps.schedules import LEAST_TROUBLED_PCT, draw_schedule
from ns3_scenarios.sweeps.spec import Operator, RandomPiecewise, Trouble


def lasting(scenario: ScenarioConfig, n_intervals: int) -> ScenarioConfig:
    duration_s = n_intervals * scenario.interval_ms / 1e3
    return ScenarioConfig.model_validate({**scenario.model_dump(), "duration_s": duration_s})


def drawn(
    scenario: ScenarioConfig,
    controls: Any = "all",
    stream: str = "a",
    start: Schedule = (),
    **fields: Any,
) -> Schedule:
    spec = RandomPiecewise(kind="random_piecewise", controls=controls, **fields)
    return draw_schedule(spec, scenario, stream, start)


def moments(schedule: Schedule, scenario: ScenarioConfig, opening: str) -> dict[str, list[int]]:
    """Intervals at which each group of controls changes."""
    ranges = control_ranges(scenario)
    found: defaultdict[str, set[int]] = defaultdict(set)
    for change in schedule:
        if change.path.startswith(opening):
            found[ranges[change.path].group].add(change.interval)
    return {group: sorted(intervals) for group, intervals in found.items()}


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.parametrize("stream", ["a", "b", "c"])
def test_schedule_of_everything_is_possible_at_every_moment(
    any_scenario: ScenarioConfig, stream: str
) -> None:
    scenario = lasting(any_scenario, 20)
    check_schedule(drawn(scenario, stream=stream, min_gap_intervals=1), scenario)


def test_every_control_appears_and_takes_more_than_one_value(any_scenario: ScenarioConfig) -> None:
    few = [g.model_copy(update={"count": min(g.count, 20)}) for g in any_scenario.users]
    scenario = lasting(any_scenario.model_copy(update={"users": tuple(few)}), 120)
    values = defaultdict(set)
    for change in drawn(scenario, min_gap_intervals=1, max_gap_intervals=2):
        values[change.path].add(change.value)
    ranges = control_ranges(scenario)
    assert set(values) == set(ranges)
    for path, seen in values.items():
        sweep = ranges[path].sweep
        single = isinstance(sweep, tuple) and len(sweep) == 1
        assert len(seen) > 1 or single, path
        if isinstance(sweep, tuple):
            assert seen <= set(sweep)


def test_schedule_follows_from_its_stream_alone(any_scenario: ScenarioConfig) -> None:
    scenario = lasting(any_scenario, 20)
    assert drawn(scenario) == drawn(scenario)
    assert drawn(scenario) != drawn(scenario, stream="b")
    longer = drawn(lasting(any_scenario, 30))
    assert tuple(c for c in longer if c.interval < 20) == drawn(scenario)


def test_controls_that_constrain_each_other_change_together(everything: ScenarioConfig) -> None:
    scenario = lasting(everything, 100)
    changes: defaultdict[str, list[int]] = defaultdict(list)
    for change in drawn(scenario):
        changes[change.path].append(change.interval)
    for cell in scenario.cell_ids:
        shares = [at for path, at in changes.items() if path.startswith(f"cells.{cell}.slices.")]
        assert len(shares) == 9
        assert all(intervals == shares[0] for intervals in shares)
        assert changes[f"cells.{cell}.bandwidth_mhz"] == changes[f"cells.{cell}.numerology"]
        assert changes[f"cells.{cell}.bandwidth_mhz"] != shares[0]
    flights = [changes[f"ues.u0.waypoint.{f}"] for f in ("x_m", "y_m", "z_m", "speed_mps")]
    assert flights[0]
    assert all(intervals == flights[0] for intervals in flights)
    assert changes["ues.u1.waypoint.x_m"] != flights[0]


def test_shares_reach_from_little_to_nearly_everything() -> None:
    scenario = lasting(load_scenario("quickstart"), 2000)
    guaranteed: defaultdict[int, float] = defaultdict(float)
    dedicated = []
    for change in drawn(scenario, {"cells.c0.slices": "auto"}):
        if change.path.endswith("min_pct"):
            guaranteed[change.interval] += float(change.value)
        if change.path.endswith("dedicated_pct"):
            dedicated.append(change.value)
    assert max(guaranteed.values()) <= 100
    assert max(guaranteed.values()) > 95
    assert min(guaranteed.values()) < 5
    assert mean(list(guaranteed.values())) == pytest.approx(50, abs=4)
    assert dedicated.count(0) / len(dedicated) == pytest.approx(0.5, abs=0.05)


def test_what_takes_service_away_is_seldom_drawn() -> None:
    scenario = lasting(load_scenario("quickstart"), 5000)
    controls = {"cells.c0.sleep_mode": "auto", "slices.embb.degradation": "auto"}
    seen = Counter(change.value for change in drawn(scenario, controls))
    n = seen["none"] + seen["reduce_rate"] + seen["essential_only"]
    assert seen["none"] / n == pytest.approx(0.75, abs=0.05)
    assert seen["essential_only"] / n == pytest.approx(0.125, abs=0.04)
    assert seen["off"] / (sum(seen.values()) - n) == pytest.approx(1 / 16, abs=0.03)


def test_about_as_much_changes_among_users_as_among_cells() -> None:
    scenario = lasting(load_scenario("dense_urban"), 100)
    schedule = drawn(scenario)
    of_cells = sum(map(len, moments(schedule, scenario, "cells.").values()))
    of_users = sum(map(len, moments(schedule, scenario, "ues.").values()))
    assert of_users == pytest.approx(of_cells, rel=0.1)
    per_interval = Counter(c.interval for c in schedule if c.path.startswith("ues."))
    early, late = (mean([per_interval[i] for i in part]) for part in (range(50), range(50, 100)))
    assert early == pytest.approx(late, rel=0.2)


def test_few_users_change_as_often_as_cells() -> None:
    scenario = lasting(load_scenario("dense_urban"), 1000)
    (at,) = moments(drawn(scenario, {"ues.u7.target_cell": "auto"}), scenario, "ues.").values()
    gaps = [b - a for a, b in itertools.pairwise(at)]
    assert (min(gaps), max(gaps)) == (2, 8)


def test_offsets_of_a_cell_change_together_as_often_as_another_control() -> None:
    scenario = lasting(load_scenario("urban_macro_slices"), 2000)
    at = moments(drawn(scenario, {"cells.c0.handover": "auto"}), scenario, "cells.c0.")
    offsets = sum(len(v) for group, v in at.items() if ".cio_db." in group)
    assert len([group for group in at if ".cio_db." in group]) == 8
    assert offsets == pytest.approx(len(at["cells.c0.handover.ttt_ms"]), rel=0.1)


def test_users_begin_as_the_scenario_says() -> None:
    scenario = load_scenario("dense_urban")
    at_start = [c.path for c in drawn(scenario) if c.interval == 0]
    users = [path for path in at_start if path.startswith("ues.")]
    assert len(users) < 0.1 * len([p for p in control_ranges(scenario) if p.startswith("ues.")])
    assert "cells.c0.tilt_deg" in at_start


def test_own_range_fixed_and_varied_controls_are_left_out_of_auto() -> None:
    scenario = lasting(load_scenario("quickstart"), 40)
    controls = {
        "cells": "auto",
        "cells.*.handover": "fixed",
        "cells.c0.tilt_deg": {"min": 5, "max": 5.1},
    }
    start = (ControlChange(path="cells.*.scheduler", value="max_ci"),)
    schedule = drawn(scenario, controls, start=start)
    paths = {change.path for change in schedule}
    assert {path.split(".")[0] for path in paths} == {"cells"}
    assert not [path for path in paths if ".handover." in path or path.endswith("scheduler")]
    assert all(5 <= c.value <= 5.1 for c in schedule if c.path == "cells.c0.tilt_deg")
    assert any(c.value > 6 for c in schedule if c.path == "cells.c1.tilt_deg")
    # What else is drawn does not matter.
    alone = drawn(scenario, {"cells.c1.tilt_deg": "auto"})
    assert alone == tuple(c for c in schedule if c.path == "cells.c1.tilt_deg")


SHARES = [
    path.removeprefix("cells.c0.")
    for path in control_ranges(load_scenario("quickstart"))
    if path.startswith("cells.c0.slices.")
]


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.sampled_from([*SHARES, "bandwidth_mhz", "numerology"]), min_size=1), st.integers()
)
def test_part_of_what_belongs_together_fits_the_rest(parts: set[str], stream: int) -> None:
    scenario = load_scenario("quickstart")
    controls = {f"cells.*.{path}": "auto" for path in sorted(parts)}
    schedule = drawn(scenario, controls, str(stream), min_gap_intervals=1)
    assert {c.path for c in schedule} == {f"cells.c{i}.{p}" for i in range(3) for p in parts}
    check_schedule(schedule, scenario)


def test_auto_fits_what_has_a_range_of_its_own(everything: ScenarioConfig) -> None:
    scenario = lasting(everything, 50)
    controls = {
        "*": "auto",
        "cells.*.slices.a.max_pct": {"min": 20, "max": 60, "each": True},
        "cells.*.slices.b.min_pct": {"min": 10, "max": 70, "each": True},
        "cells.*.bandwidth_mhz": {"values": [5, 10]},
    }
    schedule = drawn(scenario, controls)
    check_schedule(schedule, scenario)
    by_path = ControlState.initial(scenario).below("cells.*.numerology")
    numerologies = {c.value for c in schedule if c.path in by_path}
    assert numerologies == {3, 4}  # 5 MHz is too narrow for 5
    varied = (ControlChange(path="cells.*.slices.c.dedicated_pct", value=0.5),)
    fixed = (*varied, ControlChange(path="cells.*.slices.c.min_pct", value=0.75))
    check_schedule(fixed + drawn(scenario, start=fixed), scenario)


@pytest.mark.parametrize("stream", ["a", "b", "c"])
@pytest.mark.parametrize("kind", [Operator, Trouble])
def test_operators_act_now_and_then_and_possibly(
    any_scenario: ScenarioConfig, kind: type[Operator | Trouble], stream: str
) -> None:
    scenario = lasting(any_scenario, 60)
    spec = kind(kind=kind.__name__.lower(), min_gap_intervals=4, max_gap_intervals=10)
    schedule = draw_schedule(spec, scenario, stream)
    check_schedule(schedule, scenario)
    at = sorted({change.interval for change in schedule})
    assert 4 <= at[0] <= 10
    assert all(4 <= later - earlier <= 10 for earlier, later in itertools.pairwise(at))
    assert schedule == draw_schedule(spec, scenario, stream)
    assert schedule != draw_schedule(spec, scenario, stream + "x")


def test_trouble_goes_beyond_what_is_sensible() -> None:
    scenario = lasting(load_scenario("quickstart"), 1200)
    ranges = control_ranges(scenario)

    def beyond(kind: type[Operator | Trouble]) -> set[str]:
        spec = kind(kind=kind.__name__.lower(), min_gap_intervals=2, max_gap_intervals=2)
        found = set()
        for change in draw_schedule(spec, scenario, "a"):
            for path in ControlState.initial(scenario).expand(change.path):
                sensible, allowed = ranges[path].sweep, ranges[path].allowed
                if isinstance(sensible, Span) and isinstance(allowed, Span):
                    assert allowed.min <= float(change.value) <= allowed.max
                    if not sensible.min <= float(change.value) <= sensible.max:
                        found.add(path.rpartition(".")[2])
        return found

    assert {"tx_power_dbm", "tilt_deg", "hysteresis_db"} <= beyond(Trouble)
    assert not beyond(Operator) - {"min_pct", "max_pct", "dedicated_pct"}


def test_trouble_holds_slices_to_next_to_nothing() -> None:
    scenario = lasting(load_scenario("quickstart"), 1200)
    spec = Trouble(kind="trouble", min_gap_intervals=2, max_gap_intervals=2)
    schedule = draw_schedule(spec, scenario, "a")
    most = [float(change.value) for change in schedule if change.path.endswith(".max_pct")]
    assert LEAST_TROUBLED_PCT <= min(most) < LEAST_MAX_PCT
    check_schedule(schedule, scenario)
