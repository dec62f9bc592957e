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
        columns = [
            np.interp(column, self._at, quantiles)
            for column, quantiles in zip(scores.T, self._of(group), strict=True)
        ]
        return np.stack(columns, axis=1)

    def _of(self, group: str) -> Floats:
        return self._tables.get(group, self._tables[""])
