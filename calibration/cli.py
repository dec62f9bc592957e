# SPDX-License-Identifier: Apache-2.0
"""The commands that fit models to traces and judge them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ns3_scenarios.cli import (
    INTERRUPTED,
    JobsOption,
    JsonOption,
    default_jobs,
    err_console,
    out_console,
    print_json,
    progress_bar,
)

if TYPE_CHECKING:
    from calibration.drift import DriftReport
    from calibration.refitting import RefitReport
    from calibration.validation import ValidationReport

app = typer.Typer()

TracesArgument = Annotated[
    list[Path], typer.Argument(metavar="TRACES...", help="Folders of datasets.")
]
HtmlOption = Annotated[Path | None, typer.Option("--html", help="Write the report as a page, too.")]
WhatIfsOption = Annotated[
    int,
    typer.Option(
        "--what-ifs",
        min=0,
        metavar="N",
        help="Situations of each dataset in which NS-3 plays actions that the model ranks.",
    ),
]
FAILED = 1


@app.command()
def calibrate(
    traces: TracesArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder of the model.")],
    trials: Annotated[
        int,
        typer.Option(
            min=0,
            help="Search hyper-parameters first: so many trials for each kind of element, counting "
            "those in OUT.search.log.",
        ),
    ] = 0,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where trees are grown.")] = "cpu",
    what_ifs: WhatIfsOption = 0,
    html: HtmlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit an Experiment Model to datasets, and judge it on what was kept apart."""
    from calibration.calibrating import calibrate as fit_and_judge
    from calibration.fitting import Settings

    settings = Settings(device=device)
    with _steps() as on_step:
        report = fit_and_judge(
            traces,
            out,
            settings,
            trials=trials,
            what_ifs=what_ifs,
            jobs=default_jobs(),
            on_step=on_step,
        )
    _show(report, html, as_json)


@app.command()
def validate(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Folder of a model, or 'default'.")
    ],
    traces: TracesArgument,
    what_ifs: WhatIfsOption = 0,
    html: HtmlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a model on the test seeds of datasets; exits with 1 when a gate fails."""
    from calibration.calibrating import validate_on

    with _steps() as on_step:
        report = validate_on(
            _folder_of(model), traces, what_ifs=what_ifs, jobs=default_jobs(), on_step=on_step
        )
    _show(report, html, as_json)
    if not report.passed:
        raise typer.Exit(FAILED)


@app.command()
def drift(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Folder of a model, or 'default'.")
    ],
    traces: TracesArgument,
    as_json: JsonOption = False,
) -> None:
    """Say whether a model holds for new traces; exits with 1 when it should be fitted anew."""
    from calibration.drift import drift as hold_against
    from calibration.samples import samples_of_datasets
    from experiment_model import ExperimentModel

    with _steps() as on_step:
        loaded = ExperimentModel.load(_folder_of(model))
        on_step("reading traces")
        samples = samples_of_datasets(
            traces, jobs=default_jobs(), on_dataset=lambda name: on_step(f"read {name}")
        )
        on_step("comparing")
        report = hold_against(loaded, samples)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _show_drift(report)
    if report.verdict != "accept":
        raise typer.Exit(FAILED)


@app.command()
def refit(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Folder of a model, or 'default'.")
    ],
    traces: TracesArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder of the new model.")],
    budget: Annotated[
        int, typer.Option(min=0, help="Simulations to choose, run and learn from.")
    ] = 0,
    episodes: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Episodes of agents to replay and learn from."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="In which the budget is spent.")] = 3,
    jobs: JobsOption = None,
    html: HtmlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit a model anew with simulations that are chosen for it, and with what agents played.

    TRACES are the datasets that it was fitted on; further ones are added.
    """
    from calibration.refitting import refit as fit_anew

    kept = "; what has ended is kept, and the same command goes on from there"
    try:
        with _steps_and_runs() as (on_step, on_runs):
            done = fit_anew(
                _folder_of(model), traces, out, budget=budget, episodes=episodes or (),
                rounds=rounds, jobs=jobs or default_jobs(), on_step=on_step, on_runs=on_runs,
            )  # fmt: skip
    except KeyboardInterrupt:
        err_console().print(f"stopped{kept}", style="yellow")
        raise typer.Exit(INTERRUPTED) from None
    if html:
        from calibration.validation import write_page

        write_page(done.validation, html)
    if as_json:
        print_json(done.report.model_dump(mode="json"))
    else:
        _show_refit(done.report)


