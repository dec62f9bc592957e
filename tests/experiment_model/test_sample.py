# SPDX-License-Identifier: Apache-2.0
import re
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiment_model import ExperimentModel, Intervals, Levels, ModelError
from experiment_model.intervals import Tables

N = 20_000
PROBABILITIES = (0.01, 0.1, 0.3, 0.5, 0.8, 0.99)


def draw(model: ExperimentModel, parts: Any, seed: int = 0, n: int = N, **more: Any) -> Any:
    rows = np.repeat(parts.rows["cell"][:1], n, axis=0)
    return model.sample("cell", rows, np.random.default_rng(seed), **more)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), group=st.sampled_from(["", "wide"]))
def test_equal_random_states_give_equal_samples_within_the_tables(
    model: ExperimentModel, parts: Any, seed: int, group: str
) -> None:
    rows = parts.rows["cell"]
    first, second = (
        model.sample("cell", rows, np.random.default_rng(seed), group) for _ in range(2)
    )
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.scores, second.scores)
    prediction = model.predict("cell", rows, group)
    assert (first.values >= prediction.quantile(0.005)).all()
    assert (first.values <= prediction.quantile(0.995)).all()
    other = model.sample("cell", rows, np.random.default_rng(seed + 1), group)
    assert (other.values != first.values).any()


@pytest.mark.parametrize("n_levels", [1, 3])
def test_residuals_are_linear_between_the_scores_of_the_level(n_levels: int) -> None:
    rng = np.random.default_rng(3)
    at = [NormalDist().inv_cdf(p) for p in PROBABILITIES]
    edges = [0.0, 1.0][: n_levels - 1]
    levels = [np.sort(rng.normal(size=len(at))) for _ in range(n_levels)]
    one = Levels(quantiles=[np.sort(rng.normal(size=len(at)))])
    kpis = {"one": one, "other": Levels(edges=edges, quantiles=levels)}
    tables = Tables(Intervals(probabilities=PROBABILITIES, tables={"": kpis}), list(kpis))
    scores, z = rng.normal(scale=2, size=(500, 2)), rng.normal(scale=2, size=(500, 2))
    scores[0], scores[1], z[2] = at[0], at[-1], np.inf
    found = tables.at_scores(scores, z, "")
    np.testing.assert_allclose(found[:, 0], np.interp(scores[:, 0], at, one.quantiles[0]))
    for row, level in enumerate(np.searchsorted(edges, z[:, 1], side="right")):
        assert found[row, 1] == pytest.approx(np.interp(scores[row, 1], at, levels[level]))
    inside = abs(scores) < at[-1]
    np.testing.assert_allclose(tables.scores(found, z, "")[inside], scores[inside], atol=1e-9)


def test_samples_are_distributed_as_the_quantiles_say(model: ExperimentModel, parts: Any) -> None:
    values = draw(model, parts).values
    prediction = model.predict("cell", parts.rows["cell"][:1])
    for p in (0.1, 0.35, 0.5, 0.9):
        share = (values <= prediction.quantile(p)).mean(axis=0)
        np.testing.assert_allclose(share, p, atol=4 * np.sqrt(p * (1 - p) / N))


def test_kpis_vary_together_as_the_model_says(model: ExperimentModel, parts: Any) -> None:
    said = np.array(model.spec.kinds["cell"].joint.correlation)
    assert said[1, 3] > 0.4
    np.testing.assert_allclose(np.corrcoef(draw(model, parts).scores.T), said, atol=0.03)


def test_scores_persist_and_stay_standard_normal(model: ExperimentModel, parts: Any) -> None:
    first = draw(model, parts).scores
    second = draw(model, parts, seed=1, scores=first).scores
    lag = [np.corrcoef(first[:, i], second[:, i])[0, 1] for i in range(4)]
    np.testing.assert_allclose(lag, [0.8, 0.4, 0.8 / 3, 0.2], atol=0.03)
    for seed in (2, 3, 4):
        second = draw(model, parts, seed=seed, scores=second).scores
    np.testing.assert_allclose(second.std(axis=0), 1, atol=0.03)
    np.testing.assert_allclose(
        np.quantile(second, 0.9, axis=0), NormalDist().inv_cdf(0.9), atol=0.04
    )


@pytest.mark.parametrize("scores", [np.zeros((3, 4)), np.zeros(4), np.full((2, 4), np.nan)])
def test_scores_of_other_rows_are_refused(model: ExperimentModel, parts: Any, scores: Any) -> None:
    sentence = (
        f"scores of cell have shape {scores.shape}; they must be finite numbers of shape (2, 4), "
        "one per row and KPI"
    )
    with pytest.raises(ModelError, match=f"^{re.escape(sentence)}$"):
        draw(model, parts, n=2, scores=scores)
