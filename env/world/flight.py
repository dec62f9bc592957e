# SPDX-License-Identifier: Apache-2.0
"""UAVs on a route with a battery: `Flight`.

Power of propulsion by Zeng, Xu and Zhang, "Energy Minimization for Wireless Communication With
Rotary-Wing UAV", IEEE Trans. Wireless Commun. 18(4), 2019, eq. 12 with Table I, plus weight times
climb and 10 W of avionics and radio. An empty battery lands the UAV.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np

from calibration.network import Floats

WEIGHT_N = 20.0
AIR_KG_M3 = 1.225
DISC_M2 = 0.503
SOLIDITY = 0.05
BLADE_DRAG = 0.012
TIP_MPS = 120.0
INDUCED_CORRECTION = 0.1
INDUCED_MPS = 4.03
FUSELAGE_DRAG = 0.6
BASE_W = 10.0
GROUND_M = 1.5
"""Height at which a UAV stands on the ground."""
LANDING_MPS = 2.0

Point = tuple[float, float, float]


def propulsion_w(velocity: Floats) -> float:
    """Power of a rotary wing that flies with a velocity (x, y, z), m/s."""
    profile: float = BLADE_DRAG / 8 * AIR_KG_M3 * SOLIDITY * DISC_M2 * TIP_MPS**3
    induced = (1 + INDUCED_CORRECTION) * WEIGHT_N**1.5 / math.sqrt(2 * AIR_KG_M3 * DISC_M2)
    v2 = float(velocity[0]) ** 2 + float(velocity[1]) ** 2
    x = v2 / (2 * INDUCED_MPS**2)
    level: float = (
        profile * (1 + 3 * v2 / TIP_MPS**2)
        + induced * math.sqrt(1 / (math.sqrt(1 + x * x) + x))
        + FUSELAGE_DRAG * AIR_KG_M3 * SOLIDITY * DISC_M2 * v2**1.5 / 2
    )
    return max(0.0, level + WEIGHT_N * float(velocity[2]))


class Flight:
    """One UAV.

    Args:
        position: at present, m.
        points: where it flies, the next one first.
        speed_mps: at which.
        repeats: whether it flies them again and again, or hovers at the last.
        capacity_wh: of its battery.
        charge_pct: at present.
    """

    def __init__(
        self,
        position: Point,
        points: Sequence[Point],
        speed_mps: float,
        repeats: bool,
        capacity_wh: float,
        charge_pct: float,
    ) -> None:
        self.position = np.array(position)
        self.capacity_j = capacity_wh * 3600
        self.energy_j = charge_pct / 100 * self.capacity_j
        self._points = [np.array(p) for p in points]
        self._speed_mps, self._repeats = speed_mps, repeats

    @property
    def charge_pct(self) -> float:
        """State of charge."""
        return 100 * self.energy_j / self.capacity_j

    @charge_pct.setter
    def charge_pct(self, percent: float) -> None:
        self.energy_j = percent / 100 * self.capacity_j
        if self.energy_j <= 0:
            self._land()

    @property
    def speed_mps(self) -> float:
        """At present; 0 while it hovers or stands."""
        return self._speed_mps if self._target() is not None else 0.0

    @property
    def state(self) -> list[object]:
        """Everything that decides where it goes."""
        points = [p.tolist() for p in self._points]
        return [self.position.tolist(), points, self._speed_mps, self._repeats, self.energy_j]

    def copy(self) -> Flight:
        """The same, to go on apart."""
        other = copy.copy(self)
        other._points = list(self._points)
        return other

    def fly_to(self, point: Point, speed_mps: float) -> None:
        """Go straight to a point, to hover there."""
        self._points, self._speed_mps, self._repeats = [np.array(point)], speed_mps, False

    def see(self, position: Point, charge_pct: float) -> None:
        """Correct where it is and what is in its battery."""
        self.position = np.array(position)
        self.energy_j = charge_pct / 100 * self.capacity_j

    def run(self, time_s: float) -> None:
        """Let time pass."""
        while time_s > 0:
            target = self._target()
            way = np.zeros(3) if target is None else target - self.position
            length = float(np.linalg.norm(way))
            velocity = way / length * self._speed_mps if length else way
            leg_s = min(time_s, length / self._speed_mps) if length else time_s
            flies = length > 0 or self.position[2] > GROUND_M
            power_w = BASE_W + (propulsion_w(velocity) if flies else 0.0)
            lasts_s = self.energy_j / power_w if self.energy_j > 0 else math.inf
            if lasts_s < leg_s:
                leg_s, self.energy_j = lasts_s, 0.0
                self.position = self.position + velocity * leg_s
                self._land()
            else:
                self.energy_j -= power_w * leg_s if self.energy_j > 0 else 0.0
                arrives = length > 0 and leg_s >= length / self._speed_mps
                if arrives and target is not None:
                    self.position = target
                    self._pass()
                else:
                    self.position = self.position + velocity * leg_s
            time_s -= leg_s

    def _target(self) -> Floats | None:
        """Where it goes next, if it goes anywhere."""
        for _ in range(len(self._points)):
            if (self._points[0] != self.position).any():
                return self._points[0]
            self._pass()
            if not self._points:
                break
        return None

    def _pass(self) -> None:
        first = self._points.pop(0)
        if self._repeats:
            self._points.append(first)

    def _land(self) -> None:
        x, y, z = (float(c) for c in self.position)
        self.fly_to((x, y, min(z, GROUND_M)), LANDING_MPS)
