# SPDX-License-Identifier: Apache-2.0
"""Rows of the slices of cells."""

from __future__ import annotations

import numpy as np

from calibration.features.by_slice import flows_by_slice
from calibration.features.cells import cell_columns
from calibration.features.radio import Radio
from calibration.features.rows import Rows, changes, lagged
from calibration.network import FULL_BUFFER, HTTP, TCP, Floats
from calibration.sums import least_into, picked

WAYS = ("dl", "ul")
LEAST_PACKETS = 1e-3
CARRIED = ("throughput_mbps", "prb_util_pct", "queued_bits")


def slice_rows(radio: Radio) -> Rows:
    """One row per cell and slice."""
    step, network = radio.step, radio.network
    rows = radio.rows(network.n_cells, network.n_slices)
    cell_columns(rows, radio, lambda values: values[:, :, None])
    slice_ = step.now["slice"]
    interval_kbit, flows = radio.interval_kbit, radio.once(flows_by_slice)
    by_way = {name: np.stack([slice_[f"{d}_{name}"] for d in WAYS]) for name in CARRIED}
    throughput, prb = by_way["throughput_mbps"], by_way["prb_util_pct"]
    offered, was_offered = flows["offered_mbps"], flows["was_offered_mbps"]
    backlog = by_way["queued_bits"] / interval_kbit
    closed = np.maximum(throughput - was_offered, 0)
    cell_prb = np.stack([step.now["cell"][f"{d}_prb_util_pct"] for d in WAYS])[..., None]
    drain_ms = backlog / np.maximum(throughput, 1e-3) * network.scenario.interval_ms
    _add_by_way(rows, {
        "offered_mbps": offered,
        "was_offered_mbps": was_offered,
        "closed_mbps": closed,
        "backlog_mbps": backlog,
        "demand_mbps": offered + closed,
        "others_offered_mbps": _of_others(offered),
        "others_backlog_mbps": _of_others(backlog),
        "mbps_per_pct": np.where(prb > 0.05, throughput / np.maximum(prb, 0.05), np.nan),
        "cell_mbps_per_pct": throughput.sum(-1, keepdims=True) / np.maximum(cell_prb, 0.1),
        "active_flows": flows["offering"],
        "drain_ms": np.minimum(drain_ms, 1e4),
    })  # fmt: skip
    served, dropped = flows["served_bits"], flows["dropped_bits"]
    packets = np.maximum(flows["served_packets"], LEAST_PACKETS)
    got, wanted = 100 * flows["share"], 100 * flows["wanted"]
    _add_by_way(rows, {
        "fluid_mbps": served / interval_kbit,
        "fluid_queued_bits": flows["queued_bits"],
        "fluid_loss_pct": 100 * dropped / np.maximum(dropped + served, 1),
        "fluid_latency_ms": flows["delayed_packets_ms"] / packets,
        "fluid_tail_ms": flows["tail_packets_ms"] / packets,
        "fluid_prb_pct": got,
        "wanted_pct": wanted,
        "others_wanted_pct": _of_others(wanted),
        "others_fluid_prb_pct": _of_others(got),
        "mean_rate_mbps": flows["sending_mbps"] / np.maximum(flows["sending"], 1),
        "arriving_mbps": flows["arriving_bits"] / interval_kbit,
    })  # fmt: skip
    wanted_of_most, used_of_most = radio.cap_load
    _add_by_way(rows, {"wanted_of_most": wanted_of_most, "used_of_most": used_of_most})
    full = flows[FULL_BUFFER][0]
    rows.add(
        full_buffer_flows=full,
        tcp_flows=flows[TCP][0],
        http_flows=flows[HTTP][0],
        others_full_buffer=_of_others(full),
        flows=flows["flows"].sum(0),
        worst_rate_mbps=_least_by_slice(radio),
        packet_bits=_mean_packet_bits(flows),
        guaranteed_pct=_of_others(step.controls["min_pct"]),
        others_dedicated_pct=_of_others(step.controls["dedicated_pct"]),
        users_now=slice_["users"],
    )
    changes(rows, step, ("dedicated_pct", "min_pct", "max_pct"))
    lagged(rows, step, "slice", tuple(
        f"{d}_{n}" for d in ("dl", "ul") for n in ("throughput_mbps", "prb_util_pct", "latency_ms",
        "latency_p95_ms", "jitter_ms", "loss_pct")))  # fmt: skip
    for name in ("dl_throughput_mbps", "ul_throughput_mbps", "dl_latency_ms", "ul_latency_ms"):
        rows.add(**{f"before_{name}": step.before["slice"][name]})
    return rows


def _of_others(of_slices: Floats) -> Floats:
    """What the other slices of the cell have together."""
    return np.asarray(of_slices.sum(-1, keepdims=True) - of_slices)


def _add_by_way(rows: Rows, columns: dict[str, Floats]) -> None:
    """Put in columns of shape (2, B, C, S), those of the downlink first."""
    for index, d in enumerate(WAYS):
        rows.add(**{f"{d}_{name}": values[index] for name, values in columns.items()})


def _least_by_slice(radio: Radio) -> Floats:
    network = radio.network
    count = network.n_cells * network.n_slices
    rate = np.where(radio.offered_mbps > 0, picked(radio.rate_mbps, network.row_ue), np.inf)
    index = np.where(network.row_is_of[0], radio.rows_group, -1)
    least = least_into(index, rate, count).reshape(-1, network.n_cells, network.n_slices)
    return radio.of_sectors(least)


def _mean_packet_bits(flows: dict[str, Floats]) -> Floats:
    total, weight = (flows[name].sum(0) for name in ("offered_packets", "offered_mbps"))
    return np.asarray(np.divide(total, weight, out=np.zeros_like(total), where=weight > 0))
