# SPDX-License-Identifier: Apache-2.0
"""From datasets to a model with the evidence beside it: `calibrate` and `validate_on`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from calibration.checks import manifest_digest, named, open_datasets
from calibration.demonstrations import demonstrations_of_datasets
from calibration.drift import BY_SCENARIO
from calibration.fitting import Fitted, Settings, fit
from calibration.rolling import can_roll
from calibration.samples import Samples, check_seeds, joined, samples_of_datasets
from calibration.validation import (
    ValidationReport,
    incomparable_intervals,
    rank_actions,
    read_gates,
    roll_outs,
    situations,
    validate,
)
from experiment_model import ExperimentModel, check_replaceable, write_model
from ns3_scenarios.dataset import Dataset

LIMITS = (
    "Errors grow when it rolls on from its own predictions; the report says how fast.",
    "Knows the scenarios and ranges it was fitted on; ask in_distribution before trusting it.",
    "KPIs whose gates fail are predicted no better than the report says.",
)

FIRST_ROWS = 30_000
"""Of each kind, that the model is fitted on which rolls out for the final one."""

OnStep = Callable[[str], None]


def calibrate(
    folders: Sequence[str | Path],
    out: str | Path,
    settings: Settings | None = None,
    *,
    trials: int = 0,
    what_ifs: int = 0,
    jobs: int = 1,
    on_step: OnStep | None = None,
) -> ValidationReport:
    """Fit a model on traces, hold it against those kept apart, and write it with the verdict.

    Args:
        folders: datasets; configurations with seeds 1 to 50 are fitted on, those with seeds 51 to
            80 judge.
        out: folder of the model.
        settings: hyper-parameters.
        trials: of hyper-parameters, for each kind of element, counting those that are in the log
            beside the model; none without a number.
        what_ifs: situations of each dataset in which NS-3 plays actions that the model ranks.
        jobs: datasets read at the same time.
        on_step: told what is being done.

    Raises:
        DatasetError: the traces cannot be read, are too few, or two datasets have one name.
        UserError: the log is of another search.
        ModelError: the model cannot be written.
        SimulationError: NS-3 ended abnormally in a situation.
    """
    say = on_step or (lambda _: None)
    check_replaceable(Path(out))
    datasets = open_datasets(folders)
    named(datasets)
    check_seeds(datasets, ("fit", "stop", "conformal", "test"))
    say("reading traces")
    samples = samples_of_datasets(folders, jobs=jobs, on_dataset=lambda name: say(f"read {name}"))
    settings = settings or Settings()
    if trials:
        from calibration.search import log_of, search

        settings = search(samples, settings, trials, log_of(Path(out)), say)
    fitted = fit_to_roll(samples, folders, settings, jobs=jobs, on_step=say)
    return judged_and_written(
        fitted, out, samples, folders, what_ifs=what_ifs, jobs=jobs, on_step=say
    )


def judged_and_written(
    fitted: Fitted,
    out: str | Path,
    samples: Mapping[str, Samples],
    folders: Sequence[str | Path],
    *,
    what_ifs: int = 0,
    jobs: int = 1,
    on_step: OnStep,
) -> ValidationReport:
    """Write a model whose card says where it comes from and what the test split says of it.

    Raises:
        DatasetError: there is no test split.
        ModelError: the model cannot be written.
        SimulationError: NS-3 ended abnormally in a situation.
    """
    fitted = _with_provenance(fitted, folders, Path(out).name)
    report = _judge(fitted.model(), samples, folders, what_ifs, jobs, on_step)
    card = fitted.spec.card.model_copy(
        update={"gates": report.card_gates(), "metrics": card_metrics(report)}
    )
    write_model(out, fitted.spec.model_copy(update={"card": card}), fitted.files)
    return report


def fit_to_roll(
    samples: Mapping[str, Samples],
    folders: Sequence[str | Path],
    settings: Settings,
    *,
    jobs: int = 1,
    on_step: OnStep,
) -> Fitted:
    """Fit a model on samples, and on the roll-outs of a first one, fitted on some of them.

    Args:
        samples: by kind.
        folders: datasets that they come from, over whose runs is rolled out.
        settings: hyper-parameters.
        jobs: datasets at the same time.
        on_step: told what is being done.
    """
    if not can_roll(samples):
        return fit(samples, settings, on_step)
    few = replace(settings, max_rows=min(FIRST_ROWS, settings.max_rows))
    first = fit(samples, few, lambda step: on_step(f"first model: {step}"))
    on_step("rolling out the first model")
    own = demonstrations_of_datasets(
        first.model(),
        folders,
        jobs=jobs,
        on_dataset=lambda name: on_step(f"rolled out the first model over {name}"),
    )
    return fit(joined(samples, own), settings, on_step)


def validate_on(
    model: str | Path,
    folders: Sequence[str | Path],
    *,
    what_ifs: int = 0,
    jobs: int = 1,
    on_step: OnStep | None = None,
) -> ValidationReport:
    """Hold a model against the test split of datasets.

    Args:
        model: folder of the model.
        folders: datasets.
        what_ifs: situations of each dataset in which NS-3 plays actions that the model ranks.
        jobs: datasets read at the same time.
        on_step: told what is being done.

    Raises:
        DatasetError: the traces cannot be read, or have no test split.
        ModelError: the model cannot be read, or is for other rows.
        SimulationError: NS-3 ended abnormally in a situation.
    """
    say = on_step or (lambda _: None)
    loaded = ExperimentModel.load(model)
    check_seeds(open_datasets(folders), ("test",))
    say("reading traces")
    samples = samples_of_datasets(folders, jobs=jobs, on_dataset=lambda name: say(f"read {name}"))
    return _judge(loaded, samples, folders, what_ifs, jobs, say)


def _judge(
    model: ExperimentModel,
    samples: Mapping[str, Samples],
    folders: Sequence[str | Path],
    what_ifs: int,
    jobs: int,
    say: OnStep,
) -> ValidationReport:
    say("validating")
    gates = read_gates()
    report = validate(
        model,
        samples,
        incomparable=incomparable_intervals(folders),
        gates=gates,
        on_kind=lambda kind: say(f"validated {kind}"),
    )
    if not can_roll(model.kinds):
        return report
    say("rolling out")
    report = report.extended(
        *roll_outs(
            model, folders, gates, jobs=jobs, on_dataset=lambda name: say(f"rolled out {name}")
        )
    )
    if what_ifs:
        played = list(situations(folders, what_ifs))
        report = report.extended(*rank_actions(model, played, gates, jobs=jobs, on_situation=say))
    return report


def _with_provenance(fitted: Fitted, folders: Sequence[str | Path], name: str) -> Fitted:
    datasets = named(map(Dataset.open, folders))
    created_with = {p: version(p) for p in ("sixg-agent-gym", "xgboost", "numpy")}
    for dataset in datasets.values():
        created_with["ns-3"] = dataset.manifest.ns3_version
        created_with["ran"] = dataset.manifest.ran_hash
    digests = {name: manifest_digest(dataset) for name, dataset in datasets.items()}
    card = fitted.spec.card
    card = card.model_copy(
        update={
            "name": name,
            "created_with": created_with,
            "data": card.data.model_copy(update={"datasets": digests}),
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
