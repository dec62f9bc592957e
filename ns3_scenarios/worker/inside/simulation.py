# SPDX-License-Identifier: GPL-2.0-only
"""One running simulation: a scenario put together in ns-3, advanced interval by interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import _ran
import numpy as np

from ns3_scenarios.controls import CellControl, ControlState
from ns3_scenarios.geometry import sector_bearings_deg, site_positions_m
from ns3_scenarios.scenario import Antenna, ScenarioConfig, UserGroup, resource_blocks
from ns3_scenarios.worker.inside import placement, traffic
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
        _ran.set_seed(NS3_SEED, seed)
        self._rng = np.random.default_rng(seed)
        self._network = _ran.Network()
        self._interval = 0
        self._controls = ControlState.initial(scenario)
        for carrier in scenario.carriers:
            self._network.add_carrier(_carrier_attributes(scenario, carrier.frequency_ghz))
        self._cells = self._add_cells()
        self._ue_slices: list[int] = []
        for group in scenario.users:
            self._add_users(group)
        for cell, name in zip(self._cells, scenario.cell_ids, strict=True):
            self._set_controls(cell, name, None, self._controls.cells[name])
        self._network.start()
        self._tables = IntervalTables(scenario, self._ue_slices)

    @property
    def events(self) -> int:
        """ns-3 events executed so far."""
        return int(_ran.event_count())

    @property
    def controls(self) -> ControlState:
        """The controls in force."""
        return self._controls

    def apply(self, controls: ControlState) -> None:
        """Put controls into force at the next slot."""
        geometry = links = False
        for cell, name in zip(self._cells, self._scenario.cell_ids, strict=True):
            old, new = self._controls.cells[name], controls.cells[name]
            if old == new:
                continue
            self._set_controls(cell, name, old, new)
            geometry = geometry or old.tilt_deg != new.tilt_deg
            links = True
        self._controls = controls
        if geometry:
            self._network.refresh_geometry()
        elif links:
            self._network.refresh_links()
        self._network.wake()

    def advance(self) -> dict[str, pa.RecordBatch]:
        """Run one reporting interval and report it."""
        start_ns = _ran.now_ns()
        self._network.advance(self._scenario.interval_ms * 1e-3)
        raw = self._network.collect(start_ns)
        tables = self._tables.build(self._interval, raw, self._controls)
        self._interval += 1
        return tables

    def close(self) -> None:
        """Let go of ns-3's objects."""
        self._network = None

    def _add_cells(self) -> list[Any]:
        scenario = self._scenario
        for position in site_positions_m(scenario.layout):
            self._network.add_site(*position)
        cells = []
        for cell in range(scenario.n_cells):
            carrier_index = cell % len(scenario.carriers)
            sector = cell // len(scenario.carriers) % scenario.layout.n_sectors
            site = cell // len(scenario.carriers) // scenario.layout.n_sectors
            antenna = _array(scenario.gnb_antenna)
            antenna.bearing_deg = sector_bearings_deg(scenario.layout)[sector]
            cells.append(
                self._network.add_cell(
                    site,
                    carrier_index,
                    antenna,
                    _cell_attributes(scenario, carrier_index),
                    {"RepetitionGain": _text(scenario.radio.repetition_gain)},
                )
            )
        return cells

    def _set_controls(
        self, cell: Any, name: str, old: CellControl | None, new: CellControl
    ) -> None:
        carrier = self._scenario.cell_carrier(name)
        if old is None or (old.bandwidth_mhz, old.numerology) != (
            new.bandwidth_mhz,
            new.numerology,
        ):
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
        if old is None or old.slices != new.slices:
            cell.set_shares(
                [
                    _ran.SliceShare(share.dedicated_pct, share.min_pct, share.max_pct)
                    for share in (new.slices[s.name] for s in self._scenario.slices)
                ]
            )
        cell.set_tx_power(new.tx_power_dbm)
        cell.set_tilt(new.tilt_deg)
        if old is None or old.scheduler != new.scheduler:
            cell.set_scheduler(getattr(_ran.Policy, new.scheduler))
        if old is None or old.target_bler != new.target_bler:
            cell.set_target_bler(new.target_bler)

    def _add_users(self, group: UserGroup) -> None:
        scenario = self._scenario
        slice_index = [s.name for s in scenario.slices].index(group.slice)
        slice_ = scenario.slices[slice_index]
        full = {t.direction for t in group.traffic if t.kind == "full_buffer"}
        positions = placement.user_positions(scenario, group, self._rng)
        bound_m = max(placement.network_radius_m(scenario), float(np.abs(positions).max()))
        for x_m, y_m, z_m in positions:
            spec = _ran.UeSpec()
            spec.x_m, spec.y_m, spec.z_m = x_m, y_m, z_m
            spec.slice = slice_index
            spec.delay_budget_ms = slice_.delay_budget_ms
            spec.guaranteed_bps = slice_.guaranteed_mbps * 1e6
            if group.mobility.kind == "random_walk":
                spec.walk_speed_mps = group.mobility.speed_mps
                spec.walk_bound_m = bound_m
            spec.downlink_full = "downlink" in full
            spec.uplink_full = "uplink" in full
            spec.internet = any(t.kind != "full_buffer" for t in group.traffic)
            spec.downlink_queue_bytes = round(scenario.radio.dl_queue_kb * 1000)
            spec.uplink_queue_bytes = round(scenario.radio.ul_queue_kb * 1000)
            spec.codel = scenario.radio.queue_discipline == "codel"
            ue = self._network.add_ue(spec, _array(scenario.ue_antenna))
            self._ue_slices.append(slice_index)
            for item in group.traffic:
                if item.kind == "full_buffer":
                    continue
                application = traffic.application(item, self._rng)
                self._network.add_application(
                    ue,
                    item.direction == "downlink",
                    application.type,
                    application.attributes,
                    application.tcp,
                    application.start_s,
                )


