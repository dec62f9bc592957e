# SPDX-License-Identifier: Apache-2.0
"""Scenarios to try things on, and small networks for one question each with their averages."""

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
import pytest

from ns3_scenarios.controls import ControlChange
from ns3_scenarios.library import load_scenario, scenario_names
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


def everything() -> ScenarioConfig:
    carrier = {"frequency_ghz": 3.5, "bandwidth_mhz": 10, "numerology": 4, "duplex": "FDD"}
    links = [
        {"name": "access", "ends": ["s*", "agg"], "rate_mbps": 1000, "delay_ms": 1},
        {"name": "ring", "ends": ["s0", "s1"], "rate_mbps": 1000, "delay_ms": 0.5},
        {"name": "up", "ends": ["agg", "core"], "rate_mbps": 1000, "delay_ms": 2},
        {"name": "spare", "ends": ["s1", "core"], "rate_mbps": 100, "delay_ms": 9},
        {"name": "near", "ends": ["agg", "mec"], "rate_mbps": 1000, "delay_ms": 0},
        {"name": "across", "ends": ["mec", "core"], "rate_mbps": 1000, "delay_ms": 5},
    ]
    jobs = {"name": "detect", "users": "drone", "site": "mec"}
    fence = {"x_min_m": 50, "x_max_m": 5000, "y_min_m": -80, "y_max_m": 1e5, "z_min_m": 20}
    data: dict[str, Any] = {
        "name": "everything",
        "description": "Every kind of element at once.",
        "layout": {"kind": "hexagonal", "n_sites": 2, "n_sectors": 3, "isd_m": 200},
        "propagation": {"environment": "UMi"},
        "carriers": [carrier, {**carrier, "frequency_ghz": 3.6, "tx_power_dbm": 59}],
        "gnb_antenna": {"tilt_deg": 85},
        "radio": {"target_bler": 0.5, "handover": {"ttt_ms": 1280, "a3_offset_db": -15}},
        "slices": [
            {"name": "a", "dedicated_pct": 33.333333333, "min_pct": 33.333333334},
            {"name": "b", "dedicated_pct": 0, "min_pct": 66.6666666, "max_pct": 66.6666666},
            {"name": "c", "max_pct": 1},
        ],
        "users": [
            {
                "name": "drone",
                "slice": "a",
                "count": 2,
                "height_m": 40,
                "placement": {"kind": "disc"},
                "mobility": {"kind": "uav", "speed_mps": 30, "geofence": fence},
                "traffic": [{"kind": "cbr", "rate_mbps": 1}],
            },
            {
                "name": "phone",
                "slice": "b",
                "placement": {"kind": "per_cell"},
                "traffic": [{"kind": "http"}, {"kind": "mtc"}],
            },
        ],
        "transport": {"routers": ["agg"], "links": links},
        "edge": {"sites": [{"name": "mec"}], "applications": [jobs]},
    }
    return ScenarioConfig.model_validate(data)


@pytest.fixture(scope="session", params=[*scenario_names(), "everything"])
def any_scenario(request: pytest.FixtureRequest) -> ScenarioConfig:
    """One of all scenarios."""
    return everything() if request.param == "everything" else load_scenario(request.param)


@pytest.fixture(scope="session", name="everything")
def everything_fixture() -> ScenarioConfig:
    """Two carriers, transport, an edge site and UAVs, with controls at the ends of their ranges."""
    return everything()
