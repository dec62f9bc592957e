# SPDX-License-Identifier: Apache-2.0
"""What passes and what does not: NS-3 against itself, and a model that is wrong."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from calibration.validation.report import GateResult
from env.fidelity.comparing import report_of
from env.fidelity.gates import Gates, judge
from env.fidelity.page import page
from env.fidelity.playing import Case, Setup, Triple, play_all
from env.fidelity.report import FidelityReport
from experiment_model import DEFAULT_MODEL

FEW = Gates(least_episodes=1, least_agents=1, least_tasks=1, least_kpi_episodes=1)
"""As strict as ever, and content with little."""


def gates_of(report: FidelityReport) -> dict[str, GateResult]:
    return {gate.name: gate for gate in report.gates}


@pytest.fixture(scope="module")
def report(triples: list[Triple], setup: Setup) -> FidelityReport:
    return report_of(triples, setup, FEW)


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of the package, with SINR of cells moved up."""
    folder = tmp_path_factory.mktemp("model") / "shifted"
    shutil.copytree(DEFAULT_MODEL, folder)
    spec = json.loads((folder / "model.json").read_text())
    for kpi in spec["kinds"]["cell"]["kpis"]:
        if kpi["name"] in ("dl_sinr_db", "ul_sinr_db"):
            kpi["offset"] = 3.0
    (folder / "model.json").write_text(json.dumps(spec))
    return folder


def test_ns3_against_itself_has_no_error_and_agrees(triples: list[Triple], setup: Setup) -> None:
    itself = [
        replace(t, surrogate=replace(t.ns3, stage="surrogate"), redrawn=t.redrawn) for t in triples
    ]
    report = report_of(itself, setup, FEW)
    assert {kpi.error for kpi in report.kpis} == {0}
    assert {kpi.bias for kpi in report.kpis} == {0}
    assert max(kpi.own_error for kpi in report.kpis) > 0
    for outcome in report.outcomes:
        assert (outcome.surrogate.agreement_pct, outcome.surrogate.gap_points) == (100, 0)
    assert {t.error for t in report.transients} == {0}
    assert all(gate.holds is not False for gate in report.gates)
    assert report.verdict == "passed"


def test_broken_model_fails(
    cases: list[Case], setup: Setup, shifted: Path, report: FidelityReport
) -> None:
    broken = replace(setup, model=shifted)
    found = report_of(play_all(cases[:2], broken), broken, FEW)
    assert found.verdict == "failed"
    gates = gates_of(found)
    for name in ("dl_sinr_db", "ul_sinr_db"):
        assert gates[f"kpi/outage/cells/{name}"].holds is False
    kpis, right = (
        {k.kpi: k for k in r.kpis if k.element == "cells" and k.subject == "outage"}
        for r in (found, report)
    )
    assert kpis["ul_sinr_db"].bias - right["ul_sinr_db"].bias > 10
    assert found.model_sha256 != report.model_sha256


def test_too_little_is_not_judged_and_does_not_pass(triples: list[Triple], setup: Setup) -> None:
    report = report_of(triples, setup)
    gates = gates_of(report)
    assert gates["played"].holds
    assert {gate.holds for name, gate in gates.items() if name != "played"} == {None}
    assert set(report.unjudged) == set(gates) - {"played"}
    assert "2 episodes an agent, and 50 are needed" in gates["gap"].why
    assert "1 agents, and 4 are needed" in gates["ranking"].why
    assert report.verdict == "unjudged"
    assert json.loads(report.to_json())["verdict"] == "unjudged"


def test_without_tasks_there_is_no_gap(triples: list[Triple], setup: Setup) -> None:
    report = report_of(triples[:2], setup, FEW)
    assert report.ranking is None
    assert gates_of(report)["gap"].why == "no episode of a task was played"
    assert gates_of(report)["gap"].holds is None


def test_gates_are_held_against_their_limits(report: FidelityReport) -> None:
    assert report.ranking is not None

    def judged(gap: float, rank: float, agents: int = 8) -> tuple[bool | None, bool | None]:
        mine = report.ranking.surrogate.model_copy(  # type: ignore[union-attr]
            update={"mean_gap_points": gap, "spearman": rank}
        )
        ranking = report.ranking.model_copy(  # type: ignore[union-attr]
            update={"surrogate": mine, "agents": agents, "tasks": 60, "least_episodes": 60}
        )
        found = {g.name: g for g in judge(report.model_copy(update={"ranking": ranking}))}
        return found["gap"].holds, found["ranking"].holds

    assert judged(1.9, 0.991) == (True, True)
    assert judged(2.0, 0.989) == (False, False)
    assert judged(1.9, 1.0, agents=3) == (True, None)


def test_error_is_held_against_that_of_ns3(report: FidelityReport) -> None:
    kpi = next(k for k in report.kpis if k.kpi == "latency_ms")

    def holds(error: float, own: float, mean: float, unit: str = "ms") -> bool | None:
        update = {"error": error, "own_error": own, "ns3": mean, "unit": unit, "episodes": 10}
        found = judge(report.model_copy(update={"kpis": (kpi.model_copy(update=update),)}))
        return next(g.holds for g in found if g.name.startswith("kpi/"))

    assert holds(2.0, 1.0, 10.0)
    assert holds(2.1, 1.0, 10.0) is False
    assert holds(0.1, 0.0, 10.0)
    assert holds(0.11, 0.0, 10.0) is False
    assert holds(0.1, 0.0, 0.0, "%")


def test_page_is_whole(report: FidelityReport) -> None:
    text = page(report)
    for kpi in report.kpis:
        assert f"{kpi.subject}/{kpi.element}/{kpi.kpi}" in text
    for word in ("cell_outage start", "Spearman", "--accent", "data:image/png;base64,"):
        assert word in text
    assert "None" not in text
    assert "http" not in text
    assert FidelityReport.model_validate_json(report.model_dump_json()) == report
