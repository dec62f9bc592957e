# SPDX-License-Identifier: Apache-2.0
"""The commands about tools, tasks and episodes.

Results go to standard output (with `--json` nothing else does), everything else to standard error.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ns3_scenarios.cli import JsonOption, err_console, out_console, print_json

if TYPE_CHECKING:
    from env.backends.base import Backend, BackendName
    from env.environment import Event
    from env.episodes import Log
    from env.playing import Played
    from env.tasks import Task
    from ns3_scenarios.scenario import ScenarioConfig

app = typer.Typer()
episodes_app = typer.Typer(no_args_is_help=True, help="Recorded episodes.")
app.add_typer(episodes_app, name="episodes")

EPISODES = Path("episodes")
DISAGREES = 1
"""Exit status where a check finds a difference."""

ModelOption = Annotated[
    Path | None, typer.Option("--model", help="Folder of a model.", show_default="the package's")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of all random streams.")]
BackendOption = Annotated[
    str, typer.Option("--backend", "-b", help="surrogate, ns3 or auto.", metavar="NAME")
]
WhatArgument = Annotated[
    str, typer.Argument(metavar="SCENARIO|TASK", help="Name or YAML file of a scenario or a task.")
]
OutOption = Annotated[Path, typer.Option("--out", help="Where episodes are kept.")]
EpisodeArgument = Annotated[Path, typer.Argument(metavar="EPISODE", help="Folder of an episode.")]


@app.command()
def tools(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the tools, or say all about one: what it does, its arguments and its JSON Schema."""
    from env.errors import EnvUserError
    from env.tools import TOOLS

    if name is not None and name not in TOOLS:
        raise EnvUserError(f"there is no tool {name!r}; there are {', '.join(TOOLS)}")
    chosen = [TOOLS[name]] if name else list(TOOLS.values())
    if as_json:
        found = [
            {
                "name": t.name,
                "effect": t.effect,
                "description": t.description,
                "parameters": t.schema,
            }
            for t in chosen
        ]
        print_json(found[0] if name else found)
        return
    console = out_console()
    if name:
        console.print(f"[bold]{chosen[0].name}[/]  {chosen[0].effect}\n")
        console.print(chosen[0].description, markup=False)
        console.print()
        console.print_json(json.dumps(chosen[0].schema))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("#", "tool", "effect", "what it does"):
        table.add_column(column)
    for number, t in enumerate(chosen, 1):
        table.add_row(str(number), t.name, t.effect, t.description.splitlines()[0])
    console.print(table)


@app.command()
def tasks(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Print this one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the tasks of the package, or print one as YAML."""
    from env.tasks import PACKAGED, load_task, task_names

    if name is not None:
        task = load_task(name)
        if as_json:
            print_json(task.model_dump(mode="json"))
        else:
            print((PACKAGED / f"{name}.yaml").read_text(), end="")
        return
    every = [load_task(each) for each in task_names()]
    if as_json:
        print_json([{"name": t.name, "intent": t.intent} for t in every])
        return
    for task in every:
        out_console().print(f"[bold]{task.name}[/]  {task.scenario.name}\n    {task.intent}")


@app.command()
def run(
    what: WhatArgument,
    backend: BackendOption = "surrogate",
    agent: Annotated[
        str,
        typer.Option(
            "--agent", "-a", help="hold, random, recovery, rules, reference[:SHARE] or script:FILE."
        ),
    ] = "hold",
    seed: SeedOption = 1,
    intervals: Annotated[
        int, typer.Option("--intervals", min=1, help="Of an episode without a task.")
    ] = 10,
    model: ModelOption = None,
    out: OutOption = EPISODES,
    as_json: JsonOption = False,
) -> None:
    """Let an agent play one episode, and keep it."""
    from env.agents import make_agent
    from env.narrating import told
    from env.playing import play

    task, scenario = task_or_scenario(what)
    make = maker(backend, scenario, seed, model)

    def tell(event: Event) -> None:
        answer = event.answer
        line = told(event.tool, event.arguments, answer.ok, answer.content, answer.interval)
        err_console().print(line, markup=False, soft_wrap=True)

    played = play(
        make,
        make_agent(agent, task),
        task=task,
        intervals=intervals,
        episodes=out,
        on_event=None if as_json else tell,
        model=str(model or ""),
    )
    _show_played(played, as_json)


@app.command()
def play(
    what: WhatArgument,
    backend: BackendOption = "surrogate",
    seed: SeedOption = 1,
    model: ModelOption = None,
    out: OutOption = EPISODES,
) -> None:
    """Call tools by hand, watch the map of the network change, and keep the episode."""
    from env.interactive import play as play_by_hand
    from env.playing import begin

    task, scenario = task_or_scenario(what)
    make = maker(backend, scenario, seed, model)
    begun = begin(make, task, agent="human", episodes=out, model=str(model or ""))
    _show_played(play_by_hand(begun, out_console()), as_json=False)


@app.command()
def verify(
    episode: EpisodeArgument,
    backend: BackendOption = "ns3",
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play a recorded episode again on live NS-3, and say what differs.

    The exit status is 1 where the outcome is another one, or a call was answered otherwise.
    """
    from env.episodes import read_log
    from env.verifying import verify as check

    log = read_log(episode)
    found = check(log, maker(backend, log.header.scenario, log.header.seed, model))
    if as_json:
        print_json(dataclasses.asdict(found) | {"agrees": found.agrees})
    else:
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for column in ("slice", "KPI", found.recorded_on, found.replayed_on, "mean |difference|"):
            table.add_column(column, justify="left" if column in ("slice", "KPI") else "right")
        for d in found.differences:
            figures = (d.recorded, d.replayed, d.mean_absolute_difference)
            table.add_row(d.slice, d.kpi, *("–" if f is None else f"{f:.2f}" for f in figures))
        out_console().print(table)
        out_console().print(
            f"outcome: {found.recorded_outcome} on {found.recorded_on}, {found.replayed_outcome} "
            f"on {found.replayed_on}; {len(found.answered_otherwise)} calls answered otherwise",
            soft_wrap=True,
        )
    if not found.agrees:
        raise typer.Exit(DISAGREES)


@episodes_app.command("list")
def list_episodes(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]")] = EPISODES,
    as_json: JsonOption = False,
) -> None:
    """List the episodes of a folder."""
    from env.episodes import read_logs
    from env.errors import EnvUserError

    if folder != EPISODES and not folder.is_dir():
        raise EnvUserError(f"there is no folder {folder}")
    rows = [_summary(log) for log in read_logs(folder)]
    if as_json:
        print_json(rows)
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("episode", "task", "backend", "agent", "calls", "intervals", "outcome"):
        table.add_column(column)
    for row in rows:
        table.add_row(*(str(row[c]) for c in row))
    out_console().print(table)


