# SPDX-License-Identifier: Apache-2.0
"""Runs as arrays over time: the KPIs of each interval, controls, and what came from outside.

A `Trajectory` is what features are computed from, whether it was simulated by NS-3, comes from
another simulator, or is the state of a surrogate that rolls on.
"""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from calibration.network import DEGRADATIONS, QUEUES, SCHEDULERS, SLEEP_MODES, Network
from ns3_scenarios.checking.elements import KEYS, codes_of
from ns3_scenarios.controls import AUTO, SLICE_ROUTE, ControlChange, ControlState
from ns3_scenarios.errors import DatasetError
from ns3_scenarios.scenario import Fault

Table = dict[str, NDArray[Any]]

#: Columns that are read of each table; all others are neither features nor targets.
TRAFFIC = tuple(
    f"{d}_{name}"
    for d in ("dl", "ul")
    for name in (
        "throughput_mbps",
        "offered_mbps",
        "latency_ms",
        "latency_p95_ms",
        "jitter_ms",
        "loss_pct",
        "queued_bits",
    )
)
COLUMNS: dict[str, tuple[str, ...]] = {
    "cell": (
        "dl_prb_util_pct",
        "ul_prb_util_pct",
        "dl_sinr_db",
        "ul_sinr_db",
        "dl_mcs",
        "ul_mcs",
        "dl_bler_pct",
        "ul_bler_pct",
        "ul_iot_db",
        "sleep_pct",
        "power_w",
        "ho_attempts",
        "ho_failures",
        "ho_ping_pongs",
        "rlf",
        "dl_throughput_mbps",
        "ul_throughput_mbps",
    ),
    "slice": ("users", "dl_prb_util_pct", "ul_prb_util_pct", *TRAFFIC),
    "ue": ("x_m", "y_m", "z_m", "speed_mps", "rsrp_dbm", "dl_sinr_db", "ul_sinr_db", "dl_mcs",
           "ul_mcs", "dl_tb_count", "ul_tb_count", "cell", "state"),
    "neighbour": ("cell", "rsrp_dbm"),
    "flow": ("sent_bits", "delivered_bits", "dropped_radio_bits", "dropped_transport_bits",
             "in_flight_bits", "delay_budget_ms", "latency_ms", "latency_p95_ms",
             "jitter_ms", "loss_pct", "within_budget_pct"),
    "link": ("util_pct", "throughput_mbps", "delay_ms", "delay_p95_ms", "loss_pct",
             "queue_packets", "queued_bits", "sent_bits"),
    "edge": ("util_pct", "background_pct", "queue_jobs", "jobs_in_system", "jobs_arrived",
             "jobs_dropped", "waiting_ms", "service_ms"),
    "application": ("jobs_made", "jobs_offloaded", "jobs_finished", "jobs_lost",
                    "jobs_in_progress", "within_deadline_pct", "latency_ms", "latency_p95_ms",
                    "radio_ms", "transport_ms", "queue_ms", "compute_ms"),
    "network": ("latency_ms", "jitter_ms", "packet_loss_pct", "throughput_mbps", "edge_load_pct",
                "offered_mbps", "within_budget_pct", "prb_util_pct", "jain_index"),
}  # fmt: skip
UE_STATES = ("connected", "preparing", "handover", "lost")
MAX_NEIGHBOURS = 8
UNHEARD_DBM = -160.0


@dataclass(frozen=True)
class Trajectory:
    """One run: each array has the intervals as its first axis."""

    network: Network
    tables: dict[str, Table]
    """KPIs by table and column: shapes (T, C), (T, C, S), (T, U), (T, R), (T, L), ..."""
    controls: Table
    """In force in each interval."""
    outside: Table
    """What the network cannot help: faults, and what open-loop applications send."""

    @property
    def n_intervals(self) -> int:
        """Number of intervals."""
        return len(next(iter(self.controls.values())))


