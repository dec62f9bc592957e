# SPDX-License-Identifier: Apache-2.0
"""What has been said so far, kept within a bound: `Conversation`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from agent_learning.baselines.language_model.chat import Function, Message, Reply

CHARACTERS_PER_TOKEN = 3.5
"""About, of English and JSON."""
LEFT_OUT = '{"note":"this answer is no longer shown; call the tool again if it is needed"}'
MOST_CHARACTERS = 12_000
"""Of an answer that is shown."""
MOST_MALFORMED = 500
"""Characters of malformed arguments that stay in the conversation."""
KEPT = 2
"""Messages at the start that are never left out: how to play, and the task."""


class Conversation:
    """Messages to and from a model.

    Beyond the bound, the oldest answers of tools are left out, and after them whole exchanges, so
    that every answer still follows the call that it belongs to.

    Args:
        system: how to play.
        task: what is to be reached.
        tools: whose schemas take room as well.
        most_tokens: of everything together, about.
    """

    def __init__(self, system: str, task: str, tools: Sequence[Function], most_tokens: int) -> None:
        self.messages: list[Message] = [
            {"role": "system", "content": system},
            {"role": "user", "content": task},
        ]
        self._room = most_tokens * CHARACTERS_PER_TOKEN - len(json.dumps(list(tools)))

    def say(self, text: str) -> None:
        """A word of the user."""
        self.messages.append({"role": "user", "content": text})

    def reply(self, reply: Reply) -> None:
        """The model's turn."""
        message: Message = {"role": "assistant", "content": reply.text, **reply.extra}
        if reply.calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": _name(call.name), "arguments": _shown(call.arguments)},
                }
                for call in reply.calls
            ]
        self.messages.append(message)

    def answer(self, call_id: str, name: str, content: str) -> None:
        """The answer to a call."""
        if len(content) > MOST_CHARACTERS:
            cut = content[:MOST_CHARACTERS]
            content = json.dumps({"cut_off": cut, "characters": len(content)}, ensure_ascii=False)
        self.messages.append(
            {"role": "tool", "tool_call_id": call_id, "name": _name(name), "content": content}
        )

    def shorten(self) -> bool:
        """Halve the room, as the model has less than was thought; False where nothing is left."""
        before = self._size()
        self._room = min(self._room, before) / 2
        self.bounded()
        return self._size() < before

    def bounded(self) -> list[Message]:
        """The messages, with what is too much left out."""
        self._drop_answers()
        while self._size() > self._room and self._drop_exchange():
            pass
        return self.messages

    def _drop_answers(self) -> None:
        last = max((i for i, m in enumerate(self.messages) if m["role"] == "assistant"), default=0)
        for message in self.messages[:last]:
            if self._size() <= self._room:
                return
            if message["role"] == "tool" and len(message["content"]) > len(LEFT_OUT):
                message["content"] = LEFT_OUT

    def _drop_exchange(self) -> bool:
        """Leave out the oldest turn of the model with the answers to it, but not the last one."""
        turns = [i for i, m in enumerate(self.messages) if m["role"] == "assistant"]
        if len(turns) < 2:
            return False
        del self.messages[KEPT : turns[1]]
        return True

    def _size(self) -> int:
        return sum(len(json.dumps(message, ensure_ascii=False)) for message in self.messages)


def _name(written: str) -> str:
    """A name that endpoints take back, whatever the model wrote."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", written)[:64] or "unnamed"


def _shown(written: str) -> str:
    """Arguments that templates can read, whatever the model wrote."""
    try:
        if isinstance(json.loads(written or "{}"), dict):
            return written or "{}"
    except (ValueError, RecursionError):
        pass
    return json.dumps({"malformed": written[:MOST_MALFORMED]})
