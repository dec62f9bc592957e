# SPDX-License-Identifier: Apache-2.0
import dataclasses
from typing import Any

import numpy as np
import pytest

from calibration.samples import Samples
from calibration.targets import TARGETS
from calibration.validation import validate
from calibration.validation.scores import density, pit_histogram, r_squared, value_range
from experiment_model import ExperimentModel


def kpis(model: ExperimentModel, samples: Samples, **more: Any) -> Any:
    return validate(model, {samples.kind: samples}, baseline_rows=10, **more).kinds["network"].kpis


@pytest.fixture(scope="module")
def known(right_model: ExperimentModel, world: Samples) -> Any:
    """Reports on the model that knows the world exactly."""
    return kpis(right_model, world)


def test_perfect_means_have_no_error(right_model: ExperimentModel, worlds: Any) -> None:
    found = kpis(right_model, worlds.World(sigma=0.0).samples())
    assert list(found) == [target.name for target in TARGETS["network"]]
    for name, kpi in found.items():
        assert kpi.pooled.r2 == pytest.approx(1, abs=1e-6), name
        assert kpi.pooled.nrmse == pytest.approx(0, abs=1e-5)
        assert kpi.pooled.mae == pytest.approx(0, abs=1e-5 * kpi.pooled.range)
        assert kpi.pooled.bias == pytest.approx(0, abs=1e-5 * kpi.pooled.range)
        assert kpi.pooled.plain_coverage_pct == 100


def test_right_distributions_cover_80_percent_also_with_atoms(known: Any) -> None:
    for name, kpi in known.items():
        for scores in (kpi.pooled, *kpi.scenarios.values()):
            allowed = 3.5 * np.sqrt(0.8 * 0.2 / scores.rows) * 100
            assert scores.coverage_pct == pytest.approx(80, abs=allowed), name
        expected = sum(kpi.pit) / len(kpi.pit)
        assert max(abs(n - expected) for n in kpi.pit) < 5 * np.sqrt(expected)
    # Three quarters of these have half of their values at 0 or 100 %.
    assert known["packet_loss_pct"].pooled.plain_coverage_pct > 84
    assert known["prb_util_pct"].pooled.plain_coverage_pct < 82


def test_coverage_does_not_depend_on_where_the_atom_is(
    right_model: ExperimentModel, worlds: Any
) -> None:
    samples = worlds.World(loss=(0.0,), seed=1).samples()
    scores = kpis(right_model, samples)["packet_loss_pct"].pooled
    assert np.mean(samples.y[:, worlds.column("packet_loss_pct")] == 0) > 0.4
    assert scores.coverage_pct == pytest.approx(80, abs=3.5)
    assert scores.plain_coverage_pct == pytest.approx(90, abs=2)


@pytest.mark.parametrize(("sigma", "low", "high"), [(0.05, 40, 55), (0.2, 96, 100)])
def test_wrong_widths_show_in_coverage_and_width(
    built: Any, world: Samples, worlds: Any, known: Any, sigma: float, low: float, high: float
) -> None:
    scores = kpis(built(worlds.ModelPlan(sigma=sigma)), world)["prb_util_pct"].pooled
    assert low < scores.coverage_pct < high
    ratio = scores.width / known["prb_util_pct"].pooled.width
    assert ratio == pytest.approx(sigma / worlds.SIGMA, rel=0.02)


def test_bias_is_shown_in_units_and_moves_the_distribution(
    built: Any, world: Samples, worlds: Any, known: Any
) -> None:
    biased = kpis(built(worlds.ModelPlan(offsets={"prb_util_pct": 0.25})), world)
    scores = biased["prb_util_pct"].pooled
    assert scores.bias == pytest.approx(0.25 * 20, abs=0.2)
    assert scores.wasserstein == pytest.approx(5, abs=0.3)
    assert known["prb_util_pct"].pooled.wasserstein < 0.5
    assert biased["prb_util_pct"].pit[0] > 4 * biased["prb_util_pct"].pit[9]
    assert biased["jain_index"].pooled.bias == known["jain_index"].pooled.bias


