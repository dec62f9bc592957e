# SPDX-License-Identifier: Apache-2.0
"""The radio does what the standards and textbooks say."""

import itertools
import math

import numpy as np
import pytest

FULL_BUFFER = {"kind": "full_buffer"}
UPLINK_FULL_BUFFER = {"kind": "full_buffer", "direction": "uplink"}
THERMAL_DBM_PER_HZ = -174
R_MAX = 948 / 1024


def users(traffic, *positions, name="u", slice_="s0", **more):
    items = traffic if isinstance(traffic, list) else [traffic]
    spots = [{"x_m": x, "y_m": y} for x, y in positions]
    placement = {"kind": "points", "points": spots}
    return {"name": name, "slice": slice_, "placement": placement, "traffic": items, **more}


def cbr(rate_mbps, **more):
    return {"kind": "cbr", "rate_mbps": rate_mbps, **more}


def umi_los_loss_db(distance_2d_m, frequency_ghz, bs_m=10.0, ue_m=1.5):
    """TR 38.901 Table 7.4.1-1, UMi street canyon, line of sight."""
    d3 = math.hypot(distance_2d_m, bs_m - ue_m)
    breakpoint_m = 4 * (bs_m - 1) * (ue_m - 1) * frequency_ghz * 1e9 / 3e8
    if distance_2d_m <= breakpoint_m:
        return 32.4 + 21 * math.log10(d3) + 20 * math.log10(frequency_ghz)
    return (
        32.4
        + 40 * math.log10(d3)
        + 20 * math.log10(frequency_ghz)
        - 9.5 * math.log10(breakpoint_m**2 + (bs_m - ue_m) ** 2)
    )


def peak_rate_mbps(n_rb, numerology, overhead, modulation=8):
    """TS 38.306 4.1.2, one layer, one carrier, scaling factor 1."""
    symbol_s = 1e-3 / (14 * 2**numerology)
    return modulation * R_MAX * n_rb * 12 / symbol_s * (1 - overhead) * 1e-6


@pytest.mark.parametrize(
    ("frequency_ghz", "bandwidth_mhz", "numerology", "overhead"),
    [
        (3.5, 5, 0, 0.14),
        (3.5, 20, 0, 0.14),
        (3.5, 20, 1, 0.14),
        (3.5, 100, 1, 0.14),
        (3.5, 100, 2, 0.14),
        (28, 100, 3, 0.18),
        (28, 400, 3, 0.18),
        (60, 400, 4, 0.18),
        (60, 1000, 5, 0.18),
        (60, 2000, 6, 0.18),
    ],
)
def test_peak_rate_is_that_of_ts_38_306(
    network, measure, frequency_ghz, bandwidth_mhz, numerology, overhead
):
    carrier = {
        "frequency_ghz": frequency_ghz,
        "bandwidth_mhz": bandwidth_mhz,
        "numerology": numerology,
        "tx_power_dbm": 60,
    }
    scenario = network(carrier=carrier, users=[users(FULL_BUFFER, (10, 0))], duration_s=0.4)
    rate = measure(scenario)["cell"].dl_throughput_mbps.mean()
    expected = peak_rate_mbps(scenario.carriers[0].resource_blocks, numerology, overhead)
    assert rate == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(("bandwidth_mhz", "numerology"), [(20, 0), (100, 1)])
def test_uplink_peak_rate_is_that_of_ts_38_306(network, measure, bandwidth_mhz, numerology):
    carrier = {"bandwidth_mhz": bandwidth_mhz, "numerology": numerology}
    scenario = network(
        carrier=carrier,
        radio={"ul_p0_dbm": -40, "ul_alpha": 1},
        users=[users(UPLINK_FULL_BUFFER, (10, 0))],
        duration_s=0.4,
    )
    rate = measure(scenario)["cell"].ul_throughput_mbps.mean()
    expected = peak_rate_mbps(scenario.carriers[0].resource_blocks, numerology, 0.08)
    assert rate == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("frequency_ghz", [0.7, 3.5, 28])
@pytest.mark.parametrize("distance_m", [25, 100, 400])
def test_sinr_is_the_link_budget(network, measure, frequency_ghz, distance_m):
    carrier = {"frequency_ghz": frequency_ghz, "tx_power_dbm": 43}
    scenario = network(carrier=carrier, users=[users(FULL_BUFFER, (distance_m, 0))], duration_s=0.2)
    occupied_hz = scenario.carriers[0].resource_blocks * 360e3
    noise_dbm = THERMAL_DBM_PER_HZ + 9 + 10 * math.log10(occupied_hz)
    expected = 43 - umi_los_loss_db(distance_m, frequency_ghz) - noise_dbm
    assert measure(scenario, skip=0)["ue"].dl_sinr_db.mean() == pytest.approx(expected, abs=0.1)


