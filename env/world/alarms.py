# SPDX-License-Identifier: Apache-2.0
"""Alarms of a network, by the rules of the traces (`docs/traces.md`, `alarm`): `Alarms`.

Elements report what fails in them at once (TS 28.532 11.2.1.1), so that these alarms have the times
of the fault. Others are crossings of thresholds, raised and cleared at the end of an interval.
Severities are those of ITU-T X.733.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from calibration.network import Floats
from env.kpis import Columns
from ns3_scenarios.scenario import Fault, ScenarioConfig

EDGE_UTIL_PCT = 95.0
"""An edge site is overloaded above it."""
CONGESTION_PRB_PCT = 98.0
"""A cell is congested above it."""
REPORTED = {
    "link_cut": ("link", "link_cut", "critical"),
    "link_degraded": ("link", "link_degraded", "major"),
    "cell_outage": ("cell", "cell_outage", "critical"),
    "interference_burst": ("cell", "interference", "major"),
    "traffic_surge": ("slice", "traffic_surge", "warning"),
}
"""By kind of fault that an element reports: the field that names it, cause and severity."""

Finding = tuple[str, str, str]
"""Element, cause, severity."""
Row = tuple[Finding, float, float | None]
"""With the times when it was raised and cleared, ms."""


class Alarms:
    """The alarms of one network as time passes."""

    def __init__(self, scenario: ScenarioConfig) -> None:
        self._cells = scenario.cell_ids
        self._sites = scenario.anchors[1:]
        self._ues = scenario.ue_ids
        self._low_pct = np.array(
            [getattr(g.mobility, "low_battery_pct", np.nan) for g in scenario.ue_groups]
        )
        self._crossed_ms: dict[Finding, float] = {}
        self._reported_ms: dict[Finding, float] = {}

    @property
    def state(self) -> list[list[object]]:
        """Which are active since when."""
        every = [*self._crossed_ms.items(), *self._reported_ms.items()]
        return [[*finding, ms] for finding, ms in every]

    def copy(self) -> Alarms:
        """The same, to go on apart."""
        other = copy.copy(self)
        other._crossed_ms, other._reported_ms = dict(self._crossed_ms), dict(self._reported_ms)
        return other

    def see(self, alarm: Columns) -> None:
        """Take over which alarms are active from a table of them."""
        self._crossed_ms, self._reported_ms = {}, {}
        reported = {(cause, severity) for _, cause, severity in REPORTED.values()}
        names = (alarm[n] for n in ("element", "cause", "severity", "raised_ms", "cleared_ms"))
        for element, cause, severity, raised_ms, cleared_ms in zip(*names, strict=True):
            if np.isnan(cleared_ms):
                known = (cause, severity) in reported
                active = self._reported_ms if known else self._crossed_ms
                active[element, cause, severity] = float(raised_ms)

    def update(
        self,
        time_ms: float,
        faults: Iterable[tuple[Fault, bool]],
        prb_pct: Floats,
        edge_pct: Floats,
        charge_pct: Floats,
        is_lost: NDArray[np.bool_],
    ) -> list[Row]:
        """Alarms that are active at the end of an interval, or were cleared in it.

        Args:
            time_ms: end of the interval.
            faults: that held in it, and whether each holds at its end.
            prb_pct: downlink resource blocks used, by cell.
            edge_pct: compute in use, by edge site.
            charge_pct: of batteries, by user.
            is_lost: users without service.
        """
        found = [
            *((self._cells[i], "congestion", "minor")
              for i in np.flatnonzero(prb_pct > CONGESTION_PRB_PCT)),
            *((self._sites[i], "edge_overload", "major")
              for i in np.flatnonzero(edge_pct > EDGE_UTIL_PCT)),
            *((self._ues[i], "battery_low", "major")
              for i in np.flatnonzero(charge_pct < self._low_pct)),
            *((self._ues[i], "no_service", "minor") for i in np.flatnonzero(is_lost)),
        ]  # fmt: skip
        rows = self._reported(faults) + self._crossings(found, time_ms)
        rows.sort(key=lambda row: (row[1], f"{row[0][1]}:{row[0][0]}"))
        return rows

    def _reported(self, faults: Iterable[tuple[Fault, bool]]) -> list[Row]:
        """One alarm for all faults of a kind that an element has at once."""
        rows: dict[Finding, tuple[float, float | None]] = {}
        for fault, holds in faults:
            if fault.kind not in REPORTED:
                continue
            field, cause, severity = REPORTED[fault.kind]
            finding = getattr(fault, field), cause, severity
            raised_ms, cleared_ms = 1e3 * fault.start_s, None if holds else 1e3 * fault.end_s
            if finding in rows:
                known_ms, over_ms = rows[finding]
                raised_ms = min(raised_ms, known_ms)
                both = cleared_ms is not None and over_ms is not None
                cleared_ms = max(cleared_ms or 0, over_ms or 0) if both else None
            rows[finding] = raised_ms, cleared_ms
        # Of faults that follow each other without a gap, the first raised the alarm.
        found = [
            (finding, min(ms, self._reported_ms.get(finding, ms)), cleared)
            for finding, (ms, cleared) in rows.items()
        ]
        self._reported_ms = {finding: ms for finding, ms, cleared in found if cleared is None}
        return found

    def _crossings(self, found: list[Finding], time_ms: float) -> list[Row]:
        for finding in found:
            self._crossed_ms.setdefault(finding, time_ms)
        now = set(found)
        rows = [
            (finding, raised_ms, None if finding in now else time_ms)
            for finding, raised_ms in self._crossed_ms.items()
        ]
        self._crossed_ms = {f: ms for f, ms in self._crossed_ms.items() if f in now}
        return rows


def columns(rows: list[Row]) -> Columns:
    """The columns of the KPI table `alarm`."""
    return {
        "alarm": _words(f"{cause}:{element}" for (element, cause, _), _, _ in rows),
        "element": _words(finding[0] for finding, _, _ in rows),
        "cause": _words(finding[1] for finding, _, _ in rows),
        "severity": _words(finding[2] for finding, _, _ in rows),
        "raised_ms": np.array([ms for _, ms, _ in rows], float),
        "cleared_ms": np.array([np.nan if ms is None else ms for _, _, ms in rows], float),
    }


def _words(words: Iterable[str]) -> NDArray[np.object_]:
    return np.array(list(words), object)
