# SPDX-License-Identifier: Apache-2.0
"""Whether rows are like those of training; the equations stand in `schema.Domain`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiment_model import schema

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]

FLOAT32_STEP = 1e-6
"""What rounding to float32 may move a value by, relative to its size."""


class Domain:
    """The region of training rows of f features."""

    def __init__(self, spec: schema.Domain) -> None:
        self._centre = np.array(spec.centre, np.float32)
        self._inverse_scale = (1 / np.array(spec.scale)).astype(np.float32)
        self._clip = np.float32(spec.clip)
        self._whitening = np.array(spec.whitening, np.float32).T.copy()
        self._distances, self._shares = np.array(spec.distances), np.array(spec.shares)
        self._threshold = spec.threshold
        low = np.array([np.inf if v is None else v for v in spec.low])
        high = np.array([-np.inf if v is None else v for v in spec.high])
        slack = np.zeros_like(low)
        known = np.isfinite(low)
        slack[known] = spec.margin * (high - low)[known]
        slack[known] += FLOAT32_STEP * np.maximum(abs(low), abs(high))[known]
        self._low, self._high = low - slack, high + slack
        self._never_missing = ~np.array(spec.was_missing)

    def distances(self, rows: Rows) -> Floats:
        """Squared distances of rows (n, f) from the centre, shape (n,)."""
        u = (rows - self._centre) * self._inverse_scale
        np.clip(u, -self._clip, self._clip, out=u)
        u[np.isnan(u)] = 0
        v = u @ self._whitening
        return np.asarray(np.einsum("ij,ij->i", v, v), np.float64)

    def scores(self, rows: Rows) -> Floats:
        """Shares of the calibration rows that lie farther out than each row, shape (n,)."""
        return np.asarray(1 - np.interp(self.distances(rows), self._distances, self._shares))

    def contains(self, rows: Rows, scores: Floats) -> NDArray[np.bool_]:
        """Which rows are in distribution, given their scores; shape (n,)."""
        outside = (rows < self._low) | (rows > self._high) | (np.isnan(rows) & self._never_missing)
        return np.asarray((scores >= self._threshold) & ~outside.any(axis=1))
