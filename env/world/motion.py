# SPDX-License-Identifier: Apache-2.0
"""Where users go: `Motion`, as the mobility models of NS-3 let them.

Users stand, walk at random (legs of 20 m, each in a random direction, within a square), drive along
a straight lane and turn at its ends, or fly.
"""

from __future__ import annotations

import copy

import numpy as np

from calibration.network import Floats, Network
from calibration.trajectory import Table
from env.kpis import Kpis
from env.world.flight import Flight
from ns3_scenarios.controls import ControlState, WaypointControl
from ns3_scenarios.geometry import network_radius_m
from ns3_scenarios.scenario import ScenarioConfig, Uav, UserGroup

LEG_M = 20.0
"""Of a random walk."""


class Motion:
    """The users of B copies of a network, at first one, as they move.

    Args:
        network: that they are in.
        rng: what to draw from.
        now: KPIs of the last interval.
        before: KPIs of the interval before that.
        controls: in force.
    """

    def __init__(
        self,
        network: Network,
        rng: np.random.Generator,
        now: Kpis,
        before: Kpis,
        controls: ControlState,
    ) -> None:
        scenario = network.scenario
        self._rng, self._scenario = rng, scenario
        self._names = {name: i for i, name in enumerate(network.ue_names)}
        groups = scenario.ue_groups
        kinds = np.array([g.mobility.kind for g in groups])
        self._walkers, self._drivers = (
            np.flatnonzero(kinds == kind) for kind in ("random_walk", "vehicle")
        )
        self.positions_m = _positions_m(now)[None]
        self.speeds_mps = np.nan_to_num(now.column("ue", "speed_mps").astype(float))
        self._flights = {
            int(u): _flight(groups[u], _place(scenario, int(u)), controls.ues[f"u{u}"].waypoint,
                            now, before, int(u))
            for u in np.flatnonzero(kinds == "uav")
        }  # fmt: skip
        radius_m = network_radius_m(scenario)
        farthest_m = np.zeros(len(scenario.users))
        np.maximum.at(farthest_m, network.ue_group, np.abs(self.positions_m[0]).max(-1))
        self._bound_m = np.maximum(radius_m, farthest_m)[network.ue_group[self._walkers]]
        moved = (self.positions_m[0] - _positions_m(before))[:, :2]
        self._left_m = rng.uniform(0, 1, (1, len(self._walkers))) * np.minimum(LEG_M, self._bound_m)
        unknown = rng.uniform(-np.pi, np.pi, len(self._walkers))
        still = ~moved[self._walkers].any(1)
        angle = np.arctan2(moved[self._walkers, 1], moved[self._walkers, 0])
        self._heading = np.where(still, unknown, angle)[None]
        self._roads(groups, moved)

    def _roads(self, groups: tuple[UserGroup, ...], moved: Floats) -> None:
        roads = [groups[u].mobility for u in self._drivers]
        heading = np.radians([getattr(m, "heading_deg", 0.0) for m in roads])
        self._along = np.stack([np.cos(heading), np.sin(heading)], -1).reshape(-1, 2)
        self._end_m = np.array([getattr(m, "road_length_m", 0.0) / 2 for m in roads])
        here = self.positions_m[0, self._drivers, :2]
        at = (here * self._along).sum(-1)
        went = (moved[self._drivers] * self._along).sum(-1)
        step_m = self.speeds_mps[self._drivers] * self._scenario.interval_ms * 1e-3
        turned = np.abs(went) < 0.999 * step_m
        away = np.where(at > 0, -1.0, 1.0)
        self._ahead = np.where(turned, away, np.where(went < 0, -1.0, 1.0))
        """1 towards the end of the road that it is named after, -1 back."""

    @property
    def state(self) -> Table:
        """Everything that decides, with the random stream and the flights, where users go."""
        return {
            "positions_m": self.positions_m,
            "left_m": self._left_m,
            "heading": self._heading,
            "ahead": self._ahead,
        }

    @property
    def flights(self) -> dict[int, Flight]:
        """Those that fly, by index."""
        return self._flights

    def charges_pct(self) -> Floats:
        """Of batteries, by user; NaN of those that have none."""
        charges = np.full(len(self._names), np.nan)
        for ue, flight in self._flights.items():
            charges[ue] = flight.charge_pct
        return charges

    def copies(self, n: int, rng: np.random.Generator) -> Motion:
        """Each copy of the network n times, to go on apart with another random stream."""
        other = copy.copy(self)
        other._rng = rng
        for name in ("positions_m", "_left_m", "_heading"):
            setattr(other, name, np.repeat(getattr(self, name), n, axis=0))
        other._ahead, other.speeds_mps = self._ahead.copy(), self.speeds_mps.copy()
        other._flights = {ue: flight.copy() for ue, flight in self._flights.items()}
        return other

    def obey(self, before: ControlState, after: ControlState) -> None:
        """Send those elsewhere whose waypoint has changed."""
        for name, ue in self._names.items():
            if ue in self._flights:
                to = after.ues[name].waypoint
                if to and to != before.ues[name].waypoint:
                    self._flights[ue].fly_to((to.x_m, to.y_m, to.z_m), to.speed_mps)

    def see(self, now: Kpis) -> None:
        """Correct positions and charges."""
        self.positions_m = np.repeat(_positions_m(now)[None], len(self.positions_m), axis=0)
        charge = now.column("ue", "battery_pct").astype(float)
        for ue, flight in self._flights.items():
            flight.see(tuple(self.positions_m[0, ue]), float(charge[ue]))

    def run(self, time_s: float) -> None:
        """Let time pass."""
        self.positions_m = self.positions_m.copy()
        if len(self._walkers):
            self._walk(time_s)
        if len(self._drivers):
            self._drive(time_s)
        for ue, flight in self._flights.items():
            flight.run(time_s)
            self.positions_m[:, ue] = flight.position
            self.speeds_mps[ue] = flight.speed_mps

    def _walk(self, time_s: float) -> None:
        here = self.positions_m[:, self._walkers, :2]
        rest_m = np.broadcast_to(self.speeds_mps[self._walkers] * time_s, self._left_m.shape).copy()
        leg_m, bound_m = np.minimum(LEG_M, self._bound_m), self._bound_m[:, None]
        while (rest_m > 0).any():
            goes_m = np.minimum(rest_m, self._left_m)
            way = np.stack([np.cos(self._heading), np.sin(self._heading)], -1)
            here = here + goes_m[..., None] * way
            bounced = np.abs(here) > bound_m
            here = np.where(bounced, 2 * np.sign(here) * bound_m - here, here)
            way = np.where(bounced, -way, way)
            self._heading = np.arctan2(way[..., 1], way[..., 0])
            rest_m, self._left_m = rest_m - goes_m, self._left_m - goes_m
            done = self._left_m <= 0
            if done.any():
                turned = self._rng.uniform(-np.pi, np.pi, done.shape)
                self._heading = np.where(done, turned, self._heading)
                self._left_m = np.where(done, leg_m, self._left_m)
        self.positions_m[:, self._walkers, :2] = here

    def _drive(self, time_s: float) -> None:
        """Positions along a road and back unfold into ones on a circle of twice its length."""
        here = self.positions_m[0, self._drivers, :2]
        at = (here * self._along).sum(-1)
        end, length = self._end_m, 4 * self._end_m
        to_go = np.where(np.abs(at) > end, np.abs(self._ahead * end - at), end - self._ahead * at)
        step_m = self.speeds_mps[self._drivers] * time_s
        over = step_m - to_go
        toward = np.sign(self._ahead * end - at)
        round_m = np.mod(over, length)
        returns = round_m > 2 * end
        beyond = self._ahead * np.where(returns, round_m - 3 * end, end - round_m)
        arrived = over >= 0
        new = np.where(arrived, beyond, at + toward * step_m)
        self._ahead = np.where(arrived, self._ahead * np.where(returns, 1, -1), self._ahead)
        there = here + (new - at)[:, None] * self._along
        self.positions_m[:, self._drivers, :2] = there


