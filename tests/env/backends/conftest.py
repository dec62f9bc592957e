# SPDX-License-Identifier: Apache-2.0
"""One network in which everything can happen, on every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pyarrow as pa
import pytest

from env.backends.auto import AutoBackend
from env.backends.base import Backend
from env.backends.ns3 import Ns3Backend
from env.backends.replay import ReplayBackend
from env.backends.surrogate import SurrogateBackend
from experiment_model import ExperimentModel
from ns3_scenarios.library import load_scenario, parse_model
from ns3_scenarios.live import LiveSimulation
from ns3_scenarios.scenario import ScenarioConfig

RECORDED = 8


@pytest.fixture(scope="session")
def model() -> ExperimentModel:
    return ExperimentModel.load()


@pytest.fixture(scope="session")
def everything() -> ScenarioConfig:
    """`quickstart` with two UAVs, a car, and a link that is cut from 0.5 to 0.9 s."""
    data = load_scenario("quickstart").model_dump(mode="json")
    drone = {
        "name": "drone",
        "slice": "urllc",
        "count": 2,
        "height_m": 50,
        "placement": {"kind": "box"},
        "mobility": {
            "kind": "uav",
            "waypoints": [{"x_m": 100, "y_m": 0, "z_m": 50}, {"x_m": 0, "y_m": 90, "z_m": 50}],
            "battery_pct": 60,
        },
        "traffic": [{"kind": "control_loop", "essential": True}],
    }
    car = {
        "name": "car",
        "slice": "mmtc",
        "placement": {"kind": "box", "width_m": 50, "depth_m": 8},
        "mobility": {"kind": "vehicle", "speed_mps": 10, "road_length_m": 100},
        "traffic": [{"kind": "cbr", "rate_mbps": 0.1, "packet_bytes": 500}],
    }
    data["users"] = [*data["users"], drone, car]
    data["faults"] = [{"kind": "link_cut", "link": "to_cloud", "start_s": 0.5, "duration_s": 0.4}]
    return parse_model(ScenarioConfig, data, "everything")


@pytest.fixture(scope="session")
def recordings(everything: ScenarioConfig) -> Callable[[int], dict[str, pa.Table]]:
    """The KPI tables of a run by NS-3, without changes, by its seed."""
    known: dict[int, dict[str, pa.Table]] = {}

    def recorded(seed: int) -> dict[str, pa.Table]:
        if seed not in known:
            with LiveSimulation(everything, seed) as live:
                known[seed] = live.advance(RECORDED)
        return known[seed]

    return recorded


@pytest.fixture(params=["surrogate", "ns3", "replay", "auto"])
def make(
    request: pytest.FixtureRequest,
    everything: ScenarioConfig,
    model: ExperimentModel,
    recordings: Callable[[int], dict[str, pa.Table]],
) -> Iterator[Callable[[int], Backend]]:
    """Makes backends of one kind from seeds, and closes them."""
    makers: dict[str, Callable[[int], Backend]] = {
        "surrogate": lambda seed: SurrogateBackend(everything, seed, model),
        "ns3": lambda seed: Ns3Backend(everything, seed),
        "replay": lambda seed: ReplayBackend(everything, seed, recordings(seed), model=model),
        "auto": lambda seed: AutoBackend(everything, seed, model),
    }
    with ExitStack() as stack:
        yield lambda seed: stack.enter_context(closing(makers[request.param](seed)))


@pytest.fixture
def backend(make: Callable[[int], Backend]) -> Backend:
    return make(1)


@pytest.fixture
def changeable(backend: Backend) -> Backend:
    """One whose controls can be changed."""
    if backend.name == "replay":
        pytest.skip("a replay cannot be changed")
    return backend
