# SPDX-License-Identifier: Apache-2.0
"""Quantiles of standardised residuals, looked up by probability or by normal score.

A table gives quantiles Q(p) of (z - mean of z) / sigma at some p. Between them, Q is linear in the
normal score of p, the standard normal quantile of p.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from experiment_model.compiling import vectorized
from experiment_model.errors import ModelError
from experiment_model.schema import Intervals

Floats = NDArray[np.float64]

_NORMAL = NormalDist()


class Tables:
    """The tables of one kind of row, for k KPIs.

    Args:
        intervals: all tables.
        kpis: names, in the order of columns.
    """

    def __init__(self, intervals: Intervals, kpis: Sequence[str]) -> None:
        self._probabilities = intervals.probabilities
        self._at = np.array([_NORMAL.inv_cdf(p) for p in intervals.probabilities])
        every = intervals.tables
        self._tables: dict[str, Floats] = {
            group: np.array([table.get(kpi, every[""][kpi]) for kpi in kpis])
            for group, table in every.items()
        }

    def quantile(self, probability: float, group: str) -> Floats:
        """Q of each KPI, shape (k,).

        Args:
            probability: within those of the tables.
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
        score = _NORMAL.inv_cdf(probability)
        return np.array([np.interp(score, self._at, quantiles) for quantiles in self._of(group)])

    def at_scores(self, scores: Floats, group: str) -> Floats:
        """Q at normal scores of each KPI, shape (n, k); beyond a table its first or last."""
        return np.asarray(_between(scores, self._at, self._of(group)))

    def _of(self, group: str) -> Floats:
        return self._tables.get(group, self._tables[""])


@vectorized("(float64[:], float64[:], float64[:, :], float64[:])", "(k),(p),(k,p)->(k)")
def _between(scores, at, quantiles, found):  # type: ignore[no-untyped-def]
    """Quantiles of each KPI at a score, linear between those of the table."""
    for k in range(len(scores)):
        right = np.searchsorted(at, scores[k], "right")
        if right == 0:
            found[k] = quantiles[k, 0]
        elif right == len(at):
            found[k] = quantiles[k, -1]
        else:
            left = right - 1
            slope = (quantiles[k, right] - quantiles[k, left]) / (at[right] - at[left])
            found[k] = slope * (scores[k] - at[left]) + quantiles[k, left]
