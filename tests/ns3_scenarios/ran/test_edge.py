# SPDX-License-Identifier: Apache-2.0
"""Edge sites and job sources: queueing theory, latency parts, and conservation of jobs."""

import functools
import math
import subprocess
import sys
from multiprocessing import Pipe
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns3_scenarios.ran.build import ensure_built

# Keeps one lab, and answers calls of its methods.
SERVER = """
import sys
from multiprocessing.connection import Connection
import _ran
calls = Connection(int(sys.argv[1]))
lab = None
while True:
    try:
        method, args = calls.recv()
    except EOFError:
        break
    if method == "new":
        lab = None  # ns-3 has one simulation at a time
        lab = _ran.EdgeLab(*args)
        calls.send(None)
    else:
        calls.send(getattr(lab, method)(*args))
"""

PARTS = ("radio_ns", "transport_ns", "queue_ns", "compute_ns")
FAST_LINK = (1.0, 1000.0)
NO_RADIO = "ns3::ConstantRandomVariable[Constant=0]"


def constant(value: float) -> str:
    return f"ns3::ConstantRandomVariable[Constant={value}]"


def exponential(mean: float) -> str:
    return f"ns3::ExponentialRandomVariable[Mean={mean}]"


def names(**attributes: Any) -> dict[str, str]:
    return {name: str(value) for name, value in attributes.items()}


class Lab:
    """A new simulation in the process that has the model; other methods are those of EdgeLab."""

    def __init__(self, calls, seed=1):
        self.calls = calls
        self.call("new", seed)

    def call(self, method, *args):
        self.calls.send((method, args))
        return self.calls.recv()

    def __getattr__(self, method):
        return functools.partial(self.call, method)

    def site(self, link=FAST_LINK, server=None, **attributes):
        self.add_site(names(**attributes), server or {}, *map(float, link))

    def source(self, site=0, radio=NO_RADIO, **attributes):
        self.add_source(names(**attributes), site, radio)


@pytest.fixture(scope="module")
def new_lab():
    ours, theirs = Pipe()
    child = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(theirs.fileno())],
        env={"PYTHONPATH": str(ensure_built().parent)},
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    yield functools.partial(Lab, ours)
    ours.close()
    assert child.wait(10) == 0


def mean_wait_s(load):
    return load["wait_ns"] / load["completed"] * 1e-9


def erlang_c_wait_s(servers, offered, service_s):
    """Mean waiting time in M/M/c."""
    last = offered**servers / math.factorial(servers) / (1 - offered / servers)
    busy = last / (sum(offered**k / math.factorial(k) for k in range(servers)) + last)
    return busy * service_s / (servers - offered)


@pytest.mark.parametrize(
    ("servers", "load", "work", "wait_s"),
    [
        pytest.param(1, 0.5, exponential(1), erlang_c_wait_s(1, 0.5, 1), id="M/M/1"),
        # Pollaczek and Khinchine: half the wait of M/M/1.
        pytest.param(1, 0.6, constant(1), 0.6 / (1 - 0.6) / 2, id="M/D/1"),
        pytest.param(4, 0.7, exponential(1), erlang_c_wait_s(4, 2.8, 1), id="M/M/4"),
    ],
)
def test_waiting_time_is_that_of_queueing_theory(new_lab, servers, load, work, wait_s):
    lab = new_lab()
    lab.site(Servers=servers, Gflops=1, MaxQueueJobs=10**6)
    lab.feed(0, 0, exponential(1 / (load * servers)), work)
    span_s = 1_000_000 / (load * servers)
    lab.advance(span_s)
    counters = lab.take_site(0)
    jobs = counters["applications"][0]
    # The means of different seeds deviate by 0.4 % to 1 %.
    assert mean_wait_s(jobs) == pytest.approx(wait_s, rel=0.05)
    assert jobs["utilisation"] == pytest.approx(load, rel=0.01)
    assert jobs["service_ns"] / jobs["completed"] == pytest.approx(1e9, rel=0.01)
    # Little's law holds on every path, but for the jobs that wait at the end.
    assert counters["mean_waiting"] * span_s == pytest.approx(jobs["wait_ns"] * 1e-9, rel=1e-3)


def test_the_device_is_a_queue_with_one_server(new_lab):
    lab = new_lab()
    lab.site()
    lab.source(
        Fraction=0,
        Interval=exponential(0.02),
        Work=exponential(1),
        LocalGflops=100,
        Timeout="1000s",
    )
    lab.advance(10_000)
    jobs = lab.take_source(0)
    done = jobs["finished_local"]
    assert jobs["queue_ns"] / done == pytest.approx(1e7 * 0.5 / 0.5, rel=0.05)
    assert jobs["compute_ns"] / done == pytest.approx(1e7, rel=0.02)
    assert jobs["radio_ns"] == jobs["transport_ns"] == 0
    assert lab.take_site(0)["applications"] == []


