# SPDX-License-Identifier: Apache-2.0
"""What open-loop applications send: `Sources`, as the traffic sources of NS-3 do.

Packets at a constant rate, in exponential on and off times, frames of random size and jitter
(TR 38.838 5.1), reports with exponential gaps, periodic packets of control loops, and requests of
jobs that are offloaded. A slice that is degraded sends less and one in a surge sends more: frames
change their size, all else its pace.
"""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from calibration.network import DEGRADATIONS, Floats, Ints, Network, network_of
from calibration.trajectory import Table
from ns3_scenarios.scenario import (
    Application,
    Bursty,
    ConstantBitRate,
    ControlLoop,
    MachineType,
    ScenarioConfig,
    Xr,
)

HEADER_BYTES = 28
"""Of IPv4 and UDP, in each packet."""
PACKET_BYTES = 1400
"""Largest payload of a packet."""
FRAME_STD = 0.105
"""Of a video frame's size, of its mean (TR 38.838 Table 5.1.1-1)."""
FRAME_BOUND = 0.5
JITTER_MEAN_S, JITTER_STD_S, JITTER_BOUND_S = 4e-3, 2e-3, 4e-3
"""Of a video frame's time (TR 38.838 Table 5.1.1-2), so late that none comes early."""
JITTER_LEAST = ndtr(-JITTER_BOUND_S / JITTER_STD_S)
NONE, ESSENTIAL_ONLY = DEGRADATIONS.index("none"), DEGRADATIONS.index("essential_only")


@dataclass(frozen=True)
class Facts:
    """What never changes of the sources, by flow row, shape (R,); rows of each kind as indices."""

    periodic: Ints
    """Packets at a constant rate and control loops."""
    bursty: Ints
    video: Ints
    sporadic: Ints
    job_timer: Ints
    """Requests of jobs that come at equal times."""
    job_poisson: Ints
    period_s: Floats
    """Between packets, frames, reports or jobs, on average."""
    bits: Floats
    """Of a packet or request, with headers; of a frame, its mean without them."""
    on_s: Floats
    off_s: Floats
    start_s: Floats
    reduced: Floats
    """Share of the rate under degradation."""
    essential: NDArray[np.bool_]


