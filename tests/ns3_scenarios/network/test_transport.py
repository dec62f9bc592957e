# SPDX-License-Identifier: Apache-2.0
"""Traffic over the transport network: delays, links, routes, queues and handovers between sites."""

import math

import pytest

from ns3_scenarios.controls import ControlChange

IP_UDP_BYTES = 20 + 8
TUNNEL_BYTES = 16 + 8 + 20 + 2  # GTP-U with PDU session container, UDP, IPv4, PPP
CHANGE_AT = 2
TCP = {"kind": "tcp_bulk"}
#: Measured and served without pause, and handed over when it is ordered.
SEAMLESS = {"enabled": False, "preparation_ms": 0, "interruption_ms": 0}


def cbr(rate_mbps, direction="downlink", packet_bytes=1400):
    return {
        "kind": "cbr",
        "rate_mbps": rate_mbps,
        "direction": direction,
        "packet_bytes": packet_bytes,
    }


def on_link_bits(flow_bits, packet_bytes=1400):
    """Bits that a link carries for bits of IP packets."""
    ip_bytes = packet_bytes + IP_UDP_BYTES
    return flow_bits * (ip_bytes + TUNNEL_BYTES) / ip_bytes


def of_link(frame, name, from_node):
    return frame[(frame.link == name) & (frame.from_node == from_node)].set_index("interval")


def of_flow(frame, ue="u0", flow="cbr0"):
    return frame[(frame.ue == ue) & (frame.flow == flow)].set_index("interval")


# Delays and counters of links


@pytest.mark.parametrize("packet_bytes", [100, 1400])
@pytest.mark.parametrize(("direction", "d"), [("downlink", "dl"), ("uplink", "ul")])
def test_latency_is_that_of_radio_and_links(wired, users, measure, direction, d, packet_bytes):
    rates_mbps, delays_ms = (10, 20), (2.5, 4)
    scenario = wired(
        links={
            name: {"rate_mbps": rate_mbps, "delay_ms": delay_ms}
            for name, rate_mbps, delay_ms in zip("ab", rates_mbps, delays_ms, strict=True)
        },
        # So seldom that no packet waits for another one.
        users=[users(cbr(packet_bytes / 700, direction, packet_bytes))],
    )
    tables = measure(scenario)
    bits = 8 * (packet_bytes + IP_UDP_BYTES + TUNNEL_BYTES)
    expected = (
        tables["ue"][f"{d}_latency_ms"].mean()
        + sum(delays_ms)
        + sum(bits / rate_mbps / 1e3 for rate_mbps in rates_mbps)
    )
    assert tables["flow"].latency_ms.mean() == pytest.approx(expected, rel=0.01)
    assert tables["flow"].loss_pct.max() == 0


def test_without_transport_latency_is_that_of_the_radio(network, users, measure):
    tables = measure(network(users=[users(cbr(2), cbr(1, "uplink"))]))
    flow, ue = tables["flow"], tables["ue"]
    for d in ("dl", "ul"):
        of_path = flow[flow.direction == d].latency_ms.to_numpy()
        assert of_path == pytest.approx(ue[f"{d}_latency_ms"].to_numpy(), abs=1e-4)
    assert len(tables["link"]) == 0


def test_link_table_is_as_configured(wired, users, measure):
    packet_bytes, rate_mbps, loss_pct = 200, 4, 5
    scenario = wired(
        links={"b": {"rate_mbps": 50, "delay_ms": 3, "loss_pct": loss_pct}},
        users=[users(cbr(rate_mbps, packet_bytes=packet_bytes))],
        duration_s=2,
    )
    rows = of_link(measure(scenario)["link"], "b", "core")
    bits = 8 * (packet_bytes + IP_UDP_BYTES + TUNNEL_BYTES)
    packets_per_s = rate_mbps * 1e6 / 8 / packet_bytes
    wire_mbps = packets_per_s * bits / 1e6
    assert (rows.delay_ms - (3 + bits / 50e3)).abs().max() < 1e-6
    assert rows.util_pct.mean() == pytest.approx(100 * wire_mbps / 50, rel=0.005)
    sigma_pct = 100 * math.sqrt(0.05 * 0.95 / (1.8 * packets_per_s))
    assert rows.loss_pct.mean() == pytest.approx(loss_pct, abs=4 * sigma_pct)
    assert rows.throughput_mbps.mean() == pytest.approx(
        wire_mbps * (1 - rows.loss_pct.mean() / 100), rel=0.005
    )
    assert set(rows.queue) == {"fifo"}
    assert rows.up.all()
    assert set(rows.rate_mbps) == {50}
    back = of_link(measure(scenario)["link"], "b", "r0")
    assert back.sent_bits.sum() == 0
    assert back.delay_ms.isna().all()


