# SPDX-License-Identifier: Apache-2.0
"""Trees learn many KPIs at once, leave out what is missing, and cannot learn from noise."""

import json

import numpy as np
import pytest

from calibration.boosting import BoostingSettings, boost, laplace, log_scale

QUICK = BoostingSettings(n_rounds=40, max_depth=4)


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    x = random.normal(size=(4000, 6)).astype(np.float32)
    y = np.stack([x[:, 0], x[:, 0] * x[:, 1], abs(x[:, 2]), np.sin(2 * x[:, 3]), x[:, 4]], 1)
    return x[:3000], y[:3000].astype(np.float32), x[3000:], y[3000:].astype(np.float32)


def r2(predicted, true):
    return 1 - ((predicted - true) ** 2).sum(0) / ((true - true.mean(0)) ** 2).sum(0)


def test_many_kpis_are_learned_at_once(data):
    x, y, apart, truth = data
    booster = boost(x, y, apart[:500], truth[:500], QUICK, threads=1)
    assert (r2(booster.inplace_predict(apart[500:]), truth[500:]) > 0.6).all()


def test_equal_data_give_equal_trees(data):
    x, y, apart, truth = data
    one, two = (boost(x, y, apart, truth, QUICK, threads=1).save_raw("ubj") for _ in range(2))
    assert one == two


@pytest.mark.filterwarnings("ignore:.*GPU")
def test_device_is_that_of_the_fit_only(data):
    """Where there is no GPU, XGBoost takes the CPU instead."""
    x, y, apart, truth = data
    booster = boost(x, y, apart[:500], truth[:500], QUICK, threads=1, device="cuda")
    assert json.loads(booster.save_config())["learner"]["generic_param"]["device"] == "cpu"
    assert (r2(booster.inplace_predict(apart[500:]), truth[500:]) > 0.6).all()


def test_missing_targets_pull_nowhere(data):
    x, y, apart, truth = data
    holes = y.copy()
    holes[np.random.default_rng(1).random(y.shape) < 0.5] = np.nan
    booster = boost(x, holes, apart[:500], truth[:500], QUICK, threads=1)
    assert (r2(booster.inplace_predict(apart[500:]), truth[500:]) > 0.6).all()


def test_scrambled_labels_teach_nothing(data):
    x, y, apart, truth = data
    random = np.random.default_rng(2)
    settings = BoostingSettings(n_rounds=40, max_depth=4, stop_after=5)
    booster = boost(x, random.permutation(y), apart[:500], truth[:500], settings, threads=1)
    predicted = booster.inplace_predict(apart[500:]).reshape(-1, y.shape[1])
    assert (r2(predicted, truth[500:]) < 0.05).all()


def test_monotone_kpi_never_falls(data):
    x, y, apart, truth = data
    booster = boost(x, y[:, 1:2], apart[:500], truth[:500, 1:2], QUICK, threads=1, monotone={0: 1})
    row = np.repeat(apart[:20], 50, axis=0)
    row[:, 0] = np.tile(np.linspace(-3, 3, 50), 20)
    steps = np.diff(booster.inplace_predict(row).reshape(20, 50), axis=1)
    assert steps.min() >= -1e-6
    assert steps.max() > 0


def test_spread_is_that_of_the_residuals(data):
    x, _, apart, _ = data
    random = np.random.default_rng(3)
    sizes = [np.exp(rows[:, :1]) * random.exponential(size=(len(rows), 1)) for rows in (x, apart)]
    residuals = [s.astype(np.float32) for s in sizes]
    booster = boost(
        x, residuals[0], apart, residuals[1], QUICK, gradient=log_scale, loss=laplace, threads=1
    )
    found = booster.inplace_predict(apart)
    assert np.corrcoef(found, apart[:, 0])[0, 1] > 0.9
    assert np.mean(residuals[1][:, 0] * np.exp(-found)) == pytest.approx(1, abs=0.2)
