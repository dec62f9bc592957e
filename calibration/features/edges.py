# SPDX-License-Identifier: Apache-2.0
"""Rows of edge sites and of the applications placed on them."""

from __future__ import annotations

import numpy as np

from calibration.features.delays import Delays
from calibration.features.radio import Radio
from calibration.features.rows import Rows, lagged
from calibration.network import REQUEST, RESPONSE, Floats, Ints
from calibration.sums import known, mean_into, picked, sum_into

LAGGED = ("util_pct", "waiting_ms", "service_ms")
COUNTS = ("queue_jobs", "jobs_in_system", "jobs_dropped")
MEANS = ("within_deadline_pct", "latency_ms", "latency_p95_ms", "radio_ms", "transport_ms",
          "queue_ms", "compute_ms")  # fmt: skip
JOBS = ("jobs_made", "jobs_offloaded", "jobs_finished", "jobs_lost", "jobs_in_progress")


def erlang_c(servers: Floats, load: Floats) -> Floats:
    """Probability of waiting in M/M/c (Erlang 1917), with load in erlangs; 1 where overloaded."""
    most = int(servers.max(initial=1))
    blocked = np.ones_like(load)
    for k in range(1, most + 1):
        blocked = np.where(k <= servers, load * blocked / (k + load * blocked), blocked)
    share = np.minimum(load / servers, 0.999)
    waiting = blocked / (1 - share * (1 - blocked))
    return np.where(load >= servers, 1.0, waiting)


class Jobs:
    """What applications bring to the edge sites in the next interval."""

    def __init__(self, radio: Radio) -> None:
        step, network = radio.step, radio.network
        shape = radio.batch, len(network.application_names)
        self.site = step.controls["application_site"].astype(int)
        app, sent = network.row_application_of[REQUEST], step.outside["sent_bits"]
        per_job = network.application_bits[:, 0] if shape[1] else np.ones(0)
        self.arriving = sum_into(app, sent, shape[1]) / per_job if shape[1] else np.zeros(shape)
        """Jobs sent to the sites, by application."""
        self.interval_s = network.scenario.interval_ms * 1e-3
        self.work = self.arriving * network.application_gflop
        fraction = step.controls["fraction"]
        self.made = np.where(
            fraction > 0.2,
            self.arriving / np.maximum(fraction, 0.2),
            network.application_rate_hz * self.interval_s,
        )
        """Jobs made by users, by application."""

    def at_site(self, values: Floats, n_sites: int) -> Floats:
        """Sum over the applications placed at each site."""
        return sum_into(self.site, values, n_sites)


def edge_rows(radio: Radio) -> Rows:
    """One row per edge site."""
    return radio.once(_edge_rows)


def _edge_rows(radio: Radio) -> Rows:
    step, network = radio.step, radio.network
    n_sites = len(network.edge_names)
    rows = radio.rows(n_sites)
    if not n_sites:
        return rows
    jobs = radio.once(Jobs)
    edge = step.now["edge"]
    arriving = jobs.at_site(jobs.arriving, n_sites)
    work = jobs.at_site(jobs.work, n_sites)
    usual = np.broadcast_to(network.application_rate_hz, jobs.arriving.shape)
    placed = jobs.at_site(usual, n_sites)
    usual_size = jobs.at_site(usual * network.application_gflop, n_sites) / np.maximum(placed, 1e-9)
    size = np.where(arriving > 0, work / np.maximum(arriving, 1e-9), usual_size)
    size = np.where(placed > 0, size, np.nan)
    background = step.outside["background_pct"] / 100
    capacity = network.edge_servers * network.edge_gflops
    own = known(size, 1.0)
    service_s = own / network.edge_gflops
    erlangs = work / jobs.interval_s / network.edge_gflops + background * network.edge_servers
    servers = network.edge_servers
    waits = erlang_c(servers * np.ones_like(erlangs), erlangs)
    free = np.maximum(servers - erlangs, 0.02)
    there = edge["jobs_in_system"]
    backlog = there * own
    room = capacity * jobs.interval_s
    done = room * (1 - np.minimum(background, 1)) / own
    left = np.maximum(there + arriving - done, 0)
    queued = np.maximum(there - servers, 0) / 2 + np.maximum(left - servers, 0) / 2
    held = np.minimum(left, network.edge_queue_jobs + servers)
    rows.add(
        servers=servers,
        gflops=network.edge_gflops,
        job_gflop=size,
        load=np.minimum(erlangs / servers, 10),
        backlog_load=np.minimum(backlog / room, 100),
        background_pct=step.outside["background_pct"],
        background_change_pct=step.outside["background_pct"] - step.outside_now["background_pct"],
        util_base_pct=np.minimum(100 * (work + backlog + background * room) / room, 100),
        erlang_wait_ms=np.minimum(1e3 * waits * service_s / free, 1e4),
        wait_base_ms=1e3 * service_s * queued / servers,
        service_base_ms=np.where(np.isnan(size), np.nan, 1e3 * service_s),
        queue_base_jobs=queued,
        left_per_server=left / servers,
        room_per_server=network.edge_queue_jobs / servers,
        arriving_jobs=arriving,
        done_per_server=np.minimum(there + arriving, done) / servers,
        dropped_base_jobs=left - held,
        system_base_jobs=held,
    )
    lagged(rows, step, "edge", LAGGED)
    for name, columns in (("now", edge), ("before", step.before["edge"])):
        per_server = {f"{name}_{n}_per_server": columns[n] / servers for n in COUNTS}
        rows.add(**per_server)
    rows.add(before_util_pct=step.before["edge"]["util_pct"])
    return rows


