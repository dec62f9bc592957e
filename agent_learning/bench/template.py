# SPDX-License-Identifier: Apache-2.0
"""A family of tasks: `Template`, read from YAML.

A template says between what its tasks differ, and how a task looks once that is drawn: the text of
a task in YAML with expressions of Jinja in it. `names_of` says what the expressions know.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from agent_learning.bench.task import Domain
from agent_learning.errors import BenchUserError
from ns3_scenarios.library import parse_model, read_yaml
from ns3_scenarios.scenario import Identifier, Model, ScenarioConfig

FOLDER = Path(__file__).parent / "templates"

Variables = dict[str, Any]


class Between(Model):
    """A number of an even grid from the first to the second, both included."""

    between: tuple[float, float]
    step: float = Field(gt=0)


class Take(Model):
    """Several different elements, in the order in which they are listed."""

    take: int | str = Field(description="How many; a number, or an expression.")
    of: str | list[Any] = Field(description="A list, or an expression that gives one.")


class Wordings(Model):
    """Ways to say the same intent; training has its own, so that no evaluation intent is seen."""

    evaluation: tuple[str, ...] = Field(min_length=1)
    train: tuple[str, ...] = ()


class Template(Model):
    """What tasks of one kind have in common, and what is drawn anew for each.

    Templates with training wordings make training tasks on training seeds and evaluation tasks on
    evaluation seeds; the others make evaluation tasks only.
    """

    name: Identifier
    domain: Domain
    scenarios: dict[str, Variables | None] = Field(
        min_length=1,
        description="Packaged scenarios that are drawn from, and what variables are in each.",
    )
    draw: dict[Identifier, list[Any] | str | Between | Take] = Field(
        default={},
        description="Variables: one of a list, of what an expression gives, or of a grid.",
    )
    hidden: tuple[Identifier, ...] = Field(
        default=(), description="Variables that only the answers of reading tools reveal."
    )
    intent: Wordings
    task: str = Field(description="Fields of env.tasks.Task but name, intent and scenario.")
    agents: str = Field(default="", description="A list of AgentRole, where there are several.")

    @property
    def use(self) -> Literal["shared", "evaluation"]:
        """Whether training has tasks of this template, too."""
        return "shared" if self.intent.train else "evaluation"


def load_template(path: str | Path) -> Template:
    """Read a template from a YAML file, or a packaged one by its name.

    Raises:
        BenchUserError: missing, unreadable or impossible; the message names the field.
    """
    file = FOLDER / f"{path}.yaml" if str(path) in template_names() else Path(path)
    if not file.exists():
        known = ", ".join(template_names())
        raise BenchUserError(f"there is no template {str(path)!r}; the packaged ones are {known}")
    return parse_model(Template, read_yaml(file, BenchUserError), str(file), BenchUserError)


@cache
def template_names() -> tuple[str, ...]:
    """Names of the packaged templates, sorted."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.yaml")))


def names_of(scenario: ScenarioConfig) -> Variables:
    """What the expressions of a template know of a scenario: lists of the names of its elements.

    `group` has the users of each group by the group's name.
    """
    members: dict[str, list[str]] = {group.name: [] for group in scenario.users}
    for ue, group in zip(scenario.ue_ids, scenario.ue_groups, strict=True):
        members[group.name].append(ue)
    flying = {group.name for group in scenario.users if group.mobility.kind == "uav"}
    return {
        "scenario": scenario.name,
        "cells": list(scenario.cell_ids),
        "slices": [one.name for one in scenario.slices],
        "sites": list(scenario.site_ids),
        "links": [link.name for link in scenario.links],
        "edge_sites": list(scenario.anchors[1:]),
        "applications": [a.name for a in scenario.edge.applications] if scenario.edge else [],
        "ues": list(scenario.ue_ids),
        "uavs": [ue for name in members if name in flying for ue in members[name]],
        "group": members,
    }
