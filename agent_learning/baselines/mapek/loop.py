# SPDX-License-Identifier: Apache-2.0
"""The loop: `MapeK` monitors, analyses, plans and executes until no rule fires."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agent_learning.baselines.mapek.expressions import Expression, UnknownFactError, template
from agent_learning.baselines.mapek.facts import SOURCES, Facts, words
from agent_learning.baselines.mapek.rules import Rule, Step, load_rules
from env.agents import Call
from env.environment import Answer
from env.view import View

Calling = Generator[Call, Answer, None]
"""A part of the loop: yields calls, is sent the answers."""


@dataclass(frozen=True)
class Symptom:
    """A rule that fires for an element."""

    rule: Rule
    element: str
    is_named: bool
    """Whether the intent names the element, or something that it belongs to."""


class MapeK:
    """Acts by written rules.

    A cycle reads first what one answer tells of all elements, and element by element only where no
    rule fires by that. It acts upon the symptom that the intent names and whose rule has the
    greatest priority, for all elements alike, and stops when no rule fires.

    Args:
        rules: that it knows; those of the package by default.
    """

    name = "mapek"

    def __init__(self, rules: Sequence[Rule] | None = None) -> None:
        self._rules = load_rules() if rules is None else tuple(rules)

    def start(self, intent: str, view: View, seed: int) -> None:
        """Nothing is known yet."""
        self.facts = Facts()
        self.fired: list[tuple[str, str]] = []
        """Rules that fired so far, with the element that each did for."""
        self._words = words(intent) | {"intent": intent}
        self._named = set(re.findall(r"\w+", intent.lower()))
        self._uavs = [ue for ue in view.uavs if view.scope.has(ue)]
        self._rules_here = [r for r in self._rules if all(map(view.scope.has_tool, r.monitors))]
        self._interval = view.interval
        self._blocked: dict[tuple[str, str], int] = {}
        self._loop = self._cycles()

    def act(self, view: View, last: Answer | None) -> Call | None:
        """The next call of the loop; none where no rule fires any more."""
        try:
            if last is None:
                return next(self._loop)
            self._interval = last.interval
            return self._loop.send(last)
        except StopIteration:
            return None

    def _cycles(self) -> Calling:
        yield from self._ask("get_topology", {})
        while True:
            self.facts.begin()
            seen: set[str] = {"get_topology"}
            symptoms: list[Symptom] = []
            for one_by_one in (False, True):
                rules = [r for r in self._rules_here if _one_by_one(r) == one_by_one]
                yield from self._monitor(rules, seen)
                symptoms = self._analyse(rules)
                if symptoms:
                    break
            if not symptoms:
                return
            for symptom in self._plan(symptoms):
                yield from self._execute(symptom)

    def _monitor(self, rules: Sequence[Rule], seen: set[str]) -> Calling:
        """Ask the tools that rules need, once in a cycle."""
        needed = {tool for rule in rules for tool in rule.monitors} - seen
        for tool, source in SOURCES.items():
            if tool not in needed:
                continue
            seen.add(tool)
            if not source.per:
                yield from self._ask(tool, source.arguments or {})
                continue
            for name in self.facts.asked_one_by_one(source.per, self._uavs, tool):
                yield from self._ask(tool, (source.arguments or {}) | {source.argument: name})

    def _ask(self, tool: str, arguments: dict[str, Any]) -> Calling:
        answer = yield tool, arguments
        if answer.ok:
            self.facts.learn(tool, answer.content)

    def _analyse(self, rules: Sequence[Rule]) -> list[Symptom]:
        """Rules that fire, and for which elements."""
        return [
            Symptom(rule, element, self._is_named(names, rule))
            for rule in rules
            for element in self.facts.records[rule.of]
            if self._blocked.get((rule.name, element), 0) <= self._interval
            and rule.condition.holds(names := self._names(rule, element))
        ]

    def _names(self, rule: Rule, element: str) -> dict[str, Any]:
        return self.facts.names(rule.of, element) | self._words

    def _is_named(self, names: dict[str, Any], rule: Rule) -> bool:
        own = names[rule.of]
        belongs = [own.get(kind) for kind in (rule.of, "slice", "cell", "site", "element")]
        return any(str(name).lower() in self._named for name in belongs if name)

    def _plan(self, symptoms: list[Symptom]) -> list[Symptom]:
        """Symptoms of one rule that are acted upon: those that the intent names, if it does."""
        best = max(symptoms, key=lambda s: (s.rule.priority >= URGENT, s.is_named, s.rule.priority))
        return [s for s in symptoms if (s.rule, s.is_named) == (best.rule, best.is_named)]

    def _execute(self, symptom: Symptom) -> Calling:
        rule, element = symptom.rule, symptom.element
        self.fired.append((rule.name, element))
        self._blocked[rule.name, element] = self._interval + rule.cooldown
        yield from self._carry_out(rule.plan, self._names(rule, element))

    def _carry_out(self, steps: Sequence[Step], names: dict[str, Any]) -> Calling:
        """Make the calls of steps; what one saves, those after it know."""
        for step in steps:
            for combination in _combinations(step, names):
                known = names | combination
                try:
                    calls = list(_calls(step, known))
                except UnknownFactError:
                    continue
                for call in calls:
                    answer = yield call
                    if answer.ok and step.save:
                        names |= {step.save: answer.content}
                        yield from self._carry_out(step.then, known | names)


URGENT = 90
"""Priority from which a rule comes before what the intent names."""


def _one_by_one(rule: Rule) -> bool:
    return any(SOURCES[tool].per in ("cell", "ue") for tool in rule.monitors)


def _combinations(step: Step, names: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Values of the names of a step, in every combination of their lists."""
    try:
        lists = [Expression(text, "each").value(names) for text in step.each.values()]
    except UnknownFactError:
        return
    for values in itertools.product(*(dict.fromkeys(values) for values in lists)):
        yield dict(zip(step.each, values, strict=True))


def _calls(step: Step, names: dict[str, Any]) -> Iterator[Call]:
    """Calls that a step comes to; none where its condition does not hold.

    Raises:
        UnknownFactError: an argument needs what is not known.
    """
    if step.when and not Expression(step.when, "when").holds(names):
        return
    if step.follow:
        for call in Expression(step.follow, "follow").value(names):
            yield call["tool"], call["arguments"]
        return
    arguments = {name: _filled(value, names) for name, value in step.arguments.items()}
    yield step.call, json.loads(json.dumps(arguments))


def _filled(value: Any, names: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_filled(part, names) for part in value]
    expression = template(value, "with")
    return expression.value(names) if expression else value
