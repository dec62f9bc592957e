# SPDX-License-Identifier: Apache-2.0
"""What a chat model is to the loop: `ChatModel`, its replies, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Message = dict[str, Any]
"""As of OpenAI's chat API: role and content, with tool_calls or tool_call_id."""
Function = dict[str, Any]
"""A tool as `function_tools` gives it."""


@dataclass
class Usage:
    """What an agent has used so far in an episode."""

    tokens_in: int = 0
    tokens_out: int = 0
    requests: int = 0
    """That were answered."""
    cost_usd: float = 0.0
    """By the prices of the settings; 0 without any."""

    def add(self, reply: Reply, in_usd_per_million: float, out_usd_per_million: float) -> None:
        """Count a reply."""
        self.requests += 1
        self.tokens_in += reply.tokens_in
        self.tokens_out += reply.tokens_out
        self.cost_usd += (
            reply.tokens_in * in_usd_per_million + reply.tokens_out * out_usd_per_million
        ) / 1e6


@dataclass(frozen=True)
class Wanted:
    """A call that a model wants made, as it wrote it."""

    id: str
    name: str
    arguments: str
    """JSON, if the model got it right."""


@dataclass(frozen=True)
class Reply:
    """What a model says in its turn."""

    text: str
    calls: tuple[Wanted, ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0
    extra: dict[str, Any] = field(default_factory=dict)
    """Further parts of its message that the endpoint wants back, such as its reasoning."""


class ContextLengthError(Exception):
    """Raised by a chat model that refuses a conversation for its length."""


class ChatModel(Protocol):
    """Completes conversations."""

    def complete(self, messages: Sequence[Message], tools: Sequence[Function], seed: int) -> Reply:
        """The model's next turn.

        Args:
            messages: so far.
            tools: that it may call.
            seed: of sampling, where the model has one.

        Raises:
            ContextLengthError: the conversation is too long.
            AgentInfrastructureError: what the model runs on has failed for good.
        """
        ...
