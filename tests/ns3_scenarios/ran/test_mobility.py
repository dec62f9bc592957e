# SPDX-License-Identifier: Apache-2.0
"""Users change cells where and when the settings say, and nothing is lost on the way."""

import json
import math
import subprocess
import sys

import pytest

from ns3_scenarios.controls import ControlChange
from ns3_scenarios.ran.build import ensure_built
from ns3_scenarios.simulate import simulate

from .test_invariants import assert_bits_are_conserved

REPORT_MS = 20
PERIOD_MS = 40
MOVEMENT_MS = 50
PREPARATION_MS = 20
INTERRUPTION_MS = 30
SITE_X_M = 100
"""Two sites, at this distance from the origin on either side."""
EXACT = {
    "enabled": True,
    "measurement_error_db": 0,
    "filter_coefficient": 0,
    "measurement_period_ms": PERIOD_MS,
    "preparation_ms": PREPARATION_MS,
    "interruption_ms": INTERRUPTION_MS,
}
NEVER = {"a3_offset_db": 15, "hysteresis_db": 15, "ttt_ms": 5120}
TRICKLE = {"kind": "control_loop", "period_ms": 1}


def users(traffic, *positions, name="u", slice_="s0", **more):
    items = traffic if isinstance(traffic, list) else [traffic]
    spots = [{"x_m": x, "y_m": y} for x, y in positions]
    placement = {"kind": "points", "points": spots}
    return {"name": name, "slice": slice_, "placement": placement, "traffic": items, **more}


def change(at_ms, path, value, interval_ms=REPORT_MS):
    return ControlChange(interval=round(at_ms / interval_ms), path=path, value=value)


@pytest.fixture
def two_cells(network):
    """A network of two isotropic cells, c0 on the left and c1 on the right, reported often."""

    def make(handover=None, environment="UMi", radio=None, **changes):
        height_m = 25 if environment == "UMa" else 10
        sites = [{"x_m": x, "y_m": 0, "z_m": height_m} for x in (-SITE_X_M, SITE_X_M)]
        return network(
            layout={"kind": "free", "n_sectors": 1, "sites": sites, "site_height_m": height_m},
            propagation={"environment": environment},
            radio={"handover": {**EXACT, **(handover or {})}, **(radio or {})},
            **{"interval_ms": REPORT_MS, "users": [users(TRICKLE, (-60, 0))], **changes},
        )

    return make


def los_loss_db(environment, distance_2d_m, frequency_ghz=3.5, ue_m=1.5):
    """TR 38.901 Table 7.4.1-1, line of sight, nearer than the breakpoint distance."""
    site_m, constant, slope = {"UMi": (10, 32.4, 21), "UMa": (25, 28.0, 22)}[environment]
    assert distance_2d_m < 4 * (site_m - 1) * (ue_m - 1) * frequency_ghz * 1e9 / 3e8
    distance_m = math.hypot(distance_2d_m, site_m - ue_m)
    return constant + slope * math.log10(distance_m) + 20 * math.log10(frequency_ghz)


def crossing_m(environment, lead_db):
    """Where on the line between the sites c1 is stronger than c0 by so much."""
    low, high = -SITE_X_M, SITE_X_M
    for _ in range(50):
        x = (low + high) / 2
        lead = los_loss_db(environment, x + SITE_X_M) - los_loss_db(environment, SITE_X_M - x)
        low, high = (x, high) if lead < lead_db else (low, x)
    return high


def first_time_ms(frame, condition):
    """End of the first interval in which a condition holds."""
    times = frame[condition].time_ms
    assert len(times), "never"
    return times.iloc[0]


