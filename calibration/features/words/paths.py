# SPDX-License-Identifier: Apache-2.0
"""Words for the columns of transport links, edge sites and applications."""

from __future__ import annotations

from calibration.features.edges import COUNTS, JOBS, MEANS
from calibration.features.edges import LAGGED as EDGE_LAGGED
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
from calibration.features.links import LAGGED
from calibration.network import DEGRADATIONS, QUEUES

LINK = EVERYWHERE | own(
    ("rate_mbps", "Mbit/s", "Rate in the next interval, by faults and token bucket."),
    ("was_rate", "1", "Rate in the last interval, of rate_mbps; at most 1000."),
    ("propagation_ms", "ms", "Propagation delay in the next interval, with that of faults."),
    ("up", "1", "Share of the next interval in which it is not cut."),
    ("was_up", "1", "The same share of the last interval."),
    ("loss_expected_pct", "%", "Packets lost on the wire in the next interval, with faults."),
    ("bound_packets", "1", "Bound of its queue."),
    ("bucket", "1", "Whether a token bucket is its queue in the next interval."),
    ("offered_load", "1", "What flows on its paths are going to send, with 6 % of headers: "
     "open-loop flows as known, closed-loop ones as in the last interval; of rate_mbps, at most "
     "1000."),
    ("arriving_load", "1", "The same, but uplink as the fluid model lets it through the radio."),
    ("load", "1", "arriving_load and what is queued, of rate_mbps; at most 1000."),
    ("arriving_gap", "1", "Logarithm of what was carried in the last interval to what was guessed "
     "to arrive, given what was sent."),
    ("burst_ms", "ms", "Time that one packet, frame or burst of each flow on its paths takes "
     "together; at most 10 s."),
    ("through_mbps", "Mbit/s", "First guess of throughput: load times rate_mbps, at most "
     "rate_mbps. Trees do not see it."),
    ("util_base_pct", "%", "First guess of utilisation: what arrives and is queued, over the rate "
     "without faults and bucket."),
    ("wait_ms", "ms", "Wait of the last interval; where more begins to come than fits, by what is "
     "queued at both ends of the next, and where that ends, until it has drained."),
    ("delay_base_ms", "ms", "First guess of delay: propagation_ms, and the wait of the last "
     "interval."),
    ("held_kbit", "kbit", "What is queued at its end: what came beyond rate_mbps, at most "
     "bound_packets."),
    ("excess_kbit", "kbit", "What arrives beyond rate_mbps in the next interval, or below it."),
    ("loss_base_pct", "%", "First guess of loss: what exceeds rate_mbps, of what arrives."),
) | settings(("queue", "1", codes(QUEUES))) | kpis(
    LAST, "link", prefixed("now_", *LAGGED)
) | kpis(EARLIER, "link", prefixed("before_", "util_pct", "delay_ms"))  # fmt: skip

EDGE = EVERYWHERE | own(
    ("servers", "1", "Servers of the site."),
    ("gflops", "Gflop/s", "Speed of one."),
    ("job_gflop", "Gflop", "Mean work of the jobs that applications placed there after the change "
     "send in the next interval; missing where there are none."),
    ("load", "1", "Their work and foreign jobs, of the site's capacity; at most 10."),
    ("backlog_load", "1", "Work of the jobs that are there, of what it can do in an interval; at "
     "most 100."),
    ("background_pct", "%", "Share of capacity that foreign jobs ask for in the next interval."),
    ("background_change_pct", "%", "By how much that differs from the last interval."),
    ("util_base_pct", "%", "First guess of utilisation: arriving work, foreign jobs and jobs that "
     "are there, of the site's capacity, at most 100."),
    ("erlang_wait_ms", "ms", "Waiting in M/M/c (Erlang C), at most 10 s."),
    ("wait_base_ms", "ms", "First guess of waiting: until its servers have computed "
     "queue_base_jobs."),
    ("service_base_ms", "ms", "First guess of computing: job_gflop / gflops."),
    ("queue_base_jobs", "1", "First guess of jobs that wait: mean of those that do now and those "
     "left at the end, by arrivals and free capacity. Trees do not see it."),
    ("left_per_server", "1", "Jobs there and arriving less those that its free capacity can "
     "compute, per server."),
    ("room_per_server", "1", "Bound of its queue, per server."),
    ("arriving_jobs", "1", "First guess of jobs that arrive: bits of requests over bits of one. "
     "Trees do not see it."),
    ("done_per_server", "1", "Jobs that it computes, per server: those there and arriving, at most "
     "what its free capacity can."),
    ("dropped_base_jobs", "1", "First guess of jobs dropped: what is left beyond servers and "
     "queue. Trees do not see it."),
    ("system_base_jobs", "1", "First guess of jobs at the end: what is left, at most servers and "
     "queue. Trees do not see it."),
) | kpis(LAST, "edge", prefixed("now_", *EDGE_LAGGED)) | kpis(
    LAST, "edge", {f"now_{n}_per_server": n for n in COUNTS}, " (per server)"
) | kpis(EARLIER, "edge", {f"before_{n}_per_server": n for n in COUNTS}, " (per server)") | kpis(
    EARLIER, "edge", prefixed("before_", "util_pct")
)  # fmt: skip


