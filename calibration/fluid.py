# SPDX-License-Identifier: Apache-2.0
"""A fluid model of the next interval: what each flow would get if packets were water.

It is the physics that the trees correct: their features and the base of their predictions. Each
flow row brings a demand (what waits, what is sent) and a rate (its spectral efficiency, alone in
its cell); slices share the cell as RRMPolicyRatio says (TS 28.541 4.3.36: dedicated, minimum and
maximum ratio), flows share the slice by the scheduling policy, what is not served waits, and what
does not fit into the queue is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.network import FULL_BUFFER, SCHEDULERS, TCP, Floats, Ints, Network
from calibration.sums import picked, sum_into
from experiment_model.compiling import vectorized


def _ladder(*steps: tuple[int, float]) -> Floats:
    return np.array([bits * rate / 1024 for bits, rate in steps])


#: Bits per resource element of each MCS: TS 38.214 Tables 5.1.3.1-1, -2 and -4.
EFFICIENCY: dict[str, Floats] = {
    "qam64": _ladder(
        (2, 120), (2, 157), (2, 193), (2, 251), (2, 308), (2, 379), (2, 449), (2, 526), (2, 602),
        (2, 679), (4, 340), (4, 378), (4, 434), (4, 490), (4, 553), (4, 616), (4, 658), (6, 438),
        (6, 466), (6, 517), (6, 567), (6, 616), (6, 666), (6, 719), (6, 772), (6, 822), (6, 873),
        (6, 910), (6, 948),
    ),
    "qam256": _ladder(
        (2, 120), (2, 193), (2, 308), (2, 449), (2, 602), (4, 378), (4, 434), (4, 490), (4, 553),
        (4, 616), (4, 658), (6, 466), (6, 517), (6, 567), (6, 616), (6, 666), (6, 719), (6, 772),
        (6, 822), (6, 873), (8, 682.5), (8, 711), (8, 754), (8, 797), (8, 841), (8, 885),
        (8, 916.5), (8, 948),
    ),
    "qam1024": _ladder(
        (2, 120), (2, 193), (2, 449), (4, 378), (4, 490), (4, 616), (6, 466), (6, 517), (6, 567),
        (6, 616), (6, 666), (6, 719), (6, 772), (6, 822), (6, 873), (8, 682.5), (8, 711), (8, 754),
        (8, 797), (8, 841), (8, 885), (8, 916.5), (8, 948), (10, 805.5), (10, 853), (10, 900.5),
        (10, 948),
    ),
}  # fmt: skip
#: Thresholds in SINR of some efficiencies: where link adaptation by CQI takes them (10 % errors).
_SINR_DB = np.array([-10, -6, -0.5, 0.75, 3.5, 7, 9, 10.75, 12.25, 14.75, 16, 18.25, 20, 22, 23.75,
                     25.5, 27.25, 33.5])  # fmt: skip
_BITS = np.array([0.01, 0.05, 0.234, 0.377, 0.877, 1.477, 1.914, 2.406, 2.730, 3.322, 3.902,
                  4.523, 5.115, 5.555, 6.227, 6.914, 7.406, 9.258])  # fmt: skip
LEAST_MBPS = 1e-3
LEAST_RATE = 1e-3
"""Bits per ms."""
MAX_CI, QOS = SCHEDULERS.index("max_ci"), SCHEDULERS.index("qos")
ROUNDS = 4
"""Of water-filling; each finds the flows that need less than an equal share."""
LEAST_LEFT_BITS = 0.5
"""Less is what rounding leaves."""
MOST_MS = 1e4
"""Of delays: nothing is said beyond."""
LEAST_UNITS = 1e-3
ENOUGH = 0.999
"""Share of what a flow needs that is all of it."""
LEAST_NEED = 1e-9
"""Share of a cell below which a flow needs no more."""


def efficiency(sinr_db: Floats, table: str) -> Floats:
    """Bits per resource element that an SINR carries, at most those of the table's last MCS."""
    return np.asarray(np.minimum(np.interp(sinr_db, _SINR_DB, _BITS), EFFICIENCY[table][-1]))


def sinr_of_mcs_db(mcs: Floats, table: str) -> Floats:
    """SINR that an MCS, also between two, needs."""
    ladder = EFFICIENCY[table]
    bits = np.interp(mcs, np.arange(len(ladder)), ladder)
    return np.asarray(np.interp(bits, _BITS, _SINR_DB))


def mcs_of_sinr(sinr_db: Floats, table: str) -> Floats:
    """MCS, also between two, that an SINR carries."""
    ladder = EFFICIENCY[table]
    return np.asarray(np.interp(efficiency(sinr_db, table), ladder, np.arange(len(ladder))))


