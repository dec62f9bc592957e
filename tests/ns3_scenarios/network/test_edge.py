# SPDX-License-Identifier: Apache-2.0
"""Jobs of real users at edge sites behind a real radio and transport network."""

import math

import pytest

IP_UDP_BYTES = 20 + 8
TUNNEL_BYTES = 16 + 8 + 20 + 2  # GTP-U with PDU session container, UDP, IPv4, PPP
DATAGRAM_BYTES = 1400
PARTS = ["radio_ms", "transport_ms", "queue_ms", "compute_ms"]
LIGHT = {"kind": "cbr", "rate_mbps": 0.01}


def application(**changes):
    """Small jobs whose request and response are one datagram each, all of them offloaded."""
    return {
        "name": "app",
        "users": "u",
        "site": "e0",
        "arrivals": "periodic",
        "interval_ms": 20,
        "request_kb": 0.5,
        "response_kb": 0.2,
        "work": "constant",
        "work_gflop": 1,
        "local_gflops": 40,
        **changes,
    }


def edge(*applications, **site):
    sites = [{"name": name, "servers": 1, "gflops": 200, **site} for name in ("e0", "e1")]
    return {"sites": sites, "applications": applications or (application(),)}


@pytest.fixture(scope="session")
def campus(wired, users):
    """Makes a network with two edge sites, each behind one router."""

    def make(edge_part, **changes):
        return wired(**{"users": [users(LIGHT)], "edge": edge_part, **changes})

    return make


def test_latency_is_the_sum_of_its_parts(campus, measure, assert_conserved):
    items = (application(fraction=0.5, arrivals="poisson", work="exponential"),)
    tables = measure(campus(edge(*items), duration_s=2), skip=0)
    assert_conserved(tables)
    frame = tables["application"].dropna()
    assert len(frame) == 10
    assert frame[PARTS].sum(axis=1).to_numpy() == pytest.approx(frame.latency_ms, rel=1e-5)
    assert (frame[PARTS] >= 0).all(axis=None)
    assert (frame[PARTS].sum() > 0).all()


def test_parts_are_those_of_paths_and_processors(campus, measure):
    rows = measure(campus(edge(), duration_s=2))["application"]
    # From s0 over r0 to e0 at 100 and 1000 Mbit/s, 2 ms and 1 ms, and back.
    overhead = IP_UDP_BYTES + TUNNEL_BYTES
    bits = 8 * (500 + overhead + 200 + overhead)
    transport_ms = 2 * (2 + 1) + bits / 100e3 + bits / 1000e3
    assert rows.transport_ms.to_numpy() == pytest.approx(transport_ms, rel=1e-6)
    assert rows.compute_ms.to_numpy() == pytest.approx(1e3 * 1 / 200)
    assert rows.queue_ms.to_numpy() == pytest.approx(0)
    assert rows.radio_ms.between(1, 10).all()
    assert rows.within_deadline_pct.min() == 100


def test_jobs_are_computed_on_the_device_when_none_are_offloaded(campus, measure):
    tables = measure(campus(edge(application(fraction=0)), duration_s=2), skip=0)
    rows = tables["application"]
    assert rows.jobs_offloaded.sum() == 0
    assert tables["edge"].jobs_arrived.sum() == 0
    assert tables["flow"][tables["flow"].flow == "app"].sent_bits.sum() == 0
    assert rows.jobs_finished.sum() > 75
    # 1 Gflop at 40 Gflop/s takes longer than the 20 ms to the next job, which waits for it.
    assert rows.compute_ms.dropna().to_numpy() == pytest.approx(25)
    assert rows.radio_ms.dropna().max() == rows.transport_ms.dropna().max() == 0
    assert rows.queue_ms.iloc[-1] > rows.queue_ms.iloc[2] > 20


