# SPDX-License-Identifier: Apache-2.0
"""What a tool is: `Tool`, a pure function of a view and typed arguments.

A tool that observes or reasons answers with a result. A tool that configures answers with a
`Proposal` of changes, which the environment checks and makes. No tool holds anything that it could
change, so that its effect class is a fact and not a promise.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError

from env.errors import ToolError
from env.view import View
from ns3_scenarios.controls import ControlChange

Effect = Literal["observation", "reasoning", "configuration"]
MAX_ARGUMENT_BYTES = 65_536


class Arguments(BaseModel):
    """Base of all arguments: no conversions, no unknown names, no NaN."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Result(BaseModel):
    """Base of all results."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


@dataclass(frozen=True)
class Proposal:
    """What a configuration tool wants changed."""

    changes: tuple[ControlChange, ...]
    reversible: bool = True
    undoes: str = ""
    """The change that it rolls back, if it does."""


Run = Callable[[View, Any], Result | Proposal]


@dataclass(frozen=True)
class Tool:
    """One of the 42."""

    name: str
    effect: Effect
    description: str
    """For agents: what it reads or changes, where its bounds come from, its errors."""
    arguments: type[Arguments]
    result: type[Result] | None
    """None for tools that configure: all of them answer with a change."""
    run: Run

    @property
    def read_only(self) -> bool:
        """Whether a call leaves the network as it was."""
        return self.effect != "configuration"

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The canonical JSON Schema of the arguments, without references."""
        whole = self.arguments.model_json_schema()
        definitions = whole.pop("$defs", {})
        inlined = _inlined(whole, definitions)
        inlined.pop("description", None)
        inlined.setdefault("properties", {})
        found: dict[str, Any] = inlined
        return found

    def parse(self, arguments: Any) -> Arguments:
        """The arguments of a call.

        Raises:
            ToolError: they do not match the schema; the message names the first that does not.
        """
        try:
            text = json.dumps(arguments, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise ToolError("bad_arguments", f"the arguments of {self.name} are not JSON") from None
        if not isinstance(arguments, dict):
            raise ToolError("bad_arguments", f"the arguments of {self.name} are not an object")
        if len(text) > MAX_ARGUMENT_BYTES:
            raise ToolError(
                "bad_arguments",
                f"the arguments of {self.name} take {len(text)} bytes, more than "
                f"{MAX_ARGUMENT_BYTES}",
            )
        try:
            return self.arguments.model_validate_json(text)
        except ValidationError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: ValidationError) -> ToolError:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        known = list(self.schema["properties"])
        match first["type"]:
            case "missing":
                message = f"{self.name} needs the argument {where!r}"
                return ToolError("bad_arguments", message, argument=where, allowed=known)
            case "extra_forbidden":
                message = f"{self.name} has no argument {where!r}"
                return ToolError("bad_arguments", message, argument=where, allowed=known)
            case _:
                value = first["input"]
                message = (
                    f"{where}={_short(value)}: {first['msg'].lower()}"
                    if where
                    else (f"{self.name}: {first['msg'].removeprefix('Value error, ')}")
                )
                return ToolError(
                    "bad_arguments",
                    message,
                    argument=where,
                    value=value,
                    allowed=bounds(self.schema, first["loc"]),
                )


def tool(effect: Effect) -> Callable[[Run], Tool]:
    """Make a tool of a function of a view and arguments.

    Its name is the tool's, its docstring the description, its annotations say what it takes and
    answers with.
    """

    def make(function: Run) -> Tool:
        hints = get_type_hints(function)
        result = hints["return"]
        if (effect == "configuration") != (result is Proposal):
            raise TypeError(f"{function}: tools that configure, and only they, answer a Proposal")
        return Tool(
            name=getattr(function, "__name__", ""),
            effect=effect,
            description=inspect.getdoc(function) or "",
            arguments=hints["args"],
            result=None if result is Proposal else result,
            run=function,
        )

    return make


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """A schema in which references are replaced by what they refer to, without titles."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        beside = {k: v for k, v in node.items() if k != "$ref"}
        return _inlined({**definitions[name], **beside}, definitions)
    return {
        key: (
            {name: _inlined(value, definitions) for name, value in content.items()}
            if key == "properties"
            else _inlined(content, definitions)
        )
        for key, content in node.items()
        if key != "title" or not isinstance(content, str)
    }


def bounds(schema: dict[str, Any], where: tuple[int | str, ...]) -> str | list[str]:
    """What an argument may be, in words or as a list of names.

    Args:
        schema: of all arguments.
        where: keys and indices that lead to it.
    """
    node: Any = schema
    for part in where:
        if isinstance(node, dict) and "anyOf" in node:
            node = next((n for n in node["anyOf"] if n.get("type") != "null"), node)
        if isinstance(part, int):
            node = node.get("items", {})
        else:
            node = node.get("properties", {}).get(part, node)
    node = next((n for n in node.get("anyOf", ()) if n.get("type") != "null"), node)
    if "enum" in node:
        return [str(value) for value in node["enum"]]
    words = [
        f"{word} {node[key]:g}"
        for key, word in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "more than"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "less than"),
        )
        if key in node
    ]
    kind = str(node.get("type", ""))
    return f"{kind}, {' and '.join(words)}" if words else kind


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
