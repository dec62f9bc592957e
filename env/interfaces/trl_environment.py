# SPDX-License-Identifier: Apache-2.0
"""The environment class that TRL's `GRPOTrainer(environment_factory=...)` takes.

TRL makes one instance per rollout, calls `reset` with the row of the dataset, offers every other
public method to the model as a tool, and in the end asks for `get_reward`. TRL itself is not needed
here.
"""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Mapping
from typing import Any, Literal

from env.environment import Environment
from env.errors import BackendError, ToolError
from env.interfaces.functions import answer_text, compact_json, error_text
from env.interfaces.resources import network_state
from env.tools import TOOLS, Tool
from env.tools.base import bounds
from env.view import Scope

Reward = Callable[[Environment], float | None]
"""Of an episode, from the network's state and the event log; None where it cannot be told."""

_NEEDS_RESET = ToolError("episode_over", "no episode has begun")


def trl_environment(
    make_environment: Callable[[Mapping[str, Any]], Environment],
    *,
    reward: Reward | None = None,
    scope: Scope | None = None,
) -> type:
    """An environment class for TRL.

    Args:
        make_environment: starts the episode of a row of the dataset. Rollouts of one group have
            the same row, and must start alike: let the row name scenario and seed.
        reward: of an episode. Without one, the class has no `get_reward` and the trainer needs
            reward functions.
        scope: what the agent may see and do; everything by default.

    Returns:
        A class without arguments. Its `reset` answers with the state of the network as JSON, its
        tools with JSON.
    """

    class NetworkEnvironment:
        """One rollout: an episode at a time."""

        def __init__(self) -> None:
            self._environment: Environment | None = None
            self._failed = False

        def reset(self, **row: Any) -> str:
            """Begin the episode of a row, and tell the state of the network."""
            self._close()
            self._environment = make_environment(row)
            self._failed = False
            return compact_json(network_state(self._environment.view(scope)))

        def _call(self, name: str, arguments: dict[str, Any]) -> str:
            if self._environment is None:
                return error_text(_NEEDS_RESET)
            try:
                return answer_text(self._environment.call(name, arguments, scope=scope))
            except BackendError as error:
                self._failed = True
                return error_text(ToolError("backend_failed", str(error)))

        def _close(self) -> None:
            if self._environment is not None:
                self._environment.close()
                self._environment = None

    for tool in TOOLS.values():
        if scope is None or scope.has_tool(tool.name):
            setattr(NetworkEnvironment, tool.name, _method(tool))
    if reward is not None:

        def get_reward(self: NetworkEnvironment) -> float | None:
            """The reward of the episode; None if the network has failed."""
            if self._environment is None or self._failed:
                return None
            found = reward(self._environment)
            return None if found is None else float(found)

        NetworkEnvironment.get_reward = get_reward  # type: ignore[attr-defined]
    return NetworkEnvironment


def _method(tool: Tool) -> Callable[..., str]:
    """A tool as a method whose signature and docstring say what its schema says."""

    def method(self: Any, /, **arguments: Any) -> str:
        answer: str = self._call(tool.name, arguments)
        return answer

    properties: dict[str, Any] = tool.schema["properties"]
    required = tool.schema.get("required", [])
    hints = {name: _hint(schema) for name, schema in properties.items()}
    parameters = [
        inspect.Parameter(
            name,
            # Only positional parameters may be called "from"; arguments come by name all the same.
            inspect.Parameter.POSITIONAL_ONLY
            if keyword.iskeyword(name)
            else inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if name in required else schema.get("default"),
            annotation=hints[name],
        )
        for name, schema in properties.items()
    ]
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    ordered = sorted(parameters, key=lambda parameter: parameter.kind)
    method.__name__ = tool.name
    method.__qualname__ = f"NetworkEnvironment.{tool.name}"
    method.__doc__ = _docstring(tool)
    method.__annotations__ = {**hints, "return": str}
    method.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [this, *ordered], return_annotation=str
    )
    return method


def _docstring(tool: Tool) -> str:
    """Google's style, which chat templates are fed from; bounds stand in words."""
    lines = [tool.description]
    if properties := tool.schema["properties"]:
        lines += ["", "Args:"]
    for name, schema in properties.items():
        allowed = bounds(tool.schema, (name,))
        words = allowed if isinstance(allowed, str) else "one of " + ", ".join(allowed)
        if schema.get("default") is not None:
            words += f"; {schema['default']} by default"
        about = " ".join(schema.get("description", name).split())
        lines.append(f"    {name}: {about} ({words})" if words else f"    {name}: {about}")
    lines += ["", "Returns:", "    JSON: the result, or under `error` why the call was refused."]
    return "\n".join(lines)


def _hint(schema: dict[str, Any]) -> Any:
    """The type hint of a schema."""
    if "anyOf" in schema:
        found = _hint(schema["anyOf"][0])
        for other in schema["anyOf"][1:]:
            found = found | _hint(other)
        return found
    if "enum" in schema:
        return Literal[tuple(schema["enum"])]
    if "const" in schema:
        return Literal[schema["const"]]
    match schema.get("type"):
        case "array":
            return list[_hint(schema.get("items", {}))]  # type: ignore[misc]
        case "null":
            return None
        case kind:
            return _TYPES.get(str(kind), Any)


_TYPES: dict[str, Any] = {
    "string": str,
    "number": float,
    "integer": int,
    "boolean": bool,
    "object": dict,
}