def test_sinr_with_a_loaded_neighbour_is_the_link_budget(network, measure):
    sites = [{"x_m": 0, "y_m": 0}, {"x_m": 300, "y_m": 0}]
    scenario = network(
        layout={"kind": "free", "n_sectors": 1, "sites": sites},
        users=[users(FULL_BUFFER, (100, 0), (280, 0))],
        duration_s=0.4,
    )
    signal = -umi_los_loss_db(100, 3.5)
    interference = 10 ** (-umi_los_loss_db(200, 3.5) / 10)
    noise_dbm = THERMAL_DBM_PER_HZ + 9 + 10 * math.log10(51 * 360e3) - 30
    expected = signal - 10 * math.log10(interference + 10 ** (noise_dbm / 10))
    frame = measure(scenario)["ue"]
    assert frame[frame.ue == "u0"].dl_sinr_db.mean() == pytest.approx(expected, abs=0.1)


def test_array_gain_is_the_number_of_elements(network, measure):
    def sinr_db(rows, columns):
        scenario = network(gnb_antenna={"rows": rows, "columns": columns}, duration_s=0.2)
        return measure(scenario, skip=0)["ue"].dl_sinr_db.mean()

    assert sinr_db(4, 8) - sinr_db(1, 1) == pytest.approx(10 * math.log10(32), abs=0.01)


