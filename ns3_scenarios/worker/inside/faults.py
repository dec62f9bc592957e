# SPDX-License-Identifier: GPL-2.0-only
"""Lets faults begin and end while a simulation runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ns3_scenarios.scenario import (
    BatteryLow,
    CellOutage,
    EdgeOverload,
    Fault,
    InterferenceBurst,
    LinkCut,
    LinkDegraded,
    ScenarioConfig,
    TrafficSurge,
)
from ns3_scenarios.worker.inside.rates import Rates


@dataclass(frozen=True)
class LinkState:
    """What faults make of a link."""

    up: bool = True
    rate_factor: float = 1.0
    extra_delay_ms: float = 0.0
    loss: float = 0.0
    """Share of packets, besides those that the link loses by itself."""


class Faults:
    """The faults of a run, in the order of time.

    Faults of one element may overlap: a link is cut as long as one fault cuts it, delays add up,
    rates and shares of packets that are not lost multiply, and of several noise rises, surges and
    overloads the greatest holds.
    """

    def __init__(
        self, scenario: ScenarioConfig, seed: int, network: Any, cells: list[Any], rates: Rates
    ) -> None:
        self._scenario = scenario
        self._network = network
        self._cells = cells
        self._rates = rates
        self._link_names = [link.name for link in scenario.links]
        faults = scenario.all_faults(seed)
        turns = [(f.start_s, 1, i, f) for i, f in enumerate(faults)]
        turns += [(f.end_s, 0, i, f) for i, f in enumerate(faults)]
        self._turns = sorted(turns, key=lambda turn: turn[:3])
        self._active: dict[int, Fault] = {}
        self._ended: list[Fault] = []
        self._charges: dict[tuple[int, int], float] = {}

    def take_seen(self) -> list[tuple[Fault, bool]]:
        """Faults that held at any time since the last call, and whether they still do."""
        seen = [(fault, False) for fault in self._ended]
        seen += [(fault, True) for fault in self._active.values()]
        self._ended = []
        return seen

    def next_ns(self) -> int | None:
        """When the next fault begins or ends, if one does."""
        return round(self._turns[0][0] * 1e9) if self._turns else None

    def turn(self) -> None:
        """Let the next fault begin or end."""
        _, begins, index, fault = self._turns.pop(0)
        if begins:
            self._active[index] = fault
        else:
            self._ended.append(self._active.pop(index))
        match fault:
            case LinkCut() | LinkDegraded():
                self._set_link(fault.link)
            case CellOutage():
                cell = self._cells[self._scenario.cell_ids.index(fault.cell)]
                cell.set_outage(any(f.cell == fault.cell for f in self._of(CellOutage)))
            case InterferenceBurst():
                rises = [
                    f.noise_rise_db for f in self._of(InterferenceBurst) if f.cell == fault.cell
                ]
                cell = self._cells[self._scenario.cell_ids.index(fault.cell)]
                cell.set_noise_rise(max(rises, default=0.0))
                self._network.refresh_links()
            case TrafficSurge():
                factors = [f.factor for f in self._of(TrafficSurge) if f.slice == fault.slice]
                self._rates.set_surge(fault.slice, max(factors, default=1.0))
            case EdgeOverload():
                loads = [f.load_pct for f in self._of(EdgeOverload) if f.site == fault.site]
                site = self._scenario.anchors.index(fault.site) - 1
                self._network.set_background_load(site, max(loads, default=0.0) / 100)
            case BatteryLow():
                self._set_batteries(index, fault, bool(begins))
        self._network.wake()

    def _of(self, kind: type[Any]) -> list[Any]:
        return [fault for fault in self._active.values() if isinstance(fault, kind)]

    def link_state(self, name: str) -> LinkState:
        """What the faults that hold now make of a link."""
        up = not any(f.link == name for f in self._of(LinkCut))
        rate, delay_ms, kept = 1.0, 0.0, 1.0
        for fault in self._of(LinkDegraded):
            if fault.link == name:
                rate *= fault.rate_pct / 100
                delay_ms += fault.extra_delay_ms
                kept *= 1 - fault.loss_pct / 100
        return LinkState(up, rate, delay_ms, 1 - kept)

    def _set_link(self, name: str) -> None:
        state = self.link_state(name)
        self._network.set_link_state(
            self._link_names.index(name),
            state.up,
            state.rate_factor,
            state.extra_delay_ms,
            state.loss,
        )

    def _set_batteries(self, index: int, fault: BatteryLow, begins: bool) -> None:
        """A failed cell takes its charge along, and brings it back when it works again."""
        for ue, group in enumerate(self._scenario.ue_groups):
            if group.name != fault.users:
                continue
            charge = self._network.charge(ue)
            if begins:
                self._charges[index, ue] = max(0.0, charge - fault.battery_pct)
                self._network.set_charge(ue, min(charge, fault.battery_pct))
            else:
                self._network.set_charge(ue, charge + self._charges.pop((index, ue)))
