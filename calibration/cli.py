# SPDX-License-Identifier: Apache-2.0
"""The commands that fit models to traces and judge them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ns3_scenarios.cli import JsonOption, default_jobs, err_console, out_console, print_json

if TYPE_CHECKING:
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
    from experiment_model import DEFAULT_MODEL

    if str(model) == DEFAULT_MODEL.name:
        model = DEFAULT_MODEL
    with _steps() as on_step:
        report = validate_on(model, traces, what_ifs=what_ifs, jobs=default_jobs(), on_step=on_step)
    _show(report, html, as_json)
    if not report.passed:
        raise typer.Exit(FAILED)


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
