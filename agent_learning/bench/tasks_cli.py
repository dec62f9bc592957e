# SPDX-License-Identifier: Apache-2.0
"""The commands `bench tasks`, `bench audit` and `bench freeze`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ns3_scenarios.cli import (
    JsonOption,
    default_jobs,
    err_console,
    out_console,
    print_json,
    progress_bar,
)

if TYPE_CHECKING:
    from agent_learning.bench.auditing import Audited
    from agent_learning.bench.splits import Solved
    from agent_learning.bench.task import BenchTask
    from env.backends.base import BackendName

FAILED, INTERRUPTED = 1, 130
TIERS = ("L1", "L2", "L3")
ALL = "all"

SplitOption = Annotated[
    str, typer.Option("--split", "-s", metavar="NAME", help="train, evaluation, basic or all.")
]
TemplateOption = Annotated[
    list[str] | None, typer.Option("--template", "-t", metavar="NAME", help="Only of this one.")
]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, help="Tasks at the same time.", show_default="all cores"),
]


def tasks(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Show these tasks whole.")
    ] = None,
    split: SplitOption = "evaluation",
    template: TemplateOption = None,
    tools: Annotated[
        bool, typer.Option("--tools", help="Say which templates need each of the 42 tools.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say which tasks the benchmark has: how many of each template, or single ones whole."""
    from agent_learning.errors import BenchUserError

    found = _chosen(ALL if ids else split, template)
    if ids:
        by_id = {task.id: task for task in found}
        for id_ in ids:
            if id_ not in by_id:
                raise BenchUserError(f"there is no task {id_!r}; `sixg bench tasks --json` has all")
        print_json([by_id[id_].as_frozen() for id_ in ids])
    elif tools:
        _show_tools(found, as_json)
    elif as_json:
        print_json([task.as_frozen() for task in found])
    else:
        _show_counts(found)


def audit(
    split: SplitOption = "evaluation",
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", "-b", help="surrogate or ns3.", show_default="both"),
    ] = None,
    template: TemplateOption = None,
    per_template: Annotated[
        int | None, typer.Option("--per-template", "-n", min=1, help="Only so many of each.")
    ] = None,
    random: Annotated[
        int, typer.Option("--random", min=0, help="Episodes of the random agent at each task.")
    ] = 1,
    jobs: JobsOption = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of what is found.")] = Path("audit"),
    as_json: JsonOption = False,
) -> None:
    """Check that tasks are neither solved at the start, nor by waiting, nor by chance, but can be.

    The same command goes on after an interruption. The exit status is 1 where a task is unsound.
    """
    from agent_learning.bench.auditing import audit as audit_tasks

    chosen = _first(_chosen(split, template), per_template)
    findings: list[Audited] = []
    try:
        for name in backend or ["surrogate", "ns3"]:
            with progress_bar(f"tasks on {name}") as show:
                findings += audit_tasks(
                    chosen,
                    _backend(name),
                    out,
                    random_episodes=random,
                    jobs=jobs or default_jobs(),
                    on_done=lambda done, total, show=show: show(done, total, ""),  # type: ignore[misc]
                )
    except KeyboardInterrupt:
        kept = "what has been found is kept, and the same command goes on from there"
        err_console().print(f"stopped; {kept}", style="yellow")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        rows = [{**one.model_dump(mode="json"), "faults": one.faults} for one in findings]
        print_json({"summary": summary_of(findings), "tasks": rows})
    else:
        _show_findings(findings)
    if any(one.faults for one in findings):
        raise typer.Exit(FAILED)


def freeze(
    out: Annotated[Path, typer.Option("--out", help="Folder of the frozen tasks.")],
    per_template: Annotated[
        int | None,
        typer.Option("--per-template", "-n", min=1, help="Tasks of each.", show_default="12, 20"),
    ] = None,
    template: TemplateOption = None,
    audited: Annotated[
        list[Path] | None,
        typer.Option(
            "--audit", metavar="DIR", help="Draw nothing, but drop tasks that an audit faults."
        ),
    ] = None,
    runs: Annotated[
        list[Path] | None,
        typer.Option(
            "--run", metavar="DIR", help="Draw nothing, but move tasks all runs solve to basic."
        ),
    ] = None,
    final: Annotated[
        bool, typer.Option("--final", help="The tasks of this version will not change any more.")
    ] = False,
    jobs: JobsOption = None,
) -> None:
    """Draw the tasks anew and freeze them, or sift those that are frozen.

    Drawn are tasks that the surrogate finds sound. Sifted are the tasks of the package: those that
    an audit found unsound are out, those that every run solves above 80 % become basic.
    """
    from agent_learning.bench.loading import freeze as write

    if audited or runs:
        found = _sifted(audited or [], runs or [])
    else:
        found = _drawn(template, per_template, jobs or default_jobs())
    manifest = write(found, out, provisional=not final)
    counts = ", ".join(f"{file.tasks} {split}" for split, file in manifest.splits.items())
    out_console().print(f"froze {counts} tasks in {out}", markup=False, soft_wrap=True)


