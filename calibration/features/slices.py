# SPDX-License-Identifier: Apache-2.0
"""Rows of the slices of cells."""

from __future__ import annotations

import numpy as np

from calibration.features.cells import cell_columns
from calibration.features.radio import Radio
from calibration.features.rows import Rows, changes, lagged, least_into
from calibration.network import FULL_BUFFER, HTTP, TCP, Floats
from calibration.trajectory import open_rows


def slice_rows(radio: Radio) -> Rows:
    """One row per cell and slice."""
    step, network = radio.step, radio.network
    rows = radio.rows(network.n_cells, network.n_slices)
    cell_columns(rows, radio, lambda values: values[:, :, None])
    slice_ = step.now["slice"]
    interval_kbit = network.scenario.interval_ms * 1e3
    ones = np.ones_like(radio.offered_mbps)
    offered_now = step.outside_now["sent_bits"] / interval_kbit
    for index, d in enumerate(("dl", "ul")):
        offered = radio.by_slice(radio.offered_mbps, index)
        was_offered = radio.by_slice(offered_now, index)
        backlog = slice_[f"{d}_queued_bits"] / interval_kbit
        throughput, prb = slice_[f"{d}_throughput_mbps"], slice_[f"{d}_prb_util_pct"]
        closed = np.maximum(throughput - was_offered, 0)
        cell_throughput = throughput.sum(-1, keepdims=True)
        cell_prb = np.maximum(step.now["cell"][f"{d}_prb_util_pct"][:, :, None], 0.1)
        rows.add(
            **{
                f"{d}_offered_mbps": offered,
                f"{d}_was_offered_mbps": was_offered,
                f"{d}_closed_mbps": closed,
                f"{d}_backlog_mbps": backlog,
                f"{d}_demand_mbps": offered + closed,
                f"{d}_others_offered_mbps": offered.sum(-1, keepdims=True) - offered,
                f"{d}_others_backlog_mbps": backlog.sum(-1, keepdims=True) - backlog,
                f"{d}_mbps_per_pct": np.where(
                    prb > 0.05, throughput / np.maximum(prb, 0.05), np.nan
                ),
                f"{d}_cell_mbps_per_pct": cell_throughput / cell_prb,
                f"{d}_active_flows": radio.by_slice((radio.offered_mbps > 0).astype(float), index),
            }
        )
        carried = np.maximum(throughput, 1e-3)
        drain_ms = np.minimum(backlog / carried * network.scenario.interval_ms, 1e4)
        rows.add(**{f"{d}_drain_ms": drain_ms})
    fluid = radio.fluid
    for index, d in enumerate(("dl", "ul")):
        served = radio.by_slice(fluid.served_bits, index)
        queued = radio.by_slice(fluid.queued_bits, index)
        dropped = radio.by_slice(fluid.dropped_bits, index)
        wait = radio.by_slice(fluid.latency_ms * fluid.served_bits, index) / np.maximum(served, 1)
        mean_rate = radio.by_slice(radio.row_rate_mbps * (radio.sent_bits > 0), index) / np.maximum(
            radio.by_slice((radio.sent_bits > 0).astype(float), index), 1
        )
        got = 100 * radio.by_slice(fluid.share, index)
        wanted = 100 * radio.by_slice(fluid.wanted, index)
        rows.add(
            **{
                f"{d}_fluid_mbps": served / interval_kbit,
                f"{d}_fluid_queued_bits": queued,
                f"{d}_fluid_loss_pct": 100 * dropped / np.maximum(dropped + served, 1),
                f"{d}_fluid_latency_ms": wait + 2,
                f"{d}_fluid_prb_pct": got,
                f"{d}_wanted_pct": wanted,
                f"{d}_others_wanted_pct": wanted.sum(-1, keepdims=True) - wanted,
                f"{d}_others_fluid_prb_pct": got.sum(-1, keepdims=True) - got,
                f"{d}_mean_rate_mbps": mean_rate,
                f"{d}_arriving_mbps": radio.by_slice(
                    radio.arriving_bits * open_rows(network), index
                )
                / interval_kbit,
            }
        )
    full = radio.by_slice(radio.kind_of_row[FULL_BUFFER] * (radio.damped > 0), 0)
    rows.add(
        full_buffer_flows=full,
        tcp_flows=radio.by_slice(ones * radio.kind_of_row[TCP] * (radio.damped > 0), 0),
        http_flows=radio.by_slice(ones * radio.kind_of_row[HTTP] * (radio.damped > 0), 0),
        others_full_buffer=full.sum(-1, keepdims=True) - full,
        flows=radio.by_slice(ones, 0) + radio.by_slice(ones, 1),
        worst_rate_mbps=_least_by_slice(radio),
        packet_bits=_mean_packet_bits(radio),
        guaranteed_pct=step.controls["min_pct"].sum(-1, keepdims=True) - step.controls["min_pct"],
        others_dedicated_pct=step.controls["dedicated_pct"].sum(-1, keepdims=True)
        - step.controls["dedicated_pct"],
        users_now=slice_["users"],
    )
    changes(rows, step, ("dedicated_pct", "min_pct", "max_pct"))
    lagged(rows, step, "slice", tuple(
        f"{d}_{n}" for d in ("dl", "ul") for n in ("throughput_mbps", "prb_util_pct", "latency_ms",
        "latency_p95_ms", "jitter_ms", "loss_pct")))  # fmt: skip
    for name in ("dl_throughput_mbps", "ul_throughput_mbps", "dl_latency_ms", "ul_latency_ms"):
        rows.add(**{f"before_{name}": step.before["slice"][name]})
    return rows


def _least_by_slice(radio: Radio) -> Floats:
    network = radio.network
    count = network.n_cells * network.n_slices
    rate = radio.rate_mbps[:, network.row_ue]
    busy = radio.offered_mbps > 0
    rate = np.where(busy & (network.row_direction == 0), rate, np.inf)
    least = least_into(radio.rows_group, rate, count)
    return np.where(np.isfinite(least), least, np.nan).reshape(
        radio.batch, network.n_cells, network.n_slices
    )[:, radio.of_primary]


def _mean_packet_bits(radio: Radio) -> Floats:
    bits = radio.network.row_packet_bits * np.ones_like(radio.offered_mbps)
    weights = radio.offered_mbps
    total = radio.by_slice(bits * weights, 0) + radio.by_slice(bits * weights, 1)
    weight = radio.by_slice(weights, 0) + radio.by_slice(weights, 1)
    return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
