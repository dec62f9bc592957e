# SPDX-License-Identifier: GPL-2.0-only
"""One running simulation: a scenario put together in ns-3, advanced interval by interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import _ran
import numpy as np

from ns3_scenarios.controls import CellControl, ControlState, UeControl
from ns3_scenarios.scenario import ScenarioConfig, resource_blocks
from ns3_scenarios.worker.inside import traffic
from ns3_scenarios.worker.inside.alarms import Alarms
from ns3_scenarios.worker.inside.building import (
    add_cells,
    add_infrastructure,
    add_users,
    queue_spec,
)
from ns3_scenarios.worker.inside.faults import Faults
from ns3_scenarios.worker.inside.rates import Rates
from ns3_scenarios.worker.inside.routes import Routes
from ns3_scenarios.worker.inside.tables import IntervalTables

if TYPE_CHECKING:
    import pyarrow as pa

NS3_SEED = 1
"""ns-3 advises one seed and many run numbers for independent replications."""


def preload() -> None:
    """Load and compute what every child can share."""
    _ran.warm_up()
    IntervalTables.warm_up()
    for name, value in traffic.TCP_DEFAULTS.items():
        _ran.set_default(name, value)


class Simulation:
    """A scenario running in this process. Only one can exist in a process's life."""

    def __init__(self, scenario: ScenarioConfig, seed: int) -> None:
        self._scenario = scenario
        self._groups = scenario.ue_groups
        _ran.set_seed(NS3_SEED, seed)
        self._network = _ran.Network()
        self._interval = 0
        self._controls = ControlState.initial(scenario)
        self._cells = add_cells(self._network, scenario)
        add_infrastructure(self._network, scenario)
        add_users(self._network, scenario, np.random.default_rng(seed))
        for cell, name in zip(self._cells, scenario.cell_ids, strict=True):
            self._set_cell(cell, name, None, self._controls.cells[name])
        self._routes = Routes(scenario, self._network)
        self._network.start()
        self._rates = Rates(scenario, self._network)
        self._faults = Faults(scenario, seed, self._network, self._cells, self._rates)
        self._tables = IntervalTables(scenario)
        self._alarms = Alarms(scenario)

    @property
    def events(self) -> int:
        """ns-3 events executed so far."""
        return int(_ran.event_count())

    @property
    def controls(self) -> ControlState:
        """The controls in force; orders that have been given are no longer in it."""
        return self._controls

    def apply(self, controls: ControlState) -> None:
        """Put controls into force at the next slot."""
        geometry = links = False
        for cell, name in zip(self._cells, self._scenario.cell_ids, strict=True):
            old, new = self._controls.cells[name], controls.cells[name]
            if old == new:
                continue
            self._set_cell(cell, name, old, new)
            geometry = geometry or old.tilt_deg != new.tilt_deg
            links = True
        ordered = [
            self._set_user(index, self._controls.ues[name], controls.ues[name])
            for index, name in enumerate(self._scenario.ue_ids)
        ]
        self._rates.set_controls(controls)
        self._routes.set_controls(controls)
        self._set_links(controls)
        self._set_applications(controls)
        if any(ordered):
            given = {
                name: ue.model_copy(update={"target_cell": ""}) for name, ue in controls.ues.items()
            }
            controls = controls.model_copy(update={"ues": given})
        self._controls = controls
        if geometry:
            self._network.refresh_geometry()
        elif links:
            self._network.refresh_links()
        self._network.wake()

    def redraw(self, seed: int) -> None:
        """Draw from other random streams from now on."""
        self._network.redraw(seed)

    def advance(self) -> dict[str, pa.RecordBatch]:
        """Run one reporting interval and report it."""
        start_ns = _ran.now_ns()
        end_ns = start_ns + round(self._scenario.interval_ms * 1e6)
        while (turn_ns := self._faults.next_ns()) is not None and turn_ns < end_ns:
            if turn_ns > _ran.now_ns():
                self._network.advance(turn_ns - _ran.now_ns())
            self._faults.turn()
        self._network.advance(end_ns - _ran.now_ns())
        raw = self._network.collect(start_ns)
        tables = self._tables.build(self._interval, raw, self._controls, self._faults)
        alarms = self._alarms.update(tables, self._faults.take_seen())
        tables["alarm"] = self._tables.batch("alarm", self._interval, alarms)
        self._interval += 1
        return tables

    def close(self) -> None:
        """Let go of ns-3's objects."""
        self._network = None

    def _set_cell(self, cell: Any, name: str, old: CellControl | None, new: CellControl) -> None:
        """Set what is new of a cell; all of it if there is no old."""

        def changed(*fields: str) -> bool:
            return old is None or any(getattr(old, f) != getattr(new, f) for f in fields)

        if changed("bandwidth_mhz", "numerology"):
            carrier = self._scenario.cell_carrier(name)
            as_configured = (new.bandwidth_mhz, new.numerology) == (
                carrier.bandwidth_mhz,
                carrier.numerology,
            )
            n_rb = (
                carrier.resource_blocks
                if as_configured
                else resource_blocks(carrier.frequency_ghz, new.bandwidth_mhz, new.numerology)
            )
            cell.set_grid(new.numerology, n_rb, carrier.rbg_size_rb or 0)
        if changed("slices"):
            cell.set_shares(
                [
                    _ran.SliceShare(share.dedicated_pct, share.min_pct, share.max_pct)
                    for share in (new.slices[s.name] for s in self._scenario.slices)
                ]
            )
        cell.set_tx_power(new.tx_power_dbm)
        cell.set_tilt(new.tilt_deg)
        if changed("scheduler"):
            cell.set_scheduler(getattr(_ran.Policy, new.scheduler))
        if changed("target_bler"):
            cell.set_target_bler(new.target_bler)
        if changed("sleep_mode", "wake_prb_pct"):
            cell.set_sleep(getattr(_ran.SleepMode, new.sleep_mode), new.wake_prb_pct)
        if changed("handover") and new.handover:
            offsets = np.zeros(self._scenario.n_cells)
            for neighbour, offset_db in new.handover.cio_db.items():
                offsets[self._scenario.cell_ids.index(neighbour)] = offset_db
            cell.set_a3(
                new.handover.a3_offset_db,
                new.handover.hysteresis_db,
                new.handover.ttt_ms,
                offsets.tolist(),
            )

    def _set_links(self, controls: ControlState) -> None:
        for index, link in enumerate(self._scenario.links):
            queue = controls.links[link.name].queue
            if queue != self._controls.links[link.name].queue:
                self._network.set_queue(index, queue_spec(link, queue))

    def _set_applications(self, controls: ControlState) -> None:
        for index, (name, new) in enumerate(controls.applications.items()):
            if new != self._controls.applications[name]:
                site = self._scenario.anchors.index(new.site) - 1
                self._network.set_application(index, site, new.fraction)

    def _set_user(self, index: int, old: UeControl, new: UeControl) -> bool:
        """Set what is new of a user; says whether an order was given that holds only once."""
        if old == new:
            return False
        group = self._groups[index]
        slices = [s.name for s in self._scenario.slices]
        for flow, name in enumerate(new.flows):
            if old.flows[name].slice != new.flows[name].slice:
                qos = self._scenario.flow_qos(group, flow, new.flows[name].slice)
                self._network.set_slice(
                    index,
                    flow,
                    slices.index(new.flows[name].slice),
                    qos.delay_budget_ms,
                    qos.guaranteed_mbps * 1e6,
                )
        if new.waypoint and new.waypoint != old.waypoint:
            to = new.waypoint
            self._network.fly_to(index, (to.x_m, to.y_m, to.z_m), to.speed_mps)
        if new.target_cell:
            target = self._scenario.cell_ids.index(new.target_cell)
            self._network.order_handover(index, target)
        return bool(new.target_cell)
