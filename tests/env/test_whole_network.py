# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from env.backends.making import make_backend
from env.environment import Environment
from env.episodes import read_log
from env.errors import EnvUserError, ToolError
from env.playing import begin, play_again
from env.tools import TOOLS
from env.view import Scope
from env.whole_network import SET, Number, WholeNetwork
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.errors import ControlError


def test_numbers_are_those_of_the_network(live: Environment) -> None:
    network = WholeNetwork(live)
    read = dict(zip([n.name for n in network.to_read], network.read(), strict=True))
    now = live.backend.history[-1]
    for row in now.rows("network"):
        for kpi in ("throughput_mbps", "within_budget_pct"):
            assert read[f"slices.{row['slice']}.{kpi}"] == row[kpi]
    for row in now.rows("cell"):
        assert read[f"cells.{row['cell']}.power_w"] == row["power_w"]
    for number in network.to_set:
        value = live.backend.controls.get(number.name)
        assert number.value(read[number.name]) == pytest.approx(value)
    assert {n.unit for n in network.to_set} == {"", "dBm", "deg", "dB", "%"}
    assert 0 <= network.kept() <= 1


def test_step_sets_all_and_takes_an_interval(live: Environment) -> None:
    network, before = WholeNetwork(live), live.backend.interval
    action = np.linspace(-1, 0.9, len(network.to_set)).astype(np.float32).astype(float)
    network.step(action, agent="a")
    np.testing.assert_allclose(network.settings(), action, atol=1e-5)
    controls = live.backend.controls
    assert controls.get("cells.c0.tx_power_dbm") == network.to_set[0].low
    assert (live.backend.interval, len(live.changes)) == (before + 1, 1)
    (event,) = live.events
    assert (event.agent, event.tool, event.arguments) == ("a", "", {"intervals": 1})
    assert {c.path for c in event.changes} == {n.name for n in network.to_set}
    network.step(action)
    assert (live.backend.interval, len(live.changes)) == (before + 2, 1)  # nothing was to change


@pytest.mark.parametrize("wrong", [1.01, -1.01, math.nan, math.inf])
def test_numbers_out_of_range_change_nothing(live: Environment, wrong: float) -> None:
    network, state = WholeNetwork(live), live.backend.state_hash()
    action = network.settings() * 0.5
    action[-1] = wrong
    with pytest.raises(ToolError, match=r"is not allowed; it must be from -1 to 1"):
        network.step(action)
    assert live.backend.state_hash() == state
    assert live.events == []


def test_scope_decides_what_is_set(live: Environment) -> None:
    network = WholeNetwork(live, Scope(tools=frozenset({"set_antenna_tilt", "list_alarms"})))
    assert [n.name for n in network.to_set] == [f"cells.c{i}.tilt_deg" for i in range(3)]
    with pytest.raises(EnvUserError, match="allows no tool for numeric controls"):
        WholeNetwork(live, Scope(tools=frozenset({"list_alarms"})))


def test_settings_out_of_the_sensible_range_can_be_kept(live: Environment) -> None:
    live.configure([ControlChange(path="cells.*.tx_power_dbm", value=-5)])
    network = WholeNetwork(live)
    assert network.to_set[0].low == -5
    assert network.settings()[0] == -1


def test_configure_refuses_what_is_impossible(live: Environment) -> None:
    state = live.backend.state_hash()
    for path, value in (("cells.c9.tilt_deg", 1), ("cells.c0.tilt_deg", 1000)):
        with pytest.raises(ControlError):
            live.configure([ControlChange(path="cells.c0.tx_power_dbm", value=30),
                            ControlChange(path=path, value=value)])  # fmt: skip
    live.over = "enough"
    with pytest.raises(ToolError, match="the episode is over: enough"):
        live.configure([ControlChange(path="cells.c0.tx_power_dbm", value=30)])
    assert (live.backend.state_hash(), live.changes, live.events) == (state, [], [])


def test_recorded_steps_play_again(tmp_path: Any) -> None:
    begun = begin(lambda: make_backend("surrogate", "quickstart", 1), episodes=tmp_path)
    with begun.environment as environment:
        network = WholeNetwork(environment)
        for factor in (0.5, 0.5, -1):
            network.step(network.settings() * factor)
        state = environment.backend.state_hash()
        path = begun.end().path
    assert path is not None
    log = read_log(path)
    again = play_again(lambda: make_backend("surrogate", "quickstart", 1), log)
    assert again.environment.backend.state_hash() == state


@given(st.floats(-30, 60), st.floats(0.001, 90), st.booleans(), st.floats(-1, 1))
def test_scaling_is_undone(low: float, width: float, log: bool, scaled: float) -> None:
    low = abs(low) + 0.01 if log else low
    number = Number("n", "", low, low + width, log)
    assert number.low <= number.value(scaled) <= number.high
    assert number.value(-1) == pytest.approx(number.low, rel=1e-5)
    assert number.value(1) == pytest.approx(number.high, rel=1e-5)
    wide = width > 0.01 * abs(low)
    assert not wide or number.scaled(number.value(scaled)) == pytest.approx(scaled, abs=2e-3)


def test_every_control_has_its_tool() -> None:
    assert {TOOLS[tool].effect for tool in SET.values()} == {"configuration"}
