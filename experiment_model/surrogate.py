# SPDX-License-Identifier: Apache-2.0
"""The model of one kind of row at work."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from experiment_model.boosters import Boosters
from experiment_model.domain import Domain
from experiment_model.errors import ModelError
from experiment_model.intervals import Tables
from experiment_model.prediction import Explanation, Sample
from experiment_model.schema import Kind
from experiment_model.transforms import Transforms

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]

MAX_LN_SIGMA = 20.0
"""Bound of the logarithm of sigma, either way, that keeps quantiles finite numbers."""


class Surrogate:
    """Boosters, transforms, intervals and domain of one kind, for f features and k KPIs.

    Args:
        name: of the kind, for messages.
        spec: what the model says of it.
        files: bytes of the boosters, by name of the file.

    Raises:
        ModelError: a booster does not fit.
    """

    def __init__(self, name: str, spec: Kind, files: Mapping[str, bytes]) -> None:
        self.name = name
        self.features = tuple(feature.name for feature in spec.features)
        self.kpis = tuple(kpi.name for kpi in spec.kpis)
        self.transforms = Transforms(spec.kpis, self.features)
        self.tables = Tables(spec.intervals, self.kpis)
        self.domain = Domain(spec.domain)
        self._mean = Boosters(spec.boosters, files, self.features, self.kpis)
        self._spread = Boosters(spec.spread, files, self.features, self.kpis)
        k = len(self.kpis)
        self._mixing = np.linalg.cholesky(np.array(spec.joint.correlation).reshape(k, k)).T
        self._persistence = np.array(spec.joint.persistence)
        self._renewal = np.sqrt(1 - self._persistence**2)

    def mean_z(self, rows: Rows, period: int = 1) -> Floats:
        """Means on the scale of the boosters, shape (n, k), of rows of shape (n, f)."""
        z = self.transforms.base_z(rows)
        z += self._mean.predict(rows, period)
        z += self.transforms.offset
        return z

    def sigma(self, rows: Rows, period: int = 1) -> Floats:
        """Scales of the residuals of z, shape (n, k)."""
        ln_sigma = self._spread.predict(rows, period)
        np.clip(ln_sigma, -MAX_LN_SIGMA, MAX_LN_SIGMA, out=ln_sigma)
        return np.asarray(np.exp(ln_sigma, dtype=np.float64))

    def sample(
        self,
        rows: Rows,
        rng: np.random.Generator,
        group: str,
        scores: Floats | None,
        period: int,
    ) -> Sample:
        """Draw KPIs; see `ExperimentModel.sample`."""
        n, k = len(rows), len(self.kpis)
        drawn = rng.standard_normal((n, k)) @ self._mixing
        if scores is not None:
            before = np.asarray(scores, np.float64)
            if before.shape != (n, k) or not np.isfinite(before).all():
                raise ModelError(
                    f"scores of {self.name} have shape {before.shape}; they must be finite numbers "
                    f"of shape ({n}, {k}), one per row and KPI"
                )
            drawn = self._persistence * before + self._renewal * drawn
        z = self.mean_z(rows, period)
        residual = self.tables.at_scores(drawn, z, group)
        return Sample(
            values=self.transforms.from_z(z + self.sigma(rows, period) * residual), scores=drawn
        )

    def explain(self, row: Rows) -> dict[str, Explanation]:
        """What each KPI of a row of shape (1, f) is made up of."""
        z, base = self.mean_z(row)[0], self.transforms.base_z(row)[0]
        expected, contributions = self._mean.explain(row[0])
        expected += self.transforms.offset
        explanations = {}
        for index, kpi in enumerate(self.kpis):
            column = contributions[:, index]
            order = np.argsort(-abs(column), kind="stable")
            explanations[kpi] = Explanation(
                z=float(z[index]),
                base=float(base[index]),
                expected=float(expected[index]),
                contributions=tuple(
                    (self.features[i], float(column[i])) for i in order if column[i] != 0
                ),
            )
        return explanations