@contextmanager
def _steps_and_runs() -> Iterator[tuple[Callable[[str], None], Callable[[int, int], None]]]:
    """Say what is being done beside a bar of the runs that are simulated."""
    from experiment_model import ModelError
    from ns3_scenarios.errors import UserError

    console = err_console()
    now = {"done": 0, "total": 0}

    with progress_bar("runs") as show:

        def say(step: str) -> None:
            if console.is_terminal:
                show(now["done"], now["total"], step)
            else:
                console.print(step, style="dim", markup=False)

        def count(done: int, total: int) -> None:
            now.update(done=done, total=total)
            show(done, total, "")

        try:
            yield say, count
        except ModelError as error:
            raise UserError(str(error)) from None


def _show_refit(report: RefitReport) -> None:
    from rich.table import Table

    console = out_console()
    kinds = list(report.rounds[0].errors)
    table = Table(
        "round", "training runs", "all kinds", *kinds, title="relative error on the test seeds"
    )
    for number, one in enumerate(report.rounds):
        of_kinds = (_figure(one.errors.get(kind)) for kind in kinds)
        table.add_row(str(number), str(one.training_runs), _figure(one.error), *of_kinds)
    console.print(table)
    if report.episodes:
        title = f"relative error on {report.episodes.held_out} episodes that were held out"
        table = Table("", *kinds, title=title)
        for name, errors in (("before", report.episodes.before), ("after", report.episodes.after)):
            table.add_row(name, *(_figure(errors.get(kind)) for kind in kinds))
        console.print(table)
    style = "green" if report.gates_passed else "yellow"
    verdict = "passes all" if report.gates_passed else "fails some"
    console.print(f"{report.model}: {verdict} of its gates", style=style)


def _folder_of(model: Path) -> Path:
    from experiment_model import DEFAULT_MODEL

    return DEFAULT_MODEL if str(model) == DEFAULT_MODEL.name else model


def _show_drift(report: DriftReport) -> None:
    from rich.table import Table

    console = out_console()
    columns = ("KPI", "unit", "MAE", "expected", "ratio", "coverage %", "expected", "PIT deviation")
    for scenario, kinds in report.scenarios.items():
        for kind, found in kinds.items():
            title = (
                f"{scenario}: {kind}, {found.outside_pct:.1f} % of {found.rows} rows out of "
                f"distribution, {found.expected_outside_pct:.1f} % expected"
            )
            table = Table(*columns, title=title)
            for kpi in found.kpis:
                figures = (
                    kpi.mae, kpi.expected_mae, kpi.error_ratio, kpi.coverage_pct,
                    kpi.expected_coverage_pct, kpi.pit_deviation,
                )  # fmt: skip
                table.add_row(kpi.name, kpi.unit, *map(_figure, figures))
            console.print(table)
    if report.unknown_scenarios:
        console.print(f"not fitted on: {', '.join(report.unknown_scenarios)}")
    for reason in report.reasons:
        console.print(reason.text, markup=False, soft_wrap=True)
    style = "green" if report.verdict == "accept" else "red"
    console.print(f"{report.verdict}, from {report.runs} runs", style=style)


@contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    """Say what is being done; mistakes about models are the user's."""
    from experiment_model import ModelError
    from ns3_scenarios.errors import UserError

    console = err_console()

    def say(step: str) -> None:
        status.update(step)
        if not console.is_terminal:
            console.print(step, style="dim", markup=False)

    with console.status("starting") as status:
        try:
            yield say
        except ModelError as error:
            raise UserError(str(error)) from None


def _show(report: ValidationReport, html: Path | None, as_json: bool) -> None:
    if html:
        from calibration.validation import write_page

        write_page(report, html)
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    from rich.table import Table

    console = out_console()
    for kind, found in report.kinds.items():
        table = Table("KPI", "unit", "R²", "MAE", "RMSE / noise floor", "coverage %", title=kind)
        for name, kpi in found.kpis.items():
            scores = kpi.pooled
            floor, rmse = scores.floor.rmse, scores.floor.model_rmse
            ratio = rmse / floor if rmse is not None and floor else None
            table.add_row(
                name, kpi.unit, *(_figure(v) for v in (scores.r2, scores.mae, ratio)),
                _figure(scores.coverage_pct),
            )  # fmt: skip
        console.print(table)
    failed = [gate for gate in report.gates if gate.holds is False]
    style = "green" if report.passed else "red"
    console.print(
        f"{len(report.gates) - len(failed)} of {len(report.gates)} gates hold on "
        f"{report.data.runs} runs that were kept apart",
        style=style,
    )


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
