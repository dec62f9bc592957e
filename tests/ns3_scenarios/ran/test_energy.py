# SPDX-License-Identifier: Apache-2.0
"""Cells take the power of TR 38.864, sleep, wake up, and leave their users to others first."""

import math

import pytest

from ns3_scenarios.controls import ControlChange
from ns3_scenarios.simulate import simulate

from .test_invariants import assert_bits_are_conserved

FULL_BUFFER = {"kind": "full_buffer"}
#: TR 38.864 Table 5.1-1: deep, light and micro sleep, active uplink and downlink.
POWER = {1: (1, 25, 55, 110, 280), 2: (1, 2.1, 5.5, 6.5, 32)}
#: Table 5.1-2: duration in ms and energy in unit s of a transition from light and deep sleep.
LIGHT = {1: (6, 0.090), 2: (640, 1.088)}
DEEP = {1: (50, 1.000), 2: (10_000, 17.0)}
SLOT_MS = 0.5


def silent(start_s=80_000):
    return {"kind": "control_loop", "start_ms": start_s * 1e3}


def users(traffic, *positions, name="u", slice_="s0"):
    items = traffic if isinstance(traffic, list) else [traffic]
    spots = [{"x_m": x, "y_m": y} for x, y in positions or [(20, 0)]]
    placement = {"kind": "points", "points": spots}
    return {"name": name, "slice": slice_, "placement": placement, "traffic": items}


def change(at_ms, path, value, interval_ms):
    return ControlChange(interval=round(at_ms / interval_ms), path=path, value=value)


@pytest.fixture
def sleeper(network):
    """One strong cell, of which a unit of power is a watt, in a sleep mode."""

    def make(traffic, mode="on", category=1, radio=None, energy=None, **changes):
        power = {"category": category, "unit_w": 1, "sleep_mode": mode, "wake_prb_pct": 0}
        return network(
            radio={"energy": {**power, **(energy or {})}, **(radio or {})},
            users=[users(traffic)],
            **changes,
        )

    return make


@pytest.mark.parametrize("category", [1, 2])
@pytest.mark.parametrize("mode", ["on", "micro", "light", "deep", "off"])
def test_an_idle_cell_takes_what_its_sleep_mode_does(sleeper, measure, mode, category):
    deep, light, micro, uplink, _ = POWER[category]
    power_w = {"on": uplink, "micro": micro, "light": light, "deep": deep, "off": 0}[mode]
    cell = measure(sleeper(silent(), mode, category))["cell"]
    assert cell.power_w.to_numpy() == pytest.approx(power_w)
    assert cell.energy_j.sum() == pytest.approx(power_w * 0.8)
    assert (cell.sleep_pct == (0 if mode == "on" else 100)).all()
    assert set(cell.state) == {"on" if mode == "micro" else mode}
    assert cell.wakes.sum() == 0
    assert cell.energy_per_bit_nj.isna().all()


@pytest.mark.parametrize("category", [1, 2])
@pytest.mark.parametrize("mode", ["on", "micro", "light"])
def test_a_loaded_cell_takes_the_power_of_its_transmissions(sleeper, measure, mode, category):
    *_, uplink, downlink = POWER[category]
    cell = measure(sleeper(FULL_BUFFER, mode, category))["cell"]
    assert cell.power_w.to_numpy() == pytest.approx(downlink)
    assert cell.sleep_pct.to_numpy() == pytest.approx(0)
    upward = sleeper({**FULL_BUFFER, "direction": "uplink"}, mode, category)
    assert measure(upward)["cell"].power_w.to_numpy() == pytest.approx(uplink)


def test_tdd_slots_are_counted_one_by_one(sleeper, measure):
    carrier = {"duplex": "TDD", "tdd_pattern": "DDDSU"}
    for mode, idle in (("on", 110), ("micro", 55)):
        cell = measure(sleeper(FULL_BUFFER, mode, carrier=carrier))["cell"]
        assert cell.power_w.to_numpy() == pytest.approx(0.8 * 280 + 0.2 * idle)
        assert cell.sleep_pct.to_numpy() == pytest.approx(0 if mode == "on" else 20)


