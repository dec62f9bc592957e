# SPDX-License-Identifier: Apache-2.0
"""What a surrogate must reach to stand in for NS-3, all in one place: `Gates`, `judge`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.validation.report import GateResult
from env.fidelity.report import PLAYED, FidelityReport, KpiError


@dataclass(frozen=True)
class Gates:
    """Limits, and how much it takes to judge."""

    most_failed_pct: float = 5.0
    """Cases that could not be played to their end on all stages."""

    most_gap_points: float = 2.0
    """Mean over agents of the absolute gap in success rate."""
    least_episodes: int = 50
    """Of each agent: with fewer, one episode moves its success rate by more than the gap."""

    least_correlation: float = 0.99
    """Spearman's, of the agents' success rates."""
    least_agents: int = 4
    """Fewer are in the same order by chance once in 6 times or more."""
    least_tasks: int = 10

    most_error_ratio: float = 2.0
    """Error of a KPI to NS-3's own."""
    negligible_pct: float = 1.0
    """Of the mean on NS-3: so small an error holds whatever NS-3's own is."""
    negligible: float = 0.1
    """The same of KPIs in percent and decibels, in their unit."""
    most_bias_pct: float = 5.0
    """Median over KPIs of the absolute bias."""
    least_kpi_episodes: int = 10
    """Of a subject, over all agents."""


GATES = Gates()


def judge(report: FidelityReport, gates: Gates = GATES) -> tuple[GateResult, ...]:
    """Hold a report against gates; what cannot be judged says what it lacks."""
    return (
        _played(report, gates),
        _gap(report, gates),
        _rank(report, gates),
        *(_error(gates, kpi) for kpi in report.kpis),
        _bias(report, gates),
    )


def _played(report: FidelityReport, gates: Gates) -> GateResult:
    n_cases = len(report.subjects) * len(report.agents) * len(report.seeds)
    failed = n_cases - report.episodes
    value = 100 * failed / n_cases
    return GateResult(
        name=PLAYED,
        value=value,
        high=gates.most_failed_pct,
        unit="%",
        holds=value <= gates.most_failed_pct,
        why=f"{failed} of {n_cases} episodes could not be played to their end everywhere",
    )


def _gap(report: FidelityReport, gates: Gates) -> GateResult:
    name, ranking = "gap", report.ranking
    if ranking is None:
        return GateResult(name=name, holds=None, why="no episode of a task was played")
    if ranking.least_episodes < gates.least_episodes:
        return _too_few(name, ranking.least_episodes, "episodes an agent", gates.least_episodes)
    mine, own = ranking.surrogate, ranking.own
    return GateResult(
        name=name,
        value=mine.mean_gap_points,
        high=gates.most_gap_points,
        unit="points",
        holds=mine.mean_gap_points < gates.most_gap_points,
        why=(
            f"success rates of agents are {mine.mean_gap_points:.1f} points off on average"
            f"{_between(mine.mean_gap_low, mine.mean_gap_high)}; NS-3's own are "
            f"{own.mean_gap_points:.1f}"
        ),
    )


def _rank(report: FidelityReport, gates: Gates) -> GateResult:
    name, ranking = "ranking", report.ranking
    if ranking is None:
        return GateResult(name=name, holds=None, why="no episode of a task was played")
    if ranking.agents < gates.least_agents:
        return _too_few(name, ranking.agents, "agents", gates.least_agents)
    if ranking.tasks < gates.least_tasks:
        return _too_few(name, ranking.tasks, "tasks", gates.least_tasks)
    mine, own = ranking.surrogate, ranking.own
    if mine.spearman is None:
        return GateResult(name=name, holds=None, why="all agents have one success rate")
    words = "does not exist" if own.spearman is None else f"is {own.spearman:.3f}"
    return GateResult(
        name=name,
        value=mine.spearman,
        low=gates.least_correlation,
        holds=mine.spearman >= gates.least_correlation,
        why=(
            f"Spearman's correlation over {ranking.agents} agents is {mine.spearman:.3f}"
            f"{_between(mine.spearman_low, mine.spearman_high)}; NS-3's own {words}"
        ),
    )


def _error(gates: Gates, kpi: KpiError) -> GateResult:
    name = f"kpi/{kpi.subject}/{kpi.element}/{kpi.kpi}"
    if kpi.episodes < gates.least_kpi_episodes:
        return _too_few(name, kpi.episodes, "episodes with the KPI", gates.least_kpi_episodes)
    negligible = gates.negligible_pct / 100 * abs(kpi.ns3)
    if kpi.unit in ("%", "dB"):
        negligible = gates.negligible
    most = max(gates.most_error_ratio * kpi.own_error, negligible)
    return GateResult(
        name=name,
        value=kpi.error,
        high=most,
        unit=kpi.unit,
        holds=kpi.error <= most,
        why=(
            f"the mean absolute difference is {kpi.error:.3g} {kpi.unit}; NS-3's own is "
            f"{kpi.own_error:.3g}, and its mean {kpi.ns3:.3g}"
        ),
    )


def _bias(report: FidelityReport, gates: Gates) -> GateResult:
    judged = [
        kpi
        for kpi in report.kpis
        if kpi.bias_pct is not None and kpi.episodes >= gates.least_kpi_episodes
    ]
    if not judged:
        n = max((kpi.episodes for kpi in report.kpis), default=0)
        return _too_few("bias", n, "episodes of a subject", gates.least_kpi_episodes)
    mine, own = (
        float(np.median([abs(v) for v in values if v is not None]))
        for values in ([k.bias_pct for k in judged], [k.own_bias_pct for k in judged])
    )
    return GateResult(
        name="bias",
        value=mine,
        high=gates.most_bias_pct,
        unit="%",
        holds=mine <= gates.most_bias_pct,
        why=f"median bias of {len(judged)} KPIs is {mine:.1f} %; NS-3's own is {own:.1f} %",
    )


def _too_few(name: str, n: int, what: str, least: int) -> GateResult:
    why = f"too few to judge: {n} {what}, and {least} are needed"
    return GateResult(name=name, holds=None, why=why)


def _between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