def trajectory(
    network: Network,
    tables: Mapping[str, pa.Table],
    schedule: Iterable[ControlChange],
    seed: int,
    first: int = 0,
) -> Trajectory:
    """The arrays of one run.

    Args:
        network: of its scenario.
        tables: KPI tables of the run.
        schedule: its control changes.
        seed: of the run, which draws its faults.
        first: index in the run of the first interval that the tables have; they count from there.

    Raises:
        DatasetError: a table lacks a column, does not have the rows of the scenario, or has them
            in another order than by interval and then as the scenario has its elements.
    """
    n_intervals = len(tables["network"]) // network.n_slices
    sizes = {
        "cell": (network.n_cells,),
        "slice": (network.n_cells, network.n_slices),
        "ue": (len(network.ue_names),),
        "flow": (len(network.row_ue),),
        "link": (len(network.link_names),),
        "edge": (len(network.edge_names),),
        "application": (len(network.application_names),),
        "network": (network.n_slices,),
    }
    arrays: dict[str, Table] = {}
    elements = network.elements
    for name, shape in sizes.items():
        table = tables[name]
        expected = n_intervals * int(np.prod(shape))
        if len(table) != expected:
            raise DatasetError(
                f"table {name} has {len(table)} rows, but {n_intervals} intervals of the scenario "
                f"have {expected}"
            )
        keys = tuple(codes_of(table[c], elements.names[name, c]) for c in KEYS[name])
        intervals = table["interval"].to_numpy().astype(np.int64)
        if misplaced := elements.misplaced(name, intervals, keys):
            raise DatasetError(f"table {name} has its rows in another order: {misplaced}")
        arrays[name] = {
            column: _column(table, column, network).reshape(n_intervals, *shape)
            for column in COLUMNS[name]
        }
    arrays["neighbour"] = _neighbours(tables["neighbour"], network, n_intervals)
    controls = control_arrays(network, schedule, n_intervals)
    faults = network.scenario.all_faults(seed)
    outside = fault_arrays(network, faults, n_intervals, first)
    outside["sent_bits"] = np.where(open_rows(network), arrays["flow"]["sent_bits"], 0.0)
    return Trajectory(network, arrays, controls, outside)


def taken(table: Table, index: Any) -> Table:
    """Entries of all columns along their first axis."""
    return {name: values[index] for name, values in table.items()}


def open_rows(network: Network) -> NDArray[np.bool_]:
    """Which flow rows send whatever becomes of it: open-loop traffic and requests of jobs."""
    return network.row_is_open


def _column(table: pa.Table, column: str, network: Network) -> NDArray[Any]:
    values = table[column].combine_chunks()
    if pa.types.is_dictionary(values.type):
        names = {"cell": network.cell_names, "state": UE_STATES}[column]
        found = codes_of(table[column], {word: i for i, word in enumerate(names)})
        if len(found) and found.min() < 0:
            word = values[int(found.argmin())].as_py()
            raise DatasetError(f"{column} {word!r} is not in the scenario")
        return found
    return np.asarray(values.to_numpy(zero_copy_only=False), float)


def _neighbours(table: pa.Table, network: Network, n_intervals: int) -> Table:
    """Cell and RSRP of the strongest other cells of each user, shape (T, U, N)."""
    index = codes_of(table["ue"], {name: i for i, name in enumerate(network.ue_names)})
    interval = table["interval"].to_numpy()
    if len(table) and (index.min() < 0 or interval.min() < 0 or interval.max() >= n_intervals):
        raise DatasetError(
            f"table neighbour has rows of users or intervals that are not in the scenario, whose "
            f"run has {n_intervals} intervals"
        )
    rank = table["rank"].to_numpy().astype(np.int64) - 1
    n_users = len(network.ue_names)
    n = min(MAX_NEIGHBOURS, max(1, network.n_cells - 1))
    cell = np.zeros((n_intervals, n_users, n), np.int64)
    rsrp_dbm = np.full((n_intervals, n_users, n), UNHEARD_DBM)
    keep = rank < n
    at = interval[keep], index[keep], rank[keep]
    cell[at] = _column(table, "cell", network)[keep]
    rsrp_dbm[at] = table["rsrp_dbm"].to_numpy()[keep]
    return {"cell": cell, "rsrp_dbm": rsrp_dbm}


