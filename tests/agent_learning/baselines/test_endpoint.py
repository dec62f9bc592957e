# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_learning.baselines import make_baseline
from agent_learning.baselines.language_model.agent import LanguageModelAgent
from agent_learning.baselines.language_model.settings import ModelSettings
from agent_learning.errors import AgentInfrastructureError, BenchUserError
from env.backends.making import make_backend
from env.playing import Played, play
from env.tasks import load_task
from env.tools import TOOLS

pytest.importorskip("openai")

TASK = load_task("end_degradation")
LOOK = {"calls": [["get_slice_status", "{}"]], "text": "First I look."}
SOLVE = {"calls": [["graceful_degradation", '{"slice":"embb","level":"none"}']]}
KEY = "sk-a-secret-of-the-tests"


def _play(name: str) -> tuple[Played, LanguageModelAgent]:
    agent = make_baseline(name, TASK)
    assert isinstance(agent, LanguageModelAgent)
    return play(lambda: make_backend("surrogate", TASK.network, 51), agent, task=TASK), agent


def _refusals(played: Played) -> list[str]:
    return [e.answer.content["code"] for e in played.environment.events if not e.answer.ok]


def test_it_plays_by_native_function_calls(endpoint: Callable[..., Any]) -> None:
    server = endpoint([LOOK, SOLVE], usd_per_million_in=2.0, usd_per_million_out=30.0)
    played, agent = _play(server.agent)
    assert played.outcome == "success"
    assert [e.tool for e in played.environment.events] == [
        "get_slice_status",
        "graceful_degradation",
    ]
    first, second = server.requests
    assert first["path"] == "/v1/chat/completions"
    assert [t["function"]["name"] for t in first["body"]["tools"]] == list(TOOLS)
    assert TASK.intent in first["body"]["messages"][1]["content"]
    said, answered = second["body"]["messages"][-2:]
    assert said["content"] == "First I look."
    assert answered["role"] == "tool"
    assert answered["tool_call_id"] == said["tool_calls"][0]["id"]
    assert json.loads(answered["content"]) == played.environment.events[0].answer.content
    usage = agent.usage
    assert (usage.requests, usage.tokens_in, usage.tokens_out) == (2, 200, 20)
    assert usage.cost_usd == pytest.approx((200 * 2 + 20 * 30) / 1e6)


def test_a_name_and_a_url_are_enough(endpoint: Callable[..., Any]) -> None:
    server = endpoint([SOLVE])
    played, agent = _play(f"openai:some/model@{server.url}")
    assert played.outcome == "success"
    assert agent.name == f"openai:some/model@{server.url}"
    assert server.requests[0]["body"]["model"] == "some/model"


def test_several_calls_of_a_reply_are_each_answered(endpoint: Callable[..., Any]) -> None:
    both = {"calls": [["get_edge_load", "{}"], ["list_alarms", "{}"]]}
    server = endpoint([both, SOLVE])
    played, _ = _play(server.agent)
    assert played.outcome == "success"
    answers = [m for m in server.messages[1] if m["role"] == "tool"]
    assert [m["name"] for m in answers] == ["get_edge_load", "list_alarms"]
    assert len({m["tool_call_id"] for m in answers}) == 2


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (["get_cell_kpis", '{"cell": "c0", "window": '], "bad_arguments"),
        (["get_cell_kpis", "c0, please"], "bad_arguments"),
        (["get_cell_kpis", "[1]"], "bad_arguments"),
        (["get_cell_kpis", '{"cell": "c0", "window": NaN}'], "bad_arguments"),
        (["get_cell_kpis", '{"cell": "c99"}'], "no_such_element"),
        (["make_coffee", "{}"], "unknown_tool"),
        (["", ""], "unknown_tool"),
    ],
)
def test_a_wrong_call_counts_and_the_model_reads_what_was_wrong(
    endpoint: Callable[..., Any], call: list[str], code: str
) -> None:
    server = endpoint([{"calls": [call]}, SOLVE])
    played, _ = _play(server.agent)
    assert played.outcome == "success"
    assert _refusals(played) == [code]
    said, answered = server.messages[1][-2:]
    assert json.loads(answered["content"])["error"]["code"] == code
    json.loads(said["tool_calls"][0]["function"]["arguments"])


@pytest.mark.parametrize("words", [{"text": "I am done."}, {"refusal": "I cannot do that."}, {}])
def test_a_model_that_makes_no_call_is_reminded_once_and_has_then_stopped(
    endpoint: Callable[..., Any], words: dict[str, Any]
) -> None:
    server = endpoint([words])
    played, agent = _play(server.agent)
    assert played.outcome == "failure"
    assert played.reason == "the agent stopped before the goal was reached"
    assert agent.usage.requests == 2
    assert server.messages[1][-1]["role"] == "user"


def test_a_reminded_model_may_go_on(endpoint: Callable[..., Any]) -> None:
    server = endpoint([{"text": "Hm."}, LOOK, {"text": "Hm."}, SOLVE])
    played, agent = _play(server.agent)
    assert played.outcome == "success"
    assert agent.usage.requests == 4


