# SPDX-License-Identifier: Apache-2.0
"""Calls of tools as a person types them: `parse_arguments`, and what may come next: `completions`.

A call is a name with `argument=value` after it, or with a JSON object. A value is JSON where it can
be, and else a string that goes to the next blank.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from env.errors import ToolError
from env.tools import TOOLS
from env.tools.base import Tool, bounds
from env.tools.configuration.rollback import undoable
from env.view import View

_NAMED = re.compile(r"\s*([A-Za-z_]\w*)=(?!\s|$)")
_BLANK = re.compile(r"\s*$|\s+")
_LIST = re.compile(r"(\[(?:.*,)?)\s*\"?([^\",\[\]]*)$")
_JSON = json.JSONDecoder()
_UAV_TOOLS = ("set_waypoint", "path_planning", "compute_energy_budget")


def parse_arguments(tool: Tool, text: str) -> dict[str, Any]:
    """The arguments of a call.

    Args:
        tool: that is called.
        text: all after its name.

    Raises:
        ToolError: they cannot be read, or do not match the schema of the tool.
    """
    text = text.strip()
    arguments = _object(text) if text.startswith("{") else _pairs(tool, text)
    tool.parse(arguments)
    return arguments


def _object(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ToolError("bad_arguments", f"the arguments are not JSON: {error}") from None
    return found


def _pairs(tool: Tool, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    at = 0
    while at < len(text):
        match = _NAMED.match(text, at)
        if not match:
            known = "=..., ".join([*tool.schema["properties"], ""])
            word = text[at:].split(maxsplit=1)[0]
            raise ToolError(
                "bad_arguments",
                f"{word!r} is no argument; write {known.removesuffix(', ')}"
                if known
                else f"{tool.name} takes no arguments, not {word!r}",
            )
        name, at = match[1], match.end()
        if name in found:
            raise ToolError("bad_arguments", f"the argument {name!r} is given twice")
        found[name], at = _value(name, text, at)
    return found


def _value(name: str, text: str, at: int) -> tuple[Any, int]:
    """A value that starts somewhere, and where the next argument may."""
    why = ""
    try:
        value, end = _JSON.raw_decode(text, at)
    except (ValueError, RecursionError) as error:
        why = str(error)
    else:
        if blank := _BLANK.match(text, end):
            return value, blank.end()
    word = text[at:].split(maxsplit=1)[0]
    if word[0] in '[{"':
        raise ToolError("bad_arguments", f"{name}={word} is not JSON: {why or 'it goes on'}")
    return word, at + len(word)


def completions(line: str, view: View, commands: Sequence[str]) -> list[str]:
    """What may stand in place of the last word of a line.

    Args:
        line: as far as it goes.
        view: of the network.
        commands: that are no tools.
    """
    *before, word = re.split(r"\s+", line.lstrip())
    tools = [name for name in TOOLS if view.scope.has_tool(name)]
    if not before:
        found = [f"{name} " for name in (*commands, *tools)]
    elif before[0] == "help":
        found = [f"{name} " for name in (*commands, *tools)] if len(before) == 1 else []
    elif before[0] not in tools:
        found = []
    elif "=" not in word:
        given = {part.partition("=")[0] for part in before[1:]}
        names = TOOLS[before[0]].schema["properties"]
        found = [f"{name}=" for name in names if name not in given]
    else:
        name, _, value = word.partition("=")
        found = [f"{name}={each}" for each in _values(TOOLS[before[0]], name, value, view)]
    return [each for each in found if each.startswith(word)]


def _values(tool: Tool, name: str, value: str, view: View) -> Iterable[str]:
    """Values of an argument, as they are typed; elements of a list one after the other."""
    if name not in tool.schema["properties"]:
        return ()
    allowed = bounds(tool.schema, (name,))
    if isinstance(allowed, list):
        return [f"{each} " for each in allowed]
    if name == "ue" and tool.name in _UAV_TOOLS:
        elements: Iterable[str] = view.uavs
    else:
        elements = _ELEMENTS[name](view) if name in _ELEMENTS else ()
    mine = [each for each in dict.fromkeys(elements) if view.scope.has(each)]
    if allowed != "array":
        return [f"{each} " for each in mine]
    if match := _LIST.match(value):
        return [f'{match[1]}"{each}"' for each in mine if each.startswith(match[2])]
    return ["["]


def _cells(view: View) -> Iterable[str]:
    return view.scenario.cell_ids


def _links(view: View) -> list[str]:
    return [link.name for link in view.scenario.links]


def _nodes(view: View) -> Iterable[str]:
    return view.scenario.transport_nodes


_ELEMENTS: dict[str, Callable[[View], Iterable[str]]] = {
    "cell": _cells,
    "cells": _cells,
    "target_cell": _cells,
    "neighbour": _cells,
    "slice": lambda view: [s.name for s in view.scenario.slices],
    "ue": lambda view: view.scenario.ue_ids,
    "flow": lambda view: [flow for ue in view.controls.ues.values() for flow in ue.flows],
    "link": _links,
    "from": _nodes,
    "to": _nodes,
    "path": _nodes,
    "avoid": lambda view: [*_nodes(view), *_links(view)],
    "site": lambda view: view.scenario.anchors[1:],
    "application": lambda view: view.controls.applications,
    "alarm": lambda view: [
        row["alarm"] for row in view.now.rows("alarm") if row["cleared_ms"] is None
    ],
    "change_id": lambda view: [change.change_id for change in undoable(view)],
}
"""Names that an argument may have, by its own name."""
