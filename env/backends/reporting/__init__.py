# SPDX-License-Identifier: Apache-2.0
"""The KPI tables of a network that runs on a model: `reports`.

What the model does not predict follows from what it does: bits from rates, energy from power, and
of each balance (bits of a queue, jobs of a site) the one member that is not predicted. Columns of
which nothing is known are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from calibration.rolling import Moment
from env.backends.reporting.copies import Copy, Surroundings
from env.backends.reporting.facts import facts_of
from env.backends.reporting.radio import cell_table, network_table, slice_table
from env.backends.reporting.transport import application_table, edge_table, link_table
from env.backends.reporting.users import flow_table, neighbour_table, ue_table
from env.kpis import Columns, Kpis
from env.world import World

MAKERS: dict[str, Callable[[Copy], dict[str, Any]]] = {
    "network": network_table,
    "cell": cell_table,
    "slice": slice_table,
    "ue": ue_table,
    "neighbour": neighbour_table,
    "flow": flow_table,
    "link": link_table,
    "edge": edge_table,
    "application": application_table,
}
"""What makes each table."""


def reports(moment: Moment, world: World) -> list[Kpis]:
    """The KPIs of the interval that copies of a network have just run, each made when read.

    Args:
        moment: at its end.
        world: outside of the network.
    """
    interval = world.interval - 1
    time_ms = world.interval * moment.network.scenario.interval_ms
    speeds_mps, charges_pct = world.motion.speeds_mps.copy(), world.motion.charges_pct()
    facts = facts_of(moment.network.scenario)
    around = Surroundings(facts, world.links(), world.outages(), speeds_mps, charges_pct)
    return [
        Kpis(interval, time_ms, partial(_table, Copy(moment, i, around), alarms))
        for i, alarms in enumerate(world.alarms(moment.now))
    ]


def _table(one: Copy, alarms: Columns, name: str) -> Columns:
    """The columns of a table that are known; counts are whole numbers."""
    if name == "alarm":
        return alarms
    found = MAKERS[name](one)
    for column in one.facts.is_integer[name]:
        if column in found:
            found[column] = np.rint(found[column])
    return found