def _array(antenna: Antenna) -> Any:
    spec = _ran.ArraySpec()
    spec.element = antenna.element
    spec.rows = antenna.rows
    spec.columns = antenna.columns
    spec.tilt_deg = antenna.tilt_deg
    return spec


def _text(value: bool | float | str) -> str:
    """A value as ns-3 reads attributes."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _carrier_attributes(scenario: ScenarioConfig, frequency_ghz: float) -> dict[str, str]:
    propagation = scenario.propagation
    return {
        "Environment": propagation.environment,
        "LineOfSight": propagation.line_of_sight,
        "Shadowing": _text(propagation.shadowing),
        "Fading": _text(propagation.fading),
        "FadingPeriod": f"{propagation.fading_update_ms}ms",
        "Frequency": _text(frequency_ghz * 1e9),
    }


def _cell_attributes(scenario: ScenarioConfig, carrier_index: int) -> dict[str, str]:
    radio = scenario.radio
    carrier = scenario.carriers[carrier_index]
    return {
        "OuterLoop": _text(radio.outer_loop),
        "McsTable": radio.mcs_table,
        "HarqMaxRetx": _text(radio.harq_max_retx),
        "Tdma": _text(radio.multiplexing == "tdma"),
        "Fdd": _text(carrier.duplex == "FDD"),
        "TddPattern": carrier.tdd_pattern,
        "PreparationSlots": _text(radio.preparation_slots),
        "HarqRttSlots": _text(radio.harq_rtt_slots),
        "UlGrantSlots": _text(radio.ul_grant_slots),
        "DecodeTime": f"{math.floor(radio.decode_ms * 1e6)}ns",
        "CqiPeriod": f"{radio.cqi_period_ms}ms",
        "NoiseFigure": _text(radio.noise_figure_gnb_db),
        "UeNoiseFigure": _text(radio.noise_figure_ue_db),
        "UeMaxPower": _text(radio.ue_max_power_dbm),
        "UlP0": _text(radio.ul_p0_dbm),
        "UlAlpha": _text(radio.ul_alpha),
        "RestartRoundRobin": _text(radio.restart_round_robin),
    }