def test_a_bounded_queue_drops_what_theory_says(new_lab):
    load, places = 0.9, 5
    lab = new_lab()
    lab.site(Servers=1, Gflops=1, MaxQueueJobs=places - 1)
    lab.feed(0, 0, exponential(1 / load), exponential(1))
    shares = []
    for _ in range(30):
        lab.advance(10_000)
        jobs = lab.take_site(0)["applications"][0]
        shares.append(jobs["dropped"] / jobs["arrived"])
    mean = sum(shares) / len(shares)
    error = (sum((s - mean) ** 2 for s in shares) / (len(shares) - 1) / len(shares)) ** 0.5
    expected = (1 - load) * load**places / (1 - load ** (places + 1))  # M/M/1/K
    assert error < 0.02 * expected
    assert abs(mean - expected) < 4 * error


def test_background_load_adds_the_wait_that_theory_says(new_lab):
    def feed(share):
        lab = new_lab()
        lab.site(Servers=1, Gflops=1, MaxQueueJobs=10**6, BackgroundGflop=3)
        lab.feed(0, 0, exponential(1 / 0.3), exponential(1))
        if share is not None:
            lab.set_background_load(0, share)
        lab.advance(2_000_000)
        return lab.take_site(0)

    quiet, loaded = feed(0), feed(0.4)
    own = loaded["applications"][0]
    # M/G/1, second moments of exponentials: lambda E[S^2] / 2 / (1 - rho).
    assert mean_wait_s(quiet["applications"][0]) == pytest.approx(0.3 / 0.7, rel=0.05)
    assert mean_wait_s(own) == pytest.approx((0.3 + 0.4 / 3 * 9) / (1 - 0.7), rel=0.05)
    assert own["utilisation"] == pytest.approx(0.3, rel=0.01)
    assert loaded["background"]["utilisation"] == pytest.approx(0.4, rel=0.02)
    assert own["arrived"] == quiet["applications"][0]["arrived"]
    assert quiet == feed(None)


def test_background_load_follows_the_capacity_and_stops(new_lab):
    lab = new_lab()
    lab.site(Servers=4, Gflops=10, BackgroundGflop=1)
    lab.set_background_load(0, 0.5)
    for servers, gflops in ((4, 10), (2, 30)):
        lab.set_capacity(0, servers, gflops)
        lab.advance(2000)
        load = lab.take_site(0)["background"]
        assert load["arrived"] == pytest.approx(0.5 * servers * gflops * 2000, rel=0.02)
        assert load["utilisation"] == pytest.approx(0.5, rel=0.02)
    lab.set_background_load(0, 0)
    lab.advance(100)
    assert lab.take_site(0)["background"]["arrived"] == 0
    lab.set_background_load(0, 1.5)
    lab.advance(2000)
    load = lab.take_site(0)["background"]
    assert load["utilisation"] == pytest.approx(1, abs=0.01)
    assert load["dropped"] / load["arrived"] == pytest.approx(1 / 3, abs=0.02)


def test_a_job_finishes_its_remaining_work_at_the_new_rate(new_lab):
    lab = new_lab()
    lab.site(Servers=1, Gflops=2)
    lab.submit(0, 7, 10.0)
    lab.advance(2)
    lab.set_capacity(0, 1, 3)
    lab.advance(10)
    assert lab.take_computed() == [(7, 4 * 10**9, 0, 4 * 10**9)]


def test_a_job_without_a_server_goes_on_when_there_is_one_again(new_lab):
    s = 10**9
    lab = new_lab()
    lab.site(Servers=2, Gflops=1)
    for job in range(3):
        lab.submit(0, job, 5.0)
    lab.advance(2)
    lab.set_capacity(0, 1, 1)  # job 1 has 3 Gflop left and is ahead of job 2
    lab.advance(6.5)
    assert lab.take_computed() == [(0, 5 * s, 0, 5 * s), (1, 8 * s, 3 * s, 5 * s)]
    lab.set_capacity(0, 0, 1)  # at 8.5 s
    lab.advance(10)
    loads = lab.take_site(0)["applications"]
    assert [(load["waiting"], load["in_service"]) for load in loads] == [(0, 0), (0, 0), (1, 0)]
    # 2 servers for 2 s and one for 6.5 s, of which each job took this many seconds.
    busy_s = [load["utilisation"] * (2 * 2 + 6.5) for load in loads]
    assert busy_s == pytest.approx([5, 5, 0.5])
    lab.set_capacity(0, 1, 9)
    lab.advance(10)
    assert lab.take_computed() == [(2, 19 * s, 18 * s, s)]