@pytest.mark.parametrize(
    ("environment", "offset_db", "hysteresis_db", "cio_db", "ttt_ms"),
    [
        ("UMi", 2, 1, 0, 160),
        ("UMi", 3, 0, 0, 0),
        ("UMi", 0, 3, 0, 0),
        ("UMi", 5, 1, 0, 0),
        ("UMi", 1, 4, 0, 320),
        ("UMi", 2, 1, 3, 0),
        ("UMi", 2, 1, -2.5, 80),
        ("UMi", -3, 1, 0, 80),
        ("UMi", 2, 1, 0, 640),
        ("UMa", 2, 1, 0, 160),
        ("UMa", 3, 2, 1, 0),
    ],
)
def test_handover_comes_where_geometry_and_settings_say(
    two_cells, environment, offset_db, hysteresis_db, cio_db, ttt_ms
):
    speed_mps = 20
    lead_db = offset_db + hysteresis_db - cio_db
    trigger_m = crossing_m(environment, lead_db)
    start_m = min(-2, trigger_m - 4)
    trigger_ms = (trigger_m - start_m) / speed_mps * 1e3
    expected_ms = trigger_ms + ttt_ms + PREPARATION_MS + INTERRUPTION_MS
    late_ms = PERIOD_MS + MOVEMENT_MS + REPORT_MS
    scenario = two_cells(
        {"a3_offset_db": offset_db, "hysteresis_db": hysteresis_db, "ttt_ms": ttt_ms},
        environment,
        users=[
            users(
                TRICKLE,
                (start_m, 0),
                mobility={"kind": "vehicle", "speed_mps": speed_mps, "speed_spread_pct": 0},
            )
        ],
        duration_s=math.ceil((expected_ms + late_ms) / REPORT_MS) * REPORT_MS * 1e-3,
    )
    cio = change(0, "cells.c0.handover.cio_db.c1", cio_db)
    ue = simulate(scenario, [cio]).tables["ue"].to_pandas()
    assert ue.cell.iloc[0] == "c0"
    changed_ms = first_time_ms(ue, ue.cell == "c1")
    assert 0 <= changed_ms - expected_ms <= late_ms


@pytest.mark.parametrize("coefficient", [0, 4, 8, 13])
def test_layer_3_filter_is_of_first_order(two_cells, coefficient):
    # c0 falls by 20 dB between two samples, and the filtered difference follows.
    lead_db = los_loss_db("UMi", 150) - los_loss_db("UMi", 50)
    final_db, threshold_db = 20 - lead_db, 6
    weight = 0.5 ** (coefficient / 4)
    share = (threshold_db + lead_db) / 20
    samples = 1 if weight == 1 else math.ceil(math.log(1 - share) / math.log(1 - weight))
    assert final_db > threshold_db
    scenario = two_cells(
        {"filter_coefficient": coefficient, "a3_offset_db": 4, "hysteresis_db": 2, "ttt_ms": 0},
        users=[users(TRICKLE, (-50, 0))],
        duration_s=1.2,
    )
    ue = simulate(scenario, [change(220, "cells.c0.tx_power_dbm", 10)]).tables["ue"].to_pandas()
    trigger_ms = 240 + (samples - 1) * PERIOD_MS
    changed_ms = first_time_ms(ue, ue.cell == "c1")
    assert 0 <= changed_ms - trigger_ms - PREPARATION_MS - INTERRUPTION_MS < REPORT_MS


@pytest.mark.parametrize(("ttt_ms", "handovers"), [(80, 1), (160, 0)])
def test_no_handover_when_the_condition_breaks_before_the_time_to_trigger(
    two_cells, ttt_ms, handovers
):
    scenario = two_cells({"ttt_ms": ttt_ms}, duration_s=0.5)
    raised = [
        change(100, "cells.c0.tx_power_dbm", 0),
        change(220, "cells.c0.tx_power_dbm", 30),
    ]
    cells = simulate(scenario, raised).tables["cell"].to_pandas()
    assert cells[cells.cell == "c0"].ho_attempts.sum() == handovers


