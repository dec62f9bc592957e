# SPDX-License-Identifier: Apache-2.0
"""What an agent is to reach, and whether it did: `Task` and `Attempt`.

The network decides, by typed predicates over its KPIs and controls. Neither the way there counts,
nor what an agent says of it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from env.backends.base import Backend
from env.environment import Answer, Environment
from env.errors import EnvUserError, ToolError
from env.goals import ControlPredicate, Goal, check_goal, judge, met
from env.view import Scope, View
from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.errors import ControlError, ScenarioError
from ns3_scenarios.library import load_scenario, parse_model, read_yaml
from ns3_scenarios.scenario import Fault, Identifier, Model, ScenarioConfig

Status = Literal["running", "success", "failure"]
PACKAGED = Path(__file__).parent / "packaged_tasks"


class Call(Model):
    """One call of a tool."""

    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Task(Model):
    """An intent, the goal that it means, and the network to reach it in."""

    name: Identifier
    version: int = Field(default=1, ge=1, description="Goes up when a change moves results.")
    intent: str = Field(min_length=1, description="In plain words, for the agent.")
    scenario: ScenarioConfig = Field(description="A name, or a whole scenario.")
    faults: tuple[Fault, ...] = Field(default=(), description="Besides those of the scenario.")
    settings: tuple[ControlChange, ...] = Field(
        default=(), description="Controls that are set wrong before the agent comes."
    )
    lead_intervals: int = Field(
        default=0,
        ge=0,
        le=200,
        description="Reporting intervals that pass under faults and settings before the agent.",
    )
    goal: Goal = Field(min_length=1, description="Predicates that must all hold at the end.")
    advance: int = Field(
        default=1, ge=1, le=50, description="Reporting intervals that pass after each change."
    )
    hold_intervals: int = Field(
        default=1, ge=1, le=50, description="Reporting intervals in a row for which they must."
    )
    constraints: Goal = Field(
        default=(), description="Predicates that must hold after every change."
    )
    max_changes: int = Field(default=10, ge=1, le=1000, description="Calls that configure.")
    max_calls: int = Field(default=100, ge=1, le=10_000, description="Calls of all tools.")
    tools: tuple[str, ...] = Field(default=(), description="That may be called; empty means all.")
    reference: tuple[Call, ...] = Field(
        default=(),
        description="Calls that reach the goal, one way of several.",
    )

    @field_validator("scenario", mode="before")
    @classmethod
    def _load(cls, scenario: Any) -> Any:
        return load_scenario(scenario) if isinstance(scenario, str) else scenario

    @property
    def network(self) -> ScenarioConfig:
        """The scenario with the faults of the task.

        Raises:
            ScenarioError: a fault strikes what the scenario does not have.
        """
        data = self.scenario.model_dump()
        data["faults"] = [*data["faults"], *(fault.model_dump() for fault in self.faults)]
        return parse_model(ScenarioConfig, data, f"task {self.name}")

    @property
    def scope(self) -> Scope:
        """What its agent may call."""
        return Scope(tools=frozenset(self.tools))


def load_task(path: str | Path) -> Task:
    """Read a task from a YAML file, or a packaged one by its name.

    Raises:
        EnvUserError: missing, unreadable or impossible; the message names the field.
    """
    file = PACKAGED / f"{path}.yaml" if str(path) in task_names() else Path(path)
    if not file.exists():
        known = ", ".join(task_names())
        raise EnvUserError(f"there is no task {str(path)!r}; the packaged ones are {known}")
    try:
        task = parse_model(Task, read_yaml(file, EnvUserError), str(file), EnvUserError)
        check_task(task)
    except (ScenarioError, ControlError, ToolError) as error:
        raise EnvUserError(f"{file}: {error}") from None
    return task


def task_names() -> list[str]:
    """Names of the packaged tasks."""
    return sorted(file.stem for file in PACKAGED.glob("*.yaml"))


def check_task(task: Task) -> None:
    """Make sure that a task fits its network, without running it.

    Raises:
        ScenarioError: a fault does not fit.
        ControlError: a setting names no control, or an impossible value.
        ToolError: a predicate or a tool does not exist.
    """
    from env.tools import TOOLS

    network = task.network
    controls = ControlState.initial(network).with_changes(task.settings, network)
    view = View(network, controls, ())
    check_goal(task.goal, view, "goal")
    check_goal(task.constraints, view, "constraints")
    named = {f"tools.{i}": name for i, name in enumerate(task.tools)}
    named |= {f"reference.{i}.tool": call.tool for i, call in enumerate(task.reference)}
    for where, name in named.items():
        if name not in TOOLS:
            raise ToolError("unknown_tool", f"{where}={name!r} is no tool")


class Attempt:
    """One attempt at a task; it is over when `status` is no longer `running`.

    A success is a goal that held for `hold_intervals`. A failure is a broken constraint, a used-up
    limit, or an agent that gave up.

    Args:
        task: to be reached.
        backend: a network of `task.network` that nothing was done to; the attempt closes it.

    Raises:
        ControlError: a setting of the task is impossible.
        BackendError: the backend has failed.
    """

    def __init__(self, task: Task, backend: Backend) -> None:
        self.task = task
        self._succeeded = False
        self.held = 0
        """Intervals in a row for which the goal holds."""
        if task.settings:
            backend.apply(task.settings)
        if task.lead_intervals:
            backend.advance(task.lead_intervals)
        self.environment = Environment(
            backend,
            advance=task.advance,
            max_calls=task.max_calls,
            guard=partial(_guard, task),
            judge=self._judge,
        )

    @property
    def status(self) -> Status:
        """What has become of it."""
        if self._succeeded:
            return "success"
        return "failure" if self.environment.over else "running"

    @property
    def reason(self) -> str:
        """For its end."""
        return self.environment.over

    def call(self, name: str, arguments: Any = None, *, agent: str = "") -> Answer:
        """Call a tool within the scope of the task; see `Environment.call`."""
        return self.environment.call(name, arguments, agent=agent, scope=self.task.scope)

    def give_up(self) -> None:
        """The agent says that it is done; before the goal is reached, that is a failure."""
        if self.status == "running":
            self.environment.over = "the agent stopped before the goal was reached"

    def _judge(self) -> str:
        task, environment = self.task, self.environment
        history, controls = environment.backend.history, environment.backend.controls
        for verdict in judge(task.constraints, history, controls):
            if verdict.holds is False:
                value = "" if verdict.value is None else f", it is {verdict.value:g}"
                return f"broken constraint: {verdict.predicate.text}{value}"
        self.held = self.held + 1 if met(judge(task.goal, history, controls)) else 0
        if self.held >= task.hold_intervals:
            self._succeeded = True
            return "the goal is reached"
        if len(environment.changes) >= task.max_changes:
            return f"all {task.max_changes} changes were used"
        return ""


def _guard(task: Task, view: View, after: ControlState) -> None:
    """Refuse controls that break a constraint on the configuration."""
    for predicate in task.constraints:
        if isinstance(predicate, ControlPredicate) and not predicate.holds(after):
            raise ToolError("not_allowed", f"the task demands {predicate.text}")