def test_parts_of_the_delay_over_links_of_known_delay(new_lab):
    lab = new_lab()
    lab.site(link=(5, 100), Servers=1, Gflops=1000)
    for _ in range(2):
        lab.source(
            radio=constant(4),
            Interval=constant(1),
            Work=constant(20),
            RequestBytes=3000,
            ResponseBytes=1000,
        )
    lab.advance(1.5)

    def on_link_ns(payload_bytes):
        return (payload_bytes + 8 + 20 + 2) * 8 * 10  # UDP, IPv4, PPP; 100 Mbit/s

    request_ns = 2 * on_link_ns(1400) + on_link_ns(200)
    response_ns = on_link_ns(1000)
    first, second = (lab.take_source(k) for k in range(2))
    for jobs, waited in ((first, 0), (second, 1)):
        # The second request is on the link, and then in the queue, behind the first.
        link_ns = (1 + waited) * request_ns + 5_000_000 + response_ns + 5_000_000
        queue_ns = waited * (20_000_000 - request_ns)
        assert [jobs[part] for part in PARTS] == [8_000_000, link_ns, queue_ns, 20_000_000]
        assert jobs["total_ns"] == sum(jobs[part] for part in PARTS)
        assert jobs["delays_ms"] == [jobs["total_ns"] * 1e-6]
        assert jobs["finished_remote"] == jobs["within_deadline"] == jobs["made"] == 1


def test_small_messages_are_one_header_long(new_lab):
    lab = new_lab()
    lab.site(link=(5, 100), Gflops=1000)
    lab.source(Interval=constant(1), Work=constant(0), RequestBytes=0, ResponseBytes=1)
    lab.advance(1.5)
    jobs = lab.take_source(0)
    assert jobs["transport_ns"] == 2 * (5_000_000 + (66 + 30) * 80)


def test_jobs_are_in_time_up_to_the_deadline(new_lab):
    lab = new_lab()
    lab.site()
    lab.source(Fraction=0, Interval=constant(1), Work=exponential(5), LocalGflops=100)
    lab.advance(1000)
    jobs = lab.take_source(0)
    assert jobs["finished_local"] == len(jobs["delays_ms"])
    assert jobs["within_deadline"] == sum(delay <= 100 for delay in jobs["delays_ms"])
    assert jobs["within_deadline"] / jobs["made"] == pytest.approx(1 - math.exp(-2), abs=0.05)


def test_the_fraction_is_offloaded_and_the_jobs_stay_the_same(new_lab):
    def work_of(fraction):
        lab = new_lab()
        lab.site(Servers=10**6, Gflops=100)
        lab.source(
            Fraction=fraction,
            Interval=exponential(0.01),
            Work=exponential(0.2),
            LocalGflops=100,
            RequestBytes=1000,
            ResponseBytes=100,
        )
        lab.advance(100)
        lab.set_rate_factor(0, 0)
        lab.advance(5)
        jobs = lab.take_source(0)
        arrived = sum(load["arrived"] for load in lab.take_site(0)["applications"])
        assert jobs["in_progress"] == jobs["lost"] == 0
        assert arrived == jobs["offloaded"] == jobs["finished_remote"]
        return jobs

    none, some, every = (work_of(fraction) for fraction in (0, 0.3, 1))
    assert none["offloaded"] == 0
    assert every["offloaded"] == every["made"] == some["made"] == none["made"]
    spread = math.sqrt(0.3 * 0.7 * some["made"])
    assert abs(some["offloaded"] - 0.3 * some["made"]) < 4 * spread
    assert none["compute_ns"] == some["compute_ns"] == every["compute_ns"]


def test_the_fraction_changes_from_the_next_job_on(new_lab):
    lab = new_lab()
    lab.site()
    lab.source(Fraction=0, Interval=constant(0.1))
    lab.advance(1.05)
    lab.set_fraction(0, 1.0)
    lab.advance(1)
    jobs = lab.take_source(0)
    assert (jobs["made"], jobs["offloaded"]) == (20, 10)


