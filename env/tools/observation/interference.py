# SPDX-License-Identifier: Apache-2.0
"""The tool that says who disturbs a cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from env.kpis import Kpis
from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import Window, mean, panel, rounded
from env.view import View
from ns3_scenarios.scenario import resource_blocks

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
    """The measurements of one interval, from which interference follows."""

    def __init__(self, view: View, kpis: Kpis) -> None:
        radio = view.scenario.radio
        self.radio = radio
        cells = kpis.column("cell", "cell")
        self.index = {name: i for i, name in enumerate(cells)}
        self.load = {d: kpis.column("cell", f"{d}_prb_util_pct") / 100 for d in ("dl", "ul")}
        grid = [
            (view.scenario.cell_carrier(name), mhz, numerology)
            for name, mhz, numerology in zip(
                cells,
                kpis.column("cell", "bandwidth_mhz"),
                kpis.column("cell", "numerology"),
                strict=True,
            )
        ]
        self.scs_hz = 15e3 * 2 ** kpis.column("cell", "numerology")
        n_rb = [resource_blocks(c.frequency_ghz, mhz, int(n)) for c, mhz, n in grid]
        self.occupied_hz = 12 * np.array(n_rb) * self.scs_hz
        power = kpis.column("cell", "tx_power_dbm")
        self.reference_dbm = power - 10 * np.log10(np.maximum(12 * np.array(n_rb), 1))
        """Power per resource element."""
        ues = kpis.column("ue", "ue")
        self.row_of_ue = {name: i for i, name in enumerate(ues)}
        self.ue_cell = kpis.column("ue", "cell")
        self.rsrp_dbm = kpis.column("ue", "rsrp_dbm")
        self.ue_share = kpis.column("ue", "ul_prb_util_pct") / 100
        self.heard = [
            (self.row_of_ue[ue], cell, level)
            for ue, cell, level in zip(
                kpis.column("neighbour", "ue"),
                kpis.column("neighbour", "cell"),
                kpis.column("neighbour", "rsrp_dbm"),
                strict=True,
            )
            if ue in self.row_of_ue
        ]

    def downlink(self, cell: str) -> dict[str, float] | None:
        """Interference over noise by neighbour, mean over users; None without users."""
        members = int((self.ue_cell == cell).sum())
        if not members or not self.heard:
            return None
        own = self.index[cell]
        noise = 10 ** ((THERMAL_DBM_PER_HZ + self.radio.noise_figure_ue_db) / 10)
        found: dict[str, float] = defaultdict(float)
        for user, neighbour, level_dbm in self.heard:
            if self.ue_cell[user] == cell:
                other = self.index[neighbour]
                overlap = min(1.0, self.occupied_hz[other] / self.occupied_hz[own])
                density = 10 ** (level_dbm / 10) / self.scs_hz[other]
                part = density * self.load["dl"][other] * overlap / noise
                found[neighbour] += np.nan_to_num(part) / members
        return dict(found)

    def uplink(self, cell: str) -> dict[str, float] | None:
        """Interference over noise by the cell whose users it comes from."""
        if not self.heard:
            return None
        own = self.index[cell]
        noise_dbm = THERMAL_DBM_PER_HZ + self.radio.noise_figure_gnb_db
        noise_dbm += 10 * np.log10(UPLINK_REFERENCE_HZ)
        found: dict[str, float] = defaultdict(float)
        for user, heard, level_dbm in self.heard:
            if heard == cell:
                serving = self.index[self.ue_cell[user]]
                loss_db = self.reference_dbm[serving] - self.rsrp_dbm[user]
                power_dbm = self.radio.ul_p0_dbm + self.radio.ul_alpha * loss_db
                power_dbm = min(power_dbm, self.radio.ue_max_power_dbm)
                received_dbm = power_dbm - (self.reference_dbm[own] - level_dbm)
                part = self.ue_share[user] * 10 ** ((received_dbm - noise_dbm) / 10)
                found[self.ue_cell[user]] += float(np.nan_to_num(part))
        return dict(found)


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
