# SPDX-License-Identifier: Apache-2.0
"""Controls and scenarios behind the radio that cannot be are refused in a sentence."""

import pytest
from pydantic import ValidationError

from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.errors import ControlError

APP = {"name": "app", "users": "u", "site": "e0"}


@pytest.fixture(scope="session")
def campus(wired, users):
    """Two slices, two ways to the core, two edge sites and a UAV."""
    cbr = {"kind": "cbr", "rate_mbps": 4}
    fence = {"x_min_m": -50, "x_max_m": 350, "y_min_m": -50, "y_max_m": 50, "z_max_m": 60}
    return wired(
        users=[
            users(cbr),
            users(cbr, name="v", slice="s1"),
            users(cbr, name="d", height_m=40, mobility={"kind": "uav", "geofence": fence}),
        ],
        edge={"sites": [{"name": "e0"}, {"name": "e1"}], "applications": [APP]},
    )


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("slices.s0.routes.s0.core", "s0-r9-core", "'r9' is not one of s0, s1, r0, r1, e0, e1, co"),
        ("slices.s0.routes.s0.core", "s0-core", "no link joins 's0' and 'core'"),
        ("slices.s0.routes.s0.core", "s1-r0-core", "must lead from 's0' to 'core'"),
        ("slices.s0.routes.s0.e0", "s0-r0-core", "must lead from 's0' to 'e0'"),
        ("slices.s0.routes.s0.core", "s0-r0-s0-r0-core", "visits 's0' twice"),
        ("slices.s0.routes.s0.core", "s0", "has no link in it"),
        ("slices.s0.routes.s0.core", "", "'' is not one of s0"),
        ("slices.s0.routes.s0.core", "slice", "'slice' is not one of s0"),
        ("slices.s0.routes.s9.core", "auto", "'s9' is not one of s0, s1"),
        ("ues.u0.flows.cbr0.route", "s0-r9-core", "'r9' is not one of s0, s1"),
        ("ues.u0.flows.cbr0.route", "s0-core", "no link joins 's0' and 'core'"),
        ("ues.u0.flows.cbr0.route", "r0-core", "must lead from a site to one of core, e0, e1"),
        ("ues.u0.flows.cbr0.route", "s0-r0-s1", "must lead from a site to one of core, e0, e1"),
        ("ues.u0.flows.cbr0.route", "core-r0-s0", "must lead from a site to one of core"),
        ("ues.u0.flows.cbr0.route", "s0-r0-s1-r0-core", "visits 'r0' twice"),
        ("ues.u0.flows.cbr0.slice", "gold", r"slice='gold' is not one of s0, s1"),
        ("ues.u0.target_cell", "c9", r"target_cell='c9' is not one of c0, c1"),
        ("applications.app.site", "e9", "site='e9' is not one of e0, e1"),
        ("applications.app.site", "core", "site='core' is not one of e0, e1"),
        ("applications.app.fraction", 1.1, "fraction=1.1: .*less than or equal to 1"),
        ("links.b.queue", "lifo", "queue='lifo'"),
        ("links.z.queue", "fifo", "'z' is not one of a_s0, a_s1, b"),
        ("ues.u2.waypoint.x_m", 400, r"waypoint=\(400, 0, 40\) lies outside the geofence, x -50"),
        ("ues.u2.waypoint.z_m", 61, r"lies outside the geofence, .* z 1.5 to 60 m"),
    ],
)
def test_impossible_change_is_refused_and_explained(campus, path, value, says):
    state = ControlState.initial(campus)
    before = state.model_dump()
    good = ControlChange(path="applications.app.fraction", value=0.5)
    with pytest.raises(ControlError, match=says) as caught:
        state.with_changes([good, ControlChange(path=path, value=value)], campus)
    assert "\n" not in str(caught.value)
    assert state.model_dump() == before


def test_route_without_a_transport_network_is_refused(network):
    scenario = network(
        users=[{**network().users[0].model_dump(), "traffic": [{"kind": "cbr", "rate_mbps": 1}]}]
    )
    change = ControlChange(path="ues.u0.flows.cbr0.route", value="s0-core")
    with pytest.raises(ControlError, match="nothing: there is no transport"):
        ControlState.initial(scenario).with_changes([change], scenario)


