# SPDX-License-Identifier: Apache-2.0
"""Rows of flow classes and of slices as wholes: what users see from end to end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.features.radio import Radio
from calibration.features.rows import Rows, lagged, least_into, log_ratio, sum_into
from calibration.network import FLOW_KINDS, FULL_BUFFER, HTTP, TCP, Floats
from calibration.trajectory import open_rows


def _flow_columns(rows: Rows, radio: Radio, index: NDArray[np.int64], count: int) -> None:
    """Sums and means over flow rows, for the rows of flow classes and slices."""
    step, network = radio.step, radio.network
    flow, fluid = step.now["flow"], radio.fluid
    kbit = network.scenario.interval_ms * 1e3

    def total(values: Floats) -> Floats:
        return sum_into(index, np.nan_to_num(np.broadcast_to(values, index.shape)), count)

    def mean(values: Floats, weights: Floats) -> Floats:
        weights = np.where(np.isnan(values), 0, np.broadcast_to(weights, index.shape))
        weight = total(weights)
        share: Floats = np.divide(
            total(np.nan_to_num(values) * weights),
            weight,
            out=np.full(weight.shape, np.nan),
            where=weight > 0,
        )
        return share

    ones = np.ones(index.shape)
    n_flows = np.maximum(total(ones), 1)

    def each(values: Floats) -> Floats:
        return np.asarray(total(values) / n_flows)

    active = (radio.sent_bits > 0).astype(float)
    sent, delivered = radio.sent_bits, flow["delivered_bits"]
    dropped = flow["dropped_radio_bits"] + flow["dropped_transport_bits"]
    through = radio.through_bits
    lost = sent - radio.arriving_bits + fluid.dropped_bits + fluid.served_bits - through
    delay_ms = fluid.latency_ms + radio.path_propagation_ms
    moved = np.take_along_axis(radio.re_power_change_db, radio.rows_cell, 1)
    open_ = open_rows(network)
    rows.add(
        flows_per_cell=total(ones) / network.n_cells,
        active=each(active),
        offered_mbps=each(step.outside["sent_bits"]) / kbit,
        was_offered_mbps=each(step.outside_now["sent_bits"]) / kbit,
        sent_mbps=each(sent * (network.row_kind != FLOW_KINDS.index(FULL_BUFFER))) / kbit,
        backlog_mbps=each(flow["in_flight_bits"]) / kbit,
        through_mbps=each(through) / kbit,
        queued_kbit=each(fluid.queued_bits) * 1e-3,
        now_mbps=each(delivered) / kbit,
        fluid_mbps=total(through) / kbit,
        fluid_latency_ms=np.nan_to_num(mean(delay_ms, through + 1.0)),
        fluid_loss_pct=100 * total(lost * open_) / np.maximum(total((lost + through) * open_), 1),
        fluid_within=mean((delay_ms < flow["delay_budget_ms"]).astype(float), through + 1.0),
        rate_mbps=mean(radio.row_rate_mbps, active + 1e-3),
        worst_rate_mbps=_finite(
            least_into(index, np.where(active > 0, radio.row_rate_mbps, np.inf), count)
        ),
        propagation_ms=mean(radio.path_propagation_ms, active + 1e-3),
        survival=mean(radio.path_survival, sent + 1.0),
        delay_budget_ms=mean(flow["delay_budget_ms"], ones),
        packet_kbit=mean(network.row_packet_bits * ones * 1e-3, sent + 1.0),
        power_change_db=mean(moved, ones),
        cell_on=mean(np.take_along_axis(radio.on, radio.rows_cell, 1), ones),
        lost_users=mean(1 - radio.alive[:, network.row_ue], ones),
        in_flight_base_bits=total(fluid.queued_bits),
        now_loss_pct=100 * total(dropped) / np.maximum(total(dropped + delivered), 1),
        now_latency_ms=mean(flow["latency_ms"], delivered),
        now_latency_p95_ms=mean(flow["latency_p95_ms"], delivered),
        now_jitter_ms=mean(flow["jitter_ms"], delivered),
        now_within_pct=mean(flow["within_budget_pct"], delivered),
        cell_load_pct=mean(
            np.take_along_axis(step.now["cell"]["dl_prb_util_pct"], radio.rows_cell, 1),
            active + 1e-3,
        ),
        ul_cell_load_pct=mean(
            np.take_along_axis(step.now["cell"]["ul_prb_util_pct"], radio.rows_cell, 1),
            active + 1e-3,
        ),
        slot_ms=mean(np.take_along_axis(15 / radio.scs_khz, radio.rows_cell, 1), ones),
        max_pct=mean(_of_slice(radio, "max_pct"), active + 1e-3),
        min_pct=mean(_of_slice(radio, "min_pct"), active + 1e-3),
        scheduler_qos=mean(
            (np.take_along_axis(step.controls["scheduler"], radio.rows_cell, 1) == 3).astype(float),
            ones,
        ),
    )
    before = step.before["flow"]
    rows.add(before_latency_ms=mean(before["latency_ms"], before["delivered_bits"]))
    for name, kinds in (("tcp", (TCP,)), ("http", (HTTP,)), ("full_buffer", (FULL_BUFFER,))):
        of_kind = np.isin(network.row_kind, [FLOW_KINDS.index(kind) for kind in kinds])
        rows.add(**{f"{name}_share": mean(of_kind * ones, ones)})


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)


def _of_slice(radio: Radio, name: str) -> Floats:
    flat = radio.step.controls[name].reshape(radio.batch, -1)
    return np.take_along_axis(flat, radio.rows_group, 1)


def class_rows(radio: Radio) -> Rows:
    """One row per flow class: what a user group's flow sees from end to end, in one direction."""
    step, network = radio.step, radio.network
    count = len(network.class_names)
    rows = radio.rows(count)
    index = np.broadcast_to(network.row_class, (radio.batch, len(network.row_class)))
    _flow_columns(rows, radio, index, count)
    was_bits = sum_into(index, radio.last.through_bits, count)
    now_bits = sum_into(index, step.now["flow"]["delivered_bits"], count)
    kbit = network.scenario.interval_ms * 1e3
    rows.add(fluid_gap=log_ratio(now_bits / kbit, was_bits / kbit, 0.02))
    first = np.array([np.argmax(network.row_class == c) for c in range(count)])
    rows.add(
        uplink=network.row_direction[first],
        kind=network.row_kind[first],
        per_second=network.row_per_second[first],
    )
    return rows


def network_rows(radio: Radio) -> Rows:
    """One row per slice: what its users see from end to end, in both directions."""
    step, network = radio.step, radio.network
    rows = radio.rows(network.n_slices)
    _flow_columns(rows, radio, step.controls["row_slice"], network.n_slices)
    rows.add(
        degradation=step.controls["degradation"],
        degradation_change=step.controls["degradation"] - step.controls_now["degradation"],
    )
    lagged(rows, step, "network", ("packet_loss_pct",
         "within_budget_pct", "prb_util_pct", "jain_index"))  # fmt: skip
    return rows
