# SPDX-License-Identifier: Apache-2.0
"""Splits are by configuration and seed, and rows know where they come from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.features import ROWS
from calibration.samples import (
    check_split,
    read_runs,
    samples_of,
    samples_of_datasets,
    split_of,
)
from calibration.targets import TARGETS
from ns3_scenarios.errors import DatasetError

SIDES = ("fit", "stop", "conformal", "test")


@given(st.text(min_size=1), st.integers(0, 200))
def test_seeds_of_the_paper_are_held_out(config, seed):
    assert (split_of(config, seed) == "test") == (51 <= seed <= 80)


@given(st.text(min_size=1), st.integers(1, 50), st.integers(1, 50))
def test_all_training_runs_of_a_configuration_are_on_one_side(config, seed, other):
    assert split_of(config, seed) == split_of(config, other)


def test_no_configuration_or_seed_is_on_two_sides(dataset):
    samples = samples_of_datasets([dataset.path])
    for every in samples.values():
        sides = {}
        for side in SIDES:
            rows = every.in_split(side)
            assert len(rows)
            mine = {every.runs[r] for r in np.unique(rows.run)}
            sides[side] = {(scenario, config) for scenario, config, _ in mine}
            seeds = {seed for _, _, seed in mine}
            assert all((51 <= seed <= 80) == (side == "test") for seed in seeds)
        assert sum(map(len, sides.values())) == len(set.union(*sides.values()))
        assert sum(len(every.in_split(side)) for side in SIDES) == len(every)


def test_configuration_on_two_sides_is_refused():
    runs = [("quickstart", "a", 1), ("quickstart", "b", 60), ("quickstart", "a", 51)]
    with pytest.raises(DatasetError, match=r"configuration a has seeds of training .* and of test"):
        check_split(runs)


def test_rows_say_which_interval_and_element_they_are(dataset):
    pairs = [pair for pair, _ in zip(read_runs(dataset), range(3), strict=False)]
    samples = samples_of(pairs)
    assert set(samples) == set(ROWS)
    slices = samples["slice"]
    names = [t.name for t in TARGETS["slice"]]
    for number, (identity, run) in enumerate(pairs):
        assert slices.runs[number] == identity
        mine = slices.where(slices.run == number)
        table = run.tables["slice"]["dl_throughput_mbps"]
        expected = table.reshape(run.n_intervals, -1)[mine.interval, mine.element]
        assert mine.y[:, names.index("dl_throughput_mbps")] == pytest.approx(expected)
