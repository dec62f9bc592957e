# SPDX-License-Identifier: Apache-2.0
"""Movement, faults and alarms, held against live NS-3 interval by interval."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.network import network_of
from calibration.trajectory import Controls
from env.kpis import Kpis
from env.world import World
from env.world.alarms import columns
from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.library import load_scenario, parse_model
from ns3_scenarios.live import LiveSimulation
from ns3_scenarios.scenario import ScenarioConfig

INTERVALS = 16


@pytest.fixture(scope="module")
def stormy() -> ScenarioConfig:
    """`quickstart` with cars on a short road, UAVs on a short mission, and every kind of fault."""
    data = load_scenario("quickstart").model_dump(mode="json")
    drone = {
        "name": "drone", "slice": "urllc", "count": 3, "height_m": 40,
        "placement": {"kind": "box", "width_m": 30, "depth_m": 30},
        "mobility": {"kind": "uav", "speed_mps": 15, "battery_wh": 2, "battery_pct": 30,
                     "waypoints": [{"x_m": 10, "y_m": 0, "z_m": 40},
                                   {"x_m": 0, "y_m": 9, "z_m": 45}]},
        "traffic": [{"kind": "control_loop"}],
    }  # fmt: skip
    car = {
        "name": "car", "slice": "mmtc", "count": 6,
        "placement": {"kind": "box", "width_m": 20, "depth_m": 8},
        "mobility": {"kind": "vehicle", "speed_mps": 20, "road_length_m": 24, "heading_deg": 30},
        "traffic": [{"kind": "mtc"}],
    }  # fmt: skip
    data["users"] = [*data["users"], drone, car]
    data["duration_s"] = 4
    data["random_faults"] = {"mean_gap_s": 0.12, "mean_duration_s": 0.5}
    return parse_model(ScenarioConfig, data, "stormy")


def test_users_links_and_alarms_are_those_of_ns3(stormy: ScenarioConfig) -> None:
    controls, network = ControlState.initial(stormy), network_of(stormy)
    kinds = np.array([group.mobility.kind for group in stormy.ue_groups])
    there = kinds != "random_walk"
    causes: set[str] = set()
    with LiveSimulation(stormy, 5) as live:
        world = World(network, 5, Kpis.each_of_arrow(live.advance(2)), controls)
        arrays = Controls(network).arrays
        for step in range(INTERVALS):
            if step == 4:
                to = ControlChange(path="ues.u13.waypoint.x_m", value=-60.0)
                live.apply([to])
                after = controls.with_changes([to], stormy)
                world.motion.obey(controls, after)
            real = Kpis.of_arrow(live.advance(1))
            outside = world.run(arrays)
            for axis in ("x_m", "y_m", "z_m"):
                np.testing.assert_allclose(
                    outside[axis][0, there], real.column("ue", axis)[there], atol=1e-5
                )
            np.testing.assert_allclose(
                world.motion.charges_pct(), real.column("ue", "battery_pct"), atol=1e-6
            )
            links = world.links()
            np.testing.assert_array_equal(links.up, real.column("link", "up"))
            for name in ("rate_mbps", "propagation_ms"):
                np.testing.assert_allclose(getattr(links, name), real.column("link", name))
            ours = columns(
                world._alarms[0].update(
                    world.interval * stormy.interval_ms,
                    world._seen,
                    real.column("cell", "dl_prb_util_pct"),
                    real.column("edge", "util_pct"),
                    world.motion.charges_pct(),
                    real.column("ue", "state") == "lost",
                )
            )
            theirs = real.table("alarm")
            for name in ("alarm", "element", "cause", "severity"):
                assert list(ours[name]) == list(theirs[name])
            for name in ("raised_ms", "cleared_ms"):
                np.testing.assert_allclose(ours[name], theirs[name])
            causes |= set(theirs["cause"])
    assert causes >= {"link_cut", "cell_outage", "battery_low"}


def test_walkers_go_at_their_speed_and_stay_near() -> None:
    scenario = load_scenario("quickstart")
    data = scenario.model_dump(mode="json")
    data["users"][0]["mobility"]["speed_mps"] = 100
    fast = parse_model(ScenarioConfig, data, "fast")
    controls, network = ControlState.initial(fast), network_of(fast)
    with LiveSimulation(fast, 1) as live:
        history = Kpis.each_of_arrow(live.advance(2))
    world = World(network, 1, history, controls)
    arrays = Controls(network).arrays
    before = world.motion.positions_m[0].copy()
    steps, farthest = [], 0.0
    for _ in range(100):
        world.run(arrays)
        now = world.motion.positions_m[0]
        steps.append(np.linalg.norm(now - before, axis=-1))
        farthest = max(farthest, float(np.abs(now).max()))
        before = now.copy()
    reached = np.array(steps)
    np.testing.assert_allclose(reached[:, 6:].max(), 0)
    assert reached[:, 3:6].max() == pytest.approx(0.83 * 0.2, abs=1e-6)
    assert 5 < reached[:, :3].mean() < 20
    assert farthest < 200
    assert np.isfinite(before).all()