def test_queue_bound_makes_the_loss_of_an_overloaded_link(wired, users, measure):
    scenario = wired(
        links={"b": {"rate_mbps": 5, "queue_packets": 20}}, users=[users(cbr(10))], duration_s=2
    )
    rows = of_link(measure(scenario, skip=3)["link"], "b", "core")
    bits = 8 * (1400 + IP_UDP_BYTES + TUNNEL_BYTES)
    wire_mbps = on_link_bits(10) * (1400 + IP_UDP_BYTES) / 1400
    assert rows.util_pct.mean() == pytest.approx(100, abs=0.5)
    assert rows.loss_pct.mean() == pytest.approx(100 * (1 - 5 / wire_mbps), abs=2)
    # A packet waits for those before it: of the queue, the device and the wire.
    assert rows.delay_ms.mean() == pytest.approx(3 + 22 * bits / 5e3, rel=0.05)
    assert rows.queue_packets.between(18, 22).all()


# Routes


def test_slice_takes_another_route_at_once_and_alone(wired, users, measure, schedule):
    scenario = wired(
        users=[
            users(cbr(4), cbr(2, "uplink")),
            users(cbr(3), cbr(1, "uplink"), name="v", slice="s1"),
        ]
    )
    changes = schedule(CHANGE_AT, slices__s0__routes__s0__core="s0-r1-core")
    tables = measure(scenario, changes, skip=0)
    flow, link = tables["flow"], tables["link"]
    moved, kept = of_flow(flow), of_flow(flow, "u1")
    fast, slow = of_link(link, "b", "core"), of_link(link, "d", "core")
    late = range(CHANGE_AT, 5)
    for interval in range(5):
        to_slow = moved.sent_bits[interval] if interval in late else 0
        to_fast = kept.sent_bits[interval] + moved.sent_bits[interval] - to_slow
        assert fast.sent_bits[interval] == pytest.approx(on_link_bits(to_fast))
        assert slow.sent_bits[interval] == pytest.approx(on_link_bits(to_slow))
    up_fast, up_slow = of_link(link, "a_s0", "s0"), of_link(link, "c_s0", "s0")
    assert up_slow.sent_bits[late].min() > 0
    assert up_slow.sent_bits[:CHANGE_AT].sum() == 0
    kept_up = of_flow(flow, "u1", "cbr1").delivered_bits[4]
    assert up_fast.sent_bits[4] == pytest.approx(on_link_bits(kept_up), rel=0.06)
    for name in ("cbr0", "cbr1"):
        moved_ms, kept_ms = (of_flow(flow, ue, name).latency_ms for ue in ("u0", "u1"))
        assert moved_ms[4] - moved_ms[1] == pytest.approx(7, abs=0.3)
        assert kept_ms[4] == pytest.approx(kept_ms[1], abs=0.3)
    assert flow.loss_pct.max() == 0


def test_flow_takes_a_route_of_its_own_and_comes_back(wired, users, measure, schedule):
    scenario = wired(users=[users(cbr(4), cbr(3), x_m=(30, 40))])
    path = "ues__u0__flows__cbr1__route"
    changes = [
        *schedule(1, **{path: "s0-r1-core"}),
        # Its slice moves to where it is, and back, and it does not mind.
        *schedule(2, slices__s0__routes__s0__core="s0-r1-core"),
        *schedule(3, slices__s0__routes__s0__core="auto"),
        *schedule(4, **{path: "slice"}),
    ]
    tables = measure(scenario, changes, skip=0)
    flow = tables["flow"]
    slow = of_link(tables["link"], "d", "core").sent_bits
    own = of_flow(flow, "u0", "cbr1").sent_bits
    every = flow.groupby("interval").sent_bits.sum()
    for interval, bits in enumerate([0, own[1], every[2], own[3], 0]):
        assert slow[interval] == pytest.approx(on_link_bits(bits))
    assert flow.loss_pct.max() == 0


# Queue disciplines


def throughput_mbps(tables):
    return of_link(tables["link"], "b", "core").throughput_mbps


def delay_ms(tables):
    return of_link(tables["link"], "b", "core").delay_ms


def sparse_ms(tables):
    """Latency of a thin flow that shares the link with a thick one."""
    return of_flow(tables["flow"], "u1").latency_ms


