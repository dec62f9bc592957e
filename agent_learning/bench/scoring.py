# SPDX-License-Identifier: Apache-2.0
"""Scores of runs: `score`, and how agents and backends compare: `compare`, `verify`.

All figures are means over tasks of means over the trials of a task, so that a task counts once
however often it was tried. Trials that the infrastructure failed are left out, and counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from agent_learning.bench.scores import (
    Comparison,
    Estimate,
    GroupScores,
    Kind,
    RunScores,
    TemplateRate,
    Verified,
)
from agent_learning.bench.statistics import (
    clustered,
    mcnemar,
    pass_hat_k,
    rate_interval,
)
from agent_learning.bench.trial import Trial
from env.fidelity.statistics import Floats, Interval

ALL = "all"
COUNTS = ("steps", "changes", "invalid_calls", "constraint_violations", "harmful_changes")


@dataclass(frozen=True)
class PerTask:
    """The trials of one run, by task in the order of ids; those of infrastructure apart."""

    trials: dict[str, list[Trial]]
    infrastructure: list[Trial]

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> PerTask:
        """Group trials."""
        found: dict[str, list[Trial]] = {}
        for trial in sorted(trials, key=lambda t: t.key):
            if trial.status != "infrastructure":
                found.setdefault(trial.task_id, []).append(trial)
        return cls(found, [t for t in trials if t.status == "infrastructure"])

    @property
    def templates(self) -> list[str]:
        """Of each task."""
        return [mine[0].template for mine in self.trials.values()]

    def mean(self, figure: Callable[[Trial], float]) -> Floats:
        """Of each task, the mean over its trials."""
        return np.array([np.mean([figure(t) for t in mine]) for mine in self.trials.values()])

    def pass_k(self, k: int) -> Floats:
        """Of each task."""
        return np.array(
            [pass_hat_k(len(m), sum(t.succeeded for t in m), k) for m in self.trials.values()]
        )

    def at(self, ids: Sequence[str]) -> PerTask:
        """Only these tasks, in this order."""
        return PerTask({i: self.trials[i] for i in ids}, [])


def score(trials: Sequence[Trial]) -> RunScores:
    """The scores of one run.

    Args:
        trials: of one agent on one backend, at least one.
    """
    first = trials[0]
    groups: list[tuple[Kind, str, list[Trial]]] = [("all", ALL, list(trials))]
    for tier in sorted({t.tier for t in trials}):
        groups.append(("tier", tier, [t for t in trials if t.tier == tier]))
    for domain in sorted({t.domain for t in trials}):
        groups.append(("domain", domain, [t for t in trials if t.domain == domain]))
    return RunScores(
        agent=first.agent,
        backend=first.backend,
        model_sha256=first.model_sha256,
        code_version=first.code_version,
        splits=tuple(sorted({t.split for t in trials})),
        groups=tuple(_group(*group) for group in groups),
        templates=_templates(PerTask.of(trials)),
        total_cost_usd=sum(t.cost_usd for t in trials),
        hours=sum(t.wall_s for t in trials) / 3600,
    )


def verify(surrogate: Sequence[Trial], ns3: Sequence[Trial]) -> Verified | None:
    """Hold the success of one agent on the surrogate against that on live NS-3.

    Args:
        surrogate: trials there.
        ns3: trials there.

    Returns:
        Nothing without a task that was tried on both.
    """
    both = _common(surrogate, ns3)
    if both is None:
        return None
    mine, truth = both
    first = _first(mine) == _first(truth)
    return Verified(
        agent=ns3[0].agent,
        tasks=len(truth.trials),
        verified_sr=_rate(truth.mean(_succeeded), truth.templates),
        surrogate_sr=_rate(mine.mean(_succeeded), mine.templates),
        gap=_difference(mine, truth),
        same_outcome=float(first.mean()),
    )


def compare(one: Sequence[Trial], other: Sequence[Trial]) -> Comparison | None:
    """Hold two agents on the same backend against each other, task by task.

    Args:
        one: trials of an agent.
        other: trials of another one.

    Returns:
        Nothing without a task that both have tried.
    """
    both = _common(one, other)
    if both is None:
        return None
    mine, theirs = both
    first, second = _first(mine), _first(theirs)
    only_one, only_other = int((first & ~second).sum()), int((second & ~first).sum())
    return Comparison(
        backend=one[0].backend,
        one=one[0].agent,
        other=other[0].agent,
        tasks=len(mine.trials),
        difference=_difference(mine, theirs),
        only_one=only_one,
        only_other=only_other,
        p_value=mcnemar(only_one, only_other),
    )


def _group(kind: Kind, name: str, trials: Sequence[Trial]) -> GroupScores:
    tasks = PerTask.of(trials)
    templates = tasks.templates
    most = min((len(mine) for mine in tasks.trials.values()), default=0)
    return GroupScores(
        kind=kind,
        group=name,
        templates=len(set(templates)),
        tasks=len(tasks.trials),
        trials=len(trials) - len(tasks.infrastructure),
        infrastructure=len(tasks.infrastructure),
        sr=_rate(tasks.mean(_succeeded), templates),
        spl=_rate(tasks.mean(lambda t: t.spl), templates),
        pass_k=tuple(_rate(tasks.pass_k(k), templates) for k in range(1, most + 1)),
        **{name: _mean(tasks.mean(_count(name)), templates) for name in COUNTS},
        tokens=_mean(tasks.mean(lambda t: t.tokens_in + t.tokens_out), templates),
        cost_usd=_mean(tasks.mean(lambda t: t.cost_usd), templates),
    )


def _templates(tasks: PerTask) -> tuple[TemplateRate, ...]:
    templates, solved = np.array(tasks.templates, str), tasks.mean(_succeeded)
    return tuple(
        TemplateRate(
            template=str(name),
            tasks=int((templates == name).sum()),
            sr=float(solved[templates == name].mean()),
        )
        for name in np.unique(templates)
    )


def _common(one: Sequence[Trial], other: Sequence[Trial]) -> tuple[PerTask, PerTask] | None:
    """The tasks that both have tried."""
    mine, theirs = PerTask.of(one), PerTask.of(other)
    ids = [i for i in mine.trials if i in theirs.trials]
    return (mine.at(ids), theirs.at(ids)) if ids else None


def _succeeded(trial: Trial) -> float:
    return float(trial.succeeded)


def _count(name: str) -> Callable[[Trial], float]:
    return lambda trial: float(getattr(trial.counts, name))


def _first(tasks: PerTask) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether the first trial of each task succeeded."""
    return np.array([mine[0].succeeded for mine in tasks.trials.values()])


