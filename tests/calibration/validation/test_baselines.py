# SPDX-License-Identifier: Apache-2.0
import dataclasses
from typing import Any

import numpy as np
import pytest

from calibration.samples import Samples
from calibration.targets import TARGETS, Target
from calibration.validation import validate
from calibration.validation.baselines import REGRESSORS, compare, first_guess, last_known
from experiment_model import ExperimentModel

EDGE = TARGETS["edge"][0]


def rows(y: Any, run: Any, interval: Any, element: Any, x: Any = None) -> Samples:
    n = len(run)
    return Samples(
        "edge",
        ("now_util_pct", "load"),
        np.zeros((n, 2), np.float32) if x is None else np.asarray(x, np.float32),
        np.asarray(y, np.float32).reshape(n, -1),
        np.asarray(run, np.int32),
        np.asarray(interval, np.int32),
        np.asarray(element, np.int32),
        tuple(("s", f"c{i}", 51) for i in range(max(run) + 1)),
    )


def test_persistence_is_the_last_value_of_the_same_run_and_element() -> None:
    nan = np.nan
    samples = rows(
        y=[5, 1, 2, nan, 3, 4, 9],
        run=[0, 0, 0, 0, 0, 0, 1],
        interval=[3, 1, 1, 2, 2, 3, 4],
        element=[0, 0, 1, 0, 1, 1, 0],
    )
    np.testing.assert_array_equal(last_known(samples)[:, 0], [1, nan, nan, 1, 2, 3, nan])


def test_the_first_guess_keeps_to_the_bounds() -> None:
    samples = rows([0, 0, 0], [0, 0, 0], [1, 2, 3], [0, 0, 0], [[50, 0], [170, 0], [np.nan, 0]])
    target = dataclasses.replace(EDGE, base="now_util_pct")
    np.testing.assert_array_equal(first_guess(samples, target), [50, 100, 0])
    np.testing.assert_array_equal(first_guess(samples, dataclasses.replace(target, base=None)), 0)


def regression(n: int, seed: int, shape: str) -> Samples:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, (n, 2))
    by_shape = {
        "linear": 30 + 40 * x[:, 0] - 20 * x[:, 1],
        "steps": 50 + 20 * np.sign(x[:, 0] - 0.5) * np.sign(x[:, 1] - 0.5),
        "walk": np.clip(50 + np.cumsum(rng.normal(0, 1, n)), 0, 100),
    }
    missing = x.copy()
    missing[rng.random(n) < 0.05, 0] = np.nan
    return rows(by_shape[shape], [0] * n, range(n), [0] * n, missing)


def compared(shape: str, error: float, target: Target = EDGE) -> Any:
    fit, test = regression(600, 1, shape), regression(400, 2, shape)
    target = dataclasses.replace(target, base="now_util_pct")
    answer = test.y[:, 0] + error * np.random.default_rng(3).standard_normal(len(test))
    return compare(fit, test, {0: target}, {0: answer}, 500, np.random.default_rng(0))[0]


@pytest.mark.parametrize(
    ("shape", "winner"),
    [("linear", "ridge"), ("steps", "random_forest"), ("walk", "persistence")],
)
def test_a_poor_model_loses_to_the_simple_one_that_fits(shape: str, winner: str) -> None:
    found = compared(shape, error=30)
    assert found.winner == winner
    assert found.rmse[winner] == min(found.rmse.values())
    assert found.r2[winner] > found.r2["xgboost"]
    assert (found.rows, found.fitted_on) == (400, 500)


@pytest.mark.parametrize("shape", ["linear", "steps", "walk"])
def test_a_good_model_wins(shape: str) -> None:
    assert compared(shape, error=0.01).winner == "xgboost"


def test_every_simple_model_learns_what_there_is_to_learn() -> None:
    found = compared("linear", error=1)
    assert set(found.r2) == {"xgboost", "persistence", "first_guess", *REGRESSORS}
    for name in REGRESSORS:
        assert found.r2[name] > 0.7
    assert found.r2["persistence"] < 0
    assert found.r2["first_guess"] < 0


def test_nobody_wins_where_nothing_varies() -> None:
    test = regression(400, 2, "linear")
    still = dataclasses.replace(test, y=np.full_like(test.y, 3))
    target = dataclasses.replace(EDGE, base="now_util_pct")
    right = np.full(len(test), 3.0)
    found = compare(still, still, {0: target}, {0: right}, 100, np.random.default_rng(0))[0]
    assert found.winner is None
    assert found.rmse["xgboost"] == 0


def test_without_rows_to_fit_only_rules_are_compared(
    right_model: ExperimentModel, world: Samples
) -> None:
    report = validate(right_model, {"network": world.in_split("test")})
    for kpi in report.kinds["network"].kpis.values():
        assert kpi.baselines
        assert set(kpi.baselines.rmse) == {"xgboost", "persistence", "first_guess"}
        assert kpi.baselines.fitted_on == 0


def test_simple_models_see_the_fit_split_alone(
    right_model: ExperimentModel, world: Samples
) -> None:
    y = world.y.copy()
    sides = [np.unique(world.in_split(side).run) for side in ("stop", "conformal")]
    kept_apart = np.isin(world.run, np.concatenate(sides))
    assert kept_apart.any()
    y[kept_apart] = 0
    spoilt = dataclasses.replace(world, y=y)
    reports = [
        validate(right_model, {"network": samples}, baseline_rows=300)
        for samples in (world, spoilt)
    ]
    assert reports[0].kinds == reports[1].kinds
    y[np.isin(world.run, np.unique(world.in_split("fit").run))] = 0
    other = validate(right_model, {"network": dataclasses.replace(world, y=y)}, baseline_rows=300)
    assert other.kinds != reports[0].kinds
