# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.samples import Samples
from calibration.validation import incomparable_intervals, validate
from calibration.validation.floor import SETTLING_INTERVALS, noise_floor, pairs_between_seeds
from experiment_model import ExperimentModel
from ns3_scenarios.errors import DatasetError
from ns3_scenarios.library import load_scenario
from ns3_scenarios.storage import Manifest, RunEntry, write_json, write_manifest


def test_the_floor_of_known_noise_is_the_noise(
    right_model: ExperimentModel, world: Samples
) -> None:
    report = validate(right_model, {"network": world}, baseline_rows=10)
    floor = report.kinds["network"].kpis["prb_util_pct"].pooled.floor
    # z has deviations of 0.1, which is 2 points of a scale of 20.
    assert floor.pairs == len(world.in_split("test")) / 2
    assert floor.rmse == pytest.approx(2, rel=0.06)
    assert floor.mae == pytest.approx(2 * np.sqrt(2 / np.pi), rel=0.06)
    assert floor.ratio == pytest.approx(1, rel=0.06)
    assert floor.model_mae == pytest.approx(floor.mae, rel=0.06)
    hall = report.kinds["network"].kpis["prb_util_pct"].scenarios["hall"].floor
    assert hall.pairs == floor.pairs / 2


def test_the_floor_is_half_of_the_mean_squared_difference() -> None:
    true = np.array([1.0, 3.0, 5.0, 5.0, np.nan, 2.0])
    predicted = np.array([2.0, 2.0, 5.0, 5.0, 0.0, 0.0])
    found = noise_floor(true, predicted, np.array([0, 2, 4]), np.array([1, 3, 5]))
    assert found.pairs == 2
    assert found.rmse == pytest.approx(np.sqrt((2**2 + 0) / 2 / 2))
    assert found.mae == pytest.approx(1 / np.sqrt(2))
    assert found.model_rmse == pytest.approx(np.sqrt(2 / 4))
    assert found.ratio == pytest.approx(np.sqrt(2 / 4) / 1)


def test_without_pairs_or_noise_there_is_no_ratio() -> None:
    nobody = np.zeros(0, int)
    assert noise_floor(np.ones(2), np.ones(2), nobody, nobody).model_dump() == {
        "pairs": 0,
        "rmse": None,
        "mae": None,
        "model_rmse": None,
        "model_mae": None,
        "ratio": None,
    }
    still = noise_floor(np.ones(2), np.zeros(2), np.array([0]), np.array([1]))
    assert (still.rmse, still.model_rmse, still.ratio) == (0, 1, None)


def test_pairs_differ_by_nothing_but_the_seed(world: Samples) -> None:
    shuffled = world.where(np.ones(len(world), bool))
    order = np.random.default_rng(0).permutation(len(world))
    shuffled = dataclasses.replace(
        shuffled,
        **{n: getattr(world, n)[order] for n in ("x", "y", "run", "interval", "element")},
    )
    first, second = pairs_between_seeds(shuffled, {})
    assert len(first) == len(world) / 2
    assert len(np.unique(np.concatenate([first, second]))) == len(world)
    for name in ("interval", "element"):
        values = getattr(shuffled, name)
        np.testing.assert_array_equal(values[first], values[second])
    for a, b in zip(first, second, strict=True):
        one, other = shuffled.runs[shuffled.run[a]], shuffled.runs[shuffled.run[b]]
        assert one[:2] == other[:2]
        assert one[2] != other[2]


def test_intervals_with_faults_make_no_pairs(right_model: ExperimentModel, world: Samples) -> None:
    run = next(i for i, (_, _, seed) in enumerate(world.runs) if seed == 51)
    y = world.y.copy()
    struck = (world.run == run) & np.isin(world.interval, [3, 4])
    y[struck] = 0
    spoilt = dataclasses.replace(world, y=y)
    without = {world.runs[run]: frozenset({3, 4})}
    first, _ = pairs_between_seeds(spoilt.in_split("test"), without)
    assert len(first) == len(world.in_split("test")) / 2 - struck.sum()
    fair = validate(right_model, {"network": spoilt}, baseline_rows=10, incomparable=without)
    unfair = validate(right_model, {"network": spoilt}, baseline_rows=10)
    floors = [
        report.kinds["network"].kpis["prb_util_pct"].pooled.floor.rmse for report in (fair, unfair)
    ]
    assert floors[0] == pytest.approx(2, rel=0.06)
    assert floors[1] > 1.5 * floors[0]
    assert (fair.data.left_out_intervals, unfair.data.left_out_intervals) == (2, None)


def dataset_with(folder: Path, schedules: dict[int, str], **changes: Any) -> Path:
    """A dataset of which only the manifest and the scenario are there."""
    scenario = load_scenario("quickstart").model_copy(update=changes)
    runs = tuple(
        RunEntry(config="c", seed=seed, schedule_hash=schedule, files={})
        for seed, schedule in schedules.items()
    )
    manifest = Manifest(
        code_version="1",
        ran_hash="",
        ns3_version="",
        scenario=scenario.name,
        configs=("c",),
        seeds=tuple(schedules),
        runs=runs,
    )
    folder.mkdir()
    write_manifest(folder, manifest)
    write_json(folder / "scenarios" / "c.json", json.loads(scenario.model_dump_json()))
    return folder


def outage(scenario: Any, start_s: float, duration_s: float) -> dict[str, Any]:
    faults = type(scenario).model_validate(
        scenario.model_dump()
        | {
            "faults": [
                {
                    "kind": "cell_outage",
                    "cell": "c0",
                    "start_s": start_s,
                    "duration_s": duration_s,
                }
            ]
        }
    )
    return {"faults": faults.faults}


def test_faults_that_all_seeds_have_may_be_compared(tmp_path: Path) -> None:
    scenario = load_scenario("quickstart")
    folder = dataset_with(tmp_path / "d", {51: "s", 52: "s"}, **outage(scenario, 0.2, 0.3))
    assert incomparable_intervals([folder]) == {
        ("quickstart", "c", 51): frozenset(),
        ("quickstart", "c", 52): frozenset(),
    }


def test_faults_of_one_seed_are_left_out_with_their_traces(tmp_path: Path) -> None:
    scenario = load_scenario("quickstart")
    random = type(scenario).model_validate(
        scenario.model_dump() | {"random_faults": {"mean_gap_s": 0.7, "mean_duration_s": 0.3}}
    )
    folder = dataset_with(tmp_path / "d", {51: "s", 52: "s"}, random_faults=random.random_faults)
    found = incomparable_intervals([folder])
    step_s = scenario.interval_ms * 1e-3
    for seed in (51, 52):
        expected = set()
        for interval in range(scenario.n_intervals):
            start, end = interval * step_s, (interval + 1) * step_s
            for fault in random.all_faults(seed):
                if fault.start_s < end and fault.end_s + SETTLING_INTERVALS * step_s >= start:
                    expected.add(interval)
        assert found["quickstart", "c", seed] == expected
    assert found["quickstart", "c", 51] != found["quickstart", "c", 52]


def test_runs_with_other_schedules_are_not_compared(tmp_path: Path) -> None:
    folder = dataset_with(tmp_path / "d", {51: "s", 52: "t"})
    every = frozenset(range(load_scenario("quickstart").n_intervals))
    assert incomparable_intervals([folder]) == {
        ("quickstart", "c", 51): every,
        ("quickstart", "c", 52): every,
    }


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"is not a dataset: there is no such folder$"):
        incomparable_intervals([tmp_path / "nowhere"])