CLEAN = {
    "cbr_down": ({"kind": "cbr", "rate_mbps": 20}, "drop_tail"),
    "cbr_up": ({"kind": "cbr", "rate_mbps": 5, "direction": "uplink"}, "drop_tail"),
    "cbr_codel": ({"kind": "cbr", "rate_mbps": 5}, "codel"),
    "tcp": ({"kind": "tcp_bulk"}, "drop_tail"),
    "tcp_codel": ({"kind": "tcp_bulk"}, "codel"),
    "full_buffer": ({"kind": "full_buffer"}, "drop_tail"),
    "full_buffer_up": ({"kind": "full_buffer", "direction": "uplink"}, "drop_tail"),
}


@pytest.mark.parametrize("case", CLEAN)
def test_nothing_is_lost_in_a_handover(two_cells, case):
    traffic, discipline = CLEAN[case]
    scenario = two_cells(
        {**NEVER, "interruption_ms": 20},
        radio={"queue_discipline": discipline, "dl_queue_kb": 5000, "harq_max_retx": 8},
        users=[users(traffic, (-20, 0))],
        duration_s=1.5,
        interval_ms=100,
    )
    path = "ues.u0.target_cell"
    orders = [change(at, path, cell, 100) for at, cell in [(300, "c1"), (600, "c0"), (900, "c1")]]
    stop = change(1200, "slices.s0.degradation", "essential_only", 100)
    tables = simulate(scenario, [*orders, stop]).tables
    assert_bits_are_conserved(tables)
    ue = tables["ue"].to_pandas()
    assert ue.handovers.sum() == 3
    assert ue.cell.iloc[-1] == "c1"
    for d in ("dl", "ul"):
        if discipline == "drop_tail":  # CoDel drops what has waited for long
            assert ue[f"{d}_dropped_bits"].sum() == 0
            assert ue[f"{d}_queued_bits"].iloc[-1] == 0
            assert ue[f"{d}_delivered_bits"].sum() == ue[f"{d}_offered_bits"].sum()
    rate = (ue.dl_throughput_mbps + ue.ul_throughput_mbps).tolist()
    assert rate[11] > 0.8 * rate[2] > 0  # after the last handover and before the first


@pytest.mark.parametrize("interruption_ms", [10, 30, 100])
@pytest.mark.parametrize("direction", ["downlink", "uplink"])
def test_packets_wait_for_the_interruption(two_cells, interruption_ms, direction):
    scenario = two_cells(
        {**NEVER, "interruption_ms": interruption_ms},
        users=[users({**TRICKLE, "direction": direction}, (-20, 0))],
        duration_s=0.4,
    )
    ue = simulate(scenario, [change(200, "ues.u0.target_cell", "c1")]).tables["ue"].to_pandas()
    latency = ue[f"{'dl' if direction == 'downlink' else 'ul'}_latency_p95_ms"]
    quiet_ms = latency[ue.time_ms <= 200].median()
    # A packet comes every millisecond; one in twenty may have to be repeated.
    assert 0.95 * interruption_ms - 3 < latency.max() - quiet_ms < interruption_ms + 5


def test_ping_pongs_become_fewer_with_hysteresis(two_cells):
    counts = []
    for hysteresis_db in (0, 1, 3, 6):
        scenario = two_cells(
            {
                "measurement_error_db": 2,
                "a3_offset_db": 0,
                "hysteresis_db": hysteresis_db,
                "ttt_ms": 0,
            },
            users=[users(TRICKLE, *[(0, y) for y in range(-30, 30, 4)])],
            duration_s=1.6,
            interval_ms=200,
        )
        tables = [simulate(scenario, seed=seed).tables["cell"].to_pandas() for seed in (1, 2)]
        counts.append(sum(cells.ho_ping_pongs.sum() for cells in tables))
    assert counts[0] > counts[1] > counts[2] > counts[3] > 0


