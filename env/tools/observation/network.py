# SPDX-License-Identifier: Apache-2.0
"""The tool that reads the headline state of the network."""

from __future__ import annotations

from pydantic import Field

from env.kpis import Kpis
from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import read_one, rounded, slices_of
from env.view import View


class CheckNetworkState(Arguments):
    """Of `check_network_state`."""

    slice: str | None = Field(default=None, description="Name of a slice; all of them by default.")


class StateNumbers(Result):
    """What is measured of a slice from end to end, both directions together."""

    latency_ms: float | None = None
    """Mean packet delay."""
    jitter_ms: float | None = None
    packet_loss_pct: float | None = None
    throughput_mbps: float | None = None
    edge_load_pct: float | None = None
    """Compute in use at the edge sites of its applications; null without any."""


class SliceState(StateNumbers):
    """The six-number state of a slice: its number, and five that are measured."""

    slice: str
    index: int
    """Number of the slice, from 0."""
    change: StateNumbers
    """Against the interval before."""


class NetworkState(Result):
    """State of the network at the end of an interval."""

    interval: int
    """Intervals done."""
    time_ms: float
    slices: list[SliceState]


@tool("observation")
def check_network_state(view: View, args: CheckNetworkState) -> NetworkState:
    """Read the six-number state of each slice, and its change over the last reporting interval.

    The six are the slice, latency, jitter, packet loss, throughput and edge load, from the KPI
    table `network`. What does not exist, such as the latency of no packets, is null.

    Errors: no_such_element.
    """
    wanted = slices_of(view) if args.slice is None else [view.slice(args.slice)]
    index = {s.name: i for i, s in enumerate(view.scenario.slices)}
    before = view.history[-2] if view.interval > 1 else None
    found = []
    for name in wanted:
        now = read_one(StateNumbers, view.now, "network", slice=name)
        found.append(
            SliceState(slice=name, index=index[name], change=_change(view.now, before, name), **now)
        )
    return NetworkState(interval=view.interval, time_ms=view.now.time_ms, slices=found)


def _change(now: Kpis, before: Kpis | None, name: str) -> StateNumbers:
    if before is None:
        return StateNumbers()
    (here, there) = (k.where("network", slice=name) for k in (now, before))
    if not len(here) or not len(there):
        return StateNumbers()
    return StateNumbers(
        **{
            c: rounded(now.column("network", c)[here[0]] - before.column("network", c)[there[0]])
            for c in StateNumbers.model_fields
        }
    )
