# SPDX-License-Identifier: Apache-2.0
"""What a model answers: predictions, samples and explanations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from experiment_model.surrogate import Surrogate

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]

QUANTILES = (0.1, 0.5, 0.9)


class Prediction:
    """KPIs of n rows; all but the means are computed when they are first asked for.

    Attributes:
        mean: KPIs in their units, within their bounds, shape (n, k).
        z: the means on the scale of the boosters, offset included, shape (n, k).
    """

    def __init__(self, surrogate: Surrogate, rows: Rows, group: str, period: int) -> None:
        self._surrogate, self._rows = surrogate, rows
        self._group, self._period = group, period
        self.z: Floats = surrogate.mean_z(rows, period)
        self.mean: Floats = surrogate.transforms.from_z(self.z)

    @property
    def kpis(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self._surrogate.kpis

    @cached_property
    def sigma(self) -> Floats:
        """Scale of the residual of `z`, shape (n, k)."""
        return self._surrogate.sigma(self._rows, self._period)

    @cached_property
    def quantiles(self) -> Floats:
        """The 0.1, 0.5 and 0.9 quantiles, shape (n, k, 3)."""
        return np.stack([self.quantile(p) for p in QUANTILES], axis=2)

    def quantile(self, probability: float) -> Floats:
        """What KPIs stay below with a probability, in units, shape (n, k).

        Args:
            probability: within those of the model's interval tables.

        Raises:
            ModelError: the tables do not reach so far.
        """
        residual = self._surrogate.tables.quantile(probability, self.z, self._group)
        return self._surrogate.transforms.from_z(self.z + self.sigma * residual)

    @cached_property
    def score(self) -> Floats:
        """Shares of the calibration rows that lie farther out than each row, shape (n,)."""
        return self._surrogate.domain.scores(self._rows)

    @cached_property
    def in_distribution(self) -> NDArray[np.bool_]:
        """Whether each row is like those of training, shape (n,); see `schema.Domain`."""
        return self._surrogate.domain.contains(self._rows, self.score)


@dataclass(frozen=True)
class Sample:
    """KPIs of n rows, drawn together."""

    values: Floats
    """In units, within their bounds, shape (n, k)."""
    scores: Floats
    """Standard normal scores that were drawn, shape (n, k); give them to the next interval."""


@dataclass(frozen=True)
class Explanation:
    """What one predicted KPI is made up of, on the scale z of the boosters.

    z = base + expected + sum of the contributions, and the KPI's mean is z turned back to units.
    """

    z: float
    base: float
    """z of the physical first guess."""
    expected: float
    """Mean correction over the training rows, and the offset."""
    contributions: tuple[tuple[str, float], ...]
    """Shapley value of each feature that matters in this row; the largest in size first."""
