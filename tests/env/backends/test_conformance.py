# SPDX-License-Identifier: Apache-2.0
"""What every backend promises."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from env.backends.base import WARM_UP, Backend
from env.kpis import Kpis
from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.errors import ControlError
from ns3_scenarios.kpi import TABLES, arrow_schema


def change(path: str, value: float | str) -> ControlChange:
    return ControlChange(path=path, value=value)


def same(a: Kpis, b: Kpis) -> bool:
    return all(a.to_arrow(name).equals(b.to_arrow(name)) for name in TABLES)


def test_starts_after_the_warm_up_under_the_controls_of_the_scenario(backend: Backend) -> None:
    assert backend.interval == WARM_UP == len(backend.history)
    assert backend.controls == ControlState.initial(backend.scenario)
    backend.advance(2)
    assert backend.interval == WARM_UP + 2 == len(backend.history)
    step_ms = backend.scenario.interval_ms
    for number, kpis in enumerate(backend.history):
        assert kpis.interval == number
        assert kpis.time_ms == pytest.approx((number + 1) * step_ms)


def test_equal_seeds_run_alike_and_others_do_not(make: Callable[[int], Backend]) -> None:
    one, again, other = make(1), make(1), make(2)
    for backend in (one, again, other):
        backend.advance(3)
    assert all(same(a, b) for a, b in zip(one.history, again.history, strict=True))
    assert one.state_hash() == again.state_hash() != other.state_hash()
    assert not same(one.history[-1], other.history[-1])


def test_all_backends_start_in_the_same_state(
    make: Callable[[int], Backend], recordings: Callable[..., dict[str, object]]
) -> None:
    real = Kpis.each_of_arrow(recordings(1))[:WARM_UP]  # type: ignore[arg-type]
    assert all(same(a, b) for a, b in zip(make(1).history, real, strict=True))


def test_reading_and_looking_ahead_leave_the_network_alone(make: Callable[[int], Backend]) -> None:
    watched, undisturbed = make(1), make(1)
    before, clock = watched.state_hash(), watched.interval
    plan = [change("cells.c0.tx_power_dbm", 30.0)]
    first = watched.futures(plan, 2, 2)
    again = watched.futures(plan, 2, 2)
    for name in TABLES:
        watched.history[-1].to_arrow(name)
    assert watched.state_hash() == before
    assert watched.interval == clock
    assert [k.interval for k in first.draws[0]] == [clock, clock + 1]
    assert len(first.draws) == 2
    if watched.name in ("surrogate", "replay"):
        pairs = zip(first.draws, again.draws, strict=True)
        assert all(same(a[-1], b[-1]) for a, b in pairs)
        assert not same(first.draws[0][-1], first.draws[1][-1])
    watched.advance(2)
    undisturbed.advance(2)
    assert same(watched.history[-1], undisturbed.history[-1])
    assert watched.state_hash() == undisturbed.state_hash()


@pytest.mark.parametrize(
    "bad",
    [
        change("cells.c9.tx_power_dbm", 30.0),
        change("cells.c0.tx_power_dbm", 99.0),
        change("cells.c0.slices.embb.dedicated_pct", 95.0),
        change("ues.u12.waypoint.z_m", 299.0),
    ],
)
def test_an_impossible_change_changes_nothing(backend: Backend, bad: ControlChange) -> None:
    before, controls = backend.state_hash(), backend.controls
    good = change("cells.c1.tilt_deg", 3.0)
    for attempt in (backend.apply, lambda c: backend.futures(c, 1, 1)):
        with pytest.raises(ControlError):
            attempt([good, bad])
    assert backend.state_hash() == before
    assert backend.controls == controls


def test_kpis_have_the_columns_of_the_schema(backend: Backend) -> None:
    backend.advance(2)
    kpis = backend.history[-1]
    scenario = backend.scenario
    rows = {"network": 3, "cell": 3, "slice": 9, "ue": scenario.n_users, "link": 12, "edge": 2,
            "application": 1}  # fmt: skip
    for name in TABLES:
        table = kpis.to_arrow(name)
        assert table.schema.equals(arrow_schema(name))
        assert len(table) == rows.get(name, len(table))
    assert {*kpis.column("ue", "ue")} == {*scenario.ue_ids}
    assert (kpis.column("ue", "battery_pct")[12:14] < 60).all()


def test_bits_are_conserved(backend: Backend) -> None:
    backend.advance(3)
    for before, now in zip(backend.history, backend.history[1:], strict=False):
        flow = {name: now.column("flow", name) for name in TABLES_FLOW}
        grown = flow["in_flight_bits"] - before.column("flow", "in_flight_bits")
        out = flow["delivered_bits"] + flow["dropped_radio_bits"] + flow["dropped_transport_bits"]
        np.testing.assert_array_equal(flow["sent_bits"], out + grown)
        for d in ("dl", "ul"):
            ue = {n: now.column("ue", f"{d}_{n}_bits") for n in ("offered", "delivered", "dropped")}
            queued = (k.column("ue", f"{d}_queued_bits") for k in (now, before))
            grown = np.subtract(*queued)
            np.testing.assert_array_equal(ue["offered"], ue["delivered"] + ue["dropped"] + grown)
            assert min(values.min() for values in ue.values()) >= 0


TABLES_FLOW = ("sent_bits", "delivered_bits", "dropped_radio_bits", "dropped_transport_bits",
               "in_flight_bits")  # fmt: skip


def test_settings_show_in_kpis_and_controls(changeable: Backend) -> None:
    changeable.apply(
        [
            change("cells.*.tilt_deg", 4.0),
            change("cells.c1.scheduler", "max_ci"),
            change("cells.c2.slices.embb.max_pct", 55.0),
            change("slices.embb.degradation", "reduce_rate"),
            change("links.trunk.queue", "codel"),
            change("applications.vision.site", "cloud"),
            change("applications.vision.fraction", 0.5),
            change("ues.u0.flows.xr0.slice", "urllc"),
        ]
    )
    assert changeable.controls.cells["c1"].scheduler == "max_ci"
    changeable.advance(1)
    kpis = changeable.history[-1]
    assert list(kpis.column("cell", "tilt_deg")) == [4, 4, 4]
    assert kpis.rows("cell", cell="c1")[0]["scheduler"] == "max_ci"
    assert kpis.rows("slice", cell="c2", slice="embb")[0]["max_pct"] == 55
    assert kpis.rows("network", slice="embb")[0]["degradation"] == "reduce_rate"
    assert {row["queue"] for row in kpis.rows("link", link="trunk")} == {"codel"}
    application = kpis.rows("application")[0]
    assert (application["site"], application["fraction"]) == ("cloud", 0.5)
    flow = kpis.rows("flow", ue="u0", flow="xr0")[0]
    assert (flow["slice"], flow["five_qi"], flow["delay_budget_ms"]) == ("urllc", 82, 10)
    assert kpis.rows("edge", site="cloud")[0]["applications"] == "vision"


def test_a_waypoint_moves_a_uav(changeable: Backend) -> None:
    def at() -> np.ndarray:
        row = changeable.history[-1].rows("ue", ue="u12")[0]
        return np.array([row[f"{axis}_m"] for axis in "xyz"])

    to = np.array([-80.0, -80.0, 60.0])
    changeable.apply([change(f"ues.u12.waypoint.{a}_m", v) for a, v in zip("xyz", to, strict=True)])
    before = at()
    changeable.advance(2)
    way = to - before
    np.testing.assert_allclose(at(), before + way / np.linalg.norm(way) * 10 * 0.4, atol=1e-6)


def test_an_ordered_handover_changes_the_cell_once(changeable: Backend) -> None:
    serving = changeable.history[-1].rows("ue", ue="u0")[0]["cell"]
    target = changeable.history[-1].rows("neighbour", ue="u0")[0]["cell"]
    changeable.apply([change("ues.u0.target_cell", target)])
    assert changeable.controls.ues["u0"].target_cell == ""
    changeable.advance(1)
    assert changeable.history[-1].rows("ue", ue="u0")[0]["cell"] == target != serving


def test_less_power_lowers_what_users_hear(changeable: Backend) -> None:
    before = changeable.history[-1].column("ue", "rsrp_dbm")
    changeable.apply([change("cells.*.tx_power_dbm", 32.0)])
    changeable.advance(1)
    after = changeable.history[-1].column("ue", "rsrp_dbm")
    assert np.median(before - after) == pytest.approx(6, abs=0.5)


def test_a_cut_link_shows_and_is_reported_while_it_lasts(backend: Backend) -> None:
    up, alarms = [], []
    for _ in range(4):
        backend.advance(1)
        kpis = backend.history[-1]
        up.append(kpis.rows("link", link="to_cloud")[0]["up"])
        alarms.append([r for r in kpis.rows("alarm") if r["cause"] == "link_cut"])
    assert up == [False, False, True, True]
    assert [len(a) for a in alarms] == [1, 1, 1, 0]
    assert alarms[0][0]["raised_ms"] == 500
    assert alarms[0][0]["cleared_ms"] is None
    assert alarms[2][0]["cleared_ms"] == 900


def test_a_degraded_slice_sends_less(changeable: Backend) -> None:
    def sent() -> float:
        kpis = changeable.history[-1]
        mine = (kpis.column("flow", "slice") == "urllc") & (kpis.column("flow", "ue") == "u6")
        return float(kpis.column("flow", "sent_bits")[mine].sum())

    before = sent()
    changeable.apply([change("slices.urllc.degradation", "reduce_rate")])
    changeable.advance(1)
    assert sent() == pytest.approx(before / 2, rel=0.05)
    changeable.apply([change("slices.urllc.degradation", "essential_only")])
    changeable.advance(1)
    assert sent() == 0


def test_closes_twice(backend: Backend) -> None:
    backend.close()
    backend.close()
