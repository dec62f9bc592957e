# SPDX-License-Identifier: Apache-2.0
"""Plays a recorded episode again on another backend and says what differs: `verify`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from env.backends.base import WARM_UP, BackendName
from env.episodes import Log, Outcome, read_kpis
from env.kpis import Kpis
from env.playing import MakeBackend, play_again

HEADLINE = (
    "throughput_mbps",
    "latency_ms",
    "jitter_ms",
    "packet_loss_pct",
    "within_budget_pct",
    "edge_load_pct",
)
"""KPIs of the slices that are compared."""


@dataclass(frozen=True)
class Difference:
    """One KPI of one slice over the intervals of an episode."""

    slice: str
    kpi: str
    recorded: float | None
    """Mean, as recorded."""
    replayed: float | None
    mean_absolute_difference: float | None
    """Over the intervals in which both have it."""


@dataclass(frozen=True)
class Verified:
    """A recorded episode beside what another backend makes of the same calls."""

    episode: str
    recorded_on: BackendName
    replayed_on: BackendName
    recorded_outcome: Outcome | None
    """None where the recording has no end."""
    replayed_outcome: Outcome
    reason: str
    """For the outcome."""
    answered_otherwise: tuple[int, ...]
    """Calls that one backend took and the other refused."""
    differences: tuple[Difference, ...]

    @property
    def agrees(self) -> bool:
        """Whether the outcome is the same, and no call was answered otherwise."""
        return self.recorded_outcome == self.replayed_outcome and not self.answered_otherwise


def verify(log: Log, make: MakeBackend) -> Verified:
    """Play a recorded episode again.

    Args:
        log: of the episode, with its KPIs.
        make: a network of the same scenario and seed.

    Raises:
        EnvUserError: the recording has no KPIs.
        BackendError: the backend has failed.
    """
    recorded = recorded_headline(log.path)
    played = play_again(make, log)
    backend = played.environment.backend
    new = [event.answer.ok for event in played.environment.events if event.tool]
    old = [call.ok for call in log.calls if call.tool]
    otherwise = tuple(n for n, (a, b) in enumerate(zip(new, old, strict=False)) if a != b)
    replayed = _headline(backend.history)
    return Verified(
        episode=log.name,
        recorded_on=log.header.backend,
        replayed_on=backend.name,
        recorded_outcome=log.ending.outcome if log.ending else None,
        replayed_outcome=played.outcome,
        reason=played.reason,
        answered_otherwise=otherwise,
        differences=tuple(
            _difference(slice_, kpi, recorded[slice_, kpi], values)
            for (slice_, kpi), values in replayed.items()
        ),
    )


Series = dict[tuple[str, str], NDArray[np.float64]]
"""By element and KPI: values by interval after the start."""


def recorded_headline(episode: Path) -> Series:
    """The headline KPIs of each slice in the folder of an episode.

    Raises:
        EnvUserError: it has none.
    """
    frame = read_kpis(episode, "network", ["interval", "slice", *HEADLINE]).to_pandas()
    return {
        (str(name), kpi): rows[kpi].to_numpy(float)[WARM_UP:]
        for name, rows in frame.groupby("slice", observed=True)
        for kpi in HEADLINE
    }


def _headline(history: Sequence[Kpis]) -> Series:
    return {
        (str(name), kpi): np.array([float(k.column("network", kpi)[i]) for k in history[WARM_UP:]])
        for i, name in enumerate(history[-1].column("network", "slice"))
        for kpi in HEADLINE
    }


def _difference(
    slice_: str, kpi: str, recorded: NDArray[np.float64], replayed: NDArray[np.float64]
) -> Difference:
    n = min(len(recorded), len(replayed))
    apart = np.abs(recorded[:n] - replayed[:n])
    return Difference(slice_, kpi, _mean(recorded), _mean(replayed), _mean(apart))


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None