@pytest.mark.parametrize("mode", ["on", "micro"])
def test_a_slot_ends_with_its_cell(sleeper, measure, mode):
    outage = {"kind": "cell_outage", "cell": "c0", "start_s": 0.20025, "duration_s": 0.59975}
    cell = measure(sleeper(FULL_BUFFER, mode, faults=[outage], duration_s=0.8))["cell"]
    assert cell.power_w.tolist() == pytest.approx([280 * 0.25 / 200, 0, 0])
    assert cell.sleep_pct.tolist() == [0, 0, 0]


def test_half_the_power_or_half_the_blocks_take_half_the_dynamic_part(sleeper, measure):
    half_dbm = 30 - 10 * math.log10(2)
    for path, value in (("tx_power_dbm", half_dbm), ("slices.s0.max_pct", 50)):
        changed = [ControlChange(path=f"cells.c0.{path}", value=value)]
        cell = measure(sleeper(FULL_BUFFER), changed)["cell"]
        assert cell.power_w.to_numpy() == pytest.approx(110 + 170 / 2, rel=0.01)


def test_energy_per_bit_is_energy_over_bits(sleeper, measure):
    both = [{"kind": "cbr", "rate_mbps": 10}, {**FULL_BUFFER, "direction": "uplink"}]
    cell = measure(sleeper(both))["cell"]
    bits = (cell.dl_throughput_mbps + cell.ul_throughput_mbps) * 1e6 * 0.2
    assert cell.energy_per_bit_nj.to_numpy() == pytest.approx(cell.energy_j / bits * 1e9)
    assert cell.power_w.to_numpy() == pytest.approx(cell.energy_j / 0.2)


@pytest.mark.parametrize("sleep_after_ms", [0, 10, 30])
def test_light_sleep_takes_its_states_and_its_transitions(sleeper, measure, sleep_after_ms):
    period_ms = 100
    traffic = {"kind": "control_loop", "period_ms": period_ms}
    scenario = sleeper(
        traffic,
        "light",
        carrier={"tx_power_dbm": 60},
        energy={"sleep_after_ms": sleep_after_ms},
        duration_s=2,
    )
    cell = measure(scenario)["cell"]
    _, light, micro, uplink, downlink = POWER[1]
    wake_ms, wake_energy = LIGHT[1]
    wakes = 1800 / period_ms
    assert cell.wakes.sum() == wakes
    # Awake: up to a slot until it begins, the slot itself, and then the time that it waits. The
    # slot carries one of 13 groups of resource blocks.
    awake_ms = 1.5 * SLOT_MS + sleep_after_ms
    slot = (uplink + (downlink - uplink) / 13 - micro) * SLOT_MS * 1e-3
    asleep_ms = period_ms - awake_ms
    each = wake_energy + (light * asleep_ms + micro * awake_ms) * 1e-3 + slot
    assert cell.energy_j.sum() / wakes == pytest.approx(each, abs=(micro - light) * SLOT_MS * 1e-3)
    # On its way into service it takes the power of sleep, but does not sleep.
    sleep_ms = period_ms - wake_ms - SLOT_MS
    assert cell.sleep_pct.mean() == pytest.approx(sleep_ms / period_ms * 100, abs=0.01)


@pytest.mark.parametrize(
    ("mode", "category", "wait_ms"),
    [
        ("light", 1, LIGHT[1][0]),
        ("light", 2, LIGHT[2][0]),
        ("deep", 1, DEEP[1][0]),
        ("deep", 2, DEEP[2][0]),
    ],
)
@pytest.mark.parametrize("direction", ["dl", "ul"])
def test_a_packet_waits_for_a_cell_that_wakes_up(
    sleeper, measure, mode, category, wait_ms, direction
):
    loop = {
        "kind": "control_loop",
        "direction": "downlink" if direction == "dl" else "uplink",
        "start_ms": 300,
        "period_ms": 20_000,
    }
    interval_ms = 4000
    quick = {"interval_ms": interval_ms, "duration_s": 32}  # it comes within its period
    delays = []
    for in_force in ("on", mode):
        tables = measure(sleeper(loop, in_force, category, **quick), skip=0)
        ue, cell = tables["ue"], tables["cell"]
        delays.append(ue[f"{direction}_latency_ms"].dropna().iloc[0])
        assert cell.wakes.sum() >= (in_force != "on")
    assert delays[1] - delays[0] == pytest.approx(wait_ms, abs=1e-3)


