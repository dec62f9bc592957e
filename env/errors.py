# SPDX-License-Identifier: Apache-2.0
"""Every exception that `env` raises on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ns3_scenarios.errors import SixgError, UserError

ErrorCode = Literal[
    "unknown_tool",
    "bad_arguments",
    "no_such_element",
    "not_allowed",
    "conflict",
    "unavailable",
    "episode_over",
    "backend_failed",
    "limit",
]
"""Why a call is refused; each code has one meaning on every backend.

`unknown_tool`: no tool of that name, or none in the caller's scope. `bad_arguments`: a missing,
superfluous, mistyped or out-of-range argument. `no_such_element`: a cell, user or the like that the
network does not have, or that lies outside the caller's scope. `not_allowed`: what the network or a
constraint of the task forbids. `conflict`: a change that later changes stand in the way of.
`unavailable`: nothing is known of what was asked. `episode_over`: no call is taken any more.
`backend_failed`: the network behind the episode has failed, through no fault of the agent. `limit`:
the server that plays the episode allows no more episodes, or no longer calls.
"""


class EnvError(SixgError):
    """Base of what the environment raises."""


class EnvUserError(EnvError, UserError):
    """Raised when an environment, task or episode cannot be used as asked."""


class BackendError(EnvError):
    """Raised when a backend fails, through no fault of the agent."""


class ToolError(EnvError):
    """Raised by a tool that refuses a call; the agent gets it as an answer, and nothing changes.

    Args:
        code: why.
        message: one sentence.
        argument: that is to blame, if one is.
        value: that it had.
        allowed: what it may be: names, or bounds in words.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        argument: str = "",
        value: Any = None,
        allowed: Sequence[str] | str = (),
    ) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.argument = argument
        self.value = value
        self.allowed = allowed

    def answer(self) -> dict[str, Any]:
        """The error as an agent gets it."""
        found: dict[str, Any] = {"code": self.code, "message": _cut(str(self))}
        if self.argument:
            text = repr(self.value)
            value = self.value if len(text) <= MOST_CHARACTERS else _cut(text)
            found |= {"argument": _cut(self.argument), "value": value}
        if self.allowed:
            allowed = self.allowed
            found["allowed"] = allowed if isinstance(allowed, str) else list(allowed)
        return found


MOST_CHARACTERS = 500
"""Of what a caller has sent, that an answer repeats."""


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
