# SPDX-License-Identifier: Apache-2.0
"""A small dataset of NS-3 in which everything moves, and what calibration makes of it."""

import pytest

from calibration.boosting import BoostingSettings
from calibration.calibrating import calibrate
from calibration.features import ROWS
from calibration.fitting import Settings
from calibration.samples import read_runs
from ns3_scenarios.sweeps import parse_spec, sweep

SPEC = {
    "scenario": "quickstart",
    "duration_s": 1.6,
    "vary": {"scenario.users.video.traffic.0.rate_mbps": {"min": 4, "max": 30}},
    "n_configs": 32,
    "seeds": "1-20, 51-56",
    "seeds_per_config": 2,
    "random_faults": {"mean_gap_s": 0.8, "mean_duration_s": 0.5},
    "schedule": {
        "kind": "random_piecewise",
        "controls": "all",
        "per_seed": False,
        "min_gap_intervals": 1,
        "max_gap_intervals": 4,
    },
}


@pytest.fixture(scope="session")
def spec():
    return SPEC


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    return sweep(parse_spec(SPEC), tmp_path_factory.mktemp("calibration") / "dataset", jobs=2)


@pytest.fixture(scope="session")
def runs(dataset):
    """Some runs: what names them, and their arrays."""
    return [run for run, _ in zip(read_runs(dataset), range(6), strict=False)]


@pytest.fixture(scope="session")
def quick():
    """Settings of a fit that takes seconds."""
    boosting = dict.fromkeys(ROWS, BoostingSettings(n_rounds=25, max_depth=4))
    return Settings(boosting=boosting, threads=1)


@pytest.fixture(scope="session")
def model(dataset, quick, tmp_path_factory):
    """A model of the dataset, and its report."""
    path = tmp_path_factory.mktemp("model") / "small"
    return path, calibrate([dataset.path], path, quick)
