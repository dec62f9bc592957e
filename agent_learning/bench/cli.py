# SPDX-License-Identifier: Apache-2.0
"""The commands of `bench`; those about tasks are in `tasks_cli`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from agent_learning.bench import tasks_cli
from env.cli import BackendOption, ModelOption
from ns3_scenarios.cli import (
    JsonOption,
    default_jobs,
    err_console,
    out_console,
    print_json,
    progress_bar,
)

if TYPE_CHECKING:
    from rich.console import Console

    from agent_learning.bench.report import BenchReport
    from agent_learning.bench.scores import Estimate
    from agent_learning.bench.task import BenchTask
    from env.backends.base import BackendName

app = typer.Typer(no_args_is_help=True, help="6GAgentBench: tasks, runs of agents, scores.")
app.command()(tasks_cli.tasks)
app.command()(tasks_cli.audit)
app.command()(tasks_cli.freeze)

DIFFERS, INTERRUPTED = 1, 130
MOST_SHOWN = 10
"""Differences of a replay that are shown one by one."""

JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, help="Trials at the same time.", show_default="all cores"),
]


@app.command()
def run(
    agent: Annotated[str, typer.Option("--agent", "-a", help="Who plays.", metavar="NAME")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the run.")],
    split: Annotated[
        str,
        typer.Option(
            "--split", "-s", metavar="NAME|FILE", help="train, evaluation, basic, or a tasks.jsonl."
        ),
    ] = "evaluation",
    backend: BackendOption = "surrogate",
    trials: Annotated[int, typer.Option("--trials", "-k", min=1, help="Of each task.")] = 1,
    tasks: Annotated[
        int | None,
        typer.Option("--tasks", "-n", min=1, help="Only so many, of all templates in turn."),
    ] = None,
    model: ModelOption = None,
    jobs: JobsOption = None,
) -> None:
    """Let an agent try benchmark tasks; the same command goes on after an interruption.

    Trials that the infrastructure failed are made again by the same command, others are kept.
    """
    from agent_learning.bench.running import run as run_tasks

    chosen = _tasks(split, tasks)
    try:
        with progress_bar("trials") as show:
            saved = run_tasks(
                agent,
                chosen,
                out,
                backend=cast("BackendName", backend),
                trials=trials,
                model=model,
                jobs=jobs or default_jobs(),
                on_trials=lambda done, total: show(done, total, ""),
            )
    except KeyboardInterrupt:
        kept = "what has ended is kept, and the same command goes on from there"
        err_console().print(f"stopped; {kept}", style="yellow")
        raise typer.Exit(INTERRUPTED) from None
    ended = saved.trials()
    failed = sum(trial.status == "infrastructure" for trial in ended)
    solved = sum(trial.succeeded for trial in ended)
    out_console().print(
        f"{solved} of {len(ended) - failed} trials succeeded, {failed} failed for reasons of the "
        f"infrastructure; sixg bench report {out}",
        markup=False,
        soft_wrap=True,
    )


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the leaderboard as a page.")
    ] = None,
    inspect: Annotated[
        Path | None,
        typer.Option("--inspect", metavar="DIR", help="Write logs for Inspect AI's viewer."),
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Make all calls again; exit with 1 where one differs.")
    ] = False,
    model: ModelOption = None,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score runs, and hold agents and backends against each other."""
    from agent_learning.bench.report import report_of, write_page

    found = report_of(runs)
    differs = replay and _replayed(runs, model, jobs or default_jobs())
    if html:
        write_page(found, html)
    if inspect:
        from agent_learning.bench.inspect_log import write_log

        for each in runs:
            write_log(each, inspect)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _show(found, out_console())
    if differs:
        raise typer.Exit(DIFFERS)


def _tasks(split: str, most: int | None) -> list[BenchTask]:
    from agent_learning.bench.loading import load_tasks
    from agent_learning.bench.running import spread
    from agent_learning.bench.saving import read_tasks

    file = Path(split)
    found = read_tasks(file) if file.is_file() else load_tasks(split)
    return found if most is None else spread(found, most)


def _replayed(runs: list[Path], model: Path | None, jobs: int) -> bool:
    """Say which trials differ."""
    from agent_learning.bench.rescoring import replay
    from agent_learning.bench.saving import RunFolder

    differs = False
    for each in runs:
        with progress_bar("trials replayed") as show:
            differences = replay(
                RunFolder(each),
                model=model,
                jobs=jobs,
                on_trials=lambda done, total, show=show: show(done, total, ""),  # type: ignore[misc]
            )
        differs = differs or bool(differences)
        for one in differences[:MOST_SHOWN]:
            text = f"{each}: {one.task_id}, trial {one.trial}: was {one.was}; now {one.now}"
            err_console().print(text, style="red", markup=False, soft_wrap=True)
        if len(differences) > MOST_SHOWN:
            err_console().print(f"{each}: {len(differences) - MOST_SHOWN} more trials differ")
    return differs


def _show(report: BenchReport, console: Console) -> None:
    from rich.table import Table

    from calibration.validation.plots import number

    board = Table(box=None, pad_edge=False)
    columns = ("agent", "on", "tasks", "SR %", "95 %", "SPL %", "L1", "L2", "L3", "verified SR %")
    for column in (*columns, "gap", "steps", "invalid", "harmful", "infrastructure"):
        board.add_column(column, justify="left" if column in ("agent", "on") else "right")
    for each in report.runs:
        overall, verified = each.overall, report.verified_of(each)
        tiers = [each.group(tier) for tier in ("L1", "L2", "L3")]
        low, high = _percent(overall.sr.low), _percent(overall.sr.high)
        board.add_row(
            each.agent,
            each.backend,
            str(overall.tasks),
            _rate(overall.sr),
            f"{low}–{high}",
            _rate(overall.spl),
            *(_rate(tier.sr) if tier else "–" for tier in tiers),
            _rate(verified.verified_sr) if verified else "–",
            _rate(verified.gap) if verified else "–",
            number(overall.steps.value),
            number(overall.invalid_calls.value),
            number(overall.harmful_changes.value),
            str(overall.infrastructure),
        )
    console.print(board)
    for c in report.comparisons:
        ends = f"{_percent(c.difference.low)} to {_percent(c.difference.high)}"
        console.print(
            f"{c.one} against {c.other} on {c.backend}, {c.tasks} tasks: {_rate(c.difference)} "
            f"points ({ends}), p = {number(c.p_value)}",
            markup=False,
            soft_wrap=True,
        )


def _rate(estimate: Estimate) -> str:
    return _percent(estimate.value)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}".replace("-", "−")
