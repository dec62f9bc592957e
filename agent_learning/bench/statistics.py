# SPDX-License-Identifier: Apache-2.0
"""Rates with intervals, and paired comparisons, over tasks that come in templates.

Tasks of one template are alike, so templates are drawn anew as a whole (a cluster bootstrap).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest, norm

from env.fidelity.statistics import CONFIDENCE, Floats, Interval, interval, quotient

Z = float(norm.ppf((1 + CONFIDENCE) / 2))


def pass_hat_k(trials: int, successes: int, k: int) -> float:
    """Chance that k trials of a task are all successes, C(c, k) / C(n, k), without bias.

    Args:
        trials: n, at least k.
        successes: c of them.
        k: at least 1 (pass^k of tau-bench, arXiv 2406.12045).
    """
    return math.comb(successes, k) / math.comb(trials, k)


def wilson(rate: float, n: int) -> Interval:
    """Wilson's score interval of a rate of n things (Wilson, JASA 22, 1927).

    Also of a mean of values between 0 and 1, which vary no more than zeros and ones of that mean.

    Args:
        rate: between 0 and 1.
        n: number of things; the interval does not exist without any.
    """
    if not n:
        return None, None
    centre = rate + Z**2 / (2 * n)
    half = Z * math.sqrt(rate * (1 - rate) / n + Z**2 / (4 * n**2))
    scale = 1 + Z**2 / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def clustered(values: Floats, clusters: Sequence[str]) -> Interval:
    """Bootstrap interval of the mean of some values, of which whole clusters are drawn.

    Args:
        values: shape (n,).
        clusters: that each belongs to; fewer than two have no interval.
    """
    sums, sizes = _by_cluster(values, clusters)
    return interval(lambda i: quotient(sums[i].sum(-1), sizes[i].sum(-1)), len(sums))


def rate_interval(values: Floats, clusters: Sequence[str]) -> Interval:
    """Interval of the mean of values between 0 and 1, wide enough for tasks and for templates.

    From the lower of the lower ends to the higher of the higher ends of `wilson`, which knows that
    a rate of 0 or 1 in a sample is not certain, and `clustered`, which knows that tasks of one
    template are alike.

    Args:
        values: shape (n,).
        clusters: that each belongs to.
    """
    if not len(values):
        return None, None
    each = [wilson(float(values.mean()), len(values)), clustered(values, clusters)]
    lows, highs = zip(*((low, high) for low, high in each if low is not None), strict=True)
    return min(lows), max(highs)


def mcnemar(only_one: int, only_other: int) -> float:
    """Exact p-value of McNemar's test that two agents are equally good.

    Args:
        only_one: tasks that one of them solved and the other did not.
        only_other: tasks that the other solved and the one did not.
    """
    n = only_one + only_other
    return float(binomtest(only_one, n).pvalue) if n else 1.0


def _by_cluster(values: Floats, clusters: Sequence[str]) -> tuple[Floats, Floats]:
    """Sums and sizes of clusters."""
    names, index = np.unique(np.array(clusters, str), return_inverse=True)
    sums, sizes = np.zeros(len(names)), np.zeros(len(names))
    np.add.at(sums, index, values)
    np.add.at(sizes, index, 1)
    return sums, sizes
