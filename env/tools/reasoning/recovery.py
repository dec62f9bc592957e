# SPDX-License-Identifier: Apache-2.0
"""The tool that says what to do about an alarm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pydantic import Field

from env.backends.base import Futures
from env.errors import ToolError
from env.tools.base import Arguments, Result, tool
from env.tools.reasoning import candidates as make
from env.tools.reasoning.candidates import Candidate
from env.tools.reasoning.foresight import (
    OPTION_DRAWS,
    SCREENING_DRAWS,
    Band,
    Floats,
    Foreseen,
    ToolCall,
    band,
    known_mean,
    series,
    source,
)
from env.tools.reasoning.trials import Service, attempt, kept_pct
from env.view import View

HORIZON = 3
"""Intervals that candidates are tried over."""
MOST_STRATEGIES = 5


class SelectRecoveryStrategy(Arguments):
    """Of `select_recovery_strategy`."""

    alarm: str = Field(description="Name of an active alarm, as in list_alarms.")


class Strategy(Result):
    """Changes that belong together, and what they would do."""

    strategy: str
    """What it does, in words."""
    changes: list[ToolCall]
    """Calls of configuration tools, to be made in this order."""
    served_pct: Band | None
    """Traffic that would arrive within its delay budget, and jobs within their deadline, of what
    would be sent and made without changes: mean over slices and edge applications."""
    served_gain_pct: Band | None
    """By how much that is more than without changes, future by future."""
    sla_gain_pct: Band | None
    """Gain in SLA terms that hold, of all slices and intervals."""
    battery_gain_pct: Band | None
    """Gain in charge, of alarms of a UAV."""
    reversible: bool


class RecoveryStrategies(Foreseen):
    """What could be done about an alarm, the best first."""

    alarm: str
    cause: str
    element: str
    do_nothing_served_pct: Band | None
    """What would be served in time without changes."""
    do_nothing_sla_kept_pct: Band | None
    """SLA terms that would hold without changes."""
    strategies: list[Strategy]
    tried: int
    """Candidates that were tried; others would be refused."""


@tool("reasoning")
def select_recovery_strategy(view: View, args: SelectRecoveryStrategy) -> RecoveryStrategies:
    """Rank changes that may help against an active alarm by what they are predicted to gain.

    Candidates follow from the cause: routes round a link, power, tilt and handover offsets of a
    cell's neighbours, shares and degradation of slices, another place for applications, handover
    orders, flight of a UAV. All are tried in 3 futures of 3 intervals, the best 5 in 9. They are
    ranked by what they serve in time, of packets and of jobs; at a low battery by its charge. A
    gain whose interval holds 0 is not certain to be one.

    Errors: no_such_element for an alarm that is not active; unavailable where the backend cannot
    look ahead.
    """
    cause, element = _find(view, args.alarm)
    ue = element if element in view.group_of else None
    score = _charge if cause == "battery_low" else _served
    few = view.futures((), HORIZON, SCREENING_DRAWS)
    screened = [
        trial
        for candidate in _candidates(view, cause, element)
        if (trial := attempt(view, candidate, HORIZON, SCREENING_DRAWS))
    ]
    screened.sort(key=lambda trial: _mean_gain(score, view, trial.futures, few, element))
    best = [trial.candidate for trial in screened[: -MOST_STRATEGIES - 1 : -1]]
    nothing = view.futures((), HORIZON, OPTION_DRAWS)
    finalists = [t for c in best if (t := attempt(view, c, HORIZON, OPTION_DRAWS))]
    finalists.sort(key=lambda trial: -_mean_gain(score, view, trial.futures, nothing, element))
    return RecoveryStrategies(
        alarm=args.alarm,
        cause=cause,
        element=element,
        do_nothing_served_pct=band(_served(view, nothing, nothing, element)),
        do_nothing_sla_kept_pct=band(kept_pct(view, nothing)),
        strategies=[
            Strategy(
                strategy=trial.candidate.strategy,
                changes=list(trial.candidate.calls),
                served_pct=band(_served(view, trial.futures, nothing, element)),
                served_gain_pct=band(_gain(_served, view, trial.futures, nothing, element)),
                sla_gain_pct=band(kept_pct(view, trial.futures) - kept_pct(view, nothing)),
                battery_gain_pct=(
                    band(_gain(_charge, view, trial.futures, nothing, element)) if ue else None
                ),
                reversible=trial.reversible,
            )
            for trial in finalists
        ],
        tried=len(screened),
        **source(nothing),
    )


def _find(view: View, name: str) -> tuple[str, str]:
    """Cause and element of an active alarm."""
    active = [
        row
        for row in view.now.rows("alarm")
        if row["cleared_ms"] is None and view.scope.has(row["element"])
    ]
    for row in active:
        if row["alarm"] == name:
            return str(row["cause"]), str(row["element"])
    raise ToolError(
        "no_such_element",
        f"alarm={name!r} is no active alarm",
        argument="alarm",
        value=name,
        allowed=[row["alarm"] for row in active] or "no alarm is active",
    )


def _candidates(view: View, cause: str, element: str) -> list[Candidate]:
    """What may help against a cause."""
    slices = [s.name for s in view.scenario.slices if view.scope.has(s.name)]
    match cause:
        case "link_cut" | "link_degraded":
            beyond = {
                end
                for link in view.scenario.links
                if link.name == element
                for end in link.ends
                if end in view.scenario.anchors[1:]
            }
            rerouted = make.reroute(view, element)
            moved = [c for site in sorted(beyond) for c in make.move_applications(view, site)]
            lighter = [c for s in slices for c in make.degrade(view, [s], "reduce_rate")]
            return rerouted + moved + lighter
        case "cell_outage":
            near = make.around(view, element)
            louder, higher = (
                make.power(view, near, make.POWER_STEP_DB),
                make.tilt(view, near, -make.TILT_STEP_DEG),
            )
            both = [a + b for a in louder for b in higher]
            awake = make.sleep(view, make.asleep(view), "on")
            lighter = [c for s in slices for c in make.degrade(view, [s], "reduce_rate")]
            return louder + higher + both + awake + make.scheduler(view, near, "qos") + lighter
        case "interference":
            near = make.around(view, element)
            return [
                *make.power(view, [element], make.POWER_STEP_DB),
                *make.handover(view, [element], -make.OFFSET_STEP_DB),
                *make.handover(view, [element], -2 * make.OFFSET_STEP_DB),
                *make.power(view, near, make.POWER_STEP_DB),
                *make.scheduler(view, [element], "qos"),
                *make.scheduler(view, [element], "max_ci"),
            ]
        case "traffic_surge":
            others = [s for s in slices if s != element]
            cells = make.busiest(view)
            return [
                *make.share(view, element, cells),
                *(c for s in others for c in make.share(view, s, cells)),
                *make.degrade(view, [element], "reduce_rate"),
                *make.degrade(view, [element], "essential_only"),
                *make.degrade(view, others, "reduce_rate"),
                *make.scheduler(view, cells, "qos"),
                *make.sleep(view, make.asleep(view), "on"),
            ]
        case "edge_overload":
            return make.move_applications(view, element)
        case "congestion":
            near = make.around(view, element)
            return [
                *make.handover(view, [element], -make.OFFSET_STEP_DB),
                *make.power(view, [element], -make.POWER_STEP_DB),
                *make.power(view, near, make.POWER_STEP_DB),
                *make.scheduler(view, [element], "qos"),
                *make.scheduler(view, [element], "max_ci"),
                *make.sleep(view, make.asleep(view), "on"),
                *(c for s in slices for c in make.degrade(view, [s], "reduce_rate")),
            ]
        case "battery_low":
            return make.fly(view, element)
        case "no_service":
            cells = [
                str(c) for c in view.now.column("ue", "cell")[view.now.where("ue", ue=element)]
            ]
            return [
                *make.order_handover(view, element),
                *make.power(view, cells, make.POWER_STEP_DB),
                *make.tilt(view, cells, -make.TILT_STEP_DEG),
                *make.sleep(view, make.asleep(view), "on"),
                *make.fly(view, element),
            ]
    return []


def _served(view: View, futures: Futures, nothing: Futures, element: str) -> Floats:
    """What is served in time, by draw."""
    return Service.of(view, futures).served_pct(Service.of(view, nothing).wanted)


def _charge(view: View, futures: Futures, nothing: Futures, element: str) -> Floats:
    """Charge of a UAV at the end, by draw."""
    return series(futures, "ue", "battery_pct", ue=element)[:, -1]


Score = Callable[[View, Futures, Futures, str], Floats]


def _gain(score: Score, view: View, futures: Futures, nothing: Futures, element: str) -> Floats:
    """By how much futures are better than those without changes, by draw."""
    return score(view, futures, nothing, element) - score(view, nothing, nothing, element)


def _mean_gain(score: Score, view: View, futures: Futures, nothing: Futures, element: str) -> float:
    return float(np.nan_to_num(known_mean(_gain(score, view, futures, nothing, element))))
