# SPDX-License-Identifier: Apache-2.0
"""What a refit says of itself: errors after each round, and on episodes that were held out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import NonNegativeInt

from calibration.acquisition import variances
from calibration.samples import Samples
from calibration.targets import TARGETS
from calibration.validation.report import Line, Part, Plot, Section, Table
from experiment_model import ExperimentModel, Transforms


class RoundReport(Part):
    """Errors after a round."""

    training_runs: NonNegativeInt
    error: float
    """Root of the squared error over the variance of the KPI, on the scale z on which trees learn;
    mean over the KPIs of a kind, and over kinds."""
    errors: dict[str, float]
    """By kind."""


class EpisodesReport(Part):
    """What episodes did to the error on those of them that were held out."""

    held_out: NonNegativeInt
    before: dict[str, float]
    after: dict[str, float]


class RefitReport(Part):
    """What a refit has done."""

    format: Literal["sixg-refit-report"] = "sixg-refit-report"
    model: str
    simulated: NonNegativeInt
    """Runs of the budget."""
    rounds: tuple[RoundReport, ...]
    """The first is of the model as it was."""
    episodes: EpisodesReport | None = None
    gates_passed: bool


def relative_errors(model: ExperimentModel, samples: Mapping[str, Samples]) -> dict[str, float]:
    """Errors of a model on some rows, by kind; see `RoundReport.error`."""
    found = {}
    for kind, every in samples.items():
        if kind not in model.kinds or not len(every):
            continue
        spec = model.spec.kinds[kind]
        names = [target.name for target in TARGETS[kind]]
        columns = [names.index(kpi.name) for kpi in spec.kpis]
        transforms = Transforms(spec.kpis, [feature.name for feature in spec.features])
        rows = dict(zip(every.features, every.x.T, strict=True))
        z = model.predict(kind, rows).z
        squared = (transforms.to_z(every.y[:, columns].astype(float)) - z) ** 2
        with np.errstate(all="ignore"):
            share = squared / variances(every)[:, columns]
        known = np.isfinite(share)
        there = known.any(axis=0)
        means = np.where(known, share, 0).sum(axis=0)[there] / known.sum(axis=0)[there]
        found[kind] = float(np.sqrt(means).mean())
    return found


def section_of(report: RefitReport) -> Section:
    """What a page shows of a refit."""
    kinds = list(report.rounds[0].errors)
    rows = [
        (str(number), float(r.training_runs), r.error, *(r.errors.get(kind) for kind in kinds))
        for number, r in enumerate(report.rounds)
    ]
    tables = [Table(columns=("round", "training runs", "all kinds", *kinds), rows=tuple(rows))]
    text = (
        "Error on the test seeds after each round of chosen simulations: root of the squared "
        "error over the variance of the KPI, on the scale on which trees learn, mean over KPIs."
    )
    if report.episodes:
        text += f" Below, the error on {report.episodes.held_out} episodes that were held out."
        tables.append(
            Table(
                columns=("kind", "before", "after"),
                rows=tuple(
                    (kind, before, report.episodes.after.get(kind))
                    for kind, before in report.episodes.before.items()
                ),
            )
        )
    x = tuple(float(r.training_runs) for r in report.rounds)
    plot = Plot(
        title="Error by number of simulations",
        x_label="training runs",
        y_label="relative error",
        lines=tuple(
            Line(name=kind, x=x, y=tuple(r.errors.get(kind) for r in report.rounds))
            for kind in kinds
        ),
    )
    return Section(key="refit", title="Refit", text=text, tables=tuple(tables), plots=(plot,))
