# SPDX-License-Identifier: Apache-2.0
"""The tool that finds paths through the transport network."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

import networkx as nx
from pydantic import Field, model_validator

from env.errors import ToolError
from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import short
from env.tools.reasoning.transport import Path, quickest, transport_graph, usable
from env.view import View

Constraint = Literal["max_delay_ms", "min_mbps", "avoid", "links_down"]


class ComputePath(Arguments):
    """Of `compute_path`."""

    from_node: str = Field(
        alias="from", description="Node where it starts: a radio site, router, edge site or core."
    )
    to_node: str = Field(alias="to", description="Node where it ends.")
    max_delay_ms: float | None = Field(
        default=None, ge=0, le=10_000, description="Most delay, one way; no bound by default."
    )
    min_mbps: float = Field(
        default=0, ge=0, le=1e6, description="Rate that every link must have to spare."
    )
    avoid: tuple[str, ...] = Field(
        default=(), max_length=100, description="Nodes and links that it must not use."
    )

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if self.from_node == self.to_node:
            raise ValueError(f"from and to are both {self.from_node!r}")
        return self


class ComputedPath(Result):
    """A path, or why there is none."""

    path: list[str] | None
    """Nodes from one end to the other, as reroute_flow takes them; None without one."""
    links: list[str]
    """That it goes over."""
    delay_ms: float | None
    """One way."""
    bottleneck_mbps: float | None
    """What its fullest link has to spare."""
    binding: list[Constraint]
    """Without a path: the constraints of which each alone stands in the way; empty where only
    several together do, or the nodes are not joined at all."""
    reason: str
    """In words, without a path."""


@tool("reasoning")
def compute_path(view: View, args: ComputePath) -> ComputedPath:
    """Find the transport path of least delay that meets some constraints.

    Delays, what links have to spare, and which links are down are those of the last interval; of
    the two directions of a link the worse counts. Links that are down are never used. Traffic that
    is to be rerouted may itself take part of what a link carries now.

    Errors: no_such_element for an unknown node, or one to avoid that is neither node nor link;
    bad_arguments where both ends are the same; unavailable without a transport network.
    """
    if view.scenario.transport is None:
        raise ToolError("unavailable", "this network has no transport network")
    start, end = view.node(args.from_node, "from"), view.node(args.to_node, "to")
    for number, name in enumerate(args.avoid):
        if name not in view.scenario.transport_nodes:
            view.link(name, f"avoid.{number}")
    graph = transport_graph(view)
    asked: dict[str, Any] = {"min_mbps": args.min_mbps, "avoid": args.avoid}
    limit_ms = math.inf if args.max_delay_ms is None else args.max_delay_ms
    best = quickest(usable(graph, **asked), start, end)
    if best and best.delay_ms <= limit_ms:
        return ComputedPath(
            path=list(best.nodes),
            links=list(best.links),
            delay_ms=short(best.delay_ms),
            bottleneck_mbps=short(best.free_mbps),
            binding=[],
            reason="",
        )
    binding, reason = _why_none(graph, start, end, asked, limit_ms)
    return ComputedPath(
        path=None, links=[], delay_ms=None, bottleneck_mbps=None, binding=binding, reason=reason
    )


def _why_none(
    graph: nx.Graph, start: str, end: str, asked: dict[str, Any], limit_ms: float
) -> tuple[list[Constraint], str]:
    """Which constraints stand in the way, each by itself."""

    def fits(path: Path | None) -> bool:
        return path is not None and path.delay_ms <= limit_ms

    binding: list[Constraint] = []
    reasons = []
    any_delay = quickest(usable(graph, **asked), start, end)
    if any_delay:
        binding.append("max_delay_ms")
        reasons.append(
            f"the quickest path that meets the rest takes {any_delay.delay_ms:.3g} ms, more than "
            f"{limit_ms:g} ms"
        )
    any_rate = quickest(usable(graph, **{**asked, "min_mbps": 0}), start, end)
    if fits(any_rate):
        binding.append("min_mbps")
        widest = _widest_mbps(graph, start, end, asked["avoid"], limit_ms)
        reasons.append(
            f"paths that meet the rest have at most {widest:.4g} Mbit/s to spare, less than "
            f"{asked['min_mbps']:g}"
        )
    if fits(quickest(usable(graph, **{**asked, "avoid": ()}), start, end)):
        binding.append("avoid")
        reasons.append("every path that meets the rest uses what is to be avoided")
    if fits(quickest(usable(graph, **asked, down=True), start, end)):
        binding.append("links_down")
        cut = ", ".join(link["name"] for *_, link in graph.edges(data=True) if not link["up"])
        reasons.append(f"every path that meets the rest uses a link that is down ({cut})")
    if reasons:
        return binding, "; ".join(reasons)
    if quickest(graph, start, end) is None:
        return [], f"nothing joins {start} and {end}"
    return [], "several constraints together leave no path"


def _widest_mbps(
    graph: nx.Graph, start: str, end: str, avoid: tuple[str, ...], limit_ms: float
) -> float:
    """The most that a path within the delay has to spare."""
    rates = sorted({link["free_mbps"] for *_, link in graph.edges(data=True)}, reverse=True)
    for rate in rates:
        path = quickest(usable(graph, min_mbps=rate, avoid=avoid), start, end)
        if path and path.delay_ms <= limit_ms:
            return float(rate)
    return 0.0
