# SPDX-License-Identifier: Apache-2.0
"""The transport network against arithmetic, queueing theory and the conservation of packets.

Each network runs in a process of its own, since ns-3 is loaded there.
"""

import hashlib
import importlib
import itertools
import math
import multiprocessing
import os
import random
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from ns3_scenarios.ran.build import ensure_built

HEADER_BYTES = 16 + 8 + 20 + 2  # GTP-U with PDU session container, UDP, IPv4, PPP
MS = 1_000_000

Simulate = Callable[..., Any]


@pytest.fixture(scope="module")
def simulate() -> Simulate:
    """Calls a function of this module in a new process, with the compiled model before the rest."""
    folder = str(ensure_built().parent)

    def run(function: Callable[..., Any], *arguments: Any) -> Any:
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(_with_model, folder, function, arguments).result()

    return run


def _with_model(folder: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    sys.path.insert(0, folder)
    return function(importlib.import_module("_ran"), *arguments)


def chain(model, hops, rate_bps=1e9, delay_ns=MS, **link):
    """A network of nodes in a row, with one class whose path goes from end to end."""
    lab = model.TransportLab()
    nodes = [lab.add_node() for _ in range(hops + 1)]
    for first, second in itertools.pairwise(nodes):
        lab.add_link(first, second, rate_bps, delay_ns, **link)
    lab.set_path(lab.add_class(), nodes)
    return lab


def queue(model, discipline, limit_packets=1000, rate_share=1.0):
    return model.QueueSpec(getattr(model.Discipline, discipline), limit_packets, rate_share)


def delays(stream):
    return [received - sent for sent, received in stream.delivered]


def counts(stream):
    return stream.sent, len(stream.delivered), stream.dropped


# One packet


def one_packet(model, hops, size, rate_bps, delay_ns):
    lab = chain(model, hops, rate_bps, delay_ns)
    down = lab.add_stream(0, hops, 0, size, 1)
    up = lab.add_stream(hops, 0, 0, size, 1)
    lab.drain()
    return delays(lab.stream(down)), delays(lab.stream(up))


@pytest.mark.parametrize("hops", [1, 2, 3])
@pytest.mark.parametrize(("size", "rate_bps", "delay_ns"), [(1000, 1e9, MS), (40, 25e6, 123_457)])
def test_delay_of_one_packet_is_transmission_and_propagation(
    simulate, hops, size, rate_bps, delay_ns
):
    transmission_ns = 8 * (size + HEADER_BYTES) * 1e9 / rate_bps
    down, up = simulate(one_packet, hops, size, rate_bps, delay_ns)
    assert down == up == [hops * (transmission_ns + delay_ns)]


def headers(model):
    g_pdu, end_marker = (255, 0x12345678, 9, 1, 100), (254, 7, 0, 0, 0)
    bytes_and_fields = [model.gtp_header(*fields) for fields in (g_pdu, end_marker)]
    assert [fields[1:] for fields in bytes_and_fields] == [g_pdu, end_marker]
    return [fields[0].hex(" ") for fields in bytes_and_fields]


def test_gtp_headers_are_those_of_ts_29_281_and_ts_38_415(simulate):
    assert simulate(headers) == [
        "34 ff 00 6c 12 34 56 78 00 00 00 85 01 10 09 00",
        "30 fe 00 00 00 00 00 07",
    ]


def end_marker(model):
    lab = chain(model, 2)
    stream = lab.add_stream(0, 2, 0, 1000, 5)
    lab.advance(1)
    lab.send_end_marker(stream)
    lab.drain()
    return delays(lab.stream(stream)), lab.stream(stream).end_markers, lab.totals()


def test_end_marker_follows_the_packets_of_its_tunnel(simulate):
    packets, markers, totals = simulate(end_marker)
    # All six are sent at once and wait for each other at the first link; it has a short header.
    assert markers == [packets[-1] + 8 * (8 + 8 + 20 + 2)]
    assert totals == (6, 6, 0)


def local_and_lost(model):
    lab = chain(model, 2)
    here = lab.add_stream(1, 1, 0, 1000, 3)
    no_path = lab.add_stream(0, 1, 0, 1000, 3)
    too_large = lab.add_stream(0, 2, 0, 9000 - 43, 3)
    largest = lab.add_stream(0, 2, 0, 9000 - 44, 3)
    lab.drain()
    lab.remove_receiver(2)
    deaf = lab.add_stream(0, 2, 0, 1000, 3)
    lab.drain()
    streams = (here, no_path, too_large, largest, deaf)
    return [counts(lab.stream(s)) for s in streams], delays(lab.stream(here)), lab.totals()


def test_what_cannot_be_carried_is_dropped_once(simulate):
    streams, here, totals = simulate(local_and_lost)
    assert streams == [(3, 3, 0), (3, 0, 3), (3, 0, 3), (3, 3, 0), (3, 0, 3)]
    assert here == [0, 0, 0]
    assert totals == (15, 6, 9)


def long_chain(model, hops):
    lab = chain(model, hops)
    stream = lab.add_stream(0, hops, 0, 100, 2)
    lab.drain()
    return counts(lab.stream(stream)), lab.totals(), lab.held()


def test_packets_live_for_64_hops(simulate):
    assert simulate(long_chain, 64) == ((2, 2, 0), (2, 2, 0), 0)
    assert simulate(long_chain, 65) == ((2, 0, 2), (2, 0, 2), 0)


# Queues


def poisson(model, load, count, limit_packets):
    lab = chain(model, 1, 100e6, 0, queue=queue(model, "fifo", limit_packets))
    transmission_ns = 8 * (954 + HEADER_BYTES) * 10
    stream = lab.add_stream(0, 1, 0, 954, count, transmission_ns / load, True)
    lab.drain()
    c = lab.counters(0, 0)
    report = {name: getattr(c, name) for name in dir(c) if name[0] != "_" and name != "discipline"}
    return transmission_ns, delays(lab.stream(stream)), lab.stream(stream).dropped, report


def test_waiting_at_a_link_is_that_of_a_queue_with_poisson_arrivals(simulate):
    load = 0.7
    transmission_ns, measured, dropped, report = simulate(poisson, load, 200_000, 100_000)
    assert dropped == 0
    waiting = sum(measured) / len(measured) / transmission_ns - 1
    assert waiting == pytest.approx(load / (2 * (1 - load)), rel=0.05)  # Pollaczek-Khinchine
    assert report["utilisation"] == pytest.approx(load, rel=0.01)
    assert report["mean_delay_ms"] == pytest.approx(sum(measured) / len(measured) / MS)
    assert report["p95_delay_ms"] == sorted(measured)[math.ceil(0.95 * len(measured)) - 1] / MS
    # Little's law holds exactly over a time in which the queue comes and goes empty.
    assert report["mean_queue_packets"] == pytest.approx(report["utilisation"] * waiting)
    assert report["mean_queue_bytes"] == pytest.approx(1000 * report["mean_queue_packets"])
    assert report["sent_bits"] == report["delivered_bits"] == 8000 * 200_000


def test_a_full_queue_drops_what_theory_says(simulate):
    load, limit = 0.9, 4
    _, measured, dropped, report = simulate(poisson, load, 100_000, limit)
    # Queue with Poisson arrivals, constant service and room for `places` (Gross and Harris 5.1.9):
    # departures leave behind what the chain embedded in an unbounded queue does, up to a factor.
    places = limit + 2  # one more waits in the device, and one is being transmitted
    arrivals = [math.exp(-load) * load**k / math.factorial(k) for k in range(places + 1)]
    left = [1.0]
    for n in range(places - 1):
        known = left[0] * arrivals[n] + sum(left[j] * arrivals[n - j + 1] for j in range(1, n + 1))
        left.append((left[n] - known) / arrivals[0])
    blocked = 1 - 1 / (left[0] / sum(left) + load)
    assert dropped / 100_000 == pytest.approx(blocked, rel=0.05)
    assert dropped == report["dropped_packets"] == 100_000 - len(measured)


def burst(model, count, limit_packets):
    lab = chain(model, 1, queue=queue(model, "fifo", limit_packets))
    stream = lab.add_stream(0, 1, 0, 1000, count)
    lab.drain()
    return counts(lab.stream(stream))


def test_a_burst_fills_queue_device_and_wire(simulate):
    assert simulate(burst, 100, 50) == (100, 52, 48)


def overload(model, discipline, rate_share=1.0):
    """One flow sends 1.1 times what the link takes for 20 s, another one packet per 20 ms."""
    lab = chain(model, 1, 10e6, MS, queue=queue(model, discipline, 1000, rate_share))
    transmission_ns = 8 * (1000 + HEADER_BYTES) * 100
    heavy = lab.add_stream(0, 1, 0, 1000, 10**6, transmission_ns / 1.1)
    light = lab.add_stream(0, 1, 0, 100, 10**6, 20e6, True)
    lab.advance(10_000 * MS)
    lab.counters(0, 0)
    lab.advance(10_000 * MS)
    c = lab.counters(0, 0)
    late = [
        [(r - s) / MS for s, r in lab.stream(flow).delivered if s >= 10_000 * MS]
        for flow in (heavy, light)
    ]
    return *(sum(d) / len(d) for d in late), c.delivered_bits / 10, c.discipline.name


def test_active_queue_management_keeps_delays_low_where_fifo_does_not(simulate):
    heavy_ms, light_ms, fifo_bps, name = simulate(overload, "fifo")
    assert name == "fifo"
    assert min(heavy_ms, light_ms) > 500  # 1000 packets of 0.84 ms wait
    heavy_ms, light_ms, codel_bps, name = simulate(overload, "codel")
    assert name == "codel"
    assert max(heavy_ms, light_ms) < 150
    _, light_ms, fair_bps, name = simulate(overload, "fq_codel")
    assert name == "fq_codel"
    assert light_ms < 4  # its own queue: it waits for two packets of the other at most
    heavy_ms, light_ms, red_bps, name = simulate(overload, "red")
    assert name == "red"
    assert max(heavy_ms, light_ms) < 700
    assert min(fifo_bps, codel_bps, fair_bps, red_bps) > 0.99 * 10e6


def test_token_bucket_limits_to_its_rate(simulate):
    _, _, bps, name = simulate(overload, "token_bucket", 0.25)
    assert name == "token_bucket"
    # Tokens are bytes of IP packets, without the 2 bytes of the link.
    assert bps * 1044 / 1046 == pytest.approx(2.5e6, rel=0.01)


def change_of_queue(model, order, last_limit):
    lab = chain(model, 1, 1e6, 0, queue=queue(model, order[0]))
    stream = lab.add_stream(0, 1, 0, 1000, 100, 10_000)
    lab.advance(2 * MS)
    for discipline in order[1:-1]:
        lab.set_queue(0, queue(model, discipline))
        lab.advance(5 * MS)
    before = lab.counters(0, 0).queue_packets
    lab.set_queue(0, queue(model, order[-1], last_limit))
    after = lab.counters(0, 0)
    lab.drain()
    return lab.stream(stream).delivered, before, after.queue_packets, after.dropped_packets


@pytest.mark.parametrize(
    "order",
    [
        ("fifo", "codel", "fq_codel", "token_bucket", "red", "fifo"),
        ("token_bucket", "fq_codel", "codel", "red", "token_bucket", "fifo"),
    ],
)
def test_what_waits_moves_into_the_next_discipline_in_order(simulate, order):
    delivered, before, after, dropped = simulate(change_of_queue, order, 1000)
    assert len(delivered) == 100
    assert delivered == sorted(delivered)
    assert (after, dropped) == (before, 0)
    delivered, before, after, dropped = simulate(change_of_queue, order, 30)
    assert after == 31  # and one in the device
    assert dropped == before - 31 > 0
    assert len(delivered) == 100 - dropped
    assert delivered == sorted(delivered)


# Loss and faults


def losses(model, loss, fault_loss):
    lab = chain(model, 1, loss=loss)
    lab.set_link_state(0, loss=fault_loss)
    stream = lab.add_stream(0, 1, 0, 100, 20_000, 10_000)
    lab.drain()
    return lab.stream(stream).dropped, lab.counters(0, 0).lost_packets


@pytest.mark.parametrize(("loss", "fault_loss"), [(0.1, 0), (0, 0.1), (0.1, 0.2), (0, 0)])
def test_lost_share_is_the_loss_probability(simulate, loss, fault_loss):
    dropped, lost = simulate(losses, loss, fault_loss)
    probability = 1 - (1 - loss) * (1 - fault_loss)
    deviation = math.sqrt(20_000 * probability * (1 - probability))
    assert abs(dropped - 20_000 * probability) <= 4 * deviation
    assert lost == dropped


def cut(model):
    lab = chain(model, 1, 1e9, 5 * MS)
    stream = lab.add_stream(0, 1, 0, 1000, 300, MS)
    lab.advance(100 * MS + MS // 2)
    lab.set_link_state(0, up=False)
    lab.advance(100 * MS)
    lab.set_link_state(0)
    lab.drain()
    return lab.stream(stream).delivered, lab.stream(stream).dropped


def test_a_cut_loses_what_is_on_the_link_or_sent_into_it_until_it_is_restored(simulate):
    delivered, dropped = simulate(cut)
    # Those sent at 96 ms to 100 ms are on the wire when it is cut.
    assert [sent // MS for sent, _ in delivered] == [*range(96), *range(201, 300)]
    assert dropped == 105
    assert {received - sent for sent, received in delivered} == {5 * MS + 8368}


def slow(model):
    lab = chain(model, 1)
    streams = []
    for state in ({"rate_factor": 0.1, "extra_delay_ns": 777}, {}):
        lab.set_link_state(0, **state)
        streams.append(lab.add_stream(0, 1, 0, 1000, 1))
        lab.drain()
    return [delays(lab.stream(s)) for s in streams]


def test_a_fault_slows_a_link_until_it_is_over(simulate):
    assert simulate(slow) == [[83_680 + MS + 777], [8368 + MS]]


def forked(model):
    lab = chain(model, 2, 1e7, loss=0.1, queue=queue(model, "red", 20))
    stream = lab.add_stream(0, 2, 0, 1000, 500, 900_000, True)
    lab.advance(200 * MS)
    reader, writer = os.pipe()
    child = os.fork()
    lab.drain()
    outcome = counts(lab.stream(stream)), lab.stream(stream).delivered
    if child == 0:
        os.write(writer, hashlib.sha256(repr(outcome).encode()).digest())
        os._exit(0)
    os.waitpid(child, 0)
    return os.read(reader, 32) == hashlib.sha256(repr(outcome).encode()).digest()


def test_a_forked_simulation_goes_on_as_the_original(simulate):
    assert simulate(forked)


# Paths


def diamond(model):
    """Nodes 0 and 3 linked by way of 1 (1 ms a link) and of 2 (3 ms a link)."""
    lab = model.TransportLab()
    for _ in range(4):
        lab.add_node()
    for middle, delay_ns in ((1, MS), (2, 3 * MS)):
        lab.add_link(0, middle, 1e9, delay_ns)
        lab.add_link(middle, 3, 1e9, delay_ns)
    return lab


def reroute(model):
    lab = diamond(model)
    lab.add_class()
    lab.set_path(0, [0, 1, 3])
    down = lab.add_stream(0, 3, 0, 954, 300, 100_000)
    up = lab.add_stream(3, 0, 0, 954, 300, 100_000)
    lab.advance(10 * MS)
    lab.set_path(0, [3, 2, 0])
    lab.advance(10 * MS)
    lab.set_path(0, [0, 1, 3])
    lab.drain()
    return [lab.stream(s).delivered for s in (down, up)]


def test_a_new_path_takes_the_traffic_at_once_and_gives_it_back(simulate):
    for delivered in simulate(reroute):
        assert len(delivered) == 300  # also what was on its way
        for sent, received in delivered:
            other = 10 * MS <= sent < 20 * MS
            assert received - sent == 16_000 + (6 * MS if other else 2 * MS)


def nodes_with_routes(model):
    lab = model.TransportLab()
    nodes = [lab.add_node(stack) for stack in (False, True, True)]
    lab.add_link(0, 1, 1e9, MS)
    lab.add_link(1, 2, 1e9, MS)
    lab.set_path(lab.add_class(), nodes)
    stream = lab.add_stream(2, 0, 0, 954, 1)
    lab.drain()
    return [lab.count_static_routes(node) for node in nodes], delays(lab.stream(stream))


def test_nodes_keep_the_routes_they_have(simulate):
    assert simulate(nodes_with_routes) == ([1, 2, 2], [2_016_000])


def single_flow(model):
    lab = diamond(model)
    for _ in range(2):
        lab.add_class()
    lab.set_path(0, [0, 1, 3])
    lab.set_path(1, [0, 2, 3])
    streams = [lab.add_stream(0, 3, c, 954, 1, start_ns=c * MS) for c in (0, 1)]
    lab.advance(20 * MS)
    lab.set_path(lab.add_class(), [0, 2, 3])
    streams.append(lab.add_stream(0, 3, 2, 954, 1))
    lab.drain()
    return [delays(lab.stream(s)) for s in streams]


def test_classes_between_the_same_nodes_have_paths_of_their_own(simulate):
    assert simulate(single_flow) == [[2_016_000], [6_016_000], [6_016_000]]


def crossing(model):
    """Sites 4 and 5 at node 0 of a diamond, their paths to node 3 apart in the same class."""
    lab = diamond(model)
    for site in (4, 5):
        lab.add_node()
        lab.add_link(0, site, 1e9, 0)
    lab.add_class()
    lab.set_path(0, [4, 0, 1, 3])
    lab.set_path(0, [5, 0, 2, 3])
    pairs = [(4, 3), (3, 4), (5, 3), (3, 5)]
    streams = [lab.add_stream(*pair, 0, 954, 1, start_ns=i * MS) for i, pair in enumerate(pairs)]
    lab.drain()
    return [delays(lab.stream(s)) for s in streams]


def test_paths_of_one_class_that_share_a_node_do_not_meet(simulate):
    assert simulate(crossing) == [[2_024_000]] * 2 + [[6_024_000]] * 2


def mistakes(model):
    lab = diamond(model)
    lab.add_class()
    calls = [
        lambda: lab.set_path(0, [0, 3]),
        lambda: lab.set_path(0, [0, 1, 7]),
        lambda: lab.set_path(0, [0, 1, 0]),
        lambda: lab.set_path(0, [0]),
        lambda: lab.set_path(1, [0, 1]),
        lambda: lab.add_link(1, 0, 1e9, 0),
        lambda: lab.add_link(0, 9, 1e9, 0),
        lambda: lab.add_link(0, 3, 0, 0),
        lambda: lab.set_queue(4, queue(model, "fifo")),
        lambda: lab.set_queue(0, queue(model, "fifo", 0)),
        lambda: lab.set_queue(0, queue(model, "token_bucket", 10, 1.5)),
        lambda: lab.set_link_state(0, loss=1.5),
        lambda: lab.set_link_state(0, rate_factor=0),
    ]
    messages = []
    for call in calls:
        try:
            call()
        except ValueError as error:
            messages.append(str(error))
    return messages


def test_mistakes_are_named(simulate):
    assert simulate(mistakes) == [
        "a transport path cannot go from node 0 to node 3: there is no link between them",
        "there is no transport node 7",
        "a transport path must name at least two nodes, each once",
        "a transport path must name at least two nodes, each once",
        "there is no transport class 1",
        "transport nodes 1 and 0 must be two nodes without a link between them",
        "there is no transport node 9",
        "the rate of a transport link must be at least 1 bit/s",
        "there is no transport link 4",
        "a transport queue must hold at least one packet",
        "a token bucket's share of the link rate must be above 0 and at most 1",
        "the loss probability of a transport link must be from 0 to 1",
        "the rate factor of a transport link must be above 0; cut it instead",
    ]


# Conservation


def upheaval(model, seed):
    """Traffic in a random network whose links, queues and paths keep changing."""
    rng = random.Random(seed)
    lab = model.TransportLab()
    nodes = [lab.add_node() for _ in range(rng.randint(3, 9))]
    links = {}

    def random_queue():
        discipline = rng.choice(("fifo", "red", "codel", "fq_codel", "token_bucket"))
        return queue(model, discipline, rng.randint(1, 60), rng.uniform(0.05, 1))

    def random_path(first, last):
        path = [first]
        while path[-1] != last:
            further = [n for n in nodes if {n, path[-1]} in map(set, links) and n not in path]
            path = [*path, rng.choice(further)] if further else [first]
        return path

    tree = [(rng.randrange(n), n) for n in nodes[1:]]
    extra = [tuple(rng.sample(nodes, 2)) for _ in nodes]
    for first, second in tree + extra:
        if {first, second} not in map(set, links):
            rate_bps, delay_ns = 10 ** rng.uniform(6, 8), rng.randint(0, 5 * MS)
            loss = rng.choice((0, 0, 0.05))
            links[first, second] = lab.add_link(
                first, second, rate_bps, delay_ns, random_queue(), loss
            )
    pairs = []
    for tunnel_class in range(3):
        lab.add_class()
        pairs += [(tunnel_class, *rng.sample(nodes, 2)) for _ in nodes]
    streams = []
    for tunnel_class, first, last in pairs:
        lab.set_path(tunnel_class, random_path(first, last))
        size, interval_ns = rng.randint(20, 1500), 10 ** rng.uniform(5, 6.5)
        streams.append(
            lab.add_stream(first, last, tunnel_class, size, 100, interval_ns, rng.random() < 0.5)
        )
    balances, sums = [], [0, 0]
    for _ in range(60):
        lab.advance(rng.randint(1, 5 * MS))
        match rng.randrange(4):
            case 0:
                tunnel_class, first, last = rng.choice(pairs)
                lab.set_path(tunnel_class, random_path(first, last))
            case 1:
                lab.set_queue(rng.choice(list(links.values())), random_queue())
            case 2:
                state = rng.random() < 0.4, rng.uniform(0.05, 1), rng.randint(0, MS), 0.1
                lab.set_link_state(rng.choice(list(links.values())), *state)
            case 3:
                lab.set_link_state(rng.choice(list(links.values())))
                lab.send_end_marker(rng.choice(streams))
        sent, delivered, dropped = lab.totals()
        balances.append(sent - delivered - dropped - lab.held())
    lab.drain()
    for link, side in itertools.product(links.values(), (0, 1)):
        c = lab.counters(link, side)
        sums[0] += c.sent_packets - c.delivered_packets - c.dropped_packets - c.lost_packets
        sums[1] += c.queue_packets + c.queue_bytes
    flows = [counts(lab.stream(s)) for s in streams]
    return balances, sums, lab.totals(), lab.held(), flows


@pytest.mark.parametrize("seed", range(12))
def test_every_packet_is_delivered_dropped_or_held(simulate, seed):
    balances, sums, totals, held, flows = simulate(upheaval, seed)
    assert set(balances) == {0}
    assert sums == [0, 0]
    assert held == 0
    assert totals[0] == totals[1] + totals[2]
    assert all(sent == delivered + dropped == 100 for sent, delivered, dropped in flows)
    assert totals[1] > 0
    assert totals[2] > 0
    assert simulate(upheaval, seed) == (balances, sums, totals, held, flows)
