# SPDX-License-Identifier: Apache-2.0
"""Everything known before an interval: `Step`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.network import Floats, Network
from calibration.trajectory import Table, Trajectory, taken


@dataclass(frozen=True)
class Step:
    """Everything known before an interval; arrays have a batch of moments as their first axis."""

    network: Network
    now: dict[str, Table]
    """KPIs of the interval that has ended."""
    before: dict[str, Table]
    """KPIs of the interval before that; the same where there is none."""
    controls: Table
    """In force in the next interval."""
    controls_now: Table
    """In force in the interval that has ended."""
    outside: Table
    """Faults and open-loop traffic of the next interval."""
    outside_now: Table
    age_intervals: Floats
    """How long ago KPIs were measured last, shape (B,): 0 unless a model has predicted `now`."""
    drawn: Floats
    """1 where a model has drawn `now`, shape (B,); 0 where it is measured, or predicted means."""


def steps_of(run: Trajectory) -> Step:
    """All moments of a run from which a next interval follows: T - 1 of them."""
    last = run.n_intervals - 1

    now, previous = np.arange(last), np.maximum(np.arange(last) - 1, 0)
    return Step(
        run.network,
        {name: taken(table, now) for name, table in run.tables.items()},
        {name: taken(table, previous) for name, table in run.tables.items()},
        taken(run.controls, now + 1),
        taken(run.controls, now),
        taken(run.outside, now + 1),
        taken(run.outside, now),
        np.zeros(last),
        np.zeros(last),
    )
