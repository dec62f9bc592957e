# SPDX-License-Identifier: Apache-2.0
"""Fits an Experiment Model to samples: means, spread, intervals, joint variation, domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from calibration.boosting import BoostingSettings, boost, laplace, log_scale
from calibration.samples import Samples, check_split
from calibration.targets import TARGETS, Target
from experiment_model import (
    BoosterFile,
    Card,
    Data,
    Domain,
    Feature,
    Intervals,
    Joint,
    Kind,
    Kpi,
    ModelSpec,
)
from ns3_scenarios.errors import DatasetError

Floats = NDArray[np.float64]

SPREAD = BoostingSettings(max_depth=5, n_rounds=60, learning_rate=0.15)
PROBABILITIES = (0.005, 0.01, 0.02, *(float(p) for p in np.round(np.arange(0.05, 0.96, 0.025), 3)),
                 0.98, 0.99, 0.995)  # fmt: skip
LEAST_RESIDUAL = 1e-3
"""Residuals in z below this do not teach how wide an interval must be."""
LEAST_GROUP_ROWS = 500
"""A scenario with fewer rows for the conformal correction has no intervals of its own."""
COMPONENTS = 24
"""Principal components that decide whether a row is in distribution."""
CLIP = 5.0
THRESHOLD, MARGIN = 0.01, 0.1
OFFSETS = np.linspace(-0.3, 0.3, 25)

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Settings:
    """How each kind of element is fitted."""

    boosting: Mapping[str, BoostingSettings] = field(default_factory=dict)
    """By kind; others take the default."""
    seed: int = 0
    threads: int = 0
    max_rows: int = 100_000
    """Rows of a kind that are fitted on; of scenarios with many of them, some are left out."""


@dataclass(frozen=True)
class Fitted:
    """A model that is not written yet."""

    spec: ModelSpec
    boosters: dict[str, xgb.Booster]


OnStep = Callable[[str], None]


def fit(
    samples: Mapping[str, Samples], settings: Settings, on_step: OnStep | None = None
) -> Fitted:
    """Fit a model on the rows of the training seeds.

    Args:
        samples: by kind; their split is that of `split_of`.
        settings: hyper-parameters.
        on_step: told what is being done.

    Raises:
        DatasetError: a configuration is on both sides of the split, or a side is empty.
    """
    kinds: dict[str, Kind] = {}
    boosters: dict[str, xgb.Booster] = {}
    for kind, every in samples.items():
        check_split(every.runs)
        work = _KindFit(kind, every, settings, on_step or (lambda _: None))
        kinds[kind] = work.fit()
        boosters |= work.boosters
    return Fitted(ModelSpec(kinds=kinds, card=fitted_card(samples)), boosters)


class _KindFit:
    """The fit of one kind of element."""

    def __init__(self, kind: str, every: Samples, settings: Settings, say: OnStep) -> None:
        self.kind, self._settings, self._say = kind, settings, say
        self._targets: tuple[Target, ...] = TARGETS[kind]
        self._random = np.random.default_rng(settings.seed)
        self._fit = self._thinned(_side(every, "fit"), settings.max_rows)
        self._stop = self._thinned(_side(every, "stop"), settings.max_rows // 4)
        self._conformal = self._thinned(_side(every, "conformal"), settings.max_rows // 2)
        self.boosters: dict[str, xgb.Booster] = {}

    def _thinned(self, samples: Samples, most: int) -> Samples:
        """At most so many rows, of which no scenario has more than its share while others do."""
        if len(samples) <= most:
            return samples
        names, of_row, counts = np.unique(samples.scenario, return_inverse=True, return_counts=True)
        share = _fair_share(counts, most)
        rank = np.empty(len(samples), np.int64)
        for index in range(len(names)):
            mine = np.flatnonzero(of_row == index)
            rank[mine] = self._random.permutation(len(mine))
        return samples.where(rank < share)

    def fit(self) -> Kind:
        """All parts of a kind."""
        groups = _booster_groups(self._targets)
        means = [self._fit_group(name, members) for name, members in groups.items()]
        residuals = {
            which: self._residuals(samples, means)
            for which, samples in (
                ("fit", self._fit),
                ("stop", self._stop),
                ("conformal", self._conformal),
            )
        }
        offsets = self._offsets(residuals["conformal"])
        spread = [
            self._fit_spread(name, members, residuals, offsets) for name, members in groups.items()
        ]
        standardised = (residuals["conformal"] - offsets) / self._sigma(self._conformal, spread)
        return Kind(
            features=_features(self._fit),
            kpis=tuple(_kpi(t, float(o)) for t, o in zip(self._targets, offsets, strict=True)),
            boosters=tuple(means),
            spread=tuple(spread),
            intervals=_intervals(self._targets, standardised, self._conformal.scenario),
            joint=_joint(standardised, self._conformal),
            domain=_domain(self._fit, self._conformal),
        )

    def _fit_group(self, name: str, members: list[int]) -> BoosterFile:
        self._say(f"{self.kind}: {name}")
        first = self._targets[members[0]]
        monotone = {f: 1 for f in first.rises_with}
        self.boosters[file := f"{self.kind}.{name}.ubj"] = boost(
            self._fit.x,
            self._wanted(self._fit)[:, members].astype(np.float32),
            self._stop.x,
            self._wanted(self._stop)[:, members].astype(np.float32),
            self._settings.boosting.get(self.kind, BoostingSettings()),
            seed=self._settings.seed,
            threads=self._settings.threads,
            monotone={self._fit.features.index(f): sign for f, sign in monotone.items()},
        )
        kpis = tuple(self._targets[m].name for m in members)
        return BoosterFile(file=file, kpis=kpis, monotone=monotone)

    def _wanted(self, samples: Samples) -> Floats:
        """What the trees are to predict: z of the KPIs less z of their first guesses."""
        columns = []
        for index, target in enumerate(self._targets):
            z = target.forward(samples.y[:, index].astype(float))
            if target.base:
                base = samples.x[:, samples.features.index(target.base)].astype(float)
                z = z - target.forward(np.nan_to_num(base))
            columns.append(z)
        return np.stack(columns, axis=1)

    def _predicted(self, samples: Samples, files: Sequence[BoosterFile]) -> Floats:
        out = np.empty((len(samples), len(self._targets)))
        names = [t.name for t in self._targets]
        for file in files:
            found = self.boosters[file.file].inplace_predict(samples.x)
            at = [names.index(k) for k in file.kpis]
            out[:, at] = np.reshape(found, (len(samples), len(at)))
        return out

    def _residuals(self, samples: Samples, means: Sequence[BoosterFile]) -> Floats:
        return self._wanted(samples) - self._predicted(samples, means)

    def _sigma(self, samples: Samples, spread: Sequence[BoosterFile]) -> Floats:
        return np.exp(np.clip(self._predicted(samples, spread), -20, 20))

    def _offsets(self, residuals: Floats) -> Floats:
        """Shift in z with which a KPI is predicted best in its own unit (least squares).

        Trees fit the mean of z; where z is a logarithm, what it stands for lies below the mean.
        """
        offsets = np.zeros(len(self._targets))
        for index, target in enumerate(self._targets):
            y = self._conformal.y[:, index].astype(float)
            known = np.isfinite(y)
            if target.transform == "log" and known.any():
                z = target.forward(y[known]) - residuals[known, index]
                errors = [((target.backward(z + o) - y[known]) ** 2).mean() for o in OFFSETS]
                offsets[index] = OFFSETS[int(np.argmin(errors))]
        return offsets

    def _fit_spread(
        self,
        name: str,
        members: list[int],
        residuals: Mapping[str, Floats],
        offsets: Floats,
    ) -> BoosterFile:
        self._say(f"{self.kind}: spread of {name}")
        size = {
            which: np.maximum(abs(values - offsets)[:, members], LEAST_RESIDUAL).astype(np.float32)
            for which, values in residuals.items()
        }
        self.boosters[file := f"{self.kind}.{name}.spread.ubj"] = boost(
            self._fit.x,
            size["fit"],
            self._stop.x,
            size["stop"],
            SPREAD,
            gradient=log_scale,
            loss=laplace,
            seed=self._settings.seed,
            threads=self._settings.threads,
        )
        return BoosterFile(file=file, kpis=tuple(self._targets[m].name for m in members))


def _fair_share(counts: NDArray[np.int64], most: int) -> int:
    """The largest cap for which the capped counts add up to no more than `most`."""
    low, high = 0, int(counts.max())
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if np.minimum(counts, middle).sum() <= most else (low, middle - 1)
        )
    return low


def _side(samples: Samples, side: Any) -> Samples:
    found = samples.in_split(side)
    if not len(found):
        runs = len({config for _, config, _ in samples.runs})
        raise DatasetError(
            f"no configuration of {runs} is left for {side!r}; a model needs some 20 "
            "configurations or more with seeds from 1 to 50"
        )
    return found


def _booster_groups(targets: Sequence[Target]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for index, target in enumerate(targets):
        name = target.name if target.rises_with else target.booster
        groups.setdefault(name, []).append(index)
    return groups


def _features(samples: Samples) -> tuple[Feature, ...]:
    with np.errstate(all="ignore"):
        there = np.asarray(np.isfinite(samples.x).any(axis=0))
        medians = [
            float(np.nanmedian(column)) if known else None
            for column, known in zip(samples.x.T, there, strict=True)
        ]
    return tuple(
        Feature(name=name, median=median)
        for name, median in zip(samples.features, medians, strict=True)
    )


def _kpi(target: Target, offset: float) -> Kpi:
    return Kpi(
        name=target.name,
        unit=target.unit,
        transform=target.transform,
        scale=target.scale,
        base=target.base,
        lower=target.lower,
        upper=target.upper,
        offset=offset,
    )


def _intervals(
    targets: Sequence[Target], standardised: Floats, scenario: NDArray[np.str_]
) -> Intervals:
    """Split-conformal quantiles (Vovk et al. 2005; Lei et al. 2018), by scenario and in general."""
    tables: dict[str, dict[str, tuple[float, ...]]] = {"": {}}
    names = [str(s) for s in np.unique(scenario)]
    for index, target in enumerate(targets):
        known = np.isfinite(standardised[:, index])
        tables[""][target.name] = _quantiles(standardised[known, index])
        for name in names:
            mine = known & (scenario == name)
            if mine.sum() >= LEAST_GROUP_ROWS:
                tables.setdefault(name, {})[target.name] = _quantiles(standardised[mine, index])
    return Intervals(probabilities=PROBABILITIES, tables=tables)


def _quantiles(values: Floats) -> tuple[float, ...]:
    """Order statistics that hold for one more value: ranks of n + 1, outward of the median."""
    if not len(values):
        return tuple(_NORMAL.inv_cdf(p) for p in PROBABILITIES)
    ordered = np.sort(values)
    n = len(ordered)
    ranks = [(n + 1) * p for p in PROBABILITIES]
    at = [np.floor(r) if p < 0.5 else np.ceil(r) for r, p in zip(ranks, PROBABILITIES, strict=True)]
    return tuple(float(ordered[int(np.clip(r - 1, 0, n - 1))]) for r in at)


def _joint(standardised: Floats, samples: Samples) -> Joint:
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


def _domain(samples: Samples, calibration: Samples) -> Domain:
    x = samples.x.astype(float)
    missing = ~np.isfinite(x)
    absent = missing.all(axis=0)
    x[:, absent] = 0
    centre = np.nanmedian(x, axis=0)
    spread = np.nanpercentile(x, 90, axis=0) - np.nanpercentile(x, 10, axis=0)
    deviation = np.nanstd(x, axis=0)
    scale = np.where(spread > 0, spread / 2.56, deviation)
    scale = np.where(scale > 0, scale, 1.0)

    def standard(values: Any) -> Floats:
        return np.asarray(np.nan_to_num(np.clip((values - centre) / scale, -CLIP, CLIP)))

    u = standard(x)
    variances, vectors = np.linalg.eigh(np.cov(u.T) + 1e-9 * np.eye(u.shape[1]))
    most = np.argsort(variances)[::-1][: min(COMPONENTS, u.shape[1])]
    whitening = (vectors[:, most] / np.sqrt(np.maximum(variances[most], 1e-6))).T
    distances = ((standard(calibration.x) @ whitening.T) ** 2).sum(axis=1)
    shares = np.linspace(0, 1, 201)
    return Domain(
        centre=tuple(centre.tolist()),
        scale=tuple(scale.tolist()),
        low=tuple(
            None if a else float(v) for v, a in zip(np.nanmin(x, axis=0), absent, strict=True)
        ),
        high=tuple(
            None if a else float(v) for v, a in zip(np.nanmax(x, axis=0), absent, strict=True)
        ),
        was_missing=tuple(bool(v) for v in missing.any(axis=0)),
        clip=CLIP,
        whitening=tuple(map(tuple, whitening.tolist())),
        distances=tuple(np.quantile(distances, shares).tolist()),
        shares=tuple(shares.tolist()),
        threshold=THRESHOLD,
        margin=MARGIN,
    )


def fitted_card(samples: Mapping[str, Samples]) -> Card:
    """What the model was fitted on: everything but the test split."""
    sides = {kind: every.in_split("fit", "stop", "conformal") for kind, every in samples.items()}
    runs = {every.runs[r] for every in sides.values() for r in np.unique(every.run)}
    return Card(
        data=Data(
            scenarios=tuple(sorted({scenario for scenario, _, _ in runs})),
            configs=tuple(sorted({config for _, config, _ in runs})),
            seeds=tuple(sorted({seed for _, _, seed in runs})),
            runs=len(runs),
            rows={kind: len(every) for kind, every in sides.items()},
        ),
    )