@dataclass(frozen=True)
class Fluid:
    """What comes of the next interval, by flow row, shape (B, R)."""

    served_bits: Floats
    queued_bits: Floats
    """Waits at the end."""
    dropped_bits: Floats
    share: Floats
    """Of its cell's resources."""
    wanted: Floats
    """Share of its cell's resources that all of it would take."""
    latency_ms: Floats
    """Mean delay in the queue of what is served, first come first served."""
    burst_ms: Floats
    """Until what comes at once has left, beyond the first slot."""
    turn_ms: Floats
    """From turn to turn of the row: a packet waits half of it on average, and at most all."""


def flow_through(
    network: Network,
    cell: Ints,
    slice_: Ints,
    rate_mbps: Floats,
    waiting_bits: Floats,
    age_ms: Floats,
    sent_bits: Floats,
    slots: Floats,
    units: Floats,
    shares: tuple[Floats, Floats, Floats],
    scheduler: Floats,
    urgent: NDArray[np.bool_],
) -> Fluid:
    """Let an interval flow.

    Args:
        network: static facts.
        cell: serving cell of each row, shape (B, R), like the following.
        slice_: of each row.
        rate_mbps: that the row would have alone in its cell.
        waiting_bits: in the queue at the start.
        age_ms: for how long the first of them has waited.
        sent_bits: that come in the interval; endless sources have a demand of their own.
        slots: of the interval in the row's direction.
        units: that each slot is handed out in, whole ones only.
        shares: dedicated, minimum and maximum percent, each shape (B, C, S).
        scheduler: policy of each cell, index in `SCHEDULERS`, shape (B, C).
        urgent: rows that the QoS policy serves first, shape (R,) or (B, R).
    """
    n_slices = network.n_slices
    interval_ms = network.scenario.interval_ms
    full_bits = np.maximum(rate_mbps, LEAST_MBPS) * 1e3 * interval_ms
    endless, tcp = network.row_is[FULL_BUFFER], network.row_is[TCP]
    demand = waiting_bits + sent_bits
    demand = np.where(endless & (sent_bits > 0), full_bits, demand)
    units = slots * units
    at_once = np.where(tcp, sent_bits, network.row_at_once_bits)
    fresh = _in_units(sent_bits, at_once, slots, full_bits / units)
    need = np.minimum((waiting_bits + fresh) / full_bits, 10.0)
    need = np.where(endless, demand / full_bits, need)

    group = (cell * n_slices + slice_) * 2 + network.row_direction
    groups = network.n_cells * n_slices * 2
    wanted = sum_into(group, need, groups).reshape(-1, network.n_cells, n_slices, 2)
    # The axis of slices comes last, and goes back.
    grant = _granted(wanted.swapaxes(2, 3), *(share[:, :, None] / 100 for share in shares))
    grant = grant.swapaxes(2, 3).reshape(-1, groups)

    policy = picked(scheduler, cell)
    # First come those whom the policy prefers; equal shares are for the others.
    got = np.zeros_like(need)
    best_first = policy == MAX_CI
    if best_first.any():
        got = _in_order(np.where(best_first, need, 0), -rate_mbps, grant, group)
    urgent_first = (policy == QOS) & urgent
    for turn in (urgent_first, ~urgent_first & ~best_first):
        got = _filled(got, np.where(turn, need, got), grant, group)
    served = np.minimum(got * full_bits, demand)
    left = demand - served
    queue_kb = (network.scenario.radio.dl_queue_kb, network.scenario.radio.ul_queue_kb)
    bound = np.array(queue_kb)[network.row_direction] * 8e3
    left = np.where(endless | (left < LEAST_LEFT_BITS), 0.0, left)
    queued = np.minimum(left, np.where(tcp, np.inf, bound))
    most = picked(shares[2].reshape(len(cell), -1), cell * n_slices + slice_) / 100
    rate = np.where(left > 0, served, np.maximum(full_bits * most, served)) / interval_ms
    latency_ms, burst_ms, turn_ms = _waits(
        np.minimum(waiting_bits, bound), age_ms, sent_bits, served, rate, got, need,
        network.row_at_once_bits, full_bits / slots, slots, units, interval_ms,
    )  # fmt: skip
    return Fluid(served, queued, left - queued, got, need, latency_ms, burst_ms, turn_ms)


