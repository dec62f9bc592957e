# SPDX-License-Identifier: Apache-2.0
"""From datasets to a model with the evidence beside it: `calibrate` and `validate_on`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from calibration.drift import BY_SCENARIO
from calibration.fitting import Fitted, Settings, fit
from calibration.samples import Samples, samples_of_datasets
from calibration.validation import ValidationReport, incomparable_intervals, validate
from experiment_model import ExperimentModel, write_model
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.storage import MANIFEST

LIMITS = (
    "Predicts one reporting interval from the one before; errors add up over longer horizons.",
    "Knows the scenarios and ranges it was fitted on; ask in_distribution before trusting it.",
    "KPIs whose gates fail are predicted no better than the report says.",
)

OnStep = Callable[[str], None]


def calibrate(
    folders: Sequence[str | Path],
    out: str | Path,
    settings: Settings | None = None,
    *,
    jobs: int = 1,
    on_step: OnStep | None = None,
) -> ValidationReport:
    """Fit a model on traces, hold it against those kept apart, and write it with the verdict.

    Args:
        folders: datasets; configurations with seeds 1 to 50 are fitted on, those with seeds 51 to
            80 judge.
        out: folder of the model.
        settings: hyper-parameters.
        jobs: datasets read at the same time.
        on_step: told what is being done.

    Raises:
        DatasetError: the traces cannot be read, or are too few.
        ModelError: the model cannot be written.
    """
    say = on_step or (lambda _: None)
    say("reading traces")
    samples = samples_of_datasets(folders, jobs=jobs, on_dataset=lambda name: say(f"read {name}"))
    return judged_and_written(fit(samples, settings or Settings(), say), out, samples, folders, say)


def judged_and_written(
    fitted: Fitted,
    out: str | Path,
    samples: Mapping[str, Samples],
    folders: Sequence[str | Path],
    say: OnStep,
) -> ValidationReport:
    """Write a model whose card says where it comes from and what the test split says of it.

    Raises:
        DatasetError: there is no test split.
        ModelError: the model cannot be written.
    """
    fitted = _with_provenance(fitted, folders, Path(out).name)
    write_model(out, fitted.spec, fitted.boosters)
    report = _judge(out, samples, folders, say)
    card = fitted.spec.card.model_copy(
        update={"gates": report.card_gates(), "metrics": card_metrics(report)}
    )
    write_model(out, fitted.spec.model_copy(update={"card": card}), fitted.boosters)
    return report


def validate_on(
    model: str | Path,
    folders: Sequence[str | Path],
    *,
    jobs: int = 1,
    on_step: OnStep | None = None,
) -> ValidationReport:
    """Hold a model against the test split of datasets.

    Raises:
        DatasetError: the traces cannot be read, or have no test split.
        ModelError: the model cannot be read, or is for other rows.
    """
    say = on_step or (lambda _: None)
    ExperimentModel.load(model)
    say("reading traces")
    samples = samples_of_datasets(folders, jobs=jobs, on_dataset=lambda name: say(f"read {name}"))
    return _judge(model, samples, folders, say)


def _judge(
    model: str | Path, samples: Mapping[str, Samples], folders: Sequence[str | Path], say: OnStep
) -> ValidationReport:
    say("validating")
    return validate(
        ExperimentModel.load(model),
        samples,
        incomparable=incomparable_intervals(folders),
        on_kind=lambda kind: say(f"validated {kind}"),
    )


def _with_provenance(fitted: Fitted, folders: Sequence[str | Path], name: str) -> Fitted:
    datasets = {}
    created_with = {p: version(p) for p in ("sixg-agent-gym", "xgboost", "numpy")}
    for folder in folders:
        dataset = Dataset.open(folder)
        text = (dataset.path / MANIFEST).read_bytes()
        datasets[dataset.path.name] = hashlib.sha256(text).hexdigest()
        created_with["ns-3"] = dataset.manifest.ns3_version
        created_with["ran"] = dataset.manifest.ran_hash
    card = fitted.spec.card
    card = card.model_copy(
        update={
            "name": name,
            "created_with": created_with,
            "data": card.data.model_copy(update={"datasets": datasets}),
            "limits": LIMITS,
        }
    )
    return Fitted(fitted.spec.model_copy(update={"card": card}), fitted.boosters)


def card_metrics(report: ValidationReport) -> dict[str, JsonValue]:
    """R² and noise floor of each KPI, with the RMSE on the same rows.

    By scenario, what new traces are held against (`calibration.drift`): mean absolute error and
    coverage of each `kind.kpi` with their standard errors, and rows of each kind out of
    distribution.
    """
    metrics: dict[str, Any] = {
        kind: {
            f"{name}.{figure}": value
            for name, kpi in found.kpis.items()
            for figure, value in (
                ("r2", kpi.pooled.r2),
                ("floor_rmse", kpi.pooled.floor.rmse),
                ("rmse", kpi.pooled.floor.model_rmse),
            )
        }
        for kind, found in report.kinds.items()
    }
    by_scenario: dict[str, dict[str, dict[str, float | None]]] = {}
    for kind, found in report.kinds.items():
        for scenario, inside_pct in found.in_distribution_pct_of.items():
            outside_pct = None if inside_pct is None else 100 - inside_pct
            by_scenario.setdefault(scenario, {})[kind] = {"outside_pct": _short(outside_pct)}
        for name, kpi in found.kpis.items():
            for scenario, scores in kpi.scenarios.items():
                by_scenario.setdefault(scenario, {})[f"{kind}.{name}"] = {
                    "mae": _short(scores.mae),
                    "mae_error": _short(scores.mae_error),
                    "coverage_pct": _short(scores.coverage_pct),
                    "coverage_error_pct": _short(scores.coverage_error_pct),
                }
    return {**metrics, BY_SCENARIO: by_scenario}


def _short(value: float | None) -> float | None:
    """To the digits that a figure of a measurement has."""
    return None if value is None else float(f"{value:.5g}")
