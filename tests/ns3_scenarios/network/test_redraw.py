# SPDX-License-Identifier: Apache-2.0
"""A redrawn simulation: the same past, another future, and what is left to chance in it."""

import pandas as pd
import pytest

from ns3_scenarios.controls import ControlChange
from ns3_scenarios.live import LiveSimulation

LIGHT = {"kind": "cbr", "rate_mbps": 1}
OVERLOAD = {"kind": "edge_overload", "site": "e1", "start_s": 0, "duration_s": 2, "load_pct": 50}
N_INTERVALS = 3


def application(users, **changes):
    return {"name": f"of_{users}", "users": users, "site": "e0", "request_kb": 0.5,
            "response_kb": 0.2, "interval_ms": 10, **changes}  # fmt: skip


@pytest.fixture(scope="module")
def futures(wired, users):
    """Tables of three futures of a network in which all is left to chance that can be."""
    sources = {
        "cbr": LIGHT,
        "bursty": {"kind": "bursty", "rate_mbps": 2, "on_ms": 20, "off_ms": 20},
        "xr": {"kind": "xr", "rate_mbps": 2},
        "mtc": {"kind": "mtc", "mean_gap_ms": 10},
        "control_loop": {"kind": "control_loop", "direction": "downlink"},
    }
    groups = [users(source, name=name) for name, source in sources.items()]
    road = {"kind": "vehicle", "speed_mps": 20}
    groups += [
        users(LIGHT, name="walker", mobility={"kind": "random_walk", "speed_mps": 30}),
        users(LIGHT, name="car", mobility=road, x_m=(60,)),
        users(LIGHT, name="jobs"),
    ]
    scenario = wired(
        {"b": {"loss_pct": 5}},
        duration_s=2,
        users=groups,
        propagation={"shadowing": True, "line_of_sight": "probabilistic"},
        edge={
            "sites": [{"name": name} for name in ("e0", "e1")],
            "applications": [application("jobs")],
        },
        faults=[OVERLOAD],
    )
    found = []
    with LiveSimulation(scenario) as live:
        live.advance(2)
        for seed in (1, 2, 1):
            with live.branch() as branch:
                branch.redraw(seed)
                tables = branch.advance(N_INTERVALS)
                found.append({name: table.to_pandas() for name, table in tables.items()})
    names = dict(zip(scenario.ue_ids, (g.name for g in scenario.ue_groups), strict=True))
    for tables in found:
        for name in ("ue", "flow"):
            tables[name]["ue"] = tables[name]["ue"].map(names)
    return found


def of(tables, table, column, **where):
    frame: pd.DataFrame = tables[table]
    for name, value in where.items():
        frame = frame[frame[name] == value]
    assert frame[column].notna().any()
    return frame[column].tolist()


DRAWN = {
    "bursts": ("flow", "sent_bits", {"ue": "bursty"}),
    "frames": ("flow", "sent_bits", {"ue": "xr"}),
    "reports": ("flow", "sent_bits", {"ue": "mtc"}),
    "jobs": ("application", "jobs_made", {}),
    "background jobs": ("edge", "util_pct", {"site": "e1"}),
    "blocks": ("ue", "dl_bler_pct", {"ue": "cbr"}),
    "packets on a lossy link": ("link", "lost_bits", {"link": "b", "from_node": "core"}),
    "turns": ("ue", "x_m", {"ue": "walker"}),
    "shadowing of who moves": ("ue", "rsrp_dbm", {"ue": "car"}),
}
FIXED = {
    "routes": ("ue", "x_m", {"ue": "car"}),
    "constant bit rates": ("flow", "sent_bits", {"ue": "cbr"}),
    "control loops": ("flow", "sent_bits", {"ue": "control_loop"}),
    "shadowing of who stands": ("ue", "rsrp_dbm", {"ue": "cbr"}),
}


