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
from env.tasks import Task
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


class Rules:
    """Reads everything once, corrects what crosses a threshold, and stops.

    Applications that miss their deadline move to the least used site, degraded slices are set free,
    cells that sleep are woken, slices that lose packets or time get more of the resource blocks,
    and slices leave links that are congested or damaged by the path that `compute_path` finds.
    """

    name = "rules"
    BUSY_PCT = 90.0
    LOSSY_PCT = 5.0
    LATE_PCT = 80.0
    """Share of jobs or packets in time below which something is done."""

    def start(self, intent: str, view: View, seed: int) -> None:
        """First look at everything."""
        self._todo: list[Call] = [
            ("get_edge_load", {}),
            ("get_slice_status", {}),
            ("get_energy_report", {}),
            ("check_link_quality", {"limit": 100}),
        ]
        self._sites = [f"s{i}" for i in range(view.scenario.layout.n_sites)]
        self._slices = [s.name for s in view.scenario.slices]

    def act(self, view: View, last: Answer | None) -> Call | None:
        """Note what is wrong in the last answer; then look on, or make the next change."""
        if last and last.ok:
            notice = getattr(self, f"_after_{last.tool}", None)
            if notice:
                notice(last.content)
        return self._todo.pop(0) if self._todo else None

    def _after_get_edge_load(self, found: dict[str, Any]) -> None:
        sites = found["sites"]
        for site in sites:
            free = min(sites, key=lambda other: other["util_pct"] or 0.0)
            for one in site["applications"]:
                if _less(one["within_deadline_pct"], self.LATE_PCT):
                    away = {"application": one["application"], "fraction": 1.0}
                    if _less(self.BUSY_PCT, site["util_pct"]) and free is not site:
                        away["site"] = free["site"]
                    self._todo.append(("edge_offload", away))

    def _after_get_slice_status(self, found: dict[str, Any]) -> None:
        for one in found["slices"]:
            if one["degradation"] != "none":
                self._todo.append(
                    ("graceful_degradation", {"slice": one["slice"], "level": "none"})
                )
            kpis = one["kpis"]
            if not (
                _less(self.LOSSY_PCT, kpis["packet_loss_pct"])
                or _less(kpis["within_budget_pct"], self.LATE_PCT)
            ):
                continue
            for cell in one["cells"]["items"]:
                if cell["max_pct"] < self.BUSY_PCT:
                    more = {"cell": cell["cell"], "slice": one["slice"], "max_pct": self.BUSY_PCT}
                    self._todo.append(("trigger_slice_reallocation", more))

    def _after_get_energy_report(self, found: dict[str, Any]) -> None:
        for cell in found["cells"]["items"]:
            if cell["sleep_mode"] != "on":
                self._todo.append(("set_cell_sleep", {"cell": cell["cell"], "mode": "on"}))

    def _after_check_link_quality(self, found: dict[str, Any]) -> None:
        bad = {
            link["link"]
            for link in found["items"]
            if not link["up"]
            or _less(self.BUSY_PCT, link["util_pct"])
            or _less(self.LOSSY_PCT, link["loss_pct"])
        }
        if bad:
            for site in self._sites:
                query = {"from": site, "to": "core", "avoid": sorted(bad)}
                self._todo.append(("compute_path", query))

    def _after_compute_path(self, found: dict[str, Any]) -> None:
        if found["path"]:
            self._todo += [
                ("reroute_flow", {"slice": name, "path": found["path"]}) for name in self._slices
            ]


def _less(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one < other


class Reference:
    """Makes the calls of a task's reference solution, or a random one in place of some of them.

    Args:
        task: that has a reference.
        share: chance of each call to be the right one.
    """

    def __init__(self, task: Task, share: float) -> None:
        self.name = REFERENCE if share == 1 else f"{REFERENCE}:{share:g}"
        self._calls, self._share = task.reference, share
        self._guess = RandomCells()

    def start(self, intent: str, view: View, seed: int) -> None:
        """Seed the draws."""
        self._left = list(self._calls)
        self._random = Random(f"{self.name} {seed}")
        self._guess.start(intent, view, seed)

    def act(self, view: View, last: Answer | None) -> Call | None:
        """The next call of the reference, or a random one in its place."""
        if not self._left:
            return None
        call = self._left.pop(0)
        if self._random.random() < self._share:
            return call.tool, call.arguments
        return self._guess.act(view, last)


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
    "rules": Rules,
}
SCRIPT, REFERENCE = "script:", "reference"


def make_agent(name: str, task: Task | None = None) -> Agent:
    """An agent by its name.

    Args:
        name: one of `AGENTS`; `script:FILE` makes the calls of a file, `reference` those of the
            task's reference solution, `reference:SHARE` each of them with that chance only.
        task: that it plays.

    Raises:
        EnvUserError: there is no such agent.
    """
    kind, _, share = name.partition(":")
    if name.startswith(SCRIPT):
        return Script.load(name.removeprefix(SCRIPT))
    if kind == REFERENCE and (chance := _share(share)) is not None:
        if task is None or not task.reference:
            raise EnvUserError(f"agent={name!r} needs a task that has a reference solution")
        return Reference(task, chance)
    if name not in AGENTS:
        allowed = ", ".join([*AGENTS, REFERENCE, f"{REFERENCE}:SHARE", f"{SCRIPT}FILE"])
        raise EnvUserError(f"agent={name!r} is not allowed; it must be one of {allowed}")
    return AGENTS[name]()


def _share(text: str) -> float | None:
    """A share from 0 to 1; 1 if none is given, None if it is something else."""
    try:
        share = float(text) if text else 1.0
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None
