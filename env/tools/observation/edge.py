# SPDX-License-Identifier: Apache-2.0
"""The tool that reads edge sites."""

from __future__ import annotations

from pydantic import Field

from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import read_one
from env.view import View


class GetEdgeLoad(Arguments):
    """Of `get_edge_load`."""

    site: str | None = Field(
        default=None, description="Name of an edge site, as in get_topology; all by default."
    )


class PlacedApplication(Result):
    """An application, measured over all its users in the last interval."""

    application: str
    fraction: float
    """Share of jobs that are offloaded to the site."""
    deadline_ms: float
    jobs_made: int | None = None
    jobs_offloaded: int | None = None
    jobs_finished: int | None = None
    jobs_lost: int | None = None
    within_deadline_pct: float | None = None
    """Of the jobs that finished or were lost."""
    latency_ms: float | None = None
    """Mean time from a job to its result; its parts follow."""
    radio_ms: float | None = None
    transport_ms: float | None = None
    queue_ms: float | None = None
    compute_ms: float | None = None


class EdgeLoad(Result):
    """An edge site in the last interval."""

    site: str
    servers: int
    gflops: float
    """Of one server, in Gflop/s."""
    util_pct: float | None = None
    """Share of its compute in use."""
    background_pct: float | None = None
    """Of that, by foreign jobs."""
    queue_jobs: float | None = None
    """Mean number of jobs that wait."""
    queue_limit_jobs: int
    """Jobs that may wait; more are dropped."""
    jobs_arrived: int | None = None
    jobs_completed: int | None = None
    jobs_dropped: int | None = None
    waiting_ms: float | None = None
    """Mean wait of a job."""
    service_ms: float | None = None
    """Mean time of computing a job."""
    applications: list[PlacedApplication]


class EdgeLoads(Result):
    """The edge sites asked for."""

    sites: list[EdgeLoad]


@tool("observation")
def get_edge_load(view: View, args: GetEdgeLoad) -> EdgeLoads:
    """Read compute in use, queue and placed applications of edge sites.

    Reads the last reporting interval. A site computes with all its servers at once, and first come
    is first served.

    Errors: no_such_element.
    """
    wanted = None if args.site is None else view.site(args.site)
    sites = view.scenario.edge.sites if view.scenario.edge else ()
    found = []
    for site in sites:
        if view.scope.has(site.name) and wanted in (None, site.name):
            now = read_one(EdgeLoad, view.now, "edge", site=site.name)
            now |= {"site": site.name, "applications": _placed(view, site.name)}
            found.append(
                EdgeLoad(
                    **now,
                    servers=site.servers,
                    gflops=site.gflops,
                    queue_limit_jobs=site.queue_jobs,
                )
            )
    return EdgeLoads(sites=found)


def _placed(view: View, site: str) -> list[PlacedApplication]:
    edge = view.scenario.edge
    found = []
    for application in edge.applications if edge else ():
        control = view.controls.applications[application.name]
        if control.site == site and view.scope.has(application.name):
            now = read_one(PlacedApplication, view.now, "application", application=application.name)
            now |= {"application": application.name, "fraction": control.fraction}
            found.append(PlacedApplication(**now, deadline_ms=application.deadline_ms))
    return found
