# SPDX-License-Identifier: GPL-2.0-only
"""Turns the counters of one reporting interval into the KPI tables of `ns3_scenarios.kpi`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import _ran
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ns3_scenarios.controls import ControlState
from ns3_scenarios.kpi import TABLES, arrow_schema
from ns3_scenarios.scenario import Application, Qos, ScenarioConfig
from ns3_scenarios.worker.inside.faults import Faults

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PREFIXES = ("dl", "ul")
PERCENTILE = 0.95


@dataclass(frozen=True)
class _Packets:
    """Delays of many packets, and the row of a table that each belongs to."""

    row: Ints
    delay_ms: Floats

    @classmethod
    def of(cls, raw: tuple[NDArray[np.float32], Ints]) -> _Packets:
        """From what `collect` says: delays one after the other, and how many each row has."""
        delays, counts = raw
        return cls(np.repeat(np.arange(len(counts)), counts), delays.astype(np.float64))


@dataclass(frozen=True)
class _Interval:
    """Counters of one interval, as `_ran.Network.collect` says them, by column."""

    cells: dict[str, Floats]
    ues: dict[str, Floats]
    neighbours: dict[str, Floats]
    bearers: dict[str, Floats]
    """A row for each direction of each flow of each user."""
    paths: dict[str, Floats]
    """The same rows, from end to end."""
    flows: dict[str, Floats]
    """A row for each bearer and carrier."""
    radio_delays: _Packets
    path_delays: _Packets
    links: dict[str, Floats]
    """Two rows for each link: from its first end to its second, and back."""
    edge: dict[str, Floats]
    jobs: dict[str, Floats]
    job_delays: _Packets
    controls: ControlState

    @classmethod
    def of(cls, raw: dict[str, Any], controls: ControlState) -> _Interval:
        """From the raw arrays."""
        return cls(
            cells=_columns(_ran.CELL_COLUMNS, raw["cells"]),
            ues=_columns(_ran.UE_COLUMNS, raw["ues"]),
            neighbours=_columns(_ran.NEIGHBOUR_COLUMNS, raw["neighbours"]),
            bearers=_columns(_ran.BEARER_COLUMNS, raw["bearers"]),
            paths=_columns(_ran.PATH_COLUMNS, raw["paths"]),
            flows=_columns(_ran.FLOW_COLUMNS, raw["flows"]),
            radio_delays=_Packets.of(raw["radio_delays"]),
            path_delays=_Packets.of(raw["path_delays"]),
            links=_columns(_ran.LINK_COLUMNS, raw["links"]),
            edge=_columns(_ran.EDGE_COLUMNS, raw["edge"]),
            jobs=_columns(_ran.JOB_COLUMNS, raw["jobs"]),
            job_delays=_Packets.of(raw["job_delays"]),
            controls=controls,
        )

    @property
    def capacity(self) -> Floats:
        """Resource blocks times symbols, shape (cells, 2)."""
        return np.column_stack([self.cells["dl_capacity"], self.cells["ul_capacity"]])


class IntervalTables:
    """Builds the tables of a simulation's intervals."""

    def __init__(self, scenario: ScenarioConfig) -> None:
        self._scenario = scenario
        self._seconds = scenario.interval_ms * 1e-3
        self._cells = np.array(scenario.cell_ids)
        self._slices = np.array([s.name for s in scenario.slices])
        self._ues = np.array(scenario.ue_ids)
        self._groups = scenario.ue_groups
        self._flow_names = {g.name: scenario.flow_names(g) for g in scenario.users}
        self._schemas = {name: arrow_schema(name) for name in TABLES}

    @staticmethod
    def warm_up() -> None:
        """Make Arrow and NumPy load what they load on first use."""
        for name in TABLES:
            schema = arrow_schema(name)
            for field in schema:
                text = pa.types.is_dictionary(field.type)
                _array([""] if text else [0], field.type)

    def build(
        self, interval: int, raw: dict[str, Any], controls: ControlState, faults: Faults
    ) -> dict[str, pa.RecordBatch]:
        """The tables of one interval, without alarms.

        Args:
            interval: its index.
            raw: what `_ran.Network.collect` says.
            controls: in force during the interval.
            faults: of the run.
        """
        now = _Interval.of(raw, controls)
        flow = self._flow(now)
        columns = {
            "network": self._network(now, flow["delay_budget_ms"]),
            "cell": self._cell(now),
            "slice": self._slice(now),
            "ue": self._ue(now),
            "neighbour": self._neighbour(now),
            "flow": flow,
            "link": self._link(now, faults),
            "edge": self._edge(now),
            "application": self._application(now),
        }
        return {name: self.batch(name, interval, c) for name, c in columns.items()}

    def _cell(self, now: _Interval) -> dict[str, Any]:
        n_cells = len(self._cells)
        serving = _index(now.ues["cell"])
        flow_cell = _index(now.flows["cell"])
        settings = [now.controls.cells[name] for name in self._cells]
        handover = [c.handover for c in settings]
        energy_j = now.cells["energy"] * self._scenario.radio.energy.unit_w
        cell = {
            "cell": self._cells,
            "users": np.bincount(serving, minlength=n_cells),
            "tx_power_dbm": [c.tx_power_dbm for c in settings],
            "tilt_deg": [c.tilt_deg for c in settings],
            "bandwidth_mhz": [c.bandwidth_mhz for c in settings],
            "numerology": [c.numerology for c in settings],
            "scheduler": [c.scheduler for c in settings],
            "target_bler_pct": [100 * c.target_bler for c in settings],
            "sleep_mode": [c.sleep_mode for c in settings],
            "wake_prb_pct": [c.wake_prb_pct for c in settings],
            "a3_offset_db": [h.a3_offset_db if h else np.nan for h in handover],
            "hysteresis_db": [h.hysteresis_db if h else np.nan for h in handover],
            "ttt_ms": [h.ttt_ms if h else np.nan for h in handover],
            "state": np.array(_ran.CELL_STATES)[_index(now.cells["state"])],
            "sleep_pct": 100 * now.cells["sleep_ns"] * 1e-9 / self._seconds,
            "energy_j": energy_j,
            "power_w": energy_j / self._seconds,
            **{
                name: now.cells[name]
                for name in (
                    "ul_iot_db",
                    "wakes",
                    "ho_attempts",
                    "ho_successes",
                    "ho_failures",
                    "ho_ping_pongs",
                    "rlf",
                )
            },
            **_prb(now.flows, flow_cell, now.capacity),
            **_radio(now.flows, flow_cell, n_cells),
            **self._traffic(now, serving[_index(now.bearers["ue"])], n_cells),
        }
        carried = np.zeros(n_cells)
        for d, prefix in enumerate(PREFIXES):
            payload = np.where(now.flows["direction"] == d, now.flows["payload"], 0.0)
            bits = _sum_by(flow_cell, payload, n_cells)
            carried += bits
            cell[f"{prefix}_throughput_mbps"] = bits / self._seconds / 1e6
        cell["energy_per_bit_nj"] = 1e9 * _ratio(energy_j, carried)
        return cell

    def _slice(self, now: _Interval) -> dict[str, Any]:
        n_cells, n_slices = len(self._cells), len(self._slices)
        serving = _index(now.ues["cell"])
        bearer_ue = _index(now.bearers["ue"])
        bearer_group = serving[bearer_ue] * n_slices + _index(now.bearers["slice"])
        flow_group = _index(now.flows["cell"]) * n_slices + _index(now.flows["slice"])
        shares = [now.controls.cells[c].slices[s] for c in self._cells for s in self._slices]
        return {
            "cell": np.repeat(self._cells, n_slices),
            "slice": np.tile(self._slices, n_cells),
            "users": _members(bearer_group, bearer_ue, n_cells * n_slices),
            "dedicated_pct": [s.dedicated_pct for s in shares],
            "min_pct": [s.min_pct for s in shares],
            "max_pct": [s.max_pct for s in shares],
            **_prb(now.flows, flow_group, np.repeat(now.capacity, n_slices, 0)),
            **self._traffic(now, bearer_group, n_cells * n_slices),
        }

    def _ue(self, now: _Interval) -> dict[str, Any]:
        n_ues = len(self._ues)
        flow_ue = _index(now.flows["ue"])
        flow_cell = _index(now.flows["cell"])
        direction = _index(now.flows["direction"])
        capacity = np.zeros((n_ues, 2))
        # Flows of one user share the capacity of its cells.
        shared = np.unique(np.column_stack([flow_ue, flow_cell, direction]), axis=0)
        np.add.at(capacity, (shared[:, 0], shared[:, 2]), now.capacity[shared[:, 1], shared[:, 2]])
        first_slice = np.zeros(n_ues, np.int64)
        bearer_ue = _index(now.bearers["ue"])
        first_slice[bearer_ue[::-1]] = _index(now.bearers["slice"])[::-1]
        return {
            "ue": self._ues,
            "cell": self._cells[_index(now.ues["cell"])],
            "slice": self._slices[first_slice],
            "state": np.array(_ran.UE_STATES)[_index(now.ues["state"])],
            **{
                name: now.ues[name]
                for name in (
                    "x_m",
                    "y_m",
                    "z_m",
                    "speed_mps",
                    "battery_pct",
                    "rsrp_dbm",
                    "cqi",
                    "handovers",
                )
            },
            **_prb(now.flows, flow_ue, capacity),
            **_radio(now.flows, flow_ue, n_ues),
            **self._traffic(now, bearer_ue, n_ues),
        }

    def _neighbour(self, now: _Interval) -> dict[str, Any]:
        return {
            "ue": self._ues[_index(now.neighbours["ue"])],
            "rank": now.neighbours["rank"],
            "cell": self._cells[_index(now.neighbours["cell"])],
            "rsrp_dbm": now.neighbours["rsrp_dbm"],
        }

    def _flow(self, now: _Interval) -> dict[str, Any]:
        rows = len(now.bearers["ue"])
        ue = _index(now.bearers["ue"])
        flow = _index(now.bearers["flow"])
        slices = self._slices[_index(now.bearers["slice"])]
        groups = [self._groups[u] for u in ue]
        qos = [self._qos(g.name, f, str(s)) for g, f, s in zip(groups, flow, slices, strict=True)]
        paths, packets = now.paths, now.path_delays
        dropped = paths["dropped_radio"] + paths["dropped_transport"]
        budget_ms = np.array([q.delay_budget_ms for q in qos])
        names = [self._flow_names[g.name][f] for g, f in zip(groups, flow, strict=True)]
        return {
            "ue": self._ues[ue],
            "flow": names,
            "direction": np.array(PREFIXES)[_index(now.bearers["direction"])],
            "slice": slices,
            "five_qi": [q.five_qi for q in qos],
            "delay_budget_ms": budget_ms,
            "guaranteed_mbps": [q.guaranteed_mbps for q in qos],
            "throughput_mbps": paths["delivered"] / self._seconds / 1e6,
            "latency_ms": _mean_by(packets.row, packets.delay_ms, rows),
            "latency_p95_ms": _percentile_by(packets.row, packets.delay_ms, rows),
            "jitter_ms": _ratio(paths["jitter_ms"], paths["jitter_count"]),
            "loss_pct": 100 * _ratio(dropped, dropped + paths["delivered"]),
            "within_budget_pct": 100
            * _share_by(packets.row, packets.delay_ms <= budget_ms[packets.row], rows),
            "reordered_packets": paths["reordered"],
            "sent_bits": paths["sent"],
            "delivered_bits": paths["delivered"],
            "dropped_radio_bits": paths["dropped_radio"],
            "dropped_transport_bits": paths["dropped_transport"],
            "in_flight_bits": paths["in_flight"],
        }

    @lru_cache(maxsize=4096)  # noqa: B019 - one builder lives as long as its process
    def _qos(self, group: str, flow: int, slice_name: str) -> Qos:
        members = next(g for g in self._scenario.users if g.name == group)
        return self._scenario.flow_qos(members, flow, slice_name)

    def _network(self, now: _Interval, budget_ms: Floats) -> dict[str, Any]:
        n_slices = len(self._slices)
        of_row = _index(now.bearers["slice"])
        ue = _index(now.bearers["ue"])
        downlink = now.bearers["direction"] == 0
        sums = {name: _sum_by(of_row, values, n_slices) for name, values in now.paths.items()}
        dropped = sums["dropped_radio"] + sums["dropped_transport"]
        by_member = np.zeros((n_slices, len(self._ues)))
        delivered = np.where(downlink, now.paths["delivered"], 0.0)
        np.add.at(by_member, (of_row, ue), delivered)
        members = _members(of_row, ue, n_slices)
        packets = now.path_delays
        within = packets.delay_ms <= budget_ms[packets.row]
        capacity = np.tile(now.capacity.sum(axis=0), (n_slices, 1))
        return {
            "slice": self._slices,
            "users": members,
            "latency_ms": _mean_by(of_row[packets.row], packets.delay_ms, n_slices),
            "jitter_ms": _ratio(sums["jitter_ms"], sums["jitter_count"]),
            "packet_loss_pct": 100 * _ratio(dropped, dropped + sums["delivered"]),
            "throughput_mbps": sums["delivered"] / self._seconds / 1e6,
            "edge_load_pct": self._edge_load_pct(now),
            "offered_mbps": sums["sent"] / self._seconds / 1e6,
            "within_budget_pct": 100 * _share_by(of_row[packets.row], within, n_slices),
            "degradation": [now.controls.slices[s].degradation for s in self._slices],
            "prb_util_pct": _prb(now.flows, _index(now.flows["slice"]), capacity)[
                "dl_prb_util_pct"
            ],
            "jain_index": _ratio(by_member.sum(1) ** 2, members * (by_member**2).sum(1)),
        }

    def _edge_load_pct(self, now: _Interval) -> Floats:
        """By slice: load of the sites of its applications, NaN where it has none."""
        edge = self._scenario.edge
        load = np.full(len(self._slices), np.nan)
        if edge is None:
            return load
        capacity = np.array([site.servers * site.gflops for site in edge.sites])
        used = now.edge["utilisation"] * capacity
        for index, name in enumerate(self._slices):
            sites = sorted(
                {
                    self._scenario.anchors.index(now.controls.applications[a.name].site) - 1
                    for a in edge.applications
                    if self._application_slice(a) == name
                }
            )
            if sites:
                load[index] = 100 * used[sites].sum() / capacity[sites].sum()
        return load

    def _application_slice(self, application: Application) -> str:
        return next(g.slice for g in self._scenario.users if g.name == application.users)

    def _link(self, now: _Interval, faults: Faults) -> dict[str, Any]:
        links = self._scenario.links
        rows = now.links
        states = [faults.link_state(link.name) for link in links]
        both = np.repeat(np.arange(len(links)), 2)
        return {
            "link": [links[i].name for i in both],
            "from_node": [end for link in links for end in link.ends],
            "to_node": [end for link in links for end in reversed(link.ends)],
            "up": [states[i].up for i in both],
            "rate_mbps": [links[i].rate_mbps * states[i].rate_factor for i in both],
            "propagation_ms": [links[i].delay_ms + states[i].extra_delay_ms for i in both],
            "queue": [now.controls.links[links[i].name].queue for i in both],
            "util_pct": 100 * rows["utilisation"],
            "throughput_mbps": rows["delivered_bits"] / self._seconds / 1e6,
            "delay_ms": rows["delay_ms"],
            "delay_p95_ms": rows["delay_p95_ms"],
            "loss_pct": 100 * _ratio(rows["missing_packets"], rows["packets"]),
            "queue_packets": rows["queue_packets"],
            **{
                name: rows[name]
                for name in (
                    "queued_bits",
                    "sent_bits",
                    "delivered_bits",
                    "dropped_bits",
                    "lost_bits",
                )
            },
        }

    def _edge(self, now: _Interval) -> dict[str, Any]:
        sites = self._scenario.anchors[1:]
        placed = now.controls.applications
        rows = now.edge
        return {
            "site": sites,
            "applications": [",".join(a for a in placed if placed[a].site == s) for s in sites],
            "util_pct": 100 * rows["utilisation"],
            "background_pct": 100 * rows["background"],
            "queue_jobs": rows["waiting"],
            "jobs_in_system": rows["in_system"],
            "jobs_arrived": rows["arrived"],
            "jobs_completed": rows["completed"],
            "jobs_dropped": rows["dropped"],
            "waiting_ms": rows["wait_ms"],
            "service_ms": rows["service_ms"],
        }

    def _application(self, now: _Interval) -> dict[str, Any]:
        applications = self._scenario.edge.applications if self._scenario.edge else ()
        settings = [now.controls.applications[a.name] for a in applications]
        rows, delays, n = now.jobs, now.job_delays, len(applications)
        return {
            "application": [a.name for a in applications],
            "slice": [self._application_slice(a) for a in applications],
            "site": [s.site for s in settings],
            "fraction": [s.fraction for s in settings],
            **{
                f"jobs_{name}": rows[name]
                for name in ("made", "offloaded", "finished", "lost", "in_progress")
            },
            "within_deadline_pct": 100
            * _ratio(rows["within_deadline"], rows["finished"] + rows["lost"]),
            "latency_ms": _mean_by(delays.row, delays.delay_ms, n),
            "latency_p95_ms": _percentile_by(delays.row, delays.delay_ms, n),
            **{name: rows[name] for name in ("radio_ms", "transport_ms", "queue_ms", "compute_ms")},
        }

    def _traffic(self, now: _Interval, group: Ints, count: int) -> dict[str, Floats]:
        """The columns of `kpi._traffic` for groups of bearers."""
        out = {}
        for d, prefix in enumerate(PREFIXES):
            here = now.bearers["direction"] == d
            sums = {
                name: _sum_by(group[here], now.bearers[name][here], count)
                for name in (
                    "offered",
                    "delivered",
                    "dropped",
                    "queued",
                    "jitter_ms",
                    "jitter_count",
                )
            }
            mine = here[now.radio_delays.row]
            of_packet = group[now.radio_delays.row[mine]]
            delays = now.radio_delays.delay_ms[mine]
            lost = sums["dropped"]
            out[f"{prefix}_throughput_mbps"] = sums["delivered"] / self._seconds / 1e6
            out[f"{prefix}_offered_mbps"] = sums["offered"] / self._seconds / 1e6
            out[f"{prefix}_latency_ms"] = _mean_by(of_packet, delays, count)
            out[f"{prefix}_latency_p95_ms"] = _percentile_by(of_packet, delays, count)
            out[f"{prefix}_jitter_ms"] = _ratio(sums["jitter_ms"], sums["jitter_count"])
            out[f"{prefix}_loss_pct"] = 100 * _ratio(lost, lost + sums["delivered"])
            out[f"{prefix}_offered_bits"] = sums["offered"]
            out[f"{prefix}_delivered_bits"] = sums["delivered"]
            out[f"{prefix}_dropped_bits"] = lost
            out[f"{prefix}_queued_bits"] = sums["queued"]
        return out

    def batch(self, table: str, interval: int, columns: dict[str, Any]) -> pa.RecordBatch:
        """A table of one interval from its columns."""
        time_ms = (interval + 1) * self._scenario.interval_ms
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
    if pa.types.is_boolean(type_):
        return pa.array([bool(value) for value in column], type_)
    if pa.types.is_dictionary(type_):
        return pa.array(list(column), pa.string()).dictionary_encode().cast(type_)
    numbers = np.asarray(column)
    if pa.types.is_integer(type_):
        return pa.array(numbers.astype(np.int64), type_)
    return pa.array(numbers, type_, from_pandas=True)


def _columns(names: tuple[str, ...], rows: Floats) -> dict[str, Floats]:
    return dict(zip(names, rows.T, strict=True))


def _index(values: Floats) -> Ints:
    return values.astype(np.int64)


def _members(group: Ints, member: Ints, count: int) -> Ints:
    """How many different members each group has."""
    pairs = np.unique(np.column_stack([group, member]), axis=0)
    return np.bincount(pairs[:, 0], minlength=count)


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


def _share_by(group: Ints, holds: NDArray[np.bool_], count: int) -> Floats:
    """How many of each group's members something holds for, over all of them."""
    return _mean_by(group, holds.astype(np.float64), count)


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
