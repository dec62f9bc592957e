# SPDX-License-Identifier: Apache-2.0
"""How candidates are tried on futures and held against each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from env.backends.base import Futures
from env.errors import ToolError
from env.kpis import Kpis
from env.sla import sla_terms
from env.tools.proposing import changes_of
from env.tools.reasoning.candidates import Candidate
from env.tools.reasoning.foresight import Floats, controls_changes, known_mean, series
from env.view import Change, View


@dataclass(frozen=True)
class Trial:
    """A candidate that could be made, and what would become of the network."""

    candidate: Candidate
    after: View
    changes: tuple[Change, ...]
    futures: Futures

    @property
    def reversible(self) -> bool:
        """Whether rollback_change can undo all of it."""
        return all(change.reversible for change in self.changes)


def attempt(view: View, candidate: Candidate, horizon: int, draws: int) -> Trial | None:
    """Try a candidate; None where one of its calls would be refused."""
    try:
        after, changes = changes_of(view, [(c.tool, c.arguments) for c in candidate.calls])
    except ToolError:
        return None
    futures = view.futures(controls_changes(changes), horizon, draws)
    return Trial(candidate, after, tuple(changes), futures)


def kept_pct(view: View, futures: Futures) -> Floats:
    """SLA terms that hold, of all slices and intervals, by draw; NaN where none is known."""
    return np.array([_kept(view, draw) for draw in futures.draws])


@dataclass(frozen=True)
class Service:
    """What slices and edge applications get, shape (draws, slices and applications) each."""

    in_time: Floats
    """Bits that arrive within their delay budget, and jobs within their deadline."""
    wanted: Floats
    """Bits that applications send, and jobs that they make."""

    @classmethod
    def of(cls, view: View, futures: Futures) -> Service:
        """Of some futures, over all intervals."""
        slices = [s.name for s in view.scenario.slices]
        parts = [_of_slice(futures, name) for name in slices]
        parts += [_of_application(futures, name) for name in view.controls.applications]
        in_time, wanted = (np.stack(columns, 1) for columns in zip(*parts, strict=True))
        return cls(in_time, wanted)

    def served_pct(self, wanted: Floats) -> Floats:
        """What is served in time of what is wanted, mean over slices and applications, by draw.

        Args:
            wanted: without changes: what a degraded application does not even send is not served.
        """
        there = np.where(wanted > 0, wanted, np.nan)
        return np.asarray(known_mean(100 * self.in_time / there, 1))


def _of_slice(futures: Futures, name: str) -> tuple[Floats, Floats]:
    throughput, within, offered = (
        series(futures, "network", column, slice=name)
        for column in ("throughput_mbps", "within_budget_pct", "offered_mbps")
    )
    return (throughput * np.nan_to_num(within) / 100).sum(1), offered.sum(1)


def _of_application(futures: Futures, name: str) -> tuple[Floats, Floats]:
    finished, lost, within, made = (
        series(futures, "application", column, application=name)
        for column in ("jobs_finished", "jobs_lost", "within_deadline_pct", "jobs_made")
    )
    return ((finished + lost) * np.nan_to_num(within) / 100).sum(1), made.sum(1)


def _kept(view: View, draw: Iterable[Kpis]) -> float:
    holds = [
        term.holds
        for kpis in draw
        for s in view.scenario.slices
        for term in sla_terms(view.scenario, s.name, [kpis])
        if term.holds is not None
    ]
    return 100 * float(np.mean(holds)) if holds else np.nan
