# SPDX-License-Identifier: Apache-2.0
"""What a roll-out carries on from interval to interval that no model predicts: users and flows.

Models predict KPIs of cells, slices, links and classes of flows. Rows of the next interval also
need each user's cell, signal and modulation, and each flow's backlog. These follow from the same
physics as the features, and are made to agree with what the model says of cells and classes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from calibration.features import Radio
from calibration.features.handovers import Handovers
from calibration.fluid import mcs_of_sinr, sinr_of_mcs_db
from calibration.network import FULL_BUFFER, RESPONSE, TCP, Floats, Network
from calibration.sums import greatest, known, picked, sum_into, within
from calibration.trajectory import UNHEARD_DBM, Table
from ns3_scenarios.geometry import site_positions_m

PATH_LOSS_EXPONENT = 3.0
"""Between those of line of sight (2.2) and beyond (3.9) in TR 38.901 Table 7.4.1-1."""
FOLLOWED = 0.5
"""Share of the gap to what is predicted of their cell that users close in one interval."""
LEAST_WINDOW = 0.9
"""Share of what a TCP sender has on its way that it has at least an interval later."""
MOST_SHIFT = 6.0
"""Most by which users' SINR (dB) or MCS follows their cell's in one interval."""


def levels_of(network: Network, ue: Table, neighbour: Table) -> Floats:
    """RSRP of every cell at every user, shape (B, U, C); `UNHEARD_DBM` where nothing is known."""
    shape = *ue["cell"].shape, network.n_cells
    levels = np.full(shape, UNHEARD_DBM)
    heard = np.nonzero(neighbour["rsrp_dbm"] > UNHEARD_DBM)
    levels[*heard[:2], neighbour["cell"][heard]] = neighbour["rsrp_dbm"][heard]
    np.put_along_axis(levels, ue["cell"][..., None], ue["rsrp_dbm"][..., None], -1)
    return levels


def _positions_m(table: Table) -> Floats:
    return np.stack([table[f"{axis}_m"] for axis in "xyz"], -1)


class Users:
    """Where users are, what they hear, and which cell serves them.

    Args:
        network: that they are in.
        ue: their KPIs of the last interval.
        neighbour: other cells that they hear.
    """

    def __init__(self, network: Network, ue: Table, neighbour: Table) -> None:
        self._network = network
        self._n_heard = neighbour["cell"].shape[-1]
        self._sites_m = np.array(site_positions_m(network.scenario.layout))
        self._levels_dbm = levels_of(network, ue, neighbour)
        self._met_ms = np.zeros(ue["cell"].shape)
        """For how long each user's best neighbour has met the A3 condition."""

    def copies(self, n: int) -> Users:
        """Each of B networks n times, one copy after the other."""
        other = copy.copy(self)
        other._levels_dbm = np.repeat(self._levels_dbm, n, axis=0)
        other._met_ms = np.repeat(self._met_ms, n, axis=0)
        return other

    @property
    def state(self) -> Table:
        """What they carry on beside KPIs."""
        return {"levels_dbm": self._levels_dbm, "met_ms": self._met_ms}

    def after(
        self, radio: Radio, cell: Table, rng: np.random.Generator | None
    ) -> tuple[Table, Table]:
        """Users at the end of the interval that `radio` is about.

        Args:
            radio: of the interval.
            cell: KPIs that the model predicts for it.
            rng: draws handovers; without one, users change cells when the condition is met.

        Returns:
            The tables `ue` and `neighbour`.
        """
        now = radio.step.now["ue"]
        moved_to = self._serving(radio, rng)
        position = self._move(radio)
        self._raise(radio.re_power_change_db[:, None])
        stays = moved_to == radio.ue_cell
        ue = {**position, "cell": moved_to, "state": np.zeros_like(now["state"])}
        ue["rsrp_dbm"] = self._at(moved_to)
        neighbour = self._heard(moved_to)
        moved_db = self._moved_db(radio, cell, neighbour)
        for index, d in enumerate(("dl", "ul")):
            ue[f"{d}_tb_count"] = blocks = radio.blocks[index]
            ue |= self._quality(
                radio, cell, d, stays, np.where(stays, blocks, 0.0), moved_db[index]
            )
        return ue, neighbour

    def _serving(self, radio: Radio, rng: np.random.Generator | None) -> NDArray[np.int64]:
        handovers = radio.once(Handovers)
        interval_ms = self._network.scenario.interval_ms
        met = handovers.margin_db > 0
        waited_ms = self._met_ms + interval_ms
        ready = waited_ms >= handovers.time_ms
        leaves = met & ready if rng is None else rng.random(met.shape) < handovers.chance * ready
        leaves |= (radio.at_user(handovers.falls) > 0) & met
        leaves |= handovers.is_ordered
        self._met_ms = np.where(met & ~leaves, waited_ms, 0.0)
        return np.where(leaves, handovers.target, radio.ue_cell)

    def _move(self, radio: Radio) -> Table:
        """Positions that come from outside, or if users go on as they went; and what they hear."""
        step = radio.step
        here, was = _positions_m(step.now["ue"]), _positions_m(step.before["ue"])
        there = _positions_m(step.outside) if "x_m" in step.outside else here + (here - was)
        if (there != here).any():
            was_log, is_log = (
                np.log10(np.maximum(np.linalg.norm(p[:, :, None] - self._sites_m, axis=-1), 1.0))
                for p in (here, there)
            )
            moved_db = 10 * PATH_LOSS_EXPONENT * (was_log - is_log)
            self._raise(np.repeat(moved_db, self._network.n_cells // len(self._sites_m), axis=-1))
        return {f"{axis}_m": there[..., i] for i, axis in enumerate("xyz")}

    def _raise(self, by_db: Floats) -> None:
        """Raise all levels that are known, by cell."""
        if by_db.any():
            self._levels_dbm += np.where(self._levels_dbm > UNHEARD_DBM, by_db, 0.0)

    def _at(self, cell: NDArray[np.int64]) -> Floats:
        return picked(self._levels_dbm, cell[..., None])[..., 0]

    def _heard(self, serving: NDArray[np.int64]) -> Table:
        cell = greatest(self._levels_dbm, serving, self._n_heard)
        level_dbm = picked(self._levels_dbm, cell)
        level_dbm[cell == serving[..., None]] = UNHEARD_DBM  # in a network of one cell
        return {"cell": cell, "rsrp_dbm": np.maximum(level_dbm, UNHEARD_DBM)}

    def _moved_db(self, radio: Radio, cell: Table, neighbour: Table) -> tuple[Floats, Floats]:
        """By how much the interval moves the SINR of users that stay, downlink and uplink.

        Their own path loss counts, the noise, and in the downlink what they hear of other cells at
        their loads.
        """
        level_dbm = self._at(radio.ue_cell)
        load = cell["dl_prb_util_pct"] / 100 * radio.on
        geometry_db = radio.geometry_of_db(level_dbm, neighbour, load)
        return geometry_db - radio.geometry_now_db, radio.ul_moved_db(level_dbm)

    def _quality(
        self,
        radio: Radio,
        cell: Table,
        d: str,
        stays: NDArray[np.bool_],
        blocks: Floats,
        moved_db: Floats,
    ) -> Table:
        """SINR and MCS of each user, moved as geometry says and as its cell's are predicted."""
        now, table = radio.step.now["ue"], self._network.mcs_table
        sinr_db = now[f"{d}_sinr_db"] + moved_db
        mcs = mcs_of_sinr(sinr_of_mcs_db(radio.mcs(d), table) + moved_db, table)
        found: Table = {}
        for name, values in ((f"{d}_sinr_db", sinr_db), (f"{d}_mcs", mcs)):
            gap = cell[name] - radio.weighted_by_cell(values, blocks)
            shift = FOLLOWED * within(known(gap), -MOST_SHIFT, MOST_SHIFT)
            found[name] = np.where(stays, values + radio.at_user(shift), np.nan)
        found[f"{d}_mcs"] = within(found[f"{d}_mcs"], 0, 28)
        return found


def can_carry(radio: Radio) -> Floats:
    """1 for flow rows that may carry something: all but open-loop ones that send nothing."""
    closed = ~radio.network.row_is_open
    known = radio.sent_bits + radio.step.now["flow"]["in_flight_bits"]
    return np.where(closed | (known > 0), 1.0, 0.0)


def flows_after(radio: Radio, of_class: Mapping[str, Floats], finished_jobs: Floats) -> Table:
    """Flow rows at the end of the interval that `radio` is about.

    What a class of flows delivers and has on its way is shared out as the fluid model shares it.
    Bits are conserved: sent = delivered + dropped + change of what is on its way.

    Args:
        radio: of the interval.
        of_class: KPIs that the model predicts for each class of flows, shape (B, classes).
        finished_jobs: that it predicts for each application.
    """
    network, step = radio.network, radio.step
    flow = step.now["flow"]
    kbit = network.scenario.interval_ms * 1e3
    tcp, endless = network.row_is[TCP], network.row_is[FULL_BUFFER]
    sent = np.where(endless, 0.0, radio.sent_bits)
    answers = network.row_is[RESPONSE]
    if answers.any():
        each = finished_jobs * network.application_bits[:, 1] / network.application_users
        answered = each[:, network.row_application[answers]] * (radio.damped[:, answers] > 0)
        sent[:, answers] = answered
    waiting = flow["in_flight_bits"]
    delivered = _shared(
        network, of_class["throughput_mbps"] * kbit, radio.through_bits, sent + waiting
    )
    held = _shared(network, of_class["in_flight_bits"], radio.held_bits, sent + waiting)
    bounded = ~tcp & ~endless
    delivered = np.where(bounded, np.minimum(delivered, sent + waiting), delivered)
    held = np.where(bounded, np.minimum(held, sent + waiting - delivered), held)
    window = np.where(tcp & network.row_is_data, LEAST_WINDOW * waiting, 0.0)
    held = np.maximum(held, window)
    lost = within(of_class["loss_pct"] / 100, 0, 0.99)[:, network.row_class]
    gone = np.where(bounded, np.maximum(waiting + sent - held, 0), delivered / (1 - lost))
    delivered = np.where(bounded, gone * (1 - lost), delivered)
    dropped = gone - delivered
    grown = np.where(endless, 0.0, held - waiting)
    sent = np.where(bounded, sent, np.maximum(delivered + dropped + grown, 0))
    none = delivered < 1
    delays = {
        name: np.where(none, np.nan, of_class[name][:, network.row_class])
        for name in ("latency_ms", "latency_p95_ms", "jitter_ms", "within_budget_pct")
    }
    return {
        **delays,
        "sent_bits": sent,
        "delivered_bits": delivered,
        "dropped_radio_bits": dropped,
        "dropped_transport_bits": np.zeros_like(dropped),
        "in_flight_bits": held,
        "delay_budget_ms": flow["delay_budget_ms"],
    }


def _shared(network: Network, of_class: Floats, by: Floats, otherwise: Floats) -> Floats:
    """Values of classes, shared out among their flow rows in proportion to something."""
    index = network.row_class
    count = len(network.class_names)
    total = sum_into(index, by, count)[:, index]
    by = np.where(total > 0, by, otherwise + 1e-9)
    total = sum_into(index, by, count)[:, index]
    return np.asarray(of_class[:, index] * by / total)
