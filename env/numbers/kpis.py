# SPDX-License-Identifier: Apache-2.0
"""What an agent that learns sees: KPIs and controls as a fixed number of figures from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calibration.energy import CATEGORIES
from calibration.network import Floats, network_of
from calibration.rolling import Moment
from calibration.sums import sum_into
from env.kpis import Kpis
from env.numbers.places import Floats32, Scale, places
from env.view import Scope
from ns3_scenarios.scenario import ScenarioConfig

Read = Callable[[str, str], Floats]
"""A column of a KPI table, shape (B, rows)."""
UNKNOWN = -1.0
"""Stands for what is not known."""

KPIS: dict[str, dict[str, str]] = {
    "network": {
        "latency_ms": "budget",
        "jitter_ms": "budget",
        "packet_loss_pct": "pct",
        "within_budget_pct": "pct",
        "throughput_mbps": "mbps",
        "offered_mbps": "mbps",
    },
    "cell": {
        "dl_prb_util_pct": "pct",
        "ul_prb_util_pct": "pct",
        "dl_sinr_db": "sinr",
        "ul_sinr_db": "sinr",
        "dl_throughput_mbps": "mbps",
        "ul_throughput_mbps": "mbps",
        "sleep_pct": "pct",
        "power_w": "power",
    },
    "slice": {"dl_prb_util_pct": "pct", "ul_prb_util_pct": "pct"},
    "ue": {"cell": "cell", "rsrp_dbm": "rsrp", "dl_sinr_db": "sinr"},
    "link": {"util_pct": "pct", "loss_pct": "pct"},
    "edge": {"util_pct": "pct"},
    "application": {"within_deadline_pct": "pct"},
}
"""KPIs that are seen, by table, with how they are scaled.

`pct`: of 100. `budget`: x / (x + delay budget of the slice), 0.5 at the budget. `mbps`:
log10(1 + x) / 4, 1 at 10 Gbit/s. `sinr`: -20 to 40 dB. `rsrp`: -140 to -40 dBm. `power`: of twice
what a fully loaded cell takes at its configured power. `cell`: number of the serving cell, of all.
"""


def full_power_w(scenario: ScenarioConfig) -> float:
    """What a cell takes that uses all its resource blocks (TR 38.864)."""
    energy = scenario.radio.energy
    return energy.unit_w * CATEGORIES[energy.category].downlink


class Observer:
    """KPIs and controls of a network as figures.

    Args:
        scenario: of the network.
    """

    def __init__(self, scenario: ScenarioConfig) -> None:
        network = network_of(scenario)
        budgets_ms = [scenario.slice_qos(s.name).delay_budget_ms for s in scenario.slices]
        self._budget_ms = np.array(budgets_ms)
        self._power_w = 2 * full_power_w(scenario)
        self._n_cells = network.n_cells
        cells, slices = network.cell_names, network.slice_names
        rows: dict[str, list[tuple[str, ...]]] = {
            "network": [(s,) for s in slices],
            "cell": [(c,) for c in cells],
            "slice": [(c, s) for c in cells for s in slices],
            "ue": [(u,) for u in network.ue_names],
            "link": [
                (name, f"{start}-{end}")
                for name, (start, end) in zip(network.link_names, network.link_ends, strict=True)
            ],
            "edge": [(e,) for e in network.edge_names],
            "application": [(a,) for a in network.application_names],
        }
        self._columns = [
            (table, column, scale)
            for table, columns in KPIS.items()
            if rows[table]
            for column, scale in columns.items()
        ]
        self.places = places(scenario)
        self._scale = Scale(self.places)
        self._elements = [row for table, _, _ in self._columns for row in rows[table]]
        kpis = [f"{t}.{'.'.join(row)}.{c}" for t, c, _ in self._columns for row in rows[t]]
        self.names = (*kpis, *(place.path for place in self.places))
        """What each figure is, in order."""
        self._element_names = {*cells, *slices, *network.ue_names, *network.link_names,
                               *network.edge_names, *network.application_names}  # fmt: skip

    def in_scope(self, scope: Scope) -> NDArray[np.bool_]:
        """Which figures an agent may see: those whose elements are all in its scope."""
        kpis = [
            all(scope.has(name) for name in row if name in self._element_names)
            for row in self._elements
        ]
        return np.array([*kpis, *(scope.has_control(place.path) for place in self.places)])

    def see(self, read: Read, controls: Floats) -> Floats32:
        """The figures of B copies of a network, shape (B, n); `UNKNOWN` where nothing is known.

        Args:
            read: their KPIs.
            controls: numbers of `places`, shape (B, P).
        """
        figures = [self._scaled(read(table, column), how) for table, column, how in self._columns]
        found = np.concatenate([*figures, self._scale.share(controls)], axis=1)
        found = np.where(np.isnan(found), UNKNOWN, np.clip(found, 0.0, 1.0))
        return found.astype(np.float32)

    def _scaled(self, values: Floats, how: str) -> Floats:
        match how:
            case "pct":
                found = values / 100
            case "budget":
                found = values / (values + self._budget_ms)
            case "mbps":
                found = np.log10(1 + np.maximum(values, 0)) / 4
            case "sinr":
                found = (values + 20) / 60
            case "rsrp":
                found = (values + 140) / 100
            case "power":
                found = values / self._power_w
            case _:
                found = values / max(1, self._n_cells - 1)
        return np.asarray(found)


observer_of = lru_cache(maxsize=16)(Observer)


def reader_of_kpis(scenario: ScenarioConfig, kpis: Kpis) -> Read:
    """KPIs of one network."""
    cells = {name: float(i) for i, name in enumerate(scenario.cell_ids)}

    def read(table: str, column: str) -> Floats:
        values = kpis.column(table, column)
        if (table, column) == ("ue", "cell"):
            return np.array([[cells.get(name, np.nan) for name in values]])
        return np.asarray(values, float)[None]

    return read


def reader_of_moment(moment: Moment) -> Read:
    """KPIs of B copies of a network that run on a model."""
    network = moment.network
    batch = len(moment.controls["tx_power_dbm"])

    def read(table: str, column: str) -> Floats:
        if (table, column) == ("network", "offered_mbps"):
            bits = sum_into(
                moment.controls["row_slice"], moment.now["flow"]["sent_bits"], network.n_slices
            )
            return np.asarray(bits / (network.scenario.interval_ms * 1e3))
        return np.asarray(moment.now[table][column].reshape(batch, -1), float)

    return read
