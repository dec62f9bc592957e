# SPDX-License-Identifier: Apache-2.0
"""Between the units of KPIs and the scale z on which boosters predict, all KPIs at once.

    linear: z = y / s, log: z = ln(1 + y / s)

The same functions serve training, so that a target is what the prediction inverts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiment_model.schema import Kpi

Floats = NDArray[np.float64]

MAX_LOG_Z = 60.0
"""Greatest z of a log KPI that is turned back: beyond it, units are no longer finite numbers."""


class Transforms:
    """The transforms of some KPIs, as arrays.

    Args:
        kpis: in the order of the columns; k of them.
        features: names of the columns of rows, among which are the bases; f of them.
    """

    def __init__(self, kpis: Sequence[Kpi], features: Sequence[str]) -> None:
        self.scale = np.array([kpi.scale for kpi in kpis])
        self.offset = np.array([kpi.offset for kpi in kpis])
        self.lower = np.array([-np.inf if kpi.lower is None else kpi.lower for kpi in kpis])
        self.upper = np.array([np.inf if kpi.upper is None else kpi.upper for kpi in kpis])
        self._log = np.flatnonzero([kpi.transform == "log" for kpi in kpis])
        self._has_base = np.flatnonzero([kpi.base is not None for kpi in kpis])
        self._base = np.array(
            [features.index(kpi.base) for kpi in kpis if kpi.base is not None], int
        )

    def to_z(self, values: ArrayLike) -> Floats:
        """Values in units, clipped to the bounds, as z.

        Args:
            values: shape (n, k); NaN stays NaN.
        """
        z = np.clip(np.asarray(values, np.float64), self.lower, self.upper) / self.scale
        z[:, self._log] = np.log1p(z[:, self._log])
        return np.asarray(z)

    def from_z(self, z: ArrayLike) -> Floats:
        """Values in units within the bounds, of z in shape (n, k)."""
        values = np.array(z, np.float64)
        values[:, self._log] = np.expm1(np.minimum(values[:, self._log], MAX_LOG_Z))
        values *= self.scale
        return np.clip(values, self.lower, self.upper, out=values)

    def base_z(self, rows: NDArray[np.floating]) -> Floats:
        """First guesses that rows hold, as z, where a missing guess is 0 units.

        Args:
            rows: shape (n, f).

        Returns:
            Shape (n, k).
        """
        base = np.zeros((len(rows), len(self.scale)))
        guesses = rows[:, self._base]
        base[:, self._has_base] = np.where(np.isnan(guesses), 0, guesses)
        return self.to_z(base)
