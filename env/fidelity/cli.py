# SPDX-License-Identifier: Apache-2.0
"""The command `fidelity`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from env.cli import ModelOption, OutOption
from ns3_scenarios.cli import (
    JobsOption,
    JsonOption,
    default_jobs,
    err_console,
    out_console,
    progress_bar,
)

if TYPE_CHECKING:
    from rich.console import Console

    from env.fidelity.playing import Subject
    from env.fidelity.report import FidelityReport

app = typer.Typer()

FAILED = 1
INTERRUPTED = 130
EPISODES = Path("fidelity")
MOST_SHOWN = 10
"""Gates that are shown one by one."""


@app.command()
def fidelity(
    scenario: Annotated[
        list[str] | None,
        typer.Option("--scenario", "-s", metavar="NAME", help="Name or YAML file of a scenario."),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option("--task", "-t", metavar="NAME", help="Name or YAML file of a task."),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", "-p", help="An agent of `sixg run`.", show_default="random"),
    ] = None,
    episodes: Annotated[
        int, typer.Option("--episodes", "-n", min=1, help="Of each with each policy.")
    ] = 10,
    intervals: Annotated[
        int, typer.Option("--intervals", min=1, help="Of an episode without a task.")
    ] = 10,
    model: ModelOption = None,
    jobs: JobsOption = None,
    out: OutOption = EPISODES,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the report as a page.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Play the same episodes on the surrogate and on live NS-3, and say how far they agree.

    Scenarios, tasks and policies may be given several times. The exit status is 1 where a gate
    fails, or none could be judged.
    """
    from env.errors import EnvUserError

    if not (scenario or task):
        raise EnvUserError("no --scenario or --task is given; one is needed")
    from env.fidelity.comparing import fidelity as compare
    from env.fidelity.playing import Setup
    from experiment_model import DEFAULT_MODEL

    subjects = _subjects(scenario or [], task or [])
    setup = Setup(out, model or DEFAULT_MODEL, intervals)
    try:
        with progress_bar("episodes") as show:
            report = compare(
                subjects,
                policy or ["random"],
                episodes,
                setup,
                jobs=jobs or default_jobs(),
                on_episodes=lambda done, total: show(done, total, ""),
            )
    except KeyboardInterrupt:
        kept = "what has ended is kept, and the same command goes on from there"
        err_console().print(f"stopped; {kept}", style="yellow")
        raise typer.Exit(INTERRUPTED) from None
    if html:
        from env.fidelity.page import write_page

        write_page(report, html)
    if as_json:
        print(report.to_json())
    else:
        _show(report, out_console())
    if report.verdict != "passed":
        raise typer.Exit(FAILED)


def _subjects(scenarios: list[str], tasks: list[str]) -> list[Subject]:
    from env.fidelity.playing import Subject
    from env.tasks import load_task
    from ns3_scenarios.library import load_scenario

    loaded = [load_scenario(name) for name in scenarios]
    found = [Subject(each.name, each) for each in loaded]
    return [*found, *(Subject(t.name, t.network, t) for t in map(load_task, tasks))]


def _show(report: FidelityReport, console: Console) -> None:
    from rich.table import Table

    outcomes = Table(box=None, pad_edge=False)
    for column in ("agent", "episodes", "NS-3 %", "surrogate %", "gap", "own gap", "κ", "own κ"):
        outcomes.add_column(column, justify="left" if column == "agent" else "right")
    for o in report.outcomes:
        rates = (o.ns3_success_pct, o.surrogate.success_pct)
        gaps = (o.surrogate.gap_points, o.own.gap_points, o.surrogate.kappa, o.own.kappa)
        outcomes.add_row(o.agent, str(o.episodes), *map(_figure, (*rates, *gaps)))
    kpis = Table(box=None, pad_edge=False)
    for column in ("KPI", "KPIs", "median error / own", "worst", "median |bias| %", "own"):
        kpis.add_column(column, justify="left" if column == "KPI" else "right")
    for name in dict.fromkeys(kpi.kpi for kpi in report.kpis):
        mine = [kpi for kpi in report.kpis if kpi.kpi == name]
        ratios = [k.ratio for k in mine]
        figures = (
            _median(ratios),
            max((r for r in ratios if r is not None), default=None),
            _median([k.bias_pct for k in mine]),
            _median([k.own_bias_pct for k in mine]),
        )
        kpis.add_row(name, str(len(mine)), *map(_figure, figures))
    events = Table(box=None, pad_edge=False)
    for column in ("event", "KPI", "on NS-3", "surrogate", "error %", "own %"):
        events.add_column(column, justify="left" if column in ("event", "KPI") else "right")
    for t in report.transients:
        counts = (str(t.ns3.events), str(t.surrogate.events))
        events.add_row(t.event, t.kpi, *counts, _figure(t.error_pct), _figure(t.own_error_pct))
    for table in (outcomes, kpis, events):
        if table.row_count:
            console.print(table)
            console.print()
    _show_gates(report, console)


def _show_gates(report: FidelityReport, console: Console) -> None:
    failed = [gate for gate in report.gates if gate.holds is False]
    for gate in failed[:MOST_SHOWN]:
        console.print(f"fails: {gate.name}: {gate.why}", style="red", markup=False, soft_wrap=True)
    if len(failed) > MOST_SHOWN:
        console.print(f"{len(failed) - MOST_SHOWN} more fail; --json and --html say which")
    unjudged = [gate for gate in report.gates if gate.holds is None]
    for gate in unjudged[:MOST_SHOWN]:
        console.print(f"not judged: {gate.name}: {gate.why}", markup=False, soft_wrap=True)
    if len(unjudged) > MOST_SHOWN:
        console.print(f"{len(unjudged) - MOST_SHOWN} more are not judged")
    held = sum(gate.holds is True for gate in report.gates)
    console.print(
        f"{report.verdict}: {held} gates hold, {len(failed)} fail, {len(unjudged)} have too little "
        f"to judge; {report.episodes} episodes, {len(report.failures)} could not be played",
        soft_wrap=True,
    )


def _median(values: list[float | None]) -> float | None:
    from statistics import median

    known = [abs(v) for v in values if v is not None]
    return median(known) if known else None


def _figure(value: float | None) -> str:
    from calibration.validation.plots import number

    return number(value)
