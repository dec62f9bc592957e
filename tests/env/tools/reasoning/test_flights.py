# SPDX-License-Identifier: Apache-2.0
"""Plans of flights: geometry, energy by the cited formula, coverage as NS-3 measures it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from env.backends.base import BackendName
from env.environment import Environment
from env.tools.reasoning.coverage import Coverage

Network = Callable[[BackendName, str], Environment]


def power_w(level_mps: float, climb_mps: float) -> float:
    """Zeng, Xu and Zhang 2019, eq. 12 with the figures of Table I, climb and 10 W of avionics."""
    blade, induced = 79.8563, 88.6279
    inflow = math.sqrt(1 + level_mps**4 / (4 * 4.03**4)) - level_mps**2 / (2 * 4.03**2)
    drag = 0.5 * 0.6 * 1.225 * 0.05 * 0.503 * level_mps**3
    return (
        blade * (1 + 3 * level_mps**2 / 120**2)
        + induced * math.sqrt(inflow)
        + drag
        + 20 * climb_mps
        + 10
    )


def row(environment: Environment, ue: str) -> dict[str, Any]:
    (found,) = environment.view().now.rows("ue", ue=ue)
    return found


@pytest.mark.parametrize("ue", ["u0", "u7"])
@pytest.mark.parametrize("to", [(900.0, 900.0, 120.0), (-600.0, 100.0, 30.0)])
def test_a_plan_adds_up(
    network: Network, ask: Callable[..., Any], ue: str, to: tuple[float, float, float]
) -> None:
    environment = network("ns3", "uav_corridor")
    mobility: Any = environment.view().group_of[ue].mobility
    plan = ask(environment, "path_planning", ue=ue, x_m=to[0], y_m=to[1], z_m=to[2])
    here = row(environment, ue)
    points = [(here["x_m"], here["y_m"], here["z_m"])]
    points += [(w["x_m"], w["y_m"], w["z_m"]) for w in plan["waypoints"]]
    assert points[-1] == to
    assert all(mobility.geofence.holds(*point) for point in points[1:])
    speed = plan["speed_mps"]
    assert speed == mobility.speed_mps
    energy_j = 0.0
    for a, b in itertools.pairwise(points):
        seconds = math.dist(a, b) / speed
        energy_j += seconds * power_w(math.dist(a[:2], b[:2]) / seconds, (b[2] - a[2]) / seconds)
    length = sum(math.dist(a, b) for a, b in itertools.pairwise(points))
    assert plan["length_m"] == pytest.approx(length, rel=1e-4)
    assert plan["direct_m"] == pytest.approx(math.dist(points[0], to), rel=1e-4)
    assert plan["duration_s"] == pytest.approx(length / speed, rel=1e-4)
    assert plan["energy_wh"] == pytest.approx(energy_j / 3600, rel=1e-3)
    assert plan["battery_pct"] == pytest.approx(here["battery_pct"], rel=1e-5)
    left = here["battery_pct"] - 100 * energy_j / 3600 / mobility.battery_wh
    assert plan["arrival_pct"] == pytest.approx(left, rel=1e-3)
    assert plan["reachable"] == (left > mobility.low_battery_pct)


def test_the_fence_holds_and_its_corner_is_inside(
    network: Network, ask: Callable[..., Any], refused: Callable[..., Any]
) -> None:
    environment = network("ns3", "uav_corridor")
    corner = {"x_m": 900.0, "y_m": 900.0, "z_m": 120.0}
    way = ask(environment, "path_planning", ue="u0", **corner)["waypoints"]
    fly = {f"{a}_m": way[0][f"{a}_m"] for a in "xyz"}
    call = {"tool": "set_waypoint", "arguments": {"ue": "u0", **fly}}
    assert ask(environment, "predict_kpis", changes=[call], horizon=1)["intervals"]
    for beyond in ({"x_m": 900.1}, {"y_m": -600.1}, {"z_m": 120.1}):
        found = refused(environment, "path_planning", ue="u0", **{**corner, **beyond})
        assert found["code"] == "not_allowed"
        assert "900" in found["allowed"]
    walker = environment.backend.scenario.ue_ids[-1]
    assert refused(environment, "path_planning", ue=walker, **corner)["code"] == "no_such_element"


def test_coverage_is_what_is_measured_here_and_near_it_elsewhere(network: Network) -> None:
    """Against RSRP that NS-3 measures: at the UAV itself, and where the others are."""
    environment = network("ns3", "uav_corridor")
    view = environment.view()
    uavs = [ue for ue, group in view.group_of.items() if group.mobility.kind == "uav"]
    errors = []
    for ue in uavs:
        coverage = Coverage(view, ue)
        levels = dict(
            zip(coverage.cells, coverage.rsrp_dbm(coverage.position_m[None])[0], strict=True)
        )
        for heard in view.now.rows("neighbour", ue=ue):
            assert levels[heard["cell"]] == pytest.approx(heard["rsrp_dbm"], abs=1e-6)
        for other in (row(environment, o) for o in uavs if o != ue):
            point = np.array([[other["x_m"], other["y_m"], other["z_m"]]])
            predicted = coverage.rsrp_dbm(point)[0][coverage.cells.index(other["cell"])]
            errors.append(predicted - other["rsrp_dbm"])
    assert abs(np.median(errors)) < 3
    assert np.std(errors) < 5  # shadowing of TR 36.777 in line of sight is about 4 dB


@pytest.fixture(scope="module")
def patchy(fresh: Network) -> Any:
    """A corridor in which two cells are left: others are far too quiet to be used."""
    with fresh("surrogate", "uav_corridor") as environment:
        for cell in environment.backend.scenario.cell_ids:
            if cell not in ("c3", "c6"):
                arguments = {"cell": cell, "tx_power_dbm": -30.0}
                assert environment.call("set_cell_tx_power", arguments).ok
        yield environment


def test_no_way_over_any_one_point_is_notably_better(patchy: Environment) -> None:
    """A metre without coverage counts as ten, along the plan as along any other way."""
    coverage = Coverage(patchy.view(), "u0")
    needs = patchy.backend.scenario.radio.handover

    def cost(points: list[Any]) -> float:
        total = 0.0
        for a, b in itertools.pairwise(np.array(points, float)):
            middle = a + np.linspace(0, 1, 201)[:, None] * (b - a)
            rsrp, sinr = coverage.serving(middle)
            covered = (rsrp >= needs.min_rsrp_dbm + 10) & (sinr >= needs.q_in_db + 3)
            total += float(np.linalg.norm(b - a)) * float(np.where(covered, 1, 10).mean())
        return total

    rng = np.random.default_rng(1)
    detours = 0
    for to in ((-300.0, -300.0, 60.0), (-550.0, 300.0, 60.0), (300.0, -500.0, 40.0)):
        arguments = {"ue": "u0", "x_m": to[0], "y_m": to[1], "z_m": to[2]}
        plan = patchy.call("path_planning", arguments).content
        start = coverage.position_m
        way = [start, *((w["x_m"], w["y_m"], w["z_m"]) for w in plan["waypoints"])]
        others = rng.uniform((-600, -600, 30), (900, 900, 120), size=(400, 3))
        detours += len(way) > 2
        assert plan["length_m"] >= plan["direct_m"] * (1 - 1e-6)
        assert cost(way) <= 1.05 * min(cost([start, to]), *(cost([start, p, to]) for p in others))
    assert detours


def test_where_no_cell_is_left_nothing_is_heard(fresh: Network, ask: Callable[..., Any]) -> None:
    with fresh("surrogate", "uav_corridor") as environment:
        for cell in environment.backend.scenario.cell_ids:
            assert environment.call("set_cell_sleep", {"cell": cell, "mode": "off"}).ok
        plan = ask(environment, "path_planning", ue="u0", x_m=0.0, y_m=0.0, z_m=60.0)
    assert (plan["covered_pct"], plan["min_rsrp_dbm"], plan["min_sinr_db"]) == (0, None, None)
    assert len(plan["waypoints"]) == 1
