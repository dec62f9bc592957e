# SPDX-License-Identifier: Apache-2.0
"""Whether a model ranks candidate actions as NS-3 does: Kendall's tau and regret."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.samples import split_of
from calibration.validation.gates import Gates
from calibration.validation.report import GateResult, Section, Table
from calibration.whatifs import OBJECTIVES, Outcome, Situation, situation_of, what_if
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


class Ranking:
    """Outcomes of situations of one scenario, held against NS-3.

    Args:
        outcomes: what was played.
        objective: KPI that ranks the actions.
    """

    def __init__(self, outcomes: Sequence[Outcome], objective: str) -> None:
        sign = OBJECTIVES[objective]
        self._pairs = [(sign * o.ns3[objective], sign * o.model[objective]) for o in outcomes]
        every = np.concatenate([real for real, _ in self._pairs])
        self.range = float(np.ptp(every))

    def agreements(self) -> list[int]:
        """For each pair of actions that NS-3 tells apart: 1 where the model agrees, -1, or 0."""
        return [
            int(np.sign(real[a] - real[b]) * np.sign(np.round(ours[a] - ours[b], 9)))
            for real, ours in self._pairs
            for a, b in combinations(range(len(real)), 2)
            if abs(real[a] - real[b]) > DISTINCT * self.range
        ]

    def regrets(self) -> list[float]:
        """By how much of the range the model's best action falls short of the best, by situation.

        Among actions that the model holds to be equally good, chance decides.
        """
        if not self.range:
            return []
        found = []
        for real, ours in self._pairs:
            best = ours >= ours.max() - 1e-9
            found.append(float((real.max() - real[best].mean()) / self.range))
        return found


def rank_actions(
    model: ExperimentModel,
    played: Sequence[Situation],
    gates: Gates,
    on_situation: Callable[[str], None] | None = None,
) -> tuple[Section, list[GateResult]]:
    """Play situations on NS-3 and on a model; the report's section, and its gates.

    Raises:
        SimulationError: NS-3 ended abnormally.
    """
    outcomes: dict[str, list[Outcome]] = {}
    for number, situation in enumerate(played, 1):
        outcomes.setdefault(situation.scenario.name, []).append(what_if(model, situation, HORIZON))
        if on_situation:
            on_situation(f"ranked actions in {number} of {len(played)} situations")
    agreed: dict[str, list[int]] = {name: [] for name in OBJECTIVES}
    regrets: dict[str, list[float]] = {name: [] for name in OBJECTIVES}
    rows = []
    for scenario, found in outcomes.items():
        for name in OBJECTIVES:
            ranking = Ranking(found, name)
            agreed[name] += (mine := ranking.agreements())
            regrets[name] += (lost := ranking.regrets())
            rows.append((scenario, name, len(found), *_figures(mine, lost)))
    for name in OBJECTIVES:
        rows.append(("all", name, len(played), *_figures(agreed[name], regrets[name])))
    columns = ("scenario", "objective", "situations", "pairs apart in NS-3", "Kendall's tau",
               "median regret, %", "mean regret, %")  # fmt: skip
    section = Section(
        key="ranking",
        title="Ranking of actions",
        text=(
            f"NS-3 was run for {MOMENT} intervals and branched into {N_ACTIONS} futures: nothing "
            "is done, or one setting of one element or of all cells is changed, drawn at random. "
            f"Objectives are averages of the whole network over the {HORIZON} intervals that "
            "follow. Kendall's tau counts pairs of actions that lie more than "
            f"{100 * DISTINCT:g} % of the objective's range apart in NS-3, as most actions change "
            "little. Regret is how far the model's best action falls short of NS-3's best one, "
            "to that range."
        ),
        tables=(Table(columns=columns, rows=tuple(rows)),),
    )
    return section, [*_gates(gates, agreed, regrets)]


def _figures(agreed: Sequence[int], regrets: Sequence[float]) -> tuple[float | None, ...]:
    tau = round(float(np.mean(agreed)), 3) if agreed else None
    if not regrets:
        return len(agreed), tau, None, None
    median, mean = (round(100 * float(f(regrets)), 2) for f in (np.median, np.mean))
    return len(agreed), tau, median, mean


def _gates(
    gates: Gates, agreed: Mapping[str, Sequence[int]], regrets: Mapping[str, Sequence[float]]
) -> Iterator[GateResult]:
    limits = gates.ranking
    for name in OBJECTIVES:
        pairs = agreed[name]
        if len(pairs) < LEAST_PAIRS:
            why = f"too few pairs to judge: {len(pairs)}, and {LEAST_PAIRS} are needed"
            yield GateResult(name=f"ranking/tau/{name}", holds=None, why=why)
        else:
            tau = float(np.mean(pairs))
            yield GateResult(
                name=f"ranking/tau/{name}",
                value=tau,
                low=limits.least_tau,
                holds=tau >= limits.least_tau,
                why=f"Kendall's tau over {len(pairs)} pairs of actions is {tau:.2f}",
            )
        if regrets[name]:
            regret = 100 * float(np.median(regrets[name]))
            yield GateResult(
                name=f"ranking/regret/{name}",
                value=regret,
                high=limits.most_regret_pct,
                unit="%",
                holds=regret <= limits.most_regret_pct,
                why=f"the model's best action falls short by {regret:.2f} % of the range (median)",
            )
