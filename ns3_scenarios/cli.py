# SPDX-License-Identifier: Apache-2.0
"""The commands about scenarios, simulations, sweeps and datasets.

Results go to standard output (with `--json` nothing else does), everything else to standard error.
Heavy libraries are imported by the commands that need them, so that the command line starts fast.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

if TYPE_CHECKING:
    from rich.console import Console

    from ns3_scenarios.sweeps import Progress

app = typer.Typer()

PLAIN_EVERY_S = 10.0
"""How often progress is a line of text where there is no terminal to draw a bar on."""
INTERRUPTED = 130
CHECK = "check"
"""What the command `traces` is followed by to check instead of summing up."""

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON and nothing else.")
]
OutOption = Annotated[Path | None, typer.Option("--out", help="Folder of the dataset.")]


def default_jobs() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", min=1, help="Simulations at the same time.", show_default="all cores"
    ),
]


def out_console() -> Console:
    """Where results are shown."""
    from rich.console import Console

    return Console(highlight=False)


def err_console() -> Console:
    """Where everything but results is shown."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def print_json(data: Any) -> None:
    """Print a result for machines."""
    print(json.dumps(data, indent=1))


@app.command()
def scenarios(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Print this one, to start your own from.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the scenarios of the package, or print one as YAML."""
    from ns3_scenarios.library import load_scenario, scenario_names, scenario_text

    if name is not None:
        scenario = load_scenario(name)
        if as_json:
            print_json(scenario.model_dump(mode="json"))
        else:
            print(scenario_text(name), end="")
        return
    known = [load_scenario(each) for each in scenario_names()]
    if as_json:
        print_json(
            [
                {
                    "name": s.name,
                    "description": s.description,
                    "cells": s.n_cells,
                    "users": s.n_users,
                    "duration_s": s.duration_s,
                    "interval_ms": s.interval_ms,
                    "config_hash": s.config_hash(),
                }
                for s in known
            ]
        )
        return
    from rich.padding import Padding

    console = out_console()
    for s in known:
        bands = ", ".join(f"{c.bandwidth_mhz:g} MHz at {c.frequency_ghz:g} GHz" for c in s.carriers)
        size = f"{s.n_cells} cells, {s.n_users} users, {bands}, {s.duration_s:g} s"
        console.print(f"[bold]{s.name}[/]  {size}", soft_wrap=True)
        console.print(Padding(s.description, (0, 0, 1, 4)))


@app.command()
def simulate(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="A name, or the path of a YAML file.")
    ],
    seed: Annotated[int, typer.Option(help="Of all random streams.")] = 1,
    duration: Annotated[
        float | None, typer.Option(help="Simulated seconds, instead of the scenario's own.")
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate a scenario once; with --out, keep the result as a dataset."""
    from ns3_scenarios.library import load_scenario
    from ns3_scenarios.sweeps import parse_spec, sweep

    spec = parse_spec(
        {"scenario": load_scenario(scenario), "seeds": [seed], "duration_s": duration}, scenario
    )
    console = err_console()

    def tell(progress: Progress) -> None:
        if progress.message:
            console.print(progress.message, style="dim", markup=False)

    with tempfile.TemporaryDirectory(prefix="sixg-") as scratch, _interval_bar() as on_interval:
        folder = out or Path(scratch, spec.scenario.name)
        dataset = sweep(spec, folder, on_progress=tell, on_interval=on_interval)
        summary = _summary(dataset.path)
    if out is None:
        summary["dataset"] = None
    _show_summary(summary, as_json)


@app.command()
def sweep(
    spec: Annotated[
        Path, typer.Argument(metavar="SPEC", help="YAML file that says what to sweep.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the dataset.")],
    jobs: JobsOption = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Simulate on the workers of this Dask scheduler, without --jobs: the cluster "
            "decides how many.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate all runs of a sweep that the dataset does not have yet."""
    from ns3_scenarios.sweeps import sweep as run_sweep

    kept = "; what has ended is kept, and the same command goes on from there"
    try:
        with _sweep_bar() as on_progress:
            here = jobs if scheduler else jobs or default_jobs()
            run_sweep(spec, out, here, on_progress, scheduler=scheduler)
    except KeyboardInterrupt:
        err_console().print(f"stopped{kept}", style="yellow")
        raise typer.Exit(INTERRUPTED) from None
    _show_summary(_summary(out), as_json)


class SummaryOrCheck(typer.core.TyperCommand):
    """`traces DIR`, which hands `traces check DIR` over to the command `check`."""

    def make_context(
        self, info_name: Any, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """The context of whichever command is meant."""
        if args[:1] == [CHECK] and not self._is_folder(info_name, args, parent):
            command = typer.main.get_command(checks)
            return command.make_context(f"{info_name} {CHECK}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def _is_folder(self, info_name: Any, args: list[str], parent: Any) -> bool:
        """Whether `check` is the folder to sum up: there is one, and no other is named."""
        further = super().make_context(info_name, list(args), parent, resilient_parsing=True).args
        return not further and Path(CHECK).is_dir()


checks = typer.Typer(add_completion=False)


@app.command(
    cls=SummaryOrCheck, epilog="`traces check DIR` says what keeps DIR from being calibrated on."
)
def traces(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a dataset.")],
    plot: Annotated[bool, typer.Option("--plot", help="Draw pictures, too.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the pictures; by default DIR/plots.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare every file with its hash first.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Sum up a dataset; with --plot, draw it."""
    from ns3_scenarios.dataset import Dataset

    dataset = Dataset.open(folder)
    if verify:
        dataset.verify()
    summary = _summary(folder)
    if plot or out:
        from ns3_scenarios.plots import plot_dataset

        summary["plots"] = [str(path) for path in plot_dataset(dataset, out)]
    _show_summary(summary, as_json)


@checks.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a dataset.")],
    as_json: JsonOption = False,
) -> None:
    """Say what keeps a dataset, of NS-3 or not, from being calibrated on; exits with 1 then.

    docs/traces.md describes the format.
    """
    from ns3_scenarios.checking import check_dataset
    from ns3_scenarios.checking.printing import print_report

    with _run_bar() as on_runs:
        report = check_dataset(folder, on_runs)
    if as_json:
        print_json(report.as_dict())
    else:
        print_report(report, out_console())
    if not report.ok:
        raise typer.Exit(1)


@app.command("validate-ran")
def validate_ran(
    reference: Annotated[
        Path | None,
        typer.Option(help="CSV of configurations; by default the figures the project quotes."),
    ] = None,
    users: Annotated[
        Path | None, typer.Option(help="CSV of the three-cell runs, user by user.")
    ] = None,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the RAN model with reference figures; exits with 1 when a row fails."""
    from ns3_scenarios.validation import validate

    _build_ran()
    with _row_bar() as on_row:
        report = validate(reference, users, jobs=jobs or default_jobs(), on_row=on_row)
    if as_json:
        print_json(report.as_dict())
    else:
        from ns3_scenarios.validation.printing import report_lines, summary_line

        console = out_console()
        for line in report_lines(report):
            console.print(line, soft_wrap=True)
        console.print(summary_line(report), style="green" if report.holds else "red")
    if not report.holds:
        raise typer.Exit(1)


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Say what is installed and whether the simulator starts; exits with 1 when it does not."""
    from ns3_scenarios.doctor import examine

    findings = []
    console, errors = out_console(), err_console()
    for finding in examine(lambda text: errors.print(text, style="dim")):
        findings.append(finding)
        if as_json:
            continue
        mark = "[green]ok[/]     " if finding.ok else "[bold red]missing[/]"
        console.print(f"{mark} {finding.name}: {finding.found}")
        if finding.fix:
            console.print(f"        {finding.fix}", markup=False)
    well = all(finding.ok for finding in findings)
    if as_json:
        print_json({"ok": well, "findings": [finding.as_dict() for finding in findings]})
    if not well:
        raise typer.Exit(1)


def _build_ran() -> None:
    """Compile the RAN model if it has not been, which takes a minute, and say so."""
    from ns3_scenarios.ran.build import ensure_built

    console = err_console()
    ensure_built(lambda text: console.print(text, style="dim"))


def _summary(folder: Path) -> dict[str, Any]:
    from ns3_scenarios.dataset import Dataset
    from ns3_scenarios.report import summarize

    return summarize(Dataset.open(folder))


def _show_summary(summary: dict[str, Any], as_json: bool) -> None:
    from ns3_scenarios.report import print_summary

    if as_json:
        print_json(summary)
        return
    console = out_console()
    print_summary(summary, console)
    for path in summary.get("plots", ()):
        console.print(path, markup=False)


@contextmanager
def progress_bar(
    unit: str,
) -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar with rate and time left on a terminal, and a line now and then elsewhere.

    Yields:
        A function that takes what is done, of how much, and what to show beside it.
    """
    console = err_console()
    if not console.is_terminal:
        last_s = float("-inf")

        def line(done: int, total: int, note: str) -> None:
            nonlocal last_s
            if time.monotonic() - last_s >= PLAIN_EVERY_S or done == total:
                last_s = time.monotonic()
                console.print(f"{done} of {total} {unit}{', ' * bool(note)}{note}")

        yield line
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn(unit + " {task.fields[note]}"))
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None, note="")
        yield lambda done, total, note: bar.update(task, completed=done, total=total, note=note)


@contextmanager
def _interval_bar() -> Iterator[Callable[[int, int], None]]:
    with progress_bar("intervals") as show:
        yield lambda done, total: show(done, total, "")


@contextmanager
def _run_bar() -> Iterator[Callable[[int, int], None]]:
    started = time.monotonic()
    with progress_bar("runs") as show:

        def on_runs(done: int, total: int) -> None:
            rate_per_s = done / max(time.monotonic() - started, 1e-3)
            left = f", {_duration((total - done) / rate_per_s)} left" if done < total else ""
            show(done, total, f"{rate_per_s:.0f} runs/s{left}")

        yield on_runs


@contextmanager
def _row_bar() -> Iterator[Callable[[Any, int, int], None]]:
    with progress_bar("rows") as show:
        yield lambda _, done, total: show(done, total, "")


@contextmanager
def _sweep_bar() -> Iterator[Callable[[Progress], None]]:
    console = err_console()
    with progress_bar("runs") as show:

        def on_progress(progress: Progress) -> None:
            if progress.message:
                console.print(progress.message, style="yellow", markup=False)
            notes = [f"{progress.rate_per_s:.2f} runs/s"] if progress.rate_per_s else []
            if (left_s := progress.remaining_s) is not None:
                notes.append(f"{_duration(left_s)} left")
            if progress.resumed:
                notes.append(f"{progress.resumed} from before")
            if progress.failed:
                notes.append(f"{progress.failed} failed")
            show(progress.done, progress.total, ", ".join(notes))

        yield on_progress


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
