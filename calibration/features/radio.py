# SPDX-License-Identifier: Apache-2.0
"""What controls, geometry and traffic make of the next interval, shared by all rows: `Radio`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from calibration.features.rows import Rows
from calibration.features.step import Step
from calibration.features.transport import Transport
from calibration.fluid import MOST_MS, Fluid, efficiency, flow_through, sinr_of_mcs_db
from calibration.network import DATAGRAM_BITS, FULL_BUFFER, SLEEP_MODES, SYMBOLS_PER_SLOT, Floats
from calibration.sums import known, least_into, mean_into, picked, sum_into
from calibration.trajectory import Table

Made = TypeVar("Made")
RADIO_HEADER_BITS = 8 * (3 + 1 + 3)
"""PDCP, RLC and MAC, of each IP packet."""
_, PREPARING, IN_HANDOVER, LOST = range(4)
"""States of users, as in `UE_STATES`."""
DEEP, OFF = SLEEP_MODES.index("deep"), SLEEP_MODES.index("off")


class Radio:
    """What controls and geometry make of the radio: shared by the rows of all kinds."""

    def __init__(self, step: Step, sent_bits: Floats | None = None) -> None:
        self.step = step
        self._known_sent_bits = sent_bits
        network = self.network = step.network
        self.batch = len(step.controls["tx_power_dbm"])
        cells, carriers = np.arange(network.n_cells), len(network.scenario.carriers)
        self.carrier = cells % carriers
        """Of each cell, its place among the carriers of its site."""
        self.of_primary = cells - self.carrier
        """The cell on the first carrier, whose users each cell serves as well."""
        self._one_carrier = carriers == 1
        self.interval_kbit = network.scenario.interval_ms * 1e3
        """Kbit in an interval of 1 Mbit/s, or bits."""
        self._made: dict[Callable[[Radio], Any], Any] = {}

    def once(self, compute: Callable[[Radio], Made]) -> Made:
        """What a function makes of it, computed when it is first asked for."""
        if compute not in self._made:
            self._made[compute] = compute(self)
        made: Made = self._made[compute]
        return made

    @cached_property
    def last(self) -> Radio:
        """The same for the interval that has ended, of which is known what flows sent.

        What it makes of that interval, beside what was measured, shows how far the fluid is off.
        """
        step = self.step
        before = replace(
            step,
            now=step.before,
            controls=step.controls_now,
            outside=step.outside_now,
        )
        return Radio(before, step.now["flow"]["sent_bits"])

    def rows(self, *elements: int) -> Rows:
        """Rows of some elements in each moment, with what rows of all kinds have."""
        rows = Rows((self.batch, *elements))
        each = -1, *(1 for _ in elements)
        rows.add(
            interval_ms=self.network.scenario.interval_ms,
            age_intervals=self.step.age_intervals.reshape(each),
            drawn=self.step.drawn.reshape(each),
        )
        return rows

    def _grid(self, controls: Table) -> tuple[Floats, Floats]:
        scs_khz = 15 * 2 ** controls["numerology"]
        return np.floor(0.96 * controls["bandwidth_mhz"] * 1e3 / (12 * scs_khz)), scs_khz

    @cached_property
    def n_rb(self) -> Floats:
        """Resource blocks after the change, about."""
        return np.maximum(self._grid(self.step.controls)[0], 1)

    @cached_property
    def scs_khz(self) -> Floats:
        """Subcarrier spacing after the change."""
        return self._grid(self.step.controls)[1]

    @cached_property
    def re_power_dbm(self) -> Floats:
        """Transmit power per resource element after the change."""
        return np.asarray(self.step.controls["tx_power_dbm"] - 10 * np.log10(12 * self.n_rb))

    @cached_property
    def re_power_change_db(self) -> Floats:
        """How the change moves it."""
        now = self.step.controls_now
        n_rb = np.maximum(self._grid(now)[0], 1)
        return np.asarray(self.re_power_dbm - now["tx_power_dbm"] + 10 * np.log10(12 * n_rb))

    @cached_property
    def on(self) -> Floats:
        """Share of the next interval that each cell can transmit."""
        off = self.step.controls["sleep_mode"] == OFF
        return np.where(off, 0.0, 1 - self.step.outside["outage"])

    @cached_property
    def was_on(self) -> Floats:
        """Share of the interval that has ended in which each cell could transmit."""
        off = self.step.controls_now["sleep_mode"] == OFF
        return np.where(off, 0.0, 1 - self.step.outside_now["outage"])

    @cached_property
    def n0_dbm(self) -> Floats:
        """Noise of a user per resource element."""
        return -174 + self.network.noise_figure_db + 10 * np.log10(self.scs_khz * 1e3)

    @cached_property
    def ue_cell(self) -> NDArray[np.int64]:
        """Serving cell of each user."""
        return self.step.now["ue"]["cell"]

    def at_user(self, values: NDArray[Any]) -> Floats:
        """Values by cell, as seen by the users of each."""
        return picked(values, self.ue_cell)

    def of_sectors(self, of_cells: Floats) -> Floats:
        """Values that cells (B, C, ...) share with the first carrier of their site."""
        return of_cells if self._one_carrier else of_cells[:, self.of_primary]

    @cached_property
    def neighbour_mw(self) -> Floats:
        """What each user hears of each neighbour, shape (B, U, N)."""
        return np.asarray(10 ** (self.step.now["neighbour"]["rsrp_dbm"] / 10))

    @cached_property
    def _changed_neighbour_mw(self) -> Floats:
        """The same after the change."""
        changed = self.re_power_change_db.any(-1)
        if not changed.any():
            return self.neighbour_mw
        cell, level_dbm = (self.step.now["neighbour"][n][changed] for n in ("cell", "rsrp_dbm"))
        change_db = picked(self.re_power_change_db[changed, None], cell)
        power = self.neighbour_mw.copy()
        power[changed] = 10 ** ((level_dbm + change_db) / 10)
        return power

    def _interference_mw(self, neighbour_mw: Floats, load: Floats) -> Floats:
        return _heard_mw(neighbour_mw, self.step.now["neighbour"]["cell"], load)

    @cached_property
    def load(self) -> Floats:
        """Share of its resource blocks that each cell used in the interval that has ended."""
        return self.step.now["cell"]["dl_prb_util_pct"] / 100

    @cached_property
    def rsrp_dbm(self) -> Floats:
        """Of each user's cell, after the change."""
        return self.step.now["ue"]["rsrp_dbm"] + self.at_user(self.re_power_change_db)

    @cached_property
    def geometry_db(self) -> Floats:
        """SINR of each user by path loss and present loads, after the change."""
        return self._geometry_db(
            self.rsrp_dbm, self._interference_mw(self._changed_neighbour_mw, self.load * self.on)
        )

    def geometry_of_db(self, rsrp_dbm: Floats, neighbour: Table, load: Floats) -> Floats:
        """SINR of each user by path loss after the change.

        Args:
            rsrp_dbm: of its cell, shape (B, U).
            neighbour: cells that it hears, and their RSRP, shape (B, U, N).
            load: share of its resource blocks that each cell uses, shape (B, C).
        """
        neighbour_mw = 10 ** (neighbour["rsrp_dbm"] / 10)
        return self._geometry_db(rsrp_dbm, _heard_mw(neighbour_mw, neighbour["cell"], load))

    def _geometry_db(self, rsrp_dbm: Floats, interference_mw: Floats) -> Floats:
        noise = 10 ** ((self.n0_dbm + self.step.outside["noise_rise_db"]) / 10)
        return np.asarray(rsrp_dbm - 10 * np.log10(self.at_user(noise) + interference_mw))

    @cached_property
    def geometry_now_db(self) -> Floats:
        """The same before the change."""
        scs_khz = self._grid(self.step.controls_now)[1]
        noise_dbm = -174 + self.network.noise_figure_db + 10 * np.log10(scs_khz * 1e3)
        noise = 10 ** ((noise_dbm + self.step.outside_now["noise_rise_db"]) / 10)
        interference = self._interference_mw(self.neighbour_mw, self.load)
        level = self.step.now["ue"]["rsrp_dbm"]
        return np.asarray(level - 10 * np.log10(self.at_user(noise) + interference))

    @cached_property
    def connected(self) -> Floats:
        """1 for users that are connected or prepare a handover."""
        return (self.step.now["ue"]["state"] <= PREPARING).astype(float)

    @cached_property
    def sinr_bias_db(self) -> Floats:
        """Measured SINR of each cell beyond what geometry says of its users."""
        measured = self.step.now["cell"]["dl_sinr_db"]
        expected = self.mean_by_cell(self.geometry_now_db)
        return known(measured - expected)

    def least_by_cell(self, of_users: Floats) -> Floats:
        """Least value among the users of each cell, NaN where there are none."""
        return self.of_sectors(least_into(self.ue_cell, of_users, self.network.n_cells))

    def weighted_by_cell(self, of_users: Floats, weights: Floats) -> Floats:
        """Weighted mean over the users of each cell that have a value, NaN where there are none."""
        mean = mean_into(self.ue_cell, of_users, weights, self.network.n_cells, least=1e-12)
        return self.of_sectors(mean)

    @cached_property
    def blocks(self) -> tuple[Floats, Floats]:
        """Transport blocks of each user in the next interval, about, by what the fluid gets."""
        down, up = (self._blocks(direction) for direction in (0, 1))
        return down, up

    def _blocks(self, direction: int) -> Floats:
        network = self.network
        share = (network.dl_share, network.ul_share)[direction]
        slots = self.at_user(network.scenario.interval_ms / (15 / self.scs_khz) * share)
        packets = self.fluid.served_bits / np.minimum(network.row_packet_bits, DATAGRAM_BITS)
        ue, n_users = network.row_ue_of[direction], len(network.ue_names)
        got = sum_into(ue, self.fluid.share, n_users)
        return np.minimum(slots, sum_into(ue, packets, n_users) + got * slots)

    @cached_property
    def ul_loss_db(self) -> Floats:
        """Path loss of each user to its cell."""
        return self.at_user(self._reference_dbm) - self.step.now["ue"]["rsrp_dbm"]

    @cached_property
    def _reference_dbm(self) -> Floats:
        """Transmit power per resource element of each cell in the interval that has ended."""
        return self.re_power_dbm - self.re_power_change_db

    def _ul_power_dbm(self, loss_db: Floats) -> Floats:
        """Open-loop power control (TS 38.213 7.1.1) by path loss."""
        radio = self.network.scenario.radio
        return np.asarray(
            np.minimum(radio.ul_p0_dbm + radio.ul_alpha * loss_db, radio.ue_max_power_dbm)
        )

    def ul_moved_db(self, rsrp_dbm: Floats) -> Floats:
        """By how much path loss and noise move the uplink SINR of each user in its cell.

        Args:
            rsrp_dbm: of its cell at the end of the interval, shape (B, U).
        """
        was_db = self.ul_loss_db
        loss_db = self.at_user(self.re_power_dbm) - rsrp_dbm
        rise = self.step.outside["noise_rise_db"] - self.step.outside_now["noise_rise_db"]
        power_db = self._ul_power_dbm(loss_db) - self._ul_power_dbm(was_db)
        return np.asarray(power_db - (loss_db - was_db) - self.at_user(rise))

    @cached_property
    def ul_interference_db(self) -> Floats:
        """Uplink interference over noise at each cell, from the users of others.

        By present path loss; a user's part is what the fluid gives it of its own cell's uplink.
        """
        step, network, radio = self.step, self.network, self.network.scenario.radio
        neighbour = step.now["neighbour"]
        reference_dbm = self._reference_dbm
        power_dbm = self._ul_power_dbm(self.ul_loss_db)
        share = sum_into(network.row_ue_of[1], self.fluid.share, len(network.ue_names))
        sends = share > 0
        cell, level_dbm = (neighbour[name][sends] for name in ("cell", "rsrp_dbm"))
        reference = np.broadcast_to(reference_dbm[:, None], (*sends.shape, network.n_cells))[sends]
        received_dbm = power_dbm[sends][:, None] - (picked(reference, cell) - level_dbm)
        noise_dbm = -174 + radio.noise_figure_gnb_db + 10 * np.log10(1.8e5)
        part = np.zeros(neighbour["cell"].shape)
        part[sends] = share[sends][:, None] * 10 ** ((received_dbm - noise_dbm) / 10)
        flat = neighbour["cell"].reshape(self.batch, -1)
        total = sum_into(flat, part.reshape(self.batch, -1), network.n_cells)
        return 10 * np.log10(1 + total)

    def mean_by_cell(self, of_users: Floats) -> Floats:
        """Mean over the users of each cell, NaN where there are none."""
        ones = np.ones(of_users.shape[-1])
        return self.of_sectors(mean_into(self.ue_cell, of_users, ones, self.network.n_cells))

    def sum_by_cell(self, of_users: NDArray[Any]) -> Floats:
        """Sum over the users of each cell, those of its site's first carrier."""
        return self.of_sectors(sum_into(self.ue_cell, of_users, self.network.n_cells))

    @cached_property
    def alive(self) -> Floats:
        """1 for users that are not lost."""
        return (self.step.now["ue"]["state"] < LOST).astype(float)

    @cached_property
    def rate_mbps(self) -> Floats:
        """Downlink rate of each user if it had its cells alone, after the change.

        The MCS that its link adaptation has come to, moved by what the change does to its SINR;
        where it has received nothing, that of its cell, or what geometry says.
        """
        table = self.network.mcs_table
        mcs = self.mcs("dl")
        moved = sinr_of_mcs_db(mcs, table) + self.geometry_db - self.geometry_now_db
        expected = self.geometry_db + self.at_user(self.sinr_bias_db)
        bits = efficiency(np.where(np.isnan(mcs), expected, moved), table)
        return bits * self.at_user(self.full_mbps) * self.alive

    @cached_property
    def ul_rate_mbps(self) -> Floats:
        """Uplink rate of each user if it had its cells alone, after the change."""
        table = self.network.mcs_table
        mcs = known(self.mcs("ul"), 8.0)
        rise = self.step.outside["noise_rise_db"] - self.step.outside_now["noise_rise_db"]
        bits = efficiency(sinr_of_mcs_db(mcs, table) - self.at_user(rise), table)
        return bits * self.at_user(self.ul_full_mbps) * self.alive

    def mcs(self, d: str) -> Floats:
        """MCS of each user, or else of its cell."""
        mcs = self.step.now["ue"][f"{d}_mcs"]
        return np.where(np.isnan(mcs), self.at_user(self.step.now["cell"][f"{d}_mcs"]), mcs)

    @cached_property
    def ul_full_mbps(self) -> Floats:
        """Uplink of each cell at one bit per resource element, carriers of a site together."""
        share = self.network.ul_share / self.network.dl_share
        return np.maximum(self.full_mbps * share, 1e-3)

    @cached_property
    def row_rate_mbps(self) -> Floats:
        """IP packets of each flow row, if its user had the cell alone."""
        network = self.network
        down, up = (picked(rate, network.row_ue) for rate in (self.rate_mbps, self.ul_rate_mbps))
        whole = 1 + RADIO_HEADER_BITS / network.row_datagram_bits
        return np.where(network.row_is_of[0], down, up) / whole

    @cached_property
    def sent_bits(self) -> Floats:
        """What each flow row is going to send: known of open-loop traffic, else as before."""
        network, step = self.network, self.step
        if self._known_sent_bits is not None:
            return self._known_sent_bits
        before = step.now["flow"]["sent_bits"]
        damped = self.damped
        closed = np.where(self._endless, (damped > 0).astype(float), before * (damped > 0))
        return np.where(network.row_is_open, step.outside["sent_bits"], closed)

    @cached_property
    def _endless(self) -> NDArray[np.bool_]:
        return self.network.row_is[FULL_BUFFER]

    @cached_property
    def transport(self) -> Transport:
        """What the transport network makes of the interval."""
        return Transport(self)

    @cached_property
    def waiting_bits(self) -> Floats:
        """What waits of each flow row at the radio: all that is on its way but not in transport."""
        return self.step.now["flow"]["in_flight_bits"] - self.transport.waiting_bits

    @cached_property
    def arriving_bits(self) -> Floats:
        """What comes to the radio queue of each flow row: downlink has passed transport."""
        transport = self.transport
        passed = (self.sent_bits + transport.waiting_bits) * transport.path_passing
        return np.where(self.network.row_is_of[0], passed, self.sent_bits)

    @cached_property
    def _into_path_bits(self) -> Floats:
        """What each flow row brings to transport: of the uplink, what the radio lets through."""
        down = self.network.row_is_of[0]
        bits = np.where(down, self.sent_bits, self.fluid.served_bits)
        return np.asarray(bits + self.transport.waiting_bits)

    @cached_property
    def through_bits(self) -> Floats:
        """What arrives of each flow row: served by the fluid and, uplink, past transport."""
        passed = self._into_path_bits * self.transport.path_passing
        return np.where(self.network.row_is_of[0], self.fluid.served_bits, passed)

    @cached_property
    def lost_bits(self) -> Floats:
        """What is dropped of each flow row, at the radio and in transport."""
        return self.fluid.dropped_bits + self._into_path_bits * (1 - self.transport.path_kept)

    @cached_property
    def held_bits(self) -> Floats:
        """What is on its way of each flow row at the end, at the radio and in transport."""
        waits = self.transport.path_kept - self.transport.path_passing
        return self.fluid.queued_bits + self._into_path_bits * waits

    @cached_property
    def backlog_age_ms(self) -> Floats:
        """How long the first bit that waits of each flow row has waited, about.

        They came as bits did in the last two intervals, but for those that came last, and what was
        delivered last tells how long it had waited.
        """
        interval_ms = self.network.scenario.interval_ms
        now, before = self.step.now["flow"], self.step.before["flow"]
        came = now["sent_bits"] - now["dropped_radio_bits"]
        came = came + before["sent_bits"] - before["dropped_radio_bits"]
        earlier = np.maximum(self.waiting_bits - self.network.row_at_once_bits, 0.0)
        age_ms = earlier / np.maximum(came, 1.0) * 2 * interval_ms
        waited_ms = np.where(
            np.isnan(now["latency_ms"]), before["latency_ms"] + interval_ms, now["latency_ms"]
        )
        return np.asarray(np.minimum(age_ms, known(waited_ms, MOST_MS) + interval_ms))

    @cached_property
    def cap_load(self) -> tuple[Floats, Floats]:
        """What slices want, and what they used, of the most that they may have of their cells.

        Each of shape (2, B, C, S), the downlink first.
        """
        most = np.maximum(self.step.controls["max_pct"], 0.1)
        used = np.stack([self.step.now["slice"][f"{d}_prb_util_pct"] for d in ("dl", "ul")])
        return np.minimum(100 * self.by_slice(self.fluid.wanted) / most, 100.0), used / most

    def at_row(self, of_slices: Floats) -> Floats:
        """Values by direction, cell and slice, shape (2, B, C, S), of each flow row."""
        flat = of_slices.swapaxes(0, 1).reshape(self.batch, -1)
        return picked(flat, self._rows_place)

    @cached_property
    def fluid(self) -> Fluid:
        """What comes of the next interval if packets were water."""
        step, network = self.step, self.network
        controls = step.controls
        return flow_through(
            network,
            self.rows_cell,
            self._row_slice,
            self.row_rate_mbps,
            np.where(self._endless, 0.0, self.waiting_bits),
            self.backlog_age_ms,
            self.arriving_bits,
            self._slots,
            picked(self.units, self.rows_cell),
            (controls["dedicated_pct"], controls["min_pct"], controls["max_pct"]),
            controls["scheduler"],
            network.row_packet_bits < 4e3,
        )

    @cached_property
    def units(self) -> Floats:
        """What a slot of each cell is handed out in, carriers of a site together.

        Groups of resource blocks (TS 38.214 Table 5.1.2.2.1-1), or symbols under TDMA.
        """
        scenario = self.network.scenario
        if scenario.radio.multiplexing == "tdma":
            return np.full(self.n_rb.shape, SYMBOLS_PER_SLOT - 1.0)
        sizes = np.array([c.rbg_size_rb or 0 for c in scenario.carriers])[self.carrier]
        bounds = [self.n_rb <= most for most in (36, 72, 144)]
        standard = np.select(bounds, [2, 4, 8], 16 * np.ceil(self.n_rb / 275))
        groups = np.ceil(self.n_rb / np.where(sizes > 0, sizes, standard))
        return self.of_sectors(sum_into(self.of_primary, groups, self.network.n_cells))

    @cached_property
    def _slots(self) -> Floats:
        """Slots of the next interval in the direction of each flow row."""
        network = self.network
        shares = np.stack([network.dl_slots, network.ul_slots])
        share = shares[network.row_direction, self.rows_cell]
        return np.maximum(network.scenario.interval_ms / self.row_slot_ms * share, 1.0)

    @cached_property
    def row_slot_ms(self) -> Floats:
        """Length of a slot of each flow row's cell."""
        return picked(15 / self.scs_khz, self.rows_cell)

    @cached_property
    def full_mbps(self) -> Floats:
        """Downlink of each cell at one bit per resource element, carriers of a site together."""
        elements_per_ms = 12 * self.n_rb * SYMBOLS_PER_SLOT * self.scs_khz / 15
        own = elements_per_ms * 1e-3 * self.network.dl_share * self.on
        total = self.of_sectors(sum_into(self.of_primary, own, self.network.n_cells))
        return np.maximum(total, 1e-3)

    @cached_property
    def rows_cell(self) -> NDArray[np.int64]:
        """Serving cell of each flow row's user."""
        return self.ue_cell[:, self.network.row_ue]

    @cached_property
    def rows_group(self) -> NDArray[np.int64]:
        """Cell and slice of each flow row after the change, as one index."""
        return self.rows_cell * self.network.n_slices + self.step.controls["row_slice"]

    @cached_property
    def _rows_place(self) -> NDArray[np.int64]:
        """Direction, cell and slice of each flow row, as one index."""
        n_groups = self.network.n_cells * self.network.n_slices
        return self.network.row_direction * n_groups + self.rows_group

    def by_slice(self, of_rows: NDArray[Any]) -> Floats:
        """Sums over the flow rows of each direction, cell and slice, shape (2, B, C, S)."""
        n_cells, n_slices = self.network.n_cells, self.network.n_slices
        total = sum_into(self._rows_place, of_rows, 2 * n_cells * n_slices)
        total = total.reshape(self.batch, 2, n_cells, n_slices).swapaxes(0, 1)
        return total if self._one_carrier else total[:, :, self.of_primary]

    @cached_property
    def offered_mbps(self) -> Floats:
        """What each open-loop flow row sends in the next interval."""
        return self.step.outside["sent_bits"] / (self.network.scenario.interval_ms * 1e3)

    @cached_property
    def damped(self) -> Floats:
        """Rate factor of each flow row by degradation of its slice and surges."""
        level = picked(self.step.controls["degradation"], self._row_slice)
        surge = picked(self.step.outside["surge"], self._row_slice)
        return np.asarray(surge * np.array([1.0, 0.5, 0.0])[level.astype(int)])

    @cached_property
    def _row_slice(self) -> NDArray[np.int64]:
        return self.step.controls["row_slice"]


def _heard_mw(neighbour_mw: Floats, cell: NDArray[np.int64], load: Floats) -> Floats:
    """What each user hears of other cells (B, U, N), as far as they use their resource blocks."""
    return np.asarray((neighbour_mw * picked(load[:, None], cell)).sum(-1))
