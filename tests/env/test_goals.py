# SPDX-License-Identifier: Apache-2.0
"""Goals: what predicates read of KPI tables, and how they hold together."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from env.environment import Environment
from env.errors import ToolError
from env.goals import ControlPredicate, Goal, KpiPredicate, Verdict, check_goal, judge, met
from env.kpis import Kpis
from env.view import Scope
from ns3_scenarios.controls import ControlState
from ns3_scenarios.library import load_scenario

CONTROLS = ControlState.initial(load_scenario("quickstart"))
COMPARE: dict[str, Any] = {
    "<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
OVER: dict[str, Any] = {"mean": lambda v: sum(v) / len(v), "min": min, "max": max, "sum": sum}
OPPOSITE = {"<=": ">", ">": "<=", "<": ">=", ">=": "<", "==": "!=", "!=": "=="}

numbers = st.integers(-4, 4).map(float) | st.just(math.nan)
histories = st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=1, max_size=5)
predicates = st.builds(
    KpiPredicate,
    kind=st.just("kpi"),
    table=st.just("network"),
    kpi=st.just("latency_ms"),
    slice=st.sampled_from([None, "a", "b"]),
    over_elements=st.sampled_from(list(OVER)),
    over_intervals=st.sampled_from(list(OVER)),
    window=st.integers(1, 6),
    comparison=st.sampled_from(list(COMPARE)),
    value=st.integers(-4, 4).map(float),
)


def kpis(number: int, values: list[float]) -> Kpis:
    columns = {"slice": np.array(["a", "b"], object), "latency_ms": np.array(values)}
    return Kpis(number, 200.0 * number, lambda table: columns if table == "network" else {})


def judged(goal: Goal, history: list[list[float]]) -> tuple[Verdict, ...]:
    return judge(goal, [kpis(i, values) for i, values in enumerate(history)], CONTROLS)


@given(predicates, histories)
def test_a_predicate_reads_rows_then_intervals_of_what_is_known(
    predicate: KpiPredicate, history: list[list[float]]
) -> None:
    (verdict,) = judged((predicate,), history)
    by_interval = []
    for values in history[-predicate.window :]:
        rows = {"a": values[:1], "b": values[1:], None: values}[predicate.slice]
        if known := [v for v in rows if not math.isnan(v)]:
            by_interval.append(OVER[predicate.over_elements](known))
    if not by_interval:
        assert (verdict.value, verdict.margin, verdict.holds) == (None, None, None)
        return
    value = OVER[predicate.over_intervals](by_interval)
    assert verdict.value == pytest.approx(value)
    if abs(value - predicate.value) > 1e-6:
        assert verdict.holds == COMPARE[predicate.comparison](value, predicate.value)
        assert verdict.margin is not None
        assert (verdict.margin > 0) == verdict.holds
        assert abs(verdict.margin) == pytest.approx(abs(value - predicate.value))
    else:
        assert verdict.holds == (predicate.comparison in ("<=", ">=", "=="))
        assert verdict.margin == pytest.approx(0, abs=1e-6)


@given(predicates, histories)
def test_of_a_predicate_and_its_opposite_one_holds(
    predicate: KpiPredicate, history: list[list[float]]
) -> None:
    other = predicate.model_copy(update={"comparison": OPPOSITE[predicate.comparison]})
    mine, its = judged((predicate, other), history)
    assert (mine.holds is None) == (its.holds is None)
    assert mine.holds is None or mine.holds != its.holds


@given(st.lists(predicates, max_size=5), histories)
def test_a_goal_is_met_where_all_hold_and_unknown_only_where_none_fails(
    goal: list[KpiPredicate], history: list[list[float]]
) -> None:
    verdicts = judged(tuple(goal), history)
    holds = [verdict.holds for verdict in verdicts]
    expected = False if False in holds else None if None in holds else True
    assert met(verdicts) is expected
    assert met(verdicts[::-1]) is expected


@given(predicates, histories, st.floats(-3, 3))
def test_a_looser_bound_holds_wherever_a_tighter_one_does(
    predicate: KpiPredicate, history: list[list[float]], by: float
) -> None:
    looser = {"<": abs(by), ">": -abs(by)}.get(predicate.comparison[0])
    if looser is None:
        return
    other = predicate.model_copy(update={"value": predicate.value + looser})
    tight, loose = judged((predicate, other), history)
    assert not tight.holds or loose.holds


@given(st.sampled_from(list(COMPARE)), st.floats(-30, 60))
def test_controls_are_compared_each_by_itself(comparison: Any, value: float) -> None:
    path = "cells.*.tx_power_dbm"
    predicate = ControlPredicate(kind="control", path=path, comparison=comparison, value=value)
    (verdict,) = judge((predicate,), [], CONTROLS)
    if abs(value - 38) > 1e-6:
        assert verdict.holds == COMPARE[comparison](38.0, value)


def test_words_are_compared_for_equality() -> None:
    policy = CONTROLS.cells["c0"].scheduler
    for comparison, word, holds in (("==", policy, True), ("!=", policy, False), ("==", "", False)):
        predicate = ControlPredicate.model_validate(
            {
                "kind": "control",
                "path": "cells.c0.scheduler",
                "comparison": comparison,
                "value": word,
            }
        )
        assert predicate.holds(CONTROLS) == holds


def test_goals_are_checked_against_network_and_scope(live: Environment) -> None:
    power = ControlPredicate(
        kind="control", path="cells.c1.tx_power_dbm", comparison="<", value=40.0
    )
    load = KpiPredicate(
        kind="kpi", table="cell", kpi="dl_prb_util_pct", cell="c1", unit="%", comparison="<",
        value=101.0,
    )  # fmt: skip
    check_goal((power, load), live.view())
    verdicts = judge((power, load), live.backend.history, live.backend.controls)
    assert met(verdicts) is True
    assert load.text == "cell dl_prb_util_pct of cell=c1 < 101 %"
    for predicate in (power, load):
        with pytest.raises(ToolError, match=r"goal\.0\."):
            check_goal((predicate,), live.view(Scope(elements=frozenset({"c0"}))))
