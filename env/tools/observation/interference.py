# SPDX-License-Identifier: Apache-2.0
"""The tool that says who disturbs a cell."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from env.kpis import Kpis
from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import Window, mean, panel, rounded
from env.view import View
from ns3_scenarios.scenario import Carrier, resource_blocks

THERMAL_DBM_PER_HZ = -174.0
UPLINK_REFERENCE_HZ = 180e3
"""Bandwidth to which uplink power control refers (TS 38.213 7.1.1, one block at 15 kHz)."""
MAX_CONTRIBUTORS = 8

Floats = NDArray[np.float64]


class MonitorInterference(Arguments):
    """Of `monitor_interference`."""

    cell: str = Field(description="Name of the cell, as in get_topology.")
    window: Window = 5


class Contributor(Result):
    """A cell that disturbs another."""

    cell: str
    interference_over_thermal_db: float | None
    """What comes from it (uplink: from its users) over thermal noise alone."""
    share_pct: float | None
    """Of the interference of all contributors."""
    prb_util_pct: float | None
    """Mean share of its resource blocks in use, in this direction."""


class Interference(Result):
    """Interference of a cell; contributors that are known, the strongest first, at most 8."""

    cell: str
    intervals: int
    """That there were: fewer than `window` at the start."""
    ul_iot_db: float | None
    """Measured uplink interference plus noise over thermal noise."""
    dl_iot_db: float | None
    """The same of the downlink, computed at its users; null without users."""
    dl_contributors: list[Contributor]
    ul_contributors: list[Contributor]


@tool("observation")
def monitor_interference(view: View, args: MonitorInterference) -> Interference:
    """Read interference over thermal noise of a cell, and which neighbours it comes from.

    Uplink: `ul_iot_db` is measured. Downlink, at each user u of the cell c, from each neighbour j
    that it reports (the three strongest): I_j/N = RSRP_uj / SCS_j x load_j x min(1, B_j / B_c) /
    N0, with RSRP per resource element, load the share of resource blocks in use, and N0 thermal
    noise and the user's noise figure. Uplink contributors: users of other cells that report c send
    min(Pmax, P0 + alpha x PL) per 180 kHz (TS 38.213 7.1.1) in their share of the blocks, over the
    path loss to c. Linear means over users and intervals; noise of foreign transmitters shows in
    `ul_iot_db` and list_alarms only. Users are connected on the first carrier: cells of others have
    `ul_iot_db` alone.

    Errors: no_such_element.
    """
    cell = view.cell(args.cell)
    window = view.window(args.window)
    measured_db = panel(window, "cell", "cell", [cell], ["ul_iot_db"])
    linear = mean((10 ** (measured_db / 10)).flat)
    radios = [_Radio(view, kpis) for kpis in window]
    down = _averaged([radio.downlink(cell) for radio in radios])
    up = _averaged([radio.uplink(cell) for radio in radios])
    return Interference(
        cell=cell,
        intervals=len(window),
        ul_iot_db=None if linear is None else rounded(10 * np.log10(linear)),
        dl_iot_db=None if down is None else rounded(10 * np.log10(1 + sum(down.values()))),
        dl_contributors=_contributors(view, window, down or {}, "dl"),
        ul_contributors=_contributors(view, window, up or {}, "ul"),
    )


class _Radio:
    """The measurements of one interval, from which interference follows.

    Axes: C cells, U users, N pairs of a user and a neighbour that it reports.
    """

    def __init__(self, view: View, kpis: Kpis) -> None:
        self.radio = view.scenario.radio
        self.cells: list[str] = kpis.column("cell", "cell").tolist()
        place = {name: i for i, name in enumerate(self.cells)}
        self.load = {d: kpis.column("cell", f"{d}_prb_util_pct") / 100 for d in ("dl", "ul")}
        numerology, width_mhz, power_dbm = (
            _setting(view, kpis, self.cells, c)
            for c in ("numerology", "bandwidth_mhz", "tx_power_dbm")
        )
        self.scs_hz = 15e3 * 2**numerology
        carriers = cycle(view.scenario.carriers)
        carrier_of = dict(zip(view.scenario.cell_ids, carriers, strict=False))
        grids = zip((carrier_of[c] for c in self.cells), width_mhz, numerology, strict=True)
        elements = 12 * np.array([_blocks(*grid) for grid in grids], float)
        self.occupied_hz = elements * self.scs_hz
        self.reference_dbm = power_dbm - 10 * np.log10(elements)
        """Power per resource element, shape (C,)."""
        row_of = {name: i for i, name in enumerate(kpis.column("ue", "ue"))}
        self.ue_cell = np.array([place.get(c, -1) for c in kpis.column("ue", "cell")], int)
        self.rsrp_dbm = kpis.column("ue", "rsrp_dbm")
        self.ue_share = kpis.column("ue", "ul_prb_util_pct") / 100
        reports = kpis.table("neighbour")
        self.user = np.array([row_of[u] for u in reports.get("ue", ())], int)
        self.heard = np.array([place.get(c, -1) for c in reports.get("cell", ())], int)
        self.level_dbm = kpis.column("neighbour", "rsrp_dbm")

    def downlink(self, cell: str) -> dict[str, float] | None:
        """Interference over noise by neighbour, mean over users; None where nothing is known."""
        if cell not in self.cells:
            return None
        own = self.cells.index(cell)
        members = int((self.ue_cell == own).sum())
        mine = self.ue_cell[self.user] == own
        heard = self.heard[mine]
        noise = 10 ** ((THERMAL_DBM_PER_HZ + self.radio.noise_figure_ue_db) / 10)
        overlap = np.minimum(1, self.occupied_hz[heard] / self.occupied_hz[own])
        density = 10 ** (self.level_dbm[mine] / 10) / self.scs_hz[heard]
        return self._by_cell(heard, density * self.load["dl"][heard] * overlap / noise / members)

    def uplink(self, cell: str) -> dict[str, float] | None:
        """Interference over noise by the cell whose users it comes from."""
        if cell not in self.cells:
            return None
        own = self.cells.index(cell)
        mine = self.heard == own
        user = self.user[mine]
        serving = self.ue_cell[user]
        noise_dbm = THERMAL_DBM_PER_HZ + self.radio.noise_figure_gnb_db
        noise_dbm += 10 * np.log10(UPLINK_REFERENCE_HZ)
        loss_db = self.reference_dbm[serving] - self.rsrp_dbm[user]
        power_dbm = self.radio.ul_p0_dbm + self.radio.ul_alpha * loss_db
        power_dbm = np.minimum(power_dbm, self.radio.ue_max_power_dbm)
        received_dbm = power_dbm - (self.reference_dbm[own] - self.level_dbm[mine])
        parts = self.ue_share[user] * 10 ** ((received_dbm - noise_dbm) / 10)
        return self._by_cell(serving, parts)

    def _by_cell(self, cells: NDArray[np.int64], parts: Floats) -> dict[str, float] | None:
        if not np.isfinite(parts).any():
            return None
        total = np.bincount(cells, np.nan_to_num(parts), minlength=len(self.cells))
        return {self.cells[i]: float(total[i]) for i in np.flatnonzero(total)}


def _setting(view: View, kpis: Kpis, cells: Sequence[str], column: str) -> Floats:
    """A setting that was in force, or that is now where the backend does not say."""
    now = np.array([getattr(view.controls.cells[cell], column) for cell in cells], float)
    then = kpis.column("cell", column)
    return np.where(np.isnan(then), now, then)


def _blocks(carrier: Carrier, bandwidth_mhz: float, numerology: float) -> int:
    if (bandwidth_mhz, numerology) == (carrier.bandwidth_mhz, carrier.numerology):
        return carrier.resource_blocks
    return resource_blocks(carrier.frequency_ghz, bandwidth_mhz, int(numerology))


def _averaged(intervals: Sequence[dict[str, float] | None]) -> dict[str, float] | None:
    """By cell, the mean over the intervals of which anything is known."""
    known = [found for found in intervals if found is not None]
    if not known:
        return None
    names = dict.fromkeys(name for found in known for name in found)
    return {name: sum(f.get(name, 0.0) for f in known) / len(known) for name in names}


def _contributors(
    view: View, window: Sequence[Kpis], parts: dict[str, float], direction: str
) -> list[Contributor]:
    total = sum(parts.values())
    loudest = sorted(parts, key=lambda name: -parts[name])
    shown = [n for n in loudest if parts[n] > 0 and view.scope.has(n)][:MAX_CONTRIBUTORS]
    loads = panel(window, "cell", "cell", shown, [f"{direction}_prb_util_pct"])
    return [
        Contributor(
            cell=name,
            interference_over_thermal_db=rounded(10 * np.log10(parts[name])),
            share_pct=rounded(100 * parts[name] / total),
            prb_util_pct=rounded(mean(load.flat)),
        )
        for name, load in zip(shown, loads, strict=True)
    ]
