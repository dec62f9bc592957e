# SPDX-License-Identifier: Apache-2.0
"""Flows go where they are put, get what their slice promises, and send less when told so."""

import pytest

from ns3_scenarios.controls import ControlChange
from ns3_scenarios.simulate import simulate

from .test_invariants import assert_bits_are_conserved

FULL_BUFFER = {"kind": "full_buffer"}
INTERVAL_MS = 200


def users(traffic, *positions, name="u", slice_="s0"):
    items = traffic if isinstance(traffic, list) else [traffic]
    spots = [{"x_m": x, "y_m": y} for x, y in positions or [(20, 0)]]
    placement = {"kind": "points", "points": spots}
    return {"name": name, "slice": slice_, "placement": placement, "traffic": items}


def change(interval, path, value):
    return ControlChange(interval=interval, path=path, value=value)


def test_a_flow_that_is_moved_takes_its_throughput_along(network):
    loops = [{"kind": "cbr", "rate_mbps": rate} for rate in (2, 6)]
    scenario = network(
        slices=[{"name": "s0"}, {"name": "s1", "five_qi": 1}],
        users=[users(loops), users({"kind": "cbr", "rate_mbps": 1}, name="v", slice_="s1")],
    )
    tables = simulate(scenario, [change(2, "ues.u0.flows.cbr1.slice", "s1")]).tables
    assert_bits_are_conserved(tables)
    for name, column in (("slice", "dl_throughput_mbps"), ("network", "throughput_mbps")):
        rates = (
            tables[name]
            .to_pandas()
            .pivot_table(index="interval", columns="slice", values=column, observed=True)
        )
        assert rates.loc[1].tolist() == pytest.approx([8.2, 1], rel=0.1)
        assert rates.loc[3].tolist() == pytest.approx([2.04, 7.1], rel=0.1)
    members = (
        tables["network"]
        .to_pandas()
        .pivot_table(index="interval", columns="slice", values="users", observed=True)
    )
    assert members.loc[1].tolist() == [1, 1]
    assert members.loc[3].tolist() == [1, 2]
    flow = tables["flow"].to_pandas()
    moved = flow[(flow.ue == "u0") & (flow.flow == "cbr1")].set_index("interval")
    assert moved.slice.tolist() == ["s0", "s0", "s1", "s1", "s1"]
    assert (moved.five_qi[2:] == 1).all()
    assert (moved.delay_budget_ms == [300, 300, 100, 100, 100]).all()


def test_the_shares_of_the_new_slice_apply_to_a_flow(network, measure):
    scenario = network(
        slices=[{"name": "s0", "max_pct": 60}, {"name": "s1", "max_pct": 20}],
        users=[users(FULL_BUFFER), users(FULL_BUFFER, (0, 20), name="v")],
    )
    tables = measure(scenario, [change(3, "ues.u0.flows.full_buffer0.slice", "s1")])
    used = tables["slice"].pivot_table(
        index="interval", columns="slice", values="dl_prb_util_pct", observed=True
    )
    assert used.loc[1:2, "s0"].to_numpy() == pytest.approx(60, abs=1)
    assert used.loc[1:2, "s1"].to_numpy() == pytest.approx(0)
    assert used.loc[4, "s0"] == pytest.approx(60, abs=1)
    assert used.loc[4, "s1"] == pytest.approx(20, abs=1)
    ue = tables["ue"].pivot_table(
        index="interval", columns="ue", values="dl_throughput_mbps", observed=True
    )
    assert ue.loc[2, "u1"] == pytest.approx(ue.loc[2, "u0"], rel=0.1)
    assert ue.loc[4, "u1"] == pytest.approx(3 * ue.loc[4, "u0"], rel=0.1)


@pytest.mark.parametrize("promise", [{"guaranteed_mbps": 20}, {"delay_budget_ms": 10}])
def test_what_the_new_slice_promises_holds_under_the_qos_scheduler(network, promise):
    crowd = [(30 + 2 * k, 10) for k in range(7)]
    # More is offered than the cell carries.
    load = {"kind": "cbr", "rate_mbps": 30}
    scenario = network(
        radio={"scheduler": "qos", "dl_queue_kb": 100},
        slices=[{"name": "s0"}, {"name": "s1", "five_qi": 9, **promise}],
        users=[users(load), users(load, *crowd, name="v")],
        duration_s=1.6,
    )
    flow = simulate(scenario, [change(4, "ues.u0.flows.cbr0.slice", "s1")]).tables["flow"]
    rows = flow.to_pandas()
    mine = rows[rows.ue == "u0"].set_index("interval")
    others = rows[rows.ue != "u0"].groupby("interval").throughput_mbps.mean()
    before, after = mine.throughput_mbps[2:4].mean(), mine.throughput_mbps[6:].mean()
    assert before == pytest.approx(others[2:4].mean(), rel=0.15)
    assert after > 1.3 * others[6:].mean()
    if "guaranteed_mbps" in promise:
        assert after > 0.9 * 20
        assert (mine.guaranteed_mbps == [0] * 4 + [20] * 4).all()
    else:
        assert mine.latency_ms[6:].mean() < 0.8 * mine.latency_ms[2:4].mean()
        assert (mine.delay_budget_ms == [300] * 4 + [10] * 4).all()


