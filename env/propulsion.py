# SPDX-License-Identifier: Apache-2.0
"""Power of a UAV's propulsion.

Zeng, Xu and Zhang, "Energy Minimization for Wireless Communication With Rotary-Wing UAV", IEEE
Trans. Wireless Commun. 18(4), 2019, eq. 12 with Table I, plus weight times climb.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

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
"""Power of avionics and radio."""


def propulsion_w(velocity: NDArray[np.float64]) -> float:
    """Power of a rotary wing that flies with a velocity (x, y, z), m/s."""
    profile: float = BLADE_DRAG / 8 * AIR_KG_M3 * SOLIDITY * DISC_M2 * TIP_MPS**3
    induced = (1 + INDUCED_CORRECTION) * WEIGHT_N**1.5 / math.sqrt(2 * AIR_KG_M3 * DISC_M2)
    v2 = float(velocity[0] ** 2 + velocity[1] ** 2)
    x = v2 / (2 * INDUCED_MPS**2)
    level: float = (
        profile * (1 + 3 * v2 / TIP_MPS**2)
        + induced * math.sqrt(1 / (math.sqrt(1 + x * x) + x))
        + FUSELAGE_DRAG * AIR_KG_M3 * SOLIDITY * DISC_M2 * v2**1.5 / 2
    )
    return max(0.0, level + WEIGHT_N * float(velocity[2]))