def test_a_cell_in_light_sleep_waits_for_load_but_not_for_long(sleeper, measure):
    # A packet is 0.49 % of the resource blocks of 20 ms: 1435 bytes at 7.41 bit per element, of 51
    # blocks of 156 elements in each of 40 slots. One comes each 12 ms; the cell looks each 5 ms.
    loop = {"kind": "control_loop", "period_ms": 12, "packet_bytes": 1400}
    waits_ms = {0: [0], 0.4: [0], 0.7: [15, 3], 1.2: [25, 13, 1], 100: [40, 28, 16, 4]}

    def latency(mode, pct):
        energy = {"wake_prb_pct": pct, "sleep_after_ms": 0}
        scenario = sleeper(loop, mode, carrier={"tx_power_dbm": 60}, energy=energy, duration_s=1.4)
        ue = measure(scenario)["ue"]
        return ue.dl_latency_ms.mean(), ue.dl_latency_p95_ms.max()

    on_ms = latency("on", 0)
    for pct, waits in waits_ms.items():
        mean_ms, longest_ms = latency("light", pct)
        wake_ms = LIGHT[1][0]
        assert mean_ms - on_ms[0] == pytest.approx(wake_ms + sum(waits) / len(waits), abs=0.5)
        assert longest_ms - on_ms[1] == pytest.approx(wake_ms + max(waits), abs=0.1)


@pytest.fixture
def pair(network):
    """Two cells: users of s0 near the first, of s1 near the second."""

    def make(quiet, loud, **changes):
        sites = [{"x_m": -100, "y_m": 0}, {"x_m": 100, "y_m": 0}]
        exact = {"enabled": True, "measurement_error_db": 0, "filter_coefficient": 0}
        return network(
            layout={"kind": "free", "n_sectors": 1, "sites": sites},
            slices=[{"name": "s0"}, {"name": "s1"}],
            users=[
                users(quiet, (-60, 0), (-70, 10), (-40, -20)),
                users(loud, (60, 0), name="v", slice_="s1"),
            ],
            radio={"handover": exact, "energy": {"unit_w": 1}},
            interval_ms=50,
            **changes,
        )

    return make


@pytest.mark.parametrize("mode", ["deep", "off"])
def test_users_are_handed_over_before_a_cell_is_taken_away(pair, mode):
    both = [
        {"kind": "cbr", "rate_mbps": 2},
        {"kind": "cbr", "rate_mbps": 1, "direction": "uplink"},
    ]
    scenario = pair(both, silent(), duration_s=1)
    tables = simulate(scenario, [change(300, "cells.c0.sleep_mode", mode, 50)]).tables
    assert_bits_are_conserved(tables)
    ue, cells = tables["ue"].to_pandas(), tables["cell"].to_pandas()
    assert ue[["dl_dropped_bits", "ul_dropped_bits"]].to_numpy().sum() == 0
    assert ue.handovers.sum() == 3
    late = cells[(cells.cell == "c0") & (cells.time_ms > 450)]
    assert (late.users == 0).all()
    assert set(late.state) == {mode}
    assert late.power_w.to_numpy() == pytest.approx(1 if mode == "deep" else 0)
    assert (late.sleep_pct == 100).all()
    assert cells.rlf.sum() == 0
    assert (ue[ue.time_ms > 450].cell == "c1").all()


@pytest.mark.parametrize("mode", ["on", "micro", "light"])
def test_a_cell_that_is_called_back_serves_again(pair, mode):
    scenario = pair({"kind": "cbr", "rate_mbps": 2}, silent(), duration_s=1.4)
    changes = [
        change(200, "cells.c0.sleep_mode", "off", 50),
        change(600, "cells.c0.sleep_mode", mode, 50),
    ]
    tables = simulate(scenario, changes).tables
    ue, cells = tables["ue"].to_pandas(), tables["cell"].to_pandas()
    first = cells[cells.cell == "c0"].set_index("time_ms")
    assert first.state[600] == "off"
    assert first.state[650] in ("waking", "on")
    assert first.wakes.loc[:700].sum() == 1
    assert first.users.iloc[-1] == 3
    assert ue.dl_dropped_bits.sum() == 0


