# SPDX-License-Identifier: Apache-2.0
"""`Environment`: an agent calls tools on a network, one call at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from env.backends.base import Backend, BackendName
from env.errors import EnvUserError, ToolError
from env.tools import TOOLS
from env.tools.base import Proposal, Result, Tool
from env.tools.proposing import proposed
from env.view import Change, Scope, View
from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.errors import ControlError

MAX_CALLS = 1000
"""Calls of an episode, unless the task says less: reads cost nothing but are not endless."""


@dataclass(frozen=True)
class Answer:
    """What a call of a tool comes to."""

    tool: str
    ok: bool
    content: dict[str, Any]
    """The result, or what was wrong: code, message, and where it is known argument, value and what
    is allowed."""
    interval: int
    """Intervals done after the call."""


@dataclass(frozen=True)
class Event:
    """One call in the log of an episode; without a tool, time that passed, maybe under changes."""

    agent: str
    tool: str
    arguments: Any
    answer: Answer
    served_by: BackendName
    """What ran the network after it."""
    changes: tuple[ControlChange, ...] = ()
    """What it changed, from which interval on."""


Guard = Callable[[View, ControlState], None]
"""Raises `ToolError` where controls would break a constraint on the configuration."""


@dataclass
class Environment:
    """One episode: a network on a backend, and the calls made of it.

    Calls never raise for what an agent does wrong; the answer says so, and nothing has changed.

    Args:
        backend: that the network runs on; the environment closes it.
        advance: intervals that the network runs after a call that configures; with 0, time passes
            by `run_on` only.
        max_calls: after which no call is taken.
        guard: constraints on the configuration.
        judge: says after every interval why the episode is over; nothing while it goes on.
    """

    backend: Backend
    advance: int = 1
    max_calls: int = MAX_CALLS
    guard: Guard | None = None
    judge: Callable[[], str] | None = None
    over: str = field(default="", init=False)
    """Why no call is taken any more."""
    events: list[Event] = field(default_factory=list, init=False)
    """Every call until it was over, also those that were refused."""
    listeners: list[Callable[[Event], None]] = field(default_factory=list, init=False)
    """Told of every event."""
    changes: list[Change] = field(default_factory=list, init=False)
    """Made so far."""

    def __post_init__(self) -> None:
        for name, least in (("advance", 0), ("max_calls", 1)):
            if getattr(self, name) < least:
                raise EnvUserError(
                    f"{name}={getattr(self, name)} is not allowed; it must be {least} or more"
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the backend."""
        self.backend.close()

    def view(self, scope: Scope | None = None) -> View:
        """What is known of the network now."""
        backend = self.backend
        return View(
            scenario=backend.scenario,
            controls=backend.controls,
            history=backend.history,
            changes=tuple(self.changes),
            scope=scope or Scope(),
            foresee=backend.futures,
        )

    def call(
        self, name: str, arguments: Any = None, *, agent: str = "", scope: Scope | None = None
    ) -> Answer:
        """Call a tool.

        Args:
            name: of the tool.
            arguments: of the call, as JSON has them.
            agent: who calls.
            scope: what the agent may see and do; everything by default.

        Raises:
            BackendError: the backend has failed.
        """
        if self.over:
            error = ToolError("episode_over", f"the episode is over: {self.over}")
            return Answer(name, False, error.answer(), self.backend.interval)
        arguments = {} if arguments is None else arguments
        view, n_changes = self.view(scope), len(self.changes)
        try:
            ok, content = True, self._answer(view, name, arguments)
        except ToolError as error:
            ok, content = False, error.answer()
        answer = Answer(name, ok, content, self.backend.interval)
        made = self._made_after(n_changes)
        self._log(Event(agent, name, arguments, answer, self.backend.served_by, made))
        if not self.over and self.n_calls >= self.max_calls:
            self.over = f"all {self.max_calls} calls were used"
        return answer

    @property
    def n_calls(self) -> int:
        """Calls so far, without those that came when it was over."""
        return sum(bool(event.tool) for event in self.events)

    def configure(self, changes: Sequence[ControlChange], *, agent: str = "") -> None:
        """Set controls without a tool, all together as one change, and run on.

        Args:
            changes: at least one.
            agent: who makes them.

        Raises:
            ToolError: the episode is over, or the task forbids it. Nothing is changed.
            ControlError: a change is impossible. Nothing is changed.
            BackendError: the backend has failed.
        """
        if self.over:
            raise ToolError("episode_over", f"the episode is over: {self.over}")
        first, n_changes = self.backend.interval, len(self.changes)
        self._change(self.view(), "", {}, Proposal(tuple(changes)))
        answer = Answer("", True, {}, self.backend.interval)
        passed = {"intervals": self.backend.interval - first}
        made = self._made_after(n_changes)
        self._log(Event(agent, "", passed, answer, self.backend.served_by, made))

    def run_on(self, n: int = 1) -> None:
        """Let time pass without a call, until the episode is over.

        Raises:
            BackendError: the backend has failed.
        """
        first = self.backend.interval
        self._advance(n)
        answer = Answer("", True, {}, self.backend.interval)
        passed = {"intervals": self.backend.interval - first}
        self._log(Event("", "", passed, answer, self.backend.served_by))

    def _advance(self, n: int) -> None:
        if self.judge is None:
            self.backend.advance(n)
            return
        for _ in range(n):
            if not self.over:
                self.backend.advance(1)
                self.over = self.judge()

    def _made_after(self, n_changes: int) -> tuple[ControlChange, ...]:
        """What was set by all changes but the first ones."""
        return tuple(
            ControlChange(interval=change.interval, path=setting.path, value=setting.after)
            for change in self.changes[n_changes:]
            for setting in change.settings
        )

    def _log(self, event: Event) -> None:
        self.events.append(event)
        for listener in self.listeners:
            listener(event)

    def _answer(self, view: View, name: str, arguments: Any) -> dict[str, Any]:
        tool = self._tool(name, view.scope)
        parsed = tool.parse(arguments)
        try:
            found = tool.run(view, parsed)
            if isinstance(found, Proposal):
                return self._change(view, tool.name, arguments, found)
        except ControlError as error:
            raise ToolError("not_allowed", str(error)) from None
        assert isinstance(found, Result)
        content: dict[str, Any] = found.model_dump(mode="json")
        return content

    @staticmethod
    def _tool(name: str, scope: Scope) -> Tool:
        if name not in TOOLS or not scope.has_tool(name):
            mine = [n for n in TOOLS if scope.has_tool(n)]
            raise ToolError(
                "unknown_tool",
                f"there is no tool {str(name)[:80]!r}",
                argument="name",
                value=str(name)[:80],
                allowed=mine,
            )
        return TOOLS[name]

    def _change(
        self, view: View, tool: str, arguments: dict[str, Any], proposal: Proposal
    ) -> dict[str, Any]:
        change, after = proposed(view, tool, arguments, proposal)
        if self.guard:
            self.guard(view, after)
        self.backend.apply(proposal.changes)
        self.changes.append(change)
        self._advance(self.advance)
        return {
            "change_id": change.change_id,
            "settings": [dataclasses.asdict(s) for s in change.settings],
            "reversible": change.reversible,
            "interval": self.backend.interval,
            "time_ms": self.backend.interval * self.backend.scenario.interval_ms,
        }
