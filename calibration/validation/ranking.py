# SPDX-License-Identifier: Apache-2.0
"""Whether a model ranks candidate actions as NS-3 does: Kendall's tau and regret."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from calibration.samples import split_of
from calibration.validation.gates import Gates
from calibration.validation.report import GateResult, Section, Table
from calibration.whatifs import OBJECTIVES, REDRAWS, Outcome, Situation, situation_of, what_if
from experiment_model import ExperimentModel
from ns3_scenarios.dataset import Dataset

Floats = NDArray[np.float64]

N_ACTIONS = 10
MOMENT = 5
"""Intervals before the actions."""
HORIZON = 5
"""Intervals that actions are followed for."""
DISTINCT = 0.02
"""Of an objective's range: actions that lie nearer to each other in NS-3 are taken as equal."""
SIGNIFICANCE = 0.05
"""Of the test by which NS-3 tells two actions apart; five draws call for 2.8 standard errors."""
LEAST_PAIRS = 30


def situations(folders: Sequence[str | Path], each: int) -> Iterator[Situation]:
    """Situations in the networks of the test split: some of each dataset, one per configuration."""
    for folder in folders:
        dataset = Dataset.open(folder)
        tests = sorted(
            (run.config, run.seed)
            for run in dataset.manifest.runs
            if split_of(run.config, run.seed) == "test"
        )
        firsts = [next(same) for _, same in groupby(tests, key=lambda run: run[0])]
        for config, seed in firsts[:each]:
            yield situation_of(dataset.scenario(config), seed, MOMENT, N_ACTIONS)


@dataclass(frozen=True)
class Pair:
    """How two actions of one situation differ; above 0 where the first one is better."""

    ns3: Floats
    """Under each redraw, shape (redraws,)."""
    model: float

    def is_told_apart(self, least: float) -> bool:
        """Whether NS-3 knows which is better: by a paired t-test, and by more than `least`."""
        n = len(self.ns3)
        mean, error = self.ns3.mean(), self.ns3.std(ddof=1) / np.sqrt(n)
        sure = stats.t.ppf(1 - SIGNIFICANCE / 2, n - 1) * error
        return bool(abs(mean) > max(sure, least))

    @property
    def agreement(self) -> float:
        """1 where the model agrees with the mean of NS-3, -1 where it does not, or 0."""
        return float(np.sign(self.ns3.mean()) * np.sign(self.model))

    @property
    def own_agreement(self) -> float:
        """The same for one redraw of NS-3 and the mean of the others; mean over redraws."""
        others = self.ns3.sum() - self.ns3
        return float(np.mean(np.sign(others) * np.sign(self.ns3)))

    def in_one_draw(self, least: float) -> Iterator[tuple[float, float]]:
        """For each redraw by whose word alone they lie apart: who agrees with it.

        Yields:
            Agreement of the model, and of the other redraws on average.
        """
        signs = np.sign(self.ns3)
        for k in np.flatnonzero(np.abs(self.ns3) > least):
            yield (
                float(signs[k] * np.sign(self.model)),
                float(signs[k] * np.delete(signs, k).mean()),
            )


class Ranking:
    """Outcomes of situations of one scenario, held against NS-3.

    Args:
        outcomes: what was played.
        objective: KPI that ranks the actions.
    """

    def __init__(self, outcomes: Sequence[Outcome], objective: str) -> None:
        sign = OBJECTIVES[objective]
        self._played = [(sign * o.ns3[objective], sign * o.model[objective]) for o in outcomes]
        self.range = float(np.ptp(np.concatenate([ns3.mean(1) for ns3, _ in self._played])))
        """Between the best and the worst action of all situations, by the mean over redraws."""

    def pairs(self) -> list[Pair]:
        """All pairs of actions of a situation."""
        return [
            Pair(ns3[a] - ns3[b], float(np.round(ours[a] - ours[b], 9)))
            for ns3, ours in self._played
            for a, b in combinations(range(len(ns3)), 2)
        ]

    def told_apart(self) -> list[Pair]:
        """Pairs of which NS-3 knows which action is better."""
        return [pair for pair in self.pairs() if pair.is_told_apart(DISTINCT * self.range)]

    def regrets(self) -> list[float]:
        """By how much of the range the model's best action falls short of the best, by situation.

        Among actions that the model holds to be equally good, chance decides.
        """
        if not self.range:
            return []
        found = []
        for ns3, ours in self._played:
            best, real = ours >= ours.max() - 1e-9, ns3.mean(1)
            found.append(float((real.max() - real[best].mean()) / self.range))
        return found


