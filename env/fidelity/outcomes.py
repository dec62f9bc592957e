# SPDX-License-Identifier: Apache-2.0
"""Whether tasks end alike on surrogate and NS-3, and agents rank alike: `outcomes`, `ranking`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from env.fidelity.playing import Triple
from env.fidelity.report import Agreement, Correlation, Outcomes, Ranking, TaskOutcomes
from env.fidelity.statistics import Floats, interval, kappa, pearson, plain, quotient, spearman

ALL = "all"


@dataclass(frozen=True)
class Successes:
    """Outcomes of episodes of tasks.

    Args:
        agents: names, shape (n,).
        tasks: names, shape (n,).
        reached: whether the goal was, shape (3, n): surrogate, NS-3, redrawn NS-3.
    """

    agents: NDArray[np.str_]
    tasks: NDArray[np.str_]
    reached: NDArray[np.bool_]

    @classmethod
    def of(cls, triples: Sequence[Triple]) -> Successes:
        """Those of cases that have a task and were played to their end on all stages."""
        mine = [t for t in triples if t.case.subject.task]
        return cls(
            np.array([t.case.agent for t in mine], str),
            np.array([t.case.subject.name for t in mine], str),
            np.array([[e.outcome == "success" for e in t.stages] for t in mine], bool)
            .reshape(-1, 3)
            .T,
        )

    def where(self, chosen: NDArray[np.bool_]) -> Successes:
        """Some of them."""
        return Successes(self.agents[chosen], self.tasks[chosen], self.reached[:, chosen])

    def counts(self) -> tuple[Floats, Floats]:
        """Episodes by agent and task, shape (a, t), and successes, shape (3, a, t)."""
        agents, a = np.unique(self.agents, return_inverse=True)
        tasks, t = np.unique(self.tasks, return_inverse=True)
        episodes = np.zeros((len(agents), len(tasks)))
        successes = np.zeros((3, len(agents), len(tasks)))
        np.add.at(episodes, (a, t), 1)
        for stage, reached in zip(successes, self.reached, strict=True):
            np.add.at(stage, (a, t), reached)
        return episodes, successes


def outcomes(found: Successes) -> tuple[Outcomes, ...]:
    """Agreement of outcomes, over all agents and for each; nothing without an episode."""
    if not len(found.tasks):
        return ()
    agents = list(dict.fromkeys(found.agents.tolist()))
    parts = {ALL: found} | {agent: found.where(found.agents == agent) for agent in agents}
    return tuple(
        Outcomes(
            agent=agent,
            tasks=len(set(mine.tasks.tolist())),
            episodes=len(mine.tasks),
            ns3_success_pct=100 * mine.reached[1].mean(),
            surrogate=_agreement(mine, 0),
            own=_agreement(mine, 2),
        )
        for agent, mine in parts.items()
    )


def by_task(found: Successes) -> tuple[TaskOutcomes, ...]:
    """Successes of each agent at each task."""
    pairs = dict.fromkeys(zip(found.tasks.tolist(), found.agents.tolist(), strict=True))
    rows = []
    for task, agent in pairs:
        mine = found.reached[:, (found.tasks == task) & (found.agents == agent)]
        surrogate, ns3, redrawn = mine.sum(axis=1).tolist()
        row = TaskOutcomes(
            task=task,
            agent=agent,
            episodes=mine.shape[1],
            ns3=ns3,
            surrogate=surrogate,
            redrawn=redrawn,
        )
        rows.append(row)
    return tuple(rows)


def ranking(found: Successes) -> Ranking | None:
    """How alike agents rank; None without an episode of a task."""
    if not len(found.tasks):
        return None
    episodes, successes = found.counts()
    return Ranking(
        agents=len(episodes),
        tasks=episodes.shape[1],
        least_episodes=int(episodes.sum(axis=1).min()),
        surrogate=_correlation(episodes, successes[0], successes[1]),
        own=_correlation(episodes, successes[2], successes[1]),
    )


def _agreement(found: Successes, stage: int) -> Agreement:
    mine, truth = found.reached[stage], found.reached[1]
    episodes, successes = found.counts()
    n, apart = episodes.sum(axis=0), (successes[stage] - successes[1]).sum(axis=0)
    low, high = interval(lambda i: 100 * apart[i].sum(-1) / n[i].sum(-1), len(n))
    return Agreement(
        success_pct=100 * mine.mean(),
        agreement_pct=100 * (mine == truth).mean(),
        kappa=kappa(mine, truth),
        gap_points=100 * (mine.mean() - truth.mean()),
        gap_low=low,
        gap_high=high,
    )


def _correlation(episodes: Floats, mine: Floats, truth: Floats) -> Correlation:
    """Args: by agent and task, shape (a, t)."""
    n_tasks = episodes.shape[1]

    def rates(successes: Floats, i: NDArray[np.intp]) -> Floats:
        return quotient(100 * successes[:, i].sum(-1), episodes[:, i].sum(-1))

    def gap(i: NDArray[np.intp]) -> Floats:
        return np.asarray(np.abs(rates(mine, i) - rates(truth, i)).mean(axis=0))

    def rank(i: NDArray[np.intp]) -> Floats:
        return spearman(rates(mine, i), rates(truth, i))

    def linear(i: NDArray[np.intp]) -> Floats:
        return pearson(rates(mine, i), rates(truth, i))

    every = np.arange(n_tasks)
    (rank_low, rank_high), (low, high), (gap_low, gap_high) = (
        interval(statistic, n_tasks) for statistic in (rank, linear, gap)
    )
    return Correlation(
        spearman=plain(rank(every)),
        spearman_low=rank_low,
        spearman_high=rank_high,
        pearson=plain(linear(every)),
        pearson_low=low,
        pearson_high=high,
        mean_gap_points=float(gap(every)),
        mean_gap_low=gap_low,
        mean_gap_high=gap_high,
    )
