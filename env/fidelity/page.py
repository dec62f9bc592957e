# SPDX-License-Identifier: Apache-2.0
"""A fidelity report as one page of HTML that needs no other file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from jinja2 import Template

from calibration.validation import plots
from calibration.validation.page import template_environment
from calibration.validation.report import Line, Plot
from env.fidelity.gates import GATES
from env.fidelity.report import Curve, FidelityReport, KpiError, Transient
from env.fidelity.statistics import plain
from env.fidelity.transients import STEPS
from ns3_scenarios.storage import write_atomic

NS3, SURROGATE, REDRAWN = "NS-3", "surrogate", "NS-3 redrawn"


def write_page(report: FidelityReport, path: str | Path) -> None:
    """Write the page of a report.

    Raises:
        DatasetError: the file cannot be written.
    """
    write_atomic(Path(path), page(report).encode())


def page(report: FidelityReport) -> str:
    """The page of a report: tables, pictures and all definitions, with nothing from elsewhere."""
    return _template().render(
        report=report,
        limits=GATES,
        total=Counter(gate.holds for gate in report.gates),
        failed=[gate for gate in report.gates if gate.holds is False],
        kpi_gates={gate.name.removeprefix("kpi/"): gate for gate in report.gates},
        growth=[plots.lines(plot) for plot in growth(report.kpis)],
        around=[plots.lines(around(transient)) for transient in report.transients],
    )


def growth(kpis: Sequence[KpiError]) -> list[Plot]:
    """Error of each KPI by step, as a mean over slices and subjects.

    It is relative to the mean on NS-3, but for percentages and decibels.
    """
    found = []
    for name in dict.fromkeys(kpi.kpi for kpi in kpis):
        mine = [kpi for kpi in kpis if kpi.kpi == name]
        absolute = mine[0].unit in ("%", "dB")
        lines = [
            Line(name=label, x=tuple(range(1, len(y) + 1)), y=y)
            for label, y in (
                (SURROGATE, _mean([(k.error_by_step, k.ns3) for k in mine], absolute)),
                (REDRAWN, _mean([(k.own_error_by_step, k.ns3) for k in mine], absolute)),
            )
        ]
        unit = {"%": "points", "dB": "dB"}.get(mine[0].unit, "% of the mean")
        found.append(Plot(title=name, x_label="step", y_label=unit, lines=tuple(lines)))
    return found


def around(transient: Transient) -> Plot:
    """The curves of a transient."""
    named: dict[str, Curve] = {
        SURROGATE: transient.surrogate,
        REDRAWN: transient.redrawn,
        NS3: transient.ns3,
    }
    return Plot(
        title=f"{transient.event}: {transient.kpi}",
        x_label="intervals since",
        y_label=transient.unit,
        lines=tuple(
            Line(name=f"{name} ({curve.events})", x=STEPS, y=curve.values)
            for name, curve in named.items()
        ),
    )


def _mean(
    series: Sequence[tuple[tuple[float | None, ...], float]], absolute: bool
) -> tuple[float | None, ...]:
    steps = max(len(values) for values, _ in series)
    table = np.full((len(series), steps), np.nan)
    for number, (values, level) in enumerate(series):
        scale = 1 if absolute else 100 / abs(level) if level else np.nan
        table[number, : len(values)] = scale * np.array(values, float)
    known = np.isfinite(table)
    return tuple(
        plain(column[mask].mean()) if mask.any() else None
        for column, mask in zip(table.T, known.T, strict=True)
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    return template_environment("env.fidelity").get_template("fidelity.html.j2")
