# SPDX-License-Identifier: Apache-2.0
"""Everything that happens to a network from outside: `World`."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.network import Floats, Network
from calibration.trajectory import Table, fault_arrays
from env.kpis import Columns, Kpis
from env.world.alarms import Alarms, columns
from env.world.motion import Motion
from env.world.traffic import Sources
from ns3_scenarios.controls import ControlState
from ns3_scenarios.scenario import BatteryLow, Fault, LinkCut, LinkDegraded


@dataclass(frozen=True)
class Links:
    """What faults make of links at the end of an interval, by direction, shape (L,)."""

    up: NDArray[np.bool_]
    rate_mbps: Floats
    propagation_ms: Floats


class World:
    """The outside world of B copies of a network, at first one.

    Equal arguments make equal worlds: what users send, where they go and what fails depend on
    nothing else but the controls.

    Args:
        network: that it is about.
        seed: of the episode.
        history: KPIs of at least two intervals, the oldest first.
        controls: in force.
    """

    def __init__(
        self, network: Network, seed: int, history: Sequence[Kpis], controls: ControlState
    ) -> None:
        scenario = network.scenario
        self._network = network
        self._interval_s = scenario.interval_ms * 1e-3
        now, before = history[-1], history[-2]
        self.interval = now.interval + 1
        """Intervals done."""
        entropy = [int(scenario.config_hash(), 16), seed, self.interval]
        self._rngs = [np.random.default_rng([*entropy, stream]) for stream in range(2)]
        sent_bits = now.column("flow", "sent_bits")
        self._sources = Sources(
            network, self._rngs[0], sent_bits.astype(float), self.interval * self._interval_s
        )
        self.motion = Motion(network, self._rngs[1], now, before, controls)
        self._faults = scenario.all_faults(seed)
        self._charges: dict[tuple[int, int], float] = {}
        self._alarms = [Alarms(scenario)]
        self._alarms[0].see(now.table("alarm"))
        self._seen: list[tuple[Fault, bool]] = []

    @property
    def state(self) -> list[object]:
        """All that decides, with the controls, what comes next; arrays and JSON data."""
        return [
            self.interval,
            self._sources.state,
            self.motion.state,
            [flight.state for flight in self.motion.flights.values()],
            [alarms.state for alarms in self._alarms],
            [[*key, value] for key, value in self._charges.items()],
            [rng.bit_generator.state for rng in self._rngs],
        ]

    def copies(self, n: int, rng: np.random.Generator) -> World:
        """Each copy of the network n times, to go on apart with another random stream."""
        other = copy.copy(self)
        traffic, movement = rng.spawn(2)
        other._rngs = [traffic, movement]
        other._sources = self._sources.copies(n, traffic)
        other.motion = self.motion.copies(n, movement)
        other._alarms = [alarms.copy() for alarms in self._alarms for _ in range(n)]
        other._charges = dict(self._charges)
        return other

    def imagined(self, n: int, rng: np.random.Generator) -> World:
        """Copies that go on as far as anybody can know now.

        Traffic and movement are drawn from another stream, what has failed stays so, and nothing
        else fails.
        """
        other = self.copies(n, rng)
        now_s = self.interval * self._interval_s
        other._faults = tuple(
            fault.model_copy(update={"duration_s": math.inf})
            if fault.start_s < now_s <= fault.end_s
            else fault.model_copy(update={"start_s": -1.0, "duration_s": 0.5})
            for fault in self._faults
        )
        return other

    def see(self, now: Kpis) -> None:
        """Correct it by what has really been in the interval that it has run last."""
        self.motion.see(now)
        self._alarms[0].see(now.table("alarm"))

    def run(self, controls: Table) -> Table:
        """Let an interval pass.

        Args:
            controls: in force in it, without an axis of copies; only `fraction` may have one.

        Returns:
            What comes from outside, with the copies as first axis: as in `Trajectory.outside`, and
            positions `x_m`, `y_m`, `z_m` of users.
        """
        start_s, end_s = (i * self._interval_s for i in (self.interval, self.interval + 1))
        touching = [f for f in self._faults if f.end_s >= start_s and f.start_s < end_s]
        self._seen = [(f, f.end_s >= end_s) for f in touching]
        one = fault_arrays(self._network, touching, 1, self.interval)
        sent = self._sources.sent_bits(controls, one["surge"][0])
        self._move(start_s, end_s)
        self.interval += 1
        outside = {name: np.repeat(values, len(sent), axis=0) for name, values in one.items()}
        positions = self.motion.positions_m
        axes = {f"{axis}_m": positions[..., i] for i, axis in enumerate("xyz")}
        return {**outside, "sent_bits": sent, **axes}

    def _move(self, start_s: float, end_s: float) -> None:
        """Move users; cells of batteries fail and come back in between."""
        turns = [
            (at_s, begins, index, fault)
            for index, fault in enumerate(self._faults)
            if isinstance(fault, BatteryLow)
            for at_s, begins in ((fault.start_s, True), (fault.end_s, False))
            if start_s <= at_s < end_s
        ]
        for at_s, begins, index, fault in sorted(turns, key=lambda turn: turn[:3]):
            self.motion.run(at_s - start_s)
            start_s = at_s
            for ue, flight in self.motion.flights.items():
                if self._network.scenario.ue_groups[ue].name != fault.users:
                    continue
                charge = flight.charge_pct
                if begins:
                    self._charges[index, ue] = max(0.0, charge - fault.battery_pct)
                    flight.charge_pct = min(charge, fault.battery_pct)
                else:
                    flight.charge_pct = charge + self._charges.pop((index, ue), 0.0)
        self.motion.run(end_s - start_s)

    def links(self) -> Links:
        """Links at the end of the last interval, which is when their state is reported."""
        network = self._network
        up = np.ones(len(network.link_names), bool)
        rate, propagation = network.link_mbps.copy(), network.link_delay_ms.copy()
        for fault, holds in self._seen:
            if holds and isinstance(fault, LinkCut | LinkDegraded):
                at = [i for i, name in enumerate(network.link_names) if name == fault.link]
                if isinstance(fault, LinkCut):
                    up[at] = False
                else:
                    rate[at] *= fault.rate_pct / 100
                    propagation[at] += fault.extra_delay_ms
        return Links(up, rate, propagation)

    def outages(self) -> set[str]:
        """Cells that are out at the end of the last interval."""
        return {f.cell for f, holds in self._seen if holds and f.kind == "cell_outage"}

    def alarms(self, now: dict[str, Table]) -> list[Columns]:
        """The alarms of the last interval, of each copy.

        Args:
            now: KPIs of the interval, with the copies as first axis.
        """
        charge = self.motion.charges_pct()
        time_ms = self.interval * self._network.scenario.interval_ms
        edge = now["edge"].get("util_pct")
        return [
            columns(
                alarms.update(
                    time_ms,
                    self._seen,
                    now["cell"]["dl_prb_util_pct"][i],
                    np.zeros(0) if edge is None else edge[i],
                    charge,
                    np.zeros(len(charge), bool),
                )
            )
            for i, alarms in enumerate(self._alarms)
        ]
