# SPDX-License-Identifier: Apache-2.0
"""Agents of a task by role, and what they tell each other.

A task without roles has one agent. In a task of several, the agents are asked in turn; one that
returns None passes, and all have stopped when all pass one after the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from agent_learning.baselines import make_baseline
from agent_learning.bench.task import AgentRole, BenchTask
from agent_learning.errors import BenchUserError
from env.agents import REFERENCE, Agent, Call
from env.environment import Answer
from env.tasks import Call as TaskCall
from env.tasks import Task
from env.view import Scope, View


@runtime_checkable
class Talking(Protocol):
    """An agent that talks with the others of its task, besides what `Agent` asks for."""

    said: str
    """What it tells the others after a turn; empty for nothing."""

    def hear(self, agent: str, words: str) -> None:
        """What another one, named by its role, has said."""
        ...


def make_agents(name: str, task: BenchTask) -> dict[str, Agent]:
    """The agents of a task: one for each role, or one alone.

    All are made for the whole task; what each may do, it finds in the scope of its view.

    Raises:
        UserError: there is no such agent, or it cannot play this task.
    """
    if not task.agents:
        agent = make_baseline(name, task.task)
        return {agent.name: agent}
    if name == REFERENCE:
        return _reference(task)
    return {role.name: make_baseline(name, _part(task.task, role)) for role in task.agents}


def scopes_of(task: BenchTask) -> dict[str, Scope]:
    """What the agent of each role may call and name, within what the task allows.

    Raises:
        BenchUserError: a role is left without a tool.
    """
    found, tools = {}, task.task.scope.tools
    for role in task.agents:
        mine = role.scope.tools
        both = tools & mine if tools and mine else tools | mine
        if not both and (tools or mine):
            raise BenchUserError(f"task {task.id}: agent {role.name!r} may call no tool")
        found[role.name] = Scope(both, role.scope.elements)
    return found


def in_turn(roles: Sequence[str], calls: Iterable[tuple[str, Call]]) -> dict[str, Agent]:
    """Agents that together make calls in a given order.

    Args:
        roles: of the agents.
        calls: each with the role that makes it.
    """
    left = deque(calls)
    return {role: _InTurn(role, left) for role in roles}


def tell(agents: Mapping[str, Agent], speaker: str) -> str:
    """Let the others hear what an agent has to say; returns it."""
    agent = agents[speaker]
    words = agent.said if isinstance(agent, Talking) else ""
    if words:
        for role, other in agents.items():
            if role != speaker and isinstance(other, Talking):
                other.hear(speaker, words)
    return words


def _part(task: Task, role: AgentRole) -> Task:
    """A task whose reference has no call that the role may not make."""
    mine = tuple(call for call in task.reference if role.scope.has_tool(call.tool))
    return task.model_copy(update={"reference": mine})


def _reference(task: BenchTask) -> dict[str, Agent]:
    calls = [(_role_of(call, task), (call.tool, call.arguments)) for call in task.task.reference]
    return in_turn([role.name for role in task.agents], calls)


def _role_of(call: TaskCall, task: BenchTask) -> str:
    """The first role that may make a call."""
    elements = {element for role in task.agents for element in role.elements}
    named = _words(call.arguments) & elements

    def may(role: AgentRole) -> bool:
        scope = role.scope
        return scope.has_tool(call.tool) and all(scope.has(element) for element in named)

    found = next((role.name for role in task.agents if may(role)), None)
    if found is None:
        raise BenchUserError(f"task {task.id}: no agent may make the reference's {call.tool} call")
    return found


def _words(value: Any) -> set[str]:
    """All strings in arguments."""
    if isinstance(value, str):
        return {value}
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*map(_words, inner))


class _InTurn:
    """Makes its calls when it is their turn among those of all.

    Args:
        role: its own.
        left: calls that are left, each with the role that makes it; all agents have the same.
    """

    def __init__(self, role: str, left: deque[tuple[str, Call]]) -> None:
        self.name, self._left = role, left

    def start(self, intent: str, view: View, seed: int) -> None:
        """Nothing to prepare."""

    def act(self, view: View, last: Answer | None) -> Call | None:
        """The next call, if it is its own."""
        if not self._left or self._left[0][0] != self.name:
            return None
        return self._left.popleft()[1]
