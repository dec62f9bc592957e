# SPDX-License-Identifier: Apache-2.0
"""Sites stand where TR 38.901 puts them, and where the simulation puts them."""

import math

import pytest

from ns3_scenarios.geometry import network_radius_m, sector_bearings_deg, site_positions_m
from ns3_scenarios.library import load_scenario
from ns3_scenarios.scenario import Layout, Placement, Position, ScenarioConfig
from ns3_scenarios.simulate import simulate

LAYOUTS = {
    "hexagonal": Layout(kind="hexagonal", n_sites=19, n_sectors=3, isd_m=500),
    "indoor": Layout(kind="indoor", n_sites=12, n_sectors=1, isd_m=20, site_height_m=3),
    "free": Layout(
        kind="free", n_sectors=1, sites=(Position(x_m=3, y_m=4, z_m=5), Position(x_m=-70, y_m=0))
    ),
}


def test_rings_of_sites_are_one_distance_apart() -> None:
    sites = site_positions_m(LAYOUTS["hexagonal"])
    assert sites[0] == (0, 0, 10)
    assert len({(round(x, 6), round(y, 6)) for x, y, _ in sites}) == 19
    for site in sites:
        nearest = sorted(math.dist(site, other) for other in sites if other is not site)
        assert nearest[:3] == pytest.approx([500, 500, 500])
    assert sorted(math.hypot(x, y) for x, y, _ in sites)[1:7] == pytest.approx([500] * 6)


def test_office_has_two_rows_of_six() -> None:
    sites = site_positions_m(LAYOUTS["indoor"])  # TR 38.901 Figure 7.2-1: 120 m by 50 m
    assert sorted({x for x, _, _ in sites}) == [-50, -30, -10, 10, 30, 50]
    assert sorted({y for _, y, _ in sites}) == [-10, 10]
    assert {z for _, _, z in sites} == {3}


def test_network_reaches_half_a_distance_beyond_its_farthest_site() -> None:
    base = load_scenario("dense_urban")
    assert network_radius_m(base) == pytest.approx(200 + 100)
    assert network_radius_m(base.model_copy(update={"layout": LAYOUTS["hexagonal"]})) == (
        pytest.approx(1000 + 250)
    )


def test_sectors_share_the_circle() -> None:
    assert sector_bearings_deg(LAYOUTS["hexagonal"]) == (30, 150, 270)
    assert len(sector_bearings_deg(LAYOUTS["indoor"])) == 1


@pytest.mark.parametrize("kind", LAYOUTS)
def test_simulation_puts_users_around_the_same_sites(kind: str) -> None:
    base = load_scenario("quickstart")
    near = base.users[-1].model_copy(
        update={
            "placement": Placement(kind="per_cell", min_radius_m=1, radius_m=5),
            "count": 2,
        }
    )
    layout = LAYOUTS[kind]
    changed = {
        "layout": layout,
        "users": [near],
        "duration_s": 0.2,
        "edge": None,
        "transport": None,
    }
    scenario = ScenarioConfig.model_validate({**dict(base), **changed})
    users = simulate(scenario)["ue"].to_pylist()
    sites = site_positions_m(layout)
    bearings = sector_bearings_deg(layout)
    expected = iter(
        (x, y, bearing) for x, y, _ in sites for bearing in bearings for _ in range(near.count)
    )
    for user, (x_m, y_m, bearing) in zip(users, expected, strict=True):
        dx, dy = user["x_m"] - x_m, user["y_m"] - y_m
        assert 1 <= math.hypot(dx, dy) <= 5
        off = (math.degrees(math.atan2(dy, dx)) - bearing + 180) % 360 - 180
        assert abs(off) <= 180 / len(bearings) + 1e-6
