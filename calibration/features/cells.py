# SPDX-License-Identifier: Apache-2.0
"""Rows of cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from calibration.features.handovers import Handovers
from calibration.features.radio import DEEP, IN_HANDOVER, PREPARING, Radio
from calibration.features.rows import Rows, changes, lagged, sum_into
from calibration.fluid import EFFICIENCY
from calibration.network import FULL_BUFFER, TCP, Floats

HALF = 0.5


def cell_columns(rows: Rows, radio: Radio, spread: Callable[[Floats], Floats]) -> None:
    """What holds of a cell: for its own row and those of its slices."""
    step, network = radio.step, radio.network
    cell = step.now["cell"]
    tiles = np.ones((radio.batch, 1))
    edge_db = radio.geometry_db
    rows.add(
        carrier=spread(radio.carrier * tiles),
        n_rb=spread(radio.n_rb),
        slot_ms=spread(15 / radio.scs_khz),
        frequency_ghz=spread(network.frequency_ghz * tiles),
        dl_share=spread(network.dl_share * tiles),
        ul_share=spread(network.ul_share * tiles),
        peak_efficiency=EFFICIENCY[network.mcs_table][-1],
        n_antennas=network.n_antennas,
        re_power_dbm=spread(radio.re_power_dbm),
        re_power_change_db=spread(radio.re_power_change_db),
        on=spread(radio.on),
        was_on=spread(radio.was_on),
        noise_rise_db=spread(step.outside["noise_rise_db"]),
        full_mbps=spread(radio.full_mbps),
        geometry_db=spread(radio.mean_by_cell(radio.geometry_db)),
        geometry_change_db=spread(radio.mean_by_cell(radio.geometry_db - radio.geometry_now_db)),
        worst_geometry_db=spread(radio.least_by_cell(edge_db)),
        rsrp_dbm=spread(radio.mean_by_cell(radio.rsrp_dbm)),
        connected_users=spread(radio.sum_by_cell(radio.connected)),
    )
    changes(rows, step, ("tilt_deg", "sleep_mode", "scheduler", "target_bler"), spread)
    rows.add(
        wake_prb_pct=spread(step.controls["wake_prb_pct"]),
        now_cell_dl_prb_pct=spread(cell["dl_prb_util_pct"]),
        now_cell_ul_prb_pct=spread(cell["ul_prb_util_pct"]),
        now_cell_dl_sinr_db=spread(cell["dl_sinr_db"]),
        now_cell_ul_sinr_db=spread(cell["ul_sinr_db"]),
        now_cell_dl_mcs=spread(cell["dl_mcs"]),
        now_cell_ul_mcs=spread(cell["ul_mcs"]),
        now_cell_dl_bler_pct=spread(cell["dl_bler_pct"]),
        now_cell_ul_bler_pct=spread(cell["ul_bler_pct"]),
        now_cell_ul_iot_db=spread(cell["ul_iot_db"]),
        before_cell_dl_sinr_db=spread(step.before["cell"]["dl_sinr_db"]),
        before_cell_ul_sinr_db=spread(step.before["cell"]["ul_sinr_db"]),
    )


def _handovers(rows: Rows, radio: Radio) -> None:
    """Users that are about to leave each cell, and users that are about to come."""
    step, network = radio.step, radio.network
    handovers = Handovers(radio)
    margin_db, chance = handovers.margin_db, handovers.chance
    target, is_ordered = handovers.target, handovers.is_ordered
    before = step.before["ue"]
    moved = (before["cell"] != radio.ue_cell).astype(float)
    busy = (step.now["ue"]["state"] == PREPARING) | (step.now["ue"]["state"] == IN_HANDOVER)
    # A user that would come back at once goes to and fro as long as the settings last.
    turns = network.scenario.interval_ms / handovers.time_ms
    users = radio.sum_by_cell(np.ones_like(margin_db))
    fits = turns >= 1
    held = (handovers.margin_now_db > 0) & (margin_db > 0)
    rows.add(
        leaving_base_users=np.where(handovers.falls, users, radio.sum_by_cell(handovers.due)),
        fitting_users=radio.sum_by_cell(chance * fits),
        held_users=radio.sum_by_cell((held & ~fits).astype(float)),
        held_due_users=radio.sum_by_cell((held & ~fits & (turns >= HALF)).astype(float)),
        refused_users=radio.sum_by_cell((held & fits).astype(float)),
        failing_base_users=users * (step.outside["outage"] > step.outside_now["outage"]),
        deep_users=users * (step.controls["sleep_mode"] == DEEP),
        fell_asleep=(step.controls["sleep_mode"] >= DEEP)
        & (step.controls_now["sleep_mode"] < DEEP),
        leaving_users=radio.sum_by_cell(((margin_db > 0) | is_ordered).astype(float)),
        leaving_chance=radio.sum_by_cell(chance),
        leaving_turns=radio.sum_by_cell(chance * np.minimum(turns, 4)),
        coming_chance=sum_into(target, chance, network.n_cells)[:, radio.of_primary],
        coming_turns=sum_into(target, chance * np.minimum(turns, 4), network.n_cells)[
            :, radio.of_primary
        ],
        ordered_users=radio.sum_by_cell(is_ordered.astype(float)),
        came_users=radio.sum_by_cell(moved),
        preparing_users=radio.sum_by_cell(busy.astype(float)),
        lost_users=radio.sum_by_cell(1 - radio.alive),
        a3_total_db=step.controls["a3_offset_db"] + step.controls["hysteresis_db"],
        best_margin_db=-radio.least_by_cell(-np.clip(margin_db, -30, 30)),
        mean_margin_db=radio.mean_by_cell(np.clip(margin_db, -30, 30)),
        worst_rsrp_dbm=radio.least_by_cell(radio.rsrp_dbm),
        users=users,
    )


def cell_rows(radio: Radio) -> Rows:
    """One row per cell."""
    step, network = radio.step, radio.network
    rows = radio.rows(network.n_cells)
    cell_columns(rows, radio, lambda values: values)
    _handovers(rows, radio)
    need = radio.offered_mbps
    d = {k: radio.by_slice(need, i).sum(-1) for i, k in enumerate(("dl", "ul"))}
    backlog = {
        k: step.now["slice"][f"{k}_queued_bits"].sum(-1) / (network.scenario.interval_ms * 1e3)
        for k in ("dl", "ul")
    }
    full = radio.by_slice(
        np.ones_like(need) * radio.kind_of_row[FULL_BUFFER] * (radio.damped > 0), 0
    )
    closed = radio.by_slice(np.ones_like(need) * radio.kind_of_row[TCP] * (radio.damped > 0), 0)
    allowed = np.minimum(step.controls["max_pct"].sum(-1), 100)
    ue, fluid = step.now["ue"], radio.fluid
    moved_db = radio.geometry_db - radio.geometry_now_db
    for index, k in enumerate(("dl", "ul")):
        sinr_db = ue[f"{k}_sinr_db"] + (moved_db if k == "dl" else 0)
        known = np.where(np.isnan(sinr_db), radio.at_user(cell_sinr(radio, k)), sinr_db)
        blocks, as_now = radio.blocks(index), ue[f"{k}_tb_count"]
        got = 100 * radio.by_slice(fluid.share, index).sum(-1)
        rows.add(
            **{
                f"{k}_sinr_as_now_db": radio.weighted_by_cell(sinr_db, as_now),
                f"{k}_sinr_fluid_db": radio.weighted_by_cell(known, blocks),
                f"{k}_mcs_as_now": radio.weighted_by_cell(ue[f"{k}_mcs"], as_now),
                f"{k}_mcs_fluid": radio.weighted_by_cell(ue[f"{k}_mcs"], blocks),
                f"{k}_fluid_prb_pct": got,
                f"{k}_wanted_pct": 100 * radio.by_slice(fluid.wanted, index).sum(-1),
                f"{k}_fluid_mbps": radio.by_slice(fluid.served_bits, index).sum(-1)
                / (network.scenario.interval_ms * 1e3),
                f"{k}_blocks": radio.sum_by_cell(blocks),
                f"{k}_active_users": radio.sum_by_cell((blocks > 0).astype(float)),
            }
        )
    rows.add(ul_interference_db=radio.ul_interference_db)
    rows.add(
        dl_offered_mbps=d["dl"],
        ul_offered_mbps=d["ul"],
        dl_backlog_mbps=backlog["dl"],
        ul_backlog_mbps=backlog["ul"],
        full_buffer_flows=full.sum(-1),
        tcp_flows=closed.sum(-1),
        allowed_pct=allowed,
    )
    changes(rows, step, ("a3_offset_db", "hysteresis_db", "ttt_ms"))
    lagged(rows, step, "cell", ("sleep_pct", "power_w", "ho_attempts", "ho_failures",
                                 "ho_ping_pongs", "rlf",
                                 "dl_throughput_mbps", "ul_throughput_mbps"))  # fmt: skip
    return rows


def cell_sinr(radio: Radio, direction: str) -> Floats:
    """SINR of each cell as measured, moved by the change in the downlink."""
    measured = radio.step.now["cell"][f"{direction}_sinr_db"]
    if direction == "ul":
        return measured
    return measured + np.nan_to_num(radio.mean_by_cell(radio.geometry_db - radio.geometry_now_db))
