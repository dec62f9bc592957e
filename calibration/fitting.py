# SPDX-License-Identifier: Apache-2.0
"""Fits an Experiment Model to samples: means, spread, intervals, joint variation, domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from calibration.boosting import BoostingSettings, Device, boost, laplace, log_scale
from calibration.domain import domain_of
from calibration.features.catalogue import describe
from calibration.intervals import Standardised, intervals_of, joint_of
from calibration.samples import Samples, Split, check_split, split_of
from calibration.targets import TARGETS, Target
from experiment_model import (
    BoosterFile,
    Card,
    Data,
    ExperimentModel,
    Feature,
    Kind,
    ModelSpec,
    Transforms,
    booster_bytes,
)
from ns3_scenarios.errors import DatasetError

Floats = NDArray[np.float64]

SPREAD = BoostingSettings(max_depth=5, n_rounds=60, learning_rate=0.15)
LEAST_RESIDUAL = 1e-3
"""Residuals in z below this do not teach how wide an interval must be."""
NEAR = 1e-5
"""A KPI so near its bound, in scales, lies at it."""
HEADROOM = 1.5
"""How far beyond what was ever seen a KPI without an upper bound may be predicted."""
SIDES: tuple[Split, ...] = ("fit", "stop", "conformal")
OFFSETS = np.linspace(-0.3, 0.3, 25)


@dataclass(frozen=True)
class Settings:
    """How each kind of element is fitted."""

    boosting: Mapping[str, BoostingSettings] = field(default_factory=dict)
    """By kind; others take the default."""
    seed: int = 0
    threads: int = 0
    device: Device = "cpu"
    """Where trees are grown."""
    max_rows: int = 100_000
    """Rows of a kind that are fitted on; of scenarios with many of them, some are left out."""


@dataclass(frozen=True)
class Fitted:
    """A model that is not written yet."""

    spec: ModelSpec
    boosters: dict[str, xgb.Booster]

    @cached_property
    def files(self) -> dict[str, bytes]:
        """What is written of the boosters, by name of the file."""
        return {name: booster_bytes(booster) for name, booster in self.boosters.items()}

    def model(self) -> ExperimentModel:
        """The model, without writing it."""
        return ExperimentModel(self.spec, self.files)


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
    for every in samples.values():
        check_split(every.runs)
        _check_sides(every)
    for kind, every in samples.items():
        work = KindFit(kind, every, settings, on_step or (lambda _: None))
        kinds[kind] = work.fit()
        boosters |= work.boosters
    card = fitted_card(samples).model_copy(update={"settings": _settings_of(samples, settings)})
    return Fitted(ModelSpec(kinds=kinds, card=card), boosters)


def _settings_of(
    samples: Mapping[str, Samples], settings: Settings
) -> dict[str, dict[str, int | float]]:
    return {kind: asdict(settings.boosting.get(kind, BoostingSettings())) for kind in samples}


def mean_residuals(kind: str, every: Samples, of: Samples, settings: Settings) -> Floats:
    """Residuals in z of rows, by trees for the means alone: a model without all else.

    All rounds are fitted: rows for early stopping may be too few here to tell when to stop.

    Args:
        kind: of the rows.
        every: rows to fit on; their split is that of `split_of`.
        of: rows to predict, shape (n, f).
        settings: hyper-parameters.

    Returns:
        Shape (n, KPIs); NaN where there is no KPI.

    Raises:
        DatasetError: a side of the split is empty.
    """
    return KindFit(kind, every, settings, lambda _: None).mean_residuals(of)


class KindFit:
    """The fit of one kind of element."""

    def __init__(self, kind: str, every: Samples, settings: Settings, say: OnStep) -> None:
        self.kind, self._settings, self._say = kind, settings, say
        self._boosting = settings.boosting.get(kind, BoostingSettings())
        self._targets: tuple[Target, ...] = TARGETS[kind]
        self._random = np.random.default_rng(settings.seed)
        self._fit = self._thinned(every.in_split("fit"), settings.max_rows)
        self._stop = self._thinned(every.in_split("stop"), settings.max_rows // 4)
        self._conformal = self._thinned(every.in_split("conformal"), settings.max_rows // 2)
        kpis = [target.kpi(upper=self._most(i)) for i, target in enumerate(self._targets)]
        self._transforms = Transforms(kpis, self._fit.features)
        names = {t.base for t in self._targets if t.adds_up}
        self._hidden = [i for i, name in enumerate(self._fit.features) if name in names]
        self.boosters: dict[str, xgb.Booster] = {}
        self._means: list[BoosterFile] = []

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
        z = self._transforms.base_z(self._conformal.x) + self._predicted(self._conformal, means)
        return Kind(
            features=_features(self._fit),
            kpis=tuple(
                target.kpi(float(offset), self._most(index))
                for index, (target, offset) in enumerate(zip(self._targets, offsets, strict=True))
            ),
            boosters=tuple(means),
            spread=tuple(spread),
            intervals=intervals_of(
                self._targets, self._at_bounds(standardised, z + offsets), self._settings.seed
            ),
            joint=joint_of(standardised, self._conformal),
            domain=domain_of(self._fit, self._conformal, self._hidden),
        )

    def error(self, boosting: BoostingSettings) -> float:
        """Fit the means alone; their error on the rows for early stopping, as `error_on` has it."""
        self._boosting = boosting
        groups = _booster_groups(self._targets)
        self._means = [self._fit_group(name, members) for name, members in groups.items()]
        return self.error_on(self._stop)

    def error_on(self, samples: Samples) -> float:
        """Mean absolute error in z, of which KPIs weigh alike, of the means fitted last."""
        sizes = abs(self._residuals(samples, self._means))
        known = np.isfinite(sizes).any(axis=0)
        return float(np.nanmean(sizes[:, known], axis=0).mean())

    def mean_residuals(self, of: Samples) -> Floats:
        """Fit the means alone, without early stopping, and give the residuals of some rows."""
        self._stop = self._stop.where(np.zeros(len(self._stop), bool))
        groups = _booster_groups(self._targets).items()
        return self._residuals(of, [self._fit_group(*group) for group in groups])

    def _fit_group(self, name: str, members: list[int]) -> BoosterFile:
        self._say(f"{self.kind}: {name}")
        first = self._targets[members[0]]
        monotone = {f: 1 for f in first.rises_with}
        self.boosters[file := f"{self.kind}.{name}.ubj"] = boost(
            self._seen,
            self._wanted(self._fit)[:, members].astype(np.float32),
            self._stop.x,
            self._wanted(self._stop)[:, members].astype(np.float32),
            self._boosting,
            seed=self._settings.seed,
            threads=self._settings.threads,
            device=self._settings.device,
            monotone={self._fit.features.index(f): sign for f, sign in monotone.items()},
        )
        kpis = tuple(self._targets[m].name for m in members)
        return BoosterFile(file=file, kpis=kpis, monotone=monotone)

    @cached_property
    def _seen(self) -> NDArray[np.float32]:
        """The rows to fit on as trees may split on them: on what is always 0 they do not."""
        if not self._hidden:
            return self._fit.x
        x = self._fit.x.copy()
        x[:, self._hidden] = 0
        return x

    def _wanted(self, samples: Samples) -> Floats:
        """What the trees are to predict: z of the KPIs less z of their first guesses."""
        return self._transforms.to_z(samples.y) - self._transforms.base_z(samples.x)

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

    def _most(self, index: int) -> float | None:
        """Where physics gives a KPI no upper bound, what is far beyond everything seen."""
        target = self._targets[index]
        if target.transform == "linear" or target.adds_up:
            return None
        seen = max(
            float(np.nanmax(samples.y[:, index], initial=0.0))
            for samples in (self._fit, self._stop, self._conformal)
        )
        return HEADROOM * max(seen, target.scale)

    def _at_bounds(self, standardised: Floats, z: Floats) -> Standardised:
        y = self._conformal.y
        lower = [-np.inf if t.lower is None else t.lower + NEAR * t.scale for t in self._targets]
        upper = [np.inf if t.upper is None else t.upper - NEAR * t.scale for t in self._targets]
        return Standardised(
            standardised,
            z,
            np.asarray(y <= np.array(lower)),
            np.asarray(y >= np.array(upper)),
            self._conformal.scenario,
        )

    def _offsets(self, residuals: Floats) -> Floats:
        """Shift in z with which a KPI is predicted best in its own unit (least squares).

        Trees fit the mean of z; where z is a logarithm, what it stands for lies below the mean.
        """
        y = self._conformal.y.astype(float)
        z = self._transforms.to_z(y) - residuals
        errors = [np.nansum((self._transforms.from_z(z + o) - y) ** 2, axis=0) for o in OFFSETS]
        best = OFFSETS[np.argmin(errors, axis=0)]
        is_log = np.array([t.transform == "log" for t in self._targets])
        return np.where(is_log & np.isfinite(y).any(axis=0), best, 0.0)

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
            self._seen,
            size["fit"],
            self._stop.x,
            size["stop"],
            SPREAD,
            gradient=log_scale,
            loss=laplace,
            seed=self._settings.seed,
            threads=self._settings.threads,
            device=self._settings.device,
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


def _check_sides(samples: Samples) -> None:
    runs = [samples.runs[number] for number in np.unique(samples.run)]
    there = {split_of(config, seed) for _, config, seed in runs}
    for side in SIDES:
        if side not in there:
            configs = len({config for _, config, _ in runs})
            raise DatasetError(
                f"no configuration of {configs} that have rows of {samples.kind} is left for "
                f"{side!r}; a model needs some 20 configurations or more with seeds from 1 to 50"
            )


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
    words = [describe(samples.kind, name) for name in samples.features]
    return tuple(
        Feature(name=name, unit=word.unit, description=word.text, median=median)
        for name, word, median in zip(samples.features, words, medians, strict=True)
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
