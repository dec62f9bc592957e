# SPDX-License-Identifier: Apache-2.0
"""The tools as the functions of a chat model, and answers as the messages that it reads."""

from __future__ import annotations

import copy
import json
from typing import Any

from env.environment import Answer
from env.errors import ToolError
from env.tools import TOOLS
from env.view import Scope


def function_tools(scope: Scope | None = None) -> list[dict[str, Any]]:
    """The tools as a list of functions, as OpenAI's chat API and most chat templates take them.

    Args:
        scope: what the agent may call; everything by default.

    Returns:
        One entry per tool, in the order of the catalogue; `parameters` is the tool's own schema.
    """
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": copy.deepcopy(tool.schema),
            },
        }
        for tool in TOOLS.values()
        if scope is None or scope.has_tool(tool.name)
    ]


def answer_text(answer: Answer) -> str:
    """An answer as the content of a `tool` message: compact JSON.

    What was wrong with a refused call stands under the key `error`.
    """
    return compact_json(answer.content if answer.ok else {"error": answer.content})


def error_text(error: ToolError) -> str:
    """What `answer_text` would say of a call that was refused so."""
    return compact_json({"error": error.answer()})


def compact_json(content: Any) -> str:
    """JSON without spaces, in valid Unicode whatever strings an agent sent."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace").decode()
