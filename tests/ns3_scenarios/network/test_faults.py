# SPDX-License-Identifier: Apache-2.0
"""Faults strike at their time, show where they must, raise alarms, and pass."""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from ns3_scenarios.scenario import RandomFaults, ScenarioConfig
from ns3_scenarios.scenario.faults import SEVERITIES, draw_faults

FAULT_KINDS = (
    "link_cut",
    "link_degraded",
    "cell_outage",
    "interference_burst",
    "traffic_surge",
    "edge_overload",
    "battery_low",
)
ALARM = ["element", "cause", "severity"]


def fault(kind, element, start_s=0.6, duration_s=0.6, **more):
    field = {
        "link_cut": "link",
        "link_degraded": "link",
        "cell_outage": "cell",
        "interference_burst": "cell",
        "traffic_surge": "slice",
        "edge_overload": "site",
        "battery_low": "users",
    }[kind]
    return {"kind": kind, field: element, "start_s": start_s, "duration_s": duration_s, **more}


@pytest.fixture(scope="session")
def struck(wired, users):
    """Makes a network in which everything can be struck: two slices, an edge site, and a UAV."""

    def make(*faults: dict[str, Any], **changes: Any) -> ScenarioConfig:
        flight = {"kind": "uav", "geofence": {"z_max_m": 60}, "battery_wh": 1000}
        items = [
            {
                "name": "app",
                "users": "u",
                "site": "e0",
                "interval_ms": 10,
                "work_gflop": 0.1,
                "request_kb": 0.5,
            }
        ]
        plain = {
            "users": [
                users(
                    {"kind": "cbr", "rate_mbps": 4},
                    {"kind": "cbr", "rate_mbps": 1, "direction": "uplink"},
                ),
                users({"kind": "cbr", "rate_mbps": 2}, name="v", slice="s1", x_m=(270,)),
                users(
                    {"kind": "cbr", "rate_mbps": 1},
                    name="d",
                    x_m=(60,),
                    height_m=40,
                    mobility=flight,
                ),
            ],
            "edge": {"sites": [{"name": "e0", "servers": 1, "gflops": 100}], "applications": items},
            "faults": faults,
            "duration_s": 2,
        }
        return wired(**{**plain, **changes})

    return make


def values(tables, table, column, **where):
    frame = tables[table]
    for key, wanted in where.items():
        frame = frame[frame[key] == wanted]
    return frame.groupby("interval")[column].mean()


@dataclass(frozen=True)
class Case:
    """A fault from 0.6 to 1.2 s: where it shows, and the alarm that it raises."""

    fault: dict[str, Any]
    table: str
    column: str
    where: dict[str, str]
    holds: Any
    """Of the means before, during and after the fault."""
    alarm: tuple[str, str, str]
    reported: bool = True
    """By the element at once; else it is a threshold, crossed at an interval's end."""


