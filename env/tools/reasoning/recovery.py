# SPDX-License-Identifier: Apache-2.0
"""The tool that says what to do about an alarm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from pydantic import Field

from env.backends.base import Futures
from env.errors import ToolError
from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import slices_of
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
    serving_cell,
    source,
)
from env.tools.reasoning.trials import Service, Trial, attempt, kept_pct
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
    would be sent and made without changes: mean over slices and edge applications; over 100 where
    what waits now arrives as well."""
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
    by: Measure = "battery_pct" if cause == "battery_low" else "served_pct"
    few, many = (_Futures(view, element, draws) for draws in (SCREENING_DRAWS, OPTION_DRAWS))
    screened = few.ranked(candidates_against(view, cause, element), by)
    finalists = many.ranked((trial.candidate for trial in screened[:MOST_STRATEGIES]), by)
    strategies = []
    for trial in finalists:
        gains = many.gains(trial)
        strategies.append(
            Strategy(
                strategy=trial.candidate.strategy,
                changes=list(trial.candidate.calls),
                served_pct=band(many.measures(trial.futures)["served_pct"]),
                served_gain_pct=band(gains["served_pct"]),
                sla_gain_pct=band(gains["sla_kept_pct"]),
                battery_gain_pct=band(gains["battery_pct"]),
                reversible=trial.reversible,
            )
        )
    return RecoveryStrategies(
        alarm=args.alarm,
        cause=cause,
        element=element,
        do_nothing_served_pct=band(many.present["served_pct"]),
        do_nothing_sla_kept_pct=band(many.present["sla_kept_pct"]),
        strategies=strategies,
        tried=len(screened),
        **source(many.nothing),
    )


Measure = Literal["served_pct", "sla_kept_pct", "battery_pct"]


class _Futures:
    """What candidates come to, beside what becomes of the network without changes."""

    def __init__(self, view: View, element: str, draws: int) -> None:
        self._view, self._element, self._draws = view, element, draws
        self.nothing = view.futures((), HORIZON, draws)
        self._wanted = Service.of(view, self.nothing).wanted
        self.present = self.measures(self.nothing)

    def measures(self, futures: Futures) -> dict[Measure, Floats]:
        """By draw: what is served in time, SLA terms that hold, charge of a UAV at the end."""
        return {
            "served_pct": Service.of(self._view, futures).served_pct(self._wanted),
            "sla_kept_pct": kept_pct(self._view, futures),
            "battery_pct": series(futures, "ue", "battery_pct", ue=self._element)[:, -1],
        }

    def gains(self, trial: Trial) -> dict[Measure, Floats]:
        """By how much each is more than without changes, future by future."""
        return {m: v - self.present[m] for m, v in self.measures(trial.futures).items()}

    def ranked(self, candidates: Iterable[Candidate], by: Measure) -> list[Trial]:
        """Candidates that could be made, the one that gains most first."""
        tried = (attempt(self._view, c, HORIZON, self._draws) for c in candidates)
        trials = [trial for trial in tried if trial]
        return sorted(trials, key=lambda t: -float(np.nan_to_num(known_mean(self.gains(t)[by]))))


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


def candidates_against(view: View, cause: str, element: str) -> list[Candidate]:
    """What may help against a cause."""
    slices = slices_of(view)
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
            cells = serving_cell(view, element)
            return [
                *make.order_handover(view, element),
                *make.power(view, cells, make.POWER_STEP_DB),
                *make.tilt(view, cells, -make.TILT_STEP_DEG),
                *make.sleep(view, make.asleep(view), "on"),
                *make.fly(view, element),
            ]
    return []
