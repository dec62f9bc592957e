# SPDX-License-Identifier: Apache-2.0
"""A slice keeps its SLA when packets come in time and flows get the rate that they are promised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from env.kpis import Kpis
from env.sla import SlaTerm, sla_holds, sla_terms
from ns3_scenarios.library import load_scenario
from ns3_scenarios.scenario import ScenarioConfig

SCENARIO = load_scenario("urban_macro_slices")
VIDEO = next(s for s in SCENARIO.slices if s.name == "video")
SECONDS = SCENARIO.interval_ms * 1e-3
RATE = st.floats(0, 100)
FLOW = tuple[str, float, float, float]
"""User, Mbit/s sent and delivered, bits on their way."""


def kpis(
    offered: float = 10,
    delivered: float = 10,
    latency_ms: float = 20,
    within_pct: float = 100,
    flows: Sequence[FLOW] = (),
    flow: str = "cbr0",
) -> Kpis:
    """An interval of the slice."""
    network: dict[str, Any] = {
        "slice": ["video"],
        "offered_mbps": [offered],
        "throughput_mbps": [delivered],
        "latency_ms": [latency_ms],
        "within_budget_pct": [within_pct],
    }
    rows: dict[str, Any] = {
        "ue": [ue for ue, *_ in flows],
        "flow": [flow for _ in flows],
        "direction": ["dl" for _ in flows],
        "slice": ["video" for _ in flows],
        "sent_bits": [sent * 1e6 * SECONDS for _, sent, *_ in flows],
        "delivered_bits": [got * 1e6 * SECONDS for _, _, got, _ in flows],
        "in_flight_bits": [bits for *_, bits in flows],
    }
    tables = {"network": network, "flow": rows}

    def make(table: str) -> dict[str, Any]:
        columns = tables.get(table, {})
        return {name: np.array(values, _kind(values)) for name, values in columns.items()}

    return Kpis(0, SCENARIO.interval_ms, make)


def _kind(values: Sequence[Any]) -> type:
    return object if values and isinstance(values[0], str) else float


def terms(*intervals: Kpis) -> dict[str, SlaTerm]:
    return {term.name: term for term in sla_terms(SCENARIO, "video", intervals)}


@given(latency_ms=st.floats(0.1, 1000), within_pct=st.floats(0, 100))
def test_margin_is_positive_where_a_term_holds(latency_ms: float, within_pct: float) -> None:
    found = terms(kpis(latency_ms=latency_ms, within_pct=within_pct))
    budget_ms = VIDEO.qos.delay_budget_ms
    assert found["latency"].margin == pytest.approx(budget_ms - latency_ms)
    assert found["within_budget"].margin == pytest.approx(within_pct - 98)
    for name in ("latency", "within_budget"):
        margin = found[name].margin
        assert margin is not None
        assert found[name].holds == (margin >= -1e-6)
    assert sla_holds(list(found.values())) in (None, all(t.holds for t in found.values()))


@given(st.lists(st.tuples(st.floats(0.1, 100), st.floats(1, 500)), min_size=1, max_size=6))
def test_delay_of_a_window_is_the_mean_over_what_arrived(intervals: list[Any]) -> None:
    found = terms(*(kpis(d, d, latency) for d, latency in intervals))["latency"].achieved
    expected = sum(d * latency for d, latency in intervals) / sum(d for d, _ in intervals)
    assert found == pytest.approx(expected)


def test_a_slice_of_which_nothing_arrives_breaks_its_sla() -> None:
    starved = kpis(offered=5, delivered=0, latency_ms=math.nan, within_pct=math.nan)
    found = terms(starved)
    assert found["latency"].holds is False
    assert found["latency"].achieved is None
    assert (found["within_budget"].achieved, found["within_budget"].holds) == (0, False)
    half = terms(starved, kpis(5, 5))["within_budget"]
    assert (half.achieved, half.holds) == (50, False)


def test_silence_breaks_no_promise_and_ignorance_judges_none() -> None:
    silent = kpis(0, 0, math.nan, math.nan, [("u0", 0, 0, 0)])
    assert sla_holds(list(terms(silent).values())) is True
    unknown = Kpis(0, SCENARIO.interval_ms, lambda _: {})
    assert {term.holds for term in terms(unknown).values()} == {None}
    assert sla_holds(list(terms(unknown).values())) is None


@given(sent=RATE, got=RATE)
def test_a_flow_is_owed_its_rate_or_what_it_sends(sent: float, got: float) -> None:
    found = terms(kpis(flows=[("u0", sent, got, 0), ("u1", 50, 50, 0)]))["guaranteed_rate"]
    owed = min(VIDEO.guaranteed_mbps, sent)
    assert found.holds == (got >= owed - 1e-9)
    assert found.margin == pytest.approx(min(got - owed, 50 - VIDEO.guaranteed_mbps))


def test_a_flow_that_takes_what_it_gets_is_owed_the_whole_rate() -> None:
    tree = SCENARIO.model_dump(mode="json")
    group = next(g for g in tree["users"] if g["slice"] == "video")
    group["traffic"] = [{"kind": "tcp_bulk"}]
    scenario = ScenarioConfig.model_validate(tree)
    ue = next(
        u for u, g in zip(scenario.ue_ids, scenario.ue_groups, strict=True) if g.slice == "video"
    )
    interval = kpis(flows=[(ue, 1, 1, 0)], flow="tcp_bulk0")
    found = {term.name: term for term in sla_terms(scenario, "video", [interval])}
    assert found["guaranteed_rate"].margin == pytest.approx(1 - VIDEO.guaranteed_mbps)
    assert terms(interval)["guaranteed_rate"].holds is True


def test_bits_on_their_way_count_while_they_are_not_late() -> None:
    rate = VIDEO.guaranteed_mbps
    in_time = rate * 1e6 * VIDEO.qos.delay_budget_ms * 1e-3
    short = rate - in_time / SECONDS / 1e6
    kept = terms(kpis(flows=[("u0", rate, short, in_time)]))["guaranteed_rate"]
    assert (kept.holds, kept.achieved) == (True, pytest.approx(rate))
    more = terms(kpis(flows=[("u0", rate, short - 0.1, 10 * in_time)]))["guaranteed_rate"]
    assert (more.holds, more.margin) == (False, pytest.approx(-0.1))