@pytest.mark.parametrize(("t310_ms", "reestablishment_ms"), [(1000, 140), (200, 40), (0, 300)])
def test_a_link_fails_after_t310_and_is_re_established(two_cells, t310_ms, reestablishment_ms):
    scenario = two_cells(
        {**NEVER, "t310_ms": t310_ms, "reestablishment_ms": reestablishment_ms},
        duration_s=0.2 + (t310_ms + reestablishment_ms + 160) * 1e-3,
    )
    tables = simulate(scenario, [change(100, "cells.c0.tx_power_dbm", -30)]).tables
    ue, cells = tables["ue"].to_pandas(), tables["cell"].to_pandas()
    lost_ms = first_time_ms(ue, ue.state == "lost")
    assert 0 <= lost_ms - 100 - t310_ms <= PERIOD_MS + REPORT_MS
    back_ms = first_time_ms(ue, ue.cell == "c1")
    assert abs(back_ms - lost_ms - reestablishment_ms) <= REPORT_MS
    assert cells.groupby("cell", observed=True).rlf.sum().to_dict() == {"c0": 1, "c1": 0}
    assert cells.ho_attempts.sum() == 0
    assert ue.state.iloc[-1] == "connected"
    assert ue.dl_delivered_bits.iloc[-1] > 0
    assert_bits_are_conserved(tables)


@pytest.mark.parametrize("reestablishment_ms", [0, 150])
def test_a_lost_user_looks_for_a_cell_until_there_is_one(two_cells, reestablishment_ms):
    scenario = two_cells(
        {**NEVER, "t310_ms": 100, "reestablishment_ms": reestablishment_ms}, duration_s=1
    )
    powers = [(100, -30), (600, 30)]
    changes = [change(at, "cells.*.tx_power_dbm", dbm) for at, dbm in powers]
    ue = simulate(scenario, changes).tables["ue"].to_pandas()
    assert (ue[(ue.time_ms > 260) & (ue.time_ms <= 600)].state == "lost").all()
    back_ms = first_time_ms(ue, (ue.time_ms > 600) & (ue.state == "connected"))
    assert back_ms - 600 <= reestablishment_ms + 2 * PERIOD_MS
    assert ue.dl_delivered_bits.iloc[-1] > 0


def test_a_user_is_lost_before_its_handover_is_complete(two_cells):
    # The command would come long after the link has failed.
    scenario = two_cells({**NEVER, "t310_ms": 0, "preparation_ms": 1000}, duration_s=0.5)
    changes = [
        change(100, "ues.u0.target_cell", "c1"),
        change(200, "cells.c0.tx_power_dbm", -30),
    ]
    cells = simulate(scenario, changes).tables["cell"].to_pandas()
    sums = cells[["ho_attempts", "ho_successes", "ho_failures", "rlf"]].sum()
    assert sums.tolist() == [1, 0, 1, 1]


def test_an_order_is_carried_out_once_and_event_a3_may_undo_it(two_cells):
    scenario = two_cells({"ttt_ms": 160}, duration_s=1)
    changes = [
        change(100, "ues.u0.target_cell", "c1"),
        change(800, "cells.c0.target_bler", 0.2),  # any other change must not repeat it
    ]
    tables = simulate(scenario, changes).tables
    ue, cells = tables["ue"].to_pandas(), tables["cell"].to_pandas()
    there_ms = first_time_ms(ue, ue.cell == "c1")
    assert 0 <= there_ms - 100 - PREPARATION_MS - INTERRUPTION_MS < REPORT_MS
    back_ms = first_time_ms(ue, (ue.time_ms > there_ms) & (ue.cell == "c0"))
    total_ms = 160 + PREPARATION_MS + INTERRUPTION_MS
    assert -REPORT_MS < back_ms - there_ms - total_ms <= PERIOD_MS + REPORT_MS
    assert ue.handovers.sum() == 2
    sums = cells.groupby("cell", observed=True)[["ho_successes", "ho_ping_pongs"]].sum()
    assert sums.loc["c0"].tolist() == [1, 0]
    assert sums.loc["c1"].tolist() == [1, 1]


def test_an_order_to_the_present_cell_does_nothing(two_cells):
    scenario = two_cells(duration_s=0.3)
    quiet = simulate(scenario).tables
    ordered = simulate(scenario, [change(100, "ues.u0.target_cell", "c0")]).tables
    for name, table in quiet.items():
        assert table.equals(ordered[name])


