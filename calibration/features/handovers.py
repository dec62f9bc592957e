# SPDX-License-Identifier: Apache-2.0
"""Which users are about to change their cell: `Handovers`."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calibration.features.radio import DEEP, OFF, Radio
from calibration.network import Floats
from calibration.sums import within
from calibration.trajectory import UNHEARD_DBM, Table
from experiment_model.compiling import vectorized

MEASUREMENT_DB = 0.7
"""Scatter of filtered measurements."""
MEASURING_MS = 60.0
"""That measuring and preparing take beside the time to trigger."""
HOPELESS_DB = 200.0
"""Taken for the margin of cells that are off."""


class Handovers:
    """How far each user meets the A3 condition after the change, and with which cell.

    TS 38.331 5.5.4.4: Mn + Ocn - Hys > Mp + Off. Neighbours that are off do not count, and users
    whose own cell is off want away from it in any case.

    Attributes:
        margin_db: by how much the best neighbour meets it, shape (B, U), like all others.
        is_ordered: whether an operator orders a handover.
        target: cell to go to.
    """

    def __init__(self, radio: Radio) -> None:
        self._radio = radio
        ordered = radio.step.controls["ordered_cell"]
        self.is_ordered: NDArray[np.bool_] = (ordered >= 0) & (ordered != radio.ue_cell)
        step = radio.step
        self.margin_db, best = self._best(
            step.controls, radio.re_power_change_db, radio.on, radio.rsrp_dbm
        )
        self.target: NDArray[np.int64] = np.where(self.is_ordered, ordered, best)

    def _best(
        self, controls: Table, power_change_db: Floats, on: Floats, rsrp_dbm: Floats
    ) -> tuple[Floats, NDArray[np.int64]]:
        radio = self._radio
        neighbour = radio.step.now["neighbour"]
        cio_db = controls["cio_db"].reshape(radio.batch, 1, -1)
        against_db = controls["a3_offset_db"] + controls["hysteresis_db"]
        of_cells = (of_cell[:, None] for of_cell in (power_change_db, on, against_db))
        margin_db, best = _best(
            neighbour["cell"], neighbour["rsrp_dbm"], *of_cells, cio_db, radio.ue_cell, rsrp_dbm
        )
        return margin_db, best

    @cached_property
    def margin_now_db(self) -> Floats:
        """The same before the change: above 0, the condition has held for a while."""
        radio, step = self._radio, self._radio.step
        still = np.zeros_like(radio.re_power_change_db)
        was_on = radio.was_on
        return self._best(step.controls_now, still, was_on, step.now["ue"]["rsrp_dbm"])[0]

    @cached_property
    def due(self) -> Floats:
        """Chance of leaving in the next interval, by how long the condition has to hold.

        A condition that holds from the change on is met long enough if the time fits into the
        interval; one that held before, an interval at most or so, if it fits into two.
        """
        turns = self._radio.network.scenario.interval_ms / self.time_ms
        held = self.margin_now_db > 0
        return np.asarray(self.chance * within(np.where(held, 2 * turns, turns), 0, 1))

    @cached_property
    def chance(self) -> Floats:
        """Of leaving, as what is measured scatters around the mean."""
        scattered = 1 / (1 + np.exp(-within(self.margin_db / MEASUREMENT_DB, -30, 30)))
        return np.where(self.is_ordered, 1.0, scattered)

    @cached_property
    def time_ms(self) -> Floats:
        """That the condition must hold."""
        return self._radio.at_user(self._radio.step.controls["ttt_ms"]) + MEASURING_MS

    @cached_property
    def falls(self) -> NDArray[np.bool_]:
        """Cells that hand their users over: switched off, or deep asleep for want of load."""
        controls = self._radio.step.controls
        idle = self._radio.load * 100 <= controls["wake_prb_pct"]
        return np.asarray(
            (controls["sleep_mode"] == OFF) | ((controls["sleep_mode"] == DEEP) & idle)
        )


@vectorized(
    "(int64[:], float64[:], float64[:], float64[:], float64[:], float64[:], int64, float64,"
    " float64[:], int64[:])",
    "(n),(n),(c),(c),(c),(p),(),()->(),()",
)
def _best(  # type: ignore[no-untyped-def]
    cell, level_dbm, change_db, on, against_db, cio_db, serving, rsrp_dbm, margin_db, best
):
    """Greatest margin of a user's neighbours, and whose it is; its own cell where none is known."""
    margin_db[0], best[0] = -np.inf, serving
    for n in range(len(cell)):
        c = cell[n]
        if level_dbm[n] > UNHEARD_DBM and on[c] > 0:
            offset_db = cio_db[serving * len(on) + c]
            found = level_dbm[n] + change_db[c] + offset_db - against_db[serving] - rsrp_dbm
        else:
            found = -2 * HOPELESS_DB
        if not on[serving] > 0:
            found += HOPELESS_DB
        if found > margin_db[0]:
            margin_db[0], best[0] = found, c
