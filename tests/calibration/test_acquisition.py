# SPDX-License-Identifier: Apache-2.0
"""Candidates are described without simulating them, and batches go where most is to be learned."""

import numpy as np
import pytest

from calibration.acquisition import (
    Expected,
    choose,
    describe_run,
    descriptor_matrix,
    expected,
    held_out_errors,
)
from calibration.boosting import BoostingSettings
from calibration.samples import read_runs, samples_of, split_of
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.library import load_scenario
from ns3_scenarios.scenario import RandomFaults


def test_description_says_how_controls_move_over_time():
    scenario = load_scenario("quickstart")
    half = scenario.n_intervals // 2
    still = describe_run(scenario, (), 1)
    moved = describe_run(
        scenario, (ControlChange(interval=half, path="cells.*.tx_power_dbm", value=30),), 1
    )
    assert still["cells.tx_power_dbm.mean"] == pytest.approx(38)
    assert still["cells.tx_power_dbm.moved"] == 0
    assert moved["cells.tx_power_dbm.mean"] == pytest.approx(34)
    assert moved["cells.tx_power_dbm.moved"] == pytest.approx(0.5)
    assert moved["cells.tilt_deg.moved"] == 0
    assert still["scenario.layout.isd_m"] == 200


def test_description_knows_the_faults_that_a_seed_draws():
    scenario = load_scenario("quickstart").model_copy(
        update={"random_faults": RandomFaults(mean_gap_s=0.5), "duration_s": 4.0}
    )
    found = describe_run(scenario, (), 7)
    of_kind = {fault.kind for fault in scenario.all_faults(7)}
    assert of_kind
    assert {name.removeprefix("faults.") for name in found if name.startswith("faults.")} == of_kind


def test_matrix_leaves_out_what_is_equal_everywhere():
    matrix = descriptor_matrix([{"a": 1, "b": 2}, {"a": 1, "b": 200}, {"a": 1, "b": 20, "c": 1}])
    assert matrix.shape == (3, 2)
    assert matrix[:, 0] == pytest.approx([-1.2247, 1.2247, 0], abs=1e-3)
    assert np.allclose(matrix.std(axis=0), 1)


def test_forest_carries_errors_over_to_candidates():
    random = np.random.default_rng(0)
    known, pool = random.normal(size=(80, 5)), random.normal(size=(40, 5))
    found = expected(known, np.exp(2 * known[:, 3]), pool)
    assert np.corrcoef(np.log(found.value), pool[:, 3])[0, 1] > 0.9
    assert np.argmax(found.importance) == 3


def test_batches_go_to_the_rare_hard_regime_and_spread_within_it():
    random = np.random.default_rng(0)
    pool = np.concatenate([random.normal(0, 0.1, (90, 2)), random.normal(3, 1, (10, 2))])
    known = random.normal(0, 0.1, (20, 2))
    weight = Expected(np.where(np.arange(100) < 90, 0.01, 1.0), np.array([0.5, 0.5]))
    for strategy in ("novelty", "error_novelty"):
        assert min(choose(strategy, pool, known, 8, weight=weight)) >= 90
    for strategy in ("error", "disagreement", "random"):
        drawn = [
            i for s in range(40) for i in choose(strategy, pool, known, 8, seed=s, weight=weight)
        ]
        hard = np.mean(np.array(drawn) >= 90)
        assert abs(hard - 0.1) < 0.05 if strategy == "random" else hard > 0.3
    two = choose("novelty", np.array([[3.0, 3], [3.01, 3], [2, 2]]), known, 2)
    assert two == [1, 2]


def test_batch_has_no_run_twice_and_no_more_than_there_are():
    pool, known = np.zeros((5, 2)), np.zeros((1, 2))
    weight = Expected(np.ones(5), np.ones(2) / 2)
    for strategy in ("random", "novelty", "error", "disagreement", "error_novelty"):
        assert sorted(choose(strategy, pool, known, 9, weight=weight)) == list(range(5))


def test_errors_are_of_training_runs_that_models_have_not_seen(dataset):
    samples = samples_of(read_runs(dataset), ("edge",))
    quick = BoostingSettings(n_rounds=5, max_depth=3)
    found = held_out_errors(samples, boosting=quick, rows=2000, threads=1)
    assert set(found) == {run for run in samples["edge"].runs if split_of(*run[1:]) != "test"}
    assert all(0 < one.error < 100 and one.disagreement > 0 for one in found.values())
    assert found == held_out_errors(samples, boosting=quick, rows=2000, threads=1)
