# SPDX-License-Identifier: Apache-2.0
"""The KPI tables `network`, `cell` and `slice`."""

from __future__ import annotations

from typing import Any

import numpy as np

from calibration.network import DEGRADATIONS, SCHEDULERS, SLEEP_MODES, Floats
from env.backends.reporting.copies import Copy
from env.backends.reporting.facts import Words

SETTINGS = ("tx_power_dbm", "tilt_deg", "bandwidth_mhz", "numerology", "wake_prb_pct")
HANDOVER = ("a3_offset_db", "hysteresis_db", "ttt_ms")
SHARES = ("dedicated_pct", "min_pct", "max_pct")


def network_table(one: Copy) -> dict[str, Any]:
    """A row for each slice."""
    facts, network = one.facts, one.facts.network
    sent = np.bincount(one.control("row_slice"), one.now("flow")["sent_bits"], network.n_slices)
    return {
        "slice": facts.slices,
        "users": one.members(np.zeros(len(network.ue_names), int), 1)[0],
        **one.now("network"),
        "edge_load_pct": _edge_load_pct(one),
        "jain_index": _jain_index(one),
        "offered_mbps": sent / one.kbit,
        "degradation": one.word("degradation", DEGRADATIONS),
    }


def cell_table(one: Copy) -> dict[str, Any]:
    """A row for each cell."""
    facts, network = one.facts, one.facts.network
    now, ue = one.now("cell"), one.now("ue")
    parts = {name: values.reshape(network.n_cells, -1)
             for name, values in slice_table(one).items() if values.dtype != object}  # fmt: skip
    seconds = network.scenario.interval_ms * 1e-3
    bits = (now["dl_throughput_mbps"] + now["ul_throughput_mbps"]) * one.kbit
    energy_j = now["power_w"] * seconds
    failures = np.rint(now["ho_failures"])
    attempts = np.maximum(np.rint(now["ho_attempts"]), failures)
    found = {
        "cell": facts.cells,
        "users": np.bincount(ue["cell"], minlength=network.n_cells),
        **{name: one.control(name) for name in SETTINGS},
        "scheduler": one.word("scheduler", SCHEDULERS),
        "target_bler_pct": 100 * one.control("target_bler"),
        "sleep_mode": one.word("sleep_mode", SLEEP_MODES),
        **{name: np.where(facts.hands_over, one.control(name), np.nan) for name in HANDOVER},
        **now,
        "energy_j": energy_j,
        "energy_per_bit_nj": np.divide(
            1e9 * energy_j, bits, out=np.full_like(bits, np.nan), where=bits > 0
        ),
        "ho_attempts": attempts,
        "ho_failures": failures,
        "ho_successes": attempts - failures,
    }
    for d in ("dl", "ul"):
        weight = parts[f"{d}_delivered_bits"]
        for name in ("offered_mbps", "delivered_bits", "queued_bits"):
            found[f"{d}_{name}"] = parts[f"{d}_{name}"].sum(1)
        for name in ("latency_ms", "jitter_ms", "loss_pct"):
            found[f"{d}_{name}"] = _weighted(parts[f"{d}_{name}"], weight)
    found["state"] = _cell_states(one, now["sleep_pct"])
    return found


def slice_table(one: Copy) -> dict[str, Any]:
    """A row for each slice in each cell."""
    facts, network = one.facts, one.facts.network
    now = one.now("slice")
    serving = one.now("ue")["cell"]
    found = {
        "cell": np.repeat(facts.cells, network.n_slices),
        "slice": np.tile(facts.slices, network.n_cells),
        "users": one.members(serving, network.n_cells),
        **{name: one.control(name) for name in SHARES},
        **{k: v for k, v in now.items() if k != "users"},
    }
    for d in ("dl", "ul"):
        found[f"{d}_offered_mbps"] = _sent_mbps(one, d)
        found[f"{d}_delivered_bits"] = now[f"{d}_throughput_mbps"] * one.kbit
    return {name: values.reshape(-1) for name, values in found.items()}


def _jain_index(one: Copy) -> Floats:
    """Fairness of the downlink of each slice's users, NaN where nothing was delivered."""
    network, of_slice = one.facts.network, one.control("row_slice")
    n_users = len(network.ue_names)
    down = network.row_direction == 0
    index = of_slice[down] * n_users + network.row_ue[down]
    bits = np.bincount(
        index, one.now("flow")["delivered_bits"][down], n_users * network.n_slices
    ).reshape(network.n_slices, n_users)
    members = one.members(np.zeros(n_users, int), 1)[0]
    squares = members * (bits**2).sum(1)
    found: Floats = np.divide(
        bits.sum(1) ** 2, squares, out=np.full_like(squares, np.nan), where=squares > 0
    )
    return found


def _edge_load_pct(one: Copy) -> Floats:
    network = one.facts.network
    load = np.full(network.n_slices, np.nan)
    if not len(network.edge_names):
        return load
    capacity = network.edge_servers * network.edge_gflops
    used = one.now("edge")["util_pct"] * capacity
    site = one.control("application_site").astype(int)
    for slice_ in np.unique(network.application_slice):
        sites = np.unique(site[network.application_slice == slice_])
        load[slice_] = used[sites].sum() / capacity[sites].sum()
    return load


def _sent_mbps(one: Copy, d: str) -> Floats:
    """What the users of each cell send in each slice, shape (C, S)."""
    network, flow = one.facts.network, one.now("flow")
    mine = np.flatnonzero(network.row_direction == ("dl", "ul").index(d))
    cell = one.now("ue")["cell"][network.row_ue[mine]]
    group = cell * network.n_slices + one.control("row_slice")[mine]
    sent = np.bincount(group, flow["sent_bits"][mine], network.n_cells * network.n_slices)
    return (sent / one.kbit).reshape(network.n_cells, network.n_slices)


def _cell_states(one: Copy, sleep_pct: Floats) -> Words:
    """State of each cell at the end: asleep if it mostly was and is let sleep so deeply."""
    mode = one.word("sleep_mode", SLEEP_MODES)
    asleep = np.isin(mode, ("light", "deep")) & (sleep_pct > 50)
    state = np.where(mode == "off", "off", np.where(asleep, mode, "on")).astype(object)
    state[np.isin(one.facts.cells, list(one.around.outages))] = "outage"
    return np.asarray(state)


def _weighted(values: Floats, weights: Floats) -> Floats:
    """Mean over the last axis of values that are known, NaN where there are none."""
    missing = np.isnan(values)
    weights = np.where(missing, 0.0, weights)
    total = weights.sum(-1)
    mean = (np.where(missing, 0.0, values) * weights).sum(-1)
    found: Floats = np.divide(mean, total, out=np.full_like(total, np.nan), where=total > 0)
    return found
