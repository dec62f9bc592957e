# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

from env.environment import Answer, Environment
from env.interfaces.functions import answer_text, function_tools
from env.tools import TOOLS
from env.view import Scope


def test_every_tool_is_a_function_with_its_own_schema_word_for_word() -> None:
    functions = [entry["function"] for entry in function_tools()]
    assert [f["name"] for f in functions] == list(TOOLS)
    assert all(entry["type"] == "function" for entry in function_tools())
    for function in functions:
        tool = TOOLS[function["name"]]
        assert json.dumps(function["parameters"]) == json.dumps(tool.schema)
        assert function["description"] == tool.description


def test_what_a_caller_does_to_the_list_leaves_the_tools_alone() -> None:
    before = json.dumps(TOOLS["get_cell_kpis"].schema)
    for entry in function_tools():
        entry["function"]["parameters"].clear()
    assert json.dumps(TOOLS["get_cell_kpis"].schema) == before


def test_scope_decides_which_functions_there_are() -> None:
    functions = function_tools(Scope(tools=frozenset({"get_topology", "set_cell_tx_power"})))
    assert [f["function"]["name"] for f in functions] == ["get_topology", "set_cell_tx_power"]


def test_answers_are_compact_json_and_refusals_say_so(live: Environment) -> None:
    good = live.call("check_network_state")
    assert json.loads(answer_text(good)) == good.content
    assert ": " not in answer_text(good)
    bad = live.call("set_cell_tx_power", {"cell": "c0", "tx_power_dbm": 99})
    assert json.loads(answer_text(bad)) == {"error": bad.content}


def test_half_a_character_in_an_argument_does_not_spoil_the_answer() -> None:
    answer = Answer("x", False, {"code": "unknown_tool", "message": "no \ud800é"}, 0)
    assert json.loads(answer_text(answer).encode()) == {
        "error": {"code": "unknown_tool", "message": "no ?é"}
    }
