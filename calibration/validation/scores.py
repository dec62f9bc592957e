# SPDX-License-Identifier: Apache-2.0
"""What a model says of rows, and how far that is from what came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import wasserstein_distance

from calibration.samples import Samples
from calibration.validation.report import Density, Floor, Scores
from experiment_model import ExperimentModel, Prediction, Transforms
from experiment_model.intervals import Tables

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

BINS = 32
"""Of the density of predicted against true values."""
PIT_BINS = 10
RESOLUTION = 1e-5
"""Values closer than this, relative to their size and scale, are one: float32 keeps little more."""


@dataclass(frozen=True)
class Predicted:
    """What a model says of n rows with k KPIs; shapes (n, k) where nothing else is said."""

    mean: Floats
    low: Floats
    """The 0.1 quantiles."""
    high: Floats
    """The 0.9 quantiles."""
    sampled: Floats
    pit: Floats
    """Randomised probability integral transform of the true values, NaN where there is none."""
    in_distribution: NDArray[np.bool_]
    """Shape (n,)."""


def predict(
    model: ExperimentModel, samples: Samples, true: Floats, rng: np.random.Generator
) -> Predicted:
    """Ask a model about rows, scenario by scenario, with the interval tables of each.

    Args:
        model: that knows the kind.
        samples: n rows of one kind.
        true: KPIs in the model's order, shape (n, k).
        rng: for sampling and for the transform.

    Raises:
        ModelError: the rows do not match the model's features.
    """
    shape = true.shape
    mean, low, high, sampled, pit = (np.empty(shape) for _ in range(5))
    found = Predicted(mean, low, high, sampled, pit, np.empty(len(true), bool))
    scenario = samples.scenario
    for group in np.unique(scenario):
        at = np.flatnonzero(scenario == group)
        rows = dict(zip(samples.features, samples.x[at].T, strict=True))
        prediction = model.predict(samples.kind, rows, group=str(group))
        found.mean[at] = prediction.mean
        found.low[at], _, found.high[at] = np.moveaxis(prediction.quantiles, 2, 0)
        found.sampled[at] = model.sample(samples.kind, rows, rng, group=str(group)).values
        found.pit[at] = randomised_pit(model, samples.kind, prediction, true[at], str(group), rng)
        found.in_distribution[at] = prediction.in_distribution
    return found


def randomised_pit(
    model: ExperimentModel,
    kind: str,
    prediction: Prediction,
    true: Floats,
    group: str,
    rng: np.random.Generator,
) -> Floats:
    """Where true values lie in their predicted distributions, from 0 to 1.

    With F the predicted distribution function of a value y and v drawn evenly from 0 to 1,

        u = F(y-) + v (F(y) - F(y-))

    which is even between 0 and 1 if the model is right, also where values have a probability of
    their own, as a loss of exactly 0 has (Czado, Gneiting and Held, "Predictive model assessment
    for count data", Biometrics 65, 2009, eq. 1-2; Brockwell, Stat. Probab. Lett. 77, 2007). F is
    what the model samples from: a clipped distribution has all of its mass beyond a bound at it.

    Args:
        model: that made the prediction.
        kind: of the rows.
        prediction: of n rows and k KPIs.
        true: shape (n, k), NaN where there is none.
        group: that the prediction was made for.
        rng: draws v.

    Returns:
        Shape (n, k).
    """
    scale = np.array([kpi.scale for kpi in model.kpis(kind)])
    tolerance = RESOLUTION * (abs(true) + scale)
    below = _distribution(model, kind, prediction, true - tolerance, group)
    upto = _distribution(model, kind, prediction, true + tolerance, group)
    return np.asarray(below + rng.random(true.shape) * (upto - below))


def _distribution(
    model: ExperimentModel, kind: str, prediction: Prediction, values: Floats, group: str
) -> Floats:
    """Predicted probabilities of at most some values, shape (n, k)."""
    spec = model.spec.kinds[kind]
    transforms = Transforms(spec.kpis, [feature.name for feature in spec.features])
    tables = Tables(spec.intervals, [kpi.name for kpi in spec.kpis])
    residual = (transforms.to_z(values) - prediction.z) / prediction.sigma
    found = ndtr(tables.scores(residual, prediction.z, group))
    found = np.where(values < transforms.lower, 0, found)
    found = np.where(values >= transforms.upper, 1, found)
    return np.where(np.isnan(values), np.nan, found)


def scores(
    true: Floats,
    predicted: Predicted,
    kpi: int,
    rows: Indices,
    cluster: Indices,
    floor: Floor,
) -> Scores:
    """Errors of one KPI.

    Args:
        true: values of the KPI, shape (n,), NaN where there is none.
        predicted: of the same rows.
        kpi: its column there.
        rows: that count.
        cluster: of each row, shape (n,); rows of different ones are independent.
        floor: of these rows.
    """
    rows = rows[np.isfinite(true[rows])]
    if not len(rows):
        return Scores(rows=0, floor=floor)
    y, mean = true[rows], predicted.mean[rows, kpi]
    errors, span = mean - y, value_range(y)
    rmse = float(np.sqrt(np.mean(errors**2)))
    low, high = predicted.low[rows, kpi], predicted.high[rows, kpi]
    pit = predicted.pit[rows, kpi]
    inside = ((pit >= 0.1) & (pit <= 0.9)).astype(float)
    slack = RESOLUTION * (abs(y) + (span or 0))
    return Scores(
        rows=len(rows),
        r2=r_squared(y, mean),
        nrmse=rmse / span if span else None,
        range=span,
        rmse=rmse,
        mae=float(np.mean(abs(errors))),
        mae_error=_clustered_error(abs(errors), cluster[rows]),
        bias=float(np.mean(errors)),
        wasserstein=float(wasserstein_distance(predicted.sampled[rows, kpi], y)),
        coverage_pct=100 * float(inside.mean()),
        coverage_error_pct=100 * _clustered_error(inside, cluster[rows]),
        plain_coverage_pct=100 * float(np.mean((y >= low - slack) & (y <= high + slack))),
        width=float(np.mean(high - low)),
        floor=floor,
    )


def r_squared(true: Floats, predicted: Floats) -> float | None:
    """1 - mean squared error / variance of the true values; none where these are all equal."""
    variance = float(np.var(true))
    if variance <= (RESOLUTION * float(np.max(abs(true), initial=0))) ** 2:
        return None
    return 1 - float(np.mean((predicted - true) ** 2)) / variance


def _clustered_error(values: Floats, cluster: Indices) -> float:
    """Standard error of a mean whose deviations go together within clusters (Liang-Zeger 1986)."""
    _, number = np.unique(cluster, return_inverse=True)
    sums = np.bincount(number, values - values.mean())
    return float(np.sqrt(np.sum(sums**2)) / len(values))


def mean_by_cluster(values: Floats, cluster: Indices) -> tuple[float, float | None]:
    """A mean and its standard error; rows of one cluster go together.

    As in the coverage of a report, with the correction G/(G-1) of its square for G clusters; there
    is no error where there is only one.
    """
    n = len(np.unique(cluster))
    mean = float(np.mean(values))
    if n < 2:
        return mean, None
    return mean, _clustered_error(values, cluster) * float(np.sqrt(n / (n - 1)))


def value_range(true: Floats) -> float | None:
    """Range of a KPI without its outermost percents; see `report.Scores.range`."""
    known = true[np.isfinite(true)]
    if not len(known):
        return None
    for low, high in ((1, 99), (0, 100)):
        span = float(np.percentile(known, high) - np.percentile(known, low))
        if span > 0:
            return span
    return None


def pit_histogram(pit: Floats) -> tuple[int, ...]:
    """Rows by tenth of the transform, shape (10,)."""
    counts, _ = np.histogram(pit[np.isfinite(pit)], PIT_BINS, (0, 1))
    return tuple(counts.tolist())


def density(true: Floats, predicted: Floats, transform: str, scale: float) -> Density | None:
    """Rows by true and predicted value; none where the true values are all equal.

    Args:
        true: shape (n,), NaN where there is none.
        predicted: shape (n,).
        transform: `log` spaces the bins evenly in ln(1 + y / scale), otherwise evenly in y.
        scale: see above.
    """
    known = np.isfinite(true)
    if not known.any():
        return None
    to_z, to_units = (np.log1p, np.expm1) if transform == "log" else (np.asarray, np.asarray)
    z = [to_z(values[known] / scale) for values in (true, predicted)]
    low, high = np.percentile(z[0], [0.5, 99.5])
    if low == high:
        low, high = z[0].min(), z[0].max()
    if low == high:
        return None
    edges = np.linspace(low, high, BINS + 1)
    first, second = (np.clip(values, low, high) for values in z)
    counts, _, _ = np.histogram2d(first, second, bins=(edges, edges))
    return Density(
        edges=tuple((to_units(edges) * scale).tolist()),
        counts=tuple(tuple(row) for row in counts.astype(int).tolist()),
    )
