# SPDX-License-Identifier: Apache-2.0
"""Between the units of KPIs and the scale z on which boosters predict, all KPIs at once.

    linear: z = y / s, log: z = ln(1 + y / s)

The same functions serve training, so that a target is what the prediction inverts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiment_model.compiling import vectorized
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
        self._is_log = np.array([kpi.transform == "log" for kpi in kpis])
        self._most_z = np.where(self._is_log, MAX_LOG_Z, np.inf)
        self._base = np.array(
            [-1 if kpi.base is None else features.index(kpi.base) for kpi in kpis]
        )

    def to_z(self, values: ArrayLike) -> Floats:
        """Values in units, clipped to the bounds, as z.

        Args:
            values: shape (n, k); NaN stays NaN.
        """
        z = np.minimum(np.maximum(np.asarray(values, np.float64), self.lower), self.upper)
        z /= self.scale
        return np.asarray(np.log1p(z, out=z, where=self._is_log))

    def from_z(self, z: ArrayLike) -> Floats:
        """Values in units within the bounds, of z in shape (n, k)."""
        values = np.minimum(np.asarray(z, np.float64), self._most_z)
        np.expm1(values, out=values, where=self._is_log)
        values *= self.scale
        np.maximum(values, self.lower, out=values)
        return np.asarray(np.minimum(values, self.upper, out=values))

    def base_z(self, rows: NDArray[np.floating]) -> Floats:
        """First guesses that rows hold, as z, where a missing guess is 0 units.

        Args:
            rows: shape (n, f).

        Returns:
            Shape (n, k).
        """
        of_kpis = np.empty((len(self._base), len(rows)))
        return self.to_z(_bases(rows, self._base, out=of_kpis.T))


@vectorized("(float32[:], int64[:], float64[:])", "(f),(k)->(k)")
def _bases(row, base, values):  # type: ignore[no-untyped-def]
    for k in range(len(base)):
        known = base[k] >= 0 and not np.isnan(row[base[k]])
        values[k] = row[base[k]] if known else 0.0