@dataclass
class Tally:
    """What the situations of one or several scenarios say of one objective."""

    told_apart: list[Pair] = field(default_factory=list)
    in_one_draw: list[tuple[float, float]] = field(default_factory=list)
    regrets: list[float] = field(default_factory=list)

    def add(self, ranking: Ranking) -> None:
        """Count the situations of one scenario."""
        self.told_apart += ranking.told_apart()
        for pair in ranking.pairs():
            self.in_one_draw += pair.in_one_draw(DISTINCT * ranking.range)
        self.regrets += ranking.regrets()

    @property
    def tau(self) -> float:
        """Kendall's tau of model and NS-3 over the pairs that NS-3 tells apart."""
        return float(np.mean([pair.agreement for pair in self.told_apart]))

    @property
    def own_tau(self) -> float:
        """That of one redraw of NS-3 and the mean of the others, over the same pairs."""
        return float(np.mean([pair.own_agreement for pair in self.told_apart]))

    def figures(self) -> tuple[float | None, ...]:
        """A row of the report."""
        taus = (self.tau, self.own_tau) if self.told_apart else (None, None)
        alone = np.mean(self.in_one_draw, axis=0) if self.in_one_draw else (None, None)
        regrets = [100 * f(self.regrets) if self.regrets else None for f in (np.median, np.mean)]
        figures = (len(self.told_apart), *taus, len(self.in_one_draw), *alone, *regrets)
        return tuple(None if f is None else round(float(f), 3) for f in figures)


def rank_actions(
    model: ExperimentModel,
    played: Sequence[Situation],
    gates: Gates,
    *,
    jobs: int = 1,
    on_situation: Callable[[str], None] | None = None,
) -> tuple[Section, list[GateResult]]:
    """Play situations on NS-3 and on a model; the report's section, and its gates.

    Args:
        model: what ranks.
        played: situations.
        gates: what it must reach.
        jobs: situations at the same time.
        on_situation: told of each situation that is done.

    Raises:
        SimulationError: NS-3 ended abnormally.
    """
    from joblib import Parallel, delayed

    outcomes: dict[str, list[Outcome]] = {}
    work = (delayed(what_if)(model, situation, HORIZON) for situation in played)
    done = Parallel(n_jobs=jobs, return_as="generator")(work)
    for number, outcome in enumerate(done, 1):
        outcomes.setdefault(outcome.situation.scenario.name, []).append(outcome)
        if on_situation:
            on_situation(f"ranked actions in {number} of {len(played)} situations")
    total = {name: Tally() for name in OBJECTIVES}
    rows = []
    for scenario, found in outcomes.items():
        for name in OBJECTIVES:
            ranking, tally = Ranking(found, name), Tally()
            tally.add(ranking)
            total[name].add(ranking)
            rows.append((scenario, name, len(found), *tally.figures()))
    for name, tally in total.items():
        rows.append(("all", name, len(played), *tally.figures()))
    columns = ("scenario", "objective", "situations", "pairs told apart", "Kendall's tau",
               "NS-3's own tau", "pairs apart in one draw", "tau there", "NS-3's own tau there",
               "median regret, %", "mean regret, %")  # fmt: skip
    section = Section(
        key="ranking",
        title="Ranking of actions",
        text=(
            f"NS-3 was run for {MOMENT} intervals, its future was drawn {REDRAWS} times, and each "
            f"draw was branched into {N_ACTIONS} futures: nothing is done, or one setting of one "
            "element or of all cells is changed, drawn at random. Objectives are averages of the "
            f"whole network over the {HORIZON} intervals that follow. Kendall's tau counts pairs "
            "of actions that NS-3 itself tells apart: over the draws their difference is "
            f"significant (paired t-test, {100 * SIGNIFICANCE:g} %) and more than "
            f"{100 * DISTINCT:g} % of the objective's range. NS-3's own tau holds one draw against "
            "the mean of the others. Beside it are pairs that lie so far apart in one draw, where "
            "the model, and the other draws one by one, are held against that draw. Regret is how "
            "far the model's best action falls short of the best one by the mean of NS-3, to the "
            "range."
        ),
        tables=(Table(columns=columns, rows=tuple(rows)),),
    )
    return section, [gate for name in OBJECTIVES for gate in judged(gates, name, total[name])]


def judged(gates: Gates, name: str, tally: Tally) -> Iterator[GateResult]:
    """Hold what the situations say of an objective against gates."""
    limits, n_pairs = gates.ranking, len(tally.told_apart)
    if n_pairs < LEAST_PAIRS:
        why = f"too few pairs to judge: {n_pairs}, and {LEAST_PAIRS} are needed"
        yield GateResult(name=f"ranking/tau/{name}", holds=None, why=why)
    else:
        least = min(limits.least_tau, tally.own_tau)
        yield GateResult(
            name=f"ranking/tau/{name}",
            value=tally.tau,
            low=least,
            holds=tally.tau >= least,
            why=(
                f"Kendall's tau over {n_pairs} pairs of actions that NS-3 tells apart is "
                f"{tally.tau:.2f}; that of NS-3's own draws is {tally.own_tau:.2f}"
            ),
        )
    if tally.regrets:
        regret = 100 * float(np.median(tally.regrets))
        yield GateResult(
            name=f"ranking/regret/{name}",
            value=regret,
            high=limits.most_regret_pct,
            unit="%",
            holds=regret <= limits.most_regret_pct,
            why=f"the model's best action falls short by {regret:.2f} % of the range (median)",
        )
