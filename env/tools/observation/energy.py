# SPDX-License-Identifier: Apache-2.0
"""The tool that reads energy."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import (
    Limit,
    Listing,
    Window,
    cells_of,
    listing,
    mean,
    panel,
    read_one,
    rounded,
)
from env.view import View


class GetEnergyReport(Arguments):
    """Of `get_energy_report`."""

    cell: str | None = Field(default=None, description="Name of a cell; all of them by default.")
    window: Window = 5
    limit: Limit = 20


class EnergyUse(Result):
    """Energy over a window."""

    power_w: float | None = None
    """Mean (PEE.AvgPower, TS 28.552 5.1.1.19.2)."""
    energy_j: float | None = None
    energy_per_bit_nj: float | None = None
    """Energy over the bits that the radio delivered, both directions; null without any."""
    sleep_pct: float | None = None
    """Mean share of time in sleep, or off."""


class CellEnergy(EnergyUse):
    """Energy of a cell over the window."""

    cell: str
    sleep_mode: str | None = None
    """How deeply it may sleep: on, micro, light, deep or off."""
    state: str | None = None
    """on, light, deep, waking, off or outage, at the end."""
    wakes: int | None = None
    """Times that it woke up in the last interval."""


class EnergyReport(Result):
    """Energy of cells."""

    intervals: int
    """That there were: fewer than `window` at the start."""
    total: EnergyUse
    """Of all cells asked for: power and energy together, sleep on average."""
    cells: Listing[CellEnergy]
    """The greatest power first."""


@tool("observation")
def get_energy_report(view: View, args: GetEnergyReport) -> EnergyReport:
    """Read power, energy, energy per bit and sleep of cells over a window.

    Power is that of the base station model of TR 38.864 Table 5.1-1. Energy of the core, of links
    and of edge sites is not counted.

    Errors: no_such_element.
    """
    window = view.window(args.window)
    names = cells_of(view) if args.cell is None else [view.cell(args.cell)]
    seconds = view.scenario.interval_ms * 1e-3
    columns = ("power_w", "energy_j", "sleep_pct", "dl_throughput_mbps", "ul_throughput_mbps")
    measured = panel(window, "cell", "cell", names, columns)
    power_w = np.nan_to_num(measured[:, 0]).mean(axis=1)
    order = np.argsort(-power_w, kind="stable")
    cells = [
        CellEnergy(
            **read_one(CellEnergy, view.now, "cell", cell=names[i])
            | _use(measured[i : i + 1], seconds)
            | {"cell": names[i]}
        )
        for i in order[: args.limit]
    ]
    return EnergyReport(
        intervals=len(window),
        total=EnergyUse(**_use(measured, seconds)),
        cells=listing(cells, args.limit, len(names)),
    )


def _use(measured: np.ndarray, seconds: float) -> dict[str, float | None]:
    """Of cells together; measurements have shape (cells, columns, intervals)."""
    power_w, energy_j, sleep_pct, *rates = np.moveaxis(measured, 1, 0)
    bits = 1e6 * seconds * np.nansum(rates)
    joules = np.nansum(energy_j) if np.isfinite(energy_j).any() else np.nan
    return {
        "power_w": rounded(mean(power_w.sum(0))),
        "energy_j": rounded(joules),
        "energy_per_bit_nj": rounded(1e9 * joules / bits) if bits > 0 else None,
        "sleep_pct": rounded(mean(sleep_pct.flat)),
    }
