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
from env.tools.reasoning.foresight import Floats, controls_changes, known_mean
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


def within_budget_pct(futures: Futures) -> Floats:
    """Packets within their delay budget by draw, mean over slices and intervals."""
    values = [
        [known_mean(np.asarray(k.column("network", "within_budget_pct"), float)) for k in draw]
        for draw in futures.draws
    ]
    return np.asarray(known_mean(np.array(values), 1))


def _kept(view: View, draw: Iterable[Kpis]) -> float:
    holds = [
        term.holds
        for kpis in draw
        for s in view.scenario.slices
        for term in sla_terms(view.scenario, s.name, [kpis])
        if term.holds is not None
    ]
    return 100 * float(np.mean(holds)) if holds else np.nan