TROUBLE = {
    "rate limit": {"status": 429},
    "server error": {"status": 500},
    "overload": {"status": 503},
    "timeout": {"hang_s": 5},
    "lost connection": {"drop": True},
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_it_tries_again_after_trouble(endpoint: Callable[..., Any], trouble: str) -> None:
    server = endpoint([TROUBLE[trouble], LOOK, TROUBLE[trouble], SOLVE], timeout_s=1)
    played, agent = _play(server.agent)
    assert played.outcome == "success"
    assert len(server.requests) == 4
    assert agent.usage.requests == 2


LASTING = TROUBLE | {
    "no key": {"status": 401, "message": f"wrong key {KEY}"},
    "no model": {"status": 404},
    "bad request": {"status": 400, "message": "tools are not supported"},
    "no JSON": {"body": "<html>"},
    "no choices": {"body": {"object": "chat.completion", "choices": []}},
    "an error as an answer": {"body": {"error": "overloaded"}},
}


@pytest.mark.parametrize("trouble", LASTING)
def test_lasting_trouble_is_no_failure_of_the_agent(
    endpoint: Callable[..., Any], trouble: str
) -> None:
    server = endpoint([LASTING[trouble]], timeout_s=0.3, retries=1)
    with pytest.raises(AgentInfrastructureError) as error:
        _play(server.agent)
    assert server.url in str(error.value)
    assert "\n" not in str(error.value)
    assert len(server.requests) == 1 + (trouble in TROUBLE)


def test_nobody_at_the_url_is_no_failure_of_the_agent() -> None:
    agent = make_baseline("openai:m@http://127.0.0.1:9/v1", TASK)
    assert isinstance(agent, LanguageModelAgent)
    agent._model._client.max_retries = 0  # type: ignore[attr-defined]
    with pytest.raises(AgentInfrastructureError, match=r"127\.0\.0\.1:9"):
        play(lambda: make_backend("surrogate", TASK.network, 51), agent, task=TASK)


def test_a_conversation_stays_within_its_bound(endpoint: Callable[..., Any]) -> None:
    look = {"calls": [["get_topology", "{}"], ["get_qos_flows", '{"limit": 100}']]}
    server = endpoint([look] * 25 + [SOLVE], context_tokens=24_000)
    played, _ = _play(server.agent)
    assert len(played.environment.events) == 51
    sizes = [len(json.dumps(r["body"]["messages"])) for r in server.requests]
    tools = len(json.dumps(server.requests[0]["body"]["tools"]))
    assert max(sizes) <= 24_000 * 3.5 - tools
    for messages in server.messages:
        assert [m["role"] for m in messages[:2]] == ["system", "user"]
        waiting: list[str] = []
        for message in messages[2:]:
            if message["role"] == "tool":
                assert message["tool_call_id"] == waiting.pop(0)
            else:
                assert not waiting
                waiting = [c["id"] for c in message.get("tool_calls", ())]
        assert not waiting
    assert "no longer shown" not in server.messages[-1][-1]["content"]


def test_a_model_with_less_context_than_thought_is_shown_less(
    endpoint: Callable[..., Any],
) -> None:
    look = {"calls": [["get_topology", "{}"]]}
    long = {"status": 400, "message": "This model's maximum context length is 8192 tokens."}
    server = endpoint([look, look, look, long, SOLVE])
    played, _ = _play(server.agent)
    assert played.outcome == "success"
    refused, accepted = (len(json.dumps(messages)) for messages in server.messages[-2:])
    assert accepted < 0.7 * refused


def test_a_model_that_cannot_hold_the_task_at_all_is_infrastructure(
    endpoint: Callable[..., Any],
) -> None:
    long = {"status": 400, "message": "This model's maximum context length is 10 tokens."}
    with pytest.raises(AgentInfrastructureError, match="too long"):
        _play(endpoint([long]).agent)


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(
    endpoint: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    server = endpoint([LOOK, SOLVE])
    agent = make_baseline(server.agent, TASK)
    played = play(
        lambda: make_backend("surrogate", TASK.network, 51),
        agent,
        task=TASK,
        episodes=tmp_path / "episodes",
    )
    assert played.outcome == "success"
    assert {request["key"] for request in server.requests} == {f"Bearer {KEY}"}
    written = [f for f in (tmp_path / "episodes").rglob("*") if f.is_file()]
    assert written
    assert not any(KEY.encode() in file.read_bytes() for file in written)
    assert KEY not in json.dumps([request["body"] for request in server.requests])
    assert KEY not in caplog.text
    refusing = endpoint([LASTING["no key"]], retries=0)
    with pytest.raises(AgentInfrastructureError) as error:
        _play(refusing.agent)
    assert KEY not in str(error.value)
    assert error.value.__suppress_context__


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(BenchUserError, match="OPENAI_API_KEY must hold the key"):
        make_baseline("openai:gpt-5", TASK)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"url": "http://h/v1"}, "model"),
        ({"model": "m", "url": "ftp://h"}, "url"),
        ({"model": "m", "temperature": 3}, "temperature"),
        ({"model": "m", "api_key": "sk-1"}, "api_key"),
    ],
)
def test_settings_that_cannot_be_used_are_named(
    tmp_path: Path, content: dict[str, Any], words: str
) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(BenchUserError, match=words) as refusal:
        ModelSettings.of(str(file))
    assert "\n" not in str(refusal.value)
    assert str(file) in str(refusal.value)
