# SPDX-License-Identifier: GPL-2.0-only
"""Turns the counters of one reporting interval into the KPI tables of `ns3_scenarios.kpi`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import _ran
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ns3_scenarios.controls import ControlState
from ns3_scenarios.kpi import TABLES, arrow_schema
from ns3_scenarios.scenario import ScenarioConfig

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PREFIXES = ("dl", "ul")
PERCENTILE = 0.95


@dataclass(frozen=True)
class _Groups:
    """A division of users, and which group each user is in."""

    of_ue: Ints
    count: int

    def sum(self, values: Floats) -> Floats:
        """Sum of a value of each user, by group; values have users on the first axis."""
        out = np.zeros((self.count, *values.shape[1:]))
        np.add.at(out, self.of_ue, values)
        return out


@dataclass(frozen=True)
class _Bearers:
    """Counters of all bearers: arrays of shape (users, 2), the second axis being the direction."""

    offered: Floats
    delivered: Floats
    dropped: Floats
    queued: Floats
    jitter_ms: Floats
    jitter_count: Floats
    delay_ue: tuple[Ints, Ints]
    """By direction: the user of each delivered packet."""
    delay_ms: tuple[Floats, Floats]
    """By direction: the delay of each delivered packet."""


class IntervalTables:
    """Builds the tables of a simulation's intervals."""

    def __init__(self, scenario: ScenarioConfig, ue_slices: list[int]) -> None:
        self._scenario = scenario
        self._cells = np.array(scenario.cell_ids)
        self._slices = np.array([s.name for s in scenario.slices])
        self._ue_slice = np.array(ue_slices)
        self._ues = np.array([f"u{i}" for i in range(len(ue_slices))])
        self._schemas = {name: arrow_schema(name) for name in TABLES}

    @staticmethod
    def warm_up() -> None:
        """Make Arrow and NumPy load what they load on first use."""
        for name in TABLES:
            schema = arrow_schema(name)
            for field in schema:
                _array([""] if pa.types.is_dictionary(field.type) else [0], field.type)

    def build(
        self, interval: int, raw: dict[str, Any], controls: ControlState
    ) -> dict[str, pa.RecordBatch]:
        """The tables of one interval.

        Args:
            interval: its index.
            raw: what `_ran.Network.collect` says.
            controls: in force during the interval.
        """
        n_cells, n_slices, n_ues = len(self._cells), len(self._slices), len(self._ues)
        bearers = _bearers(raw, n_ues)
        flows = dict(zip(_ran.FLOW_COLUMNS, raw["flows"].T, strict=True))
        ues = dict(zip(_ran.UE_COLUMNS, raw["ues"].T, strict=True))
        cells = dict(zip(_ran.CELL_COLUMNS, raw["cells"].T, strict=True))
        serving = ues["cell"].astype(np.int64)
        flow_ue = flows["ue"].astype(np.int64)
        flow_cell = flows["cell"].astype(np.int64)
        flow_slice = self._ue_slice[flow_ue]
        capacity = np.column_stack([cells["dl_capacity"], cells["ul_capacity"]])

        by_slice = _Groups(self._ue_slice, n_slices)
        by_cell = _Groups(serving, n_cells)
        by_cell_slice = _Groups(serving * n_slices + self._ue_slice, n_cells * n_slices)
        by_ue = _Groups(np.arange(n_ues), n_ues)
        seconds = self._scenario.interval_ms * 1e-3
        settings = [controls.cells[name] for name in self._scenario.cell_ids]

        network = self._network(by_slice, bearers, flows, flow_slice, capacity, seconds)
        cell = {
            "cell": self._cells,
            "users": np.bincount(serving, minlength=n_cells),
            "tx_power_dbm": [c.tx_power_dbm for c in settings],
            "tilt_deg": [c.tilt_deg for c in settings],
            "bandwidth_mhz": [c.bandwidth_mhz for c in settings],
            "numerology": [c.numerology for c in settings],
            "scheduler": [c.scheduler for c in settings],
            "target_bler_pct": [100 * c.target_bler for c in settings],
            "ul_iot_db": cells["ul_iot_db"],
            **_prb(flows, flow_cell, capacity),
            **_radio(flows, flow_cell, n_cells),
            **_traffic(by_cell, bearers, seconds),
        }
        for d, prefix in enumerate(PREFIXES):
            payload = np.where(flows["direction"] == d, flows["payload"], 0.0)
            bits = _sum_by(flow_cell, payload, n_cells)
            cell[f"{prefix}_throughput_mbps"] = bits / seconds / 1e6
        shares = [c.slices[name] for c in settings for name in self._slices]
        slice_ = {
            "cell": np.repeat(self._cells, n_slices),
            "slice": np.tile(self._slices, n_cells),
            "users": np.bincount(by_cell_slice.of_ue, minlength=by_cell_slice.count),
            "dedicated_pct": [s.dedicated_pct for s in shares],
            "min_pct": [s.min_pct for s in shares],
            "max_pct": [s.max_pct for s in shares],
            **_prb(flows, flow_cell * n_slices + flow_slice, np.repeat(capacity, n_slices, 0)),
            **_traffic(by_cell_slice, bearers, seconds),
        }
        ue_capacity = np.zeros((n_ues, 2))
        flow_direction = flows["direction"].astype(np.int64)
        np.add.at(ue_capacity, (flow_ue, flow_direction), capacity[flow_cell, flow_direction])
        ue = {
            "ue": self._ues,
            "cell": self._cells[serving],
            "slice": self._slices[self._ue_slice],
            **{name: ues[name] for name in ("x_m", "y_m", "z_m", "rsrp_dbm", "cqi")},
            **_prb(flows, flow_ue, ue_capacity),
            **_radio(flows, flow_ue, n_ues),
            **_traffic(by_ue, bearers, seconds),
        }
        time_ms = (interval + 1) * self._scenario.interval_ms
        return {
            name: self._batch(name, interval, time_ms, columns)
            for name, columns in (
                ("network", network),
                ("cell", cell),
                ("slice", slice_),
                ("ue", ue),
            )
        }

    def _network(
        self,
        by_slice: _Groups,
        bearers: _Bearers,
        flows: dict[str, Floats],
        flow_slice: Ints,
        capacity: Floats,
        seconds: float,
    ) -> dict[str, Any]:
        sums = {
            name: by_slice.sum(getattr(bearers, name)).sum(axis=1)
            for name in ("offered", "delivered", "dropped", "jitter_ms", "jitter_count")
        }
        delay_ue = np.concatenate(bearers.delay_ue)
        delay_ms = np.concatenate(bearers.delay_ms)
        delivered_dl = bearers.delivered[:, 0]
        totals = by_slice.sum(np.column_stack([delivered_dl, delivered_dl**2]))
        members = np.bincount(by_slice.of_ue, minlength=by_slice.count)
        used = _prb(flows, flow_slice, np.tile(capacity.sum(axis=0), (by_slice.count, 1)))
        return {
            "slice": self._slices,
            "users": members,
            "latency_ms": _mean_by(by_slice.of_ue[delay_ue], delay_ms, by_slice.count),
            "jitter_ms": _ratio(sums["jitter_ms"], sums["jitter_count"]),
            "packet_loss_pct": 100 * _ratio(sums["dropped"], sums["dropped"] + sums["delivered"]),
            "throughput_mbps": sums["delivered"] / seconds / 1e6,
            "offered_mbps": sums["offered"] / seconds / 1e6,
            "prb_util_pct": used["dl_prb_util_pct"],
            "jain_index": _ratio(totals[:, 0] ** 2, members * totals[:, 1]),
        }

    def _batch(
        self, table: str, interval: int, time_ms: float, columns: dict[str, Any]
    ) -> pa.RecordBatch:
        schema = self._schemas[table]
        rows = len(columns[schema.names[2]])
        values = {
            "interval": np.full(rows, interval),
            "time_ms": np.full(rows, float(time_ms)),
            **columns,
        }
        arrays = [_array(values[field.name], field.type) for field in schema]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(column: Any, type_: pa.DataType) -> pa.Array:
    """A column as Arrow has it; NaN becomes null."""
    if pa.types.is_dictionary(type_):
        return pa.array(list(column), pa.string()).dictionary_encode().cast(type_)
    numbers = np.asarray(column)
    if pa.types.is_integer(type_):
        return pa.array(numbers.astype(np.int64), type_)
    return pa.array(numbers, type_, from_pandas=True)


