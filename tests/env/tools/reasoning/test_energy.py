# SPDX-License-Identifier: Apache-2.0
"""Energy budgets are sums over the futures, and a UAV's what leaves its battery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from env.backends.base import BackendName
from env.environment import Environment
from env.tools.reasoning.foresight import DRAWS

Network = Callable[[BackendName, str], Environment]


def test_energy_of_cells_is_their_power_over_time(
    network: Network, ask: Callable[..., Any]
) -> None:
    environment = network("ns3", "quickstart")
    quieter = [
        {"tool": "set_cell_tx_power", "arguments": {"cell": c, "tx_power_dbm": 20.0}}
        for c in ("c0", "c2")
    ]
    told = ask(environment, "compute_energy_budget", cells=["c0", "c2"], changes=quieter, horizon=2)
    futures = environment.backend.futures((), 2, DRAWS)
    by_cell = {
        cell: [
            sum(r["power_w"] for k in draw for r in k.rows("cell", cell=cell)) * 0.2
            for draw in futures.draws
        ]
        for cell in ("c0", "c2")
    }
    for element in told["elements"]:
        mean_j = np.mean(by_cell[element["element"]])
        assert element["present_j"]["mean"] == pytest.approx(mean_j, rel=1e-4)
        assert element["proposed_j"]["high"] < element["present_j"]["low"]
    total = np.sum(list(by_cell.values()), 0)
    assert told["present_j"]["mean"] == pytest.approx(total.mean(), rel=1e-4)
    assert told["duration_s"] == pytest.approx(0.4)
    gained = told["present_j"]["mean"] - told["proposed_j"]["mean"]
    assert told["saving_j"]["mean"] == pytest.approx(gained, rel=1e-4)
    assert told["saving_j"]["low"] > 0
    assert told["battery"] is None


def test_hovering_costs_a_uav_168_w_and_10_of_avionics(
    network: Network, ask: Callable[..., Any]
) -> None:
    """The least power is near 10 m/s (Zeng, Xu and Zhang 2019, Fig. 2)."""
    environment = network("ns3", "uav_corridor")
    (here,) = environment.view().now.rows("ue", ue="u6")
    stay = {f"{a}_m": round(here[f"{a}_m"], 3) for a in "xyz"}
    hover = [{"tool": "set_waypoint", "arguments": {"ue": "u6", **stay}}]
    told = ask(environment, "compute_energy_budget", ue="u6", changes=hover, horizon=1)
    assert told["proposed_j"]["mean"] == pytest.approx((168.5 + 10) * 0.2, rel=0.02)
    battery = told["battery"]
    assert battery["charge_pct"] == pytest.approx(here["battery_pct"], rel=1e-5)
    spent_pct = 100 * told["proposed_j"]["mean"] / (60 * 3600)
    assert battery["proposed_end_pct"]["mean"] == pytest.approx(
        here["battery_pct"] - spent_pct, abs=1e-3
    )
    seconds = battery["proposed_end_pct"]["mean"] / 100 * 60 * 3600 / (168.5 + 10)
    assert battery["proposed_endurance_s"] == pytest.approx(seconds, rel=0.02)
    there = {"x_m": stay["x_m"] + 100, "y_m": stay["y_m"], "z_m": stay["z_m"], "speed_mps": 10.0}
    slowly = [{"tool": "set_waypoint", "arguments": {"ue": "u6", **there}}]
    model = network("surrogate", "uav_corridor")
    cruising = ask(model, "compute_energy_budget", ue="u6", changes=slowly, horizon=1)
    assert cruising["proposed_j"]["mean"] < told["proposed_j"]["mean"]
