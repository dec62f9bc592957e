# SPDX-License-Identifier: Apache-2.0
"""The surrogate as its users see it: `ExperimentModel`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiment_model.card import Card
from experiment_model.errors import ModelError
from experiment_model.prediction import Explanation, Prediction, Sample
from experiment_model.rows import Columns, matrix
from experiment_model.schema import Feature, Kpi, ModelSpec
from experiment_model.storage import read_model
from experiment_model.surrogate import Surrogate

DEFAULT_MODEL = Path(__file__).parent / "default"
"""The model of the package, fitted on sweeps over all packaged scenarios."""


class ExperimentModel:
    """KPIs of the next interval from rows of features, by kind of element.

    Rows are an array of shape (n, f) with the kind's features in the model's order, or columns by
    name (a mapping or a data frame) with exactly these features in any order; NaN stands for what
    is missing. A group, for example a scenario, picks the interval tables that were made for it;
    the general tables serve every other.

    Args:
        spec: what the model says.
        files: bytes of its boosters, by name of the file.

    Raises:
        ModelError: a booster does not fit.
    """

    def __init__(self, spec: ModelSpec, files: dict[str, bytes]) -> None:
        self._spec = spec
        self._surrogates = {name: Surrogate(name, kind, files) for name, kind in spec.kinds.items()}

    @classmethod
    def load(cls, path: str | os.PathLike[str] = DEFAULT_MODEL) -> ExperimentModel:
        """Read a model from its folder; without one, that of the package.

        Raises:
            ModelError: no such folder, no model, one of another version, incomplete, changed since
                it was written, or with boosters that do not fit.
        """
        folder = Path(path)
        spec, files = read_model(folder)
        try:
            return cls(spec, files)
        except ModelError as error:
            raise ModelError(f"{folder}: {error}") from None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of element that the model knows."""
        return tuple(self._surrogates)

    @property
    def card(self) -> Card:
        """What the model was made from and judged by."""
        return self._spec.card

    @property
    def spec(self) -> ModelSpec:
        """Everything that the model's `model.json` says."""
        return self._spec

    def features(self, kind: str) -> tuple[Feature, ...]:
        """Features of a kind, in the order of the columns of its rows.

        Raises:
            ModelError: the model does not know the kind.
        """
        self._of(kind)
        return self._spec.kinds[kind].features

    def kpis(self, kind: str) -> tuple[Kpi, ...]:
        """KPIs of a kind, in the order of the columns of its predictions.

        Raises:
            ModelError: the model does not know the kind.
        """
        self._of(kind)
        return self._spec.kinds[kind].kpis

    def predict(
        self, kind: str, rows: ArrayLike | Columns, group: str = "", period: int = 1
    ) -> Prediction:
        """Predict KPIs: their means at once, all else when it is asked for.

        The mean of a KPI is clip(inverse(z(base) + trees + offset)), with its transform z and its
        bounds.

        Args:
            kind: of the rows.
            rows: n of them.
            group: label of the rows.
            period: rows so far apart are alike, as those of one element in many networks are. It
                changes no result; large batches are predicted faster.

        Raises:
            ModelError: the model does not know the kind, or the rows do not match its features.
        """
        surrogate = self._of(kind)
        return Prediction(surrogate, matrix(kind, surrogate.features, rows), group, period)

    def sample(
        self,
        kind: str,
        rows: ArrayLike | Columns,
        rng: np.random.Generator,
        group: str = "",
        scores: NDArray[np.float64] | None = None,
        period: int = 1,
    ) -> Sample:
        """Draw KPIs that vary as simulated ones do, all KPIs of a row together.

        With e drawn from a normal distribution with the kind's correlation R between KPIs, its
        persistence a and its interval tables Q by normal score,

            s_t = a s_(t-1) + sqrt(1 - a^2) e,  z = mean of z + sigma Q(s_t)

        so that each KPI's scores stay standard normal over time and its values follow its tables,
        whose ends no value passes. Without scores of the interval before, s_t is e. Equal states of
        `rng` give equal samples.

        Args:
            kind: of the rows.
            rows: n of them.
            rng: what to draw from.
            group: label of the rows.
            scores: what the sample of the interval before had, shape (n, k).
            period: as in `predict`.

        Raises:
            ModelError: the model does not know the kind, the rows do not match its features, or the
                scores do not match the rows.
        """
        surrogate = self._of(kind)
        values = matrix(kind, surrogate.features, rows)
        return surrogate.sample(values, rng, group, scores, period)

    def in_distribution(self, kind: str, rows: ArrayLike | Columns) -> NDArray[np.bool_]:
        """Whether rows are like those of training, shape (n,), without predicting anything.

        Raises:
            ModelError: the model does not know the kind, or the rows do not match its features.
        """
        surrogate = self._of(kind)
        values = matrix(kind, surrogate.features, rows)
        return surrogate.domain.contains(values, surrogate.domain.scores(values))

    def explain(self, kind: str, row: ArrayLike | Columns) -> dict[str, Explanation]:
        """Say which features move each KPI of one row away from the mean of training, and how far.

        The contributions are Shapley values, as path-dependent TreeSHAP defines them, on the scale
        z of the boosters; with the base and the expected correction they add up to z. What the
        physical first guess contributes is apart, in `base`.

        Args:
            kind: of the row.
            row: its features, shape (f,) or (1, f), or values by name.

        Returns:
            By name of the KPI.

        Raises:
            ModelError: the model does not know the kind, or the row does not match its features.
        """
        surrogate = self._of(kind)
        if isinstance(row, Columns):
            values = {name: np.atleast_1d(row[name]) for name in row.keys()}  # noqa: SIM118
            one = matrix(kind, surrogate.features, values)
        else:
            one = matrix(kind, surrogate.features, np.atleast_2d(np.asarray(row)))
        if len(one) != 1:
            raise ModelError(f"one row of {kind} can be explained at a time, not {len(one)}")
        return surrogate.explain(one)

    def _of(self, kind: str) -> Surrogate:
        try:
            return self._surrogates[kind]
        except KeyError:
            known = ", ".join(self._surrogates)
            raise ModelError(f"kind={kind!r} is not in this model; it has {known}") from None
