# SPDX-License-Identifier: Apache-2.0
"""Calls of tools in what a model writes, by the habits of several families: `calls_in`."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

from agent_learning.baselines.language_model.chat import Wanted

_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_TAGGED = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)
_LISTED = re.compile(r"\[TOOL_CALLS\]\s*(.*)\Z", re.DOTALL)
_FENCED = re.compile(r"```(?:json|tool_call)?\s*\n(.*?)(?:```|\Z)", re.DOTALL)
_PYTHON = re.compile(r"<\|python_tag\|>\s*(.*?)(?:<\|\w+\|>|\Z)", re.DOTALL)
_FUNCTION = re.compile(r"<function=([\w.-]+)>\s*(.*?)\s*(?:</function>|\Z)", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([\w.-]+)>\s*(.*?)\s*</parameter>", re.DOTALL)
_ARGUMENTS = ("arguments", "parameters", "args")


def calls_in(text: str) -> tuple[str, tuple[Wanted, ...]]:
    """What a model wrote, split into words and calls.

    Known are `<tool_call>` (Hermes, Qwen), `<function=…>` with JSON or `<parameter=…>` (Llama,
    Qwen-Coder), `[TOOL_CALLS]` (Mistral), `<|python_tag|>` (Llama), fenced JSON, and a reply that
    is JSON as a whole. What stands between the marks but is no call becomes one without a name, so
    that the environment refuses it.

    Returns:
        The words outside of calls, and the calls.
    """
    visible = _THOUGHT.sub("", text)
    for pattern in (_TAGGED, _FUNCTION, _LISTED, _PYTHON, _FENCED):
        blocks = list(pattern.finditer(visible))
        found = [call for block in blocks for call in _of_block(pattern, block)]
        if pattern is _FENCED:
            found = [call for call in found if call[0]]
        if found:
            return pattern.sub("", visible).strip(), _numbered(found)
    whole = [call for call in _of_json(visible) if call[0]]
    return ("", _numbered(whole)) if whole else (visible.strip(), ())


def _numbered(found: list[tuple[str, str]]) -> tuple[Wanted, ...]:
    return tuple(Wanted(f"call_{i}", *call) for i, call in enumerate(found))


def _of_block(pattern: re.Pattern[str], block: re.Match[str]) -> Iterator[tuple[str, str]]:
    if pattern is _FUNCTION:
        yield block[1], _parameters(block[2])
    elif inner := _FUNCTION.search(block[1]):
        yield inner[1], _parameters(inner[2])
    else:
        found = list(_of_json(block[1]))
        yield from found or [("", block[1])]


def _parameters(text: str) -> str:
    """Arguments as JSON, from JSON or from `<parameter=…>` of which each may be JSON."""
    pairs = _PARAMETER.findall(text)
    return json.dumps({name: _value(value) for name, value in pairs}) if pairs else text


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _of_json(text: str) -> Iterator[tuple[str, str]]:
    """Names and arguments of an object, a list of them, or several one after the other."""
    text = text.strip()
    decoder, at = json.JSONDecoder(), 0
    while at < len(text) and text[at] in "[{":
        try:
            data, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            data, at = _python(text[at:]), len(text)
        for one in data if isinstance(data, list) else [data]:
            if isinstance(one, dict):
                yield _of_object(one)
        while at < len(text) and text[at] in " \t\r\n,;":
            at += 1


def _python(text: str) -> Any:
    """A literal with single quotes or True, as some models write JSON."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _of_object(data: dict[str, Any]) -> tuple[str, str]:
    inner = data.get("function")
    if isinstance(inner, dict):
        data = inner
    name = data.get("name") or (inner if isinstance(inner, str) else "")
    arguments: Any = next((data[key] for key in _ARGUMENTS if key in data), {})
    written = arguments if isinstance(arguments, str) else json.dumps(arguments, default=str)
    return (name if isinstance(name, str) else ""), written
