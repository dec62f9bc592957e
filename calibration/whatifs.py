# SPDX-License-Identifier: Apache-2.0
"""What NS-3 and a model make of the same actions in the same situation: `what_if`.

A live simulation is run to a moment and branched once per action, so that all branches share its
past, down to the last packet. The model starts from the KPIs of that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from calibration.network import Floats, network_of
from calibration.rolling import Moment, Roll, moments_of
from calibration.trajectory import Table, taken, trajectory
from experiment_model import ExperimentModel
from ns3_scenarios.controls import Schedule
from ns3_scenarios.live import LiveSimulation
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.sweeps import draw_action

OBJECTIVES = {
    "throughput_mbps": 1,
    "latency_ms": -1,
    "packet_loss_pct": -1,
    "within_budget_pct": 1,
    "power_w": -1,
}
"""KPIs of the whole network by which actions are ranked, and whether more is better."""


@dataclass(frozen=True)
class Situation:
    """A network at a moment, and what can be done."""

    scenario: ScenarioConfig
    seed: int
    interval: int
    """Reporting intervals that have passed."""
    actions: tuple[Schedule, ...]
    """Changes made together at that moment; the first action is to do nothing."""


@dataclass(frozen=True)
class Outcome:
    """Objectives after each action, averaged over the intervals that follow."""

    situation: Situation
    ns3: dict[str, Floats]
    """By objective, shape (actions,)."""
    model: dict[str, Floats]


def situation_of(
    scenario: ScenarioConfig, seed: int, interval: int, n_actions: int, draw: int = 0
) -> Situation:
    """A situation with actions drawn at random; equal arguments draw the same."""
    random = Random(f"{draw}:{scenario.name}:{seed}:{interval}")
    actions = [(), *(draw_action(scenario, random, interval) for _ in range(n_actions - 1))]
    return Situation(scenario, seed, interval, tuple(actions))


def what_if(model: ExperimentModel, situation: Situation, horizon: int) -> Outcome:
    """Play all actions of a situation on NS-3 and on the model.

    The model knows of the future what is decided outside the network: faults, and what open-loop
    applications send.

    Args:
        model: what is held against NS-3.
        situation: what is played.
        horizon: intervals that each action is followed for.

    Raises:
        SimulationError: NS-3 ended abnormally.
    """
    ahead = np.arange(situation.interval, situation.interval + horizon)
    real, starts, controls, outside = [], [], [], []
    with LiveSimulation(situation.scenario, situation.seed) as live:
        past = live.advance(situation.interval)
        for action in situation.actions:
            with live.branch() as branch:
                if action:
                    branch.apply(action)
                future = branch.advance(horizon)
            run = trajectory(
                network_of(situation.scenario),
                {name: pa.concat_tables([past[name], future[name]]) for name in past},
                action,
                situation.seed,
            )
            real.append(_objectives(run.tables, ahead))
            starts.append(moments_of(run, [situation.interval - 1]))
            controls.append(taken(run.controls, ahead))
            outside.append(taken(run.outside, ahead))
    roll = Roll(model, _together(starts), situation.scenario.name)
    ours: list[list[dict[str, float]]] = []
    for step in range(horizon):
        moment = roll.step(
            {name: np.stack([c[name][step] for c in controls]) for name in controls[0]},
            {name: np.stack([o[name][step] for o in outside]) for name in outside[0]},
        )
        ours.append([_at_once(moment.now, i) for i in range(len(starts))])
    return Outcome(
        situation,
        {name: np.array([one[name] for one in real]) for name in OBJECTIVES},
        {
            name: np.array([[one[name] for one in step] for step in ours]).mean(0)
            for name in OBJECTIVES
        },
    )


def _objectives(tables: dict[str, Table], intervals: NDArray[np.int64]) -> dict[str, float]:
    every = [_at_once(tables, int(i)) for i in intervals]
    return {name: float(np.mean([one[name] for one in every])) for name in OBJECTIVES}


def _at_once(tables: dict[str, Table], index: int) -> dict[str, float]:
    """Objectives of one interval: rates add up, all else is weighted by them."""
    network = taken(tables["network"], index)
    weight = network["throughput_mbps"]

    def mean(name: str) -> float:
        known = np.isfinite(network[name])
        total = weight[known].sum()
        return float((network[name][known] * weight[known]).sum() / total) if total > 0 else 0.0

    return {
        "throughput_mbps": float(weight.sum()),
        "latency_ms": mean("latency_ms"),
        "packet_loss_pct": mean("packet_loss_pct"),
        "within_budget_pct": mean("within_budget_pct"),
        "power_w": float(tables["cell"]["power_w"][index].sum()),
    }


def _together(starts: Sequence[Moment]) -> Moment:
    """Moments of one network, side by side."""
    first = starts[0]

    def joined(tables: Sequence[Table]) -> Table:
        return {name: np.concatenate([t[name] for t in tables]) for name in tables[0]}

    return Moment(
        first.network,
        {table: joined([s.now[table] for s in starts]) for table in first.now},
        {table: joined([s.before[table] for s in starts]) for table in first.before},
        joined([s.controls for s in starts]),
        joined([s.outside for s in starts]),
    )
