# SPDX-License-Identifier: Apache-2.0
"""Power of cells, which follows from what they transmit and how long they sleep (TR 38.864).

Trees that learn power from everything give a little of it to controls that do not touch it, and too
little to those that do; where it is an equation, it is not left to them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.network import SLEEP_MODES, Floats, Network
from calibration.trajectory import Table


@dataclass(frozen=True)
class Powers:
    """Relative powers of a base station category (TR 38.864 Tables 5.1-1 and 5.1-2)."""

    light: float
    micro: float
    uplink: float
    downlink: float
    """All resource blocks at the configured power."""


CATEGORIES = {1: Powers(25, 55, 110, 280), 2: Powers(2.1, 5.5, 6.5, 32)}


def power_w(network: Network, cell: Table, controls: Table, outside: Table) -> Floats:
    """Mean power of each cell in an interval, shape (..., C).

    What wake-ups take is left out. In deep sleep, where it is not known how long a cell that would
    sleep must stay awake, power stays what `cell` says.

    Args:
        network: static facts.
        cell: KPIs of cells: `dl_prb_util_pct`, `sleep_pct` and `power_w`.
        controls: in force.
        outside: faults.
    """
    energy = network.scenario.radio.energy
    powers = CATEGORIES[energy.category]
    configured_dbm, slots = network.configured_dbm, network.dl_slots
    mode, asleep = controls["sleep_mode"], cell["sleep_pct"] / 100
    transmitted = slots * cell["dl_prb_util_pct"] / 100
    transmitted = transmitted * 10 ** ((controls["tx_power_dbm"] - configured_dbm) / 10)
    awake = powers.uplink * (1 - outside["outage"])
    awake = awake + (powers.downlink - powers.uplink) * transmitted
    idle = np.select(
        [mode == SLEEP_MODES.index(name) for name in ("on", "micro", "light")],
        [powers.uplink, powers.micro, powers.light],
        0.0,
    )
    found = energy.unit_w * np.maximum(awake - (powers.uplink - idle) * asleep, 0)
    return np.where(mode == SLEEP_MODES.index("deep"), cell["power_w"], found)