def _difference(mine: PerTask, theirs: PerTask) -> Estimate:
    apart = mine.mean(_succeeded) - theirs.mean(_succeeded)
    return _mean(apart, mine.templates)


def _rate(values: Floats, templates: Sequence[str]) -> Estimate:
    return _estimate(values, rate_interval(values, templates))


def _mean(values: Floats, templates: Sequence[str]) -> Estimate:
    return _estimate(values, clustered(values, templates))


def _estimate(values: Floats, ends: Interval) -> Estimate:
    if not len(values):
        return Estimate()
    return Estimate(value=float(values.mean()), low=ends[0], high=ends[1])


def compare_all(runs: Sequence[Sequence[Trial]]) -> tuple[Comparison, ...]:
    """Every pair of agents on the same backend."""
    pairs = itertools.combinations(runs, 2)
    found = [compare(a, b) for a, b in pairs if a[0].backend == b[0].backend]
    return tuple(c for c in found if c is not None)


def verify_all(runs: Sequence[Sequence[Trial]]) -> tuple[Verified, ...]:
    """Every agent with a run on the surrogate and one on live NS-3."""
    by_backend = {(trials[0].agent, trials[0].backend): trials for trials in runs}
    found = [
        verify(trials, by_backend[agent, "ns3"])
        for (agent, backend), trials in by_backend.items()
        if backend == "surrogate" and (agent, "ns3") in by_backend
    ]
    return tuple(v for v in found if v is not None)