def application_rows(radio: Radio) -> Rows:
    """One row per application."""
    step, network = radio.step, radio.network
    n_apps = len(network.application_names)
    rows = radio.rows(n_apps)
    if not n_apps:
        return rows
    jobs = radio.once(Jobs)
    site_rows, delays, transport = edge_rows(radio), radio.once(Delays), radio.transport
    site = jobs.site

    def of_site(name: str) -> Floats:
        return picked(site_rows[name], site)

    now, users = step.now["application"], np.maximum(network.application_users, 1)
    fraction = step.controls["fraction"]
    damped = step.controls["degradation"][:, network.application_slice]
    local_ms = 1e3 * network.application_gflop / network.application_local_gflops
    parts: dict[str, Floats] = {}
    for kind in (REQUEST, RESPONSE):
        index = network.row_application_of[kind]
        count = np.maximum(np.bincount(index[index >= 0], minlength=n_apps), 1)

        def mean(values: Floats, index: Ints = index, count: Ints = count) -> Floats:
            return sum_into(index, values, n_apps) / count

        def served(values: Floats, index: Ints = index) -> Floats:
            return mean_into(index, values, radio.through_bits + 1.0, n_apps)

        parts |= {
            f"{kind}_radio_ms": served(delays.burst_ms),
            f"{kind}_path_ms": mean(delays.path_ms),
            f"{kind}_rate_mbps": mean(radio.row_rate_mbps),
            f"{kind}_propagation_ms": mean(transport.path_propagation_ms),
            f"{kind}_survival": mean(transport.path_passing),
            f"{kind}_now_latency_ms": mean(step.now["flow"]["latency_ms"]),
            f"{kind}_backlog_kbit": mean(step.now["flow"]["in_flight_bits"]) * 1e-3,
        }
    edge_s = network.application_gflop / of_site("gflops")
    waiting = now["jobs_in_progress"] + jobs.arriving
    n_sites = len(network.edge_names)
    at_site = picked(jobs.at_site(waiting, n_sites), site)
    computed = of_site("done_per_server") * of_site("servers") * waiting / np.maximum(at_site, 1e-9)
    made = now["jobs_in_progress"] + jobs.made
    finished = np.minimum(jobs.made - jobs.arriving + computed, made)
    rows.add(
        fraction=fraction,
        fraction_change=fraction - step.controls_now["fraction"],
        moved=step.controls["application_site"] != step.controls_now["application_site"],
        degradation=damped,
        finished_base_jobs=finished,
        finished_per_user=finished / users,
        progress_base_jobs=made - finished,
        expected_queue_ms=fraction * of_site("wait_base_ms"),
        expected_latency_ms=known(now["latency_ms"] - now["queue_ms"])
        + fraction * of_site("wait_base_ms"),
        made_per_user=jobs.made / users,
        sent_per_user=jobs.arriving / users,
        job_gflop=network.application_gflop,
        local_ms=local_ms,
        local_load=np.minimum(
            jobs.made / jobs.interval_s * (1 - fraction) * local_ms * 1e-3
            / users, 10),
        deadline_ms=network.application_deadline_ms,
        compute_base_ms=fraction * 1e3 * edge_s + (1 - fraction) * local_ms,
        edge_ms=1e3 * edge_s,
        radio_base_ms=fraction * sum(parts[f"{kind}_radio_ms"] for kind in (REQUEST, RESPONSE)),
        transport_base_ms=fraction * sum(parts[f"{kind}_path_ms"] for kind in (REQUEST, RESPONSE)),
        site_servers=of_site("servers"),
        site_load=of_site("load"),
        site_wait_ms=of_site("wait_base_ms"),
        site_erlang_wait_ms=of_site("erlang_wait_ms"),
        site_jobs_per_server=of_site("now_jobs_in_system_per_server"),
        site_waiting_ms=of_site("now_waiting_ms"),
        site_background_pct=of_site("background_pct"),
        **parts,
    )  # fmt: skip
    lagged(rows, step, "application", MEANS)
    rows.add(**{f"now_{n}_per_user": now[n] / users for n in JOBS})
    for name in ("latency_ms", "queue_ms", "radio_ms"):
        rows.add(**{f"before_{name}": step.before["application"][name]})
    return rows
