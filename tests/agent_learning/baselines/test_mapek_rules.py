# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_learning.baselines.mapek import MapeK, Rule, load_rules
from env.backends.base import BackendName
from env.backends.making import make_backend
from env.environment import Environment
from env.tools import TOOLS
from env.tools.proposing import changes_of
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.library import load_scenario, parse_model
from ns3_scenarios.scenario import ScenarioConfig

SITUATIONS = yaml.safe_load(
    (Path(__file__).parent / "mapek_situations.yaml").read_text(encoding="utf-8")
)
RULES = {rule.name: rule for rule in load_rules()}
SEED = 51
PATIENCE = 10
"""Intervals within which a rule must fire: KPIs of single ones vary."""
QUIET = "Keep the network well."


def _network(situation: dict[str, Any]) -> Environment:
    data = load_scenario(situation["scenario"]).model_dump(mode="json")
    always = {"start_s": 0.4, "duration_s": 60}
    data["faults"] = [*data["faults"], *(always | fault for fault in situation.get("faults", ()))]
    network = parse_model(ScenarioConfig, data, "situation")
    backend = make_backend(situation.get("backend", "surrogate"), network, SEED)
    wrong = situation.get("settings", {}).items()
    backend.apply([ControlChange(path=path, value=value) for path, value in wrong])
    backend.advance(situation.get("lead", 10))
    return Environment(backend, max_calls=10**6)


@lru_cache(maxsize=16)
def _healthy(scenario: str, backend: BackendName) -> Environment:
    return _network({"scenario": scenario, "backend": backend})


def _acting(rule: Rule, environment: Environment, intent: str) -> MapeK:
    """An agent that knows one rule, up to its first change, which the network would accept."""
    agent, answer = MapeK([rule]), None
    agent.start(intent, environment.view(), SEED)
    while call := agent.act(environment.view(), answer):
        if not TOOLS[call[0]].read_only:
            _, changes = changes_of(environment.view(), [call])
            assert changes
            agent.fired.append(("made", call[0]))
            return agent
        answer = environment.call(*call)
        assert answer.ok, answer.content
    return agent


def test_there_is_a_situation_for_every_rule() -> None:
    assert set(SITUATIONS) | {"undo_harmful_change"} == set(RULES)
    assert len(RULES) >= 50


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_rule_fires_where_it_is_called_for_and_not_otherwise(name: str) -> None:
    situation = SITUATIONS[name]
    intent = situation.get("intent", QUIET)
    with _network(situation) as environment:
        for _ in range(PATIENCE):
            agent = _acting(RULES[name], environment, intent)
            if agent.fired:
                break
            environment.run_on(1)
    assert agent.fired[:1], "it does not fire"
    assert agent.fired[-1][0] == "made", "its plan comes to no change"
    quiet_in = situation.get("quiet", situation["scenario"])
    healthy = _healthy(quiet_in, situation.get("backend", "surrogate"))
    quiet = _acting(RULES[name], healthy, QUIET)
    assert not quiet.fired, "it fires in a healthy network"


def test_a_harmful_change_is_undone() -> None:
    squeeze = {
        "name": "squeeze",
        "because": "For the sake of the test, a slice is held down to nothing.",
        "monitors": ["get_slice_status"],
        "of": "share",
        "when": 'share.slice == "embb" and share.max_pct > 2',
        "plan": [
            {
                "call": "trigger_slice_reallocation",
                "with": {"cell": "{{ share.cell }}", "slice": "embb", "min_pct": 0, "max_pct": 1},
            }
        ],
        "priority": 10,
        "cooldown": 1000,
    }
    agent, answer = MapeK([RULES["undo_harmful_change"], Rule.model_validate(squeeze)]), None
    with _network({"scenario": "quickstart"}) as environment:
        environment.advance = 10
        agent.start(QUIET, environment.view(), SEED)
        while call := agent.act(environment.view(), answer):
            answer = environment.call(*call)
            assert answer.ok, answer.content
        undone = [change.undoes for change in environment.changes if change.undoes]
    assert undone
    assert [name for name, _ in agent.fired] == ["squeeze"] * 3 + ["undo_harmful_change"] * len(
        undone
    )
