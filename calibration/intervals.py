# SPDX-License-Identifier: Apache-2.0
"""How far KPIs scatter around their means: quantiles, and how they vary together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from calibration.network import Floats
from calibration.samples import Samples
from calibration.targets import Target
from experiment_model import Intervals, Joint, Levels

PROBABILITIES = (0.005, 0.01, 0.02, *(float(p) for p in np.round(np.arange(0.05, 0.96, 0.025), 3)),
                 0.98, 0.99, 0.995)  # fmt: skip
LEAST_GROUP_ROWS = 500
"""A scenario with fewer rows for the conformal correction has no intervals of its own."""
LEAST_LEVEL_ROWS = 250
MOST_LEVELS = 4
"""Of the predicted mean, each with quantiles of its own."""
IMPUTATIONS = 60

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Standardised:
    """Residuals in z over their scale, of rows kept apart; shape (rows, KPIs)."""

    values: Floats
    z: Floats
    """Predicted means."""
    at_lower: NDArray[np.bool_]
    """Where the KPI lies at its lower bound: the residual says only what it is not above."""
    at_upper: NDArray[np.bool_]
    scenario: NDArray[np.str_]


def intervals_of(targets: Sequence[Target], rows: Standardised, seed: int) -> Intervals:
    """Split-conformal quantiles (Vovk et al. 2005; Lei et al. 2018), by scenario and in general.

    They are apart by level of the predicted mean, too (Mondrian; Bostrom and Johansson 2020): where
    little is predicted, most KPIs are at their bound, and where much is, they scatter both ways.
    """
    tables: dict[str, dict[str, Levels]] = {"": {}}
    names = [str(s) for s in np.unique(rows.scenario)]
    for index, target in enumerate(targets):
        known = np.isfinite(rows.values[:, index])
        for name in ("", *names):
            mine = known & (rows.scenario == name) if name else known
            if name and mine.sum() < LEAST_GROUP_ROWS:
                continue
            tables.setdefault(name, {})[target.name] = _levels(rows, index, mine, seed)
    return Intervals(probabilities=PROBABILITIES, tables=tables)


def _levels(rows: Standardised, index: int, mine: NDArray[np.bool_], seed: int) -> Levels:
    z = rows.z[mine, index]
    n = int(np.clip(len(z) // LEAST_LEVEL_ROWS, 1, MOST_LEVELS))
    edges = np.unique(np.quantile(z, np.arange(1, n) / n)) if n > 1 else np.zeros(0)
    level = np.searchsorted(edges, z, side="right")
    values, at_lower, at_upper = (
        part[mine, index] for part in (rows.values, rows.at_lower, rows.at_upper)
    )
    return Levels(
        edges=tuple(edges.tolist()),
        quantiles=tuple(
            _quantiles(
                _uncensored(values[at], at_lower[at], at_upper[at], np.random.default_rng(seed))
            )
            for at in (level == rank for rank in range(len(edges) + 1))
        ),
    )


def _uncensored(
    values: Floats,
    at_lower: NDArray[np.bool_],
    at_upper: NDArray[np.bool_],
    random: np.random.Generator,
) -> Floats:
    """Residuals as they would be if KPIs went on beyond their bounds.

    A KPI at a bound, such as no loss, is a censored value: what is drawn beyond the bound is cut
    off there. Such residuals are drawn anew from the part of the distribution that lies beyond,
    and the distribution found anew from them, until both agree (multiple imputation; Tanner and
    Wong 1987).
    """
    censored = at_lower | at_upper
    if not censored.any() or len(values) < 2:
        return values
    at = np.array([_NORMAL.inv_cdf(p) for p in PROBABILITIES])
    drawn = values.copy()
    for _ in range(IMPUTATIONS):
        quantiles = np.quantile(drawn, PROBABILITIES)
        below = _cdf(np.interp(values[censored], quantiles, at, left=-4, right=4))
        share = random.random(len(below))
        upper = at_upper[censored]
        below = np.where(upper, below + share * (1 - below), share * below)
        drawn[censored] = np.interp(_score(below), at, quantiles)
    return drawn


def _cdf(scores: Floats) -> Floats:
    from scipy.special import ndtr

    return np.asarray(ndtr(scores))


def _score(shares: Floats) -> Floats:
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(shares, 1e-4, 1 - 1e-4)))


def _quantiles(values: Floats) -> tuple[float, ...]:
    """Order statistics that hold for one more value: ranks of n + 1, outward of the median.

    Five digits of them are kept: models have tens of thousands.
    """
    if not len(values):
        return tuple(_NORMAL.inv_cdf(p) for p in PROBABILITIES)
    ordered = np.sort(values)
    n = len(ordered)
    ranks = [(n + 1) * p for p in PROBABILITIES]
    at = [np.floor(r) if p < 0.5 else np.ceil(r) for r, p in zip(ranks, PROBABILITIES, strict=True)]
    return tuple(float(f"{ordered[int(np.clip(r - 1, 0, n - 1))]:.5g}") for r in at)


def joint_of(standardised: Floats, samples: Samples) -> Joint:
    """Correlation of normal scores between KPIs and with the interval before."""
    scores = np.full(standardised.shape, np.nan)
    for index, column in enumerate(standardised.T):
        known = np.isfinite(column)
        if known.any():
            ranks = np.argsort(np.argsort(column[known], kind="stable"), kind="stable")
            shares = (ranks + 0.5) / known.sum()
            scores[known, index] = [_NORMAL.inv_cdf(float(s)) for s in shares]
    filled = np.nan_to_num(scores)
    there = np.isfinite(scores).astype(float)
    pairs = there.T @ there
    product = np.divide(filled.T @ filled, pairs, out=np.zeros_like(pairs), where=pairs > 100)
    values, vectors = np.linalg.eigh((product + product.T) / 2)
    matrix = (vectors * np.maximum(values, 0.02)) @ vectors.T
    size = np.sqrt(np.diag(matrix))
    correlation = matrix / np.outer(size, size)
    np.fill_diagonal(correlation, 1)
    order = np.lexsort((samples.interval, samples.element, samples.run))
    follows = (
        (np.diff(samples.run[order]) == 0)
        & (np.diff(samples.element[order]) == 0)
        & (np.diff(samples.interval[order]) == 1)
    )
    first, second = scores[order][:-1][follows], scores[order][1:][follows]
    both = np.isfinite(first) & np.isfinite(second)
    lagged = np.divide(
        (np.nan_to_num(first) * np.nan_to_num(second) * both).sum(axis=0),
        both.sum(axis=0),
        out=np.zeros(len(scores.T)),
        where=both.sum(axis=0) > 0,
    )
    return Joint(
        correlation=tuple(map(tuple, correlation.tolist())),
        persistence=tuple(float(v) for v in np.clip(lagged, 0, 0.95)),
    )
