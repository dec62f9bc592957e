# SPDX-License-Identifier: Apache-2.0
"""What a user in the air is likely to hear at any point: `Coverage`."""

from __future__ import annotations

import numpy as np

from env.errors import ToolError
from env.tools.reasoning.foresight import Floats, measured, serving_cell
from env.view import View
from ns3_scenarios.geometry import sector_bearings_deg, site_positions_m
from ns3_scenarios.scenario import resource_blocks

ELEMENT_DBI = 8.0
"""Greatest gain of an element of the antenna (TR 38.901 Table 7.3-1), and its beamwidth and least
gain below."""
BEAMWIDTH_DEG = 65.0
FRONT_TO_BACK_DB = 30.0
LEAST_HEIGHT_M = 22.5
"""Above which the tables of TR 36.777 Annex B are for users in the air; lower ones are taken for
as high."""
MOST_HEIGHT_M = 300.0
CORRELATION_M = {"UMi": 10.0, "UMa": 37.0, "RMa": 37.0}
"""Of shadow fading in line of sight: TR 38.901 Table 7.5-6."""
THERMAL_DBM_PER_HZ = -174.0
DEAD = ("off", "outage")


class Coverage:
    """RSRP and SINR of the first carrier's cells by path loss, antennas and present loads.

    Mean path loss and line of sight of TR 36.777 Annex B, and antenna elements of TR 38.901 7.3.
    What a user measures differs from that by shadowing, which is taken to fade away with distance
    as in TR 38.901 7.4-5. RSRP is without the gain of arrays, which SINR has. SINR is at the mean
    interference: the mean SINR that is measured is greater, as blocks that meet none count alike.

    Args:
        view: of the network.
        ue: user whose measurements correct it.

    Raises:
        ToolError: it is not known where the user is.
    """

    def __init__(self, view: View, ue: str) -> None:
        scenario = view.scenario
        self._scenario = scenario
        step = len(scenario.carriers)
        self.cells = scenario.cell_ids[::step]
        controls = [view.controls.cells[cell] for cell in self.cells]
        carrier = scenario.carriers[0]
        n_rb = np.array(
            [
                carrier.resource_blocks
                if (c.bandwidth_mhz, c.numerology) == (carrier.bandwidth_mhz, carrier.numerology)
                else resource_blocks(carrier.frequency_ghz, c.bandwidth_mhz, c.numerology)
                for c in controls
            ]
        )
        power_dbm = np.array([c.tx_power_dbm for c in controls])
        self._reference_dbm = power_dbm - 10 * np.log10(12 * n_rb)
        self._reference_dbm += ELEMENT_DBI * (scenario.ue_antenna.element == "3gpp")
        self._beam = scenario.gnb_antenna.n_elements * scenario.ue_antenna.n_elements
        """Gain of arrays that point at each other; others meet at a gain of 1 on average."""
        self._tilt_rad = np.radians([c.tilt_deg for c in controls])
        n_sectors = scenario.layout.n_sectors
        bearings = sector_bearings_deg(scenario.layout)
        self._bearing_rad = np.radians([bearings[i % n_sectors] for i in range(len(self.cells))])
        self._sites_m = np.repeat(np.array(site_positions_m(scenario.layout)), n_sectors, axis=0)
        scs_hz = 15e3 * 2.0 ** np.array([c.numerology for c in controls])
        noise_dbm = THERMAL_DBM_PER_HZ + scenario.radio.noise_figure_ue_db + 10 * np.log10(scs_hz)
        self._noise_mw = 10 ** (noise_dbm / 10)
        self._read(view, ue)

    def _read(self, view: View, ue: str) -> None:
        kpis = view.now
        place = {name: i for i, name in enumerate(self.cells)}
        at = [kpis.where("cell", cell=cell) for cell in self.cells]
        load = [kpis.column("cell", "dl_prb_util_pct")[rows].sum() / 100 for rows in at]
        self._load = np.nan_to_num(np.array(load, float), nan=1.0)
        states = kpis.column("cell", "state")
        self._alive = np.array([not any(s in DEAD for s in states[rows]) for rows in at])
        *position, rsrp_dbm = measured(view, ue, "x_m", "y_m", "z_m", "rsrp_dbm")
        self.position_m = np.array(position)
        if not np.isfinite(self.position_m).all():
            raise ToolError("unavailable", f"it is not known where {ue} is")
        heard = dict.fromkeys(serving_cell(view, ue), rsrp_dbm)
        neighbours, levels = (kpis.column("neighbour", c) for c in ("cell", "rsrp_dbm"))
        for i in kpis.where("neighbour", ue=ue):
            heard[str(neighbours[i])] = levels[i]
        self._shadowing_db = np.zeros(len(self.cells))
        here = self._mean_rsrp_dbm(self.position_m[None])[0]
        for cell, level in heard.items():
            if cell in place and np.isfinite(level):
                self._shadowing_db[place[cell]] = level - here[place[cell]]

    def rsrp_dbm(self, points_m: Floats) -> Floats:
        """RSRP of every cell at some points, shape (points, cells)."""
        moved_m = np.linalg.norm(points_m - self.position_m, axis=1)[:, None]
        kept = np.exp(-moved_m / CORRELATION_M[self._scenario.propagation.environment])
        levels = self._mean_rsrp_dbm(points_m) + kept * self._shadowing_db
        return np.asarray(np.where(self._alive, levels, -np.inf))

    def serving(self, points_m: Floats) -> tuple[Floats, Floats]:
        """RSRP (dBm) and SINR (dB) of the strongest cell at some points, shape (points,) each."""
        levels = self.rsrp_dbm(points_m)
        best = levels.argmax(1)[:, None]
        power = 10 ** (levels / 10)
        wanted = np.take_along_axis(power, best, 1)[:, 0] * self._beam
        disturbing = power * self._load
        np.put_along_axis(disturbing, best, 0.0, 1)
        total = disturbing.sum(1) + self._noise_mw[best[:, 0]]
        with np.errstate(divide="ignore"):  # no cell is alive
            sinr = 10 * np.log10(wanted / total)
        return np.take_along_axis(levels, best, 1)[:, 0], sinr

    def _mean_rsrp_dbm(self, points_m: Floats) -> Floats:
        way = points_m[:, None] - self._sites_m
        flat = np.maximum(np.linalg.norm(way[..., :2], axis=-1), 1.0)
        distance = np.maximum(np.linalg.norm(way, axis=-1), 1.0)
        height = np.clip(points_m[:, 2], LEAST_HEIGHT_M, MOST_HEIGHT_M)[:, None]
        loss_db = self._loss_db(flat, distance, height)
        return np.asarray(self._reference_dbm + self._element_dbi(way) - loss_db)

    def _element_dbi(self, way: Floats) -> Floats:
        """Gain of an element towards a way, TR 38.901 Table 7.3-1."""
        if self._scenario.gnb_antenna.element == "isotropic":
            return np.zeros(way.shape[:-1])
        cos_b, sin_b = np.cos(self._bearing_rad), np.sin(self._bearing_rad)
        cos_t, sin_t = np.cos(self._tilt_rad), np.sin(self._tilt_rad)
        ahead = way[..., 0] * cos_b + way[..., 1] * sin_b
        left = way[..., 1] * cos_b - way[..., 0] * sin_b
        front = ahead * cos_t - way[..., 2] * sin_t
        up = ahead * sin_t + way[..., 2] * cos_t
        azimuth = np.degrees(np.arctan2(left, front))
        elevation = np.degrees(np.arctan2(up, np.hypot(left, front)))
        vertical = np.minimum(12 * (elevation / BEAMWIDTH_DEG) ** 2, FRONT_TO_BACK_DB)
        horizontal = np.minimum(12 * (azimuth / BEAMWIDTH_DEG) ** 2, FRONT_TO_BACK_DB)
        return np.asarray(ELEMENT_DBI - np.minimum(vertical + horizontal, FRONT_TO_BACK_DB))

    def _loss_db(self, flat: Floats, distance: Floats, height: Floats) -> Floats:
        """Mean path loss over line of sight: TR 36.777 Tables B-1 and B-2."""
        environment = self._scenario.propagation.environment
        ghz = self._scenario.carriers[0].frequency_ghz
        lg_h, lg_d, lg_f = np.log10(height), np.log10(distance), 20 * np.log10(ghz)
        metre = 20 * np.log10(40 * np.pi * ghz / 3)
        if environment == "UMi":
            los = np.maximum(metre + 20 * lg_d, 30.9 + (22.25 - 0.5 * lg_h) * lg_d + lg_f)
            nlos = np.maximum(los, 32.4 + (43.2 - 7.6 * lg_h) * lg_d + lg_f)
            p1, d1, clear_m = 233.98 * lg_h - 0.95, 294.05 * lg_h - 432.94, np.inf
        elif environment == "UMa":
            los = 28 + 22 * lg_d + lg_f
            nlos = -17.5 + (46 - 7 * lg_h) * lg_d + metre
            p1, d1, clear_m = 4300 * lg_h - 3800, 460 * lg_h - 700, 100.0
        else:
            los = np.maximum(23.9 - 1.8 * lg_h, 20) * lg_d + metre
            nlos = np.maximum(los, -12 + (35 - 5.3 * lg_h) * lg_d + metre)
            p1 = np.maximum(15021 * lg_h - 16053, 1000)
            d1, clear_m = 1350.8 * lg_h - 1602, 40.0
        d1 = np.maximum(d1, 18.0)
        chance = np.minimum(1.0, d1 / flat + np.exp(-flat / p1) * (1 - d1 / flat))
        chance = np.where(height > clear_m, 1.0, chance)
        sight = self._scenario.propagation.line_of_sight
        if sight != "probabilistic":
            chance = np.full_like(chance, float(sight == "always"))
        return np.asarray(chance * los + (1 - chance) * nlos)
