# SPDX-License-Identifier: Apache-2.0
"""What NS-3 and a model make of the same actions in the same situation: `what_if`.

A live simulation is run to a moment, its future is drawn several times, and each draw is branched
once per action: all branches share the past down to the last packet, and all actions meet the same
draws. What NS-3 says of an action is the mean over the draws. The model starts from the KPIs of
that moment. What NS-3 has played is kept, so that other models are held against it at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from calibration.network import Floats, network_of
from calibration.rolling import Moment, Roll, moments_of
from calibration.trajectory import Table, Trajectory, taken, trajectory
from experiment_model import ExperimentModel
from ns3_scenarios.controls import Schedule
from ns3_scenarios.keeping import Tables, kept, kept_path
from ns3_scenarios.live import LiveSimulation
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.sweeps import draw_action

REDRAWS = 5
"""Draws of the future that NS-3 plays each action under."""
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
    """By objective, shape (actions, redraws)."""
    model: dict[str, Floats]
    """By objective, shape (actions,)."""


def situation_of(
    scenario: ScenarioConfig, seed: int, interval: int, n_actions: int, draw: int = 0
) -> Situation:
    """A situation with actions drawn at random; equal arguments draw the same."""
    random = Random(f"{draw}:{scenario.name}:{seed}:{interval}")
    actions = [(), *(draw_action(scenario, random, interval) for _ in range(n_actions - 1))]
    return Situation(scenario, seed, interval, tuple(actions))


def what_if(
    model: ExperimentModel, situation: Situation, horizon: int, redraws: int = REDRAWS
) -> Outcome:
    """Play all actions of a situation on NS-3 and on the model.

    The model knows of the future what is planned: faults. What open-loop applications are going to
    send nobody knows. As somebody would who has their sources but not NS-3, the model rolls on
    under several draws of it, those that NS-3 plays, and says the mean.

    Args:
        model: what is held against NS-3.
        situation: what is played.
        horizon: intervals that each action is followed for.
        redraws: draws of the future; 2 or more.

    Raises:
        SimulationError: NS-3 ended abnormally.
    """
    ahead = np.arange(situation.interval, situation.interval + horizon)
    real, starts, controls, outside = [], [], [], []
    for run in _futures(situation, horizon, redraws):
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

    def by_action(values: Floats) -> Floats:
        return values.reshape(redraws, len(situation.actions)).T

    return Outcome(
        situation,
        {name: by_action(np.array([one[name] for one in real])) for name in OBJECTIVES},
        {
            name: by_action(np.array([[one[name] for one in step] for step in ours]).mean(0)).mean(
                1
            )
            for name in OBJECTIVES
        },
    )


def _futures(situation: Situation, horizon: int, redraws: int) -> Iterator[Trajectory]:
    """What NS-3 makes of each action, action by action under one draw after the other."""
    network, actions = network_of(situation.scenario), situation.actions
    past, *futures = _played(situation, horizon, redraws)
    for number, future in enumerate(futures):
        tables = {name: pa.concat_tables([past[name], future[name]]) for name in past}
        yield trajectory(network, tables, actions[number % len(actions)], situation.seed)


def _played(situation: Situation, horizon: int, redraws: int) -> list[Tables]:
    """KPI tables up to the moment, and of each future; of an earlier call, or of live NS-3."""
    scenario, seed = situation.scenario, situation.seed
    actions = tuple(
        tuple(change.model_dump_json() for change in action) for action in situation.actions
    )
    decides = (scenario.canonical_json(), seed, situation.interval, actions, horizon, redraws)

    def play() -> list[Tables]:
        with LiveSimulation(scenario, seed) as live:
            played = [live.advance(situation.interval)]
            for draw_seed in range(redraws):
                with live.branch() as draw:
                    draw.redraw(draw_seed)
                    for action in situation.actions:
                        with draw.branch() as branch:
                            branch.apply(action)
                            played.append(branch.advance(horizon))
        return played

    return kept(kept_path("what-ifs", f"{scenario.name}-{seed}", decides), play)


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
