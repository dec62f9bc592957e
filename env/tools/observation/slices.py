# SPDX-License-Identifier: Apache-2.0
"""Tools that read slices and their flows."""

from __future__ import annotations

import dataclasses

from pydantic import Field

from env.sla import SlaTerm, sla_holds, sla_terms
from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import (
    Limit,
    Listing,
    in_scope,
    listing,
    read,
    read_one,
    rounded,
    seen,
    slices_of,
)
from env.view import View


class GetSliceStatus(Arguments):
    """Of `get_slice_status`."""

    slice: str | None = Field(default=None, description="Name of a slice; all of them by default.")
    limit: Limit = 10


class SliceInCell(Result):
    """A slice in a cell."""

    cell: str
    users: int | None = None
    """Of the slice, whose primary cell it is."""
    dedicated_pct: float | None = None
    """Share of resource blocks kept for it."""
    min_pct: float | None = None
    """Share guaranteed when needed."""
    max_pct: float | None = None
    dl_prb_util_pct: float | None = None
    """Of all resource blocks of the cell."""
    ul_prb_util_pct: float | None = None


class SliceKpis(Result):
    """What is measured of a slice from end to end, both directions together."""

    latency_ms: float | None = None
    jitter_ms: float | None = None
    packet_loss_pct: float | None = None
    throughput_mbps: float | None = None
    offered_mbps: float | None = None
    within_budget_pct: float | None = None
    """Packets delivered within their delay budget."""
    prb_util_pct: float | None = None
    """Share of the network's downlink resource blocks."""
    jain_index: float | None = None
    """Fairness of its users' downlink throughput."""


class SliceStatus(Result):
    """A slice at the end of the last interval."""

    slice: str
    five_qi: int
    delay_budget_ms: float
    """Promised."""
    guaranteed_mbps: float
    """Promised to each downlink flow; 0 promises nothing."""
    degradation: str
    """none, reduce_rate or essential_only."""
    members: Listing[str]
    """Users with a flow in it."""
    cells: Listing[SliceInCell]
    kpis: SliceKpis
    sla: list[SlaTerm]
    """Its promises over the last interval."""
    sla_holds: bool | None
    """Whether all of them are kept; null where that is not known."""


class Slices(Result):
    """The slices asked for."""

    slices: list[SliceStatus]


@tool("observation")
def get_slice_status(view: View, args: GetSliceStatus) -> Slices:
    """Read a slice's shares of each cell, its members, its KPIs and how it keeps its SLA.

    Shares are those of RRMPolicyRatio (TS 28.541 4.3.36). SLA terms, over the last reporting
    interval: mean delay against the delay budget, 98 % of packets within it (TS 23.501 5.7.3.4),
    and the guaranteed rate of each downlink flow where the slice has one. verify_sla_compliance
    judges a longer window.

    Errors: no_such_element.
    """
    wanted = slices_of(view) if args.slice is None else [view.slice(args.slice)]
    return Slices(slices=[_status(view, name, args.limit) for name in wanted])


def _status(view: View, name: str, limit: int) -> SliceStatus:
    kpis = view.now
    qos = view.scenario.slice_qos(name)
    rows = in_scope(view, kpis, "slice", "cell", slice=name)
    flows = kpis.where("flow", slice=name)
    members = [ue for ue in dict.fromkeys(kpis.column("flow", "ue")[flows]) if view.scope.has(ue)]
    terms = sla_terms(view.scenario, name, [kpis])
    cells = [SliceInCell(**row) for row in read(SliceInCell, kpis, "slice", rows[:limit])]
    return SliceStatus(
        slice=name,
        **qos.model_dump(),
        degradation=view.controls.slices[name].degradation,
        members=listing(members, limit),
        cells=listing(cells, limit, len(rows)),
        kpis=SliceKpis(**read_one(SliceKpis, kpis, "network", slice=name)),
        sla=[rounded_term(term) for term in terms],
        sla_holds=sla_holds(terms),
    )


def rounded_term(term: SlaTerm) -> SlaTerm:
    """A term as answers show it."""
    return dataclasses.replace(
        term,
        target=rounded(term.target) or 0.0,
        achieved=rounded(term.achieved),
        margin=rounded(term.margin),
    )


class GetQosFlows(Arguments):
    """Of `get_qos_flows`."""

    slice: str | None = Field(default=None, description="Only flows in this slice.")
    ue: str | None = Field(default=None, description="Only flows of this user.")
    limit: Limit = 20


class QosFlow(Result):
    """A flow of a user in one direction, from end to end, in the last interval."""

    ue: str
    flow: str
    direction: str | None = None
    """dl or ul."""
    slice: str | None = None
    five_qi: int | None = None
    """TS 23.501 Table 5.7.4-1."""
    delay_budget_ms: float | None = None
    """Promised."""
    guaranteed_mbps: float | None = None
    """Promised, downlink."""
    sent_mbps: float | None
    """By the application."""
    throughput_mbps: float | None = None
    """Delivered."""
    latency_ms: float | None = None
    latency_p95_ms: float | None = None
    jitter_ms: float | None = None
    loss_pct: float | None = None
    within_budget_pct: float | None = None
    """Packets delivered within the delay budget."""


@tool("observation")
def get_qos_flows(view: View, args: GetQosFlows) -> Listing[QosFlow]:
    """List flows with their 5QI, promised delay budget and rate, and what they achieved.

    A row for each direction of each flow of a user, in the last reporting interval. Promises are
    those of TS 23.501 Table 5.7.4-1, or of the slice.

    Errors: no_such_element.
    """
    names = {}
    if args.slice is not None:
        names["slice"] = view.slice(args.slice)
    if args.ue is not None:
        names["ue"] = view.ue(args.ue)
    kpis = view.now
    rows = in_scope(view, kpis, "flow", "ue", **names)
    shown = rows[: args.limit]
    sent_mbps = kpis.column("flow", "sent_bits")[shown] / (view.scenario.interval_ms * 1e3)
    found = [
        QosFlow(**{**row, "slice": seen(view, row["slice"])}, sent_mbps=rounded(sent))
        for row, sent in zip(read(QosFlow, kpis, "flow", shown), sent_mbps, strict=True)
    ]
    return listing(found, args.limit, len(rows))
