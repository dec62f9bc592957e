# SPDX-License-Identifier: Apache-2.0
"""Which rows a scenario makes each KPI table have, in which order, and which names occur in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ns3_scenarios.controls import Degradation
from ns3_scenarios.scenario import (
    QueueDiscipline,
    ScenarioConfig,
    SchedulerPolicy,
    SleepMode,
    UserGroup,
)

Codes = NDArray[np.int64]

DIRECTIONS = ("dl", "ul")
TWO_WAY = ("tcp_bulk", "http")
"""Traffic whose flows have rows in both directions."""

#: The columns that name the element of a row; of `neighbour` and `alarm` any number of rows may be.
KEYS: dict[str, tuple[str, ...]] = {
    "network": ("slice",),
    "cell": ("cell",),
    "slice": ("cell", "slice"),
    "ue": ("ue",),
    "flow": ("ue", "flow", "direction"),
    "link": ("link", "from_node", "to_node"),
    "edge": ("site",),
    "application": ("application",),
}


@dataclass(frozen=True)
class Elements:
    """The elements of a scenario, as the KPI tables name them."""

    scenario: ScenarioConfig

    @cached_property
    def rows(self) -> dict[str, list[tuple[str, ...]]]:
        """By table, the names in its key columns in one interval, in order."""
        scenario = self.scenario
        slices = [s.name for s in scenario.slices]
        cells = scenario.cell_ids
        flows = {group.name: _flow_rows(scenario, group) for group in scenario.users}
        users = list(zip(scenario.ue_ids, scenario.ue_groups, strict=True))
        ends = [(link.name, link.ends) for link in scenario.links]
        applications = scenario.edge.applications if scenario.edge else ()
        return {
            "network": [(s,) for s in slices],
            "cell": [(c,) for c in cells],
            "slice": [(c, s) for c in cells for s in slices],
            "ue": [(u,) for u in scenario.ue_ids],
            "flow": [(u, *row) for u, group in users for row in flows[group.name]],
            "link": [(name, *way) for name, pair in ends for way in (pair, pair[::-1])],
            "edge": [(site,) for site in scenario.anchors[1:]],
            "application": [(a.name,) for a in applications],
        }

    @cached_property
    def names(self) -> dict[tuple[str, str], dict[str, int]]:
        """By table and column, the names that may occur in it, numbered."""
        scenario = self.scenario
        cells, sites = scenario.cell_ids, scenario.anchors[1:]
        slices = tuple(s.name for s in scenario.slices)
        links = tuple(link.name for link in scenario.links)
        words: dict[tuple[str, str], tuple[str, ...]] = {
            (table, column): tuple(row[i] for row in self.rows[table])
            for table, columns in KEYS.items()
            for i, column in enumerate(columns)
        }
        words |= {
            ("network", "degradation"): get_args(Degradation),
            ("cell", "scheduler"): get_args(SchedulerPolicy),
            ("cell", "sleep_mode"): get_args(SleepMode),
            ("cell", "state"): ("on", "light", "deep", "waking", "off", "outage"),
            ("ue", "cell"): cells,
            ("ue", "slice"): slices,
            ("ue", "state"): ("connected", "preparing", "handover", "lost"),
            ("neighbour", "ue"): scenario.ue_ids,
            ("neighbour", "cell"): cells,
            ("flow", "slice"): slices,
            ("link", "queue"): get_args(QueueDiscipline),
            ("application", "slice"): slices,
            ("application", "site"): sites,
            ("alarm", "element"): (*cells, *links, *sites, *slices, *scenario.ue_ids),
            ("alarm", "severity"): ("critical", "major", "minor", "warning"),
        }
        return {
            place: {name: i for i, name in enumerate(dict.fromkeys(allowed))}
            for place, allowed in words.items()
        }

    @cached_property
    def codes(self) -> dict[str, tuple[Codes, ...]]:
        """By table, the numbers of the names in its key columns in one interval."""
        return {
            table: tuple(
                np.array([self.names[table, c][row[i]] for row in rows], np.int64)
                for i, c in enumerate(KEYS[table])
            )
            for table, rows in self.rows.items()
        }

    def places(self, table: str, codes: tuple[Codes, ...]) -> Codes:
        """Which of the elements of a table each row is about; -1 where it is none of them.

        Args:
            table: one of `KEYS`.
            codes: numbers of the names in its key columns.
        """
        sizes = [len(self.names[table, column]) for column in KEYS[table]]
        elements = len(self.rows[table])
        known, asked = _joined(self.codes[table], sizes), _joined(codes, sizes)
        if not elements:
            return np.full(len(asked), -1)
        order = np.argsort(known)
        found = order[np.minimum(np.searchsorted(known, asked, sorter=order), elements - 1)]
        return np.where(known[found] == asked, found, -1)

    def misplaced(self, table: str, interval: Codes, codes: tuple[Codes, ...]) -> str | None:
        """In words, the first row that is not where the scenario has it, if there is one.

        Args:
            table: one of `KEYS`.
            interval: of each row; a row for each element in each of any number of intervals.
            codes: numbers of the names in its key columns.
        """
        elements = self.rows[table]
        if not elements:
            return None
        shape = -1, len(elements)
        moments = np.arange(len(interval) // len(elements))
        same = interval.reshape(shape) == moments[:, None]
        for found, expected in zip(codes, self.codes[table], strict=True):
            same &= found.reshape(shape) == expected
        if same.all():
            return None
        at = int(same.argmin())
        moment, element = divmod(at, len(elements))
        names = (list(self.names[table, column]) for column in KEYS[table])
        there = tuple(
            known[code[at]] if code[at] >= 0 else "unknown"
            for known, code in zip(names, codes, strict=True)
        )
        return (
            f"row {at} is of {shown(table, there)} in interval {interval[at]}, not of "
            f"{shown(table, elements[element])} in interval {moment}"
        )


def shown(table: str, element: tuple[str, ...]) -> str:
    """The names in the key columns of a row, in words."""
    return " ".join(f"{c} {n}" for c, n in zip(KEYS[table], element, strict=True))


def _joined(codes: tuple[Codes, ...], sizes: list[int]) -> Codes:
    """One number for the names of a row; -1 if any of them is unknown."""
    total = np.zeros(len(codes[0]), np.int64)
    for column, size in zip(codes, sizes, strict=True):
        total = np.where((total < 0) | (column < 0), -1, total * size + column)
    return total


def codes_of(column: pa.ChunkedArray, numbers: dict[str, int]) -> Codes:
    """The numbers of names; -1 for a name that has none, and for null."""
    array = column.unify_dictionaries().combine_chunks()
    if not len(array):
        return np.zeros(0, np.int64)
    table = np.array([numbers.get(n, -1) for n in array.dictionary.to_pylist()] + [-1], np.int64)
    indices = array.indices
    if indices.null_count:
        indices = indices.cast(pa.int64()).fill_null(-1)
    codes: Codes = table[indices.to_numpy(zero_copy_only=False)]
    return codes


def _flow_rows(scenario: ScenarioConfig, group: UserGroup) -> list[tuple[str, str]]:
    """Flow and direction of each row of one user of a group."""
    rows: list[tuple[str, str]] = []
    for name, item in zip(group.flow_names, group.traffic, strict=True):
        if item.kind in TWO_WAY:
            rows += [(name, d) for d in DIRECTIONS]
        else:
            rows.append((name, "dl" if item.direction == "downlink" else "ul"))
    for application in scenario.applications(group):
        rows += [(application.name, d) for d in DIRECTIONS]
    return rows