CASES = {
    "link_cut": Case(
        fault("link_cut", "a_s0"),
        "flow",
        "throughput_mbps",
        {"ue": "u0", "direction": "dl"},
        lambda a, b, c: b == 0 and c == pytest.approx(a, rel=0.1),
        ("a_s0", "link_cut", "critical"),
    ),
    "link_degraded": Case(
        fault("link_degraded", "b", loss_pct=10, rate_pct=50, extra_delay_ms=20),
        "flow",
        "latency_ms",
        {"ue": "v0", "direction": "dl"},
        lambda a, b, c: b - a == pytest.approx(20, abs=0.5) and c == pytest.approx(a, abs=0.5),
        ("b", "link_degraded", "major"),
    ),
    "cell_outage": Case(
        fault("cell_outage", "c1"),
        "cell",
        "dl_throughput_mbps",
        {"cell": "c1"},
        lambda a, b, c: b == 0 and c >= a,
        ("c1", "cell_outage", "critical"),
    ),
    "interference_burst": Case(
        fault("interference_burst", "c0", noise_rise_db=20),
        "ue",
        "dl_sinr_db",
        {"ue": "u0"},
        lambda a, b, c: a - b > 5 and c == pytest.approx(a, abs=0.5),
        ("c0", "interference", "major"),
    ),
    "traffic_surge": Case(
        fault("traffic_surge", "s1", factor=3),
        "flow",
        "throughput_mbps",
        {"slice": "s1"},
        lambda a, b, c: b == pytest.approx(3 * a, rel=0.05) and c == pytest.approx(a, rel=0.05),
        ("s1", "traffic_surge", "warning"),
    ),
    "edge_overload": Case(
        fault("edge_overload", "e0", load_pct=150),
        "edge",
        "background_pct",
        {"site": "e0"},
        lambda a, b, c: a == 0 and b > 80,
        ("e0", "edge_overload", "major"),
        reported=False,
    ),
    "battery_low": Case(
        fault("battery_low", "d", battery_pct=10),
        "ue",
        "battery_pct",
        {"ue": "u2"},
        lambda a, b, c: b < 10.001 and c == pytest.approx(a, abs=0.2),
        ("u2", "battery_low", "major"),
        reported=False,
    ),
}
CASES["link_degraded"].where["ue"] = "u1"


def alarms(tables, case_alarm):
    frame = tables["alarm"]
    mask = (frame[ALARM].astype(str) == list(case_alarm)).all(axis=1)
    return frame[mask]


def test_every_kind_has_a_case():
    assert set(CASES) == set(FAULT_KINDS)


@pytest.mark.parametrize("kind", CASES)
def test_fault_shows_and_raises_its_alarm(struck, measure, assert_conserved, kind):
    case = CASES[kind]
    tables = measure(struck(case.fault), skip=0)
    assert_conserved(tables)
    column = values(tables, case.table, case.column, **case.where)
    before, during, after = column[1:3].mean(), column[4:6].mean(), column[8:].mean()
    assert case.holds(before, during, after), column
    rows = alarms(tables, case.alarm)
    assert set(rows.alarm.astype(str)) == {f"{case.alarm[1]}:{case.alarm[0]}"}
    if case.reported:
        assert set(rows.raised_ms) == {600}
        assert rows.interval.tolist() == [3, 4, 5, 6]  # it ends as interval 6 begins
        assert rows.cleared_ms.isna().tolist() == [True] * 3 + [False]
        assert rows.cleared_ms.iloc[-1] == pytest.approx(1200)
    else:  # crosses its threshold in the first or second interval
        assert set(rows.raised_ms) in ({800}, {1000})
        assert rows.interval.diff().dropna().eq(1).all()
        assert rows.cleared_ms.isna()[:-1].all()
        assert rows.cleared_ms.iloc[-1] in (1400, 1600, 1800, 2000)


def test_undisturbed_network_has_no_alarms(struck, measure):
    assert len(measure(struck(), skip=0)["alarm"]) == 0


def test_link_table_shows_what_faults_make_of_a_link(struck, measure):
    faults = [
        fault("link_degraded", "b", rate_pct=50, extra_delay_ms=20, loss_pct=0),
        fault("link_cut", "b", start_s=1.2, duration_s=0.4),
    ]
    tables = measure(struck(*faults), skip=0)
    rows = tables["link"]
    rows = rows[(rows.link == "b") & (rows.from_node == "core")].set_index("interval")
    assert rows.rate_mbps.tolist() == [1000] * 3 + [500] * 3 + [1000] * 4
    assert rows.propagation_ms.tolist() == [3] * 3 + [23] * 3 + [3] * 4
    assert rows.up.tolist() == [True] * 6 + [False] * 2 + [True] * 2
    assert rows.delay_ms[4] == pytest.approx(23.02, abs=0.02)
    assert rows.loss_pct[7] == 100
    assert rows.delivered_bits[7] == 0


