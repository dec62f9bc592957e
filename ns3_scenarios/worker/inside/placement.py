# SPDX-License-Identifier: GPL-2.0-only
"""Where sites and users stand."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ns3_scenarios.scenario import Layout, ScenarioConfig, UserGroup

SECTOR_BEARINGS_DEG = (30.0, 150.0, 270.0)
"""Bearings of three sectors, anticlockwise from the x axis (TR 38.901 Table 7.8-1)."""


def sector_bearing_deg(layout: Layout, sector: int) -> float:
    """Where a sector's antenna looks."""
    return SECTOR_BEARINGS_DEG[sector] if layout.n_sectors == len(SECTOR_BEARINGS_DEG) else 0.0


def site_positions(layout: Layout) -> list[tuple[float, float, float]]:
    """Position of each site, m."""
    z_m = layout.site_height_m
    if layout.kind == "free":
        return [(p.x_m, p.y_m, z_m if p.z_m is None else p.z_m) for p in layout.sites]
    if layout.kind == "indoor":
        columns = math.ceil(layout.n_sites / 2)
        rows = 1 if layout.n_sites == 1 else 2
        return [
            (
                (i % columns - (columns - 1) / 2) * layout.isd_m,
                (i // columns - (rows - 1) / 2) * layout.isd_m,
                z_m,
            )
            for i in range(layout.n_sites)
        ]
    return [(x_m, y_m, z_m) for x_m, y_m in _hexagon_rings(layout.n_sites, layout.isd_m)]


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


def network_radius_m(scenario: ScenarioConfig) -> float:
    """Distance from the origin to the farthest site, plus half an inter-site distance."""
    farthest = max(math.hypot(x, y) for x, y, _ in site_positions(scenario.layout))
    return farthest + scenario.layout.isd_m / 2


def user_positions(
    scenario: ScenarioConfig, group: UserGroup, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Positions of a group's users, shape (users, 3), m."""
    place = group.placement
    if place.kind == "points":
        return np.array(
            [(p.x_m, p.y_m, group.height_m if p.z_m is None else p.z_m) for p in place.points]
        )
    n = group.count
    if place.kind == "box":
        xy = rng.uniform(-0.5, 0.5, (n, 2)) * (place.width_m, place.depth_m)
    elif place.kind == "disc":
        xy = _ring(rng, n, place.min_radius_m, place.radius_m, 0.0, 360.0)
    else:
        width_deg = 360.0 / scenario.layout.n_sectors
        areas = []
        for x_m, y_m, _ in site_positions(scenario.layout):
            for sector in range(scenario.layout.n_sectors):
                centre = sector_bearing_deg(scenario.layout, sector)
                area = _ring(rng, n, place.min_radius_m, place.radius_m, centre, width_deg)
                areas.append(area + np.array([x_m, y_m]))
        xy = np.concatenate(areas)
    return np.column_stack([xy, np.full(len(xy), group.height_m)])


def _ring(
    rng: np.random.Generator,
    n: int,
    inner_m: float,
    outer_m: float,
    centre_deg: float,
    width_deg: float,
) -> NDArray[np.float64]:
    """Points spread evenly over a sector of a ring, shape (n, 2)."""
    radius = np.sqrt(rng.uniform(inner_m**2, outer_m**2, n))
    angle = np.radians(centre_deg + width_deg * rng.uniform(-0.5, 0.5, n))
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
