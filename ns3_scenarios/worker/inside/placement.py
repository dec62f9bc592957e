# SPDX-License-Identifier: GPL-2.0-only
"""Where users stand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ns3_scenarios.geometry import sector_bearings_deg, site_positions_m
from ns3_scenarios.scenario import ScenarioConfig, UserGroup


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
        for x_m, y_m, _ in site_positions_m(scenario.layout):
            for centre in sector_bearings_deg(scenario.layout):
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
