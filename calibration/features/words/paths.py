# SPDX-License-Identifier: Apache-2.0
"""Words for the columns of transport links, edge sites and applications."""

from __future__ import annotations

from calibration.features.families import (
    EARLIER,
    EVERYWHERE,
    LAST,
    Entries,
    codes,
    kpis,
    own,
    prefixed,
    settings,
)
from calibration.network import DEGRADATIONS, QUEUES
from calibration.trajectory import COLUMNS

LINK = EVERYWHERE | own(
    ("rate_mbps", "Mbit/s", "Rate in the next interval, by faults and token bucket."),
    ("was_mbps", "Mbit/s", "Rate in the last interval by faults, without token bucket."),
    ("propagation_ms", "ms", "Propagation delay in the next interval, with that of faults."),
    ("up", "1", "Share of the next interval in which it is not cut."),
    ("was_up", "1", "The same share of the last interval."),
    ("loss_expected_pct", "%", "Packets lost on the wire in the next interval, with faults."),
    ("bound_packets", "1", "Bound of its queue."),
    ("bucket", "1", "Whether a token bucket is its queue in the next interval."),
    ("offered_mbps", "Mbit/s", "What flows on its paths are going to send, with 6 % of headers: "
     "open-loop flows as known, closed-loop ones as in the last interval."),
    ("arriving_mbps", "Mbit/s", "The same, but uplink as the fluid model lets it through the "
     "radio."),
    ("load", "1", "(arriving_mbps + queue) / rate_mbps, at most 1000."),
    ("arriving_gap", "1", "Logarithm of what was carried in the last interval to what was guessed "
     "to arrive, given what was sent."),
    ("burst_kbit", "kbit", "Sum of one packet, frame or burst of each flow on its paths."),
    ("through_mbps", "Mbit/s", "Least of arriving_mbps + queue and rate_mbps: first guess of "
     "throughput."),
    ("util_base_pct", "%", "First guess of utilisation: arriving_mbps + queue over the rate "
     "without faults and bucket."),
    ("delay_base_ms", "ms", "First guess of delay: propagation_ms, and the wait of the last "
     "interval."),
    ("loss_base_pct", "%", "First guess of loss: what exceeds rate_mbps, of arriving_mbps."),
) | settings(("queue", "1", codes(QUEUES))) | kpis(
    LAST, "link", prefixed("now_", *COLUMNS["link"])
) | kpis(EARLIER, "link", prefixed("before_", "throughput_mbps", "delay_ms"))  # fmt: skip

EDGE = EVERYWHERE | own(
    ("servers", "1", "Servers of the site."),
    ("gflops", "Gflop/s", "Speed of one."),
    ("arriving_jobs", "1", "Jobs that applications placed there after the change send in the next "
     "interval: bits of requests over bits of one."),
    ("job_gflop", "Gflop", "Mean work of these; missing where there are none."),
    ("load", "1", "Their work and foreign jobs, of the site's capacity; at most 10."),
    ("background_pct", "%", "Share of capacity that foreign jobs ask for in the next interval."),
    ("background_change_pct", "%", "By how much that differs from the last interval."),
    ("util_base_pct", "%", "First guess of utilisation: arriving work, foreign jobs and jobs that "
     "are there, of the site's capacity, at most 100."),
    ("wait_base_ms", "ms", "First guess of waiting: M/M/c (Erlang C), at most 10 s."),
    ("service_base_ms", "ms", "First guess of computing: job_gflop / gflops."),
    ("system_base_jobs", "1", "First guess of jobs at the end: those there and arriving less those "
     "that its free capacity can compute."),
) | kpis(LAST, "edge", prefixed("now_", *COLUMNS["edge"])) | kpis(
    EARLIER, "edge", prefixed("before_", "util_pct", "jobs_in_system")
)  # fmt: skip


def _way(kind: str, word: str) -> Entries:
    """Flows of requests or responses: means over an application's users."""
    return own(
        (f"{kind}_fluid_latency_ms", "ms", f"Mean radio delay of {word} by the fluid model."),
        (f"{kind}_rate_mbps", "Mbit/s", f"Mean rate that {word} would have alone in their cells."),
        (f"{kind}_propagation_ms", "ms", f"Mean propagation delay on the path of {word}."),
        (f"{kind}_survival", "1", f"Mean share of {word} that the transport links let through."),
        (f"{kind}_now_latency_ms", "ms", f"Last interval: mean delay of {word}, 0 where unknown."),
        (f"{kind}_backlog_kbit", "kbit", f"Mean of {word} on their way at its end, for each user."),
    )


APPLICATION = EVERYWHERE | own(
    ("users", "1", "Its users."),
    ("fraction", "1", "Setting in force in the next interval: share of jobs that are offloaded."),
    ("fraction_change", "1", "By how much the change moves it."),
    ("moved", "1", "Whether it is placed on another site for the next interval."),
    ("degradation", "1", f"Of its slice in the next interval: {codes(DEGRADATIONS)}"),
    ("made_jobs", "1", "First guess of jobs made: sent_jobs / fraction, or by nominal rate where "
     "next to none are offloaded."),
    ("sent_jobs", "1", "Jobs sent to the site in the next interval: bits of requests over bits of "
     "one."),
    ("job_gflop", "Gflop", "Mean work of a job."),
    ("local_ms", "ms", "Mean time to compute a job on the user's device."),
    ("local_load", "1", "Jobs kept on devices, in erlangs per user; at most 10."),
    ("deadline_ms", "ms", "Of a job."),
    ("compute_base_ms", "ms", "First guess of computing: mean of edge_ms and local_ms by "
     "fraction."),
    ("edge_ms", "ms", "Mean work of jobs at its site over the speed of a server."),
    ("site_servers", "1", "Of its site after the change: servers."),
    ("site_load", "1", "Of its site: load."),
    ("site_wait_ms", "ms", "Of its site: wait_base_ms (Erlang C)."),
    ("site_jobs", "1", "Of its site: jobs there at the end of the last interval."),
    ("site_waiting_ms", "ms", "Of its site: mean wait in the last interval."),
    ("site_background_pct", "%", "Of its site: background_pct."),
) | _way("request", "requests") | _way("response", "responses") | kpis(
    LAST, "application", prefixed("now_", *COLUMNS["application"])
) | kpis(
    EARLIER, "application", prefixed("before_", "latency_ms", "queue_ms", "radio_ms")
)  # fmt: skip