def links(*more):
    return {
        "routers": ["r0"],
        "links": [
            {"name": "a", "ends": ("s*", "r0"), "rate_mbps": 1, "delay_ms": 1},
            {"name": "b", "ends": ("r0", "core"), "rate_mbps": 1, "delay_ms": 1},
            *({"rate_mbps": 1, "delay_ms": 1, **link} for link in more),
        ],
    }


E0 = {"name": "e", "ends": ("r0", "e0")}
ONE_SITE = {"sites": [{"name": "e0"}]}
STRIKE = {"start_s": 0, "duration_s": 1}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"transport": links({"name": "z", "ends": ("r0", "r7")})},
         "link 'z' ends at 'r7', which is not one of s0, s1, r0, core"),
        ({"transport": links({"name": "z", "ends": ("r0", "r0")})},
         "link 'z' has both ends at 'r0'"),
        ({"transport": {**links(), "routers": ["r0", "r1"]}}, "no link leads from 'r1' to 'core'"),
        ({"transport": links(), "edge": ONE_SITE}, "no link leads from 'e0' to 'core'"),
        ({"transport": {**links(), "routers": ["r0", "r0"]}}, "two nodes .* are named 'r0'"),
        ({"transport": {**links(), "routers": ["r0", "s1"]}}, "two nodes .* are named 's1'"),
        ({"transport": {**links(), "routers": ["r0", "core"]}}, "two nodes .* are named 'core'"),
        ({"transport": links({"name": "b", "ends": ("s0", "core")})}, "link 'b' more than once"),
        ({"transport": links({"name": "a_s1", "ends": ("s0", "core")})},
         "link 'a_s1' more than once"),
        ({"transport": links({"name": "z", "ends": ("core", "r0")})},
         "links 'b' and 'z' join the same nodes, 'r0' and 'core'"),
        ({"transport": links({"name": "z", "ends": ("s*", "s0")})}, "link 'z_s0' has both ends"),
        ({"transport": None, "edge": ONE_SITE}, "`edge` needs `transport`"),
        ({"transport": links(E0), "edge": {**ONE_SITE, "applications": [{**APP, "site": "e9"}]}},
         r"edge.applications.0.site='e9' is not one of e0"),
        ({"transport": links(E0), "edge": {**ONE_SITE, "applications": [{**APP, "users": "w"}]}},
         r"edge.applications.0.users='w' is not one of u"),
        ({"transport": links(E0), "edge": {**ONE_SITE, "applications": [APP, APP]}},
         "application 'app' more than once"),
        ({"transport": links(E0), "edge": {**ONE_SITE, "applications": [{**APP, "name": "cbr0"}]}},
         "edge.applications.0.name='cbr0' is the name of another flow of 'u'"),
        ({"faults": [{"kind": "link_cut", "link": "z", **STRIKE}]},
         "faults.0.link='z' is not one of a_s0, a_s1, b"),
        ({"faults": [{"kind": "cell_outage", "cell": "c7", **STRIKE}]},
         "faults.0.cell='c7' is not one of c0, c1"),
        ({"faults": [{"kind": "traffic_surge", "slice": "gold", **STRIKE}]},
         "faults.0.slice='gold' is not one of s0, s1"),
        ({"faults": [{"kind": "edge_overload", "site": "e0", **STRIKE}]},
         "faults.0: the scenario has nothing for a edge_overload"),
        ({"faults": [{"kind": "battery_low", "users": "u", **STRIKE}]},
         "faults.0: the scenario has nothing for a battery_low"),
        ({"random_faults": {"kinds": ["battery_low"]}},
         "random_faults.kinds: the scenario has nothing for a battery_low"),
    ],
)  # fmt: skip
def test_impossible_scenario_is_refused_and_explained(wired, changes, says):
    with pytest.raises(ValidationError, match=says) as caught:
        wired(**changes)
    [error] = caught.value.errors()
    assert "\n" not in error["msg"]


@pytest.mark.parametrize("z_m", [1, 61])
def test_waypoint_outside_the_geofence_is_refused(wired, users, z_m):
    points = [{"x_m": 0, "y_m": 0, "z_m": 40}, {"x_m": 0, "y_m": 0, "z_m": z_m}]
    flight = {"kind": "uav", "waypoints": points, "geofence": {"z_max_m": 60}}
    group = users({"kind": "cbr", "rate_mbps": 1}, height_m=40, mobility=flight)
    with pytest.raises(ValidationError, match=r"waypoints\.1 lies outside the geofence"):
        wired(users=[group])