def _bearers(raw: dict[str, Any], n_ues: int) -> _Bearers:
    columns = dict(zip(_ran.BEARER_COLUMNS, raw["bearers"].T, strict=True))
    ue = columns["ue"].astype(np.int64)
    direction = columns["direction"].astype(np.int64)
    wide = {}
    for name in ("offered", "delivered", "dropped", "queued", "jitter_ms", "jitter_count"):
        wide[name] = np.zeros((n_ues, 2))
        wide[name][ue, direction] = columns[name]
    packet_ue = np.repeat(ue, raw["delay_counts"])
    packet_direction = np.repeat(direction, raw["delay_counts"])
    delays = raw["delays_ms"].astype(np.float64)
    return _Bearers(
        **wide,
        delay_ue=(packet_ue[packet_direction == 0], packet_ue[packet_direction == 1]),
        delay_ms=(delays[packet_direction == 0], delays[packet_direction == 1]),
    )


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Quotient, NaN where there is nothing to divide by."""
    out = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out


def _sum_by(group: Ints, values: Floats, count: int) -> Floats:
    """Sums of values by group, shape (count,)."""
    return np.bincount(group, values, minlength=count).astype(np.float64)


def _mean_by(group: Ints, values: Floats, count: int) -> Floats:
    return _ratio(_sum_by(group, values, count), _sum_by(group, np.ones(len(values)), count))


def _percentile_by(group: Ints, values: Floats, count: int) -> Floats:
    """The smallest value that at least `PERCENTILE` of a group's values do not exceed."""
    out = np.full(count, np.nan)
    if len(values) == 0:
        return out
    ordered = values[np.lexsort((values, group))]
    sizes = np.bincount(group, minlength=count)
    starts = np.cumsum(sizes) - sizes
    filled = sizes > 0
    rank = np.ceil(PERCENTILE * sizes[filled]).astype(np.int64) - 1
    out[filled] = ordered[starts[filled] + rank]
    return out


