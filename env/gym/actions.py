# SPDX-License-Identifier: Apache-2.0
"""Calls of configuration tools as a flat discrete action: `ToolActions`.

Everything follows from the JSON Schemas of the tools. A tool with optional arguments makes several
entries, one for each smallest set of arguments that it accepts. Names of elements have a dimension
each, by the name of the argument; numbers and words share the dimensions `value_0`, `value_1`, ...
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from env.agents import Call
from env.errors import ToolError
from env.tools import TOOLS, Tool
from env.tools.configuration.rollback import undoable
from env.view import Scope, View
from ns3_scenarios.control_ranges import Span, Values, control_ranges
from ns3_scenarios.controls import (
    AUTO,
    SLICE_ROUTE,
    ApplicationControl,
    CellControl,
    HandoverControl,
    SliceShare,
    WaypointControl,
)
from ns3_scenarios.scenario import ScenarioConfig

HOLD = "hold"
"""Lets an interval pass."""
BINS = 11
"""Values of each number that can be chosen."""
CHANGES = 8
"""Last changes that can be rolled back."""
MOST_OPTIONAL = 3
"""Optional arguments that an entry may need together."""
_CONTROLS = frozenset(
    name
    for model in (ApplicationControl, CellControl, HandoverControl, SliceShare, WaypointControl)
    for name in model.model_fields
) | {"cio_db"}


@dataclass(frozen=True)
class Entry:
    """A tool with the arguments that one kind of call gives it."""

    tool: Tool
    names: tuple[str, ...]
    """Arguments that are names or paths."""
    values: tuple[str, ...]
    """Arguments that are numbers or words."""

    @property
    def label(self) -> str:
        """For people: the tool and its arguments."""
        return f"{self.tool.name}({', '.join((*self.names, *self.values))})"


def entries_of(tool: Tool) -> Iterator[Entry]:
    """Smallest sets of arguments that a tool accepts."""
    properties = tool.schema["properties"]
    required = [name for name in properties if name in tool.schema.get("required", ())]
    optional = [name for name in properties if name not in required]
    accepted: list[frozenset[str]] = []
    for n in range(MOST_OPTIONAL + 1):
        for extra in itertools.combinations(optional, n):
            if any(known <= set(extra) for known in accepted):
                continue
            given = [name for name in properties if name in (*required, *extra)]
            try:
                tool.parse({name: _sample(properties[name]) for name in given})
            except ToolError:
                continue
            accepted.append(frozenset(extra))
            names = tuple(a for a in given if _is_name(properties[a]))
            yield Entry(tool, names, tuple(a for a in given if a not in names))


def _kind(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an argument that is given."""
    either: list[dict[str, Any]] = schema.get("anyOf", [schema])
    return next(one for one in either if one.get("type") != "null")


def _is_name(schema: dict[str, Any]) -> bool:
    kind = _kind(schema)
    return kind.get("type") in ("string", "array") and "enum" not in kind


def _sample(schema: dict[str, Any]) -> Any:
    kind = _kind(schema)
    if "enum" in kind:
        return kind["enum"][0]
    match kind.get("type"):
        case "string":
            return "a"
        case "array":
            return ["a"]
        case _:
            return kind.get("minimum", kind.get("exclusiveMinimum", 0) + 1)


