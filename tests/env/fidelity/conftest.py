# SPDX-License-Identifier: Apache-2.0
"""Episodes that were played once for all tests."""

from __future__ import annotations

import pytest

from env.fidelity.playing import Case, Setup, Subject, Triple, cases_of, play_all
from env.tasks import Task
from ns3_scenarios.library import load_scenario, parse_model
from ns3_scenarios.scenario import ScenarioConfig

QUIETER = {
    "name": "quieter",
    "intent": "Let cell c0 send with 30 dBm or less.",
    "scenario": "quickstart",
    "goal": [
        {"kind": "control", "path": "cells.c0.tx_power_dbm", "comparison": "<=", "value": 30.0}
    ],
    "max_changes": 3,
}


@pytest.fixture(scope="session")
def outage() -> ScenarioConfig:
    """`quickstart` whose cell c0 is out from 0.8 to 1.2 s, the intervals 4 and 5."""
    data = load_scenario("quickstart").model_dump(mode="json")
    data["faults"] = [{"kind": "cell_outage", "cell": "c0", "start_s": 0.8, "duration_s": 0.4}]
    return parse_model(ScenarioConfig, data, "outage")


@pytest.fixture(scope="session")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    return Setup(tmp_path_factory.mktemp("fidelity"), intervals=8)


@pytest.fixture(scope="session")
def cases(outage: ScenarioConfig) -> list[Case]:
    task = Task.model_validate(QUIETER)
    subjects = [Subject("outage", outage), Subject("quieter", task.network, task)]
    return cases_of(subjects, ["random"], 2)


@pytest.fixture(scope="session")
def triples(cases: list[Case], setup: Setup) -> list[Triple]:
    """Of two seeds on a network with an outage, and on a task."""
    return play_all(cases, setup)
