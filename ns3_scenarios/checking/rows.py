# SPDX-License-Identifier: Apache-2.0
"""Compares the rows of a run's tables with the elements and intervals of its scenario."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ns3_scenarios.checking.elements import KEYS, Codes, Elements, codes_of, shown
from ns3_scenarios.checking.findings import Findings, Rule

UNKNOWN_NAME = Rule(
    "unknown-name",
    "error",
    "names that the scenario does not have",
    "names of its cells, slices, users, flows, links, sites and applications, and words of the "
    "schema",
    "rename them, or describe the elements in the scenario",
)
UNKNOWN_ELEMENT = Rule(
    "unknown-alarm",
    "warning",
    "alarms are about elements that the scenario does not have",
    "the name of a cell, link, edge site, slice or user",
    "rename them, or describe the elements in the scenario",
)
OTHER_ROWS = Rule(
    "other-rows",
    "error",
    "the rows are not those of the scenario",
    "one row for each element and interval",
    "write the missing rows, drop those that are too many, or correct duration_s and interval_ms "
    "of the scenario",
)
OTHER_ORDER = Rule(
    "other-order",
    "error",
    "the rows are in another order",
    "ordered by interval, then as the scenario has its elements",
    "sort them; sixg.write_dataset does so",
)
OTHER_INTERVAL = Rule(
    "other-interval",
    "error",
    "rows are of an interval that the scenario does not have",
    "from 0 to the number of intervals less one",
    "count intervals from 0, and see that duration_s of the scenario is what was recorded",
)
OTHER_TIME = Rule(
    "other-time",
    "error",
    "time_ms is not the end of the interval",
    "(interval + 1) times interval_ms of the scenario",
    "count time from the start of the run",
)
TWICE = Rule(
    "twice",
    "error",
    "a user hears more than one neighbour of the same rank",
    "one row for each interval, user and rank",
    "rank the neighbours of a user 1, 2, 3 and so on in each interval",
)
NAMES_OPTIONAL = {("alarm", "element"): UNKNOWN_ELEMENT}


class RowChecker:
    """Checks the rows of one run at a time."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def check(
        self,
        table: str,
        run: tuple[str, int],
        rows: pa.Table,
        elements: Elements,
        absent: frozenset[str],
    ) -> bool:
        """Whether the rows are those of the scenario, in order; says what is not so."""
        codes: dict[str, Codes] = {}
        known = True
        for (of, column), numbers in elements.names.items():
            if of != table or column in absent:
                continue
            codes[column] = codes_of(rows[column], numbers)
            if len(codes[column]) and codes[column].min() < 0:
                known &= not self._unknown(table, column, run, rows, codes[column])
        if "interval" in absent or rows["interval"].null_count:
            return False
        interval = rows["interval"].to_numpy().astype(np.int64)
        well = self._intervals(table, run, rows, interval, elements, absent)
        if table == "neighbour" and {"ue", "rank"}.isdisjoint(absent):
            self._ranks(run, rows, interval, codes["ue"])
        if table not in KEYS:
            return well
        if not absent.isdisjoint(KEYS[table]) or not known or not well:
            return False
        return self._ordered(table, run, interval, tuple(codes[c] for c in KEYS[table]), elements)

    def _unknown(
        self, table: str, column: str, run: tuple[str, int], rows: pa.Table, codes: Codes
    ) -> bool:
        """Report names that have no number; nulls are reported elsewhere."""
        values = rows[column].filter(pa.array(codes < 0)).drop_null()
        if not len(values):
            return False
        rule = NAMES_OPTIONAL.get((table, column), UNKNOWN_NAME)
        self._findings.add(
            rule, f"{column} {values[0].as_py()!r}", table=table, columns=(column,), run=run
        )
        return rule is UNKNOWN_NAME and column in KEYS.get(table, ())

    def _intervals(
        self,
        table: str,
        run: tuple[str, int],
        rows: pa.Table,
        interval: Codes,
        elements: Elements,
        absent: frozenset[str],
    ) -> bool:
        n_intervals = elements.scenario.n_intervals
        if not len(interval):
            return True
        low, high = int(interval.min()), int(interval.max())
        if low < 0 or high >= n_intervals:
            text = f"interval {low if low < 0 else high}, of {n_intervals}"
            self._findings.add(OTHER_INTERVAL, text, table=table, columns=("interval",), run=run)
            return False
        if "time_ms" not in absent and not rows["time_ms"].null_count:
            step_ms = elements.scenario.interval_ms
            time_ms, expected = rows["time_ms"].to_numpy(), (interval + 1) * step_ms
            wrong = ~(np.abs(time_ms - expected) <= 1e-3 * step_ms)
            if wrong.any():
                at = int(wrong.argmax())
                text = f"{time_ms[at]:g} ms in interval {interval[at]}, not {expected[at]:g} ms"
                self._findings.add(OTHER_TIME, text, table=table, columns=("time_ms",), run=run)
        return True

    def _ordered(
        self,
        table: str,
        run: tuple[str, int],
        interval: Codes,
        codes: tuple[Codes, ...],
        elements: Elements,
    ) -> bool:
        n_intervals = elements.scenario.n_intervals
        rows = elements.rows[table]
        if len(interval) == n_intervals * len(rows):
            misplaced = elements.misplaced(table, interval, codes)
            if misplaced is None:
                return True
        place = {"table": table, "columns": KEYS[table], "run": run}
        of = elements.places(table, codes)
        if len(of) and of.min() < 0:
            at = int(of.argmin())
            names = (list(elements.names[table, c]) for c in KEYS[table])
            stranger = tuple(known[c[at]] for known, c in zip(names, codes, strict=True))
            text = f"a row of {shown(table, stranger)}, which the scenario does not have"
            self._findings.add(OTHER_ROWS, text, **place)  # type: ignore[arg-type]
            return False
        there = np.zeros((n_intervals, len(rows)), np.int64)
        np.add.at(there, (interval, of), 1)
        if (there == 1).all():
            self._findings.add(OTHER_ORDER, str(misplaced), **place)  # type: ignore[arg-type]
            return False
        moment, element_index = np.argwhere(there != 1)[0]
        element = shown(table, rows[element_index])
        count = there[moment, element_index]
        text = (
            f"{len(interval)} rows, not {n_intervals * len(rows)} ({n_intervals} intervals of "
            f"{len(rows)}); {count or 'none'} of {element} in interval {moment}"
        )
        self._findings.add(OTHER_ROWS, text, **place)  # type: ignore[arg-type]
        return False

    def _ranks(self, run: tuple[str, int], rows: pa.Table, interval: Codes, ue: Codes) -> None:
        if rows["rank"].null_count or not len(interval):
            return
        rank: NDArray[np.int64] = rows["rank"].to_numpy().astype(np.int64)
        keys = (interval * (ue.max() + 2) + ue + 1) * 256 + rank + 128
        different, first, counts = np.unique(keys, return_index=True, return_counts=True)
        if len(different) < len(keys):
            at = first[counts.argmax()]
            text = f"rank {rank[at]} in interval {interval[at]} {counts.max()} times"
            self._findings.add(
                TWICE, text, table="neighbour", columns=("interval", "ue", "rank"), run=run
            )