def _positions_m(kpis: Kpis) -> Floats:
    return np.stack([kpis.column("ue", f"{axis}_m").astype(float) for axis in "xyz"], -1)


def _place(scenario: ScenarioConfig, ue: int) -> int:
    """Number of a user in its group."""
    groups = scenario.ue_groups
    return ue - next(i for i, group in enumerate(groups) if group is groups[ue])


def _flight(
    group: UserGroup,
    number: int,
    ordered: WaypointControl | None,
    now: Kpis,
    before: Kpis,
    ue: int,
) -> Flight:
    """A UAV under way: on its mission, or to where it was ordered.

    Which waypoint of its mission is next shows in its course; each UAV of a group begins with
    another one.
    """
    mobility = group.mobility
    assert isinstance(mobility, Uav)
    here, was = _positions_m(now)[ue], _positions_m(before)[ue]
    charge = float(now.column("ue", "battery_pct")[ue])
    points = [np.array([p.x_m, p.y_m, p.z_m], float) for p in mobility.waypoints]
    initial = points[0] if points else None
    ordered_to = np.array([ordered.x_m, ordered.y_m, ordered.z_m]) if ordered else None
    is_ordered = ordered_to is not None and (
        initial is None
        or (ordered_to != initial).any()
        or (ordered is not None and ordered.speed_mps != mobility.speed_mps)
    )
    battery = mobility.battery_wh, charge
    at = (float(here[0]), float(here[1]), float(here[2]))
    if is_ordered and points and ordered is not None:
        to = (ordered.x_m, ordered.y_m, ordered.z_m)
        return Flight(at, [to], ordered.speed_mps, False, *battery)
    first = number % max(1, len(points))
    points = points[first:] + points[:first]
    course = here - was
    if points and course.any():
        fits = [_cosine(course, p - here) for p in points]
        next_ = int(np.argmax(np.round(fits, 6)))
        points = points[next_:] + (points[:next_] if mobility.repeat else [])
    elif not mobility.repeat:
        points = []
    mission = [(float(p[0]), float(p[1]), float(p[2])) for p in points]
    return Flight(at, mission, mobility.speed_mps, mobility.repeat, *battery)


def _cosine(a: Floats, b: Floats) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else -1.0
