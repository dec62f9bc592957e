# SPDX-License-Identifier: Apache-2.0
"""Tasks of a template: `draw_task`. The same template, seed and split give the same task."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, TypeAdapter, ValidationError

from agent_learning.bench.task import AgentRole, BenchTask, Split
from agent_learning.bench.template import Between, Take, Template, Variables, names_of
from agent_learning.errors import BenchUserError
from env.errors import ToolError
from env.tasks import Task, check_task
from env.tools import TOOLS
from ns3_scenarios.errors import ControlError, ScenarioError
from ns3_scenarios.library import load_scenario, parse_model, parse_yaml
from ns3_scenarios.scenario import ScenarioConfig

_JINJA = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_ROLES = TypeAdapter(tuple[AgentRole, ...])


def draw_task(
    template: Template, seed: int, split: Split, fixed: Mapping[str, Any] | None = None
) -> BenchTask:
    """The task of a template for a seed.

    Args:
        template: with wordings for the split.
        seed: of the network, and of what is drawn.
        split: train or evaluation; a basic task is worded as an evaluation task.
        fixed: variables that are not drawn but given. What else is drawn stays as it would be.

    Raises:
        BenchUserError: the template makes no task; the message names it.
    """
    words = template.intent.train if split == "train" else template.intent.evaluation
    if not words:
        raise BenchUserError(f"template {template.name}: intent.train has no wording")
    # Python promises `random()` of a seeded `Random` never to change between versions.
    random = Random(f"{template.name}:{seed}:{split == 'train'}")
    name = _pick(random, sorted(template.scenarios))
    scenario = _scenario(name)
    known = {**names_of(scenario), **(template.scenarios[name] or {}), "seed": seed}
    wording = _pick(random, words)
    where = f"template {template.name}, seed {seed}"
    try:
        for variable, spec in template.draw.items():
            value = _drawn(spec, known, Random(f"{template.name}:{seed}:{variable}:{split}"))
            known[variable] = (fixed or {}).get(variable, value)
        fields = {
            "name": template.name,
            "intent": " ".join(_JINJA.from_string(wording).render(known).split()),
            "scenario": scenario,
            **(parse_yaml(_JINJA.from_string(template.task).render(known), where) or {}),
        }
        task = parse_model(Task, fields, where, BenchUserError)
        check_task(task)
        for number, call in enumerate(task.reference):
            try:
                TOOLS[call.tool].parse(call.arguments)
            except ToolError as error:
                raise ToolError(error.code, f"reference.{number}: {error}") from None
        roles = parse_yaml(_JINJA.from_string(template.agents).render(known), where) or ()
        agents = _ROLES.validate_python(tuple(roles))
    except (TemplateError, ScenarioError, ControlError, ToolError) as error:
        raise BenchUserError(f"{where}: {error}") from None
    except ValidationError as error:
        raise BenchUserError(f"{where}: agents: {error.errors()[0]['msg']}") from None
    return BenchTask.make(template.name, template.domain, split, seed, task, agents)


def options_of(template: Template, seed: int, split: Split, variable: str) -> list[Any]:
    """What a variable of a template might have been for a seed, all else being as it is.

    Raises:
        BenchUserError: the variable is not drawn from a list.
    """
    random = Random(f"{template.name}:{seed}:{split == 'train'}")
    name = _pick(random, sorted(template.scenarios))
    known = {**names_of(_scenario(name)), **(template.scenarios[name] or {}), "seed": seed}
    for other, spec in template.draw.items():
        if other == variable:
            match spec:
                case Take(take=take, of=of):
                    n = take if isinstance(take, int) else int(_evaluate(take, known))
                    return [list(taken) for taken in itertools.combinations(_options(of, known), n)]
                case str() | list():
                    return list(_options(spec, known))
        known[other] = _drawn(spec, known, Random(f"{template.name}:{seed}:{other}:{split}"))
    raise BenchUserError(f"template {template.name}: draw.{variable} is no list to draw from")


def _drawn(spec: list[Any] | str | Between | Take, known: Variables, random: Random) -> Any:
    match spec:
        case Between(between=(low, high), step=step):
            value = low + step * int(random.random() * (int((high - low) / step + 1e-9) + 1))
            value = round(value, 9)
            return int(value) if value.is_integer() else value
        case Take(take=take, of=of):
            left = list(enumerate(_options(of, known)))
            n = take if isinstance(take, int) else int(_evaluate(take, known))
            taken = [left.pop(int(random.random() * len(left))) for _ in range(n)]
            return [value for _, value in sorted(taken, key=lambda one: one[0])]
        case _:
            assert not isinstance(spec, BaseModel)
            return _pick(random, _options(spec, known))


def _options(spec: list[Any] | str, known: Variables) -> Sequence[Any]:
    return list(_evaluate(spec, known)) if isinstance(spec, str) else spec


def _evaluate(expression: str, known: Variables) -> Any:
    return _JINJA.compile_expression(expression, undefined_to_none=False)(**known)


def _pick(random: Random, options: Sequence[Any]) -> Any:
    return options[int(random.random() * len(options))]


@lru_cache(maxsize=32)
def _scenario(name: str) -> ScenarioConfig:
    return load_scenario(name)
