# SPDX-License-Identifier: Apache-2.0
"""Each control, changed in mid-run, changes the KPI that it must."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest

from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.scenario import Model

CHANGE_AT = 4
FULL_BUFFER = {"kind": "full_buffer"}


def users(*positions, name="u", slice_="s0"):
    spots = [{"x_m": x, "y_m": y} for x, y in positions]
    placement = {"kind": "points", "points": spots}
    return {"name": name, "slice": slice_, "placement": placement, "traffic": [FULL_BUFFER]}


def before_and_after(measure, scenario, path, value, table, column, **where):
    change = ControlChange(interval=CHANGE_AT, path=path, value=value)
    frame = measure(scenario, [change])[table]
    for key, wanted in where.items():
        frame = frame[frame[key] == wanted]
    early = frame[frame.interval < CHANGE_AT][column].mean()
    late = frame[frame.interval > CHANGE_AT][column].mean()
    return early, late


@pytest.fixture
def contested(network):
    """Two slices that want everything, near and far users, a cell with a tilted sector antenna."""
    return network(
        duration_s=2,
        gnb_antenna={"element": "3gpp", "tilt_deg": 5},
        carrier={"numerology": 1, "bandwidth_mhz": 20},
        slices=[{"name": "s0"}, {"name": "s1"}],
        users=[
            users((60, 0), (700, 0)),
            users((700, 20), (70, 10), name="v", slice_="s1"),
        ],
    )


UE = {"ue": "u1"}
SLICE = {"slice": "s0"}

#: New value, where it shows, and how the column's mean before and after must compare.
CASES = {
    "tx_power_dbm": (20, "ue", "dl_sinr_db", UE, lambda a, b: 9 < a - b < 11),
    "tilt_deg": (40, "ue", "rsrp_dbm", UE, lambda a, b: a - b > 3),
    "bandwidth_mhz": (10, "network", "throughput_mbps", {}, lambda a, b: 0.35 < b / a < 0.65),
    "numerology": (0, "cell", "dl_tb_count", {}, lambda a, b: 0.4 < b / a < 0.7),
    "scheduler": ("max_ci", "ue", "dl_throughput_mbps", UE, lambda a, b: b < 0.1 * a),
    "target_bler": (0.4, "ue", "dl_bler_pct", UE, lambda a, b: a < 15 and b > 30),
    "sleep_mode": ("off", "cell", "power_w", {}, lambda a, b: a > 300 and b == 0),
    "slices.s0.dedicated_pct": (80, "slice", "dl_prb_util_pct", SLICE, lambda a, b: b > a + 20),
    "slices.s0.min_pct": (80, "slice", "dl_prb_util_pct", SLICE, lambda a, b: b > a + 20),
    "slices.s0.max_pct": (20, "slice", "dl_prb_util_pct", SLICE, lambda a, b: 18 < b < 22 < a),
}


@pytest.mark.parametrize("control", CASES)
def test_control_takes_effect_in_flight(measure, contested, control):
    value, table, column, where, holds = CASES[control]
    if control == "slices.s0.dedicated_pct":
        # A dedicated share must not exceed the minimum, which is raised with it.
        changes = [
            ControlChange(interval=CHANGE_AT, path=f"cells.c0.slices.s0.{f}", value=value)
            for f in ("dedicated_pct", "min_pct")
        ]
        frame = measure(contested, changes)[table]
        frame = frame[frame.slice == "s0"]
        early = frame[frame.interval < CHANGE_AT][column].mean()
        late = frame[frame.interval > CHANGE_AT][column].mean()
    else:
        early, late = before_and_after(
            measure, contested, f"cells.c0.{control}", value, table, column, **where
        )
    assert holds(early, late), (early, late)


def test_load_that_wakes_takes_effect_in_flight(measure, network):
    report = {"kind": "cbr", "rate_mbps": 0.02, "packet_bytes": 100}  # every 40 ms
    energy = {"sleep_mode": "light", "wake_prb_pct": 0, "sleep_after_ms": 0}
    scenario = network(
        duration_s=2,
        radio={"energy": energy},
        users=[{**users((60, 0)), "traffic": [report]}],
    )
    early, late = before_and_after(
        measure, scenario, "cells.c0.wake_prb_pct", 60, "ue", "dl_latency_ms"
    )
    assert 6 < early < 10
    assert 20 < late < 50


#: Settings at the start that keep the user, and the one that lets it go: the other cell is 1 dB
#: stronger than its own.
HANDOVER = {
    "a3_offset_db": ({"a3_offset_db": 3, "hysteresis_db": 0}, "a3_offset_db", 0),
    "hysteresis_db": ({"a3_offset_db": 0, "hysteresis_db": 3}, "hysteresis_db", 0),
    "ttt_ms": ({"a3_offset_db": 0, "hysteresis_db": 0, "ttt_ms": 5120}, "ttt_ms", 0),
    "cio_db": ({"a3_offset_db": 3, "hysteresis_db": 0}, "cio_db.c1", 6),
}


@pytest.mark.parametrize("control", HANDOVER)
def test_handover_control_takes_effect_in_flight(measure, network, control):
    start, path, value = HANDOVER[control]
    scenario = network(
        duration_s=2,
        layout={
            "kind": "free",
            "n_sectors": 1,
            "sites": [{"x_m": 0, "y_m": 0}, {"x_m": 200, "y_m": 0}],
        },
        radio={"handover": {"ttt_ms": 0, "measurement_error_db": 0, **start}},
        users=[{**users((98, 0)), "traffic": [{"kind": "cbr", "rate_mbps": 1}]}],
    )
    stronger = ControlChange(interval=1, path="cells.c1.tx_power_dbm", value=31.5)
    change = ControlChange(interval=CHANGE_AT, path=f"cells.c0.handover.{path}", value=value)
    cells = measure(scenario, [stronger, change], skip=0)["ue"].cell.astype(str).tolist()
    assert cells[:CHANGE_AT] == ["c0"] * CHANGE_AT
    assert set(cells[CHANGE_AT + 1 :]) == {"c1"}


WAYPOINT = {"x_m": 300, "y_m": 200, "z_m": 90, "speed_mps": 30}


@pytest.mark.parametrize("control", WAYPOINT)
def test_waypoint_takes_effect_in_flight(measure, network, control):
    mobility = {"kind": "uav", "speed_mps": 5, "waypoints": [{"x_m": 0, "y_m": 0, "z_m": 50}]}
    group = {**users((100, 0)), "height_m": 50, "mobility": mobility}
    change = ControlChange(
        interval=CHANGE_AT, path=f"ues.u0.waypoint.{control}", value=WAYPOINT[control]
    )
    ue = measure(network(duration_s=2, users=[group]), [change], skip=0)["ue"]
    column = {"speed_mps": "speed_mps"}.get(control, control)
    slope = ue[column].diff() if control != "speed_mps" else ue[column]
    early, late = slope[1:CHANGE_AT].mean(), slope[CHANGE_AT + 1 :].mean()
    assert late > early + 0.3, (early, late)


def test_order_of_a_handover_takes_effect_in_flight(measure, wired, users):
    scenario = wired(
        users=[users({"kind": "cbr", "rate_mbps": 1})], radio={"handover": {"a3_offset_db": 15}}
    )
    order = ControlChange(interval=CHANGE_AT, path="ues.u0.target_cell", value="c1")
    tables = measure(scenario, [order], skip=0)
    assert tables["ue"].handovers.tolist() == [0] * CHANGE_AT + [1]
    assert tables["ue"].cell.tolist() == ["c0"] * CHANGE_AT + ["c1"]


DOWN = {"ue": "u0", "flow": "cbr0"}
TO_R1 = "s0-r1-core"

#: Path, new value, where it shows, and how the column's mean before and after must compare.
WIRED = {
    "links.queue": (
        "links.b.queue",
        "token_bucket",
        ("link", "throughput_mbps", {"link": "b", "from_node": "core"}),
        lambda a, b: a > 8 and 4.5 < b < 5.05,
    ),
    "applications.site": (
        "applications.app.site",
        "e1",
        ("application", "transport_ms", {}),
        lambda a, b: b - a == pytest.approx(6, abs=0.5),
    ),
    "applications.fraction": (
        "applications.app.fraction",
        0,
        ("edge", "jobs_arrived", {"site": "e0"}),
        lambda a, b: a > 5 and b == 0,
    ),
    "slices.degradation": (
        "slices.s0.degradation",
        "reduce_rate",
        ("flow", "throughput_mbps", DOWN),
        lambda a, b: b == pytest.approx(a / 2, rel=0.05),
    ),
    "slices.routes": (
        "slices.s0.routes.s0.core",
        TO_R1,
        ("flow", "latency_ms", DOWN),
        lambda a, b: b - a == pytest.approx(7, abs=0.5),
    ),
    "ues.flows.route": (
        "ues.u0.flows.cbr0.route",
        TO_R1,
        ("flow", "latency_ms", DOWN),
        lambda a, b: b - a == pytest.approx(7, abs=0.5),
    ),
    "ues.flows.slice": (
        "ues.u0.flows.cbr0.slice",
        "s1",
        ("network", "throughput_mbps", {"slice": "s1"}),
        lambda a, b: b == pytest.approx(2 * a, rel=0.05),
    ),
}


@pytest.fixture(scope="session")
def campus(wired, users):
    """Two slices, two ways to the core, two edge sites, and a link that a token bucket holds."""
    cbr = {"kind": "cbr", "rate_mbps": 4}
    app = {"name": "app", "users": "u", "site": "e0", "interval_ms": 20, "request_kb": 0.5}
    return wired(
        links={"b": {"token_bucket_pct": 0.5}},
        users=[users(cbr, x_m=(30, 40)), users(cbr, name="v", slice="s1")],
        edge={"sites": [{"name": "e0"}, {"name": "e1"}], "applications": [app]},
        duration_s=2,
    )


@pytest.mark.parametrize("control", WIRED)
def test_control_behind_the_radio_takes_effect_in_flight(
    campus, measure, assert_conserved, control
):
    path, value, (table, column, where), holds = WIRED[control]
    tables = measure(campus, [ControlChange(interval=CHANGE_AT, path=path, value=value)], skip=0)
    assert_conserved(tables)
    frame = tables[table]
    for key, wanted in where.items():
        frame = frame[frame[key] == wanted]
    early = frame[frame.interval.between(1, CHANGE_AT - 1)][column].mean()
    late = frame[frame.interval > CHANGE_AT][column].mean()
    assert holds(early, late), (early, late)


def models_in(annotation: Any) -> list[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def controls_of(model: type[Model], *above: str) -> Iterator[str]:
    """The names of all controls, without those of elements."""
    for name, field in model.model_fields.items():
        below = models_in(field.annotation)
        yield from controls_of(below[0], *above, name) if below else [".".join((*above, name))]


def test_every_control_has_a_case():
    tested = {
        *(f"cells.{name.replace('slices.s0.', 'slices.')}" for name in CASES),
        *(f"cells.handover.{name}" for name in HANDOVER),
        *(f"ues.waypoint.{name}" for name in WAYPOINT),
        *WIRED,
        "cells.wake_prb_pct",
        "ues.target_cell",
    }
    assert set(controls_of(ControlState)) == tested
