# SPDX-License-Identifier: Apache-2.0
"""A model is held against traces of its own design, and of a network that it does not know."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from calibration.drift import drift
from calibration.samples import samples_of_datasets
from experiment_model import ExperimentModel
from ns3_scenarios.errors import DatasetError
from ns3_scenarios.sweeps import parse_spec, sweep

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {
    "scenario.carriers.0.bandwidth_mhz": {"values": [60]},
    "scenario.carriers.0.frequency_ghz": {"values": [26]},
    "scenario.transport.links.trunk.rate_mbps": {"values": [20]},
    "scenario.users.video.traffic.0.rate_mbps": {"min": 60, "max": 120},
}


@pytest.fixture(scope="module")
def fresh(spec, tmp_path_factory):
    """Further configurations of the design that the model was fitted on."""
    spec = {**spec, "design_seed": 5, "n_configs": 8, "seeds": "1-8", "seeds_per_config": 1}
    return sweep(parse_spec(spec), tmp_path_factory.mktemp("fresh") / "fresh", jobs=2)


@pytest.fixture(scope="module")
def elsewhere(spec, tmp_path_factory):
    """A network with another carrier, a slow link and much more traffic."""
    spec = {**spec, "vary": ELSEWHERE, "n_configs": 4, "seeds": "1-4", "seeds_per_config": 1}
    return sweep(parse_spec(spec), tmp_path_factory.mktemp("elsewhere") / "elsewhere", jobs=2)


def test_fresh_traces_of_the_same_design_are_accepted(model, fresh):
    report = drift(ExperimentModel.load(model[0]), samples_of_datasets([fresh.path]))
    assert [reason.text for reason in report.reasons] == []
    assert report.verdict == "accept"
    kpis = report.scenarios["quickstart"]["network"].kpis
    assert {kpi.expected_from for kpi in kpis} == {"validation"}
    throughput = next(kpi for kpi in kpis if kpi.name == "throughput_mbps")
    assert 0 < throughput.coverage_pct < 100
    assert throughput.error_ratio == pytest.approx(throughput.mae / throughput.expected_mae)


def test_traces_of_another_network_ask_for_a_refit(model, elsewhere):
    report = drift(ExperimentModel.load(model[0]), samples_of_datasets([elsewhere.path]))
    assert report.verdict == "refit"
    outside = {reason.kind for reason in report.reasons if reason.what == "outside"}
    assert {"slice", "link"} <= outside
    assert all(reason.scenario == "quickstart" for reason in report.reasons)


def test_command_line_gives_verdict_and_reasons(model, elsewhere):
    command = [sys.executable, str(ROOT / "sixg.py"), "drift", model[0], elsewhere.path, "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert report["verdict"] == "refit"
    assert any(
        "lie outside of what the model was fitted on" in r["text"] for r in report["reasons"]
    )


def test_nothing_to_compare_is_one_clear_error(model):
    with pytest.raises(DatasetError, match="there are only rows of nothing"):
        drift(ExperimentModel.load(model[0]), {})
