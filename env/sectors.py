# SPDX-License-Identifier: Apache-2.0
"""Where the cells of a network lie and how they fare, for those who draw it: `sectors_of`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from env.view import View
from ns3_scenarios.geometry import sector_bearings_deg, site_positions_m


@dataclass(frozen=True)
class Sector:
    """A cell on the map: a sector of a circle around its site."""

    cell: str
    x_m: float
    """Position of its site."""
    y_m: float
    bearing_deg: float
    """Anticlockwise from the x axis."""
    half_deg: float
    """To either side of the bearing."""
    radius_m: float
    """The larger the more power it sends with; a drawing, not its coverage."""
    load_pct: float
    """Downlink resource blocks used; 0 where it is not known."""
    state: str
    """`on` where it is not known."""

    @property
    def centre_m(self) -> tuple[float, float]:
        """Where its name is written and lines to its users end."""
        if self.half_deg >= 180:
            return self.x_m, self.y_m
        angle, at_m = math.radians(self.bearing_deg), 0.6 * self.radius_m
        return self.x_m + at_m * math.cos(angle), self.y_m + at_m * math.sin(angle)


def sectors_of(view: View) -> list[Sector]:
    """All cells, in the order of the scenario; those of further carriers are drawn smaller."""
    scenario, now = view.scenario, view.now
    layout, n_carriers = scenario.layout, len(scenario.carriers)
    sites, bearings = site_positions_m(layout), sector_bearings_deg(layout)
    loads = np.nan_to_num(now.column("cell", "dl_prb_util_pct").astype(float))
    states = now.column("cell", "state")
    found = []
    for index, cell in enumerate(scenario.cell_ids):
        sector, carrier = divmod(index, n_carriers)
        x_m, y_m, _ = sites[sector // layout.n_sectors]
        more_db = view.controls.cells[cell].tx_power_dbm - scenario.carriers[carrier].tx_power_dbm
        found.append(
            Sector(
                cell=cell,
                x_m=x_m,
                y_m=y_m,
                bearing_deg=bearings[sector % layout.n_sectors],
                half_deg=180 / len(bearings),
                radius_m=0.45
                * layout.isd_m
                * (0.5 + 0.5 * 10 ** (more_db / 20))
                * (1 - 0.25 * carrier),
                load_pct=float(loads[index]),
                state=states[index] if isinstance(states[index], str) else "on",
            )
        )
    return found