def test_errors_agree_with_their_definitions(
    right_model: ExperimentModel, world: Samples, worlds: Any, known: Any
) -> None:
    test = world.in_split("test")
    k = worlds.column("latency_ms")
    true = test.y[:, k].astype(float)
    mean = right_model.predict("network", test.x).mean[:, k]
    scores = known["latency_ms"].pooled
    assert scores.rows == len(true) == len(test)
    assert scores.rmse == pytest.approx(np.sqrt(np.mean((mean - true) ** 2)))
    assert scores.mae == pytest.approx(np.mean(abs(mean - true)))
    assert scores.bias == pytest.approx(np.mean(mean - true))
    assert scores.r2 == pytest.approx(1 - np.mean((mean - true) ** 2) / np.var(true))
    span = np.percentile(true, 99) - np.percentile(true, 1)
    assert scores.range == pytest.approx(span)
    assert scores.nrmse == pytest.approx(scores.rmse / span)


def test_scenarios_are_scored_apart(right_model: ExperimentModel, world: Samples) -> None:
    y = world.y.copy()
    street = world.scenario == "street"
    y[street] += 3
    found = kpis(right_model, dataclasses.replace(world, y=y))["prb_util_pct"]
    assert found.scenarios["street"].bias == pytest.approx(-3, abs=0.2)
    assert found.scenarios["hall"].bias == pytest.approx(0, abs=0.2)
    assert found.pooled.bias == pytest.approx(-1.5, abs=0.2)
    assert sum(s.rows for s in found.scenarios.values()) == found.pooled.rows


def test_missing_values_are_left_out(right_model: ExperimentModel, world: Samples) -> None:
    y = world.y.copy()
    y[::2, :] = np.nan
    y[:, 1] = np.nan
    every = dataclasses.replace(world, y=y)
    found = kpis(right_model, every)
    names = list(found)
    assert found[names[0]].pooled.rows == len(world.in_split("test")) / 2
    nothing = found[names[1]]
    assert (nothing.pooled.rows, nothing.pooled.r2, nothing.scenarios) == (0, None, {})
    assert nothing.baselines is None


def test_equal_seeds_give_equal_reports(right_model: ExperimentModel, world: Samples) -> None:
    first, second, other = (
        validate(right_model, {"network": world}, baseline_rows=60, seed=seed).to_json()
        for seed in (0, 0, 1)
    )
    assert first == second != other


def test_r2_is_unknown_where_nothing_varies() -> None:
    assert r_squared(np.full(5, 0.3), np.arange(5.0)) is None
    assert r_squared(np.array([1.0, 2, 3]), np.array([1.0, 2, 3])) == 1


def test_the_range_of_a_kpi_that_is_mostly_zero_is_that_of_all_values() -> None:
    rare = np.zeros(1000)
    rare[0] = 7
    assert value_range(rare) == 7
    assert value_range(np.zeros(5)) is None
    assert value_range(np.full(3, np.nan)) is None


def test_densities_count_every_row_in_bins_of_both_values() -> None:
    true = np.append(np.linspace(0, 99, 1000), np.nan)
    found = density(true, np.append(true[:-1] * 0 + 50, 7), "linear", 20)
    assert found
    counts = np.array(found.counts)
    assert counts.sum() == 1000
    assert np.flatnonzero(counts.sum(axis=0)).size == 1
    low, high = np.percentile(true[:-1], [0.5, 99.5])
    assert (found.edges[0], found.edges[-1]) == pytest.approx((low, high))
    assert density(np.ones(9), np.ones(9), "log", 1) is None
    assert pit_histogram(np.array([0.05, 0.95, 1.0, np.nan])) == (1, *(0,) * 8, 2)
