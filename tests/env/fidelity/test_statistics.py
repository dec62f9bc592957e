# SPDX-License-Identifier: Apache-2.0
"""Figures against known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from env.fidelity.kpi_errors import error_of
from env.fidelity.outcomes import Successes, by_task, outcomes, ranking
from env.fidelity.statistics import interval, kappa, pearson, spearman
from env.fidelity.transients import STEPS, transient_of

flags = arrays(bool, st.shared(st.integers(2, 30), key="n"))


def successes(rates: dict[str, tuple[float, float, float]], tasks: int, each: int) -> Successes:
    """Agents with given success rates on the three, alike at every task."""
    agents, names, reached = [], [], []
    for agent, by_stage in rates.items():
        for number in range(tasks):
            for episode in range(each):
                agents.append(agent)
                names.append(f"t{number}")
                reached.append([episode < round(rate * each) for rate in by_stage])
    return Successes(np.array(agents), np.array(names), np.array(reached).T)


def test_interval_of_a_mean_is_as_wide_as_its_standard_error_says() -> None:
    values = np.random.default_rng(1).normal(5, 2, 400)
    low, high = interval(lambda i: values[i].mean(-1), len(values))
    assert low is not None
    assert high is not None
    assert low < values.mean() < high
    assert (high - low) / (2 * 1.96 * values.std() / 20) == pytest.approx(1, abs=0.06)


def test_interval_keeps_clusters_together() -> None:
    cluster = np.repeat([0.0, 1.0], 10)
    low, high = interval(lambda i: cluster.reshape(2, 10)[i].mean((-1, -2)), 2)
    assert (low, high) == (0, 1)
    assert interval(lambda i: cluster[i].mean(-1), 1) == (None, None)
    assert interval(lambda i: np.full(i.shape[:-1], np.nan), 5) == (None, None)


@given(flags, flags)
def test_kappa_is_that_of_the_field(one: np.ndarray, other: np.ndarray) -> None:
    mine = kappa(one, other)
    if len(set(one) | set(other)) == 1:
        assert mine is None
    else:
        assert mine == pytest.approx(cohen_kappa_score(one, other))
    assert kappa(one, one) in (None, pytest.approx(1))


@given(arrays(float, (6, 2), elements=st.integers(0, 5).map(float)))
def test_correlations_are_those_of_the_field(values: np.ndarray) -> None:
    x, y = values.T
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert np.isnan(pearson(x, y))
        assert np.isnan(spearman(x, y))
        return
    assert pearson(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic)


def test_gap_and_agreement_of_outcomes() -> None:
    found = successes({"a": (0.5, 0.8, 0.8), "b": (0.4, 0.1, 0.2)}, tasks=4, each=10)
    every, a, b = outcomes(found)
    assert (every.agent, every.episodes, every.tasks) == ("all", 80, 4)
    assert every.surrogate.gap_points == pytest.approx(0)
    assert a.surrogate.gap_points == pytest.approx(-30)
    assert (a.surrogate.gap_low, a.surrogate.gap_high) == (pytest.approx(-30), pytest.approx(-30))
    assert a.surrogate.agreement_pct == pytest.approx(70)
    assert (a.own.gap_points, a.own.agreement_pct, a.own.kappa) == (0, 100, pytest.approx(1))
    assert b.own.gap_points == pytest.approx(10)
    counts = by_task(found)[0]
    assert (counts.surrogate, counts.ns3, counts.redrawn) == (20 / 4, 32 / 4, 32 / 4)


def test_gap_is_not_hidden_by_agents_that_err_to_both_sides() -> None:
    ranked = ranking(successes({"a": (0.5, 0.8, 0.8), "b": (0.4, 0.1, 0.2)}, tasks=4, each=10))
    assert ranked is not None
    assert ranked.surrogate.mean_gap_points == pytest.approx(30)
    assert ranked.own.mean_gap_points == pytest.approx(5)
    assert (ranked.agents, ranked.tasks, ranked.least_episodes) == (2, 4, 40)


def test_ranking_notices_agents_that_change_places() -> None:
    rates = {"a": (0.1, 0.2, 0.2), "b": (0.6, 0.4, 0.5), "c": (0.5, 0.6, 0.6), "d": (0.9, 0.9, 1.0)}
    ranked = ranking(successes(rates, tasks=3, each=10))
    assert ranked is not None
    assert ranked.surrogate.spearman == pytest.approx(0.8)
    assert ranked.own.spearman == pytest.approx(1)
    r = np.corrcoef([0.1, 0.6, 0.5, 0.9], [0.2, 0.4, 0.6, 0.9])[0, 1]
    assert ranked.surrogate.pearson == pytest.approx(r)


def test_agents_of_one_success_rate_have_no_ranking() -> None:
    ranked = ranking(successes({"a": (1, 1, 1), "b": (1, 1, 1)}, tasks=2, each=1))
    assert ranked is not None
    assert ranked.surrogate.spearman is None
    assert ranking(successes({}, 0, 0)) is None


def test_error_and_bias_of_a_kpi() -> None:
    truth = np.array([1.0, 2.0, 3.0])
    episodes = [np.array([truth + 0.5, truth, truth - 0.25]), np.array([truth, truth, truth])]
    episodes[1][0, 2] = np.nan
    found = error_of("s", "embb", "throughput_mbps", episodes)
    assert found is not None
    assert found.ns3 == pytest.approx((2 + 1.5) / 2)
    assert found.bias == pytest.approx(0.25)
    assert found.bias_pct == pytest.approx(100 * 0.25 / 1.75)
    assert (found.error, found.own_error) == (pytest.approx(0.25), pytest.approx(0.125))
    assert found.ratio == pytest.approx(2)
    assert found.error_by_step == (0.25, 0.25, 0.5)


def test_what_no_stage_has_is_left_out_and_decibels_have_no_relative_bias() -> None:
    nothing = np.array([[1.0], [np.nan], [1.0]])
    assert error_of("s", "embb", "latency_ms", [nothing]) is None
    found = error_of("s", "cells", "dl_sinr_db", [np.array([[3.0], [2.0], [2.0]])])
    assert found is not None
    assert (found.bias, found.bias_pct, found.ratio) == (1, None, None)


def test_curves_are_means_over_events() -> None:
    level = np.full(len(STEPS), 10.0)
    dip = np.where(np.array(STEPS) == 0, 0.0, level)
    gap = np.where(np.array(STEPS) < 0, np.nan, level)
    curves = {"ns3": [dip, dip], "surrogate": [level, gap], "redrawn": [dip]}
    found = transient_of("handover", "throughput_mbps", curves)  # type: ignore[arg-type]
    assert (found.ns3.events, found.surrogate.events, found.redrawn.events) == (2, 2, 1)
    assert found.error == pytest.approx(10 / len(STEPS))
    assert found.error_pct == pytest.approx(100 * 1 / 9)
    assert found.own_error == 0
    nothing = transient_of("handover", "throughput_mbps", {**curves, "surrogate": []})  # type: ignore[arg-type]
    assert nothing.error is None
