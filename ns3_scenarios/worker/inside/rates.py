# SPDX-License-Identifier: GPL-2.0-only
"""How much the applications send: less when their slice is degraded, more in a surge."""

from __future__ import annotations

from typing import Any

from ns3_scenarios.controls import ControlState
from ns3_scenarios.scenario import Application, ScenarioConfig, Traffic


class Rates:
    """Keeps the rate factor of every flow up to date."""

    def __init__(self, scenario: ScenarioConfig, network: Any) -> None:
        self._network = network
        self._groups = scenario.ue_groups
        self._items = {
            group.name: (*group.traffic, *scenario.applications(group)) for group in scenario.users
        }
        self._controls = ControlState.initial(scenario)
        self._surges: dict[str, float] = {}
        self._factors: dict[tuple[int, int], float] = {}

    def set_controls(self, controls: ControlState) -> None:
        """Take over the degradation of the slices, and which slice each flow is in."""
        known = self._controls
        self._controls = controls
        if (known.slices, known.ues) != (controls.slices, controls.ues):
            self._update()

    def set_surge(self, slice_name: str, factor: float) -> None:
        """Let the applications of a slice send more; 1 is as usual."""
        self._surges[slice_name] = factor
        self._update()

    def _update(self) -> None:
        ues = zip(self._controls.ues.values(), self._groups, strict=True)
        for ue, (control, group) in enumerate(ues):
            flows = zip(control.flows.values(), self._items[group.name], strict=True)
            for flow, (settings, item) in enumerate(flows):
                factor = self._factor(item, settings.slice)
                if factor != self._factors.get((ue, flow), 1.0):
                    self._factors[ue, flow] = factor
                    full_bps = getattr(item, "full_mbps", 0.0) * 1e6
                    self._network.set_rate_factor(ue, flow, factor, full_bps)

    def _factor(self, item: Traffic | Application, slice_name: str) -> float:
        surge = self._surges.get(slice_name, 1.0)
        match self._controls.slices[slice_name].degradation:
            case "none":
                return surge
            case "reduce_rate":
                return surge * item.reduced_pct / 100
            case _:
                return surge * item.reduced_pct / 100 if item.essential else 0.0