def test_placement_and_fraction_change_in_flight(campus, measure, schedule, assert_conserved):
    changes = [
        *schedule(3, applications__app__site="e1"),
        *schedule(6, applications__app__fraction=0),
        *schedule(8, applications__app__fraction=0.5),
    ]
    scenario = campus(edge(application(interval_ms=2, work_gflop=0.05)), duration_s=3)
    tables = measure(scenario, changes, skip=0)
    assert_conserved(tables)
    sites, rows = tables["edge"], tables["application"]
    first = sites[sites.site == "e0"].jobs_arrived.to_numpy()
    second = sites[sites.site == "e1"].jobs_arrived.to_numpy()
    assert first[:3].min() > 80
    assert first[4:].sum() == 0
    assert second[:3].sum() == second[7] == 0
    assert second[4:6].min() > 80
    offloaded = rows.jobs_offloaded / rows.jobs_made
    assert set(offloaded[:6]) == {1}
    assert set(offloaded[6:8]) == {0}
    # 700 jobs: the standard deviation of their share is 1.9 %.
    assert rows.jobs_offloaded[8:].sum() / rows.jobs_made[8:].sum() == pytest.approx(0.5, abs=0.08)
    placed = sites[sites.interval == 4].set_index("site").applications.astype(str).to_dict()
    assert placed == {"e0": "", "e1": "app"}
    assert rows.site.tolist() == ["e0"] * 3 + ["e1"] * 12
    # The far site is 12 - 6 ms farther, both ways together.
    assert rows.transport_ms[5] - rows.transport_ms[2] == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize(("servers", "n_users"), [(1, 1), (4, 3)])
def test_utilisation_is_the_offered_load(campus, users, measure, servers, n_users):
    work_gflop, interval_ms, gflops = 0.6, 5, 200
    item = application(interval_ms=interval_ms, work_gflop=work_gflop)
    scenario = campus(
        edge(item, servers=servers),
        users=[users(LIGHT, x_m=range(20, 20 + 5 * n_users, 5))],
        duration_s=2,
    )
    tables = measure(scenario)
    busy = tables["edge"][tables["edge"].site == "e0"]
    expected = 100 * n_users * work_gflop / (interval_ms * 1e-3) / gflops / servers
    assert busy.util_pct.mean() == pytest.approx(expected, rel=0.02)
    assert busy.background_pct.max() == 0
    headline = tables["network"].set_index("slice").edge_load_pct
    assert headline["s0"].mean() == pytest.approx(expected, rel=0.02)
    assert headline["s1"].isna().all()


@pytest.mark.parametrize("work", ["exponential", "constant"])
def test_wait_is_that_of_queueing_theory(campus, measure, work):
    # 100,000 jobs at a load of one half: the standard error of their mean wait is about 2 %. Slots
    # without anything to send take no time to simulate.
    load, interval_ms, gflops = 0.5, 20, 200
    work_gflop = load * interval_ms * 1e-3 * gflops
    item = application(
        arrivals="poisson",
        interval_ms=interval_ms,
        work=work,
        work_gflop=work_gflop,
        request_kb=0.1,
        response_kb=0.1,
    )
    scenario = campus(
        edge(item),
        # Arrivals are moved to the bounds of slots, which must be short against a service.
        carrier={"numerology": 3, "bandwidth_mhz": 50},
        radio={"ul_grant_slots": 0, "preparation_slots": 0},
        duration_s=2000,
        interval_ms=20_000,
    )
    tables = measure(scenario)
    site = tables["edge"][tables["edge"].site == "e0"]
    service_ms = load * interval_ms
    mean_wait_ms = (site.waiting_ms * site.jobs_completed).sum() / site.jobs_completed.sum()
    expected = load * service_ms / (1 - load) / (2 if work == "constant" else 1)
    assert mean_wait_ms == pytest.approx(expected, rel=0.05)
    # Little's law.
    rate_per_ms = 1 / interval_ms
    assert site.queue_jobs.mean() == pytest.approx(rate_per_ms * expected, rel=0.06)
    assert math.isclose(site.util_pct.mean(), 100 * load, rel_tol=0.03)


def test_overload_loses_jobs_and_loses_track_of_none(campus, measure, assert_conserved):
    item = application(interval_ms=2, work_gflop=1, deadline_ms=30)
    scenario = campus(edge(item, queue_jobs=5), duration_s=8)
    tables = measure(scenario, skip=0)
    assert_conserved(tables)
    site = tables["edge"][tables["edge"].site == "e0"]
    rows = tables["application"]
    assert site.jobs_dropped.sum() > 0.5 * site.jobs_arrived.sum()
    assert site.util_pct[site.interval > 1].min() > 99
    # A lost job is given up after 5 s.
    assert rows.jobs_lost[:24].sum() == 0
    assert rows.jobs_lost[27:].sum() > 0.5 * rows.jobs_made[27:].sum()
    assert rows.within_deadline_pct.iloc[-1] == 0