def test_jobs_on_the_way_return_from_their_old_target(new_lab):
    lab = new_lab()
    for _ in range(2):
        lab.site(Servers=20, Gflops=10)
    lab.source(Interval=constant(0.1), Work=constant(10), Application=3)
    lab.advance(1.05)
    lab.retarget(0, 1)
    lab.advance(1)
    lab.set_rate_factor(0, 0)
    lab.advance(3)
    arrived = [[load["arrived"] for load in lab.take_site(k)["applications"]] for k in range(2)]
    assert arrived == [[0, 0, 0, 10], [0, 0, 0, 10]]
    jobs = lab.take_source(0)
    assert (jobs["made"], jobs["finished_remote"], jobs["lost"]) == (20, 20, 0)


def test_the_rate_factor_stretches_intervals_and_pauses(new_lab):
    lab = new_lab()
    lab.site()
    lab.source(Interval=constant(1))

    def made_within(seconds):
        lab.advance(seconds)
        return lab.take_source(0)["made"]

    assert made_within(10.5) == 10
    lab.set_rate_factor(0, 4)  # half an interval is left, then four a second
    assert made_within(0.12) == 0
    assert made_within(0.01) == 1
    assert made_within(1.12) == 4
    lab.set_rate_factor(0, 0)
    assert made_within(100) == 0
    lab.set_rate_factor(0, 1)
    assert made_within(0.49) == 0
    assert made_within(0.05) == 1


@pytest.mark.parametrize("uplink", [True, False])
def test_a_lost_datagram_loses_its_job_and_no_other(new_lab, uplink):
    lab = new_lab()
    lab.site(server={"Timeout": "2s"})
    lab.source(Interval=constant(1), RequestBytes=3000, ResponseBytes=3000, Timeout="2s")
    lab.lose(uplink, {1})  # the second of three
    lab.advance(2.999)
    assert lab.incomplete(0) == uplink
    jobs = lab.take_source(0)
    assert (jobs["finished_remote"], jobs["lost"], jobs["in_progress"]) == (1, 0, 1)
    lab.advance(0.5)
    assert lab.incomplete(0) == 0
    jobs = lab.take_source(0)
    assert (jobs["finished_remote"], jobs["lost"], jobs["in_progress"]) == (1, 1, 0)
    assert lab.take_site(0)["applications"][0]["completed"] == 3 - uplink


def test_a_lost_job_is_lost_at_its_timeout(new_lab):
    lab = new_lab()
    lab.site()
    lab.source(Interval=constant(1), RequestBytes=100)
    lab.lose(True, {0})
    lab.advance(5.999999)
    assert lab.take_source(0)["lost"] == 0
    lab.advance(0.000002)
    assert lab.take_source(0)["lost"] == 1


def test_late_responses_and_dropped_jobs_are_lost(new_lab):
    lab = new_lab()
    lab.site(Servers=1, Gflops=1, MaxQueueJobs=1)
    lab.source(Interval=constant(1), Work=constant(6))
    lab.advance(3.5)
    lab.set_rate_factor(0, 0)
    lab.advance(30)
    jobs, site = lab.take_source(0), lab.take_site(0)["applications"][0]
    assert (site["arrived"], site["completed"], site["dropped"]) == (3, 2, 1)
    assert (jobs["made"], jobs["finished_remote"], jobs["lost"]) == (3, 0, 3)


def test_incomplete_requests_do_not_pile_up(new_lab):
    lab = new_lab()
    lab.site(server={"Timeout": "1s"})
    lab.source(Interval=constant(0.01), RequestBytes=2000, Work=constant(1), Timeout="1s")
    lab.lose(True, set(range(0, 10_000, 2)))  # the first of two, each time
    for _ in range(20):
        lab.advance(1)
        jobs = lab.take_source(0)
        assert lab.incomplete(0) <= 101
        assert jobs["in_progress"] <= 101
        assert jobs["finished_remote"] == 0


def test_a_datagram_does_not_complete_a_request_that_was_forgotten(new_lab):
    lab = new_lab()
    lab.site(server={"Timeout": "500us"})
    one_now_one_a_ms_later = "ns3::SequentialRandomVariable[Min=0|Max=2]"
    lab.source(radio=one_now_one_a_ms_later, Interval=constant(10), RequestBytes=2000)
    incomplete = []
    for seconds in (10.0013, 0.0005, 0.0005, 0.0005):  # they arrive at 10.001 and 10.002 s
        lab.advance(seconds)
        incomplete.append(lab.incomplete(0))
    assert incomplete == [1, 0, 1, 0]
    assert lab.take_site(0)["applications"] == []


