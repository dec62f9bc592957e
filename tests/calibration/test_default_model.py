# SPDX-License-Identifier: Apache-2.0
"""The packaged model works at once, on runs that it has never seen."""

import numpy as np
import pytest

from calibration.features import ROWS, Radio, steps_of
from calibration.network import network_of
from calibration.targets import TARGETS, target_values
from calibration.trajectory import trajectory
from experiment_model import DEFAULT_MODEL, ExperimentModel
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.library import load_scenario, scenario_names
from ns3_scenarios.simulate import simulate

MOST_BYTES = 10e6


@pytest.fixture(scope="module")
def model():
    return ExperimentModel.load()


def test_it_knows_every_packaged_scenario_and_says_how_well(model):
    card = model.card
    assert set(card.data.scenarios) == set(scenario_names())
    assert max(card.data.seeds) <= 50
    assert card.gates
    assert card.limits
    assert sum(f.stat().st_size for f in DEFAULT_MODEL.iterdir()) < MOST_BYTES


def test_its_features_are_those_that_are_computed(model, episodes):
    radio = Radio(steps_of(episodes[0]))
    assert set(model.kinds) == set(ROWS)
    for kind, rows_of in ROWS.items():
        assert [f.name for f in model.features(kind)] == list(rows_of(radio).columns)
        assert [k.name for k in model.kpis(kind)] == [t.name for t in TARGETS[kind]]


@pytest.fixture(scope="module")
def episodes():
    """The packaged network as an operator would run it, with two changes."""
    network = network_of(load_scenario("quickstart"))
    changes = [
        ControlChange(interval=6, path="cells.c0.bandwidth_mhz", value=10),
        ControlChange(interval=12, path="cells.c1.tx_power_dbm", value=30),
    ]
    return [
        trajectory(network, simulate("quickstart", schedule=changes, seed=seed), changes, seed)
        for seed in (61, 62, 63)
    ]


@pytest.mark.parametrize(
    ("kind", "kpi", "least_r2"),
    [
        ("slice", "dl_prb_util_pct", 0.9),
        ("slice", "dl_throughput_mbps", 0.9),
        ("cell", "power_w", 0.8),
        ("link", "util_pct", 0.98),
        ("class", "throughput_mbps", 0.95),
        ("network", "throughput_mbps", 0.95),
        ("network", "latency_ms", 0.75),
    ],
)
def test_it_predicts_runs_that_it_has_never_seen(model, episodes, kind, kpi, least_r2):
    at = [t.name for t in TARGETS[kind]].index(kpi)
    predicted, true = [], []
    for run in episodes:
        found = model.predict(kind, ROWS[kind](Radio(steps_of(run))).matrix(), "quickstart")
        assert found.in_distribution.mean() > 0.95
        predicted.append(found.mean[:, at])
        true.append(target_values(run, kind)[:, at])
    predicted, true = np.concatenate(predicted), np.concatenate(true)
    known = np.isfinite(true)
    predicted, true = predicted[known], true[known]
    assert 1 - ((predicted - true) ** 2).sum() / ((true - true.mean()) ** 2).sum() > least_r2
