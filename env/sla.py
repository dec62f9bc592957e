# SPDX-License-Identifier: Apache-2.0
"""What a slice promises and whether it keeps it: `sla_terms`, the same for tools and tasks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from env.kpis import Kpis
from ns3_scenarios.scenario import Qos, ScenarioConfig

Floats = NDArray[np.float64]
TermName = Literal["latency", "within_budget", "guaranteed_rate"]

WITHIN_BUDGET_PCT = 98.0
"""Packets that must not exceed the delay budget (TS 23.501 5.7.3.4)."""
ELASTIC = ("full_buffer", "tcp_bulk")
"""Traffic that takes what it gets: what it sends says nothing of what it wants."""


@dataclass(frozen=True)
class SlaTerm:
    """One promise of a slice, over some reporting intervals."""

    name: TermName
    """`latency`: mean packet delay, both directions, against the delay budget. `within_budget`:
    packets delivered within the budget of their flow. `guaranteed_rate`: rate of the downlink flow
    that is served worst, against what it is guaranteed, or sends if that is less."""
    target: float
    achieved: float | None
    """None where nothing was delivered, or nothing is known."""
    margin: float | None
    """By how much the target is met; negative where it is missed."""
    unit: str
    holds: bool | None
    """None where nothing is known. A promise holds while nothing is sent."""


def sla_terms(
    scenario: ScenarioConfig, slice_name: str, intervals: Sequence[Kpis]
) -> tuple[SlaTerm, ...]:
    """The promises of a slice and how they were kept.

    Delays are averaged over the intervals in which packets arrived, weighted by what arrived.
    An interval in which packets were sent and none arrived counts with 0 % within the budget.
    `guaranteed_rate` is there only where the slice guarantees a rate; bits on their way that are
    not yet late, at most the rate times the delay budget, count as delivered.

    Args:
        scenario: that defines the slice.
        slice_name: its name.
        intervals: KPIs of the intervals that count, at least one.
    """
    qos = scenario.slice_qos(slice_name)
    rows = [_network(kpis, slice_name) for kpis in intervals]
    known = any(not math.isnan(offered) for offered, *_ in rows)
    sent = any(offered > 0 or delivered > 0 for offered, delivered, *_ in rows)
    latency_ms = _weighted([(latency, delivered) for _, delivered, latency, _ in rows])
    within_pct = _weighted(
        [
            (0.0, offered) if offered > 0 and not delivered > 0 else (within, delivered)
            for offered, delivered, _, within in rows
        ]
    )
    budget = qos.delay_budget_ms
    terms = [
        _term("latency", budget, latency_ms, -1, "ms", known, sent),
        _term("within_budget", WITHIN_BUDGET_PCT, within_pct, 1, "%", known, sent),
    ]
    if qos.guaranteed_mbps > 0:
        terms.append(_guaranteed_rate(scenario, slice_name, qos, intervals))
    return tuple(terms)


def sla_holds(terms: Sequence[SlaTerm]) -> bool | None:
    """Whether all promises are kept; None where that is not known."""
    if any(term.holds is False for term in terms):
        return False
    return None if any(term.holds is None for term in terms) else True


def _term(
    name: TermName,
    target: float,
    achieved: float | None,
    sign: int,
    unit: str,
    known: bool,
    sent: bool,
) -> SlaTerm:
    margin = None if achieved is None else sign * (achieved - target)
    if margin is not None:
        holds: bool | None = margin >= -1e-9 * max(1.0, abs(target))
    else:
        holds = not sent if known else None
    return SlaTerm(name, target, achieved, margin, unit, holds)


def _network(kpis: Kpis, slice_name: str) -> list[float]:
    """Offered and delivered rate, latency and share within the budget, NaN where unknown."""
    rows = kpis.where("network", slice=slice_name)
    columns = ("offered_mbps", "throughput_mbps", "latency_ms", "within_budget_pct")
    return [float(kpis.column("network", c)[rows[0]]) if len(rows) else np.nan for c in columns]


def _weighted(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Mean of values by their weights, of those that have both."""
    there = [(value, weight) for value, weight in pairs if weight > 0 and not math.isnan(value)]
    total = sum(weight for _, weight in there)
    return sum(value * weight for value, weight in there) / total if there else None


def _guaranteed_rate(
    scenario: ScenarioConfig, slice_name: str, qos: Qos, intervals: Sequence[Kpis]
) -> SlaTerm:
    """Of the flow with the least margin."""
    totals: dict[tuple[str, str], Floats] = {}
    for kpis in intervals:
        rows = kpis.where("flow", slice=slice_name, direction="dl")
        names = (kpis.column("flow", c)[rows] for c in ("ue", "flow"))
        columns = [kpis.column("flow", f"{c}_bits")[rows] for c in ("sent", "delivered")]
        waiting = np.nan_to_num(kpis.column("flow", "in_flight_bits")[rows])
        for key, *bits in zip(zip(*names, strict=True), *columns, waiting, strict=True):
            total = totals.setdefault(key, np.zeros(3))
            total[:2] += bits[:2]
            total[2] = bits[2]
    rate = qos.guaranteed_mbps
    if not totals:
        holds = True if intervals[-1].n_rows("flow") else None
        return SlaTerm("guaranteed_rate", rate, None, None, "Mbit/s", holds)
    in_time_mbit = rate * qos.delay_budget_ms * 1e-3
    seconds = scenario.interval_ms * 1e-3 * len(intervals)
    sent, delivered, waiting = np.array(list(totals.values())).T / 1e6
    elastic = _elastic(scenario)
    endless = [key in elastic for key in totals]
    due = np.where(endless, rate, np.minimum(rate, sent / seconds))
    got = (delivered + np.minimum(waiting, in_time_mbit)) / seconds
    known = np.isfinite(got - due)
    if not known.any():
        return SlaTerm("guaranteed_rate", rate, None, None, "Mbit/s", None)
    worst = int(np.nanargmin(got - due))
    return _term("guaranteed_rate", float(due[worst]), float(got[worst]), 1, "Mbit/s", True, True)


@lru_cache(maxsize=16)
def _elastic(scenario: ScenarioConfig) -> frozenset[tuple[str, str]]:
    """User and name of each downlink flow that takes what it gets."""
    return frozenset(
        (ue, name)
        for ue, group in zip(scenario.ue_ids, scenario.ue_groups, strict=True)
        for name, traffic in zip(group.flow_names, group.traffic, strict=True)
        if traffic.kind in ELASTIC and traffic.direction == "downlink"
    )
