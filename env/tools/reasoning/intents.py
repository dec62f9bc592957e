# SPDX-License-Identifier: Apache-2.0
"""The tool that says whether an intent can be fulfilled."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from env.backends.base import Futures
from env.goals import Goal, KpiPredicate, Verdict, check_goal, judge, met
from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import short, slices_of
from env.tools.reasoning import candidates as make
from env.tools.reasoning.candidates import Candidate
from env.tools.reasoning.foresight import (
    DRAWS,
    SCREENING_DRAWS,
    Band,
    Foreseen,
    Horizon,
    ToolCall,
    band,
    serving_cell,
    source,
)
from env.tools.reasoning.trials import Trial, attempt
from env.view import View
from ns3_scenarios.controls import ControlState

MOST_CANDIDATES = 16
"""Single candidates that are tried."""
MOST_JOINED = 3
"""Of the best that help, which are also tried together with the best."""
LIKELY, UNLIKELY = 0.8, 0.2
"""Probabilities from which on an intent is feasible, and down from which it is not."""
MOST_PREDICATES = 8


class EvaluateIntentFeasibility(Arguments):
    """Of `evaluate_intent_feasibility`."""

    intent: Annotated[Goal, Field(min_length=1, max_length=MOST_PREDICATES)] = Field(
        description="Goal: predicates over KPIs and controls, all of which must hold at the end of "
        "the horizon."
    )
    horizon: Horizon = Field(default=3)


class PredicateOutlook(Result):
    """What becomes of one predicate under the best changes."""

    predicate: str
    """In words."""
    probability: float | None
    """That it holds; None where nothing is known."""
    kpi: Band | None
    """Value that is compared; None for controls, and where nothing is known."""


class Feasibility(Foreseen):
    """Whether an intent can be fulfilled."""

    verdict: Literal["feasible", "infeasible", "unknown"]
    """Feasible: with a probability of 0.8 or more under the changes. Infeasible: of 0.2 or less
    under the best of what was tried. Unknown: between, or not to be foreseen."""
    probability: float | None
    """That all predicates hold at the end of the horizon, under the changes."""
    do_nothing_probability: float | None
    """The same without changes."""
    changes: list[ToolCall]
    """Best calls of configuration tools that were found; empty where none is needed or helps."""
    strategy: str
    """The changes in words."""
    predicates: list[PredicateOutlook]
    binding: str
    """Predicate that stands in the way most, in words; empty where the intent is feasible."""
    tried: int
    """Sets of changes that were tried."""


@tool("reasoning")
def evaluate_intent_feasibility(view: View, args: EvaluateIntentFeasibility) -> Feasibility:
    """Say whether an intent can be fulfilled, by which changes, and what stands in the way.

    Searches at most 16 single changes that can move what the intent names (shares and degradation
    of slices, power, tilt, scheduling, handover and sleep of cells, routes, places of
    applications, orders to users), within what is sensible for each control, and the best of them
    in pairs. All are tried in 3 futures, the best in 16. What was not tried may still do better.

    Errors: bad_arguments for a KPI or name that a table does not have; no_such_element;
    unavailable where the backend cannot look ahead.
    """
    goal = args.intent
    check_goal(goal, view, "intent")
    now = view.futures((), args.horizon, DRAWS)
    nothing = _Outcome(view, goal, now, view.controls)
    best, tried = Trial(Candidate("change nothing", ()), view, (), now), 1
    outcome = nothing
    if (nothing.probability or 0) < LIKELY:
        few = view.futures((), args.horizon, SCREENING_DRAWS)
        found, tried = _search(view, goal, args.horizon, few)
        trial = attempt(view, found, args.horizon, DRAWS) if found else None
        if trial:
            changed = _Outcome(view, goal, trial.futures, trial.after.controls)
            if changed.score > nothing.score:
                best, outcome = trial, changed
    known = best.futures.in_distribution and outcome.probability is not None
    probability = outcome.probability or 0.0
    verdict: Literal["feasible", "infeasible", "unknown"] = "unknown"
    if known and probability >= LIKELY:
        verdict = "feasible"
    elif known and probability <= UNLIKELY and not outcome.waits_for_controls:
        verdict = "infeasible"
    return Feasibility(
        verdict=verdict,
        probability=outcome.probability,
        do_nothing_probability=nothing.probability,
        changes=list(best.candidate.calls),
        strategy=best.candidate.strategy,
        predicates=outcome.outlooks(),
        binding="" if verdict == "feasible" else outcome.binding(),
        tried=tried,
        **source(best.futures),
    )


class _Outcome:
    """What becomes of a goal in some futures."""

    def __init__(self, view: View, goal: Goal, futures: Futures, controls: ControlState) -> None:
        self.goal = goal
        history = list(view.history)
        self.draws = [judge(goal, [*history, *draw], controls) for draw in futures.draws]
        self.probability = _share(met(verdicts) for verdicts in self.draws)
        self.by_predicate: list[tuple[Verdict, ...]] = list(zip(*self.draws, strict=True))

    @property
    def score(self) -> float:
        """The greater the better: the chance of all, then of each, then the margins."""
        shares = [_share(v.holds for v in verdicts) or 0.0 for verdicts in self.by_predicate]
        return (self.probability or 0.0) * len(shares) + sum(shares) + 0.1 * sum(self._margins())

    def _margins(self) -> list[float]:
        """Mean margin of each predicate in units of its value, between -1 and 1."""
        found = []
        for predicate, verdicts in zip(self.goal, self.by_predicate, strict=True):
            margins = [v.margin for v in verdicts if v.margin is not None]
            if isinstance(predicate, KpiPredicate) and margins:
                found.append(math.tanh(float(np.mean(margins)) / max(abs(predicate.value), 1.0)))
            else:
                found.append(0.0)
        return found

    @property
    def waits_for_controls(self) -> bool:
        """Whether a control is not as wanted, which an agent can set itself."""
        return any(
            not isinstance(predicate, KpiPredicate) and not verdicts[0].holds
            for predicate, verdicts in zip(self.goal, self.by_predicate, strict=True)
        )

    def outlooks(self) -> list[PredicateOutlook]:
        """What becomes of each predicate."""
        return [
            PredicateOutlook(
                predicate=predicate.text,
                probability=_share(v.holds for v in verdicts),
                kpi=band([math.nan if v.value is None else v.value for v in verdicts]),
            )
            for predicate, verdicts in zip(self.goal, self.by_predicate, strict=True)
        ]

    def binding(self) -> str:
        """The predicate that is least likely, and of those the one of least margin."""
        outlooks, margins = self.outlooks(), self._margins()
        worst = min(range(len(margins)), key=lambda i: (outlooks[i].probability or 0, margins[i]))
        return outlooks[worst].predicate


def _search(view: View, goal: Goal, horizon: int, nothing: Futures) -> tuple[Candidate | None, int]:
    """The best candidate by few futures, if any beats doing nothing, and how many were tried."""
    least = _Outcome(view, goal, nothing, view.controls).score
    tried = 1

    def scored(candidates: Iterable[Candidate]) -> list[tuple[float, Candidate]]:
        nonlocal tried
        found = []
        for candidate in candidates:
            trial = attempt(view, candidate, horizon, SCREENING_DRAWS)
            if trial:
                tried += 1
                score = _Outcome(view, goal, trial.futures, trial.after.controls).score
                found.append((score, candidate))
        return sorted(found, key=lambda pair: -pair[0])

    helping = [p for p in scored(_candidates(view, goal)) if p[0] > least]
    if not helping:
        return None, tried
    best = helping[0][1]
    joined = scored(best + other for _, other in helping[1 : MOST_JOINED + 1])
    return max([helping[0], *joined], key=lambda pair: pair[0])[1], tried


def _candidates(view: View, goal: Goal) -> list[Candidate]:
    """Changes that can move what a goal names: of each predicate in turn, none twice."""
    by_predicate = [_movers(view, p) for p in goal if isinstance(p, KpiPredicate)]
    mixed = [c for row in itertools.zip_longest(*by_predicate) for c in row if c]
    unique = {c.strategy: c for c in mixed}
    return list(unique.values())[:MOST_CANDIDATES]


def _movers(view: View, goal: KpiPredicate) -> list[Candidate]:
    slices = slices_of(view)
    less_energy = goal.kpi.startswith(("power", "energy")) and goal.comparison in ("<", "<=")
    if goal.site or goal.application or goal.table in ("edge", "application"):
        return _of_edge(view, goal)
    if goal.link:
        lighter = [c for s in slices for c in make.degrade(view, [s], "reduce_rate")]
        return make.reroute(view, goal.link) + lighter
    if goal.ue:
        return _of_user(view, goal.ue)
    cells = [goal.cell] if goal.cell else make.busiest(view)
    round_cuts = [c for link in make.down(view) for c in make.reroute(view, link)]
    if less_energy:
        idle = cells if goal.cell else make.busiest(view, view.scenario.n_cells)[::-1]
        return [
            *make.sleep(view, cells, "deep"),
            *make.sleep(view, idle[: make.MOST_CELLS], "deep"),
            *make.sleep(view, cells, "light"),
            *make.power(view, cells, -make.POWER_STEP_DB),
            *make.power(view, cells, -2 * make.POWER_STEP_DB),
            *make.degrade(view, slices, "reduce_rate"),
        ]
    mine = [goal.slice] if goal.slice else []
    others = [s for s in slices if s not in mine]
    near = make.around(view, goal.cell) if goal.cell else []
    return [
        *round_cuts,
        *(c for s in mine for c in make.share(view, s, cells)),
        *(c for s in others for c in make.degrade(view, [s], "reduce_rate")),
        *make.scheduler(view, cells, "qos"),
        *make.scheduler(view, cells, "max_ci"),
        *(c for s in mine for c in make.degrade(view, [s], "reduce_rate")),
        *make.sleep(view, make.asleep(view), "on"),
        *make.power(view, cells, make.POWER_STEP_DB),
        *make.power(view, near, -make.POWER_STEP_DB),
        *make.tilt(view, cells, make.TILT_STEP_DEG),
        *make.tilt(view, cells, -make.TILT_STEP_DEG),
        *make.handover(view, cells, -make.OFFSET_STEP_DB),
        *make.degrade(view, others, "essential_only"),
    ]


def _of_edge(view: View, goal: KpiPredicate) -> list[Candidate]:
    if goal.application:
        now = view.controls.applications[goal.application]
        sites = [s for s in view.scenario.anchors[1:] if s != now.site and view.scope.has(s)]
        moved = [c for s in sites for c in make.offload(view, goal.application, s)]
        for fraction in (1.0, 0.5, 0.0):
            if fraction != now.fraction:
                moved += make.offload(view, goal.application, now.site, fraction)
        rivals = [
            c
            for c in make.move_applications(view, now.site)
            if all(call.arguments["application"] != goal.application for call in c.calls)
        ]
        return moved + rivals
    sites = [goal.site] if goal.site else list(view.scenario.anchors[1:])
    return [c for s in sites for c in make.move_applications(view, s)] + [
        c for s in sites for c in make.move_applications(view, s, away=False)
    ]


def _of_user(view: View, ue: str) -> list[Candidate]:
    cells = serving_cell(view, ue)
    return [
        *make.order_handover(view, ue),
        *make.power(view, cells, make.POWER_STEP_DB),
        *make.tilt(view, cells, -make.TILT_STEP_DEG),
        *make.tilt(view, cells, make.TILT_STEP_DEG),
        *make.scheduler(view, cells, "qos"),
        *make.share(view, view.group_of[ue].slice, cells),
        *make.fly(view, ue),
    ]


def _share(holds: Iterable[bool | None]) -> float | None:
    known = [h for h in holds if h is not None]
    return short(sum(known) / len(known)) if known else None
