# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent_learning.baselines import make_baseline
from agent_learning.errors import BenchUserError
from env.agents import AGENTS
from env.backends.making import make_backend
from env.errors import EnvUserError
from env.playing import play
from env.tasks import load_task

TASK = load_task("offload_vision")


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("noop", "failure"),
        ("threshold", "success"),
        ("mapek", "success"),
        ("planner", "success"),
        ("reference", "success"),
        ("rules", "success"),
    ],
)
def test_agents_play_under_their_names(name: str, outcome: str) -> None:
    agent = make_baseline(name, TASK)
    assert agent.name == name
    played = play(lambda: make_backend("surrogate", TASK.network, 51), agent, task=TASK)
    assert played.outcome == outcome


def test_the_threshold_agent_is_that_of_the_environment() -> None:
    assert type(make_baseline("threshold", TASK)) is AGENTS["rules"]


@pytest.mark.parametrize("name", [*AGENTS, "reference:0.5"])
def test_agents_of_the_environment_are_there(name: str) -> None:
    assert make_baseline(name, TASK).name == name


def test_a_script_is_played(tmp_path: Path) -> None:
    file = tmp_path / "calls.json"
    file.write_text(json.dumps([c.model_dump() for c in TASK.reference]))
    agent = make_baseline(f"script:{file}", TASK)
    played = play(lambda: make_backend("surrogate", TASK.network, 51), agent, task=TASK)
    assert played.outcome == "success"


@pytest.mark.parametrize(
    "name", ["", "oracle", "ppo", "ppo:", "openai:", "hf:", "mapek:fast", "noop:1", "planner:2"]
)
def test_unknown_agents_are_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(BenchUserError) as refusal:
        make_baseline(name, TASK)
    message = str(refusal.value)
    assert message.startswith(f"agent={name!r} is not allowed")
    for known in ("noop", "planner", "ppo:FOLDER", "openai:MODEL@URL", "hf:PATH", "rules"):
        assert known in message


def test_agents_of_the_environment_are_refused_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(EnvUserError, match="cannot read"):
        make_baseline(f"script:{tmp_path / 'none.json'}", TASK)