def summary_of(findings: Sequence[Audited]) -> list[dict[str, Any]]:
    """Counts of findings by backend and tier, and over all tiers."""
    rows = []
    for backend in sorted({one.backend for one in findings}, reverse=True):
        for tier in (*TIERS, ALL):
            mine = [o for o in findings if o.backend == backend and tier in (o.tier, ALL)]
            if not mine:
                continue
            episodes = sum(one.random_episodes for one in mine)
            solved = sum(one.random_solved for one in mine)
            rows.append(
                {
                    "backend": backend,
                    "tier": tier,
                    "tasks": len(mine),
                    "sound": sum(not one.faults for one in mine),
                    "holds_at_start": sum(one.starts_solved for one in mine),
                    "waiting_solves": sum(one.waiting_solves for one in mine),
                    "reference_solves": sum(one.reference_solves for one in mine),
                    "random_solves_pct": round(100 * solved / episodes, 2) if episodes else None,
                    "errors": sum(bool(one.error) for one in mine),
                    "seconds_per_task": round(sum(one.seconds for one in mine) / len(mine), 2),
                }
            )
    return rows


def _backend(name: str) -> BackendName:
    from agent_learning.errors import BenchUserError

    match name:
        case "surrogate" | "ns3":
            return name
        case _:
            raise BenchUserError(f"backend={name!r} is not allowed; it must be surrogate or ns3")


def _chosen(split: str, templates: list[str] | None) -> list[BenchTask]:
    from agent_learning.bench.loading import load_tasks
    from agent_learning.bench.template import load_template

    splits = ("train", "evaluation", "basic") if split == ALL else (split,)
    found = [task for one in splits for task in load_tasks(one)]
    if not templates:
        return found
    names = {load_template(name).name for name in templates}
    return [task for task in found if task.template in names]


def _first(tasks: list[BenchTask], per_template: int | None) -> list[BenchTask]:
    seen: Counter[str] = Counter()
    found = []
    for task in tasks:
        seen[task.template] += 1
        if per_template is None or seen[task.template] <= per_template:
            found.append(task)
    return found


def _drawn(templates: list[str] | None, per_template: int | None, jobs: int) -> list[BenchTask]:
    from agent_learning.bench.splits import draw_split
    from agent_learning.bench.template import load_template, template_names

    chosen = [load_template(name) for name in templates or template_names()]
    with progress_bar("templates for evaluation") as show:
        evaluation = draw_split(
            chosen,
            "evaluation",
            per_template,
            jobs=jobs,
            on_done=lambda done, total: show(done, total, ""),
        )
    with progress_bar("templates for training") as show:
        train = draw_split(
            chosen,
            "train",
            per_template,
            apart_from=evaluation,
            jobs=jobs,
            on_done=lambda done, total: show(done, total, ""),
        )
    return [*evaluation, *train]


def _sifted(audits: list[Path], runs: list[Path]) -> list[BenchTask]:
    from agent_learning.bench.auditing import read_audit
    from agent_learning.bench.splits import move_easy

    faulty = {one.task_id for each in audits for one in read_audit(each) if one.faults}
    kept = [task for task in _chosen(ALL, None) if task.id not in faulty]
    return move_easy(kept, [rate for each in runs for rate in _rates(each)])


def _rates(run: Path) -> list[Solved]:
    """Of the summary of a run; trials that the infrastructure failed do not count."""
    import pandas as pd

    from agent_learning.bench.splits import Solved
    from agent_learning.errors import BenchUserError

    file = run / "summary.parquet"
    try:
        rows = pd.read_parquet(file, columns=["task_id", "agent", "status"])
    except (OSError, ValueError) as error:
        raise BenchUserError(f"cannot read {file}: {error}") from None
    rows = rows[rows["status"] != "infrastructure"]
    by_pair: dict[tuple[str, str], list[bool]] = {}
    for task, agent, status in rows.itertuples(index=False):
        by_pair.setdefault((task, agent), []).append(status == "success")
    return [Solved(*pair, sum(won) / len(won)) for pair, won in by_pair.items()]


def _show_counts(tasks: Sequence[BenchTask]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("template", "domain", "tasks", *TIERS):
        table.add_column(column, justify="left" if column in ("template", "domain") else "right")
    order = sorted({(task.domain, task.template) for task in tasks})
    for domain, template in order:
        mine = [task for task in tasks if task.template == template]
        table.add_row(template, domain, str(len(mine)), *_by_tier(mine))
    table.add_row(f"{len(order)} templates", "", str(len(tasks)), *_by_tier(tasks), style="bold")
    out_console().print(table)


def _by_tier(tasks: Sequence[BenchTask]) -> list[str]:
    counts = Counter(task.tier for task in tasks)
    return [str(counts[tier]) if counts[tier] else "–" for tier in ("L1", "L2", "L3")]


def _show_tools(tasks: Sequence[BenchTask], as_json: bool) -> None:
    from rich.table import Table

    from agent_learning.bench.needs import templates_by_tool

    needed = templates_by_tool(tasks)
    if as_json:
        print_json(needed)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("tool", "templates whose shortest solution calls it"):
        table.add_column(column)
    for tool, templates in needed.items():
        table.add_row(tool, ", ".join(templates) or "–")
    out_console().print(table)


def _show_findings(findings: Sequence[Audited]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    rows = summary_of(findings)
    for column in rows[0] if rows else ():
        is_word = column in ("backend", "tier")
        table.add_column(column.replace("_", " "), justify="left" if is_word else "right")
    for row in rows:
        cells = ["–" if value is None else str(value) for value in row.values()]
        table.add_row(*cells, style="bold" if row["tier"] == ALL else None)
    out_console().print(table)
    for one in findings:
        if one.faults:
            text = f"{one.task_id} on {one.backend}: {'; '.join(one.faults)}"
            out_console().print(text, style="red", markup=False, soft_wrap=True)
