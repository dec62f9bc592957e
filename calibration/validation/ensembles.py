# SPDX-License-Identifier: Apache-2.0
"""Whether drawn roll-outs vary as NS-3 does: `Ensembles`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.checks import Run
from calibration.rolling import Roll, moments_of
from calibration.trajectory import Trajectory
from calibration.validation.report import Table
from experiment_model import ExperimentModel

Floats = NDArray[np.float64]

DRAWS = 20
"""Roll-outs from each start."""
STRIDE = 3
"""Intervals from one start to the next."""
KPIS = ("throughput_mbps", "latency_ms", "packet_loss_pct", "within_budget_pct", "prb_util_pct")


class Ensembles:
    """KPIs of slices of whole networks: many drawn roll-outs beside the one that NS-3 did.

    Args:
        steps: horizon, which is looked at beside the first interval.
        seed: of the draws.
    """

    def __init__(self, steps: int, seed: int = 0) -> None:
        self.steps = steps
        self._rng = np.random.default_rng(seed)
        self._found: dict[tuple[str, int], dict[str, list[tuple[Floats, Floats]]]] = {}

    def add(self, model: ExperimentModel, identity: Run, run: Trajectory) -> None:
        """Roll out over a run, with its controls, faults and open-loop traffic."""
        starts = np.arange(0, run.n_intervals - self.steps, STRIDE)
        every = np.tile(starts, DRAWS)
        roll = Roll(model, moments_of(run, every), identity[0], self._rng)
        for step in range(1, self.steps + 1):
            at = every + step
            now = roll.step_as(run, at).now["network"]
            if step in (1, self.steps):
                for kpi in KPIS:
                    real = run.tables["network"][kpi]
                    drawn = now[kpi].reshape(DRAWS, -1)
                    true = real[starts + step].ravel()
                    known = np.isfinite(true) & np.isfinite(drawn).all(0)
                    scenarios = self._found.setdefault((kpi, step), {})
                    scenarios.setdefault(identity[0], []).append((drawn[:, known], true[known]))

    def merge(self, other: Ensembles) -> None:
        """Take the roll-outs over other runs in."""
        for key, scenarios in other._found.items():
            for scenario, found in scenarios.items():
                self._found.setdefault(key, {}).setdefault(scenario, []).extend(found)

    def table(self) -> Table:
        """Per KPI and horizon: bias and spread, medians over scenarios, and coverage of all."""
        columns = ("KPI of network", "steps ahead", "values", "bias / sd of NS-3",
                   "sd drawn / sd of NS-3", "80 % intervals hold, %")  # fmt: skip
        rows = []
        for (kpi, step), scenarios in self._found.items():
            biases, spreads, inside = [], [], []
            for found in scenarios.values():
                drawn = np.concatenate([d for d, _ in found], axis=1)
                true = np.concatenate([t for _, t in found])
                below = (drawn < true).sum(0)
                ties = self._rng.random(len(true)) * ((drawn == true).sum(0) + 1)
                inside.append(abs((below + ties) / (DRAWS + 1) - 0.5) <= 0.4)
                if len(true) and (sd := true.std()) > 0:
                    biases.append((drawn.mean() - true.mean()) / sd)
                    spreads.append(drawn.std() / sd)
            held = np.concatenate(inside)
            if biases:
                figures = np.median(biases), np.median(spreads), 100 * held.mean()
                rows.append((kpi, step, len(held), *(round(float(f), 3) for f in figures)))
        return Table(columns=columns, rows=tuple(rows))