#: Traffic of every kind, and its usual rate in Mbit/s at the IP layer where it has one.
KINDS = {
    "cbr": ({"rate_mbps": 4}, 4 * 1428 / 1400),
    "bursty": ({"rate_mbps": 10, "on_ms": 5, "off_ms": 5}, None),
    "xr": ({"rate_mbps": 12}, None),
    "mtc": ({"mean_gap_ms": 1}, 228 * 8e-3),
    "control_loop": ({"period_ms": 2}, 92 * 8e-3 / 2),
    "tcp_bulk": ({"full_mbps": 20}, None),
    "full_buffer": ({"full_mbps": 20}, None),
}
FULL_MBPS = 20


@pytest.mark.parametrize("reduced_pct", [25, 50])
@pytest.mark.parametrize("kind", KINDS)
def test_degradation_reduces_stops_and_restores_traffic(network, kind, reduced_pct):
    settings, usual = KINDS[kind]
    traffic = {"kind": kind, "reduced_pct": reduced_pct, **settings}
    scenario = network(
        users=[users(traffic, *[(20 + k, 0) for k in range(3)])], duration_s=8, interval_ms=500
    )
    levels = {4: "reduce_rate", 8: "essential_only", 12: "none"}
    changes = [change(at, "slices.s0.degradation", level) for at, level in levels.items()]
    tables = simulate(scenario, changes).tables
    assert_bits_are_conserved(tables)
    network_rows = tables["network"].to_pandas()
    assert network_rows.degradation.tolist() == [
        level for level in ("none", *levels.values()) for _ in range(4)
    ]
    sent = network_rows.offered_mbps.to_numpy()
    normal, reduced, stopped, restored = (sent[k + 1 : k + 4].mean() for k in (0, 4, 8, 12))
    if kind in ("tcp_bulk", "full_buffer"):
        expected = 3 * FULL_MBPS * reduced_pct / 100
        assert normal > 60
    else:
        expected = normal * reduced_pct / 100
    if usual:
        assert normal == pytest.approx(3 * usual, rel=0.1)
    assert reduced == pytest.approx(expected, rel=0.1)
    assert stopped == 0
    assert restored == pytest.approx(normal, rel=0.15)


def test_what_is_essential_goes_on_at_its_reduced_rate(network):
    traffic = [
        {"kind": "cbr", "rate_mbps": 4, "essential": True, "reduced_pct": 25},
        {"kind": "cbr", "rate_mbps": 2},
    ]
    scenario = network(users=[users(traffic)])
    only = change(2, "slices.s0.degradation", "essential_only")
    flow = simulate(scenario, [only]).tables["flow"].to_pandas()
    sent = flow.pivot_table(index="interval", columns="flow", values="sent_bits", observed=True)
    assert (sent.loc[3:, "cbr1"] == 0).all()
    ratio = sent.loc[3:, "cbr0"].mean() / sent.loc[:1, "cbr0"].mean()
    assert ratio == pytest.approx(0.25, rel=0.1)


def test_web_users_ask_for_less(network):
    traffic = {"kind": "http", "reduced_pct": 5}
    scenario = network(
        users=[users(traffic, *[(20 + k, 0) for k in range(15)])],
        duration_s=300,
        interval_ms=20_000,
    )
    reduce = change(0, "slices.s0.degradation", "reduce_rate")
    usual, reduced = (
        simulate(scenario, changes).tables["network"].to_pandas().offered_mbps.sum()
        for changes in ([], [reduce])
    )
    assert 0 < reduced < 0.6 * usual


def test_sources_that_go_on_do_not_all_begin_at_once(network):
    # Their packets must not come at the same moment ever after.
    loop = {"kind": "control_loop", "period_ms": 20}
    scenario = network(users=[users(loop, *[(20 + k, 0) for k in range(20)])], interval_ms=20)
    levels = {10: "essential_only", 20: "none"}
    changes = [change(at, "slices.s0.degradation", level) for at, level in levels.items()]
    ue = simulate(scenario, changes).tables["ue"].to_pandas()
    sent = ue.pivot_table(index="interval", columns="ue", values="dl_offered_bits", observed=True)
    assert (sent.loc[11:19] == 0).all(axis=None)
    assert (sent.loc[1:9] > 0).all(axis=None)
    latency = ue.pivot_table(index="interval", columns="ue", values="dl_latency_ms", observed=True)
    # Each packet comes at the same place in its slot as before.
    assert latency.loc[25].to_numpy() == pytest.approx(latency.loc[5].to_numpy(), abs=1e-3)


def test_degradation_spares_other_slices_and_follows_a_flow(network):
    traffic = {"kind": "cbr", "rate_mbps": 4}
    scenario = network(
        slices=[{"name": "s0"}, {"name": "s1"}],
        users=[users(traffic), users(traffic, name="v", slice_="s1")],
        duration_s=2,
    )
    changes = [
        change(2, "slices.s0.degradation", "essential_only"),
        change(5, "ues.u0.flows.cbr0.slice", "s1"),
        change(5, "ues.u1.flows.cbr0.slice", "s0"),
    ]
    flow = simulate(scenario, changes).tables["flow"].to_pandas()
    sent = flow.pivot_table(index="interval", columns="ue", values="sent_bits", observed=True)
    assert (sent.loc[3:4, "u0"] == 0).all()
    assert (sent.loc[6:, "u0"] > 0).all()
    assert (sent.loc[:4, "u1"] > 0).all()
    assert (sent.loc[6:, "u1"] == 0).all()
