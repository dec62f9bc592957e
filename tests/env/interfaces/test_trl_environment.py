# SPDX-License-Identifier: Apache-2.0
"""The environment class as TRL's GRPO trainer uses it: found by its methods, called by name."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_type_hints

import pytest

from env.backends.ns3 import Ns3Backend
from env.environment import Environment
from env.interfaces.trl_environment import trl_environment
from env.tools import TOOLS
from env.view import Scope
from ns3_scenarios.library import load_scenario

ROW = {"scenario": "quickstart", "seed": 3, "prompt": [{"role": "user", "content": "Save power."}]}
POWER = {"cell": "c0", "tx_power_dbm": 30}


def make(row: Mapping[str, Any]) -> Environment:
    return Environment(Ns3Backend(load_scenario(row["scenario"]), row["seed"]))


def is_low(environment: Environment) -> bool:
    return environment.backend.controls.get("cells.c0.tx_power_dbm") == 30


NetworkEnvironment = trl_environment(make, reward=is_low)


@pytest.fixture
def rollout() -> Iterator[Any]:
    environment = NetworkEnvironment()
    yield environment
    environment._close()


def tools_of(environment: Any) -> dict[str, Any]:
    """What TRL offers the model: public methods of the class but the two that it calls itself."""
    names = [name for name, _ in inspect.getmembers(type(environment), inspect.isfunction)]
    mine = [n for n in names if n not in ("reset", "get_reward") and not n.startswith("_")]
    return {name: getattr(environment, name) for name in mine}


def test_public_methods_are_the_tools_and_what_trl_reserves(rollout: Any) -> None:
    assert set(tools_of(rollout)) == set(TOOLS)
    bare = trl_environment(make, scope=Scope(tools=frozenset({"list_alarms"})))()
    assert set(tools_of(bare)) == {"list_alarms"}
    assert not hasattr(bare, "get_reward")


def test_signatures_and_docstrings_say_what_the_schemas_say(rollout: Any) -> None:
    for name, method in tools_of(rollout).items():
        schema = TOOLS[name].schema
        assert method.__name__ == name
        parameters = inspect.signature(method).parameters
        assert set(parameters) == set(schema["properties"])
        needed = {n for n, p in parameters.items() if p.default is inspect.Parameter.empty}
        assert needed == set(schema.get("required", []))
        hints = get_type_hints(method)
        assert hints.pop("return") is str
        for argument, part in schema["properties"].items():
            assert argument in hints
            if "enum" in part:
                assert list(get_args(hints[argument])) == part["enum"]
            assert f"    {argument}: " in method.__doc__
    assert "at least -30 and at most 60" in rollout.set_cell_tx_power.__doc__


def test_schemas_that_transformers_makes_of_the_methods_agree(rollout: Any) -> None:
    utils = pytest.importorskip("transformers.utils", reason="needs the extra `train`")
    for name, method in tools_of(rollout).items():
        function = utils.get_json_schema(method)["function"]
        schema = TOOLS[name].schema
        assert function["name"] == name
        assert TOOLS[name].description.splitlines()[0] in function["description"]
        assert set(function["parameters"]["properties"]) == set(schema["properties"])
        assert function["parameters"].get("required", []) == schema.get("required", [])
        for argument, part in schema["properties"].items():
            made = function["parameters"]["properties"][argument]
            assert made["description"]
            if "enum" in part:
                assert made["enum"] == part["enum"]
            elif "type" in part:
                assert made["type"] == part["type"]


def test_a_rollout_is_played_and_rewarded_by_the_network(rollout: Any) -> None:
    state = json.loads(rollout.reset(**ROW))
    assert state["interval"] == 2
    assert [s["slice"] for s in state["slices"]] == ["embb", "urllc", "mmtc"]
    assert rollout.get_reward() == 0.0
    changed = json.loads(rollout.set_cell_tx_power(**POWER))
    assert changed["change_id"] == "c1"
    assert rollout.get_reward() == 1.0
    rollout.rollback_change(change_id="c1")
    assert rollout.get_reward() == 0.0


def test_the_row_decides_the_start_and_nothing_else_does() -> None:
    first, second = NetworkEnvironment(), NetworkEnvironment()
    try:
        start = first.reset(**ROW)
        first.set_cell_tx_power(**POWER)
        assert first.reset(**ROW) == start == second.reset(**ROW)
        assert second.reset(**{**ROW, "seed": 4}) != start
    finally:
        first._close()
        second._close()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, "bad_arguments"),
        ({**POWER, "tx_power_dbm": "30"}, "bad_arguments"),
        ({**POWER, "tx_power_dbm": None}, "bad_arguments"),
        ({**POWER, "tx_power_dbm": 61}, "bad_arguments"),
        ({**POWER, "self": 1, "name": 2}, "bad_arguments"),
        ({**POWER, "cell": "c9"}, "no_such_element"),
    ],
)
def test_wrong_arguments_are_answered_and_change_nothing(
    rollout: Any, arguments: dict[str, Any], code: str
) -> None:
    rollout.reset(**ROW)
    before = rollout._environment.backend.state_hash()
    answer = json.loads(rollout.set_cell_tx_power(**arguments))
    assert answer["error"]["code"] == code
    assert rollout._environment.backend.state_hash() == before


def test_a_call_before_reset_says_so(rollout: Any) -> None:
    assert json.loads(rollout.list_alarms())["error"]["code"] == "episode_over"
    assert rollout.get_reward() is None
