# SPDX-License-Identifier: Apache-2.0
"""The tool that budgets energy."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from env.backends.base import Futures
from env.errors import ToolError
from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import rounded, short
from env.tools.reasoning.foresight import (
    DRAWS,
    Band,
    Changes,
    Floats,
    Foreseen,
    Horizon,
    band,
    foresee,
    known_mean,
    measured,
    series,
    source,
)
from env.view import View

J_PER_WH = 3600.0


class ComputeEnergyBudget(Arguments):
    """Of `compute_energy_budget`."""

    cells: tuple[str, ...] = Field(
        default=(), max_length=400, description="Names of cells; or give ue."
    )
    ue: str | None = Field(default=None, description="Name of a UAV; or give cells.")
    changes: Changes = ()
    horizon: Horizon = Field(default=5)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.cells) == (self.ue is not None):
            raise ValueError("give either cells or ue")
        if len(set(self.cells)) < len(self.cells):
            raise ValueError("cells names one more than once")
        return self


class ElementEnergy(Result):
    """Energy of one cell or UAV over the horizon."""

    element: str
    present_j: Band
    proposed_j: Band


class Battery(Result):
    """The battery of a UAV."""

    charge_pct: float | None
    """Now."""
    present_end_pct: Band
    """At the end of the horizon as things are."""
    proposed_end_pct: Band
    """At the end of the horizon after the changes."""
    present_endurance_s: float | None
    """Until it is empty at the power that is drawn over the horizon; None where none is drawn."""
    proposed_endurance_s: float | None


class EnergyBudget(Foreseen):
    """Energy over the horizon as things are, and after changes."""

    duration_s: float
    """Of the horizon."""
    present_j: Band
    """Of all elements together."""
    proposed_j: Band
    saving_j: Band
    """Of the present over the proposed, future by future."""
    elements: list[ElementEnergy]
    battery: Battery | None
    """Of a UAV."""


@tool("reasoning")
def compute_energy_budget(view: View, args: ComputeEnergyBudget) -> EnergyBudget:
    """Compute the energy of cells, or of a UAV's battery, now and after changes.

    Energy is summed over the next intervals of 16 futures, with 80 % intervals: of cells by the
    power model of TR 38.864, of UAVs by what leaves the battery. Without changes both are alike.

    Errors: no_such_element for an unknown cell, or a user that is no UAV; bad_arguments unless
    exactly one of cells and ue is given; those of the changes; unavailable where the backend cannot
    look ahead or knows nothing of energy.
    """
    if args.ue is not None:
        names: tuple[str, ...] = (view.uav(args.ue),)
    else:
        names = tuple(view.cell(name, f"cells.{i}") for i, name in enumerate(args.cells))
    _, after = foresee(view, args.changes, args.horizon)
    before = view.futures((), args.horizon, DRAWS) if args.changes else after
    battery = None
    if args.ue is not None:
        battery, spent = _of_uav(view, args.ue, [before, after])
    else:
        spent = [
            np.array([series(f, "cell", "energy_j", cell=name).sum(1) for name in names])
            for f in (before, after)
        ]
    present, proposed = spent
    return EnergyBudget(
        duration_s=args.horizon * view.scenario.interval_ms / 1e3,
        present_j=_certain(present.sum(0), "energy"),
        proposed_j=_certain(proposed.sum(0), "energy"),
        saving_j=_certain(present.sum(0) - proposed.sum(0), "energy"),
        elements=[
            ElementEnergy(
                element=name,
                present_j=_certain(present[i], "energy"),
                proposed_j=_certain(proposed[i], "energy"),
            )
            for i, name in enumerate(names)
        ],
        battery=battery,
        **source(after),
    )


def _of_uav(view: View, ue: str, both: list[Futures]) -> tuple[Battery, list[Floats]]:
    """The battery, and the energy that leaves it by element and draw."""
    mobility = view.group_of[ue].mobility
    assert mobility.kind == "uav"
    capacity_j = mobility.battery_wh * J_PER_WH
    (now_pct,) = measured(view, ue, "battery_pct")
    ends = [series(f, "ue", "battery_pct", ue=ue)[:, -1] for f in both]
    spent = [(now_pct - end)[None] / 100 * capacity_j for end in ends]
    duration_s = len(both[0].draws[0]) * view.scenario.interval_ms / 1e3
    bands = [_certain(end, "the battery") for end in ends]
    left_s = [
        short(end.mean / 100 * capacity_j / (mean_j / duration_s)) if mean_j > 0 else None
        for end, mean_j in zip(bands, (float(known_mean(s)) for s in spent), strict=True)
    ]
    battery = Battery(
        charge_pct=rounded(float(now_pct)),
        present_end_pct=bands[0],
        proposed_end_pct=bands[1],
        present_endurance_s=left_s[0],
        proposed_endurance_s=left_s[1],
    )
    return battery, spent


def _certain(draws: Floats, what: str) -> Band:
    found = band(draws)
    if found is None:
        raise ToolError("unavailable", f"the model knows nothing of {what}")
    return found
