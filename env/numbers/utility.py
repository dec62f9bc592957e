# SPDX-License-Identifier: Apache-2.0
"""How well a network does in an interval, as one number: `utility`."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calibration.network import Floats
from env.numbers.kpis import Read, full_power_w
from env.sla import ELASTIC
from ns3_scenarios.scenario import ScenarioConfig

ENERGY_WEIGHT = 0.5
"""What the energy of a fully loaded network weighs against serving all slices as promised."""
ELASTIC_MBPS = 0.1, 100.0
"""Rates per user at which elastic traffic counts as served not at all, and as well as can be."""


class Utility:
    """Mean satisfaction of slices less what energy weighs.

    A slice is satisfied by the share of its packets that arrive, and arrive within their delay
    budget; fully where it sends nothing, not at all where nothing arrives. A slice with elastic
    traffic, which takes what it gets, is satisfied by the logarithm of its rate per user instead.
    Energy is the power of all cells over what they take when fully loaded.

    Args:
        scenario: of the network.
    """

    def __init__(self, scenario: ScenarioConfig) -> None:
        names = [s.name for s in scenario.slices]
        elastic = {
            group.slice
            for group in scenario.users
            if any(traffic.kind in ELASTIC for traffic in group.traffic)
        }
        self._elastic: NDArray[np.bool_] = np.array([name in elastic for name in names])
        users = [sum(g.slice == name for g in scenario.ue_groups) for name in names]
        self._users = np.maximum(users, 1)
        self._full_w = full_power_w(scenario) * len(scenario.cell_ids)

    def satisfaction(self, read: Read) -> Floats:
        """Of each slice, from 0 to 1; NaN where nothing is known; shape (B, S)."""
        delivered, offered = read("network", "throughput_mbps"), read("network", "offered_mbps")
        arrived = 1 - np.nan_to_num(read("network", "packet_loss_pct")) / 100
        served = arrived * read("network", "within_budget_pct") / 100
        served = np.where(np.isnan(served) & (delivered <= 0), np.where(offered > 0, 0.0, 1.0),
                          served)  # fmt: skip
        least, most = np.log10(ELASTIC_MBPS)
        rate = np.log10(np.maximum(delivered / self._users, ELASTIC_MBPS[0]))
        return np.clip(np.where(self._elastic, (rate - least) / (most - least), served), 0.0, 1.0)

    def energy(self, read: Read) -> Floats:
        """Power of the network over that under full load, shape (B,)."""
        return np.asarray(np.nansum(read("cell", "power_w"), axis=1) / self._full_w)

    def of(self, read: Read) -> Floats:
        """The utility, at most 1, shape (B,)."""
        satisfaction = self.satisfaction(read)
        known = ~np.isnan(satisfaction)
        mean = np.where(known, satisfaction, 0.0).sum(1) / np.maximum(known.sum(1), 1)
        return np.asarray(mean - ENERGY_WEIGHT * self.energy(read))


utility_of = lru_cache(maxsize=16)(Utility)
