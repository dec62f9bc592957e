# SPDX-License-Identifier: GPL-2.0-only
"""Raises an alarm while something is wrong with an element, and clears it when it is over.

Elements report what fails in them at once (TS 28.532 11.2.1.1): their alarms have the times of the
fault. Other alarms are crossings of thresholds, raised and cleared at the end of an interval.
Severities are those of ITU-T X.733.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ns3_scenarios.scenario import (
    CellOutage,
    Fault,
    InterferenceBurst,
    LinkCut,
    LinkDegraded,
    ScenarioConfig,
    TrafficSurge,
)

EDGE_UTIL_PCT = 95.0
"""An edge site is overloaded above it."""
CONGESTION_PRB_PCT = 98.0
"""A cell is congested above it."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong."""

    element: str
    cause: str
    severity: str

    @property
    def name(self) -> str:
        """Of the alarm, the same as long as it lasts."""
        return f"{self.cause}:{self.element}"


class Alarms:
    """The alarms of a running simulation."""

    def __init__(self, scenario: ScenarioConfig) -> None:
        self._interval_ms = scenario.interval_ms
        self._low_pct = {
            ue: group.mobility.low_battery_pct
            for ue, group in zip(scenario.ue_ids, scenario.ue_groups, strict=True)
            if group.mobility.kind == "uav"
        }
        self._crossed_ms: dict[Finding, float] = {}
        self._reported_ms: dict[Finding, float] = {}
        self._time_ms = 0.0

    def update(
        self, tables: dict[str, pa.RecordBatch], faults: list[tuple[Fault, bool]]
    ) -> dict[str, list[Any]]:
        """The alarms that are active now, and those that were cleared in the interval.

        Args:
            tables: of the interval.
            faults: those that held in the interval, and whether each holds at its end.

        Returns:
            Columns of the `alarm` table.
        """
        self._time_ms += self._interval_ms
        rows = self._reported(faults) + self._crossings(set(self._find(tables)))
        rows.sort(key=lambda row: (row[1], row[0].name))
        return {
            "alarm": [f.name for f, _, _ in rows],
            "element": [f.element for f, _, _ in rows],
            "cause": [f.cause for f, _, _ in rows],
            "severity": [f.severity for f, _, _ in rows],
            "raised_ms": [raised_ms for _, raised_ms, _ in rows],
            "cleared_ms": [cleared_ms for _, _, cleared_ms in rows],
        }

    def _reported(
        self, faults: list[tuple[Fault, bool]]
    ) -> list[tuple[Finding, float, float | None]]:
        """What elements report: one alarm for all faults of a kind that an element has at once."""
        rows: dict[Finding, tuple[float, float | None]] = {}
        for fault, holds in faults:
            finding = _report(fault)
            if finding is None:
                continue
            raised_ms, cleared_ms = 1e3 * fault.start_s, None if holds else 1e3 * fault.end_s
            if finding in rows:
                other_raised_ms, other_cleared_ms = rows[finding]
                raised_ms = min(raised_ms, other_raised_ms)
                both_over = cleared_ms is not None and other_cleared_ms is not None
                cleared_ms = max(cleared_ms or 0, other_cleared_ms or 0) if both_over else None
            rows[finding] = raised_ms, cleared_ms
        # Of faults that follow each other without a gap, the first raised the alarm.
        known_ms = self._reported_ms
        rows = {f: (min(ms, known_ms.get(f, ms)), cleared) for f, (ms, cleared) in rows.items()}
        self._reported_ms = {f: ms for f, (ms, cleared) in rows.items() if cleared is None}
        return [(finding, *times) for finding, times in rows.items()]

    def _crossings(self, found: set[Finding]) -> list[tuple[Finding, float, float | None]]:
        """What crosses a threshold, or has just come back."""
        for finding in found:
            self._crossed_ms.setdefault(finding, self._time_ms)
        rows = [
            (finding, raised_ms, None if finding in found else self._time_ms)
            for finding, raised_ms in self._crossed_ms.items()
        ]
        self._crossed_ms = {f: ms for f, ms in self._crossed_ms.items() if f in found}
        return rows

    def _find(self, tables: dict[str, pa.RecordBatch]) -> Iterator[Finding]:
        for cell in _rows(tables["cell"], "cell", "dl_prb_util_pct"):
            if (cell["dl_prb_util_pct"] or 0) > CONGESTION_PRB_PCT:
                yield Finding(cell["cell"], "congestion", "minor")
        for site in _rows(tables["edge"], "site", "util_pct"):
            if site["util_pct"] > EDGE_UTIL_PCT:
                yield Finding(site["site"], "edge_overload", "major")
        for ue in _rows(tables["ue"], "ue", "battery_pct", "state"):
            if ue["ue"] in self._low_pct and ue["battery_pct"] < self._low_pct[ue["ue"]]:
                yield Finding(ue["ue"], "battery_low", "major")
            if ue["state"] == "lost":
                yield Finding(ue["ue"], "no_service", "minor")


def _report(fault: Fault) -> Finding | None:
    """The alarm of the element that a fault strikes, if it is one that reports."""
    match fault:
        case LinkCut():
            return Finding(fault.link, "link_cut", "critical")
        case LinkDegraded():
            return Finding(fault.link, "link_degraded", "major")
        case CellOutage():
            return Finding(fault.cell, "cell_outage", "critical")
        case InterferenceBurst():
            return Finding(fault.cell, "interference", "major")
        case TrafficSurge():
            return Finding(fault.slice, "traffic_surge", "warning")
        case _:
            return None  # shows in the load of the edge site, or in the charge


def _rows(table: pa.RecordBatch, *names: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.select(list(names)).to_pylist()
    return rows