@vectorized(
    f"({'float64[:], ' * 11}float64, float64[:], float64[:], float64[:])",
    f"{'(n),' * 11}()->(n),(n),(n)",
)
def _waits(  # type: ignore[no-untyped-def]
    waiting, age_ms, sent, served, rates, got, need, at_once, slot_bits, slots, units, interval_ms,
    latency_ms, burst_ms, turn_ms,
):  # fmt: skip
    """Mean delay of the bits that are served in an interval, in the queue and by their turn.

    The delay in the queue lies between the curves of arrivals and departures (Le Boudec, Thiran:
    Network Calculus): `waiting` came evenly over `age_ms`, `sent` comes evenly over the interval,
    and `served` leaves, first come first served, `rates` bits per ms while any wait. Nothing that
    leaves has waited for longer than the first that waits, and the interval.
    """
    for n in range(len(waiting)):
        rate = max(rates[n], LEAST_RATE)
        old = min(waiting[n], served[n])
        new = served[n] - old
        old_ms = old / (2 * rate) + age_ms[n] * (1 - old / (2 * max(waiting[n], 1.0)))
        if served[n] < waiting[n] + sent[n]:
            came_ms = new * interval_ms / (2 * max(sent[n], 1.0))
            new_ms = max((waiting[n] + served[n]) / (2 * rate) - came_ms, 0.0)
        else:
            spare = max(rate * interval_ms - sent[n], 1.0)
            new_ms = waiting[n] / (2 * rate) * min(waiting[n] / spare, 1.0)
        queue_ms = (old * old_ms + new * new_ms) / max(served[n], 1.0)
        burst_ms[n] = min(max(at_once[n] - slot_bits[n], 0.0) / rate, MOST_MS)
        latency_ms[n] = min(max(queue_ms, 0.0) + burst_ms[n] / 2, age_ms[n] + interval_ms)
        turn = interval_ms / slots[n]
        if got[n] < ENOUGH * need[n]:
            turn = max(turn, interval_ms / max(got[n] * units[n], LEAST_UNITS))
        turn_ms[n] = min(turn, interval_ms)


def _in_units(sent: Floats, at_once: Floats, slots: Floats, unit_bits: Floats) -> Floats:
    """Bits of the whole units that hold what is sent, if each slot takes what has come since.

    Of what is more than a unit, half of one is left over on average.
    """
    turns = np.maximum(np.minimum(sent / np.maximum(at_once, 1.0), slots), 1e-9)
    units = sent / (turns * unit_bits)
    whole = np.where(units <= 1, 1.0, units + 0.5)
    return np.where(sent > 0, turns * whole * unit_bits, 0.0)


@vectorized(
    "(float64[:], float64[:], float64[:], float64[:], float64[:])",
    "(s),(s),(s),(s)->(s)",
)
def _granted(need, dedicated, least, most, grant):  # type: ignore[no-untyped-def]
    """Shares of a cell in one direction that its slices get, of those that their flows need."""
    n_slices = len(need)
    still = np.empty(n_slices)
    for s in range(n_slices):
        wanted = min(need[s], most[s])
        grant[s] = min(wanted, least[s])
        still[s] = wanted - grant[s]
    for _ in range(2):
        used = open_ = 0.0
        for s in range(n_slices):
            used += grant[s] + max(dedicated[s] - grant[s], 0.0)
            open_ += still[s]
        room = max(1 - used, 0.0)
        for s in range(n_slices):
            more = min(still[s], room * min(still[s] / max(open_, 1e-12), 1.0))
            grant[s] += more
            still[s] -= more


def _in_order(need: Floats, key: Floats, grant: Floats, group: Ints) -> Floats:
    """Serve the flows of each group one after the other, the least key first."""
    flat = (group + np.arange(len(group))[:, None] * grant.shape[1]).ravel()
    wants = need.ravel()
    order = np.lexsort((key.ravel(), flat))
    ahead = np.cumsum(wants[order]) - wants[order]
    sorted_group = flat[order]
    starts = np.r_[True, sorted_group[1:] != sorted_group[:-1]]
    ahead -= np.maximum.accumulate(np.where(starts, ahead, 0))
    served = np.clip(grant.reshape(-1)[sorted_group] - ahead, 0, wants[order])
    got = np.empty_like(wants)
    got[order] = served
    return got.reshape(need.shape)


@vectorized(
    "(float64[:], float64[:], float64[:], int64[:], float64[:])",
    "(n),(n),(k),(n)->(n)",
)
def _filled(got, need, grant, group, filled):  # type: ignore[no-untyped-def]
    """Share out what each group was granted, equally among the flows that still need some."""
    filled[:] = got
    taken, hungry = np.empty(len(grant)), np.empty(len(grant))
    for _ in range(ROUNDS):
        taken[:] = 0
        hungry[:] = 0
        for n in range(len(group)):
            taken[group[n]] += filled[n]
            hungry[group[n]] += need[n] > filled[n] + LEAST_NEED
        for n in range(len(group)):
            if need[n] > filled[n] + LEAST_NEED:
                k = group[n]
                equal = max(grant[k] - taken[k], 0.0) / max(hungry[k], 1.0)
                filled[n] = min(need[n], filled[n] + equal)