def test_an_overloaded_device_leaves_out_what_would_be_late(new_lab):
    lab = new_lab()
    lab.site()
    lab.source(
        Fraction=0, Interval=constant(0.1), Work=constant(15), LocalGflops=100, Timeout="1.01s"
    )
    lab.advance(100)
    lab.take_source(0)
    lab.advance(100)
    jobs = lab.take_source(0)
    assert jobs["made"] == 1000
    assert jobs["in_progress"] <= 11
    assert 850 < max(jobs["delays_ms"]) < 1010
    assert jobs["finished_local"] == pytest.approx(1000 * 10 / 15, abs=1)  # never idle


def test_a_device_that_cannot_compute_loses_its_jobs(new_lab):
    lab = new_lab()
    lab.site()
    lab.source(Fraction=0, Interval=constant(1), LocalGflops=0)
    lab.advance(20.5)
    jobs = lab.take_source(0)
    assert (jobs["made"], jobs["lost"], jobs["in_progress"]) == (20, 15, 5)


def test_a_seed_decides_the_jobs_and_another_one_something_else(new_lab):
    def jobs_of(seed):
        lab = new_lab(seed)
        lab.site(Gflops=100)
        lab.source(
            radio=exponential(3), Interval=exponential(0.1), Work=exponential(5), Fraction=0.5
        )
        lab.set_background_load(0, 0.3)
        lab.advance(20)
        return lab.take_source(0), lab.take_site(0)

    assert jobs_of(1) == jobs_of(1)
    assert jobs_of(1) != jobs_of(2)


mean_s = st.floats(0.005, 0.3)
sources = st.fixed_dictionaries(
    {
        "Interval": mean_s.map(exponential),
        "Work": st.floats(0.1, 50).map(exponential),
        "Application": st.integers(0, 3),
        "RequestBytes": st.integers(0, 20_000),
        "ResponseBytes": st.integers(0, 5_000),
        "PacketBytes": st.integers(66, 1400),
        "Fraction": st.floats(0, 1),
        "LocalGflops": st.floats(0, 1000),
        "Timeout": st.floats(0.05, 2).map(lambda s: f"{s}s"),
    }
)
sites = st.fixed_dictionaries(
    {
        "Servers": st.integers(0, 4),
        "Gflops": st.floats(0, 1000),
        "MaxQueueJobs": st.integers(0, 20),
    }
)
first_or_second = st.integers(0, 1)
actions = st.one_of(
    st.tuples(st.just("set_rate_factor"), first_or_second, st.floats(0, 3)),
    st.tuples(st.just("set_fraction"), first_or_second, st.floats(0, 1)),
    st.tuples(st.just("retarget"), first_or_second, first_or_second),
    st.tuples(st.just("set_background_load"), first_or_second, st.floats(0, 2)),
    st.tuples(st.just("set_capacity"), first_or_second, st.integers(0, 4), st.floats(0, 1000)),
)
steps = st.lists(st.tuples(actions, st.floats(0, 3)), min_size=1, max_size=12)
lost_packets = st.sets(st.integers(0, 300), max_size=30)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(sites, min_size=2, max_size=2),
    st.lists(sources, min_size=2, max_size=2),
    st.floats(0, 20),
    lost_packets,
    lost_packets,
    steps,
)
def test_jobs_are_conserved_at_every_moment(
    new_lab, two_sites, two_sources, radio_ms, lost_up, lost_down, changes
):
    lab = new_lab()
    for site in two_sites:
        lab.site(**site)
    for source in two_sources:
        lab.source(radio=exponential(radio_ms), **source)
    lab.lose(True, lost_up)
    lab.lose(False, lost_down)
    begun = [0, 0]  # in progress at the sources before the step
    queued = [{}, {}]  # in the sites, by application
    for action, seconds in changes:
        lab.call(*action)
        lab.advance(seconds)
        for k in range(2):
            jobs = lab.take_source(k)
            finished = jobs["finished_local"] + jobs["finished_remote"]
            assert begun[k] + jobs["made"] == finished + jobs["lost"] + jobs["in_progress"]
            assert jobs["total_ns"] == sum(jobs[part] for part in PARTS)
            assert all(jobs[part] >= 0 for part in PARTS)
            assert len(jobs["delays_ms"]) == finished >= jobs["within_deadline"]
            assert sum(jobs["delays_ms"]) == pytest.approx(jobs["total_ns"] * 1e-6)
            begun[k] = jobs["in_progress"]

            counters = lab.take_site(k)
            loads = {**dict(enumerate(counters["applications"])), -1: counters["background"]}
            for index, load in loads.items():
                inside = load["waiting"] + load["in_service"]
                before = queued[k].get(index, 0)
                assert before + load["arrived"] == load["completed"] + load["dropped"] + inside
                queued[k][index] = inside
            assert 0 <= sum(load["utilisation"] for load in loads.values()) <= 1 + 1e-9
