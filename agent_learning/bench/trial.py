# SPDX-License-Identifier: Apache-2.0
"""What is kept of one trial of an agent at a task: `TrialRecord`, one line of JSON.

It has the whole trajectory, with the verdicts of the network after every reporting interval, so
that everything that is counted of a trial can be counted again from its record alone: `counts_of`,
`outcome_of`. `Trial` is the same without the trajectory.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from agent_learning.bench.task import BenchTask, Domain, Split, Tier
from env.backends.base import BackendName
from env.tasks import Task
from env.tools import TOOLS
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.scenario import Identifier, Model

FORMAT: Final = "sixg-bench-trial"
Status = Literal["success", "failure", "infrastructure"]
"""`infrastructure`: the backend or the machinery of the agent failed; counted apart from both."""


class Judged(Model):
    """What has become of one predicate."""

    value: float | None = None
    """Of the KPI; null for controls, and where nothing is known."""
    holds: bool | None = None
    """Null where nothing is known."""


class Moment(Model):
    """The verdicts at the end of one reporting interval, in the order of the task's predicates."""

    interval: int
    """Intervals done."""
    goal: tuple[Judged, ...]
    constraints: tuple[Judged, ...]

    @property
    def met(self) -> bool:
        """Whether the goal is known to hold."""
        return all(judged.holds is True for judged in self.goal)


Sla = dict[str, bool | None]
"""Whether a slice kept a promise over the intervals after a change, by `<slice>.<term>`."""


class Called(Model):
    """One call with its answer."""

    agent: str
    """Its role; in a task of one agent, the agent's name."""
    tool: str
    arguments: Any
    ok: bool
    content: dict[str, Any]
    """Of the answer."""
    interval: int
    """Intervals done after it."""
    changes: tuple[ControlChange, ...] = ()
    """Of controls."""
    moments: tuple[Moment, ...] = ()
    """The intervals that passed; none after a call that only reads, or was refused."""
    sla: Sla = Field(default_factory=dict)
    """After a change only."""

    @property
    def configures(self) -> bool:
        """Whether it was taken and the network ran on under it."""
        return self.ok and TOOLS[self.tool].effect == "configuration"


class Said(Model):
    """What one of several agents told the others."""

    calls: int
    """Calls of all agents before it."""
    agent: str
    words: str


class Counts(Model):
    """What is counted of a trajectory."""

    steps: int
    """Calls of all tools."""
    changes: int
    """Calls that configured the network: the length of the path."""
    invalid_calls: int
    """That were refused."""
    constraint_violations: int
    """Constraints that were found broken after a change; the first such change ends a trial."""
    harmful_changes: int
    """After which a constraint was broken, or a slice missed a promise of its SLA that it had kept
    before: over the intervals that passed after a change, against those after the change before, or
    the last `advance` intervals before the first one."""


class Trial(Model):
    """One trial, and what is counted of it."""

    task_id: str
    task_hash: str
    """Content hash of the task."""
    template: Identifier
    domain: Domain
    tier: Tier
    split: Split
    seed: int
    """Of the network."""
    agent: str
    trial: int = Field(ge=1)
    agent_seed: int
    """That the agent was started with."""
    backend: BackendName
    model_sha256: str
    """Of the surrogate; empty where there is none."""
    code_version: str
    status: Status
    reason: str
    shortest: int = Field(ge=1)
    """Changes of the shortest solution that is known."""
    counts: Counts
    tokens_in: int = 0
    tokens_out: int = 0
    requests: int = 0
    """To a language model."""
    cost_usd: float = 0.0
    wall_s: float
    """The one field that differs between equal trials."""

    @property
    def key(self) -> tuple[str, int]:
        """What names it within its run."""
        return self.task_id, self.trial

    @property
    def succeeded(self) -> bool:
        """Whether the goal was reached."""
        return self.status == "success"

    @property
    def spl(self) -> float:
        """Success weighted by path length, s · l / max(p, l).

        p are the changes of the trial, l those of the shortest solution that is known (Anderson et
        al., arXiv 1807.06757).
        """
        return self.succeeded * self.shortest / max(self.counts.changes, self.shortest)


class TrialRecord(Trial):
    """One trial with its trajectory."""

    format: Literal["sixg-bench-trial"] = FORMAT
    format_version: Literal[1] = 1
    start: Moment
    """Before the first call."""
    start_sla: Sla
    calls: tuple[Called, ...]
    words: tuple[Said, ...] = ()
    """Between the agents of a task."""

    @property
    def trial_only(self) -> Trial:
        """Without the trajectory."""
        return Trial.model_construct(**{name: getattr(self, name) for name in Trial.model_fields})


def shortest_of(task: BenchTask) -> int:
    """Changes of a task's reference; reading is part of no path."""
    return max(1, sum(TOOLS[call.tool].effect == "configuration" for call in task.task.reference))


def counts_of(start_sla: Sla, calls: tuple[Called, ...]) -> Counts:
    """Count a trajectory.

    Args:
        start_sla: promises kept before the first call.
        calls: all of them.
    """
    kept, harmful, broken = start_sla, 0, set()
    for call in calls:
        now = {n for m in call.moments for n, j in enumerate(m.constraints) if j.holds is False}
        if call.configures:
            lost = any(before and call.sla.get(term) is False for term, before in kept.items())
            harmful += bool(now) or lost
            kept = call.sla
        broken |= now
    return Counts(
        steps=len(calls),
        changes=sum(call.configures for call in calls),
        invalid_calls=sum(not call.ok for call in calls),
        constraint_violations=len(broken),
        harmful_changes=harmful,
    )


def outcome_of(task: Task, calls: tuple[Called, ...]) -> Status:
    """Judge a trajectory by the verdicts that were kept of it, as `env.tasks.Attempt` does.

    Args:
        task: that was to be reached.
        calls: all of them.
    """
    held = changes = 0
    for number, call in enumerate(calls, 1):
        changes += call.configures
        for moment in call.moments:
            if any(judged.holds is False for judged in moment.constraints):
                return "failure"
            held = held + 1 if moment.met else 0
            if held >= task.hold_intervals:
                return "success"
            if changes >= task.max_changes:
                return "failure"
        if number >= task.max_calls:
            return "failure"
    return "failure"