@pytest.mark.parametrize("target_bler", [0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("distance_m", [300, 500])
def test_outer_loop_meets_its_target(network, measure, target_bler, distance_m):
    scenario = network(
        radio={"target_bler": target_bler},
        users=[users(FULL_BUFFER, (distance_m, 0))],
        duration_s=4,
    )
    frame = measure(scenario, skip=3)["ue"]
    bler_pct = np.average(frame.dl_bler_pct, weights=frame.dl_tb_count)
    assert bler_pct == pytest.approx(100 * target_bler, abs=2)


def test_outer_loop_meets_its_target_in_the_uplink(network, measure):
    scenario = network(users=[users(UPLINK_FULL_BUFFER, (200, 0))], duration_s=4)
    frame = measure(scenario, skip=3)["ue"]
    assert np.average(frame.ul_bler_pct, weights=frame.ul_tb_count) == pytest.approx(10, abs=2)


def test_harq_repairs_what_first_transmissions_lose(network, measure):
    def lost_pct(harq_max_retx):
        scenario = network(
            radio={"target_bler": 0.3, "harq_max_retx": harq_max_retx},
            users=[users(cbr(5), (300, 0))],
            duration_s=2,
        )
        frame = measure(scenario)["ue"]
        return frame.dl_dropped_bits.sum() / frame.dl_offered_bits.sum() * 100

    assert lost_pct(0) > 10
    assert lost_pct(3) < 0.01


def test_delay_floor_is_2_64_slots_and_decoding(network, measure):
    """U(0, 1) slot until the next decision, 2 to prepare, 2 of 14 symbols, 0.1 ms to decode."""
    means = []
    for numerology in range(5):
        scenario = network(
            carrier={"frequency_ghz": 28, "bandwidth_mhz": 50, "numerology": numerology},
            radio={"multiplexing": "tdma"},
            users=[
                users({"kind": "control_loop", "period_ms": 10.7331, "packet_bytes": 32}, (20, 0))
            ],
            duration_s=5,
        )
        mean_ms = measure(scenario)["ue"].dl_latency_ms.mean()
        assert mean_ms == pytest.approx((0.5 + 2 + 2 / 14) / 2**numerology + 0.1, rel=0.05)
        means.append(mean_ms)
    assert means == sorted(means, reverse=True)


def test_tdd_carries_51_of_65_symbols(network, measure):
    def rate_mbps(duplex):
        scenario = network(
            carrier={"duplex": duplex}, users=[users(FULL_BUFFER, (20, 0))], duration_s=0.4
        )
        return measure(scenario)["cell"].dl_throughput_mbps.mean()

    assert rate_mbps("TDD") / rate_mbps("FDD") == pytest.approx(51 / 65, rel=0.01)


def test_two_carriers_carry_twice_as_much(network, measure):
    carrier = {"frequency_ghz": 3.5, "bandwidth_mhz": 20, "numerology": 1, "duplex": "FDD"}
    one, two = (
        measure(network(carriers=[carrier] * n, users=[users(FULL_BUFFER, (20, 0))]))
        for n in (1, 2)
    )
    ratio = two["ue"].dl_throughput_mbps.mean() / one["ue"].dl_throughput_mbps.mean()
    assert ratio == pytest.approx(2, rel=0.01)
    assert set(two["cell"].cell) == {"c0", "c1"}


def jain(rates):
    return rates.sum() ** 2 / (len(rates) * (rates**2).sum())


@pytest.mark.parametrize("multiplexing", ["ofdma", "tdma"])
def test_schedulers_are_in_the_known_order_of_rate_and_fairness(network, measure, multiplexing):
    """Maximum C/I has the highest rate and the least fairness.

    Without fading, proportional fair gives every full-buffer user the same share as round robin.
    With fading it beats round robin in rate at no less fairness, which `test_fading` shows.
    """
    near_and_far = [(50 + 40 * k, 0.0) for k in range(9)]
    rate, fairness = {}, {}
    for policy in ("round_robin", "proportional_fair", "max_ci"):
        scenario = network(
            radio={"scheduler": policy, "multiplexing": multiplexing},
            users=[users(FULL_BUFFER, *near_and_far)],
        )
        frame = measure(scenario, skip=2)["ue"].groupby("ue", observed=True)
        rates = frame.dl_throughput_mbps.mean()
        rate[policy], fairness[policy] = rates.sum(), jain(rates)
    assert rate["max_ci"] > 1.1 * rate["proportional_fair"]
    assert rate["proportional_fair"] == pytest.approx(rate["round_robin"], rel=0.06)
    assert fairness["max_ci"] < 0.3
    assert fairness["proportional_fair"] > fairness["max_ci"] + 0.3
    assert fairness["round_robin"] > fairness["max_ci"] + 0.3


def test_qos_scheduler_serves_urgent_packets_first(network, measure):
    def latency_ms(policy):
        scenario = network(
            radio={"scheduler": policy},
            slices=[{"name": "s0"}, {"name": "urgent", "delay_budget_ms": 5}],
            users=[
                users(FULL_BUFFER, *[(200.0, 0.0)] * 8),
                users({"kind": "xr", "rate_mbps": 2}, (200, 0), name="urgent", slice_="urgent"),
            ],
            duration_s=2,
        )
        frame = measure(scenario)["network"]
        return frame[frame.slice == "urgent"].latency_ms.mean()

    assert latency_ms("qos") < 0.8 * latency_ms("round_robin")


def contended(network, shares, n_users=4):
    """Slices whose users would each take the whole cell."""
    names = [f"s{k}" for k in range(len(shares))]
    return network(
        slices=[{"name": n, **share} for n, share in zip(names, shares, strict=True)],
        users=[
            users(FULL_BUFFER, *[(150.0, 10.0 * k)] * n_users, name=f"g{k}", slice_=n)
            for k, n in enumerate(names)
        ],
    )


@pytest.mark.parametrize(
    ("shares", "expected_pct"),
    [
        ([{"max_pct": 30}, {}], [30, 70]),
        ([{"min_pct": 60}, {"min_pct": 25}, {"min_pct": 15}], [60, 25, 15]),
        ([{"max_pct": 7}, {"max_pct": 13}, {"max_pct": 80}], [7, 13, 80]),
        ([{"dedicated_pct": 20, "min_pct": 20, "max_pct": 20}, {}], [20, 80]),
    ],
)
@pytest.mark.parametrize("policy", ["round_robin", "proportional_fair", "max_ci", "qos"])
def test_slice_shares_hold_under_contention(network, measure, shares, expected_pct, policy):
    scenario = contended(network, shares)
    scenario = scenario.model_copy(
        update={"radio": scenario.radio.model_copy(update={"scheduler": policy})}
    )
    used = measure(scenario)["slice"].groupby("slice", observed=True).dl_prb_util_pct.mean()
    for name, expected in zip(sorted(used.index), expected_pct, strict=True):
        assert used[name] == pytest.approx(expected, abs=2)


def test_minimum_share_is_guaranteed_against_many(network, measure):
    scenario = network(
        slices=[{"name": "s0", "min_pct": 40}, {"name": "many"}],
        users=[
            users(FULL_BUFFER, (200, 0)),
            users(FULL_BUFFER, *[(50.0, 5.0 * k) for k in range(15)], name="many", slice_="many"),
        ],
    )
    used = measure(scenario)["slice"].groupby("slice", observed=True).dl_prb_util_pct.mean()
    assert used["s0"] == pytest.approx(40, abs=2)


def test_unused_minimum_is_lent_and_unused_dedicated_is_not(network, measure):
    def other_pct(share):
        scenario = network(
            slices=[{"name": "s0", **share}, {"name": "other"}],
            users=[
                users({"kind": "mtc", "direction": "downlink"}, (100, 0)),
                users(FULL_BUFFER, (100, 50), name="other", slice_="other"),
            ],
        )
        frame = measure(scenario)["slice"]
        return frame[frame.slice == "other"].dl_prb_util_pct.mean()

    assert other_pct({"min_pct": 50}) > 98
    assert other_pct({"dedicated_pct": 50, "min_pct": 50}) == pytest.approx(50, abs=2)


def test_interference_rises_with_a_neighbours_load(network, measure):
    sites = [{"x_m": 0, "y_m": 0}, {"x_m": 300, "y_m": 0}]
    sinr_db = []
    for load_mbps in (0.01, 10, 25, 50, 100):
        scenario = network(
            layout={"kind": "free", "n_sectors": 1, "sites": sites},
            users=[
                users(FULL_BUFFER, (120, 0)),
                users(cbr(load_mbps), (290, 0), name="neighbour"),
            ],
        )
        frame = measure(scenario)["ue"]
        sinr_db.append(frame[frame.ue == "u0"].dl_sinr_db.mean())
    assert all(later < earlier - 0.3 for earlier, later in itertools.pairwise(sinr_db))


def test_uplink_interference_over_thermal_rises_with_a_neighbours_load(network, measure):
    sites = [{"x_m": 0, "y_m": 0}, {"x_m": 150, "y_m": 0}]
    iot_db = []
    for load_mbps in (0.1, 5, 20):
        scenario = network(
            layout={"kind": "free", "n_sectors": 1, "sites": sites},
            users=[
                users(UPLINK_FULL_BUFFER, (30, 0)),
                users(cbr(load_mbps, direction="uplink"), (90, 0), name="neighbour"),
            ],
        )
        frame = measure(scenario)["cell"]
        iot_db.append(frame[frame.cell == "c0"].ul_iot_db.mean())
    assert iot_db[0] < iot_db[1] < iot_db[2]


def test_fading_lets_proportional_fair_gain_on_round_robin(network, measure):
    def rates(policy):
        scenario = network(
            propagation={"fading": True, "fading_update_ms": 5, "line_of_sight": "never"},
            radio={"scheduler": policy, "multiplexing": "tdma", "cqi_period_ms": 5},
            carrier={"bandwidth_mhz": 5, "numerology": 0},
            users=[
                users(
                    FULL_BUFFER,
                    *[(100.0 * math.cos(k), 100.0 * math.sin(k)) for k in range(6)],
                )
            ],
            duration_s=2,
        )
        frame = measure(scenario, skip=2)["ue"].groupby("ue", observed=True)
        return frame.dl_throughput_mbps.mean()

    fair, robin, greedy = (rates(p) for p in ("proportional_fair", "round_robin", "max_ci"))
    assert greedy.sum() > fair.sum() > 1.03 * robin.sum()
    assert jain(greedy) < jain(fair)


def test_codel_keeps_the_queue_short(network, measure):
    def latency_ms(discipline):
        scenario = network(
            radio={"queue_discipline": discipline, "dl_queue_kb": 1000},
            users=[users({"kind": "tcp_bulk"}, (250, 0))],
            duration_s=4,
        )
        return measure(scenario, skip=10)["ue"].dl_latency_ms.mean()

    assert latency_ms("codel") < 0.4 * latency_ms("drop_tail")


def test_queue_bound_sets_delay_and_loss_under_overload(network, measure):
    scenario = network(radio={"dl_queue_kb": 100}, users=[users(cbr(200), (100, 0))])
    frame = measure(scenario)["ue"]
    rate_mbps = frame.dl_throughput_mbps.mean()
    assert frame.dl_latency_ms.mean() == pytest.approx(100e3 * 8 / (rate_mbps * 1e3), rel=0.2)
    offered = frame.dl_offered_mbps.mean()
    assert frame.dl_loss_pct.mean() == pytest.approx(100 * (1 - rate_mbps / offered), abs=1)


def test_tilt_and_element_pattern_follow_tr_38_901(network, measure):
    """Vertical pattern of Table 7.3-1: 12 ((theta - 90 - tilt) / 65)^2 dB below the maximum."""

    def rsrp_dbm(tilt_deg):
        scenario = network(
            gnb_antenna={"element": "3gpp", "tilt_deg": tilt_deg},
            users=[users(FULL_BUFFER, (60, 0))],
            duration_s=0.2,
        )
        return measure(scenario, skip=0)["ue"].rsrp_dbm.mean()

    below_horizon_deg = math.degrees(math.atan2(10 - 1.5, 60))

    def pattern_db(tilt_deg):
        return -12 * ((below_horizon_deg - tilt_deg) / 65) ** 2

    assert rsrp_dbm(40) - rsrp_dbm(8) == pytest.approx(pattern_db(40) - pattern_db(8), abs=0.05)
