# SPDX-License-Identifier: Apache-2.0
"""Checks the values of one table of many runs at once, column by column."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ns3_scenarios.checking.columns import NEEDED, NULLS, limits
from ns3_scenarios.checking.findings import Findings, Rule

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

NULL_NEEDED = Rule(
    "null",
    "error",
    "columns that calibration reads are null where a value always exists",
    "a value in every row",
    "write the values; where there was nothing, zero",
)
NULL_OTHER = Rule(
    "null-unread",
    "warning",
    "columns that calibration does not read are null where a value always exists",
    "a value in every row, if it was measured",
    "nothing for calibration; other readers see null",
)
NAN_NULL = Rule(
    "nan",
    "warning",
    "values that do not exist are NaN",
    "null",
    "write them as null, as pandas does by itself",
)
INFINITE = Rule(
    "infinite",
    "error",
    "values are infinite",
    "finite values, or null where the schema says when a value does not exist",
    "leave out what was divided by nothing",
)
OUT_OF_RANGE = Rule(
    "out-of-range",
    "error",
    "values are out of the physical range",
    "percentages from 0 to 100; counts, rates, bits, times and powers not negative",
    "see that the values have the unit that ends the column's name",
)
NOT_CONSERVED = Rule(
    "not-conserved",
    "error",
    "bits come from nowhere or are lost without a word",
    "ue: offered = delivered + dropped + change of queued; flow: sent = delivered + dropped + "
    "change of in flight; for each element and interval",
    "count all of them in the same place and over the same interval",
)
OTHER_RATE = Rule(
    "other-rate",
    "error",
    "throughput is not the delivered bits over the interval",
    "delivered_bits / (1000 interval_ms) = throughput_mbps",
    "see that rates are in Mbit/s and volumes in bit, not byte",
)

SHARE = 1e-3
"""Deviation that is taken for rounding, of the sum of what is compared."""

_DROPPED_FLOW = ("dropped_radio_bits", "dropped_transport_bits")
#: By table: what comes, what goes, what is kept.
BALANCES: dict[str, tuple[tuple[str, tuple[str, ...], str], ...]] = {
    "ue": tuple(
        (f"{d}_offered_bits", (f"{d}_delivered_bits", f"{d}_dropped_bits"), f"{d}_queued_bits")
        for d in ("dl", "ul")
    ),
    "flow": (("sent_bits", ("delivered_bits", *_DROPPED_FLOW), "in_flight_bits"),),
}
_RATE = ("throughput_mbps", "delivered_bits")
_RATES = tuple((f"{d}_throughput_mbps", f"{d}_delivered_bits") for d in ("dl", "ul"))
RATES: dict[str, tuple[tuple[str, str], ...]] = {
    "ue": _RATES,
    "slice": _RATES,
    "flow": (_RATE,),
    "link": (_RATE,),
}


@dataclass(frozen=True)
class Part:
    """A table of one run, among those that are checked together."""

    run: tuple[str, int]
    rows: pa.Table
    absent: frozenset[str]
    """Columns that its file does not have, or not in a usable type."""
    ordered: bool
    """Whether its rows are those of the scenario, in order."""
    n_intervals: int
    interval_ms: float


class Batch:
    """The rows of one table of many runs, one below the other."""

    def __init__(self, table: str, parts: list[Part]) -> None:
        self.table = table
        self.parts = parts
        self._rows = pa.concat_tables([part.rows for part in parts])
        self.lengths = np.array([len(part.rows) for part in parts])
        self._ends = np.cumsum(self.lengths)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self._rows.schema.names)

    def column(self, name: str) -> pa.ChunkedArray:
        """One column."""
        return self._rows[name]

    def numbers(self, name: str) -> NDArray[np.generic]:
        """One column of numbers; where it has nulls, floating with NaN in their places."""
        values: NDArray[np.generic] = self._rows[name].to_numpy()
        return values

    def by_part(self, rows: Mask) -> NDArray[np.int64]:
        """Numbers of the parts in which a mask of rows holds anywhere."""
        return np.unique(np.searchsorted(self._ends, np.flatnonzero(rows), "right"))

    def spread(self, values: list[float]) -> Floats:
        """A value of each part, for each of its rows."""
        return np.repeat(np.asarray(values, float), self.lengths)

    @cached_property
    def ordered(self) -> Mask:
        """Rows of parts whose rows are those of the scenario."""
        return self.spread([part.ordered for part in self.parts]).astype(bool)

    @cached_property
    def before(self) -> NDArray[np.int64]:
        """The row of the same element in the interval before; -1 where there is none."""
        per_interval = self.spread([len(p.rows) // p.n_intervals for p in self.parts])
        starts = np.repeat(self._ends - self.lengths, self.lengths)
        index = np.arange(len(self._rows)) - per_interval.astype(np.int64)
        return np.where(self.ordered & (index >= starts), index, -1)

    def shown(self, part: int, rows: Mask, columns: tuple[str, ...]) -> str:
        """Columns of the first of the rows that is of a part."""
        start = int(self._ends[part] - self.lengths[part])
        at = start + int(rows[start : self._ends[part]].argmax())
        names = [c for c in self.columns if pa.types.is_dictionary(self.column(c).type)][:3]
        words = [str(self.column(c)[at].as_py()) for c in names]
        where = " ".join(["interval", str(self.column("interval")[at].as_py()), *words])
        values = ", ".join(f"{c} = {_text(self.column(c)[at].as_py())}" for c in columns)
        return f"{values} ({where})"


class ValueChecker:
    """Checks the values of tables; knows afterwards which columns never had a value."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._rows: dict[str, int] = {}
        self._valued: dict[tuple[str, str], bool] = {}

    def check(self, table: str, parts: list[Part]) -> None:
        """Say what is wrong with the values of one table of some runs."""
        parts = [part for part in parts if len(part.rows)]
        if not parts:
            return
        batch = Batch(table, parts)
        self._rows[table] = self._rows.get(table, 0) + int(batch.lengths.sum())
        for name in batch.columns:
            self._nulls(batch, name)
            type_ = batch.column(name).type
            if pa.types.is_integer(type_) or pa.types.is_floating(type_):
                self._numbers(batch, name)
        with np.errstate(invalid="ignore"):  # infinite values, which are reported as such
            for comes, goes, kept in BALANCES.get(table, ()):
                self._balance(batch, comes, goes, kept)
            for rate, bits in RATES.get(table, ()):
                self._rate(batch, rate, bits)

    def never_valued(self) -> dict[str, list[str]]:
        """By table with rows, the columns that calibration reads but that have no value at all."""
        return {
            table: [c for c in NEEDED[table] if c in NULLS[table] and not self._valued[table, c]]
            for table in self._rows
        }

    def _nulls(self, batch: Batch, name: str) -> None:
        table, column = batch.table, batch.column(name)
        key = table, name
        self._valued[key] = self._valued.get(key, False) or column.null_count < len(column)
        if not column.null_count or name in NULLS[table]:
            return
        rows = np.asarray(column.is_null().to_numpy())
        rule = NULL_NEEDED if name in NEEDED[table] else NULL_OTHER
        self._report(batch, rule, rows, (name,))

    def _numbers(self, batch: Batch, name: str) -> None:
        values = batch.numbers(name)
        low, high = limits(batch.table, name)
        if values.dtype.kind == "f":
            nothing = np.isnan(values)
            if int(nothing.sum()) > batch.column(name).null_count:
                rows = nothing & ~np.asarray(batch.column(name).is_null().to_numpy())
                if name in NULLS[batch.table]:
                    self._report(batch, NAN_NULL, rows, (name,))
                else:
                    rule = NULL_NEEDED if name in NEEDED[batch.table] else NULL_OTHER
                    self._report(batch, rule, rows, (name,))
            infinite = np.isinf(values)
            if infinite.any():
                self._report(batch, INFINITE, infinite, (name,))
            values = np.where(nothing | infinite, np.clip(0.0, low, high), values)
        outside = (values < low) | (values > high)  # type: ignore[operator]
        if outside.any():
            self._report(batch, OUT_OF_RANGE, outside, (name,))

    def _balance(self, batch: Batch, comes: str, goes: tuple[str, ...], kept: str) -> None:
        before = batch.before
        known = before >= 0
        if not known.any():
            return
        held = _floats(batch, kept)
        incoming, outgoing = _floats(batch, comes), sum(_floats(batch, name) for name in goes)
        left = incoming - outgoing - (held - held[before])
        size = np.abs(incoming) + np.abs(outgoing) + np.abs(held) + np.abs(held[before])
        wrong = known & (np.abs(left) > SHARE * size + 1)  # NaN is reported elsewhere
        if wrong.any():
            self._report(batch, NOT_CONSERVED, wrong, (comes, *goes, kept))

    def _rate(self, batch: Batch, rate: str, bits: str) -> None:
        step_ms = batch.spread([part.interval_ms for part in batch.parts])
        told, counted = _floats(batch, rate), _floats(batch, bits) / (1e3 * step_ms)
        wrong = np.abs(told - counted) > 10 * SHARE * (np.abs(told) + np.abs(counted)) + 1e-6
        if wrong.any():
            self._report(batch, OTHER_RATE, wrong, (rate, bits))

    def _report(self, batch: Batch, rule: Rule, rows: Mask, columns: tuple[str, ...]) -> None:
        for number in batch.by_part(rows).tolist():
            part = batch.parts[number]
            if part.absent.isdisjoint(columns):
                known = self._findings.known(rule, batch.table)
                text = "" if known else batch.shown(number, rows, columns)
                self._findings.add(rule, text, table=batch.table, columns=columns, run=part.run)


def _floats(batch: Batch, name: str) -> Floats:
    return batch.numbers(name).astype(np.float64)


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
