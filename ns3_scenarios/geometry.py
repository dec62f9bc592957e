# SPDX-License-Identifier: Apache-2.0
"""Where the sites of a layout stand and which way their sectors look."""

from __future__ import annotations

import math

from ns3_scenarios.scenario import Layout, ScenarioConfig

SECTOR_BEARINGS_DEG = (30.0, 150.0, 270.0)
"""Bearings of three sectors, anticlockwise from the x axis (TR 38.901 Table 7.8-1)."""


def sector_bearings_deg(layout: Layout) -> tuple[float, ...]:
    """Where the antennas of each sector of a site look."""
    return SECTOR_BEARINGS_DEG if layout.n_sectors == len(SECTOR_BEARINGS_DEG) else (0.0,)


def site_positions_m(layout: Layout) -> list[tuple[float, float, float]]:
    """Position of each site: x, y and height above ground, in metres."""
    z_m = layout.site_height_m
    if layout.kind == "free":
        return [(p.x_m, p.y_m, z_m if p.z_m is None else p.z_m) for p in layout.sites]
    if layout.kind == "indoor":
        return [(x_m, y_m, z_m) for x_m, y_m in _two_rows(layout.n_sites, layout.isd_m)]
    return [(x_m, y_m, z_m) for x_m, y_m in _hexagon_rings(layout.n_sites, layout.isd_m)]


NEIGHBOUR_SITES = 6
"""Sites around a cell with which it has neighbour relations: the first ring of a hexagonal grid."""


def neighbour_cells(scenario: ScenarioConfig, cell: str) -> list[str]:
    """Neighbour relations of a cell: cells of its carrier at its site and the nearest others."""
    layout, n_carriers = scenario.layout, len(scenario.carriers)
    per_site = layout.n_sectors * n_carriers
    index = scenario.cell_ids.index(cell)
    positions = site_positions_m(layout)
    here = positions[index // per_site]
    nearest = sorted(range(len(positions)), key=lambda i: math.dist(here, positions[i]))
    return [
        scenario.cell_ids[site * per_site + sector * n_carriers + index % n_carriers]
        for site in nearest[: NEIGHBOUR_SITES + 1]
        for sector in range(layout.n_sectors)
        if site * per_site + sector * n_carriers + index % n_carriers != index
    ]


def network_radius_m(scenario: ScenarioConfig) -> float:
    """Distance from the origin to the farthest site, plus half an inter-site distance."""
    farthest = max(math.hypot(x_m, y_m) for x_m, y_m, _ in site_positions_m(scenario.layout))
    return farthest + scenario.layout.isd_m / 2


def _two_rows(n: int, isd_m: float) -> list[tuple[float, float]]:
    """Points in two rows around the origin, the first row first."""
    columns, rows = math.ceil(n / 2), min(n, 2)
    return [
        (
            (i % columns - (columns - 1) / 2) * isd_m,
            (i // columns - (rows - 1) / 2) * isd_m,
        )
        for i in range(n)
    ]


def _hexagon_rings(n: int, isd_m: float) -> list[tuple[float, float]]:
    """The first `n` points of a triangular lattice, ring by ring around the origin."""
    points = [(0.0, 0.0)]
    ring = 1
    while len(points) < n:
        x_m, y_m = ring * isd_m, 0.0
        for side in range(6):
            angle = math.radians(120 + 60 * side)
            for _ in range(ring):
                points.append((x_m, y_m))
                x_m += isd_m * math.cos(angle)
                y_m += isd_m * math.sin(angle)
        ring += 1
    return points[:n]
