# SPDX-License-Identifier: Apache-2.0
"""A task of 6GAgentBench: `BenchTask`, what it belongs to, and the hash of its content."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any, Literal, Self

from pydantic import Field

from env.tasks import Task
from env.view import Scope
from ns3_scenarios.library import load_scenario, scenario_names
from ns3_scenarios.scenario import Identifier, Model, ScenarioConfig
from ns3_scenarios.scenario.base import canonical_json

Domain = Literal["slicing", "edge", "uav", "recovery", "multi_agent", "radio_energy", "mobility"]
Tier = Literal["L1", "L2", "L3"]
Split = Literal["train", "evaluation", "basic"]

TRAINING_SEEDS = range(1, 51)
EVALUATION_SEEDS = range(51, 81)
L1_STEPS, L2_STEPS = 3, 7
"""Calls of the shortest known solution up to which a task is of that tier."""


class AgentRole(Model):
    """One of several agents of a task, and what it may see and do; empty allows everything."""

    name: Identifier
    tools: tuple[str, ...] = ()
    elements: tuple[str, ...] = Field(
        default=(),
        description="Cells, slices, users, links, edge sites and applications.",
    )

    @property
    def scope(self) -> Scope:
        """As the environment takes it."""
        return Scope(frozenset(self.tools), frozenset(self.elements))


class BenchTask(Model):
    """A task with the seed of its network, and where it belongs in the benchmark."""

    id: str = Field(description="Template, seed, and the first eight digits of the content hash.")
    template: Identifier
    domain: Domain
    tier: Tier
    split: Split
    seed: int = Field(ge=0, description="Of the network.")
    agents: tuple[AgentRole, ...] = Field(
        default=(), description="Of a task of several; without, one agent has the task's scope."
    )
    task: Task

    @classmethod
    def make(
        cls,
        template: str,
        domain: Domain,
        split: Split,
        seed: int,
        task: Task,
        agents: tuple[AgentRole, ...] = (),
    ) -> Self:
        """A task of a tier and an id that follow from its content."""
        made = cls(
            id="",
            template=template,
            domain=domain,
            tier=tier_of(len(task.reference)),
            split=split,
            seed=seed,
            agents=agents,
            task=task,
        )
        return made.model_copy(update={"id": f"{template}-{seed}-{made.content_hash[:8]}"})

    @property
    def content_hash(self) -> str:
        """SHA-256 of everything but id and split, the whole scenario included."""
        content = self.model_dump(mode="json", exclude={"id", "split"})
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()

    def as_frozen(self) -> dict[str, Any]:
        """Data from which it is read again; a packaged scenario is written as its name."""
        data = self.model_dump(mode="json", exclude_defaults=True)
        scenario = self.task.scenario
        if scenario.name in scenario_names() and scenario == _packaged(scenario.name):
            data["task"]["scenario"] = scenario.name
        return data

    @classmethod
    def from_frozen(cls, data: dict[str, Any]) -> Self:
        """A task from what `as_frozen` gave; raises what pydantic raises."""
        task = data["task"]
        if isinstance(task["scenario"], str):
            data = {**data, "task": {**task, "scenario": _packaged(task["scenario"])}}
        return cls.model_validate(data)


def tier_of(steps: int) -> Tier:
    """The tier of a task whose shortest known solution has so many calls, readings included."""
    if steps <= L1_STEPS:
        return "L1"
    return "L2" if steps <= L2_STEPS else "L3"


@cache
def _packaged(name: str) -> ScenarioConfig:
    return load_scenario(name)
