# SPDX-License-Identifier: Apache-2.0
"""All that a person sees of a network in a terminal: map, slices, alarms, goal: `dashboard`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from env.goals import Goal, judge
from env.kpis import Kpis
from env.sla import sla_holds, sla_terms
from env.tasks import Attempt
from env.text_map import network_map, slice_styles
from env.tools.observation.alarms import AlarmList, ListAlarms, list_alarms
from env.verifying import HEADLINE
from env.view import View

SIDE_BY_SIDE = 150
"""Width of a terminal from which the map stands beside the rest."""
WIDEST_MAP = 76
ALARMS = 6
"""Alarms that are named."""
NOTABLE = 0.05
"""Relative change of a KPI that gets an arrow."""
HEADS = {
    "throughput_mbps": "Mbit/s",
    "latency_ms": "delay ms",
    "jitter_ms": "jitter",
    "packet_loss_pct": "lost %",
    "within_budget_pct": "in time %",
    "edge_load_pct": "edge %",
}
_MISSED = {
    "latency": ("delay", ">"),
    "within_budget": ("in time", "<"),
    "guaranteed_rate": ("rate", "<"),
}
_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}


def dashboard(
    view: View, width: int, *, before: Kpis | None = None, attempt: Attempt | None = None
) -> RenderableType:
    """Show a network as it is.

    Args:
        view: of the network.
        width: of the terminal, in characters.
        before: KPIs that were shown last; those that have changed since get an arrow.
        attempt: at the task, if there is one.
    """
    seconds = view.interval * view.scenario.interval_ms * 1e-3
    title = Text(f"{view.scenario.name}, interval {view.interval}, {seconds:.1f} s", "bold")
    parts: list[RenderableType] = [_slices(view, before), _lines(view)]
    if attempt:
        parts.append(_goal(attempt))
    map_ = network_map(view, min(width, WIDEST_MAP))
    if width < SIDE_BY_SIDE:
        return Group(title, map_, *parts)
    both = Table.grid(padding=(0, 3))
    both.add_row(map_, Group(*parts))
    return Group(title, both)


def _slices(view: View, before: Kpis | None) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("slice")
    for kpi in HEADLINE:
        table.add_column(HEADS[kpi], justify="right")
    table.add_column("SLA")
    for name, style in slice_styles(view).items():
        if not view.scope.has(name):
            continue
        figures = [
            _figure(_kpi(view.now, name, kpi), _kpi(before, name, kpi) if before else math.nan)
            for kpi in HEADLINE
        ]
        table.add_row(Text(name, style), *figures, _sla(view, name))
    return table


def _kpi(kpis: Kpis, slice_: str, kpi: str) -> float:
    rows = kpis.where("network", slice=slice_)
    return float(kpis.column("network", kpi)[rows[0]]) if len(rows) else math.nan


def _figure(value: float, before: float) -> str:
    if not math.isfinite(value):
        return "– "
    apart = value - before if math.isfinite(before) else 0.0
    arrow = " " if abs(apart) <= NOTABLE * abs(before) or not apart else "↑" if apart > 0 else "↓"
    return f"{value:.0f}{arrow}" if abs(value) >= 1000 else f"{value:.3g}{arrow}"


def _sla(view: View, slice_: str) -> Text:
    terms = sla_terms(view.scenario, slice_, [view.now])
    mark, style = _MARKS[sla_holds(terms)]
    missed = [
        f"{word} {than} {term.target:.3g} {term.unit}"
        for term in terms
        if term.holds is False
        for word, than in [_MISSED[term.name]]
    ]
    return Text(f"{mark} {', '.join(missed)}", style)


def _lines(view: View) -> Text:
    """Power, edge sites, links, UAVs and alarms."""
    now, scope = view.now, view.scope
    power_w = float(np.nansum(now.column("cell", "power_w").astype(float)))
    facts = [f"power of all cells {power_w:.0f} W"]
    facts += [
        f"edge site {row['site']} {row['util_pct']:.0f} %"
        for row in now.rows("edge")
        if scope.has(row["site"]) and row["util_pct"] is not None
    ]
    links = [row for row in now.rows("link") if scope.has(row["link"])]
    used = [row for row in links if row["util_pct"] is not None]
    if used:
        busiest = max(used, key=lambda row: row["util_pct"])
        facts.append(f"busiest link {busiest['link']} {busiest['util_pct']:.0f} %")
    users = now.rows("ue") if view.uavs else []
    charged = [row for row in users if row["battery_pct"] is not None and scope.has(row["ue"])]
    if charged:
        lowest = min(charged, key=lambda row: row["battery_pct"])
        facts.append(f"lowest battery {lowest['ue']} {lowest['battery_pct']:.0f} %")
    text = Text("; ".join(facts))
    down = dict.fromkeys(row["link"] for row in links if row["up"] is not None and not row["up"])
    if down:
        text.append(f"\nlinks down: {', '.join(down)}", "bold red")
    alarms = list_alarms.run(view, ListAlarms(limit=ALARMS))
    assert isinstance(alarms, AlarmList)
    text.append(f"\nactive alarms: {alarms.active.total}")
    for alarm in alarms.active.items:
        style = "red" if alarm.severity in ("critical", "major") else "yellow"
        text.append(f"\n  {alarm.severity}: {alarm.cause} of {alarm.element}", style)
        text.append(f"  ({alarm.alarm})", "dim")
    return text


def _goal(attempt: Attempt) -> Text:
    task, environment = attempt.task, attempt.environment
    text = Text().append(f"task {task.name}: {attempt.status}", "bold")
    _predicates(text, "goal", task.goal, attempt)
    _predicates(text, "constraint", task.constraints, attempt)
    held, changes, calls = attempt.held, len(environment.changes), environment.n_calls
    text.append(
        f"\n  held {held} of {task.hold_intervals} intervals; {changes} of {task.max_changes} "
        f"changes, {calls} of {task.max_calls} calls used"
    )
    return text


def _predicates(text: Text, kind: str, goal: Goal, attempt: Attempt) -> None:
    backend = attempt.environment.backend
    for verdict in judge(goal, backend.history, backend.controls):
        mark, style = _MARKS[verdict.holds]
        now: Any = "" if verdict.value is None else f", now {verdict.value:.4g}"
        text.append(f"\n  {mark} {kind}: {verdict.predicate.text}{now}", style)
