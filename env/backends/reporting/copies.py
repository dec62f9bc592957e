# SPDX-License-Identifier: Apache-2.0
"""One copy of a network at the end of an interval: `Copy`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.network import Floats, Ints
from calibration.rolling import Moment
from calibration.trajectory import Table, taken
from env.backends.reporting.facts import Facts, Words, words
from env.world import Links


@dataclass(frozen=True)
class Surroundings:
    """What is alike in all copies of a network."""

    facts: Facts
    """Names and promises of its scenario."""
    links: Links
    outages: set[str]
    speeds_mps: Floats
    charges_pct: Floats


@dataclass(frozen=True)
class Copy:
    """One copy of a network."""

    moment: Moment
    index: int
    around: Surroundings
    _now: dict[str, Table] = field(default_factory=dict)

    @property
    def facts(self) -> Facts:
        """Names and promises of its scenario."""
        return self.around.facts

    @property
    def kbit(self) -> float:
        """Bits of an interval at 1 Mbit/s."""
        return self.moment.network.scenario.interval_ms * 1e3

    def now(self, table: str) -> Table:
        """A table of the interval."""
        if table not in self._now:
            self._now[table] = taken(self.moment.now[table], self.index)
        return self._now[table]

    def before(self, table: str) -> Table:
        """A table of the interval before."""
        return taken(self.moment.before[table], self.index)

    def control(self, name: str) -> NDArray[Any]:
        """The array of a control."""
        controls: NDArray[Any] = self.moment.controls[name][self.index]
        return controls

    def word(self, name: str, known: Sequence[str]) -> Words:
        """A control that is one of a few words."""
        named: Words = words(known)[self.control(name).astype(int)]
        return named

    def members(self, place_of_user: Ints, places: int) -> Floats:
        """Users that have a flow in each slice, by their place, shape (places, S)."""
        network = self.facts.network
        of_slice = self.control("row_slice")
        has_flow = np.zeros(len(network.ue_names) * network.n_slices, bool)
        has_flow[network.row_ue * network.n_slices + of_slice] = True
        pairs = np.flatnonzero(has_flow)
        user, slice_ = pairs // network.n_slices, pairs % network.n_slices
        count = np.bincount(
            place_of_user[user] * network.n_slices + slice_, minlength=places * network.n_slices
        )
        return count.astype(float).reshape(places, network.n_slices)
