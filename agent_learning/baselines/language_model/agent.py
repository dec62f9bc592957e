# SPDX-License-Identifier: Apache-2.0
"""Lets a chat model play: `LanguageModelAgent`."""

from __future__ import annotations

import json
from typing import Any

from agent_learning.baselines.language_model.chat import (
    ChatModel,
    ContextLengthError,
    Reply,
    Usage,
    Wanted,
)
from agent_learning.baselines.language_model.conversation import Conversation
from agent_learning.baselines.language_model.settings import ModelSettings
from agent_learning.errors import AgentInfrastructureError
from env.agents import Call
from env.environment import Answer
from env.interfaces.functions import answer_text, function_tools
from env.view import View

SYSTEM = """\
You operate a 6G network through tools. Some tools observe, some reason (they predict, plan and
check, and change nothing), some configure. Reading takes no time. After each call that configures,
the network runs on before you get the answer; a call that is refused changes nothing and says why.

Work in steps: think briefly about what you know and what to find out, then call a tool, read the
answer, and go on. Look at the network before you change it, name elements exactly as tools do, and
prefer few changes. The episode ends by itself as soon as the network meets the intent; while you
are asked, it does not yet. Write no summary: call tools until the episode ends. Only if nothing
more can be done, answer without a tool call."""
GO_ON = (
    "The intent is not met yet. Go on with a tool call; if you answer without one again, the "
    "episode ends."
)
PATIENCE = 1
"""Replies in a row without a call after which the next one ends the episode."""


class LanguageModelAgent:
    """Asks a model for calls, makes them, and shows it the answers.

    A call that is malformed goes to the environment as the model wrote it, which refuses it: it
    counts as the model's own, and the model reads what was wrong. A model that answers without a
    call is reminded once, and then has stopped.

    Args:
        name: of the agent.
        model: that is asked.
        settings: of the conversation and of prices.
    """

    def __init__(self, name: str, model: ChatModel, settings: ModelSettings) -> None:
        self.name, self.usage = name, Usage()
        self._model, self._settings = model, settings

    def start(self, intent: str, view: View, seed: int) -> None:
        """Begin a conversation."""
        self.usage, self._seed = Usage(), seed
        self._tools = function_tools(view.scope)
        room = self._settings.context_tokens - self._settings.max_tokens
        self._conversation = Conversation(SYSTEM, f"Intent: {intent}", self._tools, room)
        self._todo: list[Wanted] = []
        self._made: Wanted | None = None
        self._silent = 0

    def act(self, view: View, last: Answer | None) -> Call | None:
        """The next call that the model wants; None where it has stopped."""
        if last is not None and self._made is not None:
            self._conversation.answer(self._made.id, self._made.name, answer_text(last))
        while not self._todo:
            reply = self._ask()
            self._conversation.reply(reply)
            self._todo = list(reply.calls)
            self._silent = 0 if reply.calls else self._silent + 1
            if self._silent > PATIENCE:
                return None
            if self._silent:
                self._conversation.say(GO_ON)
        self._made = self._todo.pop(0)
        return self._made.name, arguments_of(self._made.arguments)

    def _ask(self) -> Reply:
        while True:
            messages = self._conversation.bounded()
            try:
                reply = self._model.complete(messages, self._tools, self._seed)
            except ContextLengthError as error:
                if self._conversation.shorten():
                    continue
                raise AgentInfrastructureError(
                    f"{self.name}: the tools and the task alone are too long for the model: {error}"
                ) from None
            settings = self._settings
            self.usage.add(reply, settings.usd_per_million_in, settings.usd_per_million_out)
            return reply


def arguments_of(text: str) -> Any:
    """Arguments as a model wrote them; what is no JSON stays a string, which every tool refuses."""
    try:
        found = json.loads(text) if text.strip() else {}
        json.dumps(found, allow_nan=False)
    except (ValueError, RecursionError):
        return text[:2000]
    return found