class Controls:
    """The arrays of controls, without the axis of time, as changes are made to them.

    Args:
        network: whose they are; at first as its scenario has them.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        dump = ControlState.initial(network.scenario).model_dump()
        cells, slices = network.cell_names, network.slice_names
        own = [dump["cells"][c] for c in cells]
        neutral: dict[str, Any] = {
            "a3_offset_db": 0.0,
            "hysteresis_db": 0.0,
            "ttt_ms": 0.0,
            "cio_db": {},
        }
        handover = [c["handover"] or neutral for c in own]
        self.arrays: Table = {
            **{
                name: np.array([float(c[name]) for c in own])
                for name in (
                    "tx_power_dbm",
                    "tilt_deg",
                    "bandwidth_mhz",
                    "numerology",
                    "target_bler",
                    "wake_prb_pct",
                )
            },
            "scheduler": np.array([float(SCHEDULERS.index(c["scheduler"])) for c in own]),
            "sleep_mode": np.array([float(SLEEP_MODES.index(c["sleep_mode"])) for c in own]),
            **{
                name: np.array([float(h[name]) for h in handover])
                for name in ("a3_offset_db", "hysteresis_db", "ttt_ms")
            },
            "cio_db": np.array([[h["cio_db"].get(n, 0.0) for n in cells] for h in handover]),
            **{
                name: np.array([[float(c["slices"][s][name]) for s in slices] for c in own])
                for name in ("dedicated_pct", "min_pct", "max_pct")
            },
            "degradation": np.array(
                [float(DEGRADATIONS.index(dump["slices"][s]["degradation"])) for s in slices]
            ),
            "queue": np.array(
                [float(QUEUES.index(dump["links"][n]["queue"])) for n in network.link_names]
            ),
            "application_site": np.array(
                [
                    float(network.edge_names.index(dump["applications"][a]["site"]))
                    for a in network.application_names
                ]
            ),
            "fraction": np.array(
                [float(dump["applications"][a]["fraction"]) for a in network.application_names]
            ),
            "row_slice": np.array(
                [
                    slices.index(list(dump["ues"][u]["flows"].values())[f]["slice"])
                    for u, f in self._rows()
                ],
                np.int64,
            ),
        }
        self._flow_names = {
            (u, name): i for u in network.ue_names for i, name in enumerate(dump["ues"][u]["flows"])
        }
        self._rows_of: dict[tuple[str, int], list[int]] = {}
        for row, (u, f) in enumerate(self._rows()):
            self._rows_of.setdefault((u, f), []).append(row)
        n_rows = len(network.row_ue)
        self.arrays["slice_path"] = np.repeat(network.paths.auto[None], network.n_slices, axis=0)
        self.arrays["row_path"] = np.full(n_rows, -1, np.int64)
        self.arrays["ordered_cell"] = np.full(len(network.ue_names), -1, np.int64)
        self._cells = {name: i for i, name in enumerate(cells)}
        self._slices = {name: i for i, name in enumerate(slices)}

    def _rows(self) -> Iterator[tuple[str, int]]:
        network = self._network
        for ue, flow in zip(network.row_ue, network.row_flow, strict=True):
            yield network.ue_names[ue], int(flow)

    def copy(self) -> Controls:
        """The same, to be changed apart."""
        other = copy.copy(self)
        other.arrays = {name: array.copy() for name, array in self.arrays.items()}
        return other

    def change(self, path: str, value: Any) -> None:
        """Set what a path means, which may have `*` in it."""
        kind, *rest = path.split(".")
        getattr(self, f"_{kind}_changed")(rest, value)

    def _cells_changed(self, path: list[str], value: Any) -> None:
        for cell in _matching(path[0], self._cells):
            match path[1:]:
                case ["slices", name, field]:
                    for slice_ in _matching(name, self._slices):
                        self.arrays[field][cell, slice_] = value
                case ["handover", "cio_db", name]:
                    for other in _matching(name, self._cells):
                        self.arrays["cio_db"][cell, other] = value
                case ["handover", field]:
                    self.arrays[field][cell] = value
                case ["scheduler"]:
                    self.arrays["scheduler"][cell] = SCHEDULERS.index(value)
                case ["sleep_mode"]:
                    self.arrays["sleep_mode"][cell] = SLEEP_MODES.index(value)
                case [field]:
                    self.arrays[field][cell] = value

    def _slices_changed(self, path: list[str], value: Any) -> None:
        for slice_ in _matching(path[0], self._slices):
            if path[1] == "degradation":
                self.arrays["degradation"][slice_] = DEGRADATIONS.index(value)
            else:
                scenario = self._network.scenario
                for site in fnmatch.filter(scenario.site_ids, path[2]):
                    for anchor in fnmatch.filter(scenario.anchors, path[3]):
                        at = scenario.site_ids.index(site), scenario.anchors.index(anchor)
                        paths = self._network.paths
                        number = paths.auto[at] if value == AUTO else paths.number(value)
                        self.arrays["slice_path"][(slice_, *at)] = number

    def _links_changed(self, path: list[str], value: Any) -> None:
        for i, name in enumerate(self._network.link_names):
            if fnmatch.fnmatchcase(name, path[0]):
                self.arrays["queue"][i] = QUEUES.index(value)

    def _applications_changed(self, path: list[str], value: Any) -> None:
        for i, name in enumerate(self._network.application_names):
            if fnmatch.fnmatchcase(name, path[0]):
                if path[1] == "site":
                    self.arrays["application_site"][i] = self._network.edge_names.index(value)
                else:
                    self.arrays["fraction"][i] = value

    def _ues_changed(self, path: list[str], value: Any) -> None:
        for ue in fnmatch.filter(self._network.ue_names, path[0]) if "*" in path[0] else path[:1]:
            match path[1:]:
                case ["flows", name, field]:
                    for (owner, flow_name), flow in self._flow_names.items():
                        if owner == ue and fnmatch.fnmatchcase(flow_name, name):
                            for row in self._rows_of.get((ue, flow), ()):
                                if field == "slice":
                                    self.arrays["row_slice"][row] = self._slices[value]
                                else:
                                    self.arrays["row_path"][row] = (
                                        -1
                                        if value == SLICE_ROUTE
                                        else self._network.paths.number(value)
                                    )
                case ["target_cell"] if value:
                    at = self._network.ue_names.index(ue)
                    self.arrays["ordered_cell"][at] = self._cells[value]
                case _:
                    pass


def _matching(pattern: str, names: Mapping[str, int]) -> list[int]:
    if pattern in names:
        return [names[pattern]]
    return [i for name, i in names.items() if fnmatch.fnmatchcase(name, pattern)]


def control_arrays(network: Network, schedule: Iterable[ControlChange], n_intervals: int) -> Table:
    """The controls in force in each interval, by name as in `ControlState`.

    Besides: `row_slice`, the slice of each flow row; `slice_path`, the number of the path between
    each site and anchor, shape (T, S, sites, anchors); `row_path`, that of a flow with a route of
    its own, or -1; `ordered_cell`, the target of an ordered handover, or -1.
    """
    now = Controls(network)
    changes = sorted(schedule, key=lambda change: change.interval)
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in now.arrays}
    for interval in range(n_intervals):
        now.arrays["ordered_cell"][:] = -1
        while changes and changes[0].interval <= interval:
            change = changes.pop(0)
            now.change(change.path, change.value)
        for name, array in now.arrays.items():
            found[name].append(array.copy())
    return {name: np.stack(values) for name, values in found.items()}


def fault_arrays(
    network: Network, faults: Iterable[Fault], n_intervals: int, first: int = 0
) -> Table:
    """How faults hold in each interval, averaged over it.

    Args:
        network: that they strike.
        faults: with their times.
        n_intervals: T, how many intervals.
        first: index of the first of them.

    Returns:
        `link_up`, `link_rate` (shares), `link_extra_ms`, `link_fault_loss` (share), shape (T, L);
        `outage` (share of time) and `noise_rise_db`, (T, C); `surge` (factor), (T, S);
        `background_pct`, (T, E).
    """
    step_s = network.scenario.interval_ms * 1e-3
    starts = (first + np.arange(n_intervals)) * step_s
    n_links, n_slices = len(network.link_names), network.n_slices
    link_up = np.ones((n_intervals, n_links))
    link_rate = np.ones((n_intervals, n_links))
    link_extra_ms = np.zeros((n_intervals, n_links))
    link_kept = np.ones((n_intervals, n_links))
    outage = np.zeros((n_intervals, network.n_cells))
    noise_rise_db = np.zeros((n_intervals, network.n_cells))
    surge = np.ones((n_intervals, n_slices))
    background_pct = np.zeros((n_intervals, len(network.edge_names)))
    for fault in faults:
        share = np.clip((fault.end_s - starts) / step_s, 0, 1) - np.clip(
            (fault.start_s - starts) / step_s, 0, 1
        )
        match fault.kind:
            case "link_cut" | "link_degraded":
                at = [i for i, name in enumerate(network.link_names) if name == fault.link]
                if fault.kind == "link_cut":
                    link_up[:, at] = np.minimum(link_up[:, at], 1 - share[:, None])
                else:
                    link_rate[:, at] *= (1 - share * (1 - fault.rate_pct / 100))[:, None]
                    link_extra_ms[:, at] += (share * fault.extra_delay_ms)[:, None]
                    link_kept[:, at] *= (1 - share * fault.loss_pct / 100)[:, None]
            case "cell_outage":
                cell = network.cell_names.index(fault.cell)
                outage[:, cell] = np.maximum(outage[:, cell], share)
            case "interference_burst":
                cell = network.cell_names.index(fault.cell)
                noise_rise_db[:, cell] = np.maximum(
                    noise_rise_db[:, cell], share * fault.noise_rise_db
                )
            case "traffic_surge":
                s = network.slice_names.index(fault.slice)
                surge[:, s] = np.maximum(surge[:, s], 1 + share * (fault.factor - 1))
            case "edge_overload":
                site = network.edge_names.index(fault.site)
                background_pct[:, site] = np.maximum(
                    background_pct[:, site], share * fault.load_pct
                )
            case _:
                pass
    return {
        "link_up": link_up,
        "link_rate": link_rate,
        "link_extra_ms": link_extra_ms,
        "link_fault_loss": 1 - link_kept,
        "outage": outage,
        "noise_rise_db": noise_rise_db,
        "surge": surge,
        "background_pct": background_pct,
    }