def test_a_deep_sleeper_wakes_for_its_neighbours_and_sleeps_again_when_they_are_quiet(pair):
    loud = {"kind": "cbr", "rate_mbps": 40, "start_ms": 600}
    scenario = pair({"kind": "control_loop"}, loud, duration_s=3)
    changes = [
        change(100, "cells.c0.sleep_mode", "deep", 50),
        change(1200, "slices.s1.degradation", "essential_only", 50),
    ]
    cells = simulate(scenario, changes).tables["cell"].to_pandas()
    first = cells[cells.cell == "c0"].set_index("time_ms")
    second = cells[cells.cell == "c1"].set_index("time_ms")
    asleep = second.dl_prb_util_pct < 10
    assert asleep.loc[300:600].all()
    assert (first.state.loc[300:600] == "deep").all()
    assert (second.dl_prb_util_pct.loc[700:1200] > 10).all()
    assert (first.state.loc[800:1200] == "on").all()
    assert first.users[1200] == 3
    assert first.wakes.sum() == 1
    # Averages of the load have to fade away first.
    slept_ms = first.index[(first.index > 1200) & (first.state == "deep")][0]
    assert 1000 <= slept_ms - 1200 <= 1300
    assert (first.state.loc[slept_ms:] == "deep").all()
    assert first.users.iloc[-1] == 0


def test_a_deep_sleeper_pays_for_each_time_that_it_is_woken_up(sleeper, measure):
    burst = {"kind": "bursty", "rate_mbps": 1, "on_ms": 20, "off_ms": 1e6, "start_ms": 500}
    cell = measure(sleeper(burst, "deep", duration_s=3), skip=0)["cell"]
    deep, _, micro, *_ = POWER[1]
    wake_ms, wake_energy = DEEP[1]
    assert cell.wakes.sum() == 1
    assert (cell.state[cell.time_ms.between(700, 1400)] == "on").all()
    assert (cell.state[cell.time_ms > 2400] == "deep").all()
    waking_s = ((100 - cell.sleep_pct) / 100 * 0.2).sum()
    assert waking_s == pytest.approx(wake_ms * 1e-3, rel=0.1)
    # Quiet for a second, after the average of its load has faded away.
    awake_s = (cell.energy_j.sum() - wake_energy - deep * 3) / (micro - deep)
    assert 1 <= awake_s <= 1.6


@pytest.mark.parametrize("at_ms", [250, 300])
def test_nothing_is_lost_when_a_second_carrier_is_taken_away(network, at_ms):
    carrier = {"frequency_ghz": 3.5, "bandwidth_mhz": 20, "numerology": 1, "duplex": "FDD"}
    scenario = network(
        carriers=[carrier, {**carrier, "frequency_ghz": 3.7}],
        radio={"handover": {"enabled": True}},
        users=[
            users(FULL_BUFFER, (500, 0)),
            users({**FULL_BUFFER, "direction": "uplink"}, (300, 0), name="v"),
        ],
        interval_ms=50,
        duration_s=0.5,
    )
    for seed in (0, 1, 2):
        off = [change(at_ms, "cells.c1.sleep_mode", "off", 50)]
        tables = simulate(scenario, off, seed).tables
        ue, cells = tables["ue"].to_pandas(), tables["cell"].to_pandas()
        assert ue[["dl_dropped_bits", "ul_dropped_bits"]].to_numpy().sum() == 0
        second = cells[cells.cell == "c1"].set_index("time_ms")
        assert second.dl_bler_pct.loc[:at_ms].mean() > 5
        assert (second.state.loc[at_ms + 100 :] == "off").all()
        assert second.dl_prb_util_pct.iloc[-1] == 0
        assert ue.dl_throughput_mbps.iloc[-2] > 0
