# SPDX-License-Identifier: Apache-2.0
"""Tools that hold slices against what they promise."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from env.sla import SlaTerm, TermName, sla_holds, sla_terms
from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import Window, short
from env.tools.observation.slices import rounded_term
from env.tools.reasoning.foresight import DRAWS, Floats, Foreseen, Horizon, source
from env.view import View

LIKELY = 0.5
"""A violation of this probability counts as foreseen."""


class PredictSlaViolation(Arguments):
    """Of `predict_sla_violation`."""

    slice: str = Field(description="Name of the slice, as in get_topology.")
    horizon: Horizon = Field(default=5)


class TermRisk(Result):
    """How likely one promise is broken within the horizon."""

    name: TermName
    unit: str
    target: float
    """As in the last interval."""
    probability: float | None
    """Of being broken in any of the intervals; None where nothing is known."""


class SlaForecast(Foreseen):
    """How likely a slice breaks a promise."""

    slice: str
    probability: float | None
    """Of a violation in any of the intervals."""
    by_interval: list[float | None]
    """Probability of a violation in each of the next intervals."""
    first_violation: int | None
    """The first interval ahead, counted from 1, in which it is at least 0.5 likely."""
    terms: list[TermRisk]


@tool("reasoning")
def predict_sla_violation(view: View, args: PredictSlaViolation) -> SlaForecast:
    """Predict whether a slice will break its service level agreement if nothing is changed.

    Probabilities are shares of 16 futures, in which the terms of verify_sla_compliance are judged
    interval by interval. An interval in which nothing is known of a term counts for neither side.

    Errors: no_such_element; unavailable where the backend cannot look ahead.
    """
    name = view.slice(args.slice)
    futures = view.futures((), args.horizon, DRAWS)
    judged = [
        [sla_terms(view.scenario, name, [kpis]) for kpis in intervals]
        for intervals in futures.draws
    ]
    broken = np.array([[_broken(sla_holds(terms)) for terms in draw] for draw in judged])
    by_interval = [_share(column) for column in broken.T]
    likely = [i for i, p in enumerate(by_interval, 1) if p is not None and p >= LIKELY]
    terms = [
        TermRisk(
            name=term.name,
            unit=term.unit,
            target=short(term.target),
            probability=_any(np.array([[_broken(t[i].holds) for t in d] for d in judged])),
        )
        for i, term in enumerate(judged[0][0])
    ]
    return SlaForecast(
        slice=name,
        probability=_any(broken),
        by_interval=by_interval,
        first_violation=likely[0] if likely else None,
        terms=terms,
        **source(futures),
    )


class VerifySlaCompliance(Arguments):
    """Of `verify_sla_compliance`."""

    slice: str = Field(description="Name of the slice, as in get_topology.")
    window: Window = 5


class SlaVerdict(Result):
    """Whether a slice kept its promises."""

    slice: str
    intervals: int
    """That were judged: fewer than asked for where fewer are done."""
    compliant: bool | None
    """None where a term is not known and no other is broken."""
    terms: list[SlaTerm]


@tool("reasoning")
def verify_sla_compliance(view: View, args: VerifySlaCompliance) -> SlaVerdict:
    """Check whether a slice kept its service level agreement over the last intervals.

    Terms are the mean packet delay against the delay budget, the share of packets within the budget
    of their flow (at least 98 %, TS 23.501 5.7.3.4), and the guaranteed rate where the slice has
    one (TS 23.501 5.7.2.5).

    Errors: no_such_element.
    """
    name = view.slice(args.slice)
    intervals = view.window(args.window)
    terms = sla_terms(view.scenario, name, intervals)
    return SlaVerdict(
        slice=name,
        intervals=len(intervals),
        compliant=sla_holds(terms),
        terms=[rounded_term(term) for term in terms],
    )


def _broken(holds: bool | None) -> float:
    return np.nan if holds is None else float(not holds)


def _share(broken: Floats) -> float | None:
    """Share of draws in which something is broken, of those that know."""
    known = broken[np.isfinite(broken)]
    return short(float(known.mean())) if len(known) else None


def _any(broken: Floats) -> float | None:
    """Share of draws in which something is broken in any interval."""
    known = broken[np.isfinite(broken).any(1)]
    return _share(np.nanmax(known, 1)) if len(known) else None
