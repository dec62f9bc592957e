# SPDX-License-Identifier: Apache-2.0
"""Small networks put together for one question each, and the averages that answer it."""

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
import pytest

from ns3_scenarios.controls import ControlChange
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.simulate import simulate

Network = Callable[..., ScenarioConfig]
Measure = Callable[..., dict[str, pd.DataFrame]]

ONE_USER = {
    "name": "u",
    "slice": "s0",
    "placement": {"kind": "points", "points": [{"x_m": 100, "y_m": 0}]},
    "traffic": [{"kind": "full_buffer"}],
}


@pytest.fixture(scope="session")
def network() -> Network:
    """Makes a scenario: one cell in line of sight, no shadowing or handover, unless told so."""

    def make(**changes: Any) -> ScenarioConfig:
        carrier = {
            "frequency_ghz": 3.5,
            "bandwidth_mhz": 20,
            "numerology": 1,
            "duplex": "FDD",
            **changes.pop("carrier", {}),
        }
        propagation = {"environment": "UMi", "line_of_sight": "always", "shadowing": False}
        radio = {"handover": {"enabled": False}, **changes.pop("radio", {})}
        plain: dict[str, Any] = {
            "name": "test",
            "description": "A network for a test.",
            "duration_s": 1,
            "layout": {"kind": "free", "n_sectors": 1, "sites": [{"x_m": 0, "y_m": 0}]},
            "propagation": {**propagation, **changes.pop("propagation", {})},
            "carriers": [carrier],
            "radio": radio,
            "slices": [{"name": "s0"}],
            "users": [ONE_USER],
        }
        return ScenarioConfig.model_validate({**plain, **changes})

    return make


@pytest.fixture(scope="session")
def measure() -> Measure:
    """Simulates, and gives the tables as data frames without the first intervals."""

    def run(
        scenario: ScenarioConfig,
        schedule: Iterable[ControlChange] = (),
        seed: int = 1,
        skip: int = 1,
    ) -> dict[str, pd.DataFrame]:
        traces = simulate(scenario, schedule, seed)
        frames = {name: table.to_pandas() for name, table in traces.tables.items()}
        return {name: f[f.interval >= skip].reset_index(drop=True) for name, f in frames.items()}

    return run