@lru_cache(maxsize=64)
def facts_of(scenario: ScenarioConfig) -> Facts:
    """The sources of a scenario."""
    network = network_of(scenario)
    groups = scenario.ue_groups
    items = {g.name: (*g.traffic, *scenario.applications(g)) for g in scenario.users}
    n = len(network.row_ue)
    rows: dict[str, list[int]] = {name: [] for name in KINDS}
    zeros = {f.name: np.zeros(n) for f in dataclasses.fields(Facts) if f.name not in KINDS}
    facts = Facts(**{k: np.zeros(0, int) for k in KINDS}, **zeros)  # type: ignore[arg-type]
    for row, (ue, flow) in enumerate(zip(network.row_ue, network.row_flow, strict=True)):
        item = items[groups[ue].name][flow]
        facts.reduced[row] = item.reduced_pct / 100
        facts.essential[row] = item.essential
        facts.start_s[row] = 0 if isinstance(item, Application) else item.start_ms * 1e-3
        match item:
            case ConstantBitRate() | Bursty():
                facts.period_s[row] = round(item.packet_bytes * 8e3 / item.rate_mbps) * 1e-9
                facts.bits[row] = 8 * (item.packet_bytes + HEADER_BYTES)
                if isinstance(item, Bursty):
                    facts.on_s[row], facts.off_s[row] = item.on_ms * 1e-3, item.off_ms * 1e-3
                rows["bursty" if isinstance(item, Bursty) else "periodic"].append(row)
            case Xr():
                facts.period_s[row] = 1 / item.frame_rate_hz
                facts.bits[row] = item.rate_mbps * 1e6 / item.frame_rate_hz
                rows["video"].append(row)
            case MachineType():
                facts.period_s[row] = item.mean_gap_ms * 1e-3
                facts.bits[row] = 8 * (item.packet_bytes + HEADER_BYTES)
                rows["sporadic"].append(row)
            case ControlLoop():
                facts.period_s[row] = item.period_ms * 1e-3
                facts.bits[row] = 8 * (item.packet_bytes + HEADER_BYTES)
                rows["periodic"].append(row)
            case Application() if network.row_direction[row] == 1:
                size = round(item.request_kb * 1000)
                facts.period_s[row] = item.interval_ms * 1e-3
                facts.bits[row] = 8 * (size + HEADER_BYTES * -(-size // PACKET_BYTES))
                timer = item.arrivals == "periodic"
                rows["job_timer" if timer else "job_poisson"].append(row)
            case _:
                pass
    return dataclasses.replace(
        facts,
        essential=facts.essential.astype(bool),
        **{name: np.array(found, int) for name, found in rows.items()},
    )


KINDS = ("periodic", "bursty", "video", "sporadic", "job_timer", "job_poisson")


class Sources:
    """The sources of B copies of a network, at first one, as time passes.

    Args:
        network: whose they are.
        rng: what to draw from.
        sent_bits: what each flow row sent in the last interval, shape (R,).
        time_s: simulated time.
    """

    def __init__(
        self, network: Network, rng: np.random.Generator, sent_bits: Floats, time_s: float
    ) -> None:
        self._network, self._rng = network, rng
        self._facts = facts = facts_of(network.scenario)
        self._interval_s = network.scenario.interval_ms * 1e-3
        rate = np.divide(
            facts.bits, facts.period_s, out=np.zeros_like(facts.bits), where=facts.period_s > 0
        )
        share = sent_bits / np.maximum(rate * self._interval_s, 1e-9)
        n = len(rate)
        self._wait_s = np.maximum(facts.start_s - time_s, 0)[None]
        self._left_s = rng.random((1, n)) * facts.period_s
        self._on = (rng.random((1, n)) < share) | (self._wait_s > 0)
        self._late = np.zeros((1, n))
        """Video frames that are due and were delayed into the next interval."""

    @property
    def state(self) -> Table:
        """Everything that decides, with the random stream, what is sent next."""
        return {
            "wait_s": self._wait_s,
            "left_s": self._left_s,
            "on": self._on,
            "late": self._late,
        }

    def copies(self, n: int, rng: np.random.Generator) -> Sources:
        """Each copy of the network n times, to go on apart with another random stream."""
        other = copy.copy(self)
        other._rng = rng
        for name in ("_wait_s", "_left_s", "_on", "_late"):
            setattr(other, name, np.repeat(getattr(self, name), n, axis=0))
        return other

    def sent_bits(self, controls: Table, surge: Floats) -> Floats:
        """Let an interval pass.

        Args:
            controls: in force in it, without an axis of copies; only `fraction` may have one.
            surge: rate factor of each slice, shape (S,).

        Returns:
            What each flow row sends, shape (B, R); 0 for those that wait for answers.
        """
        facts, sent = self._facts, np.zeros_like(self._left_s)
        factor = self._factor(controls, surge)
        pace = np.where(factor > 0, factor, 1.0)
        sends = factor > 0
        time_s = np.clip(self._interval_s - self._wait_s, 0, self._interval_s)
        self._wait_s = np.maximum(self._wait_s - self._interval_s, 0)
        if len(rows := facts.periodic):
            sent[:, rows] = self._due(rows, time_s[:, rows] * pace[rows]) * sends[rows]
        if len(rows := facts.bursty):
            on_s = self._on_time_s(rows, time_s[:, rows])
            sent[:, rows] = self._due(rows, on_s * pace[rows]) * sends[rows]
        if len(rows := facts.sporadic):
            mean = time_s[:, rows] * factor[rows] / facts.period_s[rows]
            sent[:, rows] = self._rng.poisson(mean)
        sent *= facts.bits
        if len(rows := facts.video):
            sent[:, rows] = self._frames_bits(rows, time_s[:, rows], factor[rows])
        fraction = controls["fraction"]
        for rows, timer in ((facts.job_timer, True), (facts.job_poisson, False)):
            if len(rows):
                worked_s = time_s[:, rows] * factor[rows]
                jobs = (
                    self._due(rows, worked_s)
                    if timer
                    else self._rng.poisson(worked_s / facts.period_s[rows])
                )
                away = fraction[..., self._network.row_application[rows]]
                sent[:, rows] = self._rng.binomial(jobs.astype(int), away) * facts.bits[rows]
        return sent

    def _factor(self, controls: Table, surge: Floats) -> Floats:
        """Rate factor of each flow row."""
        facts, of_slice = self._facts, controls["row_slice"]
        level = controls["degradation"][of_slice]
        stops = (level == ESSENTIAL_ONLY) & ~facts.essential
        share = np.where(stops, 0.0, np.where(level == NONE, 1.0, facts.reduced))
        return np.asarray(surge[of_slice] * share)

    def _due(self, rows: Ints, worked_s: Floats) -> Floats:
        """Periods that end while sources work for a while."""
        left, period = self._left_s[:, rows], self._facts.period_s[rows]
        due = np.where(worked_s >= left, np.floor((worked_s - left) / period) + 1, 0.0)
        self._left_s[:, rows] = left + due * period - worked_s
        return due

    def _on_time_s(self, rows: Ints, time_s: Floats) -> Floats:
        """Time of sending; exponential times have no memory, so that they are drawn anew."""
        facts, on = self._facts, self._on[:, rows]
        left, total = time_s.copy(), np.zeros_like(time_s)
        while (left > 0).any():
            mean = np.where(on, facts.on_s[rows], facts.off_s[rows])
            lasts = self._rng.exponential(mean)
            total += on * np.minimum(lasts, left)
            turns = lasts < left
            left = np.where(turns, left - lasts, 0.0)
            on = on ^ turns
        self._on[:, rows] = on
        return total

    def _frames_bits(self, rows: Ints, time_s: Floats, factor: Floats) -> Floats:
        facts, rng = self._facts, self._rng
        first = self._left_s[:, rows]
        planned = self._due(rows, time_s)
        number = np.arange(int(planned.max(initial=0)))
        at = first[..., None] + number * facts.period_s[rows][:, None]
        chance = rng.uniform(JITTER_LEAST, 1 - JITTER_LEAST, at.shape)
        at = at + JITTER_MEAN_S + JITTER_STD_S * ndtri(chance)
        late = ((number < planned[..., None]) & (at > time_s[..., None])).sum(-1)
        due = planned + self._late[:, rows] - late
        self._late[:, rows] = late * (factor > 0)
        scatter = rng.standard_normal((*due.shape, int(due.max(initial=0)))) * FRAME_STD
        size = 1 + np.clip(scatter, -FRAME_BOUND, FRAME_BOUND)
        size_bytes = np.rint(size * (facts.bits[rows] / 8 * factor)[:, None])
        size_bytes += HEADER_BYTES * np.ceil(size_bytes / PACKET_BYTES)
        there = np.arange(size.shape[-1]) < due[..., None]
        total = np.where(there, size_bytes, 0.0).sum(-1) * 8
        return np.asarray(total * (factor > 0))
