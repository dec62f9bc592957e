# SPDX-License-Identifier: Apache-2.0
"""Rows of transport links."""

from __future__ import annotations

import numpy as np

from calibration.features.radio import Radio
from calibration.features.rows import Rows, changes, lagged, log_ratio
from calibration.features.transport import TOKEN_BUCKET

LAGGED = ("util_pct", "delay_ms", "delay_p95_ms", "loss_pct", "queue_packets", "queued_bits")


def link_rows(radio: Radio) -> Rows:
    """One row per direction of each transport link."""
    step, network, transport = radio.step, radio.network, radio.transport
    rows = radio.rows(len(network.link_names))
    link, was = step.now["link"], step.outside_now
    rate = transport.mbps
    arriving = transport.arriving_mbps
    kbit = radio.interval_kbit
    backlog = link["queued_bits"] / kbit
    was_mbps = network.link_mbps * was["link_rate"]
    had_bucket = step.controls_now["queue"] == TOKEN_BUCKET
    was_mbps = np.where(had_bucket, was_mbps * network.link_bucket_pct / 100, was_mbps)
    fitting = np.minimum(1, rate / np.maximum(arriving, 1e-6))
    bursts = transport.link_sum(network.row_packet_bits * (radio.sent_bits > 0))
    rows.add(
        rate_mbps=rate,
        was_rate=np.minimum(was_mbps * was["link_up"] / rate, 1e3),
        propagation_ms=transport.propagation_ms,
        up=step.outside["link_up"],
        was_up=was["link_up"],
        loss_expected_pct=100 * (1 - transport.unspoilt),
        bound_packets=network.link_queue_packets,
        bucket=step.controls["queue"] == TOKEN_BUCKET,
        offered_load=np.minimum(transport.offered_mbps / rate, 1e3),
        arriving_load=np.minimum(arriving / rate, 1e3),
        load=np.minimum((arriving + backlog) / rate, 1e3),
        arriving_gap=log_ratio(link["throughput_mbps"], radio.last.transport.arriving_mbps, 0.1),
        burst_ms=np.minimum(1e-3 * bursts / rate, 1e4),
        through_mbps=np.minimum(arriving + backlog, rate),
        util_base_pct=np.minimum(
            100 * (arriving + backlog) / np.maximum(network.link_mbps, 1e-3), 100
        ),
        wait_ms=transport.wait_ms,
        delay_base_ms=transport.propagation_ms + transport.waited_ms,
        held_kbit=transport.held_bits * 1e-3,
        excess_kbit=kbit * 1e-3 * (arriving - rate),
        loss_base_pct=100 * (1 - transport.sound * fitting),
    )
    changes(rows, step, ("queue",))
    lagged(rows, step, "link", LAGGED)
    for name in ("util_pct", "delay_ms"):
        rows.add(**{f"before_{name}": step.before["link"][name]})
    return rows