def _way(kind: str, word: str) -> Entries:
    """Flows of requests or responses: means over an application's users."""
    return own(
        (
            f"{kind}_radio_ms",
            "ms",
            f"Mean radio delay of {word} by the fluid model, to the last bit.",
        ),
        (f"{kind}_path_ms", "ms", f"Mean propagation and wait at the links of {word}."),
        (f"{kind}_rate_mbps", "Mbit/s", f"Mean rate that {word} would have alone in their cells."),
        (f"{kind}_propagation_ms", "ms", f"Mean propagation delay on the path of {word}."),
        (f"{kind}_survival", "1", f"Mean share of {word} that the transport links let through."),
        (f"{kind}_now_latency_ms", "ms", f"Last interval: mean delay of {word}, 0 where unknown."),
        (f"{kind}_backlog_kbit", "kbit", f"Mean of {word} on their way at its end, for each user."),
    )


APPLICATION = EVERYWHERE | own(
    ("fraction", "1", "Setting in force in the next interval: share of jobs that are offloaded."),
    ("fraction_change", "1", "By how much the change moves it."),
    ("moved", "1", "Whether it is placed on another site for the next interval."),
    ("degradation", "1", f"Of its slice in the next interval: {codes(DEGRADATIONS)}"),
    ("finished_base_jobs", "1", "First guess of jobs finished: those made and not sent, and its "
     "share of those that its site computes. Trees do not see it."),
    ("finished_per_user", "1", "finished_base_jobs per user."),
    ("progress_base_jobs", "1", "First guess of jobs in progress: those of the last interval and "
     "made less those finished. Trees do not see it."),
    ("expected_queue_ms", "ms", "Expected wait for a processor: wait_base_ms of its site, by "
     "fraction."),
    ("expected_latency_ms", "ms", "Expected latency: that of the last interval, with "
     "expected_queue_ms as its wait."),
    ("made_per_user", "1", "Jobs made per user: those sent over fraction, or by nominal rate where "
     "next to none are offloaded."),
    ("sent_per_user", "1", "Jobs sent to the site in the next interval, per user: bits of requests "
     "over bits of one."),
    ("job_gflop", "Gflop", "Mean work of a job."),
    ("local_ms", "ms", "Mean time to compute a job on the user's device."),
    ("local_load", "1", "Jobs kept on devices, in erlangs per user; at most 10."),
    ("deadline_ms", "ms", "Of a job."),
    ("radio_base_ms", "ms", "First guess of radio delay: request_radio_ms and response_radio_ms of "
     "the share that is offloaded."),
    ("transport_base_ms", "ms", "First guess of transport delay: request_path_ms and "
     "response_path_ms of that share."),
    ("compute_base_ms", "ms", "First guess of computing: mean of edge_ms and local_ms by "
     "fraction."),
    ("edge_ms", "ms", "Mean work of jobs at its site over the speed of a server."),
    ("site_servers", "1", "Of its site after the change: servers."),
    ("site_load", "1", "Of its site: load."),
    ("site_wait_ms", "ms", "Of its site: wait_base_ms."),
    ("site_erlang_wait_ms", "ms", "Of its site: erlang_wait_ms."),
    ("site_jobs_per_server", "1", "Of its site: jobs there at the end of the last interval, per "
     "server."),
    ("site_waiting_ms", "ms", "Of its site: mean wait in the last interval."),
    ("site_background_pct", "%", "Of its site: background_pct."),
) | _way("request", "requests") | _way("response", "responses") | kpis(
    LAST, "application", prefixed("now_", *MEANS)
) | kpis(LAST, "application", {f"now_{n}_per_user": n for n in JOBS}, " (per user)") | kpis(
    EARLIER, "application", prefixed("before_", "latency_ms", "queue_ms", "radio_ms")
)  # fmt: skip
