# SPDX-License-Identifier: Apache-2.0
"""Whether a model still holds for new traces: `drift` gives a verdict and its reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt
from scipy import stats

from calibration.samples import Samples
from calibration.validation.evaluation import columns_of
from calibration.validation.floor import config_of_rows
from calibration.validation.report import Figure, Part
from calibration.validation.scores import mean_by_cluster, predict
from experiment_model import ExperimentModel
from ns3_scenarios.errors import DatasetError

Floats = NDArray[np.float64]

FORMAT: Final = "sixg-drift-report"
NOMINAL_PCT = 80.0
FAMILY_LEVEL = 0.01
"""Probability that traces like those of validation are ever found to differ, over all tests."""
COVERAGE_MARGIN_PCT = 10.0
ERROR_MARGIN = 1.25
UNVALIDATED_MARGIN = 1.5
"""Where the card has no error of the scenario: means are not as exact as intervals are wide."""
OUTSIDE_MARGIN_PCT = 10.0
OUTSIDE_PCT = 50.0
"""Rows out of distribution with which a model is no authority, whatever it was measured to be."""
LEAST_ERROR = 0.01
"""In scales of a KPI: errors are held against no less."""
LEAST_CONFIGS = 3
"""With fewer nothing can be said of how configurations differ."""
BY_SCENARIO = "by_scenario"
"""In the metrics of a card: what validation measured, by scenario and `kind.kpi`."""


class KpiDrift(Part):
    """One KPI in one scenario."""

    name: str
    unit: str
    rows: NonNegativeInt
    mae: Figure = None
    """Mean absolute error, in the KPI's unit."""
    expected_mae: Figure = None
    """What it should be."""
    expected_from: Literal["validation", "intervals"]
    """The error on the test seeds of the scenario, as the card has it; or, where it has none, the
    mean distance between predicted means and samples, which is what the intervals promise."""
    error_ratio: Figure = None
    """`mae` to `expected_mae`."""
    coverage_pct: Figure = None
    """Rows whose randomised probability integral transform lies between 0.1 and 0.9."""
    coverage_error_pct: Figure = None
    """Standard error of it, with the rows of one configuration as one cluster."""
    expected_coverage_pct: Figure = None
    """80, or what validation measured if that was less."""
    pit_deviation: Figure = None
    """Greatest distance between the distribution of the transform and the even one."""


class KindDrift(Part):
    """All KPIs of one kind of element in one scenario."""

    rows: NonNegativeInt
    configs: NonNegativeInt
    outside_pct: float
    """Rows out of distribution."""
    outside_error_pct: Figure = None
    """Standard error of it, by configuration; null where there is only one."""
    expected_outside_pct: float
    """As in validation; or, where the card does not say, by the threshold of the domain."""
    kpis: tuple[KpiDrift, ...]


class Reason(Part):
    """One finding that speaks for a refit."""

    scenario: str
    kind: str
    kpi: str | None = None
    what: Literal["outside", "coverage", "error"]
    text: str


class DriftReport(Part):
    """How new traces stand to a model."""

    format: Literal["sixg-drift-report"] = FORMAT
    model: str
    verdict: Literal["accept", "refit"]
    reasons: tuple[Reason, ...]
    unknown_scenarios: tuple[str, ...]
    """That the model was not fitted on; this is no reason by itself."""
    runs: NonNegativeInt
    scenarios: dict[str, dict[str, KindDrift]]
    """By scenario and kind."""


