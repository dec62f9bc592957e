# SPDX-License-Identifier: Apache-2.0
"""The KPI tables `ue`, `neighbour` and `flow`."""

from __future__ import annotations

from typing import Any

import numpy as np

from calibration.fluid import efficiency
from calibration.network import Floats, Ints
from calibration.trajectory import UE_STATES, UNHEARD_DBM, Table
from env.backends.reporting.copies import Copy
from env.backends.reporting.facts import words

BLOCKS = ("dl_tb_count", "ul_tb_count")
"""Roughly known only, to weight users by."""
CQI_EFFICIENCY = {
    "qam64": (0.1523, 0.2344, 0.3770, 0.6016, 0.8770, 1.1758, 1.4766, 1.9141, 2.4063, 2.7305,
              3.3223, 3.9023, 4.5234, 5.1152, 5.5547),
    "qam256": (0.1523, 0.3770, 0.8770, 1.4766, 1.9141, 2.4063, 2.7305, 3.3223, 3.9023, 4.5234,
               5.1152, 5.5547, 6.2266, 6.9141, 7.4063),
    "qam1024": (0.1523, 0.3770, 0.8770, 1.4766, 2.4063, 3.3223, 3.9023, 4.5234, 5.1152, 5.5547,
                6.2266, 6.9141, 7.4063, 8.3301, 9.2578),
}  # fmt: skip
"""Bits per resource element of CQI 1 to 15: TS 38.214 Tables 5.2.2.1-2, -3 and -5."""


def ue_table(one: Copy) -> dict[str, Any]:
    """A row for each user."""
    facts, network = one.facts, one.facts.network
    now, n = one.now("ue"), len(facts.ues)
    flow, before = one.now("flow"), one.before("flow")
    was = one.before("ue")
    row_slice = one.control("row_slice")
    found = {
        "ue": facts.ues,
        "cell": facts.cells[now["cell"]],
        "slice": facts.slices[row_slice[facts.first_row]],
        "state": words(UE_STATES)[now["state"].astype(int)],
        "speed_mps": one.around.speeds_mps,
        "battery_pct": one.around.charges_pct,
        "handovers": (now["cell"] != was["cell"]).astype(float),
        "cqi": _cqi(one, now["dl_sinr_db"]),
        **{k: v for k, v in now.items() if k not in ("cell", "state", *BLOCKS)},
    }
    for index, d in enumerate(("dl", "ul")):
        mine = np.flatnonzero(network.row_direction == index)
        owner = network.row_ue[mine]

        def total(table: Table, name: str, mine: Ints = mine, owner: Ints = owner) -> Floats:
            return np.bincount(owner, table[name][mine], n).astype(float)

        delivered = np.rint(total(flow, "delivered_bits"))
        dropped = np.rint(total(flow, "dropped_radio_bits"))
        found |= _balance(
            d, delivered, dropped, total(flow, "in_flight_bits"),
            was.get(f"{d}_queued_bits", total(before, "in_flight_bits")),
        )  # fmt: skip
        found[f"{d}_throughput_mbps"] = found[f"{d}_delivered_bits"] / one.kbit
        found[f"{d}_offered_mbps"] = found[f"{d}_offered_bits"] / one.kbit
        found[f"{d}_loss_pct"] = _loss_pct(dropped, found[f"{d}_delivered_bits"])
        found[f"{d}_prb_util_pct"] = _used_pct(one, d, now, delivered)
    return found


def neighbour_table(one: Copy) -> dict[str, Any]:
    """A row for each cell that a user hears beside its own, the strongest first."""
    facts, now = one.facts, one.now("neighbour")
    user, rank = np.nonzero(now["rsrp_dbm"] > UNHEARD_DBM)
    return {
        "ue": facts.ues[user],
        "rank": rank + 1.0,
        "cell": facts.cells[now["cell"][user, rank]],
        "rsrp_dbm": now["rsrp_dbm"][user, rank],
    }


def flow_table(one: Copy) -> dict[str, Any]:
    """A row for each direction of each flow."""
    facts, network = one.facts, one.facts.network
    now, before = one.now("flow"), one.before("flow")
    of_slice = one.control("row_slice")
    bits = {
        name: np.rint(now[name])
        for name in ("delivered_bits", "dropped_radio_bits", "dropped_transport_bits",
                     "in_flight_bits")
    }  # fmt: skip
    dropped = bits["dropped_radio_bits"] + bits["dropped_transport_bits"]
    grown = bits["in_flight_bits"] - np.rint(before["in_flight_bits"])
    sent = bits["delivered_bits"] + dropped + grown
    bits["delivered_bits"] += np.maximum(-sent, 0)
    return {
        "ue": facts.ues[network.row_ue],
        "flow": facts.flow_names,
        "direction": facts.directions,
        "slice": facts.slices[of_slice],
        **now,
        **{name: values[np.arange(len(of_slice)), of_slice] for name, values in facts.qos.items()},
        "throughput_mbps": bits["delivered_bits"] / one.kbit,
        "loss_pct": _loss_pct(dropped, bits["delivered_bits"]),
        **bits,
        "sent_bits": np.maximum(sent, 0),
    }


def _used_pct(one: Copy, d: str, ue: Table, bits: Floats) -> Floats:
    """Resource blocks of each user: of its cell's by what it got and how efficiently."""
    network = one.facts.network
    cell = one.now("cell")
    sinr = np.where(np.isnan(ue[f"{d}_sinr_db"]), cell[f"{d}_sinr_db"][ue["cell"]],
                    ue[f"{d}_sinr_db"])  # fmt: skip
    need = bits / np.maximum(efficiency(np.nan_to_num(sinr), network.mcs_table), 1e-3)
    total = np.bincount(ue["cell"], need, network.n_cells)[ue["cell"]]
    share = np.divide(need, total, out=np.zeros_like(need), where=total > 0)
    return np.asarray(share * cell[f"{d}_prb_util_pct"][ue["cell"]])


def _cqi(one: Copy, sinr_db: Floats) -> Floats:
    table = one.facts.network.mcs_table
    bits = efficiency(np.nan_to_num(sinr_db), table)
    cqi = np.searchsorted(CQI_EFFICIENCY[table], bits + 1e-3, "right").astype(float)
    return np.where(np.isnan(sinr_db), np.nan, cqi)


def _balance(
    d: str, delivered: Floats, dropped: Floats, queued: Floats, before: Floats
) -> dict[str, Floats]:
    """Bits of queues: offered = delivered + dropped + change of queued.

    Where a queue shrinks by more than it delivers, it delivers what it shrinks by.
    """
    queued = np.rint(queued)
    offered = delivered + dropped + queued - np.rint(before)
    short = np.maximum(-offered, 0)
    return {
        f"{d}_offered_bits": offered + short,
        f"{d}_delivered_bits": delivered + short,
        f"{d}_dropped_bits": dropped,
        f"{d}_queued_bits": queued,
    }


def _loss_pct(dropped: Floats, delivered: Floats) -> Floats:
    ended = dropped + delivered
    return np.divide(100 * dropped, ended, out=np.full_like(ended, np.nan), where=ended > 0)
