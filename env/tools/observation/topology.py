# SPDX-License-Identifier: Apache-2.0
"""The tool that says what the network is made of."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from env.kpis import plain
from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import Limit, Listing, listing, rounded, seen
from env.view import View
from ns3_scenarios.geometry import neighbour_cells, sector_bearings_deg, site_positions_m


class GetTopology(Arguments):
    """Of `get_topology`."""

    scope: Literal["ran", "transport", "edge", "all"] = Field(
        default="all", description="The part of the network that is wanted."
    )
    limit: Limit = 30


class SiteOfCells(Result):
    """A radio site."""

    site: str
    x_m: float
    y_m: float
    z_m: float
    """Height of its antennas."""
    cells: list[str]


class CellPlace(Result):
    """A cell."""

    cell: str
    site: str
    azimuth_deg: float
    """Where its antenna looks, anticlockwise from the x axis."""
    carrier: int
    """Which of the scenario's carriers, from 0. Users are connected on carrier 0."""
    frequency_ghz: float
    bandwidth_mhz: float
    """At present."""
    numerology: int
    """At present: subcarriers are 15 kHz times 2**numerology apart."""
    neighbours: list[str]
    """Its neighbour relations, the nearest sites first."""


class LinkPlace(Result):
    """A transport link."""

    link: str
    ends: list[str]
    """Two nodes: sites, routers, edge sites or the core."""
    rate_mbps: float
    """As built; check_link_quality says what is in force."""
    delay_ms: float
    """As built, one way."""
    up: bool | None
    """Whether it carries anything at present."""


class EdgePlace(Result):
    """An edge site, which is a node of the transport network."""

    site: str
    servers: int
    gflops: float
    """Of one server, in Gflop/s."""
    applications: list[str]
    """Placed there at present."""


class ApplicationPlace(Result):
    """An edge application."""

    application: str
    slice: str | None
    users: str
    """Group of its users."""
    site: str | None
    """Where it is placed at present."""
    fraction: float
    """Share of its jobs that are offloaded there."""


class Topology(Result):
    """What the network is made of; parts that were not asked for are null."""

    sites: Listing[SiteOfCells] | None = None
    cells: Listing[CellPlace] | None = None
    routers: list[str] | None = None
    links: Listing[LinkPlace] | None = None
    edge_sites: Listing[EdgePlace] | None = None
    applications: Listing[ApplicationPlace] | None = None


@tool("observation")
def get_topology(view: View, args: GetTopology) -> Topology:
    """Read what the network is made of: sites, cells, transport links, edge sites, applications.

    Positions are in metres; sectors look as TR 38.901 Table 7.8-1 has them. Lists are cut at
    `limit`, and say how many entries there are.

    Errors: none.
    """
    every = args.scope == "all"
    parts: dict[str, Any] = {}
    if every or args.scope == "ran":
        parts |= {"sites": _sites(view, args.limit), "cells": _cells(view, args.limit)}
    if every or args.scope == "transport":
        transport = view.scenario.transport
        parts |= {
            "routers": list(transport.routers) if transport else [],
            "links": _links(view, args.limit),
        }
    if every or args.scope == "edge":
        parts |= {
            "edge_sites": _edge_sites(view, args.limit),
            "applications": _applications(view, args.limit),
        }
    return Topology(**parts)


def _sites(view: View, limit: int) -> Listing[SiteOfCells]:
    scenario = view.scenario
    per_site = scenario.layout.n_sectors * len(scenario.carriers)
    cells = scenario.cell_ids
    found = []
    for index, (name, place) in enumerate(
        zip(scenario.site_ids, site_positions_m(scenario.layout), strict=True)
    ):
        own = [c for c in cells[index * per_site : (index + 1) * per_site] if view.scope.has(c)]
        if own:
            x_m, y_m, z_m = (rounded(p) for p in place)
            found.append(SiteOfCells(site=name, x_m=x_m, y_m=y_m, z_m=z_m, cells=own))
    return listing(found, limit)


def _cells(view: View, limit: int) -> Listing[CellPlace]:
    scenario = view.scenario
    n_carriers = len(scenario.carriers)
    bearings = sector_bearings_deg(scenario.layout)
    mine = [(i, c) for i, c in enumerate(scenario.cell_ids) if view.scope.has(c)]
    found = []
    for index, name in mine[:limit]:
        control = view.controls.cells[name]
        known = control.handover.cio_db if control.handover else neighbour_cells(scenario, name)
        sector, carrier = divmod(index, n_carriers)
        site, sector = divmod(sector, scenario.layout.n_sectors)
        found.append(
            CellPlace(
                cell=name,
                site=scenario.site_ids[site],
                azimuth_deg=bearings[sector],
                carrier=carrier,
                frequency_ghz=scenario.carriers[carrier].frequency_ghz,
                bandwidth_mhz=control.bandwidth_mhz,
                numerology=control.numerology,
                neighbours=[n for n in known if view.scope.has(n)],
            )
        )
    return listing(found, limit, len(mine))


def _links(view: View, limit: int) -> Listing[LinkPlace]:
    links = [link for link in view.scenario.links if view.scope.has(link.name)]
    states: dict[str, list[bool | None]] = {}
    for name, up in zip(*(view.now.column("link", c) for c in ("link", "up")), strict=True):
        states.setdefault(name, []).append(plain(up))
    found = [
        LinkPlace(
            link=link.name,
            ends=list(link.ends),
            rate_mbps=link.rate_mbps,
            delay_ms=link.delay_ms,
            up=_both(states.get(link.name, [None])),
        )
        for link in links[:limit]
    ]
    return listing(found, limit, len(links))


def _both(up: list[bool | None]) -> bool | None:
    """Whether both directions of a link are up."""
    return None if None in up else all(up)


def _edge_sites(view: View, limit: int) -> Listing[EdgePlace]:
    sites = view.scenario.edge.sites if view.scenario.edge else ()
    placed = [(name, a.site) for name, a in view.controls.applications.items()]
    found = [
        EdgePlace(
            site=site.name,
            servers=site.servers,
            gflops=site.gflops,
            applications=[a for a, at in placed if at == site.name and view.scope.has(a)],
        )
        for site in sites
        if view.scope.has(site.name)
    ]
    return listing(found, limit)


def _applications(view: View, limit: int) -> Listing[ApplicationPlace]:
    scenario = view.scenario
    slice_of = {group.name: group.slice for group in scenario.users}
    found = [
        ApplicationPlace(
            application=a.name,
            slice=seen(view, slice_of[a.users]),
            users=a.users,
            site=seen(view, view.controls.applications[a.name].site),
            fraction=view.controls.applications[a.name].fraction,
        )
        for a in (scenario.edge.applications if scenario.edge else ())
        if view.scope.has(a.name)
    ]
    return listing(found, limit)