@pytest.mark.parametrize("start_s", [0.61, 0.65])
def test_fault_shorter_than_an_interval_strikes_at_its_time(struck, measure, start_s):
    tables = measure(struck(fault("link_cut", "a_s0", start_s, 0.1)), skip=0)
    flow = tables["flow"]
    # A cut of 100 ms takes half of the interval's 200 ms, and only of this one.
    down = flow[(flow.ue == "u0") & (flow.flow == "cbr0")].set_index("interval")
    assert down.loss_pct[3] == pytest.approx(50, abs=3)
    assert down.loss_pct.drop(3).max() == 0
    rows = tables["alarm"]
    assert rows[ALARM].astype(str).to_numpy().tolist() == [["a_s0", "link_cut", "critical"]]
    assert rows.interval.tolist() == [3]
    assert rows.raised_ms.tolist() == pytest.approx([1e3 * start_s])
    assert rows.cleared_ms.tolist() == pytest.approx([1e3 * (start_s + 0.1)])
    assert tables["link"].up.all()


def test_fault_may_strike_at_the_start_and_outlast_the_run(struck, measure):
    tables = measure(struck(fault("link_cut", "a_s0", 0, 60)), skip=0)
    assert values(tables, "flow", "delivered_bits", ue="u0").sum() == 0
    assert tables["alarm"].cleared_ms.isna().all()
    assert tables["alarm"].raised_ms.tolist() == [0] * 10


def test_overlapping_faults_of_one_element(struck, measure, assert_conserved):
    faults = [
        fault("link_cut", "a_s0", 0.4, 0.6),
        fault("link_cut", "a_s0", 0.6, 0.8),
        fault("link_degraded", "b", 0.4, 1, extra_delay_ms=10, loss_pct=0),
        fault("link_degraded", "b", 0.6, 0.4, extra_delay_ms=20, loss_pct=0),
        fault("traffic_surge", "s1", 0.4, 1, factor=2),
        fault("traffic_surge", "s1", 0.8, 0.2, factor=4),
        fault("interference_burst", "c1", 0.4, 1, noise_rise_db=10),
        fault("interference_burst", "c1", 0.8, 0.2, noise_rise_db=20),
        fault("battery_low", "d", 0.4, 1, battery_pct=30),
        fault("battery_low", "d", 0.8, 0.2, battery_pct=10),
    ]
    tables = measure(struck(*faults), skip=0)
    assert_conserved(tables)
    rows = tables["link"]
    up = rows[(rows.link == "a_s0") & (rows.from_node == "s0")].up
    assert up.tolist() == [True] * 2 + [False] * 5 + [True] * 3
    added_ms = rows[(rows.link == "b") & (rows.from_node == "core")].propagation_ms - 3
    assert added_ms.tolist() == pytest.approx([0, 0, 10, 30, 30, 10, 10, 0, 0, 0])
    sent = values(tables, "flow", "sent_bits", slice="s1")
    surge = (sent / sent[0]).round(1).tolist()
    assert surge == pytest.approx([1, 1, 2, 2, 4, 2, 2, 1, 1, 1], rel=0.06)
    sinr_db = values(tables, "ue", "dl_sinr_db", ue="u1")
    assert sinr_db[1] > sinr_db[2] + 3 > sinr_db[4] + 6
    assert sinr_db[6] == pytest.approx(sinr_db[2], abs=2)
    assert sinr_db[8] == pytest.approx(sinr_db[1], abs=2)
    charge = values(tables, "ue", "battery_pct", ue="u2")
    assert charge.tolist() == pytest.approx([100, 100, 30, 30, 10, 30, 30, 100, 100, 100], abs=0.3)
    # One alarm for as long as any of them lasts.
    cut = alarms(tables, ("a_s0", "link_cut", "critical"))
    assert cut.raised_ms.tolist() == [400] * 6
    assert cut.cleared_ms.isna().tolist() == [True] * 5 + [False]
    assert cut.cleared_ms.iloc[-1] == pytest.approx(1400)


