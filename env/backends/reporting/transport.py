# SPDX-License-Identifier: Apache-2.0
"""The KPI tables `link`, `edge` and `application`."""

from __future__ import annotations

from typing import Any

import numpy as np

from calibration.network import QUEUES
from env.backends.reporting.copies import Copy
from env.backends.reporting.facts import words


def link_table(one: Copy) -> dict[str, Any]:
    """A row for each link; nothing without transport."""
    facts, links = one.facts, one.around.links
    now = one.now("link")
    if not now:
        return {}
    outside = one.moment.outside
    wire = one.facts.network.link_loss_pct / 100
    wire = 1 - (1 - wire) * (1 - outside["link_fault_loss"][one.index])
    delivered = np.rint(now["throughput_mbps"] * one.kbit)
    lost = np.rint(delivered * wire / np.maximum(1 - wire, 0.01))
    share = np.clip(np.nan_to_num(now["loss_pct"]) / 100, 0, 0.99)
    dropped = np.maximum(np.rint(delivered * share / (1 - share)) - lost, 0)
    grown = np.rint(now["queued_bits"]) - np.rint(one.before("link")["queued_bits"])
    sent = delivered + lost + dropped + grown
    delivered = delivered + np.maximum(-sent, 0)
    return {
        "link": facts.links,
        "from_node": facts.from_node,
        "to_node": facts.to_node,
        "up": links.up,
        "rate_mbps": links.rate_mbps,
        "propagation_ms": links.propagation_ms,
        "queue": one.word("queue", QUEUES),
        **now,
        "delivered_bits": delivered,
        "lost_bits": lost,
        "dropped_bits": dropped,
        "sent_bits": np.maximum(sent, 0),
    }


def edge_table(one: Copy) -> dict[str, Any]:
    """A row for each edge site; nothing without one."""
    facts, now = one.facts, one.now("edge")
    if not now:
        return {}
    site = one.control("application_site").astype(int)
    placed = [
        ",".join(a for a, at in zip(facts.applications, site, strict=True) if at == s)
        for s in range(len(facts.edges))
    ]
    dropped, inside = np.rint(now["jobs_dropped"]), np.rint(now["jobs_in_system"])
    before = np.rint(one.before("edge")["jobs_in_system"])
    completed = np.maximum(before + np.rint(now["jobs_arrived"]) - dropped - inside, 0)
    return {
        "site": facts.edges,
        "applications": words(placed),
        **now,
        "jobs_completed": completed,
        "jobs_arrived": completed + dropped + inside - before,
    }


def application_table(one: Copy) -> dict[str, Any]:
    """A row for each edge application; nothing without one."""
    facts, network = one.facts, one.facts.network
    now = one.now("application")
    if not now:
        return {}
    left = np.rint(now["jobs_in_progress"])
    grown = left - np.rint(one.before("application")["jobs_in_progress"])
    made = np.maximum(np.rint(now["jobs_made"]), np.maximum(grown, 0))
    finished = np.minimum(np.rint(now["jobs_finished"]), made - grown)
    return {
        "application": facts.applications,
        "slice": facts.slices[network.application_slice],
        "site": facts.edges[one.control("application_site").astype(int)],
        "fraction": one.control("fraction"),
        **now,
        "jobs_made": made,
        "jobs_offloaded": np.minimum(np.rint(now["jobs_offloaded"]), made),
        "jobs_finished": finished,
        "jobs_lost": made - grown - finished,
    }
