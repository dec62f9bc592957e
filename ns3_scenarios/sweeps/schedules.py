# SPDX-License-Identifier: Apache-2.0
"""The control changes of one run, drawn from (configuration, seed) and nothing else."""

from __future__ import annotations

from random import Random

from ns3_scenarios.controls import ControlChange, ControlState, Schedule
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.sweeps.spec import RandomPiecewise, Replay, ScheduleSpec


def draw_schedule(spec: ScheduleSpec, scenario: ScenarioConfig, stream: str) -> Schedule:
    """Changes for one run, in the order of their intervals.

    Args:
        spec: how controls change.
        scenario: what they are controls of.
        stream: names the random stream; equal names give equal schedules.

    Raises:
        ControlError: a path names no control.
    """
    if isinstance(spec, Replay):
        return tuple(sorted(spec.changes, key=lambda change: change.interval))
    if isinstance(spec, RandomPiecewise):
        return _random_piecewise(spec, scenario, stream)
    return ()


def _random_piecewise(spec: RandomPiecewise, scenario: ScenarioConfig, stream: str) -> Schedule:
    state = ControlState.initial(scenario)
    changes = []
    for pattern, variation in spec.controls.items():
        matched = state.expand(pattern)
        for path in matched if variation.each else [pattern]:
            # Python promises `random()` of a seeded `Random` never to change between versions.
            random = Random(f"{stream}:{path}")
            interval = 0
            while interval < scenario.n_intervals:
                value = variation.at(random.random())
                changes.append(ControlChange(interval=interval, path=path, value=value))
                spread = spec.max_gap_intervals - spec.min_gap_intervals + 1
                interval += spec.min_gap_intervals + int(random.random() * spread)
    return tuple(sorted(changes, key=lambda change: change.interval))
