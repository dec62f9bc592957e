# SPDX-License-Identifier: Apache-2.0
"""Bootstrap intervals, agreement and correlation, on arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ConstantInputWarning, DegenerateDataWarning, bootstrap, pearsonr, rankdata

Floats = NDArray[np.float64]
Interval = tuple[float | None, float | None]

CONFIDENCE = 0.95
N_RESAMPLES = 2000


def interval(statistic: Callable[[NDArray[np.intp]], Floats], n: int) -> Interval:
    """Percentile bootstrap interval of a figure of n things, drawn with replacement.

    Whatever the figure takes of one thing stays together, so that pairs are paired and clusters
    are clusters. The draws are the same every time.

    Args:
        statistic: the figure, from indices of shape (..., n) to shape (...); NaN where it does
            not exist, which leaves that draw out.
        n: number of things.

    Returns:
        Both ends; None without two things, or a draw that has the figure.
    """
    if n < 2:
        return None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)
        drawn = bootstrap(
            (np.arange(n),),
            lambda indices, axis: statistic(indices.astype(np.intp)),
            n_resamples=N_RESAMPLES,
            vectorized=True,
            method="percentile",
            rng=np.random.default_rng(0),
        ).bootstrap_distribution
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return None, None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)


def kappa(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float | None:
    """Cohen's kappa of two judges: agreement beyond that of chance, to the most there can be.

    None where both always say the same one thing, so that chance agrees in everything.
    """
    agree = float(np.mean(one == other))
    p, q = float(one.mean()), float(other.mean())
    chance = p * q + (1 - p) * (1 - q)
    return (agree - chance) / (1 - chance) if chance < 1 else None


def pearson(x: Floats, y: Floats) -> Floats:
    """Pearson's r along the first axis; NaN where one of the two is constant, or of fewer than 2.

    Args:
        x: shape (k, ...).
        y: of the same shape.
    """
    if len(x) < 2:
        return np.full(x.shape[1:], np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)
        return np.asarray(pearsonr(x, y, axis=0).statistic, float)


def spearman(x: Floats, y: Floats) -> Floats:
    """Spearman's rank correlation along the first axis, ties at their mean rank; see `pearson`."""
    return pearson(np.asarray(rankdata(x, axis=0)), np.asarray(rankdata(y, axis=0)))


def quotient(values: Floats, by: Floats) -> Floats:
    """Values over others, element by element; NaN over 0."""
    found = np.full(np.shape(values), np.nan)
    np.divide(values, by, out=found, where=np.asarray(by) != 0)
    return found


def plain(value: float | Floats | None) -> float | None:
    """A figure for a report; None where it does not exist."""
    return float(value) if value is not None and np.isfinite(value) else None
