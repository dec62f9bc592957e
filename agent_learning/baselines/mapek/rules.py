# SPDX-License-Identifier: Apache-2.0
"""The written rules and what they must look like: `Rule`, `load_rules`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from agent_learning.baselines.mapek.expressions import Expression, template
from agent_learning.baselines.mapek.facts import FIELDS, FUNCTIONS, LISTS, SOURCES, WITH
from agent_learning.errors import BenchUserError
from env.tools import TOOLS
from ns3_scenarios.library import parse_model, read_yaml
from ns3_scenarios.scenario import Identifier, Model

RULES = Path(__file__).parent / "rules.yaml"


class Step(Model):
    """One step of a plan: a call, or calls that an answer proposes."""

    call: str = Field(default="", description="Name of a tool.")
    arguments: dict[str, Any] = Field(
        default_factory=dict, alias="with", description="Values, or expressions in {{ }}."
    )
    follow: str = Field(default="", description="Calls of an answer to make, an expression.")
    each: dict[Identifier, str] = Field(
        default_factory=dict,
        description="Names with lists, expressions: the step is made for every combination.",
    )
    when: str = Field(default="", description="Condition, looked at before the step is made.")
    save: str = Field(default="", description="Name under which later steps have the answer.")
    then: tuple[Step, ...] = Field(
        default=(), description="Steps that are made after every call that is answered."
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.call) == bool(self.follow):
            raise ValueError("a step has either call or follow")
        if self.then and not self.save:
            raise ValueError("a step with then needs save")
        return self


class Rule(Model):
    """When something is wrong with an element, and what to do then."""

    name: Identifier
    because: str = Field(min_length=20, description="The reason, in the field's words.")
    monitors: tuple[str, ...] = Field(min_length=1, description="Tools that it needs answers of.")
    of: str = Field(description="Kind of element that it looks at.")
    when: str = Field(description="Condition over facts of the element and of what it belongs to.")
    plan: tuple[Step, ...] = Field(min_length=1)
    priority: int = Field(ge=0, le=100, description="The greater is acted upon first.")
    cooldown: int = Field(
        ge=1, le=1000, description="Intervals until it may fire again for the same element."
    )

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        if self.of not in FIELDS:
            raise ValueError(f"of={self.of!r} is no kind of element: {', '.join(FIELDS)}")
        for tool in self.monitors:
            if tool not in SOURCES:
                raise ValueError(f"monitors={tool!r} is no tool that is monitored by: "
                                 f"{', '.join(SOURCES)}")  # fmt: skip
        try:
            self._check(self.condition, set())
            self._check_steps(self.plan, set())
        except BenchUserError as error:
            raise ValueError(str(error)) from None
        return self

    @cached_property
    def condition(self) -> Expression:
        """When it fires."""
        return Expression(self.when, "when")

    def _check_steps(self, steps: tuple[Step, ...], known: set[str]) -> None:
        for step in steps:
            self._check_step(step, known)
            known = known | ({step.save} - {""})
            self._check_steps(step.then, known | set(step.each))

    def _check_step(self, step: Step, saved: set[str]) -> None:
        if step.call and step.call not in TOOLS:
            raise BenchUserError(f"plan: call={step.call!r} is no tool")
        known = TOOLS[step.call].schema["properties"] if step.call else step.arguments
        for name in step.arguments:
            if name not in known:
                raise BenchUserError(f"plan: {step.call} has no argument {name!r}")
        for expression in expressions(step):
            self._check(expression, saved | set(step.each))

    def _check(self, expression: Expression, local: set[str]) -> None:
        """Refuse names and fields that no answer of a tool has."""
        records = {self.of, *WITH.get(self.of, ())}
        known = {"before", "intent", *records, *LISTS, *FUNCTIONS, *local}
        for name in sorted(expression.names - known):
            raise BenchUserError(
                f"{expression.text!r} names {name!r}; known are {', '.join(sorted(known))}"
            )
        for name, field in expression.attributes:
            kind = self.of if name == "before" else name
            if name not in local and kind in FIELDS and field not in FIELDS[kind]:
                raise BenchUserError(
                    f"{expression.text!r}: {kind} has no {field!r}, but "
                    f"{', '.join(sorted(FIELDS[kind]))}"
                )


def expressions(step: Step) -> Iterator[Expression]:
    """All expressions of a step."""
    texts = [*step.each.values(), *filter(None, (step.when, step.follow))]
    yield from (Expression(text, "plan") for text in texts)
    for value in step.arguments.values():
        for part in value if isinstance(value, list) else [value]:
            if found := template(part, "plan"):
                yield found


@lru_cache(maxsize=4)
def load_rules(path: Path = RULES) -> tuple[Rule, ...]:
    """Read and check rules.

    Raises:
        BenchUserError: the file cannot be read, or a rule cannot be used; the message names it.
    """
    data = read_yaml(path, BenchUserError)
    if not isinstance(data, dict) or not isinstance(data.get("rules"), list):
        raise BenchUserError(f"{path} has no list `rules`")
    found: dict[str, Rule] = {}
    for number, one in enumerate(data["rules"]):
        name = one.get("name", number) if isinstance(one, dict) else number
        rule = parse_model(Rule, one, f"{path}: rule {name}", BenchUserError)
        if rule.name in found:
            raise BenchUserError(f"{path}: there are two rules {rule.name}")
        found[rule.name] = rule
    return tuple(found.values())
