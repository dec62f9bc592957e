# SPDX-License-Identifier: Apache-2.0
"""What never changes in the KPI tables of a scenario: `Facts`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from calibration.network import network_of
from ns3_scenarios.kpi import TABLES
from ns3_scenarios.scenario import ScenarioConfig

Words = NDArray[np.object_]


def words(names: Sequence[str]) -> Words:
    """Names as an array."""
    return np.array(list(names), object)


class Facts:
    """Names and promises of a scenario, which never change."""

    def __init__(self, scenario: ScenarioConfig) -> None:
        network = self.network = network_of(scenario)
        self.cells, self.slices, self.ues, self.links, self.edges, self.applications = (
            words(names)
            for names in (network.cell_names, network.slice_names, network.ue_names,
                          network.link_names, network.edge_names, network.application_names)
        )  # fmt: skip
        self.from_node, self.to_node = (words([e[i] for e in network.link_ends]) for i in (0, 1))
        groups = scenario.ue_groups
        names = {group.name: scenario.flow_names(group) for group in scenario.users}
        rows = list(zip(network.row_ue, network.row_flow, strict=True))
        self.flow_names = words([names[groups[u].name][f] for u, f in rows])
        self.directions = words(["dl", "ul"])[network.row_direction]
        qos = {
            (g.name, f): [scenario.flow_qos(g, f, s.name) for s in scenario.slices]
            for g in scenario.users
            for f in range(len(names[g.name]))
        }
        fields = ("five_qi", "delay_budget_ms", "guaranteed_mbps")
        self.qos = {
            field: np.array(
                [[float(getattr(q, field)) for q in qos[groups[u].name, f]] for u, f in rows]
            )
            for field in fields
        }
        """By flow row and slice, shape (R, S)."""
        first = scenario.carriers[0]
        self.hands_over = np.array([scenario.cell_carrier(c) is first for c in scenario.cell_ids])
        self.first_row = np.unique(network.row_ue, return_index=True)[1]
        self.uplinks = network.row_direction == 1
        self.is_integer = {
            table: tuple(c.name for c in columns if pa.types.is_integer(c.type))
            for table, columns in TABLES.items()
        }


facts_of = lru_cache(maxsize=64)(Facts)