def test_an_order_is_not_kept_in_the_controls(two_cells):
    scenario = two_cells(duration_s=0.1)
    code = """
import json, sys
from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.worker.inside.simulation import Simulation
scenario = ScenarioConfig.model_validate_json(sys.stdin.read())
simulation = Simulation(scenario, 1)
order = ControlChange(path="ues.u0.target_cell", value="c1")
simulation.apply(simulation.controls.with_changes([order], scenario))
print(json.dumps(simulation.controls == ControlState.initial(scenario)))
simulation.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{ensure_built().parent}:."},
        input=scenario.model_dump_json(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


@pytest.mark.parametrize("enabled", [True, False])
def test_an_order_to_a_cell_that_cannot_serve_is_a_failure(two_cells, enabled):
    scenario = two_cells({**NEVER, "enabled": enabled, "t310_ms": 100}, duration_s=0.6)
    changes = [
        change(100, "cells.c1.tx_power_dbm", -30),
        change(120, "ues.u0.target_cell", "c1"),
    ]
    tables = simulate(scenario, changes).tables
    ue, cells = tables["ue"].to_pandas(), tables["cell"].to_pandas()
    counts = cells[cells.cell == "c0"][["ho_attempts", "ho_successes", "ho_failures"]]
    assert counts.sum().tolist() == [1, 0, 1]
    assert "lost" in set(ue.state)
    assert ue[["cell", "state"]].iloc[-1].tolist() == ["c0", "connected"]
    assert ue.dl_dropped_bits.sum() == 0


@pytest.fixture
def busy(network):
    """Pedestrians and cars between three sites, bad measurements, links that often fail."""
    walk = {"kind": "random_walk", "speed_mps": 20}
    drive = {"kind": "vehicle", "speed_mps": 50}
    disc = {"kind": "disc", "radius_m": 120}
    cbr = [{"kind": "cbr", "rate_mbps": 1}, {"kind": "control_loop", "direction": "uplink"}]
    return network(
        layout={"kind": "hexagonal", "n_sites": 3, "n_sectors": 3, "isd_m": 150},
        gnb_antenna={"element": "3gpp"},
        propagation={"line_of_sight": "probabilistic", "shadowing": True},
        radio={
            "handover": {
                "measurement_error_db": 3,
                "a3_offset_db": 0,
                "hysteresis_db": 0,
                "ttt_ms": 40,
                "q_out_db": -1,
                "q_in_db": 1,
                "t310_ms": 80,
                "preparation_ms": 50,
            }
        },
        users=[
            {
                "name": name,
                "count": 12,
                "slice": "s0",
                "placement": disc,
                "mobility": mobility,
                "traffic": cbr,
            }
            for name, mobility in (("walkers", walk), ("cars", drive))
        ],
        duration_s=3,
    )


def test_handover_counters_add_up(busy):
    tables = simulate(busy, seed=3).tables
    cells, ue = tables["cell"].to_pandas(), tables["ue"].to_pandas()
    counters = ["ho_attempts", "ho_successes", "ho_failures", "ho_ping_pongs", "rlf"]
    so_far = cells.groupby("interval")[counters].sum().cumsum()
    assert (so_far.iloc[-1] > 0).all()
    on_the_way = ue.state.isin(["preparing", "handover"]).groupby(ue.interval).sum()
    in_progress = so_far.ho_attempts - so_far.ho_successes - so_far.ho_failures
    assert in_progress.tolist() == on_the_way.tolist()
    assert (so_far.ho_ping_pongs <= so_far.ho_successes).all()
    assert ue.handovers.sum() == so_far.ho_successes.iloc[-1]
    assert_bits_are_conserved(tables)


def test_a_seed_decides_who_moves_where(busy):
    first, again, other = (simulate(busy, seed=s, duration_s=1) for s in (5, 5, 6))
    for name, table in first.tables.items():
        assert table.equals(again[name], check_metadata=True)
    assert not first["ue"].equals(other["ue"])
