# SPDX-License-Identifier: Apache-2.0
"""A validation report as one page of HTML that needs no other file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from calibration.validation import plots
from calibration.validation.baselines import (
    FIRST_GUESS,
    FOREST,
    NEIGHBOURS,
    PERSISTENCE,
    RIDGE,
    XGBOOST,
)
from calibration.validation.report import GateResult, KpiReport, ValidationReport
from ns3_scenarios.storage import write_atomic

MODELS = {
    XGBOOST: "XGBoost",
    PERSISTENCE: "persistence",
    FIRST_GUESS: "first guess",
    RIDGE: "ridge",
    NEIGHBOURS: "k-nearest neighbours",
    FOREST: "random forest",
}
PARTS_OF_A_KPI = 3
"""In the name of a gate: what it is about, kind and KPI; a scenario may follow."""
WORST_NRMSE = 0.25
"""At which the heat map has its strongest colour."""


def write_page(report: ValidationReport, path: str | Path) -> None:
    """Write the page of a report.

    Raises:
        DatasetError: the file cannot be written.
    """
    write_atomic(Path(path), page(report).encode())


def page(report: ValidationReport) -> str:
    """The page of a report: tables, pictures and all definitions, with nothing from elsewhere."""
    gates = {gate.name: gate for gate in report.gates}
    kpis = [kpi for kind in report.kinds.values() for kpi in kind.kpis.values()]
    compared = [kpi.baselines for kpi in kpis if kpi.baselines and kpi.baselines.winner]
    return _template().render(
        report=report,
        gates=gates,
        failed=[gate for gate in report.gates if gate.holds is False],
        groups=_groups(report.gates),
        total=Counter(gate.holds for gate in report.gates),
        wins=sum(found.winner == XGBOOST for found in compared),
        compared=compared,
        models=MODELS,
        plots=plots,
    )


def _groups(gates: Iterable[GateResult]) -> dict[str, Counter[bool | None]]:
    """How many gates hold, by what they are about."""
    found: dict[str, Counter[bool | None]] = {}
    for gate in gates:
        parts = gate.name.split("/")
        name = parts[0].replace("_", " ")
        if len(parts) > PARTS_OF_A_KPI:
            name += " in single scenarios"
        found.setdefault(name, Counter())[gate.holds] += 1
    return found


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = template_environment("calibration.validation")
    environment.filters["heat"] = _heat
    environment.globals["missed"] = _missed
    return environment.get_template("page.html.j2")


def template_environment(package: str) -> Environment:
    """Templates of a package, with the style, the table of gates and the filters of all pages."""
    places = dict.fromkeys((package, "calibration.validation"))
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(place, ".") for place in places]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=plots.number, verdict=_verdict)
    return environment


def _heat(nrmse: float | None) -> str:
    """Background of a cell of the heat map."""
    if nrmse is None:
        return "#f4f5f6"
    share = min(nrmse / WORST_NRMSE, 1) ** 0.8
    pale, strong = (244, 248, 251), (224, 122, 61)
    red, green, blue = (round(p + share * (s - p)) for p, s in zip(pale, strong, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _verdict(gate: GateResult | None) -> str:
    """Class of a cell that a gate has judged."""
    return {True: "good", False: "bad", None: ""}[gate.holds if gate else None]


def _missed(kind: str, kpi: KpiReport, gates: dict[str, Any]) -> list[str]:
    """Scenarios in which a KPI's coverage is not as its gate asks."""
    names = {s: gates.get(f"coverage/{kind}/{kpi.name}/{s}") for s in kpi.scenarios}
    return [scenario for scenario, gate in names.items() if gate and gate.holds is False]
