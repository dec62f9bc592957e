# SPDX-License-Identifier: Apache-2.0
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from experiment_model import ExperimentModel, ModelError
from experiment_model.attribution import Attribution
from experiment_model.trees import Trees, read_trees

FEATURES = ("a", "b", "c", "d")
SCALAR = {"multi_strategy": "one_output_per_tree"}


@pytest.fixture(scope="module")
def data() -> tuple[Any, Any]:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(800, 4)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    known = np.nan_to_num(rows)
    targets = np.stack(
        [known[:, 0] * known[:, 1], np.sin(3 * known[:, 0]) + known[:, 2], known[:, 3]], axis=1
    )
    return rows, targets


@settings(max_examples=50, deadline=None)
@given(row=arrays(np.float32, 5, elements=st.floats(-200, 400, width=32) | st.just(float("nan"))))
def test_contributions_add_up(model: ExperimentModel, row: Any) -> None:
    z = model.predict("cell", row[None]).z[0]
    explained = model.explain("cell", row)
    assert list(explained) == [kpi.name for kpi in model.kpis("cell")]
    for value, explanation in zip(z, explained.values(), strict=True):
        assert explanation.z == value
        total = sum(contribution for _, contribution in explanation.contributions)
        assert math.isclose(
            explanation.base + explanation.expected + total, value, rel_tol=1e-5, abs_tol=1e-5
        )
        sizes = [abs(contribution) for _, contribution in explanation.contributions]
        assert sizes == sorted(sizes, reverse=True)


def test_what_moves_a_kpi_comes_first(model: ExperimentModel, parts: Any) -> None:
    row = dict.fromkeys(["power_dbm", "tilt_deg"], 5.0) | {"fluid_mbps": 60.0, "now_sinr_db": -3.0}
    explained = model.explain("cell", row | {"load_pct": 110.0})
    assert explained["latency_ms"].contributions[0][0] == "load_pct"
    assert explained["latency_ms"].contributions[0][1] > 0
    assert explained["sinr_db"].contributions[0][0] == "now_sinr_db"
    assert explained["sinr_db"].contributions[0][1] < 0


@pytest.mark.parametrize("depth", [1, 3, 8])
def test_contributions_are_those_of_xgboost_for_one_output(
    data: tuple[Any, Any], trained: Callable[..., xgboost.Booster], depth: int
) -> None:
    rows, targets = data
    booster = trained(rows, targets[:, 0], rounds=20, max_depth=depth, **SCALAR)
    attribution = Attribution(read_trees(bytes(booster.save_raw("ubj")), FEATURES, 1))
    theirs = booster.predict(xgboost.DMatrix(rows[:50]), pred_contribs=True)
    ours = np.stack([attribution.contributions(row)[:, 0] for row in rows[:50]])
    np.testing.assert_allclose(ours, theirs[:, :-1], atol=1e-5)
    np.testing.assert_allclose(attribution.expected[0], theirs[:, -1], atol=1e-5)


def test_contributions_are_shapley_values_for_many_outputs(
    data: tuple[Any, Any], trained: Callable[..., xgboost.Booster]
) -> None:
    rows, targets = data
    booster = trained(rows, targets, rounds=3, max_depth=6)
    trees = read_trees(bytes(booster.save_raw("ubj")), FEATURES, 3)
    attribution = Attribution(trees)
    for row in rows[:5]:
        worth = {
            known: sum(_expected(trees, root, row, known) for root in trees.root)
            for size in range(5)
            for known in itertools.combinations(range(4), size)
        }
        for feature in range(4):
            others = [i for i in range(4) if i != feature]
            shapley = sum(
                (worth[tuple(sorted((*known, feature)))] - worth[known]) / (4 * math.comb(3, size))
                for size in range(4)
                for known in itertools.combinations(others, size)
            )
            np.testing.assert_allclose(attribution.contributions(row)[feature], shapley, atol=1e-6)


def _expected(trees: Trees, node: int, row: Any, known: tuple[int, ...]) -> Any:
    """Mean of a tree's leaves where only some features of a row are known."""
    if trees.left[node] < 0:
        return trees.value[np.flatnonzero(trees.leaf == node)[0]].astype(float)
    left, right = trees.left[node], trees.right[node]
    feature = trees.feature[node]
    if feature in known:
        value = row[feature]
        goes_left = trees.default_left[node] if np.isnan(value) else value < trees.threshold[node]
        return _expected(trees, left if goes_left else right, row, known)
    share = trees.cover[left] / trees.cover[node]
    return share * _expected(trees, left, row, known) + (1 - share) * _expected(
        trees, right, row, known
    )


def test_several_rows_are_refused(model: ExperimentModel, parts: Any) -> None:
    with pytest.raises(ModelError, match=r"^one row of cell can be explained at a time, not 2$"):
        model.explain("cell", parts.rows["cell"][:2])
    with pytest.raises(ModelError, match=r"^rows of cell lack the feature 'fluid_mbps'$"):
        model.explain("cell", {"a": 1.0})
