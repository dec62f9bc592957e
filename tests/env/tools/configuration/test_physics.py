# SPDX-License-Identifier: Apache-2.0
"""The network follows what configuration tools set, within an interval or two."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from env.backends.ns3 import Ns3Backend
from env.environment import Environment
from env.kpis import Kpis
from ns3_scenarios.library import load_scenario


def do(environment: Environment, tool: str, /, **arguments: Any) -> Kpis:
    """KPIs of the interval after a call."""
    answer = environment.call(tool, arguments)
    assert answer.ok, answer.content
    return environment.backend.history[-1]


def now(environment: Environment) -> Kpis:
    return environment.backend.history[-1]


def total(kpis: Kpis, table: str, column: str, **names: str) -> float:
    return float(np.nansum(kpis.column(table, column)[kpis.where(table, **names)]))


def rsrp_dbm(kpis: Kpis, ue: str) -> float:
    return total(kpis, "ue", "rsrp_dbm", ue=ue)


def test_less_power_is_received_as_so_much_less(live: Environment) -> None:
    before = now(live)
    after = do(live, "set_cell_tx_power", cell="c0", tx_power_dbm=28)
    standing = [row for row in before.rows("ue") if row["speed_mps"] == 0]
    assert {row["cell"] for row in standing} == {"c0", "c1", "c2"}
    for row in standing:
        change_db = rsrp_dbm(after, row["ue"]) - row["rsrp_dbm"]
        assert change_db == pytest.approx(-10 if row["cell"] == "c0" else 0, abs=1e-6)


def test_tilt_moves_power_between_near_and_far(live: Environment) -> None:
    near, far = "u6", "u3"
    before = now(live)
    after = do(live, "set_antenna_tilt", cell="c0", tilt_deg=40)
    gain_db = {ue: rsrp_dbm(after, ue) - rsrp_dbm(before, ue) for ue in (near, far)}
    assert gain_db[near] > gain_db[far] + 2


def test_a_slice_gets_no_more_than_its_share(live: Environment) -> None:
    assert total(now(live), "slice", "dl_prb_util_pct", cell="c0", slice="embb") > 40
    after = do(live, "trigger_slice_reallocation", cell="c0", slice="embb", min_pct=0, max_pct=20)
    assert 5 < total(after, "slice", "dl_prb_util_pct", cell="c0", slice="embb") < 22


def test_a_narrow_carrier_fills_up(live: Environment) -> None:
    before = total(now(live), "cell", "dl_prb_util_pct", cell="c1")
    after = do(live, "set_cell_carrier", cell="c1", bandwidth_mhz=5)
    assert total(after, "cell", "dl_prb_util_pct", cell="c1") > before + 15


def test_a_lower_target_is_met_with_more_robust_transmissions(live: Environment) -> None:
    live.advance = 4
    do(live, "set_scheduler", cell="c0", target_bler=0.5)
    eager = total(now(live), "cell", "dl_bler_pct", cell="c0")
    do(live, "set_scheduler", cell="c0", target_bler=0.001)
    assert total(now(live), "cell", "dl_bler_pct", cell="c0") < eager - 10


def test_load_goes_where_it_is_led(live: Environment) -> None:
    way_back = {"from_node": "core", "to_node": "agg"}
    before = now(live)
    assert total(before, "link", "throughput_mbps", link="detour_far") == 0
    after = do(live, "reroute_flow", slice="embb", path=["s0", "agg", "ring", "core"])
    assert total(after, "link", "throughput_mbps", link="detour_far") > 10
    direct = total(after, "link", "throughput_mbps", **way_back)
    assert direct < 0.2 * total(before, "link", "throughput_mbps", **way_back)


def test_one_flow_goes_its_own_way(live: Environment) -> None:
    after = do(live, "reroute_flow", ue="u0", flow="xr0", path=["s0", "agg", "ring", "core"])
    detour = total(after, "link", "throughput_mbps", link="detour_far", from_node="core")
    detour += total(after, "link", "throughput_mbps", link="detour_far", from_node="ring")
    sent = total(after, "flow", "sent_bits", ue="u0", flow="xr0", direction="dl") / 200e3
    assert detour == pytest.approx(sent, rel=0.25)
    assert total(after, "link", "throughput_mbps", link="trunk") > detour


def test_degraded_applications_fall_silent(live: Environment) -> None:
    assert total(now(live), "network", "offered_mbps", slice="embb") > 5
    do(live, "graceful_degradation", slice="embb", level="essential_only")
    live.run_on()
    assert total(now(live), "network", "offered_mbps", slice="embb") < 0.5
    assert total(now(live), "network", "offered_mbps", slice="urllc") > 0.1


def test_jobs_go_to_the_new_site(live: Environment) -> None:
    do(live, "edge_offload", application="vision", site="cloud")
    live.run_on()
    assert total(now(live), "edge", "jobs_arrived", site="cloud") > 0
    assert total(now(live), "edge", "jobs_arrived", site="mec") == 0
    do(live, "edge_offload", application="vision", fraction=0)
    live.run_on()
    assert total(now(live), "edge", "jobs_arrived") == 0


def test_a_flow_counts_for_its_new_slice(live: Environment) -> None:
    before = total(now(live), "network", "offered_mbps", slice="urllc")
    after = do(live, "switch_network_slice", ue="u0", flow="xr0", slice="urllc")
    assert total(after, "network", "offered_mbps", slice="urllc") > before + 3


def test_users_go_where_they_are_ordered(live: Environment) -> None:
    after = do(live, "request_handover", ue="u3", target_cell="c2")
    (row,) = after.rows("ue", ue="u3")
    assert (row["cell"], row["handovers"], row["state"]) == ("c2", 1, "connected")


def test_users_follow_offsets(live: Environment) -> None:
    before = total(now(live), "cell", "users", cell="c2")
    do(live, "set_handover_params", cell="c0", neighbour="c2", cio_db=24, ttt_ms=0)
    live.run_on()
    assert total(now(live), "cell", "users", cell="c2") > before


def test_a_cell_that_is_off_serves_nobody_and_takes_no_power(live: Environment) -> None:
    do(live, "set_cell_sleep", cell="c0", mode="off")
    live.run_on(2)
    (row,) = now(live).rows("cell", cell="c0")
    assert (row["state"], row["users"], row["power_w"]) == ("off", 0, 0)


def test_a_uav_flies_to_its_waypoint() -> None:
    point = {"x_m": 0.0, "y_m": 0.0, "z_m": 90.0}
    with Environment(Ns3Backend(load_scenario("uav_corridor"), 1)) as environment:

        def distance_m() -> float:
            (row,) = now(environment).rows("ue", ue="u0")
            return math.dist([row[axis] for axis in point], point.values())

        before_m = distance_m()
        do(environment, "set_waypoint", ue="u0", speed_mps=30, **point)
        assert distance_m() == pytest.approx(before_m - 30 * 0.2, abs=0.1)
