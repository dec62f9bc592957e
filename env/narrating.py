# SPDX-License-Identifier: Apache-2.0
"""A call and its answer in one line, for people."""

from __future__ import annotations

import json
from typing import Any

LONGEST_ANSWER = 160


def told(tool: str, arguments: Any, ok: bool, content: dict[str, Any], interval: int) -> str:
    """What was called, and what came of it.

    Args:
        tool: its name; none where only time passed.
        arguments: of the call.
        ok: whether it was answered.
        content: of the answer.
        interval: intervals done after it.
    """
    if not tool:
        return f"[{interval:3}] {arguments['intervals']} intervals pass"
    named = arguments if isinstance(arguments, dict) else {"": arguments}
    given = ", ".join(f"{k}={v}" for k, v in named.items())
    if not ok:
        said = f"refused: {content['message']}"
    elif "settings" in content:
        said = settings_told(content)
    else:
        said = json.dumps(content, separators=(",", ":"))
        said = said if len(said) <= LONGEST_ANSWER else f"{said[: LONGEST_ANSWER - 3]}..."
    return f"[{interval:3}] {tool}({given}) -> {said}"


def settings_told(content: dict[str, Any]) -> str:
    """What a configuration tool has set."""
    return "; ".join(f"{s['path']}: {s['before']} -> {s['after']}" for s in content["settings"])
