# SPDX-License-Identifier: Apache-2.0
"""Rows of cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from calibration.features.by_slice import flows_by_slice
from calibration.features.handovers import Handovers
from calibration.features.radio import DEEP, IN_HANDOVER, PREPARING, Radio
from calibration.features.rows import Rows, changes, lagged
from calibration.fluid import EFFICIENCY
from calibration.network import FULL_BUFFER, TCP, Floats
from calibration.sums import known, sum_into, within

HALF = 0.5


def cell_columns(rows: Rows, radio: Radio, spread: Callable[[Floats], Floats]) -> None:
    """What holds of a cell: for its own row and those of its slices."""
    columns = radio.once(_of_cells)
    rows.add(**{name: spread(values) for name, values in columns.items()})


def _of_cells(radio: Radio) -> dict[str, Floats]:
    """Columns of cells, each of shape (B, C) or (1, C)."""
    step, network = radio.step, radio.network
    cell, before = step.now["cell"], step.before["cell"]
    ones = np.ones((1, network.n_cells))
    moved_db = radio.geometry_db - radio.geometry_now_db
    columns = {
        "carrier": radio.carrier * ones,
        "n_rb": radio.n_rb,
        "slot_ms": 15 / radio.scs_khz,
        "frequency_ghz": network.frequency_ghz * ones,
        "dl_share": network.dl_share * ones,
        "ul_share": network.ul_share * ones,
        "peak_efficiency": EFFICIENCY[network.mcs_table][-1] * ones,
        "n_antennas": network.n_antennas * ones,
        "re_power_dbm": radio.re_power_dbm,
        "re_power_change_db": radio.re_power_change_db,
        "on": radio.on,
        "was_on": radio.was_on,
        "noise_rise_db": step.outside["noise_rise_db"],
        "full_mbps": radio.full_mbps,
        "geometry_db": radio.mean_by_cell(radio.geometry_db),
        "geometry_change_db": radio.mean_by_cell(moved_db),
        "worst_geometry_db": radio.least_by_cell(radio.geometry_db),
        "rsrp_dbm": radio.mean_by_cell(radio.rsrp_dbm),
        "connected_users": radio.sum_by_cell(radio.connected),
    }
    for name in ("tilt_deg", "sleep_mode", "scheduler", "target_bler"):
        columns[name] = step.controls[name]
        columns[f"{name}_change"] = step.controls[name] - step.controls_now[name]
    columns["wake_prb_pct"] = step.controls["wake_prb_pct"]
    columns |= {
        "now_cell_dl_prb_pct": cell["dl_prb_util_pct"],
        "now_cell_ul_prb_pct": cell["ul_prb_util_pct"],
        "now_cell_dl_sinr_db": cell["dl_sinr_db"],
        "now_cell_ul_sinr_db": cell["ul_sinr_db"],
        "now_cell_dl_mcs": cell["dl_mcs"],
        "now_cell_ul_mcs": cell["ul_mcs"],
        "now_cell_dl_bler_pct": cell["dl_bler_pct"],
        "now_cell_ul_bler_pct": cell["ul_bler_pct"],
        "now_cell_ul_iot_db": cell["ul_iot_db"],
        "before_cell_dl_sinr_db": before["dl_sinr_db"],
        "before_cell_ul_sinr_db": before["ul_sinr_db"],
    }
    return columns


def _handovers(rows: Rows, radio: Radio) -> None:
    """Users that are about to leave each cell, and users that are about to come."""
    step, network = radio.step, radio.network
    handovers = radio.once(Handovers)
    margin_db, chance = handovers.margin_db, handovers.chance
    target, is_ordered = handovers.target, handovers.is_ordered
    before = step.before["ue"]
    moved = before["cell"] != radio.ue_cell
    busy = (step.now["ue"]["state"] == PREPARING) | (step.now["ue"]["state"] == IN_HANDOVER)
    # A user that would come back at once goes to and fro as long as the settings last.
    turns = network.scenario.interval_ms / handovers.time_ms
    users = radio.sum_by_cell(np.ones(margin_db.shape[-1]))
    fits = turns >= 1
    held = (handovers.margin_now_db > 0) & (margin_db > 0)
    rows.add(
        leaving_base_users=np.where(handovers.falls, users, radio.sum_by_cell(handovers.due)),
        fitting_users=radio.sum_by_cell(chance * fits),
        held_users=radio.sum_by_cell(held & ~fits),
        held_due_users=radio.sum_by_cell(held & ~fits & (turns >= HALF)),
        refused_users=radio.sum_by_cell(held & fits),
        failing_base_users=users * (step.outside["outage"] > step.outside_now["outage"]),
        deep_users=users * (step.controls["sleep_mode"] == DEEP),
        fell_asleep=(step.controls["sleep_mode"] >= DEEP)
        & (step.controls_now["sleep_mode"] < DEEP),
        leaving_users=radio.sum_by_cell((margin_db > 0) | is_ordered),
        leaving_chance=radio.sum_by_cell(chance),
        leaving_turns=radio.sum_by_cell(chance * np.minimum(turns, 4)),
        coming_chance=radio.of_sectors(sum_into(target, chance, network.n_cells)),
        coming_turns=radio.of_sectors(
            sum_into(target, chance * np.minimum(turns, 4), network.n_cells)
        ),
        ordered_users=radio.sum_by_cell(is_ordered),
        came_users=radio.sum_by_cell(moved),
        preparing_users=radio.sum_by_cell(busy),
        lost_users=radio.sum_by_cell(1 - radio.alive),
        a3_total_db=step.controls["a3_offset_db"] + step.controls["hysteresis_db"],
        best_margin_db=-radio.least_by_cell(-within(margin_db, -30, 30)),
        mean_margin_db=radio.mean_by_cell(within(margin_db, -30, 30)),
        worst_rsrp_dbm=radio.least_by_cell(radio.rsrp_dbm),
        users=users,
    )


def cell_rows(radio: Radio) -> Rows:
    """One row per cell."""
    step, network = radio.step, radio.network
    rows = radio.rows(network.n_cells)
    cell_columns(rows, radio, lambda values: values)
    _handovers(rows, radio)
    flows = radio.once(flows_by_slice)
    backlog = {
        k: step.now["slice"][f"{k}_queued_bits"].sum(-1) / radio.interval_kbit for k in ("dl", "ul")
    }
    allowed = np.minimum(step.controls["max_pct"].sum(-1), 100)
    ue = step.now["ue"]
    moved_db = radio.geometry_db - radio.geometry_now_db
    for index, k in enumerate(("dl", "ul")):
        sinr_db = ue[f"{k}_sinr_db"] + (moved_db if k == "dl" else 0)
        known = np.where(np.isnan(sinr_db), radio.at_user(cell_sinr(radio, k)), sinr_db)
        blocks, as_now = radio.blocks[index], ue[f"{k}_tb_count"]
        got, wanted, served = (
            flows[name][index].sum(-1) for name in ("share", "wanted", "served_bits")
        )
        rows.add(
            **{
                f"{k}_sinr_as_now_db": radio.weighted_by_cell(sinr_db, as_now),
                f"{k}_sinr_fluid_db": radio.weighted_by_cell(known, blocks),
                f"{k}_mcs_as_now": radio.weighted_by_cell(ue[f"{k}_mcs"], as_now),
                f"{k}_mcs_fluid": radio.weighted_by_cell(ue[f"{k}_mcs"], blocks),
                f"{k}_fluid_prb_pct": 100 * got,
                f"{k}_wanted_pct": 100 * wanted,
                f"{k}_fluid_mbps": served / radio.interval_kbit,
                f"{k}_blocks": radio.sum_by_cell(blocks),
                f"{k}_active_users": radio.sum_by_cell(blocks > 0),
            }
        )
    rows.add(ul_interference_db=radio.ul_interference_db)
    rows.add(
        dl_offered_mbps=flows["offered_mbps"][0].sum(-1),
        ul_offered_mbps=flows["offered_mbps"][1].sum(-1),
        dl_backlog_mbps=backlog["dl"],
        ul_backlog_mbps=backlog["ul"],
        full_buffer_flows=flows[FULL_BUFFER][0].sum(-1),
        tcp_flows=flows[TCP][0].sum(-1),
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
    return measured + known(radio.mean_by_cell(radio.geometry_db - radio.geometry_now_db))
