# SPDX-License-Identifier: Apache-2.0
"""The tool that reads transport links."""

from __future__ import annotations

from pydantic import Field

from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import Limit, Listing, in_scope, listing, read
from env.view import View


class CheckLinkQuality(Arguments):
    """Of `check_link_quality`."""

    link: str | None = Field(
        default=None, description="Name of a link, as in get_topology; all of them by default."
    )
    limit: Limit = 20


class LinkDirection(Result):
    """A link in one direction, in the last interval."""

    link: str
    from_node: str | None = None
    to_node: str | None = None
    up: bool | None = None
    """Whether it carries anything, at the end."""
    rate_mbps: float | None = None
    """In force."""
    propagation_ms: float | None = None
    """In force."""
    queue: str | None = None
    """Discipline in force: fifo, red, codel, fq_codel or token_bucket."""
    util_pct: float | None = None
    """Share of time that it transmits."""
    throughput_mbps: float | None = None
    delay_ms: float | None = None
    """Mean time from the queue to the other end."""
    delay_p95_ms: float | None = None
    loss_pct: float | None = None
    """Packets dropped by the queue or lost on the wire."""
    queue_packets: float | None = None
    """Mean length of the queue."""


@tool("observation")
def check_link_quality(view: View, args: CheckLinkQuality) -> Listing[LinkDirection]:
    """Read use, delay, loss and queue of transport links, a row for each direction.

    Reads the last reporting interval of the KPI table `link`.

    Errors: no_such_element.
    """
    kpis = view.now
    names = {} if args.link is None else {"link": view.link(args.link)}
    rows = in_scope(view, kpis, "link", "link", **names)
    found = [LinkDirection(**row) for row in read(LinkDirection, kpis, "link", rows[: args.limit])]
    return listing(found, args.limit, len(rows))
