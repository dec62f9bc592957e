# SPDX-License-Identifier: Apache-2.0
"""Who calls tools: the protocol `Agent`, and agents that need no training.

An agent sees what tools answer and nothing else; `view` is for agents that want the catalogue of
names without a call.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Protocol

from env.environment import Answer
from env.errors import EnvUserError
from env.view import View
from ns3_scenarios.control_ranges import Span, control_ranges

Call = tuple[str, dict[str, Any]]


class Agent(Protocol):
    """Decides what to call next."""

    name: str

    def start(self, intent: str, view: View, seed: int) -> None:
        """An episode begins."""
        ...

    def act(self, view: View, last: Answer | None) -> Call | None:
        """The next call, given the answer to the last one; None to stop."""
        ...


class Hold:
    """Does nothing: what the network does by itself."""

    name = "hold"

    def start(self, intent: str, view: View, seed: int) -> None:
        """Nothing to prepare."""

    def act(self, view: View, last: Answer | None) -> Call | None:
        """Stop."""
        return None


class RandomCells:
    """Sets a random control of a random cell to a sensible value; the least that others must beat.

    Equal seeds give equal calls.
    """

    name = "random"

    def start(self, intent: str, view: View, seed: int) -> None:
        """Seed the draws."""
        self._random = Random(seed)

    def act(self, view: View, last: Answer | None) -> Call | None:
        """Transmit power, tilt, or the offset of event A3."""
        cell = self._random.choice(view.scenario.cell_ids)
        ranges = control_ranges(view.scenario)
        tool, argument, path = self._random.choice(
            [
                ("set_cell_tx_power", "tx_power_dbm", f"cells.{cell}.tx_power_dbm"),
                ("set_antenna_tilt", "tilt_deg", f"cells.{cell}.tilt_deg"),
                ("set_handover_params", "a3_offset_db", f"cells.{cell}.handover.a3_offset_db"),
            ]
        )
        if path not in ranges:  # cells of further carriers have no handover settings
            return self.act(view, last)
        span = ranges[path].sweep
        assert isinstance(span, Span)
        return tool, {"cell": cell, argument: round(self._random.uniform(span.min, span.max), 1)}


class Recovery:
    """Reads alarms and takes the strategy that reasoning ranks first, until none is left."""

    name = "recovery"

    def start(self, intent: str, view: View, seed: int) -> None:
        """Nothing is known yet."""
        self._todo: list[Call] = []
        self._tried: set[str] = set()

    def act(self, view: View, last: Answer | None) -> Call | None:
        """Ask for alarms, then for a strategy, then carry it out."""
        if last and last.ok and last.tool == "list_alarms":
            alarms = [a["alarm"] for a in last.content["active"]["items"]]
            new = [a for a in alarms if a not in self._tried]
            if not new:
                return None
            self._tried.add(new[0])
            return "select_recovery_strategy", {"alarm": new[0]}
        if last and last.ok and last.tool == "select_recovery_strategy":
            strategies = last.content["strategies"]
            if strategies:
                self._todo = [(c["tool"], c["arguments"]) for c in strategies[0]["changes"]]
        return self._todo.pop(0) if self._todo else ("list_alarms", {})


class Script:
    """Makes the calls of a list, and stops.

    Args:
        calls: names and arguments.
    """

    name = "script"

    def __init__(self, calls: Sequence[Call]) -> None:
        self._calls = list(calls)

    @classmethod
    def load(cls, path: str | Path) -> Script:
        """Read a JSON file: a list of objects with `tool` and `arguments`.

        Raises:
            EnvUserError: it cannot be read or has another form.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls([(call["tool"], call.get("arguments", {})) for call in data])
        except OSError as error:
            raise EnvUserError(f"cannot read {path}: {error.strerror}") from None
        except (ValueError, TypeError, KeyError, AttributeError):
            form = '[{"tool": NAME, "arguments": {...}}, ...]'
            raise EnvUserError(f"{path} is no script; it must be {form}") from None

    def start(self, intent: str, view: View, seed: int) -> None:
        """Begin at the first call."""
        self._next = iter(self._calls)

    def act(self, view: View, last: Answer | None) -> Call | None:
        """The next call."""
        return next(self._next, None)


AGENTS: dict[str, Callable[[], Agent]] = {
    "hold": Hold,
    "random": RandomCells,
    "recovery": Recovery,
}
SCRIPT = "script:"


def make_agent(name: str) -> Agent:
    """An agent by its name; `script:FILE` makes the calls of a file.

    Raises:
        EnvUserError: there is no such agent.
    """
    if name.startswith(SCRIPT):
        return Script.load(name.removeprefix(SCRIPT))
    if name not in AGENTS:
        allowed = ", ".join([*AGENTS, f"{SCRIPT}FILE"])
        raise EnvUserError(f"agent={name!r} is not allowed; it must be one of {allowed}")
    return AGENTS[name]()
