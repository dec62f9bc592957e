# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from env.backends.base import Backend
from env.backends.making import make_backend
from env.environment import Environment
from env.episodes import read_log
from env.errors import EnvUserError, ToolError
from env.numbers.controls import TOOLS as TOOL_OF
from env.numbers.whole_network import WholeNetwork
from env.playing import begin, play_again
from env.tools import TOOLS
from env.view import Scope
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.errors import ControlError


def set_all(network: WholeNetwork, environment: Environment, action: Any) -> None:
    environment.configure(network.changes(environment.backend, np.asarray(action, np.float32)))


def held(network: WholeNetwork, backend: Backend) -> np.ndarray:
    """What a reader of the figures alone takes for the action that holds everything."""
    seen = dict(zip(network.names, network.read(backend), strict=True))
    return np.array([2 * seen[place.path] - 1 for place in network.knobs.places], np.float32)


def test_figures_are_those_of_the_network(live: Environment) -> None:
    network, backend = WholeNetwork(live.backend.scenario), live.backend
    seen = dict(zip(network.names, network.read(backend), strict=True))
    now = backend.history[-1]
    for row in now.rows("network"):
        assert seen[f"network.{row['slice']}.within_budget_pct"] == pytest.approx(
            row["within_budget_pct"] / 100
        )
    for row in now.rows("cell"):
        assert seen[f"cell.{row['cell']}.dl_prb_util_pct"] == pytest.approx(
            row["dl_prb_util_pct"] / 100
        )
    assert {d["unit"] for d in network.knobs.described()} == {"", "dBm", "deg", "dB", "%", "MHz",
                                                              "ms"}  # fmt: skip
    assert network.utility(backend) <= 1


def test_action_sets_what_is_described(live: Environment) -> None:
    network = WholeNetwork(live.backend.scenario, ["*_dbm", "*_deg", "*.target_bler", "*.ttt_ms"])
    for sign, end in ((-1, "min"), (1, "max")):
        set_all(network, live, np.full(len(network.knobs.places), sign))
        for about in network.knobs.described():
            value = live.backend.controls.get(about["name"])
            assert value == pytest.approx(about[end])
        np.testing.assert_allclose(held(network, live.backend), sign, atol=1e-6)


def test_what_was_read_holds_everything() -> None:
    """After an episode of any controls, to the last bit and with 32-bit floats."""
    rng = np.random.default_rng(1)
    with Environment(make_backend("surrogate", "quickstart", 1)) as environment:
        network = WholeNetwork(environment.backend.scenario)
        for _ in range(5):
            set_all(network, environment, rng.uniform(-1, 1, len(network.knobs.places)))
            assert network.changes(environment.backend, held(network, environment.backend)) == []
            hold = network.knobs.hold(environment.backend.controls)
            assert network.changes(environment.backend, hold) == []


def test_scope_decides_what_is_set(live: Environment) -> None:
    scenario = live.backend.scenario
    scope = Scope(tools=frozenset({"set_antenna_tilt", "list_alarms"}))
    network = WholeNetwork(scenario, scope=scope)
    assert [p.path for p in network.knobs.places] == [f"cells.c{i}.tilt_deg" for i in range(3)]
    with pytest.raises(EnvUserError, match="allows no tool for numeric controls"):
        WholeNetwork(scenario, scope=Scope(tools=frozenset({"list_alarms"})))


def test_settings_out_of_the_sensible_range_can_be_kept(live: Environment) -> None:
    live.configure([ControlChange(path="cells.*.tx_power_dbm", value=-5)])
    network = WholeNetwork(live.backend.scenario, ["*.tx_power_dbm"])
    hold = network.knobs.hold(live.backend.controls)
    assert hold.tolist() == [-1] * 3
    assert network.changes(live.backend, hold) == []


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
        network = WholeNetwork(environment.backend.scenario)
        for factor in (0.5, 0.5, -1):
            set_all(network, environment, held(network, environment.backend) * factor)
        state = environment.backend.state_hash()
        path = begun.end().path
    assert path is not None
    log = read_log(path)
    again = play_again(lambda: make_backend("surrogate", "quickstart", 1), log)
    assert again.environment.backend.state_hash() == state


def test_every_control_has_its_tool() -> None:
    assert {TOOLS[tool].effect for tool in TOOL_OF.values()} == {"configuration"}