#: From what queue, to what, where it shows, and how means before and after must compare.
QUEUES = {
    "codel": ("fifo", "codel", delay_ms, lambda a, b: b < a / 4),
    "fq_codel": ("fifo", "fq_codel", sparse_ms, lambda a, b: b < a / 4),
    "red": ("fifo", "red", delay_ms, lambda a, b: b < 0.8 * a),
    "token_bucket": ("fifo", "token_bucket", throughput_mbps, lambda a, b: 7 < b < 8.05 < a),
    "fifo": ("codel", "fifo", delay_ms, lambda a, b: b > 2 * a),
    "bucket_to_fifo": ("token_bucket", "fifo", throughput_mbps, lambda a, b: a < 8.05 and b > 18),
}


@pytest.mark.parametrize("case", QUEUES)
def test_queue_discipline_changes_in_flight(
    wired, users, measure, schedule, assert_conserved, case
):
    first, second, observe, holds = QUEUES[case]
    link = {"rate_mbps": 20, "queue": first, "queue_packets": 300, "token_bucket_pct": 40}
    scenario = wired(
        links={"b": link},
        users=[users(TCP), users(cbr(0.1, packet_bytes=200), name="v")],
        duration_s=4,
    )
    changes = schedule(10, links__b__queue=second)
    tables = measure(scenario, changes, skip=0)
    assert_conserved(tables)
    values = observe(tables)
    early, late = values[6:10].mean(), values[14:].mean()
    assert holds(early, late), (early, late)
    assert of_link(tables["link"], "b", "core").queue[[9, 10]].tolist() == [first, second]


# Handovers


@pytest.mark.parametrize("handover", [SEAMLESS, {"enabled": False}])
def test_handover_between_sites_loses_nothing_and_keeps_the_order(
    wired, users, measure, schedule, assert_conserved, handover
):
    scenario = wired(users=[users(cbr(20), x_m=(150,))], radio={"handover": handover})
    tables = measure(scenario, schedule(CHANGE_AT, ues__u0__target_cell="c1"), skip=0)
    assert_conserved(tables)
    flow, link = tables["flow"], tables["link"]
    assert tables["ue"].handovers.tolist() == [0, 0, 1, 0, 0]
    assert flow.loss_pct.max() == 0
    assert flow.reordered_packets.sum() == 0
    # What still came to the old site went on to the new one: for the path switch's 10 ms, and
    # what was on its way then, 5 ms.
    forwarded = of_link(link, "a_s0", "s0").sent_bits
    assert forwarded[CHANGE_AT] == pytest.approx(on_link_bits(0.015 * 20.4e6), rel=0.1)
    assert forwarded.drop(CHANGE_AT).sum() == 0
    assert of_link(link, "a_s0", "r0").sent_bits[3:].sum() == 0
    assert of_link(link, "a_s1", "r0").sent_bits[4] == pytest.approx(
        on_link_bits(of_flow(flow).sent_bits[4]), rel=0.05
    )


def test_uplink_goes_on_from_the_new_site(wired, users, measure, schedule, assert_conserved):
    scenario = wired(users=[users(cbr(4, "uplink"), x_m=(150,))])
    tables = measure(scenario, schedule(CHANGE_AT, ues__u0__target_cell="c1"), skip=0)
    assert_conserved(tables)
    flow, link = tables["flow"], tables["link"]
    assert flow.loss_pct.max() == 0
    assert flow.reordered_packets.sum() == 0
    assert of_link(link, "a_s0", "s0").sent_bits[CHANGE_AT + 1 :].sum() == 0
    assert of_link(link, "a_s1", "s1").sent_bits[:CHANGE_AT].sum() == 0
    assert of_link(link, "a_s1", "s1").throughput_mbps[4] == pytest.approx(on_link_bits(4.08), 0.05)


THREE_SITES = {
    "kind": "free",
    "n_sectors": 1,
    "sites": [{"x_m": 0, "y_m": 0}, {"x_m": 300, "y_m": 0}, {"x_m": 150, "y_m": 250}],
}
#: Handovers to cells, and the milliseconds between them; the path switch takes 10 ms.
HURRIED = [
    (["c1", "c2"], 10),
    (["c1", "c2"], 15),
    (["c1", "c0"], 10),
    (["c1", "c0"], 15),
    (["c1", "c2", "c1"], 12),
    (["c1", "c2", "c0"], 20),
    (["c1", "c2", "c0", "c1", "c0"], 10),
    (["c1", "c0", "c1", "c0", "c2"], 14),
]


