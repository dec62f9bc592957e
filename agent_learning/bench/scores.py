# SPDX-License-Identifier: Apache-2.0
"""What a benchmark report says of runs: plain values; figures that do not exist are null."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt

from calibration.validation.report import Figure, Part
from env.backends.base import BackendName

Kind = Literal["all", "tier", "domain"]


class Estimate(Part):
    """A figure and its 95 % interval; null where it does not exist."""

    value: Figure = None
    low: Figure = None
    high: Figure = None


class GroupScores(Part):
    """Scores over all tasks, or over those of a tier or domain."""

    kind: Kind
    group: str
    templates: NonNegativeInt
    tasks: NonNegativeInt
    """That were tried."""
    trials: NonNegativeInt
    infrastructure: NonNegativeInt
    """Trials that failed for reasons of the infrastructure; in no other figure."""
    sr: Estimate
    """Success rate."""
    spl: Estimate
    """Success weighted by path length."""
    pass_k: tuple[Estimate, ...]
    """Chance that k trials in a row succeed, for k from 1 to the trials of every task."""
    steps: Estimate
    """Calls in a trial; so are the following."""
    changes: Estimate
    invalid_calls: Estimate
    constraint_violations: Estimate
    harmful_changes: Estimate
    tokens: Estimate
    """In and out, in a trial."""
    cost_usd: Estimate
    """Of a trial."""


class TemplateRate(Part):
    """Success at the tasks of one template."""

    template: str
    tasks: NonNegativeInt
    sr: float


class RunScores(Part):
    """Scores of one agent on one backend."""

    agent: str
    backend: BackendName
    model_sha256: str
    code_version: str
    splits: tuple[str, ...]
    groups: tuple[GroupScores, ...]
    """Over all tasks, then by tier, then by domain."""
    templates: tuple[TemplateRate, ...]
    total_cost_usd: float
    """Trials that the infrastructure failed included."""
    hours: float
    """Wall-clock time of all trials, one after the other."""

    @property
    def overall(self) -> GroupScores:
        """Over all tasks."""
        return self.groups[0]

    def group(self, name: str) -> GroupScores | None:
        """Of a tier or domain, if it has tasks."""
        return next((g for g in self.groups if g.group == name), None)

    def template(self, name: str) -> TemplateRate | None:
        """Of a template, if it has tasks that were tried."""
        return next((t for t in self.templates if t.template == name), None)


class Verified(Part):
    """Success of one agent on live NS-3, and on the surrogate at the same tasks."""

    agent: str
    tasks: NonNegativeInt
    verified_sr: Estimate
    """On live NS-3."""
    surrogate_sr: Estimate
    gap: Estimate
    """Surrogate less NS-3."""
    same_outcome: Figure
    """Share of tasks whose first trial ended alike."""


class Comparison(Part):
    """One agent against another at the same tasks on the same backend."""

    backend: BackendName
    one: str
    other: str
    tasks: NonNegativeInt
    difference: Estimate
    """Success rate of the one less that of the other."""
    only_one: NonNegativeInt
    """Tasks whose first trial only the one solved."""
    only_other: NonNegativeInt
    p_value: float
    """Exact, of McNemar's test on first trials; not corrected for the number of comparisons."""
