# SPDX-License-Identifier: Apache-2.0
"""What a roll-out makes of the jobs of edge applications: counts and delays that agree.

A model predicts sites and applications apart. Of an application that offloads all of its jobs, what
is in progress waits or is computed at its site or is on its way, and jobs wait as long as the site
says; so an application recovers as soon as its site does, or as it moves to a free one.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from calibration.features import Radio
from calibration.features.edges import Jobs
from calibration.network import Floats
from calibration.trajectory import Table

ALL = 0.95
"""Share of offloaded jobs from which on an application offloads all."""
HALF_A_JOB = 0.5
P95_SCORE = 1.645
LEAST_SPREAD, MOST_SPREAD = 0.1, 1.5
"""Bounds of the standard deviation of the logarithm of delays."""
PARTS = ("radio_ms", "transport_ms", "queue_ms", "compute_ms")
"""Delays that sum to `latency_ms`, as in the KPI tables."""


def agree(radio: Radio, application: Table, edge: Table) -> None:
    """Make the KPIs that are predicted of applications agree with those of their sites.

    Args:
        radio: of the interval.
        application: KPIs predicted of applications, shape (B, A); they are changed.
        edge: those of sites, shape (B, E).
    """
    jobs, now = radio.once(Jobs), radio.step.now["application"]
    n_sites = len(radio.network.edge_names)
    offloads = radio.step.controls["fraction"] >= ALL

    def of_site(values: Floats) -> Floats:
        return np.take_along_axis(values, jobs.site, 1)

    share = jobs.arriving / np.maximum(of_site(jobs.at_site(jobs.arriving, n_sites)), 1e-9)
    waiting_ms = of_site(edge["waiting_ms"])
    spread = _spread(application)
    application["queue_ms"] = np.where(
        offloads & ~np.isnan(waiting_ms), waiting_ms, application["queue_ms"]
    )
    application["latency_ms"] = sum((application[part] for part in PARTS), np.zeros(share.shape))
    application["latency_p95_ms"] = application["latency_ms"] * np.exp(
        P95_SCORE * spread - spread**2 / 2
    )
    there = now["jobs_in_progress"] + jobs.made
    on_way_ms = application["radio_ms"] + application["transport_ms"]
    on_way = jobs.arriving * on_way_ms / radio.network.scenario.interval_ms
    held = np.minimum(of_site(edge["jobs_in_system"]) * share + on_way, there)
    finished = np.where(offloads, there - held, np.minimum(application["jobs_finished"], there))
    lost = np.minimum(of_site(edge["jobs_dropped"]) * share, there - finished)
    application["jobs_finished"] = finished
    application["jobs_lost"] = lost
    application["jobs_in_progress"] = there - finished - lost
    application["jobs_made"], application["jobs_offloaded"] = jobs.made, jobs.arriving
    in_time_pct = 100 * _in_time(
        application["latency_ms"], spread, radio.network.application_deadline_ms
    )
    application["within_deadline_pct"] = np.where(
        offloads, in_time_pct, application["within_deadline_pct"]
    )
    none = finished <= HALF_A_JOB
    for name in (*PARTS, "latency_ms", "latency_p95_ms"):
        application[name] = np.where(none, np.nan, application[name])


def _spread(application: Table) -> Floats:
    """Standard deviation of the logarithm of delays, from their mean and 95th percentile."""
    tail = np.log(np.maximum(application["latency_p95_ms"], 1e-3))
    tail -= np.log(np.maximum(application["latency_ms"], 1e-3))
    return np.clip(tail / P95_SCORE, LEAST_SPREAD, MOST_SPREAD)


def _in_time(latency_ms: Floats, spread: Floats, deadline_ms: Floats) -> Floats:
    """Share of lognormal delays of some mean that are below the deadline."""
    late = np.log(np.maximum(latency_ms, 1e-3)) - spread**2 / 2 - np.log(deadline_ms)
    return np.asarray(ndtr(-late / spread))
