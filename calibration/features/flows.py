# SPDX-License-Identifier: Apache-2.0
"""Rows of flow classes and of slices as wholes: what users see from end to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.features.delays import Delays
from calibration.features.radio import Radio
from calibration.features.rows import Rows, lagged, log_ratio
from calibration.fluid import QOS
from calibration.network import FULL_BUFFER, HTTP, TCP, Floats, Ints
from calibration.sums import known, least_into, mean_into, picked, sum_into


@dataclass(frozen=True)
class _Flows:
    """What columns of flow classes and slices are summed from, by flow row."""

    totals: dict[str, NDArray[Any]]
    means: dict[str, tuple[NDArray[Any], NDArray[Any]]]
    """Values and weights."""


def _of_flows(radio: Radio) -> _Flows:
    step, network = radio.step, radio.network
    flow, controls = step.now["flow"], step.controls
    active, sent = radio.sent_bits > 0, radio.sent_bits
    delivered = flow["delivered_bits"]
    dropped = flow["dropped_radio_bits"] + flow["dropped_transport_bits"]
    through = radio.through_bits
    delays, transport = radio.once(Delays), radio.transport
    wanted_of_most, used_of_most = (radio.at_row(values) for values in radio.cap_load)
    ones, some = np.ones(len(network.row_ue)), active + 1e-3
    carried = (through + 1.0) / network.row_datagram_bits
    was_carried = delivered / network.row_datagram_bits
    totals = {
        "flows": ones,
        "active": active,
        "offered": step.outside["sent_bits"],
        "was_offered": step.outside_now["sent_bits"],
        "sent": sent * ~network.row_is[FULL_BUFFER],
        "backlog": flow["in_flight_bits"],
        "through": through,
        "lost": radio.lost_bits * network.row_is_open,
        "open": (radio.lost_bits + through) * network.row_is_open,
        "delivered": delivered,
        "queued": radio.held_bits,
        "dropped": dropped,
        "ended": dropped + delivered,
    }
    before = step.before["flow"]

    def by_cell(values: NDArray[Any]) -> Floats:
        return picked(values, radio.rows_cell)

    def by_slice(name: str) -> Floats:
        return picked(controls[name].reshape(radio.batch, -1), radio.rows_group)

    means = {
        "fluid_latency_ms": (delays.radio_ms + delays.path_ms, carried),
        "fluid_tail_ms": (delays.radio_tail_ms + delays.path_ms, carried),
        "fluid_within": (100 * delays.in_budget, carried),
        "rate_mbps": (radio.row_rate_mbps, some),
        "propagation_ms": (transport.path_propagation_ms, some),
        "path_wait_ms": (transport.path_wait_ms, some),
        "wanted_of_most": (wanted_of_most, some),
        "used_of_most": (used_of_most, some),
        "survival": (transport.path_passing, sent + 1.0),
        "delay_budget_ms": (flow["delay_budget_ms"], ones),
        "packet_kbit": (network.row_packet_bits * 1e-3, sent + 1.0),
        "power_change_db": (by_cell(radio.re_power_change_db), ones),
        "cell_on": (by_cell(radio.on), ones),
        "lost_users": (picked(1 - radio.alive, network.row_ue), ones),
        "now_latency_ms": (flow["latency_ms"], was_carried),
        "now_latency_p95_ms": (flow["latency_p95_ms"], was_carried),
        "now_jitter_ms": (flow["jitter_ms"], was_carried),
        "now_within_pct": (flow["within_budget_pct"], was_carried),
        "cell_load_pct": (by_cell(step.now["cell"]["dl_prb_util_pct"]), some),
        "ul_cell_load_pct": (by_cell(step.now["cell"]["ul_prb_util_pct"]), some),
        "slot_ms": (radio.row_slot_ms, ones),
        "max_pct": (by_slice("max_pct"), some),
        "min_pct": (by_slice("min_pct"), some),
        "scheduler_qos": (by_cell(controls["scheduler"] == QOS), ones),
        "before_latency_ms": (
            before["latency_ms"],
            before["delivered_bits"] / network.row_datagram_bits,
        ),
        "tcp_share": (network.row_is[TCP], ones),
        "http_share": (network.row_is[HTTP], ones),
        "full_buffer_share": (network.row_is[FULL_BUFFER], ones),
    }
    return _Flows(totals, means)


def _flow_columns(rows: Rows, radio: Radio, index: Ints, count: int) -> None:
    """Sums and means over flow rows, for the rows of flow classes and slices."""
    flows = radio.once(_of_flows)
    total = {name: sum_into(index, values, count) for name, values in flows.totals.items()}
    mean = {
        name: mean_into(index, values, weights, count)
        for name, (values, weights) in flows.means.items()
    }
    kbit = radio.interval_kbit
    n_flows = np.maximum(total["flows"], 1)
    each = {name: values / n_flows for name, values in total.items()}
    active_mbps = np.where(radio.sent_bits > 0, radio.row_rate_mbps, np.inf)
    rows.add(
        flows_per_cell=total["flows"] / radio.network.n_cells,
        active=each["active"],
        offered_mbps=each["offered"] / kbit,
        was_offered_mbps=each["was_offered"] / kbit,
        sent_mbps=each["sent"] / kbit,
        backlog_mbps=each["backlog"] / kbit,
        through_mbps=each["through"] / kbit,
        queued_kbit=each["queued"] * 1e-3,
        now_mbps=each["delivered"] / kbit,
        fluid_mbps=total["through"] / kbit,
        fluid_latency_ms=known(mean["fluid_latency_ms"]),
        fluid_loss_pct=100 * total["lost"] / np.maximum(total["open"], 1),
        fluid_tail_ms=known(mean["fluid_tail_ms"]),
        fluid_within_pct=known(mean["fluid_within"], 100.0),
        **_some(mean, "rate_mbps"),
        worst_rate_mbps=least_into(index, active_mbps, count),
        **_some(mean, "propagation_ms", "survival", "delay_budget_ms", "packet_kbit",
                "path_wait_ms", "wanted_of_most", "used_of_most",
                "power_change_db", "cell_on", "lost_users"),
        in_flight_base_bits=total["queued"],
        now_loss_pct=100 * total["dropped"] / np.maximum(total["ended"], 1),
        **_some(mean, "now_latency_ms", "now_latency_p95_ms", "now_jitter_ms", "now_within_pct",
                "cell_load_pct", "ul_cell_load_pct", "slot_ms", "max_pct", "min_pct",
                "scheduler_qos", "before_latency_ms", "tcp_share", "http_share",
                "full_buffer_share"),
    )  # fmt: skip


def _some(columns: dict[str, Floats], *names: str) -> dict[str, Floats]:
    return {name: columns[name] for name in names}


def class_rows(radio: Radio) -> Rows:
    """One row per flow class: what a user group's flow sees from end to end, in one direction."""
    step, network = radio.step, radio.network
    count = len(network.class_names)
    rows = radio.rows(count)
    _flow_columns(rows, radio, network.row_class, count)
    was_bits = sum_into(network.row_class, radio.last.through_bits, count)
    now_bits = sum_into(network.row_class, step.now["flow"]["delivered_bits"], count)
    rows.add(
        fluid_gap=log_ratio(now_bits / radio.interval_kbit, was_bits / radio.interval_kbit, 0.02)
    )
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