def _prb(flows: dict[str, Floats], group: Ints, capacity: Floats) -> dict[str, Floats]:
    """Shares of resource blocks that each group of flows used, per cent."""
    out = {}
    for d, prefix in enumerate(PREFIXES):
        mine = np.where(flows["direction"] == d, flows["rb_symbols"], 0.0)
        used = _sum_by(group, mine, len(capacity))
        out[f"{prefix}_prb_util_pct"] = 100 * _ratio(used, capacity[:, d])
    return out


def _radio(flows: dict[str, Floats], group: Ints, count: int) -> dict[str, Floats]:
    out = {}
    for d, prefix in enumerate(PREFIXES):
        here = flows["direction"] == d
        counters = ("blocks", "errors", "finished", "given_up", "mcs", "sinr_db", "transmissions")
        total = {name: _sum_by(group[here], flows[name][here], count) for name in counters}
        out[f"{prefix}_sinr_db"] = _ratio(total["sinr_db"], total["transmissions"])
        out[f"{prefix}_mcs"] = _ratio(total["mcs"], total["blocks"])
        out[f"{prefix}_bler_pct"] = 100 * _ratio(total["errors"], total["blocks"])
        out[f"{prefix}_tb_count"] = total["blocks"]
        if d == 0:
            out["dl_residual_bler_pct"] = 100 * _ratio(total["given_up"], total["finished"])
    return out


def _traffic(groups: _Groups, bearers: _Bearers, seconds: float) -> dict[str, Floats]:
    out = {}
    sums = {
        name: groups.sum(getattr(bearers, name))
        for name in ("offered", "delivered", "dropped", "queued", "jitter_ms", "jitter_count")
    }
    for d, prefix in enumerate(PREFIXES):
        offered, delivered, dropped = (
            sums[name][:, d] for name in ("offered", "delivered", "dropped")
        )
        group = groups.of_ue[bearers.delay_ue[d]]
        delays = bearers.delay_ms[d]
        out[f"{prefix}_throughput_mbps"] = delivered / seconds / 1e6
        out[f"{prefix}_offered_mbps"] = offered / seconds / 1e6
        out[f"{prefix}_latency_ms"] = _mean_by(group, delays, groups.count)
        out[f"{prefix}_latency_p95_ms"] = _percentile_by(group, delays, groups.count)
        out[f"{prefix}_jitter_ms"] = _ratio(sums["jitter_ms"][:, d], sums["jitter_count"][:, d])
        out[f"{prefix}_loss_pct"] = 100 * _ratio(dropped, dropped + delivered)
        out[f"{prefix}_offered_bits"] = offered
        out[f"{prefix}_delivered_bits"] = delivered
        out[f"{prefix}_dropped_bits"] = dropped
        out[f"{prefix}_queued_bits"] = sums["queued"][:, d]
    return out
