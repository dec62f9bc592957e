# SPDX-License-Identifier: Apache-2.0
"""Estimators against their definitions, and intervals against what they promise."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from agent_learning.bench.statistics import (
    clustered,
    mcnemar,
    pass_hat_k,
    rate_interval,
    wilson,
)


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.data())
def test_pass_k_is_the_share_of_choices_that_all_succeed(
    outcomes: list[bool], data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, len(outcomes)))
    choices = [all(chosen) for chosen in combinations(outcomes, k)]
    assert pass_hat_k(len(outcomes), sum(outcomes), k) == pytest.approx(np.mean(choices))


@pytest.mark.parametrize(("p", "k"), [(0.3, 1), (0.6, 2), (0.9, 4)])
def test_pass_k_has_no_bias(p: float, k: int) -> None:
    n = 5
    expected = sum(binom.pmf(c, n, p) * pass_hat_k(n, c, k) for c in range(n + 1))
    assert expected == pytest.approx(p**k)


@given(st.integers(1, 500), st.data())
def test_wilson_is_that_of_scipy(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    theirs = binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes / n, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_rates_of_nothing_and_of_everything_are_not_certain() -> None:
    templates = ["a", "a", "b", "b"]
    assert rate_interval(np.zeros(4), templates) == pytest.approx((0, 0.49), abs=0.01)
    assert rate_interval(np.ones(4), templates) == pytest.approx((0.51, 1), abs=0.01)
    assert rate_interval(np.zeros(0), []) == (None, None)


def test_like_tasks_widen_an_interval() -> None:
    """Ten templates that are solved or not: ten facts, however many tasks repeat them."""
    solved = np.repeat([0.0, 1.0] * 5, 20)
    templates = [f"t{n}" for n in np.repeat(np.arange(10), 20)]
    alone = np.diff(clustered(solved, [str(n) for n in range(200)]))
    together = clustered(solved, templates)
    assert np.diff(together) > 3 * alone
    assert rate_interval(solved, templates) == together


def test_intervals_cover_the_truth() -> None:
    """About 95 % of intervals on tasks of twenty templates have the true rate in them."""
    rng = np.random.default_rng(1)
    templates = [f"t{n}" for n in np.repeat(np.arange(20), 5)]
    covered = 0
    for _ in range(100):
        rates = rng.beta(2, 2, 20)
        low, high = rate_interval((rng.random(100) < np.repeat(rates, 5)).astype(float), templates)
        covered += low <= 0.5 <= high
    assert covered >= 89


@given(st.integers(0, 30), st.integers(0, 30))
def test_mcnemar_is_symmetric_and_needs_discordant_tasks(one: int, other: int) -> None:
    p = mcnemar(one, other)
    assert p == mcnemar(other, one)
    tail = 2 * binom.cdf(min(one, other), one + other, 0.5)
    assert p == pytest.approx(min(1.0, tail))
