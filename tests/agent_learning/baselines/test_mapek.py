# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_learning.baselines.mapek import MapeK, Rule, load_rules
from agent_learning.baselines.mapek.rules import RULES
from agent_learning.errors import BenchUserError
from env.backends.making import make_backend
from env.playing import Played, play
from env.tasks import Task, load_task
from env.tools import TOOLS

RULE: dict[str, Any] = {
    "name": "free_slice",
    "because": "Degradation is for a shortage, and there is none.",
    "monitors": ["get_slice_status"],
    "of": "slice",
    "when": 'slice.degradation != "none"',
    "plan": [
        {
            "call": "graceful_degradation",
            "with": {"slice": "{{ slice.slice }}", "level": "none"},
        }
    ],
    "priority": 50,
    "cooldown": 5,
}


def _play(task: Task, agent: MapeK, seed: int = 51) -> Played:
    return play(lambda: make_backend("surrogate", task.network, seed), agent, task=task)


def test_it_monitors_analyses_plans_and_executes_by_tools_alone() -> None:
    agent = MapeK()
    played = _play(load_task("end_degradation"), agent)
    assert played.outcome == "success"
    tools = [event.tool for event in played.environment.events]
    changes = [tool for tool in tools if not TOOLS[tool].read_only]
    assert changes == ["graceful_degradation"] == tools[-1:]
    assert ("free_degraded_slice", "embb") in agent.fired


def test_equal_episodes_have_equal_calls() -> None:
    calls = [
        [(e.tool, e.arguments) for e in _play(load_task("save_power"), MapeK()).environment.events]
        for _ in range(2)
    ]
    assert calls[0] == calls[1]


def test_elements_that_the_intent_names_come_first() -> None:
    task = load_task("end_degradation").model_copy(
        update={"intent": "The shortage is over for the mmtc slice.", "max_changes": 1}
    )
    both = [setting.model_dump() for setting in task.settings]
    both.append(both[0] | {"path": "slices.mmtc.degradation"})
    task = Task.model_validate(task.model_dump(exclude={"settings"}) | {"settings": both})
    played = _play(task, MapeK())
    assert [c.arguments["slice"] for c in played.environment.changes] == ["mmtc"]


def test_it_asks_only_tools_that_it_may_call() -> None:
    tools = ("get_topology", "get_slice_status", "verify_sla_compliance", "graceful_degradation")
    task = load_task("end_degradation").model_copy(update={"tools": tools})
    played = _play(task, MapeK())
    assert {event.tool for event in played.environment.events} <= set(tools)
    assert played.outcome == "success"


def test_a_rule_rests_for_its_cooldown() -> None:
    task = load_task("end_degradation").model_copy(
        update={"intent": "Keep it well.", "advance": 2, "max_changes": 3, "hold_intervals": 50}
    )
    idle = copy.deepcopy(RULE) | {"when": 'slice.slice == "mmtc"', "cooldown": 4}
    other = copy.deepcopy(RULE) | {"name": "other", "priority": 40, "when": 'slice.slice == "embb"'}
    agent = MapeK([Rule.model_validate(idle), Rule.model_validate(other)])
    _play(task, agent)
    assert [name for name, _ in agent.fired] == ["free_slice", "other", "free_slice"]


def test_what_is_not_known_fires_nothing() -> None:
    unknown = RULE | {"when": "slice.jain_index > -1 or slice.latency_ms < 0"}
    rule = Rule.model_validate(unknown)
    nothing: dict[str, Any] = {"jain_index": None, "latency_ms": None}
    assert not rule.condition.holds({"slice": nothing})
    assert not rule.condition.holds({"slice": {}})
    assert rule.condition.holds({"slice": nothing | {"jain_index": 0.5}})


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """A file of one rule with some fields changed."""

    def write(**fields: Any) -> Path:
        file = tmp_path / "rules.yaml"
        file.write_text(yaml.safe_dump({"rules": [copy.deepcopy(RULE) | fields]}))
        return file

    return write


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"monitors": ["get_weather"]}, "monitors='get_weather' is no tool"),
        ({"of": "planet"}, "of='planet' is no kind of element"),
        ({"when": "slice.degradation =="}, "is no expression"),
        ({"when": "slice.colour == 1"}, "slice has no 'colour'"),
        ({"when": "before.colour == 1"}, "slice has no 'colour'"),
        ({"when": "planet.mass > 1"}, "names 'planet'"),
        ({"plan": [{"call": "fly_home"}]}, "call='fly_home' is no tool"),
        ({"plan": [{"call": "get_topology", "with": {"depth": 1}}]}, "has no argument 'depth'"),
        ({"plan": [{"call": "get_topology", "follow": "slices"}]}, "either call or follow"),
        (
            {"plan": [{"call": "get_topology", "with": {"scope": "{{ slice.hue }}"}}]},
            "slice has no 'hue'",
        ),
        ({"priority": 101}, "priority"),
        ({"cooldown": 0}, "cooldown"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_in_one_sentence(
    written: Callable[..., Path], fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(BenchUserError) as refusal:
        load_rules(written(**fields))
    message = str(refusal.value)
    assert words in message
    assert "rule free_slice" in message
    assert "\n" not in message


def test_two_rules_of_a_name_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"rules": [RULE, RULE]}))
    with pytest.raises(BenchUserError, match="two rules free_slice"):
        load_rules(file)


def test_expressions_reach_nothing_but_records() -> None:
    rule = Rule.model_validate(RULE | {"when": "slice.slice.__class__.__mro__"})
    assert not rule.condition.holds({"slice": {"slice": "embb"}})


def test_the_packaged_rules_give_reasons() -> None:
    rules = load_rules(RULES)
    assert len({rule.because for rule in rules}) == len(rules)
    used = {step.call for rule in rules for step in rule.plan} - {""}
    used |= {s.call for rule in rules for step in rule.plan for s in step.then} - {""}
    assert sum(not TOOLS[name].read_only for name in used) >= 12