def drift(model: ExperimentModel, samples: Mapping[str, Samples], *, seed: int = 0) -> DriftReport:
    """Hold new traces, all their rows, against what a model promises.

    In each scenario, the verdict is `refit` if

    - more than half of a kind's rows are out of distribution; or their share exceeds that of
      validation (or the domain's threshold) by more than 10 points;
    - or a KPI's 80 % intervals cover less than 80 % (or than in validation, if that was less) by
      more than 10 points;
    - or a KPI's mean absolute error is more than 1.25 times that of validation, or where the card
      has none, 1.5 times what the intervals promise;

    and, but for the half, if the difference is beyond chance: by a one-sided t-test whose
    observations are configurations (standard error of Liang and Zeger 1986 with the correction
    G/(G-1) for G configurations, G-1 degrees of freedom), at a level of 1 % for all tests of the
    report together (Bonferroni), half of it for rows out of distribution, of which there are few
    tests, and half for KPIs. The uncertainty of validation itself counts where the card has
    it. With fewer than three configurations only the first rule can speak.

    Args:
        model: to be judged.
        samples: by kind; those that the model does not know are left out.
        seed: of sampling.

    Raises:
        DatasetError: there are no rows of a kind that the model knows.
        ModelError: the model has other features or KPIs.
    """
    known = {kind: every for kind, every in samples.items() if kind in model.kinds and len(every)}
    if not known:
        raise DatasetError(
            f"the model knows {', '.join(model.kinds)}, and there are only rows of "
            f"{', '.join(samples) or 'nothing'}"
        )
    judged = [
        _judge(model, kind, every.where(every.scenario == scenario), str(scenario), seed)
        for kind, every in known.items()
        for scenario in np.unique(every.scenario)
    ]
    of_rows = [e.what == "outside" for one in judged for e in one.excesses]
    levels = {
        is_outside: FAMILY_LEVEL / 2 / max(1, of_rows.count(is_outside))
        for is_outside in (True, False)
    }
    scenarios: dict[str, dict[str, KindDrift]] = {}
    for one in judged:
        scenarios.setdefault(one.scenario, {})[one.kind] = one.report
    reasons = tuple(reason for one in judged for reason in _reasons(one, levels))
    runs = {every.runs[r] for every in known.values() for r in np.unique(every.run).tolist()}
    return DriftReport(
        model=model.card.name,
        verdict="refit" if reasons else "accept",
        reasons=reasons,
        unknown_scenarios=tuple(sorted(set(scenarios) - set(model.card.data.scenarios))),
        runs=len(runs),
        scenarios=scenarios,
    )


@dataclass(frozen=True)
class _Excess:
    """By how much a figure exceeds what it should be, and the standard error of that."""

    what: Literal["outside", "coverage", "error"]
    kpi: str | None
    value: float
    error: float | None
    margin: float
    text: str
    certain: bool = False
    """Whether chance has no part in it."""

    def is_reason(self, configs: int, level: float) -> bool:
        """Whether it is more than the margin, and more than chance."""
        if self.certain:
            return True
        if self.value <= self.margin or self.error is None or configs < LEAST_CONFIGS:
            return False
        return self.value > float(stats.t.isf(level, configs - 1)) * self.error


@dataclass(frozen=True)
class _Judged:
    """One kind in one scenario."""

    kind: str
    scenario: str
    report: KindDrift
    excesses: tuple[_Excess, ...]


def _reasons(one: _Judged, levels: Mapping[bool, float]) -> list[Reason]:
    return [
        Reason(scenario=one.scenario, kind=one.kind, kpi=e.kpi, what=e.what, text=e.text)
        for e in one.excesses
        if e.is_reason(one.report.configs, levels[e.what == "outside"])
    ]


