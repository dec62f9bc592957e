# SPDX-License-Identifier: Apache-2.0
"""Validates a model on held-out configurations and seeds, one step ahead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from calibration.samples import Samples, check_split
from calibration.targets import TARGETS, Target
from calibration.validation.baselines import compare
from calibration.validation.floor import (
    Incomparable,
    config_of_rows,
    noise_floor,
    pairs_between_seeds,
)
from calibration.validation.gates import Gates, judge, read_gates
from calibration.validation.report import Data, KindReport, KpiReport, ValidationReport
from calibration.validation.scores import (
    Predicted,
    density,
    pit_histogram,
    predict,
    scores,
)
from experiment_model import ExperimentModel, ModelError
from ns3_scenarios.errors import DatasetError

Floats = NDArray[np.float64]

BASELINE_ROWS = 4000
PROGRAMS = ("sixg-agent-gym", "xgboost", "scikit-learn", "numpy")


def validate(
    model: ExperimentModel,
    samples: Mapping[str, Samples],
    *,
    incomparable: Incomparable | None = None,
    gates: Gates | None = None,
    baseline_rows: int = BASELINE_ROWS,
    seed: int = 0,
    on_kind: Callable[[str], None] | None = None,
) -> ValidationReport:
    """Hold a model against the rows of the test split.

    Args:
        model: to be judged.
        samples: by kind; rows of the fit split teach the simple models that it is compared with.
        incomparable: intervals of runs that the noise floor leaves out, as
            `incomparable_intervals` finds them.
        gates: what it must reach; by default those of `calibration/gates.yaml`.
        baseline_rows: of each KPI that simple models are fitted on, and compared on.
        seed: of sampling and subsampling; equal seeds give equal reports.
        on_kind: told of each kind that is done.

    Raises:
        DatasetError: there are no rows of the test split, or a configuration is on both sides of
            it.
        ModelError: the model does not know the kinds or KPIs, or has other features.
    """
    gates = gates or read_gates()
    for every in samples.values():
        check_split(every.runs)
    tests = {
        kind: test
        for kind, every in samples.items()
        if kind in model.kinds and len(test := every.in_split("test"))
    }
    if not tests:
        raise DatasetError(_nothing_to_judge(model, samples))
    kinds = {}
    for kind, test in tests.items():
        fit = samples[kind].in_split("fit")
        rng = np.random.default_rng(seed)
        kinds[kind] = _kind(model, fit, test, incomparable or {}, baseline_rows, rng)
        if on_kind:
            on_kind(kind)
    data = _data(model, tests, incomparable)
    return ValidationReport(
        created_with={name: version(name) for name in PROGRAMS},
        model=model.card,
        data=data,
        kinds=kinds,
        gates=judge(gates, data, kinds),
    )


def _nothing_to_judge(model: ExperimentModel, samples: Mapping[str, Samples]) -> str:
    if known := [kind for kind in samples if kind in model.kinds]:
        return (
            f"there are no rows of {', '.join(known)} with seeds of the test split (51-80), "
            "so that the model cannot be judged"
        )
    return (
        f"the model knows {', '.join(model.kinds)}, and there are only rows of "
        f"{', '.join(samples) or 'nothing'}"
    )


def columns_of(model: ExperimentModel, kind: str) -> list[int]:
    """Columns of the samples' KPIs, in the model's order."""
    names = [target.name for target in TARGETS[kind]]
    wanted = [kpi.name for kpi in model.kpis(kind)]
    if odd := [name for name in wanted if name not in names]:
        raise ModelError(
            f"the model predicts {odd[0]!r} of {kind}, which traces do not give; "
            f"they give {', '.join(names)}"
        )
    return [names.index(name) for name in wanted]


def _kind(
    model: ExperimentModel,
    fit: Samples,
    test: Samples,
    incomparable: Incomparable,
    baseline_rows: int,
    rng: np.random.Generator,
) -> KindReport:
    columns = columns_of(model, test.kind)
    true = test.y[:, columns].astype(float)
    predicted = predict(model, test, true, rng)
    targets = {column: TARGETS[test.kind][column] for column in columns}
    means = {column: predicted.mean[:, k] for k, column in enumerate(columns)}
    baselines = compare(fit, test, targets, means, baseline_rows, rng)
    one = _KpiOf(test, true, predicted, incomparable)
    kpis = {}
    for k, (column, target) in enumerate(targets.items()):
        report = one.report(k, target)
        kpis[target.name] = report.model_copy(update={"baselines": baselines.get(column)})
    return KindReport(
        rows=len(test),
        features=len(test.features),
        in_distribution_pct=100 * float(predicted.in_distribution.mean()),
        in_distribution_pct_of={
            str(name): 100 * float(predicted.in_distribution[test.scenario == name].mean())
            for name in np.unique(test.scenario)
        },
        kpis=kpis,
    )


class _KpiOf:
    """Reports the KPIs of one kind."""

    def __init__(
        self, test: Samples, true: Floats, predicted: Predicted, incomparable: Incomparable
    ) -> None:
        self._true, self._predicted = true, predicted
        self._pairs = pairs_between_seeds(test, incomparable)
        self._cluster = config_of_rows(test)
        self._scenario = test.scenario

    def report(self, k: int, target: Target) -> KpiReport:
        true, mean = self._true[:, k], self._predicted.mean[:, k]
        every = np.ones(len(true), bool)
        by_scenario = {str(name): self._scenario == name for name in np.unique(self._scenario)}
        pooled, *single = (
            scores(
                true,
                self._predicted,
                k,
                np.flatnonzero(mine),
                self._cluster,
                noise_floor(true, mean, *(side[mine[self._pairs[0]]] for side in self._pairs)),
            )
            for mine in (every, *by_scenario.values())
        )
        return KpiReport(
            name=target.name,
            unit=target.unit,
            pooled=pooled,
            scenarios={
                name: found for name, found in zip(by_scenario, single, strict=True) if found.rows
            },
            pit=pit_histogram(self._predicted.pit[:, k]),
            density=density(true, mean, target.transform, target.scale),
        )


def _data(
    model: ExperimentModel, tests: Mapping[str, Samples], incomparable: Incomparable | None
) -> Data:
    runs = {test.runs[index] for test in tests.values() for index in np.unique(test.run).tolist()}
    configs = {config for _, config, _ in runs}
    left_out = None
    if incomparable is not None:
        left_out = sum(len(incomparable.get(run, ())) for run in runs)
    return Data(
        scenarios=tuple(sorted({scenario for scenario, _, _ in runs})),
        configs=len(configs),
        runs=len(runs),
        seeds=tuple(sorted({seed for _, _, seed in runs})),
        rows={kind: len(test) for kind, test in tests.items()},
        leaked_configs=tuple(sorted(configs & set(model.card.data.configs))),
        left_out_intervals=left_out,
    )