@pytest.mark.parametrize("what", DRAWN)
def test_what_is_left_to_chance_is_drawn_anew(futures, what):
    table, column, where = DRAWN[what]
    first, second, again = (of(tables, table, column, **where) for tables in futures)
    assert first != second
    assert first == again


@pytest.mark.parametrize("what", FIXED)
def test_what_has_been_drawn_stays(futures, what):
    table, column, where = FIXED[what]
    first, second, _ = (of(tables, table, column, **where) for tables in futures)
    assert first == second


@pytest.mark.parametrize("queue", ["red", "fifo"])
def test_only_red_queues_leave_it_to_chance_what_they_drop(wired, users, queue):
    scenario = wired(
        {"b": {"rate_mbps": 10, "queue_packets": 20, "queue": queue}},
        users=[users({"kind": "cbr", "rate_mbps": 12})],
    )
    waiting = []
    with LiveSimulation(scenario) as live:
        live.advance(1)
        for seed in (1, 2):
            with live.branch() as branch:
                branch.redraw(seed)
                tables = {name: table.to_pandas() for name, table in branch.advance(2).items()}
                waiting.append(of(tables, "link", "queue_packets", link="b", from_node="core"))
    assert min(waiting[0]) > 1
    assert (waiting[0] != waiting[1]) == (queue == "red")


@pytest.mark.parametrize("fading", [True, False])
def test_fast_fading_is_drawn_anew(network, fading):
    with LiveSimulation(network(propagation={"fading": fading})) as live:
        live.advance(1)
        heard = []
        for seed in (1, 2):
            with live.branch() as branch:
                branch.redraw(seed)
                heard.append(branch.advance(1)["ue"]["dl_sinr_db"].to_pylist())
    assert (heard[0] != heard[1]) == fading


def test_measurements_err_anew(wired, users):
    """Nothing else makes users that stand hear another cell differently."""
    heard = {}
    for error_db in (0, 2):
        radio = {"handover": {"enabled": True, "measurement_error_db": error_db}}
        with LiveSimulation(wired(users=[users(LIGHT)], radio=radio)) as live:
            live.advance(1)
            for seed in (1, 2):
                with live.branch() as branch:
                    branch.redraw(seed)
                    rows = branch.advance(1)["neighbour"]["rsrp_dbm"].to_pylist()
                    heard[error_db, seed] = rows
    assert heard[0, 1] == heard[0, 2]
    assert heard[2, 1] != heard[2, 2]


def test_web_pages_are_drawn_anew(wired, users):
    sizes = []
    with LiveSimulation(wired(users=[users({"kind": "http"}, x_m=(20, 30, 40))])) as live:
        for seed in (1, 2):
            with live.branch() as branch:
                branch.redraw(seed)
                flow = branch.advance(10)["flow"].to_pandas()
                sizes.append(flow[flow.direction == "dl"].sent_bits.sum())
    assert min(sizes) > 0
    assert max(sizes) > 1.2 * min(sizes)


def test_other_actions_leave_traffic_and_jobs_as_they_are(wired, users):
    """Redrawn before a change or after it, with queues that draw or do not."""
    scenario = wired(
        users=[users({"kind": "mtc", "mean_gap_ms": 5}, name="mtc"), users(LIGHT, name="jobs")],
        edge={"sites": [{"name": "e0"}], "applications": [application("jobs")]},
    )
    change = ControlChange(path="links.*.queue", value="red")
    made = []
    with LiveSimulation(scenario) as live:
        live.advance(1)
        for before in (True, False):
            for changes in ([], [change]):
                with live.branch() as branch:
                    if before:
                        branch.redraw(5)
                    branch.apply(changes)
                    if not before:
                        branch.redraw(5)
                    tables = branch.advance(2)
                    flow = tables["flow"].to_pandas()
                    sent = flow[flow.flow == "mtc0"].sent_bits.tolist()
                    made.append((sent, tables["application"]["jobs_made"].to_pylist()))
    assert all(one == made[0] for one in made)
