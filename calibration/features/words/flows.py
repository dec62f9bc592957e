# SPDX-License-Identifier: Apache-2.0
"""Words for the columns of flow classes and of slices as wholes."""

from __future__ import annotations

from calibration.features.families import (
    EARLIER,
    EVERYWHERE,
    LAST,
    codes,
    kpis,
    own,
    prefixed,
    settings,
)
from calibration.network import DEGRADATIONS, FLOW_KINDS

OVER_FLOWS = " (mean over its flows by delivered bits)"
FLOWS = EVERYWHERE | own(
    ("flows_per_cell", "1", "Its flows, each direction for itself, over the cells of the "
     "network."),
    ("active", "1", "Share of its flows that are going to send."),
    ("offered_mbps", "Mbit/s", "Mean over its flows: what open-loop ones send in the next "
     "interval."),
    ("was_offered_mbps", "Mbit/s", "Mean over its flows: what open-loop ones sent in the last."),
    ("sent_mbps", "Mbit/s", "Mean over its flows: what is going to be sent, of TCP, web and "
     "responses what they sent in the last interval; without full buffers."),
    ("backlog_mbps", "Mbit/s", "Mean over its flows: on its way at the end of the last interval, "
     "over the length of an interval."),
    ("through_mbps", "Mbit/s", "fluid_mbps over its flows."),
    ("queued_kbit", "kbit", "in_flight_base_bits over its flows."),
    ("fluid_mbps", "Mbit/s", "First guess of throughput: what the fluid model serves and transport "
     "lets through. Trees do not see it."),
    ("fluid_latency_ms", "ms", "First guess of delay: radio by the fluid model, propagation_ms "
     "and path_wait_ms."),
    ("fluid_tail_ms", "ms", "First guess of the 95th percentile of delay, likewise."),
    ("fluid_loss_pct", "%", "First guess of loss: in transport and by full queues, of open-loop "
     "flows."),
    ("fluid_within_pct", "%", "First guess of what is within the delay budget, likewise."),
    ("in_flight_base_bits", "bit", "First guess of bits on their way: queued in the fluid model. "
     "Trees do not see it."),
    ("rate_mbps", "Mbit/s", "Mean rate that flows would have alone in their cells, mostly of those "
     "that are going to send."),
    ("worst_rate_mbps", "Mbit/s", "Least of those that are going to send; 1e6 more where there are "
     "none."),
    ("propagation_ms", "ms", "Mean propagation delay on the paths through transport in the next "
     "interval."),
    ("path_wait_ms", "ms", "Mean wait in the queues of the transport links on the paths."),
    ("wanted_of_most", "1", "Mean of what its flows' slices want of their cells, by max_pct; at "
     "most 100."),
    ("used_of_most", "1", "The same of what they used in the last interval."),
    ("survival", "1", "Mean share of what is sent that the transport links let through."),
    ("delay_budget_ms", "ms", "Mean delay budget promised."),
    ("packet_kbit", "kbit", "Mean packet, frame or burst, by what is sent."),
    ("power_change_db", "dB", "Mean of re_power_change_db of the users' cells."),
    ("cell_on", "1", "Mean share of the next interval that the users' cells can transmit."),
    ("lost_users", "1", "Share of flows whose user has no cell at the end of the last interval."),
    ("cell_load_pct", "%", "Mean downlink resource blocks used in the last interval by the cells "
     "of flows that are going to send."),
    ("ul_cell_load_pct", "%", "The same of the uplink."),
    ("slot_ms", "ms", "Mean length of a slot in their cells after the change."),
    ("max_pct", "%", "Mean max_pct of their slices in their cells, in the next interval."),
    ("min_pct", "%", "Mean min_pct of their slices in their cells, in the next interval."),
    ("scheduler_qos", "1", "Share of flows in cells whose scheduler is qos in the next interval."),
    ("tcp_share", "1", "Share of flows that are TCP."),
    ("http_share", "1", "Share of flows that are web traffic."),
    ("full_buffer_share", "1", "Share of flows that always have data."),
    ("now_mbps", "Mbit/s", "Last interval, mean over its flows: delivered from end to end."),
    ("now_loss_pct", "%", "Last interval: lost bits, of these and delivered ones."),
) | kpis(
    LAST,
    "flow",
    {
        "now_latency_p95_ms": "latency_p95_ms",
        "now_within_pct": "within_budget_pct",
    },
    OVER_FLOWS,
) | kpis(EARLIER, "flow", {"before_latency_ms": "latency_ms"}, OVER_FLOWS)  # fmt: skip

CLASS = own(
    ("uplink", "1", "Whether it is uplink."),
    ("kind", "1", f"Kind of traffic: {codes(FLOW_KINDS)}"),
    (
        "fluid_gap",
        "1",
        "How far the fluid model was off in the last interval, given what was sent: "
        "logarithm of measured to guessed throughput.",
    ),
    ("per_second", "1/s", "Packets, frames or bursts a second of one flow; 0 where endless."),
) | kpis(LAST, "flow", prefixed("now_", "latency_ms", "jitter_ms"), OVER_FLOWS)

NETWORK = settings(("degradation", "1", codes(DEGRADATIONS))) | kpis(
    LAST,
    "network",
    prefixed("now_", "latency_ms", "jitter_ms", "packet_loss_pct",
             "within_budget_pct", "prb_util_pct", "jain_index"),
)  # fmt: skip
