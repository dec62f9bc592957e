# SPDX-License-Identifier: Apache-2.0
"""Specifications and the runs that follow from them, without a simulation."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ns3_scenarios.controls import ControlState, check_schedule
from ns3_scenarios.errors import ScenarioError, SweepError
from ns3_scenarios.library import load_scenario, scenario_text
from ns3_scenarios.storage import Manifest
from ns3_scenarios.sweeps import load_spec, parse_spec, plan
from ns3_scenarios.sweeps import spec_of as spec_of_dataset
from ns3_scenarios.sweeps.spec import Variation

BASE: dict[str, Any] = {"scenario": "quickstart", "duration_s": 2}
POWER = {"controls.cells.*.tx_power_dbm": {"min": 30, "max": 44}}


def spec_of(**fields: Any) -> Any:
    return parse_spec({**BASE, **fields})


def values_of(path: str, **fields: Any) -> list[Any]:
    return [config.values[path] for config in plan(spec_of(**fields)).configs]


# Values


@given(
    st.floats(-1e6, 1e6),
    st.floats(0, 1e6),
    st.floats(0, 1, exclude_max=True),
    st.booleans(),
)
def test_value_of_a_range_lies_in_it(low: float, width: float, share: float, whole: bool) -> None:
    low, high = (math.floor(low), math.floor(low + width)) if whole else (low, low + width)
    value = Variation(min=low, max=high, integer=whole).at(share)
    assert low <= value <= high
    assert isinstance(value, int) == whole


@given(st.floats(1e-6, 1e6), st.floats(1, 1e6), st.floats(0, 1, exclude_max=True))
def test_value_of_a_logarithmic_range_lies_in_it(low: float, ratio: float, share: float) -> None:
    assert low <= Variation(min=low, max=low * ratio, log=True).at(share) <= low * ratio


def test_logarithmic_range_is_even_in_its_logarithm() -> None:
    variation = Variation(min=1, max=10_000, log=True)
    assert [variation.at(s) for s in (0, 0.25, 0.5, 0.75)] == [1, 10, 100, 1000]


def test_whole_numbers_of_a_range_are_equally_likely() -> None:
    drawn = [Variation(min=1, max=3, integer=True).at(i / 300) for i in range(300)]
    assert {n: drawn.count(n) for n in (1, 2, 3)} == {1: 100, 2: 100, 3: 100}


# Designs


def test_grid_is_the_product_of_its_values() -> None:
    whole = plan(
        spec_of(
            design="grid",
            vary={
                "scenario.carriers.0.bandwidth_mhz": {"values": [20, 40]},
                "scenario.radio.harq_max_retx": {"min": 0, "max": 4, "integer": True, "levels": 3},
                "scenario.carriers.0.tx_power_dbm": {"min": 30, "max": 40, "levels": 2},
            },
        )
    )
    points = [tuple(config.values.values()) for config in whole.configs]
    assert points == [(b, h, p) for b in (20, 40) for h in (0, 2, 4) for p in (30, 40)]
    assert whole.configs[0].scenario.radio.harq_max_retx == 0


def test_latin_hypercube_has_one_point_in_each_slice_of_every_axis() -> None:
    path = "scenario.carriers.0.tx_power_dbm"
    values = values_of(
        path, design="latin_hypercube", n_configs=10, vary={path: {"min": 30, "max": 40}}
    )
    assert sorted(math.floor(v) for v in values) == list(range(30, 40))


def test_sobol_points_fill_space_and_grow_by_more_points() -> None:
    path = "scenario.carriers.0.tx_power_dbm"
    fields: Any = {"design": "sobol", "vary": {path: {"min": 0, "max": 16}}}
    values = values_of(path, n_configs=16, **fields)
    assert sorted(math.floor(v) for v in values) == list(range(16))
    assert values_of(path, n_configs=8, **fields) == values[:8]


@pytest.mark.parametrize("design", ["sobol", "latin_hypercube", "random"])
def test_design_depends_on_its_seed_alone(design: str) -> None:
    first, again, other = (
        plan(spec_of(design=design, n_configs=5, vary=POWER, design_seed=seed))
        for seed in (1, 1, 2)
    )
    assert first == again
    assert {c.key for c in first.configs}.isdisjoint(c.key for c in other.configs)


def test_equal_points_count_once() -> None:
    vary = {"scenario.radio.harq_max_retx": {"values": [1, 2]}}
    assert len(plan(spec_of(design="random", n_configs=50, vary=vary)).configs) == 2


# Paths


def test_fields_are_reached_by_name_index_and_star() -> None:
    whole = plan(
        spec_of(
            n_configs=1,
            vary={
                "scenario.users.video.traffic.0.rate_mbps": {"values": [3]},
                "scenario.users.1.height_m": {"values": [2]},
                "scenario.slices.*.delay_budget_ms": {"values": [77]},
                "scenario.layout.isd_m": {"values": [300]},
                "controls.cells.c1.slices.embb.max_pct": {"values": [60]},
            },
        )
    )
    scenario = whole.configs[0].scenario
    assert scenario.users[0].traffic[0].rate_mbps == 3
    assert scenario.users[1].height_m == 2
    assert {s.delay_budget_ms for s in scenario.slices} == {77}
    assert scenario.layout.isd_m == 300
    (change,) = whole.configs[0].controls
    assert (change.interval, change.path, change.value) == (0, "cells.c1.slices.embb.max_pct", 60)


def test_star_gives_one_value_to_all_and_each_gives_one_to_every_match() -> None:
    (alike,) = plan(spec_of(n_configs=1, vary=POWER)).configs
    assert list(alike.values) == ["controls.cells.*.tx_power_dbm"]
    state = ControlState.initial(alike.scenario).with_changes(alike.controls, alike.scenario)
    assert len({c.tx_power_dbm for c in state.cells.values()}) == 1
    each = {path: {**range_, "each": True} for path, range_ in POWER.items()}
    (apart,) = plan(spec_of(n_configs=1, vary=each)).configs
    assert list(apart.values) == [f"controls.cells.c{i}.tx_power_dbm" for i in range(3)]
    assert len(set(apart.values.values())) == 3
    (apart,) = plan(
        spec_of(
            n_configs=1,
            vary={"scenario.slices.*.delay_budget_ms": {"min": 10, "max": 99, "each": True}},
        )
    ).configs
    assert len({s.delay_budget_ms for s in apart.scenario.slices}) == 3


def test_controls_that_only_some_cells_have_can_be_varied() -> None:
    offset = "controls.cells.*.handover.cio_db.c0"
    vary = {
        "controls.cells.*.handover.a3_offset_db": {"min": 4, "max": 6, "each": True},
        offset: {"values": [3]},
        "controls.cells.c2.sleep_mode": {"values": ["deep"]},
        "controls.slices.embb.degradation": {"values": ["reduce_rate"]},
        "controls.ues.*.flows.xr0.slice": {"values": ["embb"]},
    }
    (config,) = plan(spec_of(scenario="fr3_wideband", n_configs=1, vary=vary)).configs
    state = ControlState.initial(config.scenario).with_changes(config.controls, config.scenario)
    first = [f"c{i}" for i in range(0, 18, 2)]
    assert list(config.values)[:9] == [f"controls.cells.{c}.handover.a3_offset_db" for c in first]
    handovers = {name: cell.handover for name, cell in state.cells.items()}
    assert all((h is not None) == (name in first) for name, h in handovers.items())
    assert all(h.a3_offset_db >= 4 for h in handovers.values() if h)
    assert {h.cio_db["c0"] for name, h in handovers.items() if h and name != "c0"} == {3}
    assert {ue.flows["xr0"].slice for ue in state.ues.values() if "xr0" in ue.flows} == {"embb"}


def test_configuration_without_controls_is_named_by_its_scenario() -> None:
    whole = plan(spec_of(n_configs=2, vary={"scenario.layout.isd_m": {"min": 100, "max": 200}}))
    assert [c.key for c in whole.configs] == [c.scenario.config_hash() for c in whole.configs]
    with_controls = plan(spec_of(n_configs=2, vary=POWER))
    assert len({c.key for c in with_controls.configs}) == 2
    assert len({c.scenario.config_hash() for c in with_controls.configs}) == 1


# Seeds, schedules


@pytest.mark.parametrize(
    ("fields", "seeds"),
    [
        ({}, (1,)),
        ({"seeds": "1-4"}, (1, 2, 3, 4)),
        ({"seeds": "7, 1-2, 2"}, (7, 1, 2)),
        ({"seeds": [5, 3]}, (5, 3)),
        ({"seeds": 9}, (9,)),
        ({"replications": 3}, (1, 2, 3)),
    ],
)
def test_seeds_can_be_written_in_several_ways(fields: Any, seeds: tuple[int, ...]) -> None:
    spec = spec_of(**fields)
    assert spec.seeds == seeds
    assert [run.seed for run in plan(spec).runs] == list(seeds)


PIECEWISE: dict[str, Any] = {
    "kind": "random_piecewise",
    "min_gap_intervals": 2,
    "max_gap_intervals": 4,
    "controls": {
        "cells.*.tilt_deg": {"min": 0, "max": 15, "each": True},
        "controls.cells.*.scheduler": {"values": ["round_robin", "proportional_fair"]},
    },
}


def test_random_schedule_keeps_gaps_ranges_and_rhythms() -> None:
    whole = plan(spec_of(schedule=PIECEWISE, seeds="1-20"))
    rhythms = set()
    for run in whole.runs:
        assert [c.interval for c in run.schedule] == sorted(c.interval for c in run.schedule)
        by_path: dict[str, list[int]] = {}
        for change in run.schedule:
            by_path.setdefault(change.path, []).append(change.interval)
        assert set(by_path) == {*(f"cells.c{i}.tilt_deg" for i in range(3)), "cells.*.scheduler"}
        for intervals in by_path.values():
            assert intervals[0] == 0
            gaps = [b - a for a, b in itertools.pairwise(intervals)]
            assert all(2 <= gap <= 4 for gap in gaps)
            rhythms.add(tuple(intervals))
        assert all(0 <= c.value <= 15 for c in run.schedule if c.path.endswith("tilt_deg"))
        check_schedule(run.schedule, run.config.scenario)
    assert len(rhythms) > 10


def test_random_schedule_differs_by_seed_and_configuration_but_not_by_company() -> None:
    few = plan(spec_of(schedule=PIECEWISE, n_configs=2, vary=POWER, seeds="1-2"))
    many = plan(spec_of(schedule=PIECEWISE, n_configs=4, vary=POWER, seeds="1-4"))
    assert len({str(run.schedule) for run in few.runs}) == 4
    schedules = {run.id: run.schedule for run in many.runs}
    assert all(schedules[run.id] == run.schedule for run in few.runs)


EVERYTHING: dict[str, Any] = {"kind": "random_piecewise", "controls": "all"}


def test_seeds_of_configurations_take_turns() -> None:
    vary = {"vary": POWER, "n_configs": 4, "seeds": "1-6"}
    whole = plan(spec_of(**vary, seeds_per_config=3))
    by_config = {c.key: [r.seed for r in whole.runs if r.config is c] for c in whole.configs}
    assert list(by_config.values()) == [[1, 2, 3], [4, 5, 6], [1, 2, 3], [4, 5, 6]]
    assert len({run.config.key for run in whole.runs[:4]}) == 4
    with pytest.raises(SweepError, match="seeds_per_config=7 must not exceed the 6 seeds"):
        spec_of(**vary, seeds_per_config=7)


def test_schedule_may_be_the_same_for_all_seeds_of_a_configuration() -> None:
    schedule = {"kind": "random_piecewise", "controls": "all", "per_seed": False}
    whole = plan(spec_of(vary=POWER, n_configs=2, seeds="1-3", schedule=schedule))
    schedules = {c.key: {r.schedule for r in whole.runs if r.config is c} for c in whole.configs}
    assert [len(s) for s in schedules.values()] == [1, 1]
    assert len(set.union(*schedules.values())) == 2


def test_schedule_of_everything_leaves_alone_what_is_varied() -> None:
    whole = plan(spec_of(schedule=EVERYTHING, n_configs=2, vary=POWER, seeds="1-2"))
    for run in whole.runs:
        powers = [c for c in run.schedule if c.path.endswith("tx_power_dbm")]
        assert [(c.interval, c.path) for c in powers] == [(0, "cells.*.tx_power_dbm")]
        tilts = {c.path for c in run.schedule if c.path.endswith("tilt_deg")}
        assert tilts == {f"cells.c{i}.tilt_deg" for i in range(3)}
    assert len({str(run.schedule) for run in whole.runs}) == 4


def test_all_is_short_for_auto_of_everything() -> None:
    groups = ["cells", "slices", "links", "applications", "ues"]
    schedules = [
        plan(spec_of(schedule={**EVERYTHING, "controls": controls})).runs[0].schedule
        for controls in ("all", {"*": "auto"}, dict.fromkeys(groups, "auto"))
    ]
    assert schedules[0] == schedules[1] == schedules[2]


def test_random_faults_are_switched_on_and_varied() -> None:
    mean_gap = "scenario.random_faults.mean_gap_s"
    whole = plan(
        spec_of(
            duration_s=20,
            random_faults={"mean_duration_s": 0.5, "kinds": ["cell_outage"]},
            vary={mean_gap: {"values": [0.5, 5]}},
            design="grid",
            seeds="1-3",
        )
    )
    often, seldom = (config.scenario for config in whole.configs)
    assert [s.random_faults.mean_gap_s for s in (often, seldom) if s.random_faults] == [0.5, 5]
    assert {f.kind for f in often.all_faults(1)} == {"cell_outage"}
    assert len(often.all_faults(1)) > len(seldom.all_faults(1))
    assert often.all_faults(1) == often.all_faults(1) != often.all_faults(2)
    # Faults change neither the schedule's stream nor a scenario that has none.
    assert spec_of().base.random_faults is None


def test_replayed_changes_come_after_the_configurations_own() -> None:
    changes = [
        {"interval": 3, "path": "cells.c0.tilt_deg", "value": 9},
        {"interval": 1, "path": "cells.*.scheduler", "value": "max_ci"},
    ]
    whole = plan(spec_of(schedule={"kind": "replay", "changes": changes}, n_configs=1, vary=POWER))
    assert [c.interval for c in whole.runs[0].schedule] == [0, 1, 3]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31 - 1), st.sampled_from(["sobol", "latin_hypercube", "random"]))
def test_plan_follows_from_the_specification_alone(design_seed: int, design: str) -> None:
    fields: Any = {
        "design": design,
        "design_seed": design_seed,
        "n_configs": 3,
        "vary": POWER,
        "schedule": PIECEWISE,
        "seeds": "1-2",
    }
    spec = spec_of(**fields)
    assert plan(spec) == plan(spec_of(**fields))
    # What a manifest keeps is the specification itself.
    assert plan(parse_spec(json.loads(spec.model_dump_json()))) == plan(spec)


# Files


def test_scenario_path_starts_at_the_specifications_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "mine.yaml").write_text(scenario_text("quickstart"))
    (tmp_path / "deep" / "sweep.yaml").write_text("scenario: ../mine.yaml\n")
    monkeypatch.chdir("/")
    assert load_spec(tmp_path / "deep" / "sweep.yaml").scenario == load_scenario("quickstart")


ROOT = Path(__file__).parents[3]
PUBLISHED = (
    *ROOT.glob("examples/*_sweep.yaml"),
    *ROOT.glob("calibration/design/*.yaml"),
    *ROOT.glob("benchmarks/*/*.yaml"),
)


@pytest.mark.parametrize("path", sorted(PUBLISHED), ids=lambda path: path.stem)
def test_published_sweeps_are_possible(path: Path) -> None:
    spec = load_spec(path)
    few = {"seeds": (1,), "seeds_per_config": None, "n_configs": 4}
    assert len(plan(spec.model_copy(update=few)).runs) == 4


# Mistakes

RANGE = {"min": 1, "max": 2}
MISTAKES: list[tuple[dict[str, Any], list[str]]] = [
    ({"vari": {}}, ["vari is not a field", "did you mean 'vary'"]),
    ({"design": "soboll"}, ["design='soboll'", "'sobol'"]),
    ({"vary": POWER}, ["n_configs is missing"]),
    ({"n_configs": 4}, ["n_configs=4 needs something to vary"]),
    ({"n_configs": 0, "vary": POWER}, ["n_configs=0", "at least 1"]),
    ({"n_configs": 4, "vary": POWER, "design": "grid"}, ["n_configs does not go with a grid"]),
    ({"vary": POWER, "design": "grid"}, ["vary.controls.cells.*.tx_power_dbm", "levels"]),
    ({"seeds": "1-"}, ["seeds='1-'", "must look like '1-50'"]),
    ({"seeds": "5-1"}, ["seeds='5-1'", "empty"]),
    ({"seeds": []}, ["seeds", "at least 1 item"]),
    ({"seeds": [-1]}, ["seeds.0=-1"]),
    ({"seeds": "1-2", "replications": 2}, ["either seeds or replications"]),
    ({"replications": 0}, ["replications=0"]),
    ({"vary": {"layout.isd_m": RANGE}, "n_configs": 1}, ["vary.layout.isd_m must start with"]),
    (
        {"vary": {"scenario.layout.isd": RANGE}, "n_configs": 1},
        ["vary.scenario.layout.isd leads nowhere", "did you mean 'isd_m'"],
    ),
    (
        {"vary": {"scenario.users.vidio.count": RANGE}, "n_configs": 1},
        ["there is no 'vidio'", "did you mean 'video'"],
    ),
    (
        {"vary": {"scenario.carriers.3.bandwidth_mhz": RANGE}, "n_configs": 1},
        ["vary.scenario.carriers.3.bandwidth_mhz leads nowhere", "there is no '3'"],
    ),
    (
        {"vary": {"scenario.layout": {"values": [1]}}, "n_configs": 1},
        ["vary.scenario.layout stops short of a value"],
    ),
    (
        {"vary": {"controls.cells.c7.tilt_deg": RANGE}, "n_configs": 1},
        ["vary.controls.cells.c7.tilt_deg", "'c7' is not one of c0, c1, c2"],
    ),
    (
        {"vary": {"scenario.carriers.0.bandwidth_mhz": {"min": 1, "max": 4}}, "n_configs": 1},
        ["the point scenario.carriers.0.bandwidth_mhz=", "is impossible", "at least 5"],
    ),
    (
        {"vary": {"controls.cells.*.tx_power_dbm": {"values": [99]}}, "n_configs": 1},
        ["the point controls.cells.*.tx_power_dbm=99 is impossible", "tx_power_dbm"],
    ),
    (
        {"vary": {"scenario.slices.embb.min_pct": {"values": [99]}}, "n_configs": 1},
        ["scenario.slices.embb.min_pct=99 is impossible", "dedicated_pct <= min_pct"],
    ),
    (
        {"vary": {"scenario.layout.isd_m": {"min": 2, "max": 1}}, "n_configs": 1},
        ["must not exceed"],
    ),
    ({"vary": {"scenario.layout.isd_m": {"min": 2}}, "n_configs": 1}, ["either min and max"]),
    ({"vary": {"scenario.layout.isd_m": {"values": []}}, "n_configs": 1}, ["at least 1 item"]),
    (
        {"vary": {"scenario.layout.isd_m": {"min": 0, "max": 1, "log": True}}, "n_configs": 1},
        ["above 0 on a logarithmic scale"],
    ),
    ({"schedule": {"kind": "random"}}, ["schedule.kind='random' is unknown", "random_piecewise"]),
    (
        {"schedule": {**PIECEWISE, "controls": {"cells.*.tilt": RANGE}}},
        ["schedule.controls", "'tilt' is not one of"],
    ),
    (
        {"schedule": {**PIECEWISE, "controls": {"cells.*.tilt_deg": {"min": 100, "max": 120}}}},
        ["the schedule of seed 1 is impossible", "tilt_deg"],
    ),
    (
        {"schedule": {**PIECEWISE, "min_gap_intervals": 9}},
        ["min_gap_intervals=9 must not exceed max_gap_intervals=4"],
    ),
    (
        {"schedule": PIECEWISE, "vary": {"controls.cells.c0.tilt_deg": RANGE}, "n_configs": 1},
        ["vary.controls.cells.c0.tilt_deg has no effect"],
    ),
    (
        {"schedule": {**EVERYTHING, "controls": "al"}},
        ["schedule.controls: 'al' must be 'all', or a mapping"],
    ),
    (
        {"schedule": {**EVERYTHING, "controls": {"cells.*.tilt_deg": "atuo"}}},
        ["schedule.controls: cells.*.tilt_deg: 'atuo' must be 'auto', 'fixed', or a range"],
    ),
    (
        {"schedule": {**EVERYTHING, "controls": {"cells.*.tilt_deg": {"mn": 1}}}},
        ["schedule.controls.cells.*.tilt_deg.mn is not a field", "did you mean 'min'"],
    ),
    (
        {"schedule": {**EVERYTHING, "controls": {"cells.*.tilt_deg": {"min": 1}}}},
        ["schedule.controls.cells.*.tilt_deg: give either min and max"],
    ),
    (
        {"schedule": {**EVERYTHING, "controls": {"cells": "fixed"}}},
        ["schedule.controls: everything is 'fixed'"],
    ),
    (
        {"schedule": {**EVERYTHING, "controls": {"ues.*.waypoint": "auto"}}},
        ["schedule.controls: 'ues.*.waypoint' matches no control of this scenario"],
    ),
    (
        {"schedule": {**EVERYTHING, "controls": {"*": "auto", "cels": "fixed"}}},
        ["schedule.controls: 'cels' is not a control", "'cels' is not one of cells, slices"],
    ),
    (
        {
            "schedule": {
                **EVERYTHING,
                "controls": {"cells.c0": "fixed", "cells.*.tilt_deg": RANGE},
            }
        },
        ["schedule.controls gives cells.c0.tilt_deg a range and fixes it"],
    ),
    (
        {
            "schedule": {
                **EVERYTHING,
                "controls": {
                    "cells.*.slices.mmtc": "auto",
                    "cells.c0.slices.mmtc.min_pct": {"min": 95, "max": 99},
                },
            }
        },
        ["the schedule of seed 1 is impossible", "cells.c0"],
    ),
    (
        {"vary": {"scenario.random_faults.mean_gap_s": RANGE}, "n_configs": 1},
        ["vary.scenario.random_faults.mean_gap_s leads nowhere", "`random_faults: {}` switches"],
    ),
    (
        {"vary": {"scenario.random_faults.kinds.0": RANGE}, "n_configs": 1},
        ["vary.scenario.random_faults.kinds.0 leads nowhere"],
    ),
    (
        {"random_faults": {"mean_gap_s": 0}},
        ["random_faults.mean_gap_s=0 is not allowed; it must be above 0"],
    ),
    (
        {"random_faults": {"kinds": ["battery_low"]}},
        ["random_faults.kinds: the scenario has nothing for a battery_low"],
    ),
    (
        {
            "schedule": {
                "kind": "replay",
                "changes": [{"interval": 10, "path": "cells.c0.tilt_deg", "value": 1}],
            }
        },
        ["the schedule of seed 1 is impossible", "comes after the last one, 9"],
    ),
    ({"duration_s": 0.3}, ["duration_s=0.3 must be a whole number of intervals"]),
]


@pytest.mark.parametrize(("fields", "says"), MISTAKES, ids=[says[0] for _, says in MISTAKES])
def test_mistake_is_one_sentence_before_anything_runs(
    tmp_path: Path, fields: dict[str, Any], says: list[str]
) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump({**BASE, **fields}))
    with pytest.raises(SweepError) as caught:
        plan(load_spec(path))
    message = str(caught.value)
    assert "\n" not in message
    for text in says:
        assert text in message


def test_mistake_in_the_scenario_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(scenario_text("quickstart").replace("_ghz", "_hz"))
    (tmp_path / "sweep.yaml").write_text("scenario: mine.yaml\n")
    with pytest.raises(ScenarioError, match=r"mine\.yaml: carriers\.0\.frequency_hz"):
        load_spec(tmp_path / "sweep.yaml")
    with pytest.raises(ScenarioError, match="there is no scenario 'quickstrt'"):
        parse_spec({"scenario": "quickstrt"})


def test_unreadable_specification_is_named(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match=r"cannot read .*none\.yaml"):
        load_spec(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("vary: {")
    with pytest.raises(SweepError, match=r"bad\.yaml is not YAML at line"):
        load_spec(tmp_path / "bad.yaml")


# Listed runs


RATE = "scenario.users.video.traffic.0.rate_mbps"


def point(seed: int, rate_mbps: float) -> dict[str, Any]:
    return {"seed": seed, "values": {RATE: rate_mbps}}


def test_listed_design_has_the_listed_runs_and_survives_its_manifest():
    spec = spec_of(design="listed", points=[point(7, 5), point(3, 9), point(7, 12)])
    runs = plan(spec).runs
    assert [run.seed for run in runs] == [7, 3, 7]
    assert [run.config.values[RATE] for run in runs] == [5, 9, 12]
    assert parse_spec(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"design": "listed"}, "points are missing; a listed design needs them"),
        ({"points": [point(1, 5)]}, "points go with design='listed', not with 'sobol'"),
        ({"design": "listed", "points": [point(1, 5)], "seeds": "2"}, "seeds does not go with"),
        (
            {"design": "listed", "points": [point(1, 5), {"seed": 2, "values": {}}]},
            "all points must say the same fields",
        ),
        ({"design": "listed", "points": [{"seed": 1, "values": {"x": 1}}]}, "vary.x must start"),
    ],
)
def test_impossible_listed_design_is_one_clear_error(fields: dict[str, Any], says: str):
    with pytest.raises(SweepError, match=says):
        spec_of(**fields)


def test_equal_points_are_refused():
    with pytest.raises(SweepError, match="two points are equal"):
        plan(spec_of(design="listed", points=[point(1, 5), point(2, 5)]))


def test_specification_in_a_manifest_has_its_fields_in_the_old_order():
    vary = {
        "scenario.users.web.traffic.1.rate_mbps": {"min": 4, "max": 40},
        RATE: {"min": 4, "max": 30},
        **{path: {**given, "each": True} for path, given in POWER.items()},
        "scenario.layout.isd_m": {"min": 150, "max": 400},
    }
    whole = plan(spec_of(vary=vary, n_configs=2))
    written = json.dumps(whole.spec.model_dump(mode="json"), sort_keys=True)
    manifest = Manifest(
        code_version="",
        ran_hash="",
        ns3_version="",
        scenario="quickstart",
        parameters=whole.parameters,
        configs=tuple(config.key for config in whole.configs),
        seeds=whole.seeds,
        spec=json.loads(written),
    )
    again = spec_of_dataset(manifest)
    assert list(again.vary) == list(vary)
    longer = plan(again.model_copy(update={"n_configs": 5}))
    assert tuple(config.key for config in longer.configs[:2]) == manifest.configs
    assert len({config.key for config in longer.configs}) == 5
