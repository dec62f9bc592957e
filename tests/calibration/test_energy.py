# SPDX-License-Identifier: Apache-2.0
"""Power of cells as an equation of what they do, held against NS-3 and in roll-outs."""

import numpy as np
import pytest

from calibration.energy import power_w
from calibration.network import network_of
from calibration.rolling import Roll, moments_of
from calibration.trajectory import trajectory
from experiment_model import ExperimentModel
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.library import load_scenario
from ns3_scenarios.simulate import simulate


def change(interval, path, value):
    return ControlChange(interval=interval, path=path, value=value)


SCHEDULE = (
    change(2, "cells.c0.tx_power_dbm", 30.0),
    change(4, "cells.*.sleep_mode", "micro"),
    change(6, "cells.c1.bandwidth_mhz", 10.0),
    change(8, "cells.c2.sleep_mode", "off"),
    change(10, "cells.c0.sleep_mode", "on"),
)


def run_of(name, schedule, **energy):
    """A run of NS-3 with less traffic than its cells could carry."""
    scenario = load_scenario(name)
    radio = scenario.radio.model_copy(
        update={"energy": scenario.radio.energy.model_copy(update=energy)}
    )
    scenario = scenario.model_copy(update={"radio": radio})
    traces = simulate(scenario, schedule, 3, duration_s=12 * scenario.interval_ms * 1e-3)
    return trajectory(network_of(scenario), traces.tables, schedule, 3)


@pytest.mark.parametrize("category", [1, 2])
@pytest.mark.parametrize("name", ["quickstart", "factory_urllc"])
def test_power_follows_from_use_sleep_and_transmit_power(name, category):
    run = run_of(name, SCHEDULE, category=category)
    cell = run.tables["cell"]
    found = power_w(run.network, cell, run.controls, run.outside)
    assert np.ptp(cell["power_w"]) > 30
    # A cell that is switched off first serves what it has begun.
    turns = np.zeros_like(found, bool)
    turns[8, 2] = True
    assert found[~turns] == pytest.approx(cell["power_w"][~turns], rel=0.01, abs=0.5)


def test_power_of_roll_outs_is_that_of_their_own_cells(runs):
    _, run = runs[0]
    starts = np.arange(run.n_intervals - 2)
    roll = Roll(ExperimentModel.load(), moments_of(run, starts), "quickstart")
    for step in (1, 2):
        moment = roll.step_as(run, starts + step)
        expected = power_w(run.network, moment.now["cell"], moment.controls, moment.outside)
        assert (moment.now["cell"]["power_w"] == expected).all()
        assert np.ptp(expected) > 30
