# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import get_args

import pytest

from agent_learning.bench.drawing import draw_task, options_of
from agent_learning.bench.needs import reveals, templates_by_tool
from agent_learning.bench.task import EVALUATION_SEEDS, TRAINING_SEEDS, Domain
from agent_learning.bench.template import Template, load_template, template_names
from agent_learning.errors import BenchUserError
from env.tools import TOOLS

TEMPLATES = [load_template(name) for name in template_names()]
HIDING = [(t, v) for t in TEMPLATES for v in t.hidden if v in t.draw]
# Its futures of nine cells take long; `least_used_site` hides the same.
QUICK = [(t, v) for t, v in HIDING if t.name != "best_offload_target"]


def altered(name: str, **changes: object) -> Template:
    return load_template(name).model_copy(update=changes)


def test_there_are_forty_templates_at_least_in_all_domains() -> None:
    assert len(TEMPLATES) >= 40
    assert {template.domain for template in TEMPLATES} == set(get_args(Domain))
    assert {template.use for template in TEMPLATES} == {"shared", "evaluation"}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_every_seed_makes_a_task_that_its_agents_can_solve(template: Template) -> None:
    for seed in EVALUATION_SEEDS[::6]:
        task = draw_task(template, seed, "evaluation")
        assert task == draw_task(template, seed, "evaluation")
        scopes = [role.scope for role in task.agents] or [task.task.scope]
        for call in task.task.reference:
            able = [scope for scope in scopes if scope.has_tool(call.tool)]
            assert task.task.scope.has_tool(call.tool)
            assert able, f"no agent may call {call.tool}"
            named = [v for k, v in call.arguments.items() if k in ("cell", "slice", "ue")]
            assert any(all(map(scope.has, named)) for scope in able)
        for role in task.agents:
            assert set(role.tools) <= set(TOOLS)
    if template.use == "shared":
        for seed in TRAINING_SEEDS[::10]:
            assert draw_task(template, seed, "train").task.intent
    else:
        with pytest.raises(BenchUserError, match="train has no wording"):
            draw_task(template, 1, "train")


def test_every_tool_is_called_by_some_solution() -> None:
    tasks = [draw_task(template, 51, "evaluation") for template in TEMPLATES]
    assert {tool: names for tool, names in templates_by_tool(tasks).items() if not names} == {}


@pytest.mark.parametrize(("template", "variable"), QUICK, ids=[f"{t.name}-{v}" for t, v in QUICK])
def test_what_an_intent_hides_is_told_by_its_readings(template: Template, variable: str) -> None:
    told = reveals(template, 51, variable)
    assert told
    assert all(told.values()), told


def test_every_tool_that_reads_is_the_only_way_to_something_hidden() -> None:
    needed = set()
    for template in TEMPLATES:
        task = draw_task(template, 51, "evaluation").task
        readers = {tool for tool in task.tools if TOOLS[tool].read_only}
        if template.hidden and len(readers) == 1:
            needed |= readers
    reading = {name for name, tool in TOOLS.items() if tool.read_only}
    # A strategy is asked for by the name of an alarm.
    assert reading - needed == {"select_recovery_strategy"}


def test_other_draws_stay_when_one_is_given() -> None:
    template = load_template("find_squeezed_cell")
    options = options_of(template, 51, "evaluation", "cell")
    intents = {
        draw_task(template, 51, "evaluation", {"cell": cell}).task.intent for cell in options
    }
    assert len(options) > 1
    assert len(intents) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "goal: []"}, "goal"),
        ({"task": "goal: [{{ nothing }}]"}, "nothing"),
        ({"task": "{% for"}, "template climb, seed 51"),
        ({"agents": "[{name: a, tool: b}]"}, "agents"),
        ({"draw": {"ue": "group.nobody"}}, "nobody"),
    ],
)
def test_a_template_that_makes_no_task_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(BenchUserError, match=message) as caught:
        draw_task(altered("climb", **changes), 51, "evaluation")
    assert "climb" in str(caught.value)


def test_an_unknown_template_is_refused() -> None:
    with pytest.raises(BenchUserError, match="no template 'clim'"):
        load_template("clim")
