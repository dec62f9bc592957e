# SPDX-License-Identifier: Apache-2.0
"""The tool that says what changes put at risk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from env.backends.base import Futures
from env.sla import sla_holds, sla_terms
from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import short
from env.tools.proposing import changes_of
from env.tools.reasoning.foresight import (
    DRAWS,
    MAX_CHANGES,
    QUANTILES,
    Floats,
    Foreseen,
    ToolCall,
    controls_changes,
    known_mean,
)
from env.view import View

HORIZON = 3
"""Intervals over which the network is foreseen."""
LEAST_MOVE = 0.01
"""Share of a KPI by which it must move to count."""
SLA_RISE = 0.1
"""Rise in the probability of a violation that is a medium risk; to a half or more is a high one."""
LIKELY = 0.5
MOST_MOVED = 20

Kind = Literal["slice", "cell", "user", "link", "edge site"]

#: Tables and KPIs that are watched, with 1 where more is better.
WATCHED: tuple[tuple[Kind, str, str, dict[str, int]], ...] = (
    (
        "slice",
        "network",
        "slice",
        {"latency_ms": -1, "packet_loss_pct": -1, "throughput_mbps": 1, "within_budget_pct": 1},
    ),
    (
        "cell",
        "cell",
        "cell",
        {"dl_prb_util_pct": -1, "dl_throughput_mbps": 1, "dl_sinr_db": 1, "power_w": -1},
    ),
    (
        "user",
        "ue",
        "ue",
        {"dl_throughput_mbps": 1, "ul_throughput_mbps": 1, "rsrp_dbm": 1, "dl_sinr_db": 1},
    ),
    ("link", "link", "link", {"util_pct": -1, "delay_ms": -1, "loss_pct": -1}),
    ("edge site", "edge", "site", {"util_pct": -1, "waiting_ms": -1}),
)


class RiskAssessment(Arguments):
    """Of `risk_assessment`."""

    changes: Annotated[tuple[ToolCall, ...], Field(min_length=1, max_length=MAX_CHANGES)] = Field(
        description="Calls of configuration tools, made one after the other before the next "
        "interval; none of them really."
    )


class ConstraintCheck(Result):
    """One condition that changes should meet."""

    constraint: str
    ok: bool
    detail: str
    """What was found."""


class MovedKpi(Result):
    """A KPI that the changes move out of the interval that it has without them."""

    kind: Kind
    element: str
    kpi: str
    unchanged_low: float
    """10 % quantile without the changes."""
    unchanged_high: float
    """90 % quantile without the changes."""
    changed: float
    """Mean with the changes."""
    worse: bool


class Risk(Foreseen):
    """What changes put at risk."""

    risk: Literal["low", "medium", "high"]
    """High: a check fails, or a violation of an SLA becomes likely. Medium: it becomes 0.1 or more
    likelier, or the changes cannot be undone. Low: neither."""
    checks: list[ConstraintCheck]
    reversible: bool
    """Whether rollback_change can undo all changes."""
    controls: list[str]
    """Paths of the controls that would change."""
    elements_moved: int
    """Blast radius: cells, slices, links and edge sites of which a KPI moves."""
    users_moved: int
    """Blast radius: users of which a KPI moves."""
    moved: list[MovedKpi]
    """KPIs that move most for the worse, then others; at most 20."""
    worst: MovedKpi | None
    """The KPI that gets worse most, by the width of its interval; None where none gets worse."""


@tool("reasoning")
def risk_assessment(view: View, args: RiskAssessment) -> Risk:
    """Assess what changes put at risk before they are made.

    Checks that the changes leave every slice its SLA and no cell with users without service;
    finds the blast radius: everything of which a KPI, as a mean over 16 futures of 3
    intervals, leaves the 80 % interval that it has without the changes by more than 1 %.

    Errors: bad_arguments, no_such_element, not_allowed or conflict for a change that would be
    refused, as its own tool says; unavailable where the backend cannot look ahead.
    """
    after, changes = changes_of(view, [(c.tool, c.arguments) for c in args.changes])
    futures = view.futures(controls_changes(changes), HORIZON, DRAWS)
    nothing = view.futures((), HORIZON, DRAWS)
    checks, rises = _checks(view, after, nothing, futures)
    moved = sorted(_moved(view, nothing, futures), key=_severity, reverse=True)
    reversible = all(change.reversible for change in changes)
    risk: Literal["low", "medium", "high"] = "low"
    if not all(check.ok for check in checks):
        risk = "high"
    elif rises or not reversible:
        risk = "medium"
    worse = [m for m in moved if m.worse]
    users = {m.element for m in moved if m.kind == "user"}
    return Risk(
        risk=risk,
        checks=checks,
        reversible=reversible,
        controls=[
            change.path
            for change in controls_changes(changes)
            if view.controls.get(change.path) != change.value
        ],
        elements_moved=len({(m.kind, m.element) for m in moved if m.kind != "user"}),
        users_moved=len(users),
        moved=moved[:MOST_MOVED],
        worst=worse[0] if worse else None,
        in_distribution=nothing.in_distribution and futures.in_distribution,
        served_by=futures.served_by,
        draws=len(futures.draws),
    )


def _checks(
    view: View, after: View, nothing: Futures, futures: Futures
) -> tuple[list[ConstraintCheck], bool]:
    """What must hold, and whether a violation gets likelier without becoming likely."""
    gone = [
        cell
        for cell, control in after.controls.cells.items()
        if control.sleep_mode == "off" and view.controls.cells[cell].sleep_mode != "off"
    ]
    served = [c for c in gone if len(view.now.where("ue", cell=c))]
    detail = f"{', '.join(served)} would go off with users" if served else "no cell with users"
    checks = [
        ConstraintCheck(constraint="no cell with users goes off", ok=not served, detail=detail)
    ]
    rises = False
    for item in view.scenario.slices:
        before, later = (_violation(view, f, item.name) for f in (nothing, futures))
        if before is None or later is None:
            continue
        rises |= later - before >= SLA_RISE
        checks.append(
            ConstraintCheck(
                constraint=f"SLA of {item.name}",
                ok=not (later >= LIKELY and later - before >= SLA_RISE),
                detail=f"probability of a violation {before:.2f} without and {later:.2f} with the "
                "changes",
            )
        )
    return checks, rises


def _violation(view: View, futures: Futures, name: str) -> float | None:
    """Probability that a slice breaks its SLA over the horizon as a whole."""
    holds = [sla_holds(sla_terms(view.scenario, name, draw)) for draw in futures.draws]
    known = [h for h in holds if h is not None]
    return 1 - sum(known) / len(known) if known else None


def _moved(view: View, nothing: Futures, futures: Futures) -> Iterator[MovedKpi]:
    for kind, table, key, kpis in WATCHED:
        names = [str(n) for n in view.now.column(table, key)]
        for kpi, sign in kpis.items():
            before, after = (_means(f, table, key, kpi, names) for f in (nothing, futures))
            for name in dict.fromkeys(names):
                if not view.scope.has(name):
                    continue
                old = before[name][np.isfinite(before[name])]
                new = after[name][np.isfinite(after[name])]
                if not len(old) or not len(new):
                    continue
                low, high = np.quantile(old, QUANTILES, method="weibull")
                mean = float(new.mean())
                room = LEAST_MOVE * max(abs(low), abs(high))
                if low - room <= mean <= high + room:
                    continue
                yield MovedKpi(
                    kind=kind,
                    element=name,
                    kpi=kpi,
                    unchanged_low=short(float(low)),
                    unchanged_high=short(float(high)),
                    changed=short(mean),
                    worse=(mean < low) == (sign > 0),
                )


def _means(futures: Futures, table: str, key: str, kpi: str, names: list[str]) -> dict[str, Floats]:
    """Mean of a KPI over the intervals, by element and draw; of several rows the greatest."""
    n_draws, n_intervals = len(futures.draws), len(futures.draws[0])
    found = {name: np.full((n_draws, n_intervals), np.nan) for name in names}
    for d, draw in enumerate(futures.draws):
        for i, kpis in enumerate(draw):
            values = np.asarray(kpis.column(table, kpi), float)
            for name, value in zip(kpis.column(table, key), values, strict=True):
                if str(name) in found and np.isfinite(value):
                    known = found[str(name)][d, i]
                    found[str(name)][d, i] = np.fmax(known, value)
    return {name: known_mean(values, 1) for name, values in found.items()}


def _severity(moved: MovedKpi) -> tuple[bool, float]:
    """By how many widths of its interval a KPI moves, those for the worse first."""
    middle = (moved.unchanged_low + moved.unchanged_high) / 2
    width = moved.unchanged_high - moved.unchanged_low
    least = LEAST_MOVE * max(abs(moved.unchanged_low), abs(moved.unchanged_high), 1e-9)
    return moved.worse, abs(moved.changed - middle) / max(width, least)
