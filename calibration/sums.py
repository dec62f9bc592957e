# SPDX-License-Identifier: Apache-2.0
"""Sums, means and least values over users and flows, and values picked for them, by Numba.

All work along the last axis, and take arrays that broadcast against each other in the others, as
numpy's functions do. What has a negative index, or is NaN, counts for nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.network import Floats, Ints
from experiment_model.compiling import vectorized


def sum_into(index: Ints, values: NDArray[Any], count: int) -> Floats:
    """Sums of values (..., N) by index (..., N), shape (..., count)."""
    return np.asarray(_sum(index, values, np.empty(count)))


def mean_into(
    index: Ints, values: NDArray[Any], weights: NDArray[Any], count: int, least: float = 0.0
) -> Floats:
    """Weighted means of values (..., N) by index (..., N), shape (..., count).

    NaN where weights do not add up to more than the least.
    """
    mean, _ = _mean(index, values, weights, least, np.empty(count))
    return np.asarray(mean)


def least_into(index: Ints, values: NDArray[Any], count: int) -> Floats:
    """Least of values (..., N) by index (..., N), shape (..., count).

    NaN where all are infinite, and where there are none.
    """
    return np.asarray(_least(index, values, np.empty(count)))


def picked(values: NDArray[Any], index: Ints) -> Floats:
    """Values (..., K) at indices (..., N), shape (..., N)."""
    return np.asarray(_pick(values, index))


def known(values: NDArray[Any], otherwise: float = 0.0) -> Floats:
    """Values, and another one where they are NaN."""
    return np.where(np.isnan(values), otherwise, values)


def within(values: NDArray[Any], least: Any, most: Any) -> Floats:
    """Values within bounds: what `numpy.clip` takes several times as long for, if they are few."""
    return np.asarray(np.minimum(np.maximum(values, least), most))


def greatest(values: Floats, without: Ints, count: int) -> Ints:
    """Where the greatest of values (..., K) are, in descending order, shape (..., count).

    One of them, at (...), is left out.
    """
    return np.asarray(_greatest(values, without, np.empty(count, np.int64)))


@vectorized("(int64[:], float64[:], float64[:], float64[:])", "(n),(n),(k)->(k)")
def _sum(index, values, _, total):  # type: ignore[no-untyped-def]
    total[:] = 0
    for n in range(len(index)):
        if index[n] >= 0 and not np.isnan(values[n]):
            total[index[n]] += values[n]


@vectorized(
    "(int64[:], float64[:], float64[:], float64, float64[:], float64[:], float64[:])",
    "(n),(n),(n),(),(k)->(k),(k)",
)
def _mean(index, values, weights, least, _, mean, weight):  # type: ignore[no-untyped-def]
    mean[:] = 0
    weight[:] = 0
    for n in range(len(index)):
        if index[n] >= 0 and not np.isnan(values[n]) and not np.isnan(weights[n]):
            mean[index[n]] += values[n] * weights[n]
            weight[index[n]] += weights[n]
    for k in range(len(mean)):
        mean[k] = mean[k] / weight[k] if weight[k] > least else np.nan


@vectorized("(int64[:], float64[:], float64[:], float64[:])", "(n),(n),(k)->(k)")
def _least(index, values, _, least):  # type: ignore[no-untyped-def]
    least[:] = np.inf
    for n in range(len(index)):
        if index[n] >= 0 and not np.isnan(values[n]):
            least[index[n]] = min(least[index[n]], values[n])
    for k in range(len(least)):
        if np.isinf(least[k]):
            least[k] = np.nan


@vectorized("(float64[:], int64[:], float64[:])", "(k),(n)->(n)")
def _pick(values, index, found):  # type: ignore[no-untyped-def]
    for n in range(len(index)):
        found[n] = values[index[n]]


@vectorized("(float64[:], int64, int64[:], int64[:])", "(k),(),(n)->(n)")
def _greatest(values, without, _, found):  # type: ignore[no-untyped-def]
    left = values.copy()
    left[without] = -np.inf
    for n in range(len(found)):
        best = 0
        for k in range(1, len(left)):
            if left[k] > left[best]:
                best = k
        found[n] = best
        left[best] = -np.inf
