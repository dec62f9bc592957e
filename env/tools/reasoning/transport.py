# SPDX-License-Identifier: Apache-2.0
"""The transport network as a graph, and the best path through it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import networkx as nx
import numpy as np

from env.view import View

PER_HOP_MS = 1e-6
"""Of equal paths that with fewest links is taken."""


@dataclass(frozen=True)
class Path:
    """A way through the transport network."""

    nodes: tuple[str, ...]
    links: tuple[str, ...]
    delay_ms: float
    """One way."""
    free_mbps: float
    """Of the link that has least to spare, either way."""


def transport_graph(view: View) -> nx.Graph:
    """The transport network as of the last interval.

    Edges have `name`, `up`, `delay_ms` (measured, or of propagation where nothing was sent) and
    `free_mbps`, what the rate in force has to spare. Of the two directions the worse counts.
    """
    graph = nx.Graph()
    graph.add_nodes_from(view.scenario.transport_nodes)
    kpis = view.now
    for link in view.scenario.links:
        rows = kpis.where("link", link=link.name)
        rate, util, delay, propagation = (
            np.asarray(kpis.column("link", name)[rows], float)
            for name in ("rate_mbps", "util_pct", "delay_ms", "propagation_ms")
        )
        rate = np.nan_to_num(rate, nan=link.rate_mbps)
        delays = np.where(np.isfinite(delay), delay, np.nan_to_num(propagation, nan=link.delay_ms))
        free = rate * (1 - np.nan_to_num(util) / 100)
        graph.add_edge(
            *link.ends,
            name=link.name,
            up=all(up is None or bool(up) for up in kpis.column("link", "up")[rows]),
            delay_ms=float(max(delays, default=link.delay_ms)),
            free_mbps=float(max(0.0, min(free, default=link.rate_mbps))),
        )
    return graph


def usable(
    graph: nx.Graph, *, min_mbps: float = 0, avoid: Iterable[str] = (), down: bool = False
) -> nx.Graph:
    """The part of a transport graph that meets some conditions.

    Args:
        graph: as of `transport_graph`.
        min_mbps: that links must have to spare.
        avoid: nodes and links that are left out.
        down: whether links that are cut count as well.
    """
    out = set(avoid)
    kept = graph.subgraph([node for node in graph if node not in out])
    return kept.edge_subgraph(
        [
            (a, b)
            for a, b, link in kept.edges(data=True)
            if (link["up"] or down) and link["free_mbps"] >= min_mbps and link["name"] not in out
        ]
    )


def quickest(graph: nx.Graph, start: str, end: str) -> Path | None:
    """The path of least delay; None without one."""
    if start not in graph or end not in graph:
        return None
    try:
        nodes = nx.dijkstra_path(
            graph, start, end, weight=lambda a, b, link: link["delay_ms"] + PER_HOP_MS
        )
    except nx.NetworkXNoPath:
        return None
    links = [graph.edges[hop] for hop in itertools.pairwise(nodes)]
    return Path(
        tuple(nodes),
        tuple(link["name"] for link in links),
        sum(link["delay_ms"] for link in links),
        min((link["free_mbps"] for link in links), default=float("inf")),
    )
