# SPDX-License-Identifier: Apache-2.0
"""What lies behind the radio of a scenario: transport links, edge sites and their applications."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ns3_scenarios.scenario.base import Identifier, Model, QueueDiscipline
from ns3_scenarios.scenario.users import Degradable, OwnFiveQi

CORE = "core"
"""Node of the user-plane anchor: the far end of all traffic that does not end at an edge site."""
EVERY_SITE = "s*"


class Link(Model):
    """A point-to-point link, alike in both directions."""

    name: Identifier
    ends: tuple[str, str] = Field(
        description="Two of: a site (s0, s1, ...), a router, an edge site, core. `s*` makes one "
        "link for each site, named after both: access_s0, access_s1, ..."
    )
    rate_mbps: float = Field(ge=0.01, le=1e6)
    delay_ms: float = Field(ge=0, le=1000, description="One way.")
    loss_pct: float = Field(default=0, ge=0, lt=100, description="Of packets, on the wire.")
    queue: QueueDiscipline = "fifo"
    queue_packets: int = Field(default=1000, ge=1, le=1_000_000, description="Bound of the queue.")
    token_bucket_pct: float = Field(
        default=50, gt=0, le=100, description="Rate of the token bucket, of the link's."
    )


class Transport(Model):
    """The wired network between radio sites, routers, edge sites and the core."""

    routers: tuple[Identifier, ...] = ()
    links: tuple[Link, ...] = Field(min_length=1)


class EdgeSite(Model):
    """A site with finite compute; a node of the transport network, anchor of its own traffic."""

    name: Identifier
    servers: int = Field(default=4, ge=1, le=10_000)
    gflops: float = Field(default=100, gt=0, le=1e7, description="Gflop/s of one server.")
    queue_jobs: int = Field(default=1000, ge=0, le=1_000_000, description="Bound of the queue.")


class Application(Degradable):
    """Jobs that the users of a group make and may offload to an edge site."""

    name: Identifier
    users: Identifier = Field(description="A users group; its slice carries the traffic.")
    site: Identifier = Field(description="Edge site where it is placed at the start.")
    fraction: float = Field(default=1, ge=0, le=1, description="Share of jobs that are offloaded.")
    arrivals: Literal["periodic", "poisson"] = "poisson"
    interval_ms: float = Field(default=100, ge=0.1, le=1e6, description="Mean time between jobs.")
    request_kb: float = Field(default=20, ge=0.1, le=1e4, description="Sent up (1000 bytes).")
    response_kb: float = Field(default=1, ge=0.1, le=1e4, description="Sent back (1000 bytes).")
    work: Literal["constant", "exponential"] = "exponential"
    work_gflop: float = Field(default=2, gt=0, le=1e6, description="Mean work of a job.")
    local_gflops: float = Field(default=10, gt=0, le=1e6, description="Of the user's device.")
    deadline_ms: float = Field(default=100, gt=0, le=60_000)
    five_qi: OwnFiveQi | None = Field(default=None, description="By default the slice's.")


class Edge(Model):
    """Edge sites, and the applications placed on them."""

    sites: tuple[EdgeSite, ...] = Field(min_length=1)
    applications: tuple[Application, ...] = ()