@episodes_app.command()
def show(episode: EpisodeArgument, as_json: JsonOption = False) -> None:
    """Show an episode step by step."""
    from env.episodes import read_log
    from env.narrating import told

    log = read_log(episode)
    if as_json:
        print_json(
            {
                "header": log.header.model_dump(mode="json"),
                "calls": [call.model_dump(mode="json") for call in log.calls],
                "ending": log.ending.model_dump(mode="json") if log.ending else None,
            }
        )
        return
    console = out_console()
    header = log.header
    console.print(
        f"[bold]{log.name}[/]  {header.scenario.name}, seed {header.seed}, on {header.backend}, "
        f"agent {header.agent or '–'}",
        soft_wrap=True,
    )
    if header.task:
        console.print(f"{header.task.name}: {header.task.intent}", markup=False)
    for number, call in enumerate(log.calls):
        line = told(call.tool, call.arguments, call.ok, call.content, call.interval)
        console.print(f"{number:3} {line}", markup=False, soft_wrap=True)
    ending = log.ending
    if ending is None:
        console.print("it has no end: killed, or still going")
    else:
        console.print(_outcome(ending.outcome, ending.reason), markup=False, soft_wrap=True)


@episodes_app.command()
def replay(
    episode: EpisodeArgument,
    backend: BackendOption = "surrogate",
    model: ModelOption = None,
    out: OutOption = EPISODES,
    as_json: JsonOption = False,
) -> None:
    """Make the calls of an episode again, on any backend, and keep the new episode."""
    from env.episodes import read_log
    from env.playing import play_again

    log = read_log(episode)
    make = maker(backend, log.header.scenario, log.header.seed, model)
    _show_played(play_again(make, log, episodes=out, model=str(model or "")), as_json)


@episodes_app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With episodes.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the Parquet files.")],
) -> None:
    """Write all calls and KPIs of a folder of episodes as Parquet, one file a table."""
    from env.exporting import export as write

    counts = write(folder, out)
    what = ", ".join(f"{n} rows of {table}" for table, n in counts.items())
    out_console().print(f"{out}: {what}", soft_wrap=True)


def task_or_scenario(what: str) -> tuple[Task | None, ScenarioConfig]:
    """A task and its network, or no task and a scenario, by name or file.

    Raises:
        UserError: there is neither.
    """
    from env.errors import EnvUserError
    from env.tasks import load_task, task_names
    from ns3_scenarios.library import is_path, load_scenario, read_yaml, scenario_names

    data = read_yaml(Path(what)) if is_path(what) else {}
    if what in task_names() or (isinstance(data, dict) and "goal" in data):
        task = load_task(what)
        return task, task.network
    if is_path(what) or what in scenario_names():
        return None, load_scenario(what)
    raise EnvUserError(
        f"{what!r} is neither a task ({', '.join(task_names())}) nor a scenario "
        f"({', '.join(scenario_names())})"
    )


def maker(
    backend: str, scenario: ScenarioConfig, seed: int, model: Path | None
) -> Callable[[], Backend]:
    """Makes the network of an episode; its arguments are checked now."""
    make = numbered_maker(backend, scenario, seed, model)
    return lambda: make(0)


def numbered_maker(
    backend: str, scenario: ScenarioConfig, seed: int, model: Path | None
) -> Callable[[int], Backend]:
    """Makes the network of episode n, with the seed plus n; its arguments are checked now."""
    from typing import cast

    from env.backends.making import backend_maker
    from ns3_scenarios.simulate import check_seed

    check_seed(seed)
    make = backend_maker(cast("BackendName", backend), scenario, model)
    return lambda n: make(seed + n)


def _show_played(played: Played, as_json: bool) -> None:
    environment = played.environment
    found = {
        "outcome": played.outcome,
        "reason": played.reason,
        "calls": environment.n_calls,
        "changes": len(environment.changes),
        "intervals": environment.backend.interval,
        "path": str(played.path),
    }
    if as_json:
        print_json(found)
        return
    out_console().print(
        f"{_outcome(played.outcome, played.reason)}; {found['calls']} calls, "
        f"{found['changes']} changes, {found['intervals']} intervals; kept in {played.path}",
        markup=False,
        soft_wrap=True,
    )


def _outcome(outcome: str, reason: str) -> str:
    return f"{outcome}: {reason}" if reason else outcome


def _summary(log: Log) -> dict[str, Any]:
    header, ending = log.header, log.ending
    return {
        "episode": log.name,
        "task": header.task.name if header.task else header.scenario.name,
        "backend": header.backend,
        "agent": header.agent,
        "calls": sum(bool(call.tool) for call in log.calls),
        "intervals": log.n_intervals,
        "outcome": ending.outcome if ending else "unfinished",
    }
