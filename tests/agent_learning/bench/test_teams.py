# SPDX-License-Identifier: Apache-2.0
"""Several agents at one task: turns, scopes, words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agent_learning.bench.rescoring import play_again
from agent_learning.bench.task import AgentRole, BenchTask
from agent_learning.bench.teams import make_agents, scopes_of
from agent_learning.bench.trial import TrialRecord
from agent_learning.errors import BenchUserError
from env.agents import Call, Script
from env.environment import Answer
from env.view import View

Calls = list[tuple[str, dict[str, Any]]]
MakeTask = Callable[..., BenchTask]
Play = Callable[..., TrialRecord]

WEST = AgentRole(name="west", elements=("c0", "c1"), tools=("set_cell_tx_power",))
EAST = AgentRole(name="east", elements=("c2",))


class Waiting:
    """Waits for a word of the other, and then does what it says, or what it has to do."""

    def __init__(self, name: str, said: str = "", call: Call | None = None) -> None:
        self.name, self.said, self._call = name, said, call
        self.heard: list[tuple[str, str]] = []

    def start(self, intent: str, view: View, seed: int) -> None:
        self._left = [self._call] if self._call else []

    def act(self, view: View, last: Answer | None) -> Call | None:
        if self._left:
            return self._left.pop()
        self.said = ""
        if self.heard:
            cell = self.heard.pop()[1]
            return "set_cell_tx_power", {"cell": cell, "tx_power_dbm": 30}
        return None

    def hear(self, agent: str, words: str) -> None:
        self.heard.append((agent, words))


class LastWord(Waiting):
    """Passes, with a word."""

    def act(self, view: View, last: Answer | None) -> Call | None:
        self.said, self._once = ("c0", True) if not hasattr(self, "_once") else ("", True)
        return None


class Chatter(Waiting):
    """Only ever talks."""

    def act(self, view: View, last: Answer | None) -> Call | None:
        self.said = "And you?"
        return None


def test_agents_take_turns_within_their_scopes(
    make_task: MakeTask, solution: Calls, play: Play
) -> None:
    west = Script([solution[2], *solution[:2]])
    east = Script([("list_alarms", {}), solution[2]])
    record = play(make_task(agents=[WEST, EAST]), {"west": west, "east": east})
    assert [(c.agent, c.ok) for c in record.calls] == [
        ("west", False),
        ("east", True),
        ("west", True),
        ("east", True),
        ("west", True),
    ]
    assert record.status == "success"
    assert record.counts.invalid_calls == 1


def test_reference_is_made_in_its_order(make_task: MakeTask, play: Play) -> None:
    """Whoever has the turn: two calls in a row are of the same role."""
    task = make_task(agents=[EAST, WEST])
    record = play(task, make_agents("reference", task))
    assert [c.agent for c in record.calls] == ["west", "west", "east"]
    assert record.status == "success"
    again = play_again(record, task)
    assert (again.calls, again.status) == (record.calls, "success")
    watcher = AgentRole(name="watcher", tools=("list_alarms",))
    with pytest.raises(BenchUserError, match="no agent may make the reference's"):
        make_agents("reference", make_task(agents=[watcher]))


def test_one_that_passes_is_asked_again_and_hears_the_others(
    make_task: MakeTask, play: Play
) -> None:
    task = make_task(agents=[WEST, EAST], goal=make_task().task.goal[:1])
    west = Waiting("west")
    east = Waiting("east", "c1", ("list_alarms", {}))
    record = play(task, {"west": west, "east": east})
    assert [(c.agent, c.tool) for c in record.calls] == [
        ("east", "list_alarms"),
        ("west", "set_cell_tx_power"),
    ]
    assert [(w.calls, w.agent, w.words) for w in record.words] == [(0, "east", "c1")]
    assert record.calls[1].arguments["cell"] == "c1"
    assert record.reason == "the agent stopped before the goal was reached"
    assert TrialRecord.model_validate_json(record.model_dump_json()) == record


def test_last_word_is_heard_and_talk_has_an_end(make_task: MakeTask, play: Play) -> None:
    task = make_task(agents=[WEST, EAST])
    record = play(task, {"west": Waiting("west"), "east": LastWord("east")})
    assert [c.agent for c in record.calls] == ["west"]
    record = play(task, {"west": Chatter("west"), "east": Chatter("east")})
    assert len(record.words) == task.task.max_calls + 1
    assert record.status == "failure"


def test_roles_are_held_within_the_task(make_task: MakeTask) -> None:
    both = make_task(agents=[WEST, EAST], tools=["set_cell_tx_power", "list_alarms"])
    assert {role: sorted(scope.tools) for role, scope in scopes_of(both).items()} == {
        "west": ["set_cell_tx_power"],
        "east": ["list_alarms", "set_cell_tx_power"],
    }
    assert list(make_agents("rules", both)) == ["west", "east"]
    with pytest.raises(BenchUserError, match="'west' may call no tool"):
        scopes_of(make_task(agents=[WEST], tools=["list_alarms"]))
