# SPDX-License-Identifier: Apache-2.0
"""Boosters that together predict all KPIs of one kind of row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from experiment_model.attribution import Attribution
from experiment_model.errors import ModelError
from experiment_model.schema import BoosterFile
from experiment_model.trees import NotReadableError, read_trees
from experiment_model.walking import Forest

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]


class Boosters:
    """Several boosters whose outputs are the columns of one array.

    They run on the calling thread; rows for several cores are best dealt out to processes.

    Args:
        specs: the boosters, which predict each KPI once.
        files: their bytes, by name.
        features: names of the columns of rows; f of them.
        kpis: names of the columns of predictions; k of them.

    Raises:
        ModelError: a file is no booster, or one of other features or outputs.
    """

    def __init__(
        self,
        specs: Sequence[BoosterFile],
        files: Mapping[str, bytes],
        features: Sequence[str],
        kpis: Sequence[str],
    ) -> None:
        self._shape = len(features), len(kpis)
        self._parts = [_Part(spec, files[spec.file], features, kpis) for spec in specs]
        self._forest = Forest([(part.trees, part.columns) for part in self._parts], *self._shape)

    def predict(self, rows: Rows, period: int = 1) -> Rows:
        """Sums of the leaves that rows fall into.

        Args:
            rows: shape (n, f).
            period: rows so far apart are alike, which makes it faster.

        Returns:
            Shape (n, k).
        """
        return self._forest.sums(rows, period)

    def explain(self, row: Rows) -> tuple[Floats, Floats]:
        """What the prediction of one row, of shape (f,), is made up of.

        Returns:
            The mean prediction over the training rows, shape (k,), and what each feature adds to it
            in this row, shape (f, k). They add up to the prediction.
        """
        expected, contributions = np.empty(self._shape[1]), np.empty(self._shape)
        for part in self._parts:
            expected[part.columns] = part.attribution.expected
            contributions[:, part.columns] = part.attribution.contributions(row)
        return expected, contributions


class _Part:
    def __init__(
        self, spec: BoosterFile, data: bytes, features: Sequence[str], kpis: Sequence[str]
    ) -> None:
        self.columns = np.array([kpis.index(name) for name in spec.kpis])
        try:
            self.trees = read_trees(data, features, len(spec.kpis))
        except NotReadableError as error:
            raise ModelError(f"{spec.file} {error}") from None

    @cached_property
    def attribution(self) -> Attribution:
        return Attribution(self.trees)