class ToolActions:
    """Actions of one scenario as vectors of whole numbers.

    Args:
        scenario: of the network.
        scope: tools that may be called and elements that may be named; everything by default.
    """

    def __init__(self, scenario: ScenarioConfig, scope: Scope | None = None) -> None:
        scope = scope or Scope()
        self._scenario = scenario
        self._names = _names_of(scenario, scope)
        self.entries = [
            entry
            for tool in TOOLS.values()
            if not tool.read_only and scope.has_tool(tool.name)
            for entry in entries_of(tool)
            if all(self._names.get(name) for name in entry.names)
            and all(_sweeps(scenario).get(v) for v in entry.values if v in _CONTROLS)
        ]
        """What the first dimension chooses from, after `HOLD`."""
        sizes = {n: len(self._names[n]) for entry in self.entries for n in entry.names}
        n_values = max((len(entry.values) for entry in self.entries), default=0)
        values = {f"value_{i}": BINS for i in range(n_values)}
        self.dimensions = {"tool": len(self.entries) + 1, **sizes, **values}
        """Number of choices by name."""

    @property
    def labels(self) -> list[str]:
        """What each choice of the first dimension does."""
        return [HOLD, *(entry.label for entry in self.entries)]

    def call(self, action: Sequence[int] | NDArray[np.integer[Any]], view: View) -> Call | None:
        """The call that an action means; None to let time pass.

        Args:
            action: a number for each dimension.
            view: of the network.
        """
        chosen = {name: int(a) for name, a in zip(self.dimensions, action, strict=True)}
        if chosen["tool"] == 0:
            return None
        entry = self.entries[chosen["tool"] - 1]
        arguments: dict[str, Any] = {}
        for name in entry.names:
            known = self._choices(name, arguments, view)
            known = [n for n in known if self._has_controls(entry, {**arguments, name: n})] or known
            arguments[name] = known[chosen[name] % len(known)]
        named = {value for value in arguments.values() if isinstance(value, str)}
        for i, name in enumerate(entry.values):
            schema = _kind(entry.tool.schema["properties"][name])
            arguments[name] = self._value(name, schema, named, chosen[f"value_{i}"])
        properties = entry.tool.schema["properties"]
        return entry.tool.name, {n: arguments[n] for n in properties if n in arguments}

    def masks(self, view: View) -> list[NDArray[np.bool_]]:
        """Which choices of each dimension make sense now, whatever the others are.

        Only rollbacks can be senseless: where nothing, or not so much, can be undone.
        """
        undone = len(_undoable(view))
        found = {name: np.ones(size, bool) for name, size in self.dimensions.items()}
        found["tool"][1:] = ["change_id" not in e.names or undone > 0 for e in self.entries]
        if "change_id" in found:
            found["change_id"][max(1, undone) :] = False
        return list(found.values())

    def _has_controls(self, entry: Entry, given: dict[str, Any]) -> bool:
        """Whether the elements named so far have the controls that an entry sets."""
        named = frozenset(value for value in given.values() if isinstance(value, str))
        return all(_sweep(self._scenario, v, named) for v in entry.values if v in _CONTROLS)

    def _choices(self, name: str, given: dict[str, Any], view: View) -> Sequence[Any]:
        """What an argument may be, after those before it."""
        match name:
            case "change_id":
                return [c.change_id for c in _undoable(view)] or ["none"]
            case "flow" if "ue" in given:
                return list(view.controls.ues[given["ue"]].flows)
            case "neighbour":
                own = view.controls.cells[given["cell"]].handover
                mine = [n for n in own.cio_db if n in self._names[name]] if own else []
                return mine or self._names[name]
            case "path":
                return self._paths(given)
            case _:
                return self._names[name]

    def _paths(self, given: dict[str, Any]) -> list[list[str]]:
        routes = dict.fromkeys(
            route
            for path, range_ in control_ranges(self._scenario).items()
            if (".routes." in path and path.split(".")[1] == given.get("slice"))
            or path == f"ues.{given.get('ue')}.flows.{given.get('flow')}.route"
            for route in (() if isinstance(range_.sweep, Span) else range_.sweep)
        )
        return [[] if r in (AUTO, SLICE_ROUTE) else str(r).split("-") for r in routes] or [[]]

    def _value(self, name: str, schema: dict[str, Any], named: set[str], number: int) -> Any:
        """A number or word: evenly spread over what is sensible to set that control to."""
        bounds = Span(schema.get("minimum", 0), schema.get("maximum", 1))
        values = _sweep(self._scenario, name, frozenset(named)) or schema.get("enum") or bounds
        if isinstance(values, Span):
            share = number / (BINS - 1)
            low, high = values.min, values.max
            value: Any = low * (high / low) ** share if values.log else low + share * (high - low)
            value = float(f"{value:.6g}")
        else:
            value = values[number * len(values) // BINS]
        return round(value) if schema.get("type") == "integer" else value


@lru_cache(maxsize=16)
def _sweeps(scenario: ScenarioConfig) -> dict[str, list[tuple[frozenset[str], Values]]]:
    """By name of a control: the names in its path, and what is sensible to set it to."""
    found: dict[str, list[tuple[frozenset[str], Values]]] = {}
    for path, range_ in control_ranges(scenario).items():
        _, _, *rest = parts = path.split(".")
        for name in rest:
            found.setdefault(name, []).append((frozenset(parts), range_.sweep))
    return found


@lru_cache(maxsize=4096)
def _sweep(scenario: ScenarioConfig, name: str, named: frozenset[str]) -> Values | None:
    """Of the control of that name, of the elements named; None without one."""
    known = _sweeps(scenario).get(name, ())
    return next((values for parts, values in known if named <= parts), None)


def _undoable(view: View) -> list[Any]:
    """Changes that can be rolled back now, the newest first."""
    return undoable(view)[: -CHANGES - 1 : -1]


def _names_of(scenario: ScenarioConfig, scope: Scope) -> dict[str, list[str]]:
    """Elements in scope, by the name of the argument that names them."""

    def mine(names: Iterable[str]) -> list[str]:
        return [name for name in names if scope.has(name)]

    cells = mine(scenario.cell_ids)
    flows = {f for group in scenario.users for f in scenario.flow_names(group)}
    return {
        "cell": cells,
        "target_cell": cells,
        "neighbour": cells if len(cells) > 1 else [],
        "slice": mine(s.name for s in scenario.slices),
        "ue": mine(scenario.ue_ids),
        "flow": sorted(flows),
        "link": mine(link.name for link in scenario.links),
        "site": mine(scenario.anchors[1:]),
        "application": mine(a.name for a in (scenario.edge.applications if scenario.edge else ())),
        "change_id": [str(i) for i in range(CHANGES)],
        "path": [str(i) for i in range(BINS)] if scenario.transport else [],
    }