def test_fault_that_follows_at_once_leaves_no_gap(struck, measure):
    faults = [fault("link_cut", "a_s0", 0.4, 0.4), fault("link_cut", "a_s0", 0.8, 0.4)]
    tables = measure(struck(*faults), skip=0)
    delivered = values(tables, "flow", "delivered_bits", ue="u0", flow="cbr0")
    assert delivered[3:6].sum() == 0


# Random faults


def spec(**changes):
    return RandomFaults(**{"mean_gap_s": 1, "mean_duration_s": 0.3, **changes})


def test_faults_are_drawn_by_the_seed(struck):
    scenario = struck(random_faults=spec(), duration_s=20)
    assert scenario.all_faults(1) == scenario.all_faults(1)
    assert len({scenario.all_faults(seed) for seed in range(20)}) == 20
    starts = [f.start_s for f in scenario.all_faults(3)]
    assert starts == sorted(starts)
    assert all(0 <= s < 20 for s in starts)


def test_random_faults_are_as_many_and_as_long_as_asked_for(struck):
    scenario = struck(duration_s=20)
    drawn = [draw_faults(spec(), scenario, seed) for seed in range(400)]
    # A Poisson number: 20 on average, its mean over 400 seeds with a standard error of 0.22.
    n = sum(map(len, drawn))
    assert n / 400 == pytest.approx(20, abs=4 * math.sqrt(20 / 400))
    faults = pd.DataFrame([{"kind": f.kind, "s": f.duration_s} for seed in drawn for f in seed])
    assert faults.s.mean() == pytest.approx(0.3, abs=4 * 0.3 / math.sqrt(n))
    counts = faults.kind.value_counts()
    assert set(counts.index) == set(FAULT_KINDS)
    assert counts.to_numpy() == pytest.approx(n / 7, abs=4 * math.sqrt(n / 7))


def test_random_faults_are_of_the_kinds_asked_for(struck):
    kinds = ("link_cut", "traffic_surge")
    scenario = struck(random_faults=spec(kinds=kinds), duration_s=20)
    drawn = [f for seed in range(20) for f in scenario.all_faults(seed)]
    assert {f.kind for f in drawn} == set(kinds)
    links = {f.link for f in drawn if f.kind == "link_cut"}
    assert links == {"a_s0", "a_s1", "b", "c_s0", "c_s1", "d", "e"}


def test_random_faults_may_be_of_any_severity(struck):
    scenario = struck(random_faults=spec(drawn_severity=True), duration_s=200)
    found = {name: [] for of_kind in SEVERITIES.values() for name in of_kind}
    for fault_ in scenario.all_faults(1):
        for name, (low, high) in SEVERITIES.get(fault_.kind, {}).items():
            assert low <= getattr(fault_, name) <= high
            found[name].append(getattr(fault_, name))
    assert all(len(set(drawn)) > 5 for drawn in found.values())


def test_random_faults_of_a_scenario_with_few_elements(network):
    drawn = draw_faults(spec(), network(duration_s=20), 1)
    assert {f.kind for f in drawn} == {"cell_outage", "interference_burst", "traffic_surge"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_faults_strike_as_drawn(struck, measure, assert_conserved, seed):
    scenario = struck(random_faults=spec(mean_gap_s=0.15), duration_s=3)
    tables = measure(scenario, seed=seed, skip=0)
    assert_conserved(tables)
    reported = {
        (f.link, f.kind): f
        for f in scenario.all_faults(seed)
        if f.kind in ("link_cut", "link_degraded")
    }
    rows = tables["alarm"].astype({"element": str, "cause": str})
    seen = set(zip(rows.element, rows.cause, strict=True))
    assert set(reported) <= seen
    for element, cause in reported:
        first_ms = min(
            1e3 * f.start_s
            for f in scenario.all_faults(seed)
            if f.kind == cause and f.link == element
        )
        mine = rows[(rows.element == element) & (rows.cause == cause)]
        assert mine.raised_ms.min() == pytest.approx(first_ms)
