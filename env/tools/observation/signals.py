# SPDX-License-Identifier: Apache-2.0
"""Tools that read what users hear."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import Window, read, read_one, rounded, seen
from env.view import View


class GetSignalStrength(Arguments):
    """Of `get_signal_strength`."""

    ue: str = Field(description="Name of the user, as in list_ues.")
    window: Window = 10


class Signal(Result):
    """Signal of a user in one interval."""

    interval: int
    """Its index, from 0."""
    time_ms: float
    """Its end."""
    cell: str | None = None
    """That served it at the end."""
    rsrp_dbm: float | None = None
    """Of that cell, per resource element (SS-RSRP, TS 38.215 5.1.1)."""
    dl_sinr_db: float | None = None
    """Mean of received blocks."""
    ul_sinr_db: float | None = None
    cqi: int | None = None
    """Latest reported (TS 38.214 5.2.2.1)."""


class SignalStrength(Result):
    """Signal of a user over time."""

    ue: str
    intervals: int
    """That there were: fewer than `window` at the start."""
    series: list[Signal]
    """The oldest first."""


@tool("observation")
def get_signal_strength(view: View, args: GetSignalStrength) -> SignalStrength:
    """Read the RSRP, SINR and CQI of a user over the last reporting intervals.

    SINR is null in intervals in which nothing was sent.

    Errors: no_such_element.
    """
    ue = view.ue(args.ue)
    found = []
    for kpis in view.window(args.window):
        now = read_one(Signal, kpis, "ue", ue=ue)
        now |= {
            "interval": kpis.interval,
            "time_ms": kpis.time_ms,
            "cell": seen(view, now.get("cell")),
        }
        found.append(Signal(**now))
    return SignalStrength(ue=ue, intervals=len(found), series=found)


class ScanAvailableGnbs(Arguments):
    """Of `scan_available_gnbs`."""

    ue: str = Field(description="Name of the user, as in list_ues.")


class HeardCell(Result):
    """A cell that a user hears."""

    cell: str
    rsrp_dbm: float | None = None
    """Of neighbours as filtered at layer 3 (TS 38.331 5.5.3.2)."""
    above_serving_db: float | None = None
    """Its RSRP over that of the serving cell."""
    state: str | None = None
    """on, light, deep, waking, off or outage."""
    users: int | None = None
    """Whose primary cell it is."""
    dl_prb_util_pct: float | None = None
    ul_prb_util_pct: float | None = None


class Scan(Result):
    """Cells that a user hears."""

    ue: str
    serving: HeardCell | None
    """Null where it is out of scope."""
    neighbours: list[HeardCell]
    """The strongest first."""


@tool("observation")
def scan_available_gnbs(view: View, args: ScanAvailableGnbs) -> Scan:
    """Read which cells a user hears, by RSRP, with their state and load.

    A user reports its three strongest neighbours. Load is what the cell used of its resource blocks
    in the last reporting interval.

    Errors: no_such_element.
    """
    ue = view.ue(args.ue)
    kpis = view.now
    own = read_one(Signal, kpis, "ue", ue=ue)
    serving_dbm = own.get("rsrp_dbm")
    serving = seen(view, own.get("cell"))
    rows = kpis.where("neighbour", ue=ue)
    rows = rows[np.argsort(kpis.column("neighbour", "rank")[rows], kind="stable")]
    heard = [
        _heard(view, row["cell"], row["rsrp_dbm"], serving_dbm)
        for row in read(HeardCell, kpis, "neighbour", rows)
        if view.scope.has(row["cell"])
    ]
    return Scan(
        ue=ue,
        serving=_heard(view, serving, serving_dbm, serving_dbm) if serving else None,
        neighbours=heard,
    )


def _heard(view: View, cell: str, rsrp_dbm: float | None, serving_dbm: float | None) -> HeardCell:
    known = rsrp_dbm is not None and serving_dbm is not None
    above = rounded(rsrp_dbm - serving_dbm) if known else None  # type: ignore[operator]
    load = read_one(HeardCell, view.now, "cell", cell=cell)
    return HeardCell(**{**load, "cell": cell, "rsrp_dbm": rsrp_dbm, "above_serving_db": above})
