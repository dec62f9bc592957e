# SPDX-License-Identifier: Apache-2.0
"""Conditions and templated arguments of rules: Jinja expressions over records of facts.

Where a condition needs what is not known, such as the delay of no packets, it is false. Expressions
run in Jinja's sandbox and see records and a few functions, nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jinja2
import jinja2.meta
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agent_learning.errors import BenchUserError

_TEMPLATE = re.compile(r"\{\{(.*)\}\}", re.DOTALL)
_JINJA = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
_UNKNOWN = (TypeError, jinja2.TemplateRuntimeError)


class UnknownFactError(Exception):
    """Raised when an expression needs what is not known."""


class Expression:
    """A compiled expression.

    Args:
        text: in Jinja's syntax, without braces.
        where: rule and field, for messages.

    Raises:
        BenchUserError: it cannot be parsed.
    """

    def __init__(self, text: str, where: str) -> None:
        self.text = text
        try:
            tree = _JINJA.parse("{{ " + text + " }}")
            self._value: Callable[..., Any] = _JINJA.compile_expression(
                text, undefined_to_none=False
            )
        except jinja2.TemplateError as error:
            raise BenchUserError(f"{where}: {text!r} is no expression: {error}") from None
        self._tree = tree

    def value(self, names: Mapping[str, Any]) -> Any:
        """What it comes to.

        Args:
            names: records and functions.

        Raises:
            UnknownFactError: it needs what is not known.
        """
        try:
            found = self._value(**names)
        except _UNKNOWN as error:
            raise UnknownFactError(str(error)) from None
        if isinstance(found, jinja2.Undefined):
            raise UnknownFactError(self.text)
        return found

    def holds(self, names: Mapping[str, Any]) -> bool:
        """Whether it is known to be true."""
        try:
            return bool(self.value(names))
        except UnknownFactError:
            return False

    @property
    def names(self) -> set[str]:
        """Names that it takes from outside."""
        return set(jinja2.meta.find_undeclared_variables(self._tree))

    @property
    def attributes(self) -> Iterator[tuple[str, str]]:
        """Names with the fields that are read of them."""
        for node in self._tree.find_all(nodes.Getattr):
            if isinstance(node.node, nodes.Name):
                yield node.node.name, node.attr


def template(value: Any, where: str) -> Expression | None:
    """The expression of an argument that is one, `{{ … }}`; None for a plain value."""
    match = _TEMPLATE.fullmatch(value.strip()) if isinstance(value, str) else None
    return Expression(match[1].strip(), where) if match else None
