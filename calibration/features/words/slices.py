# SPDX-License-Identifier: Apache-2.0
"""Words for the columns of slices of cells."""

from __future__ import annotations

from calibration.features.families import EARLIER, LAST, kpis, own, settings
from calibration.features.words.cells import CLOSED_LOOP

SLICE = own(
    ("{d}_offered_mbps", "Mbit/s", "What open-loop {direction} flows of the slice send in the next "
     "interval."),
    ("{d}_was_offered_mbps", "Mbit/s", "What the same flows sent in the last."),
    ("{d}_closed_mbps", "Mbit/s", "Throughput of the last interval beyond that: of closed-loop "
     "flows, {direction}."),
    ("{d}_demand_mbps", "Mbit/s", "{d}_offered_mbps + {d}_closed_mbps."),
    ("{d}_arriving_mbps", "Mbit/s", "Of {d}_offered_mbps, what comes to the {direction} queue: "
     "downlink has passed the transport links."),
    ("{d}_backlog_mbps", "Mbit/s", "Queue at the end of the last interval, {direction}, over the "
     "length of an interval."),
    ("{d}_drain_ms", "ms", "Time to empty it at the throughput of the last interval, at most 10 s "
     "(Little's law), {direction}."),
    ("{d}_others_offered_mbps", "Mbit/s", "{d}_offered_mbps of the cell's other slices."),
    ("{d}_others_backlog_mbps", "Mbit/s", "{d}_backlog_mbps of the cell's other slices."),
    ("{d}_mbps_per_pct", "Mbit/s per %", "Last {direction} throughput per percent of resource "
     "blocks; missing where next to none were used."),
    ("{d}_cell_mbps_per_pct", "Mbit/s per %", "The same of the whole cell."),
    ("{d}_active_flows", "1", "Open-loop {direction} flows that send in the next interval."),
    ("{d}_mean_rate_mbps", "Mbit/s", "Mean rate that {direction} flows with data would have alone "
     "in the cell; 0 where there are none."),
    ("{d}_fluid_mbps", "Mbit/s", "Served {direction} by the fluid model: first guess of "
     "throughput."),
    ("{d}_fluid_queued_bits", "bit", "Left in the {direction} queue by it, at most its bound: "
     "first guess of the queue."),
    ("{d}_fluid_loss_pct", "%", "What does not fit into the queue, of that and what is served, "
     "{direction}: first guess of loss."),
    ("{d}_fluid_latency_ms", "ms", "First guess of delay, {direction}: queue, turn, on the way, "
     "repetitions."),
    ("{d}_fluid_tail_ms", "ms", "First guess of its 95th percentile, {direction}."),
    ("{d}_fluid_prb_pct", "%", "Share of the cell's {direction} resources that the fluid model "
     "gives to it (RRMPolicyRatio, TS 28.541 4.3.36): first guess of resource blocks."),
    ("{d}_wanted_pct", "%", "Share that all of its {direction} demand would take; may exceed 100."),
    ("{d}_wanted_of_most", "1", "{d}_wanted_pct over max_pct; at most 100."),
    ("{d}_used_of_most", "1", "{direction} resource blocks of the last interval over max_pct."),
    ("{d}_others_wanted_pct", "%", "{d}_wanted_pct of the cell's other slices."),
    ("{d}_others_fluid_prb_pct", "%", "{d}_fluid_prb_pct of the cell's other slices."),
    *CLOSED_LOOP,
    ("http_flows", "1", "Web clients that are not cut off by degradation."),
    ("others_full_buffer", "1", "Downlink flows that always have data, in the other slices."),
    ("flows", "1", "Flows of its users, each direction for itself."),
    ("worst_rate_mbps", "Mbit/s", "Least rate that a user with an open-loop downlink flow would "
     "have alone in the cell; missing where there is none."),
    ("packet_bits", "bit", "Mean packet, frame or burst of its open-loop flows, by what they "
     "send."),
    ("guaranteed_pct", "%", "Sum of min_pct of the cell's other slices in the next interval."),
    ("others_dedicated_pct", "%", "Sum of dedicated_pct of the cell's other slices."),
    ("users_now", "1", "Users of the slice in the cell at the end of the last interval."),
) | settings(
    ("dedicated_pct", "%", "resources that only it may use (rRMPolicyDedicatedRatio)."),
    ("min_pct", "%", "resources that it gets if it needs them (rRMPolicyMinRatio)."),
    ("max_pct", "%", "resources that it gets at most (rRMPolicyMaxRatio)."),
) | kpis(
    LAST,
    "slice",
    {
        f"now_{{d}}_{name}": f"{{d}}_{name}"
        for name in ("throughput_mbps", "prb_util_pct", "latency_ms", "latency_p95_ms",
                     "jitter_ms", "loss_pct")
    },
) | kpis(
    EARLIER,
    "slice",
    {f"before_{{d}}_{name}": f"{{d}}_{name}" for name in ("throughput_mbps", "latency_ms")},
)  # fmt: skip
