# SPDX-License-Identifier: Apache-2.0
"""The path found is the best of all simple paths, and what stands in the way is named."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from env.backends.base import BackendName
from env.environment import Environment
from env.tools.reasoning.transport import quickest, usable

Network = Callable[[BackendName, str], Environment]


def links(environment: Environment) -> nx.Graph:
    """Links with the worse of both directions, from the KPI table."""
    graph = nx.Graph()
    rows = environment.view().now.rows("link")
    for link in environment.backend.scenario.links:
        mine = [r for r in rows if r["link"] == link.name]
        assert len(mine) == 2
        graph.add_edge(
            *link.ends,
            name=link.name,
            up=all(r["up"] for r in mine),
            delay_ms=max(
                r["propagation_ms"] if r["delay_ms"] is None else r["delay_ms"] for r in mine
            ),
            free_mbps=min(r["rate_mbps"] * (1 - (r["util_pct"] or 0) / 100) for r in mine),
        )
    return graph


def best(graph: nx.Graph, start: str, end: str, **asked: Any) -> float | None:
    """Delay of the best of all simple paths that meet what is asked."""
    delays = []
    for nodes in nx.all_simple_paths(graph, start, end):
        hops = [graph.edges[hop] for hop in itertools.pairwise(nodes)]
        used = {*nodes, *(hop["name"] for hop in hops)}
        if (
            all(hop["up"] and hop["free_mbps"] >= asked.get("min_mbps", 0) for hop in hops)
            and not used & set(asked.get("avoid", ()))
            and sum(hop["delay_ms"] for hop in hops) <= asked.get("max_delay_ms", 1e9)
        ):
            delays.append(sum(hop["delay_ms"] for hop in hops))
    return min(delays, default=None)


ASKED: list[dict[str, Any]] = [
    {},
    {"min_mbps": 300.0},
    {"min_mbps": 1e6},
    {"max_delay_ms": 4.0},
    {"max_delay_ms": 0.0},
    {"avoid": ["trunk", "trunk_north"]},
]


@pytest.mark.parametrize("scenario", ["quickstart", "cut", "edge_campus"])
def test_paths_are_the_best_of_all(
    network: Network, ask: Callable[..., Any], scenario: str
) -> None:
    environment = network("ns3", scenario)
    graph = links(environment)
    names = {link.name for link in environment.backend.scenario.links}
    for asked in ASKED:
        mine = {**asked, "avoid": [n for n in asked.get("avoid", ()) if n in names]}
        for start, end in itertools.combinations(environment.backend.scenario.transport_nodes, 2):
            told = ask(environment, "compute_path", **{"from": start, "to": end, **mine})
            expected = best(graph, start, end, **mine)
            if expected is None:
                assert told["path"] is None
                assert told["reason"]
                continue
            assert told["delay_ms"] == pytest.approx(expected, rel=1e-5)
            hops = [graph.edges[hop] for hop in itertools.pairwise(told["path"])]
            assert (told["path"][0], told["path"][-1]) == (start, end)
            assert told["links"] == [hop["name"] for hop in hops]
            assert told["bottleneck_mbps"] == pytest.approx(
                min(hop["free_mbps"] for hop in hops), rel=1e-5
            )


def test_a_cut_link_is_gone_round_and_blamed(network: Network, ask: Callable[..., Any]) -> None:
    environment = network("ns3", "cut")
    told = ask(environment, "compute_path", **{"from": "s0", "to": "core"})
    assert told["path"] == ["s0", "agg", "ring", "core"]
    blocked = {"from": "s0", "to": "core", "avoid": ["ring"]}
    told = ask(environment, "compute_path", **blocked)
    assert set(told["binding"]) == {"avoid", "links_down"}
    assert "trunk" in told["reason"]
    route = {"tool": "reroute_flow", "arguments": {"slice": "embb", "path": ["s0", "agg", "core"]}}
    assert ask(environment, "predict_kpis", changes=[route], horizon=1)["intervals"]


def test_each_constraint_that_stands_alone_in_the_way_is_binding(
    network: Network, ask: Callable[..., Any], refused: Callable[..., Any]
) -> None:
    environment = network("ns3", "quickstart")
    ends = {"from": "s0", "to": "core"}
    least = ask(environment, "compute_path", **ends)
    for asked, binding in (
        ({"max_delay_ms": least["delay_ms"] / 2}, "max_delay_ms"),
        ({"min_mbps": 500.0}, "min_mbps"),
        ({"avoid": ["agg"]}, "avoid"),
    ):
        told = ask(environment, "compute_path", **ends, **asked)
        assert told["binding"] == [binding]
        without = {k: v for k, v in asked.items() if k != binding}
        assert ask(environment, "compute_path", **ends, **without)["path"]
    told = ask(environment, "compute_path", **ends, min_mbps=500.0, avoid=["agg"])
    assert (told["path"], told["binding"]) == (None, [])
    bare = network("ns3", "bare")
    assert refused(bare, "compute_path", **ends)["code"] == "unavailable"


edges = st.lists(
    st.tuples(
        st.integers(0, 5), st.integers(0, 5), st.floats(0.1, 9), st.floats(0, 99), st.booleans()
    ),
    max_size=14,
)


@given(edges, st.floats(0, 99), st.sets(st.sampled_from([*"1234", "l0", "l1"]), max_size=2))
def test_on_any_network_no_simple_path_is_quicker(
    drawn: list[tuple[int, int, float, float, bool]], min_mbps: float, avoid: set[str]
) -> None:
    graph = nx.Graph()
    graph.add_nodes_from("012345")
    for number, (a, b, delay_ms, free_mbps, up) in enumerate(drawn):
        if a != b:
            graph.add_edge(
                str(a), str(b), name=f"l{number}", delay_ms=delay_ms, free_mbps=free_mbps, up=up
            )
    found = quickest(usable(graph, min_mbps=min_mbps, avoid=avoid), "0", "5")
    expected = best(graph, "0", "5", min_mbps=min_mbps, avoid=avoid)
    assert (found and found.delay_ms) == (expected and pytest.approx(expected, abs=1e-5))
