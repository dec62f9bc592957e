# SPDX-License-Identifier: Apache-2.0
"""The tool that plans the way of a UAV."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import numpy as np
from pydantic import Field

from env.errors import ToolError
from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import rounded, short
from env.tools.reasoning.coverage import Coverage
from env.tools.reasoning.foresight import Floats, measured
from env.view import View
from env.world.flight import BASE_W, propulsion_w

UNCOVERED_COSTS = 10.0
"""Metres of detour that are worth one metre with coverage."""
RSRP_MARGIN_DB = 10.0
"""Over what a cell needs to be used."""
SINR_MARGIN_DB = 3.0
"""Over what counts as in sync again."""
MOST_STEPS = 20
"""Of the grid, along an axis on the ground."""
LEAST_STEP_M = 25.0
LEVEL_M = 30.0
"""Between heights of the grid."""
ROOM_M = 300.0
"""How far around start and destination a way is looked for."""
J_PER_WH = 3600.0


class PathPlanning(Arguments):
    """Of `path_planning`."""

    ue: str = Field(description="Name of the UAV.")
    x_m: float = Field(ge=-1e5, le=1e5, description="Destination, inside the geofence.")
    y_m: float = Field(ge=-1e5, le=1e5, description="Destination, inside the geofence.")
    z_m: float = Field(ge=1, le=300, description="Height of the destination, in the geofence.")


class Waypoint(Result):
    """A point to fly to, as set_waypoint takes it."""

    x_m: float
    y_m: float
    z_m: float
    rsrp_dbm: float | None
    """Predicted there, of the strongest cell."""


class FlightPlan(Result):
    """A way to a destination."""

    ue: str
    waypoints: list[Waypoint]
    """To be flown to straight one after the other; the last is the destination."""
    speed_mps: float
    """At which: the present setting."""
    length_m: float
    direct_m: float
    """Of the straight way."""
    duration_s: float
    min_rsrp_dbm: float | None
    """Least that is predicted along the way."""
    min_sinr_db: float | None
    """Least downlink SINR that is predicted along the way, by present loads."""
    covered_pct: float
    """Share of the way with coverage."""
    energy_wh: float
    """That the battery needs for it."""
    battery_pct: float | None
    """Now."""
    arrival_pct: float | None
    """Charge on arrival; negative where it does not suffice."""
    reachable: bool | None
    """Whether the battery suffices without falling to its alarm level."""


@tool("reasoning")
def path_planning(view: View, args: PathPlanning) -> FlightPlan:
    """Plan waypoints for a UAV to a destination, inside its geofence and under coverage.

    The shortest way by A* over a grid of at most 20 x 20 points and heights 30 m apart, on which a
    metre without coverage counts as ten. Covered is where the strongest cell is predicted with an
    RSRP 10 dB over the least that is usable and a SINR 3 dB over what counts as in sync
    (TS 38.133 8.1). RSRP follows TR 36.777 Annex B, corrected by what the UAV measures now. Energy
    is that of a rotary wing (Zeng, Xu and Zhang 2019, eq. 12) at the speed that is set.

    Errors: no_such_element for a user that is no UAV; not_allowed for a destination outside the
    geofence; unavailable where the UAV's position is not known.
    """
    ue = view.uav(args.ue)
    mobility = view.group_of[ue].mobility
    control = view.controls.ues[ue].waypoint
    assert mobility.kind == "uav"
    assert control
    fence = mobility.geofence
    if not fence.holds(args.x_m, args.y_m, args.z_m):
        raise ToolError(
            "not_allowed",
            f"({args.x_m:g}, {args.y_m:g}, {args.z_m:g}) lies outside the geofence of {ue}",
            argument="x_m",
            value=args.x_m,
            allowed=f"x {fence.x_min_m:g} to {fence.x_max_m:g}, y {fence.y_min_m:g} to "
            f"{fence.y_max_m:g}, z {fence.z_min_m:g} to {fence.z_max_m:g} m",
        )
    air = _Air(view, ue, np.array([args.x_m, args.y_m, args.z_m]))
    way = air.straightened(air.shortest())
    samples = np.concatenate([air.along(a, b) for a, b in itertools.pairwise(way)])
    rsrp, sinr = air.coverage.serving(samples)
    legs = np.diff(way, axis=0)
    lengths = np.linalg.norm(legs, axis=1)
    speed = control.speed_mps
    energy_j = sum(
        (propulsion_w(leg / length * speed) + BASE_W) * length / speed
        for leg, length in zip(legs, lengths, strict=True)
        if length > 0
    )
    charge = float(measured(view, ue, "battery_pct")[0])
    arrival = charge - 100 * energy_j / (mobility.battery_wh * J_PER_WH)
    return FlightPlan(
        ue=ue,
        waypoints=[
            Waypoint(x_m=round(x, 3), y_m=round(y, 3), z_m=round(z, 3), rsrp_dbm=rounded(float(r)))
            for (x, y, z), r in zip(way[1:], air.coverage.serving(way[1:])[0], strict=True)
        ],
        speed_mps=speed,
        length_m=short(float(lengths.sum())),
        direct_m=short(float(np.linalg.norm(way[-1] - way[0]))),
        duration_s=short(float(lengths.sum()) / speed),
        min_rsrp_dbm=rounded(float(rsrp.min())),
        min_sinr_db=rounded(float(sinr.min())),
        covered_pct=short(100 * float(air.covered(samples).mean())),
        energy_wh=short(energy_j / J_PER_WH),
        battery_pct=rounded(charge),
        arrival_pct=rounded(arrival),
        reachable=None if math.isnan(arrival) else arrival > mobility.low_battery_pct,
    )


class _Air:
    """The air between a UAV and its destination, as a grid."""

    def __init__(self, view: View, ue: str, destination_m: Floats) -> None:
        self.coverage = Coverage(view, ue)
        needs = view.scenario.radio.handover
        self._rsrp_dbm = needs.min_rsrp_dbm + RSRP_MARGIN_DB
        self._sinr_db = needs.q_in_db + SINR_MARGIN_DB
        mobility = view.group_of[ue].mobility
        assert mobility.kind == "uav"
        fence = mobility.geofence
        least = np.array([getattr(fence, f"{a}_min_m") for a in "xyz"])
        most = np.array([getattr(fence, f"{a}_max_m") for a in "xyz"])
        self.start = np.clip(self.coverage.position_m, least, most)
        self.end = destination_m
        room = np.array([ROOM_M, ROOM_M, np.inf])
        low = np.maximum(least, np.minimum(self.start, self.end) - room)
        high = np.minimum(most, np.maximum(self.start, self.end) + room)
        self.step_m = max(LEAST_STEP_M, float((high - low)[:2].max()) / MOST_STEPS)
        self._axes = [
            np.unique([*np.linspace(a, b, max(2, math.ceil((b - a) / step) + 1)), *ends])
            for a, b, *ends, step in zip(
                low, high, self.start, self.end, (self.step_m, self.step_m, LEVEL_M), strict=True
            )
        ]

    def covered(self, points_m: Floats) -> np.ndarray:
        """Whether points have coverage."""
        rsrp, sinr = self.coverage.serving(points_m)
        return np.asarray((rsrp >= self._rsrp_dbm) & (sinr >= self._sinr_db))

    def along(self, a: Floats, b: Floats) -> Floats:
        """Points along a straight way, half a step of the grid apart or less."""
        n = max(2, math.ceil(2 * float(np.linalg.norm(b - a)) / self.step_m) + 1)
        return a + np.linspace(0, 1, n)[:, None] * (b - a)

    def cost(self, a: Floats, b: Floats) -> float:
        """Of a straight way: metres, of which those without coverage count more."""
        bare = 1 - float(self.covered(self.along(a, b)).mean())
        return float(np.linalg.norm(b - a)) * (1 + (UNCOVERED_COSTS - 1) * bare)

    def shortest(self) -> Floats:
        """The cheapest way over the grid, from the UAV to the destination, shape (points, 3)."""
        grid = np.stack(np.meshgrid(*self._axes, indexing="ij"), -1)
        shape = grid.shape[:3]
        flat = grid.reshape(-1, 3)
        factor = np.where(self.covered(flat), 1.0, UNCOVERED_COSTS).reshape(shape)
        graph = nx.Graph()
        for move in itertools.product((-1, 0, 1), repeat=3):
            if move <= (0, 0, 0):
                continue
            here = tuple(slice(max(0, -m), n - max(0, m)) for m, n in zip(move, shape, strict=True))
            there = tuple(
                slice(max(0, m), n - max(0, -m)) for m, n in zip(move, shape, strict=True)
            )
            index = np.arange(len(flat)).reshape(shape)
            length = np.linalg.norm(grid[there] - grid[here], axis=-1)
            weight = length * (factor[here] + factor[there]) / 2
            graph.add_weighted_edges_from(
                zip(
                    index[here].ravel().tolist(),
                    index[there].ravel().tolist(),
                    weight.ravel().tolist(),
                    strict=True,
                )
            )
        first, last = (
            int(np.linalg.norm(flat - point, axis=1).argmin()) for point in (self.start, self.end)
        )
        nodes = nx.astar_path(
            graph, first, last, heuristic=lambda a, _: float(np.linalg.norm(flat[a] - flat[last]))
        )
        return flat[nodes] if len(nodes) > 1 else np.array([self.start, self.end])

    def straightened(self, way: Floats) -> Floats:
        """The same way without points that can be left out at no cost."""
        kept = [way[0]]
        at = 0
        while at < len(way) - 1:
            costs = np.cumsum([self.cost(a, b) for a, b in itertools.pairwise(way[at:])])
            next_ = max(
                j
                for j in range(at + 1, len(way))
                if j == at + 1 or self.cost(way[at], way[j]) <= costs[j - at - 1] * (1 + 1e-9)
            )
            kept.append(way[next_])
            at = next_
        return np.array(kept)