@pytest.mark.parametrize(("cells", "gap_ms"), HURRIED)
def test_handovers_in_a_hurry_lose_nothing_and_keep_the_order(
    wired, users, measure, assert_conserved, cells, gap_ms
):
    scenario = wired(
        layout=THREE_SITES,
        radio={"handover": SEAMLESS},
        users=[users(cbr(20), x_m=(150,))],
        interval_ms=gap_ms,
        duration_s=40 * gap_ms / 1e3,
    )
    changes = [
        ControlChange(interval=20 + i, path="ues.u0.target_cell", value=cell)
        for i, cell in enumerate(cells)
    ]
    tables = measure(scenario, changes, skip=0)
    assert_conserved(tables)
    assert tables["ue"].handovers.sum() == len(cells)
    assert tables["ue"].cell.iloc[-1] == cells[-1]
    flow = tables["flow"]
    assert flow.dropped_radio_bits.sum() == flow.dropped_transport_bits.sum() == 0
    assert flow.reordered_packets.sum() == 0
    # None stays behind.
    assert flow.in_flight_bits.iloc[-1] <= flow.in_flight_bits[:18].max() + 2 * 8 * 1428


@pytest.mark.parametrize(("failed", "last"), [(["c1"], "c0"), (["c0", "c1"], "c2")])
def test_second_handover_before_the_path_switch_of_the_first(
    wired, users, measure, schedule, assert_conserved, failed, last
):
    # Handed over to c1 at 273 ms, lost there at the measurement at 280 ms, and taken up at once;
    # the path is switched at 283 ms.
    handover = {
        **SEAMLESS,
        "enabled": True,
        "t310_ms": 0,
        "reestablishment_ms": 0,
        "measurement_period_ms": 10,
        "a3_offset_db": 15,
    }
    scenario = wired(
        layout=THREE_SITES,
        radio={"handover": handover},
        users=[users(cbr(20), x_m=(150,))],
        interval_ms=13,
        duration_s=0.52,
        faults=[
            {"kind": "cell_outage", "cell": cell, "start_s": 0.2745, "duration_s": 1}
            for cell in failed
        ],
    )
    tables = measure(scenario, schedule(21, ues__u0__target_cell="c1"), skip=0)
    assert_conserved(tables)
    assert tables["cell"].rlf.sum() == 1
    assert tables["ue"].cell[[21, 39]].tolist() == [last, last]
    flow = tables["flow"]
    assert flow.dropped_radio_bits.sum() == flow.dropped_transport_bits.sum() == 0
    assert flow.reordered_packets.sum() == 0
    forwarded = of_link(tables["link"], "a_s1", "s1").sent_bits
    assert forwarded[21] > 0
    assert forwarded.drop(21).sum() == 0


@pytest.mark.parametrize("direction", ["downlink", "uplink"])
def test_tcp_meets_no_timeout_in_a_handover(wired, users, measure, schedule, direction):
    traffic = {**TCP, "direction": direction}
    scenario = wired(
        links={"b": {"rate_mbps": 10, "queue_packets": 60}},
        users=[users(traffic, x_m=(150,))],
        duration_s=4,
        interval_ms=100,
    )
    tables = measure(scenario, schedule(20, ues__u0__target_cell="c1"), skip=0)
    data = of_flow(tables["flow"], flow="tcp_bulk0")
    data = data[data.direction == ("dl" if direction == "downlink" else "ul")]
    # The bottleneck never runs dry but for the interruption of 30 ms.
    assert data.throughput_mbps[10:20].mean() == pytest.approx(9.7, rel=0.03)
    assert data.throughput_mbps[20:23].mean() > 0.8 * 9.7
    assert data.throughput_mbps[23:].mean() == pytest.approx(9.7, rel=0.03)


def test_users_of_a_failed_cell_come_back_at_another_site(wired, users, measure, assert_conserved):
    scenario = wired(
        users=[users(cbr(4), cbr(2, "uplink"), x_m=(60,))],
        faults=[{"kind": "cell_outage", "cell": "c0", "start_s": 0.5, "duration_s": 60}],
        radio={"handover": {"t310_ms": 100}, "dl_queue_kb": 1000, "ul_queue_kb": 1000},
        duration_s=2,
    )
    tables = measure(scenario, skip=0)
    assert_conserved(tables)
    assert tables["ue"].cell.iloc[-1] == "c1"
    assert tables["ue"].state.iloc[-1] == "connected"
    flow = tables["flow"]
    assert flow.reordered_packets.sum() == 0
    assert flow.dropped_transport_bits.sum() == 0
    assert flow[flow.interval == 9].throughput_mbps.sum() == pytest.approx(6.12, rel=0.05)
    assert of_link(tables["link"], "a_s1", "s1").sent_bits[9] > 0
    assert of_link(tables["link"], "a_s0", "s0").sent_bits[9] == 0
