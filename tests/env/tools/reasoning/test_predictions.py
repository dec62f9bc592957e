# SPDX-License-Identifier: Apache-2.0
"""Predictions are what futures say: means, 80 % intervals, shares of draws."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from env.backends.base import BackendName
from env.environment import Environment
from env.kpis import Kpis
from env.sla import sla_holds, sla_terms
from env.tools import TOOLS
from env.tools.reasoning.foresight import DRAWS, band
from env.tools.reasoning.traffic import smoothed
from ns3_scenarios.controls import ControlChange

Network = Callable[[BackendName, str], Environment]

BACKENDS: list[BackendName] = ["surrogate", "ns3"]
POWER = ControlChange(path="cells.c0.tx_power_dbm", value=20.0)
CALL = {"tool": "set_cell_tx_power", "arguments": {"cell": "c0", "tx_power_dbm": 20.0}}


def weibull(values: Sequence[float], p: float) -> float:
    """Quantile at the plotting position p (n + 1), between order statistics."""
    ordered = sorted(values)
    at = p * (len(ordered) + 1) - 1
    low = min(max(int(np.floor(at)), 0), len(ordered) - 2)
    return ordered[low] + min(max(at - low, 0.0), 1.0) * (ordered[low + 1] - ordered[low])


def check_band(found: Any, draws: Sequence[float]) -> None:
    known = [v for v in draws if np.isfinite(v)]
    if not known:
        assert found is None
        return
    expected = {
        "mean": statistics.fmean(known),
        "low": weibull(known, 0.1),
        "high": weibull(known, 0.9),
    }
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-9)


def value(kpis: Kpis, table: str, key: str, name: str, column: str) -> float:
    (row,) = [r for r in kpis.rows(table) if r[key] == name]
    return float("nan") if row[column] is None else float(row[column])


@pytest.mark.parametrize("backend", BACKENDS)
def test_kpis_are_those_of_the_futures_after_the_changes(
    network: Network, ask: Callable[..., Any], backend: BackendName
) -> None:
    environment = network(backend, "quickstart")
    told = ask(environment, "predict_kpis", changes=[CALL], horizon=2)
    futures = environment.backend.futures([POWER], 2, DRAWS)
    assert (told["draws"], told["served_by"]) == (DRAWS, backend)
    assert told["in_distribution"] == futures.in_distribution
    for number, interval in enumerate(told["intervals"]):
        assert interval["interval"] == environment.backend.interval + number
        for state in interval["slices"]:
            for kpi in set(state) - {"slice"}:
                draws = [
                    value(d[number], "network", "slice", state["slice"], kpi) for d in futures.draws
                ]
                check_band(state[kpi], draws)
    assert [c["cell"] for c in told["cells"]] == list(environment.backend.scenario.cell_ids)
    for state in told["cells"]:
        for kpi in set(state) - {"cell"}:
            draws = [value(d[-1], "cell", "cell", state["cell"], kpi) for d in futures.draws]
            check_band(state[kpi], draws)


def test_less_power_is_predicted_to_take_less_power_and_sinr(
    network: Network, ask: Callable[..., Any]
) -> None:
    for backend in BACKENDS:
        environment = network(backend, "quickstart")
        now, after = (
            ask(environment, "predict_kpis", changes=c, horizon=1)["cells"][0] for c in ([], [CALL])
        )
        assert after["power_w"]["high"] < now["power_w"]["low"]
        assert after["dl_sinr_db"]["mean"] < now["dl_sinr_db"]["mean"]


def test_what_the_model_has_not_seen_the_like_of_is_said_so(
    network: Network, ask: Callable[..., Any]
) -> None:
    environment = network("surrogate", "quickstart")
    strange = [
        {"tool": "set_cell_tx_power", "arguments": {"cell": c, "tx_power_dbm": -30.0}}
        for c in environment.backend.scenario.cell_ids
    ]
    assert ask(environment, "predict_kpis", horizon=1)["in_distribution"]
    assert not ask(environment, "predict_kpis", changes=strange, horizon=1)["in_distribution"]


def test_a_band_of_16_draws_holds_four_in_five_further_draws() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for draws, further in zip(
        rng.gamma(2, size=(4000, DRAWS)), rng.gamma(2, size=4000), strict=True
    ):
        found = band(draws)
        assert found
        inside += found.low <= further <= found.high
    assert inside / 4000 == pytest.approx(0.8, abs=0.02)


def test_a_band_leaves_out_what_is_not_known() -> None:
    found = band([np.nan, 1.0, 3.0, np.inf])
    assert found
    assert (found.mean, found.low, found.high) == (2, 1, 3)
    assert band([np.nan]) is None


@pytest.mark.parametrize("backend", BACKENDS)
def test_violations_are_counted_over_the_futures(
    network: Network, ask: Callable[..., Any], backend: BackendName
) -> None:
    environment = network(backend, "cut")
    scenario = environment.backend.scenario
    futures = environment.backend.futures((), 2, DRAWS)
    for slice_ in ("embb", "urllc"):
        told = ask(environment, "predict_sla_violation", slice=slice_, horizon=2)
        broken = [
            [sla_holds(sla_terms(scenario, slice_, [kpis])) is False for kpis in draw]
            for draw in futures.draws
        ]
        shares = [sum(interval) / DRAWS for interval in zip(*broken, strict=True)]
        assert told["by_interval"] == shares
        assert told["probability"] == sum(map(any, broken)) / DRAWS
        first = next((i for i, p in enumerate(shares, 1) if p >= 0.5), None)
        assert told["first_violation"] == first
        assert told["probability"] >= max(t["probability"] for t in told["terms"])


def test_compliance_over_a_window_is_weighted_by_what_arrived(
    network: Network, ask: Callable[..., Any]
) -> None:
    environment = network("ns3", "quickstart")
    history = environment.backend.history
    for item in environment.backend.scenario.slices:
        told = ask(environment, "verify_sla_compliance", slice=item.name, window=50)
        assert told["intervals"] == len(history)
        latency, within = told["terms"][:2]
        rows = [r for k in history for r in k.rows("network") if r["slice"] == item.name]
        arrived = np.array([r["throughput_mbps"] for r in rows])
        for term, column, sign in ((latency, "latency_ms", -1), (within, "within_budget_pct", 1)):
            mean = np.average([r[column] for r in rows], weights=arrived)
            assert term["achieved"] == pytest.approx(mean, rel=1e-5)
            assert term["margin"] == pytest.approx(sign * (mean - term["target"]), rel=1e-3)
            assert term["holds"] == (sign * (mean - term["target"]) >= 0)
        assert told["compliant"] == all(t["holds"] for t in told["terms"])


@pytest.mark.parametrize(
    ("backend", "element"), [("surrogate", "c0"), ("surrogate", "embb"), ("ns3", "c0")]
)
def test_load_is_forecast_by_futures(
    network: Network, ask: Callable[..., Any], backend: BackendName, element: str
) -> None:
    environment = network(backend, "quickstart")
    key = "cell" if element == "c0" else "slice"
    table = "cell" if element == "c0" else "network"
    columns = ("dl_offered_mbps", "ul_offered_mbps") if element == "c0" else ("offered_mbps",)
    told = ask(environment, "forecast_traffic", **{key: element}, horizon=2)
    assert told["method"] == "futures"
    futures = environment.backend.futures((), 2, DRAWS)
    for number, found in enumerate(told["offered_mbps"]):
        check_band(
            found,
            [sum(value(d[number], table, key, element, c) for c in columns) for d in futures.draws],
        )


def test_load_is_smoothed_where_nothing_can_be_foreseen(network: Network) -> None:
    view = dataclasses.replace(network("surrogate", "quickstart").view(), foresee=None)
    tool = TOOLS["forecast_traffic"]
    result: Any = tool.run(view, tool.parse({"slice": "embb", "horizon": 3}))
    assert (result.method, result.in_distribution) == ("smoothing", None)
    widths = [b.high - b.low for b in result.offered_mbps]
    assert widths == sorted(widths)


def test_smoothing_weighs_the_past_down_and_doubts_by_its_errors() -> None:
    assert [(b.mean, b.low, b.high) for b in smoothed(np.full(5, 7.0), 2)] == [(7, 7, 7)] * 2
    past = np.array([10.0, 20.0, 12.0, 15.0])
    weights = [0.3**3, 0.7 * 0.3**2, 0.7 * 0.3, 0.7]
    (found,) = smoothed(past, 1)
    assert found.mean == pytest.approx(float(np.dot(weights, past)))
    levels = [10.0, 17.0, 13.5]
    spread = np.sqrt(np.mean([(v - level) ** 2 for v, level in zip(past[1:], levels, strict=True)]))
    student = 1.6377  # 90 % quantile with 3 degrees of freedom
    assert found.high - found.mean == pytest.approx(student * spread, rel=1e-3)
