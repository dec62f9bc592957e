# SPDX-License-Identifier: Apache-2.0
"""Quantiles of standardised residuals, looked up by probability or by normal score.

A table gives quantiles Q(p) of (z - mean of z) / sigma at some p, for each level of the mean of z.
Between them, Q is linear in the normal score of p, the standard normal quantile of p.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from experiment_model.compiling import vectorized
from experiment_model.errors import ModelError
from experiment_model.schema import Intervals, Levels

Floats = NDArray[np.float64]

_NORMAL = NormalDist()
GUIDE_BINS = 512
"""Parts of the range of normal scores, of each of which it is known where its quantiles begin."""


class Tables:
    """The tables of one kind of row, for k KPIs.

    Args:
        intervals: all tables.
        kpis: names, in the order of columns.
    """

    def __init__(self, intervals: Intervals, kpis: Sequence[str]) -> None:
        self._probabilities = intervals.probabilities
        self._at = np.array([_NORMAL.inv_cdf(p) for p in intervals.probabilities])
        bins = np.linspace(self._at[0], self._at[-1], GUIDE_BINS, endpoint=False)
        # Where to search from for a score, a place early in case of rounding.
        self._guide = np.maximum(np.searchsorted(self._at, bins, "right") - 2, 0)
        every = intervals.tables
        self._tables = {
            group: _stacked([table.get(kpi, every[""][kpi]) for kpi in kpis])
            for group, table in every.items()
        }

    def quantile(self, probability: float, z: Floats, group: str) -> Floats:
        """Q of each KPI, shape (n, k).

        Args:
            probability: within those of the tables.
            z: means of z, shape (n, k).
            group: label of the rows; the general table serves unknown ones.

        Raises:
            ModelError: the tables do not reach so far.
        """
        low, high = self._probabilities[0], self._probabilities[-1]
        if not low <= probability <= high:
            raise ModelError(
                f"probability={probability:g} is not allowed; this model knows quantiles from "
                f"{low:g} to {high:g}"
            )
        return self.at_scores(np.full(z.shape, _NORMAL.inv_cdf(probability)), z, group)

    def at_scores(self, scores: Floats, z: Floats, group: str) -> Floats:
        """Q at normal scores, shape (n, k); beyond a table its first or last."""
        return np.asarray(_between(scores, z, self._at, self._guide, *self._of(group)))

    def scores(self, residual: Floats, z: Floats, group: str) -> Floats:
        """Normal scores of residuals, shape (n, k); infinite beyond a table."""
        edges, quantiles = self._of(group)
        level = np.minimum((z[..., None] >= edges).sum(-1), quantiles.shape[1] - 1)
        found = np.empty(z.shape)
        for k in range(z.shape[1]):
            for rank in np.unique(level[:, k]):
                mine = level[:, k] == rank
                found[mine, k] = np.interp(
                    residual[mine, k], quantiles[k, rank], self._at, left=-np.inf, right=np.inf
                )
        return found

    def _of(self, group: str) -> tuple[Floats, Floats]:
        return self._tables.get(group, self._tables[""])


def _stacked(tables: Sequence[Levels]) -> tuple[Floats, Floats]:
    """Edges, infinite where there are none, and quantiles, shape (k, l, p), of up to l levels."""
    most = max(len(table.quantiles) for table in tables)
    edges = np.full((len(tables), max(most - 1, 1)), np.inf)
    quantiles = np.zeros((len(tables), most, len(tables[0].quantiles[0])))
    for k, table in enumerate(tables):
        edges[k, : len(table.edges)] = table.edges
        quantiles[k, : len(table.quantiles)] = table.quantiles
        quantiles[k, len(table.quantiles) :] = table.quantiles[-1]
    return edges, quantiles


@vectorized(
    "(float64[:], float64[:], float64[:], int64[:], float64[:, :], float64[:, :, :], float64[:])",
    "(k),(k),(p),(g),(k,e),(k,l,p)->(k)",
)
def _between(scores, z, at, guide, edges, quantiles, found):  # type: ignore[no-untyped-def]
    """Quantiles of each KPI at a score, linear between those of the table of its level."""
    for k in range(len(scores)):
        level = 0
        for edge in edges[k]:
            level += z[k] >= edge
        level = min(level, quantiles.shape[1] - 1)
        bin_ = (scores[k] - at[0]) * (len(guide) / (at[-1] - at[0]))
        left = guide[int(min(max(bin_, 0), len(guide) - 1))]
        while left + 1 < len(at) and at[left + 1] <= scores[k]:
            left += 1
        if scores[k] < at[0]:
            found[k] = quantiles[k, level, 0]
        elif left == len(at) - 1:
            found[k] = quantiles[k, level, -1]
        else:
            low, high = quantiles[k, level, left], quantiles[k, level, left + 1]
            found[k] = (high - low) / (at[left + 1] - at[left]) * (scores[k] - at[left]) + low