def _judge(
    model: ExperimentModel, kind: str, samples: Samples, scenario: str, seed: int
) -> _Judged:
    true = samples.y[:, columns_of(model, kind)].astype(float)
    predicted = predict(model, samples, true, np.random.default_rng(seed))
    cluster = config_of_rows(samples)
    validated = _validated(model, scenario)
    outside, excess = _outside(model, kind, scenario, ~predicted.in_distribution, cluster)
    kpis, excesses = [], [excess]
    for k, kpi in enumerate(model.kpis(kind)):
        rows = np.flatnonzero(np.isfinite(true[:, k]))
        if not len(rows):
            continue
        where = f"{scenario}: {kind} {kpi.name}"
        unit_name = "" if kpi.unit == "1" else f" {kpi.unit}"
        before = validated.get(f"{kind}.{kpi.name}", {})
        inside = (abs(predicted.pit[rows, k] - 0.5) <= NOMINAL_PCT / 200).astype(float) * 100
        coverage, coverage_error = mean_by_cluster(inside, cluster[rows])
        nominal = min(NOMINAL_PCT, before.get("coverage_pct", NOMINAL_PCT))
        errors: Floats = abs(predicted.mean[rows, k] - true[rows, k])
        promised: Floats = abs(predicted.mean[rows, k] - predicted.sampled[rows, k])
        mae, mae_error = mean_by_cluster(errors, cluster[rows])
        should = before.get("mae", float(promised.mean()))
        if "mae" not in before:
            _, mae_error = mean_by_cluster(errors - promised, cluster[rows])
        unit = max(should, LEAST_ERROR * kpi.scale)
        excesses += [
            _Excess(
                "coverage",
                kpi.name,
                nominal - coverage,
                _together(coverage_error, before.get("coverage_error_pct")),
                COVERAGE_MARGIN_PCT,
                f"{where}: 80 % intervals hold {coverage:.0f} % of the values, "
                f"where {nominal:.0f} % were to be expected",
            ),
            _Excess(
                "error",
                kpi.name,
                (mae - should) / unit,
                _together(mae_error, before.get("mae_error"), unit),
                (ERROR_MARGIN if "mae" in before else UNVALIDATED_MARGIN) - 1,
                f"{where}: the mean error is {mae:.3g}{unit_name}, "
                f"where {should:.3g}{unit_name} was to be expected",
            ),
        ]
        kpis.append(
            KpiDrift(
                name=kpi.name,
                unit=kpi.unit,
                rows=len(rows),
                mae=mae,
                expected_mae=should,
                expected_from="validation" if "mae" in before else "intervals",
                error_ratio=mae / should if should > 0 else None,
                coverage_pct=coverage,
                coverage_error_pct=coverage_error,
                expected_coverage_pct=nominal,
                pit_deviation=_pit_deviation(predicted.pit[rows, k]),
            )
        )
    report = outside.model_copy(update={"kpis": tuple(kpis)})
    return _Judged(kind, scenario, report, tuple(excesses))


def _outside(
    model: ExperimentModel,
    kind: str,
    scenario: str,
    outside: NDArray[np.bool_],
    cluster: NDArray[np.int64],
) -> tuple[KindDrift, _Excess]:
    """Rows out of distribution."""
    share, error = mean_by_cluster(np.where(outside, 100.0, 0.0), cluster)
    before = _validated(model, scenario).get(kind, {})
    usual = before.get("outside_pct", 100 * model.spec.kinds[kind].domain.threshold)
    report = KindDrift(
        rows=len(outside),
        configs=len(np.unique(cluster)),
        outside_pct=share,
        outside_error_pct=error,
        expected_outside_pct=usual,
        kpis=(),
    )
    text = (
        f"{scenario}: {kind}: {share:.0f} % of the rows lie outside of what the model was fitted "
        f"on, where {usual:.1f} % were to be expected"
    )
    excess = _Excess(
        "outside", None, share - usual, error, OUTSIDE_MARGIN_PCT, text, share > OUTSIDE_PCT
    )
    return report, excess


def _validated(model: ExperimentModel, scenario: str) -> dict[str, dict[str, float]]:
    """What the card says that validation measured in a scenario."""
    by_scenario: Any = model.card.metrics.get(BY_SCENARIO, {})
    found = by_scenario.get(scenario, {}) if isinstance(by_scenario, dict) else {}
    return {
        name: {k: float(v) for k, v in figures.items() if v is not None}
        for name, figures in found.items()
        if isinstance(figures, dict)
    }


def _together(error: float | None, other: float | None, unit: float = 1.0) -> float | None:
    """Standard error of a difference, in some unit."""
    return None if error is None else math.hypot(error, other or 0.0) / unit


def _pit_deviation(pit: Floats) -> float:
    """Kolmogorov's distance from the even distribution."""
    return float(stats.kstest(pit, "uniform").statistic)
