# SPDX-License-Identifier: Apache-2.0
"""Everything known before an interval: `Step`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.network import Floats, Network
from calibration.trajectory import Table, Trajectory


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


def steps_of(run: Trajectory) -> Step:
    """All moments of a run from which a next interval follows: T - 1 of them."""
    last = run.n_intervals - 1

    def at(table: Table, index: Any) -> Table:
        return {name: values[index] for name, values in table.items()}

    now, previous = np.arange(last), np.maximum(np.arange(last) - 1, 0)
    return Step(
        run.network,
        {name: at(table, now) for name, table in run.tables.items()},
        {name: at(table, previous) for name, table in run.tables.items()},
        at(run.controls, now + 1),
        at(run.controls, now),
        at(run.outside, now + 1),
        at(run.outside, now),
        np.zeros(last),
    )
