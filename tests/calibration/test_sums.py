# SPDX-License-Identifier: Apache-2.0
"""Compiled sums over users and flows are what numpy's own functions give, slowly."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibration.sums import greatest, known, least_into, mean_into, picked, sum_into, within

COUNT = 4


@st.composite
def cases(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]:
    """Indices, some of which are none, values, some of which are missing, and weights."""
    n, batch = draw(st.integers(1, 30)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    index = rng.integers(-1, COUNT, (n,) if draw(st.booleans()) else (batch, n))
    values = rng.normal(scale=1e6, size=(batch, n))
    values[rng.random(values.shape) < 0.2] = np.nan
    return index, values, rng.integers(0, 3, n).astype(float)


@given(cases())
def test_sums_and_means_and_least_values(case: Any) -> None:
    index, values, weights = case
    total, least = sum_into(index, values, COUNT), least_into(index, values, COUNT)
    mean = mean_into(index, values, weights, COUNT)
    indices = np.broadcast_to(index, values.shape)
    for b, k in np.ndindex(len(values), COUNT):
        there = (indices[b] == k) & ~np.isnan(values[b])
        mine, weight = values[b, there], weights[there]
        # Added up one after the other, and so to the last bit.
        assert total[b, k] == sum(mine, 0.0)
        if weight.sum() > 0:
            assert mean[b, k] == sum(mine * weight, 0.0) / sum(weight, 0.0)
        else:
            assert np.isnan(mean[b, k])
        np.testing.assert_equal(least[b, k], mine.min() if len(mine) else np.nan)


@given(cases())
def test_values_are_picked_and_ranked(case: Any) -> None:
    _, values, _ = case
    values = known(values, -1.0)
    places = np.argsort(values, axis=-1)
    np.testing.assert_array_equal(picked(values, places), np.take_along_axis(values, places, -1))
    without = places[:, -1]
    others = values.copy()
    np.put_along_axis(others, without[:, None], -np.inf, -1)
    best = greatest(values, without, min(3, values.shape[-1] - 1))
    expected = np.argsort(-others, axis=-1, kind="stable")[:, : best.shape[-1]]
    np.testing.assert_array_equal(best, expected)


@given(cases())
def test_missing_values_and_bounds(case: Any) -> None:
    _, values, _ = case
    np.testing.assert_array_equal(known(values), np.nan_to_num(values))
    np.testing.assert_array_equal(within(values, -1e5, 1e5), np.clip(values, -1e5, 1e5))
