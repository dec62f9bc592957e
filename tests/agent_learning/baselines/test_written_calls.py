# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_learning.baselines.language_model.written_calls import calls_in

ARGUMENTS = {"cell": "c0", "tx_power_dbm": 30}
CALL = json.dumps({"name": "set_cell_tx_power", "arguments": ARGUMENTS})
LLAMA = json.dumps({"name": "set_cell_tx_power", "parameters": ARGUMENTS})
OPENAI = json.dumps(
    {"type": "function", "function": {"name": "set_cell_tx_power", "arguments": ARGUMENTS}}
)


@pytest.mark.parametrize(
    "text",
    [
        f"<tool_call>\n{CALL}\n</tool_call>",
        f"<tool_call>{CALL}",
        f"I lower it.\n<tool_call>\n{CALL}\n</tool_call>",
        f"<think>Or {LLAMA[:-9]} perhaps?</think>\n<tool_call>{CALL}</tool_call>",
        f"[TOOL_CALLS] [{CALL}]",
        f"[TOOL_CALLS]{CALL}",
        f"<|python_tag|>{LLAMA}<|eom_id|>",
        f"I lower it.\n```json\n{CALL}\n```",
        CALL,
        LLAMA,
        OPENAI,
        f"  [{OPENAI}]\n",
        str(json.loads(CALL)),
        f"<function=set_cell_tx_power>{json.dumps(ARGUMENTS)}</function>",
        "<tool_call>\n<function=set_cell_tx_power>\n<parameter=cell>\nc0\n</parameter>\n"
        "<parameter=tx_power_dbm>\n30\n</parameter>\n</function>\n</tool_call>",
    ],
)
def test_the_habits_of_models_are_known(text: str) -> None:
    words, (call,) = calls_in(text)
    assert call.name == "set_cell_tx_power"
    assert json.loads(call.arguments) == ARGUMENTS
    assert words in ("", "I lower it.")


def test_several_calls_are_taken_in_order() -> None:
    other = json.dumps({"name": "list_alarms", "arguments": {}})
    for text in (
        f"<tool_call>{CALL}</tool_call>\n<tool_call>{other}</tool_call>",
        f"[TOOL_CALLS] [{CALL}, {other}]",
        f"{CALL}; {other}",
    ):
        _, calls = calls_in(text)
        assert [call.name for call in calls] == ["set_cell_tx_power", "list_alarms"]
        assert len({call.id for call in calls}) == 2


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>set_cell_tx_power(c0)</tool_call>",
        "<tool_call>{'name': 3}</tool_call>",
        '<tool_call>{"name": "set_cell_tx_power", "arguments": {</tool_call>',
    ],
)
def test_what_is_marked_as_a_call_but_is_none_becomes_a_wrong_one(text: str) -> None:
    _, (call,) = calls_in(text)
    assert call.name == ""


@pytest.mark.parametrize(
    "text",
    [
        "The network is fine.",
        'The SLA is {"latency": 3}.',
        "```json\n[1, 2]\n```",
        "<think>set_cell_tx_power?",
        "",
    ],
)
def test_words_are_no_calls(text: str) -> None:
    assert calls_in(text)[1] == ()


marks = st.sampled_from(["<tool_call>", "</tool_call>", "[TOOL_CALLS]", "```", "{", "[", CALL])


@given(st.lists(marks | st.text(max_size=10), max_size=8).map("".join))
def test_no_text_breaks_it(text: str) -> None:
    words, calls = calls_in(text)
    assert isinstance(words, str)
    assert all(isinstance(call.arguments, str) for call in calls)


_json: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=8), _json, max_size=4))
def test_arguments_survive_the_way(arguments: dict[str, Any]) -> None:
    text = json.dumps({"name": "get_topology", "arguments": arguments})
    _, (call,) = calls_in(text)
    assert json.loads(call.arguments) == arguments
