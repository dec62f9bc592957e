# SPDX-License-Identifier: Apache-2.0
"""How tools read KPI tables: rows as typed results, rounded, in scope, and not too many."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from env.kpis import Kpis
from env.tools.base import Result
from env.view import View
from ns3_scenarios.kpi import TABLES

T = TypeVar("T")

SIGNIFICANT_DIGITS = 6
"""Of numbers in answers, so that they stay short."""
EXACT = ("raised_ms", "cleared_ms")
"""Points in time, which are not rounded; neither are counts."""
MAX_WINDOW = 50
MAX_LIMIT = 200

Window = Annotated[
    int, Field(ge=1, le=MAX_WINDOW, description="The last reporting intervals that are read.")
]
Limit = Annotated[
    int, Field(ge=1, le=MAX_LIMIT, description="Most entries that a list of the answer shows.")
]


class Listing(Result, Generic[T]):
    """A list that may be cut short."""

    total: int
    """Entries that there are."""
    shown: int
    """Entries in `items`: the first of them."""
    items: list[T]


def listing(items: Sequence[T], limit: int, total: int | None = None) -> Listing[T]:
    """The first of some entries.

    Args:
        items: all entries, or at least as many as are shown.
        limit: most that are shown.
        total: how many there are, if `items` has not all.
    """
    total = len(items) if total is None else total
    return Listing(total=total, shown=min(len(items), limit), items=list(items[:limit]))


def rounded(value: float | None) -> float | None:
    """A number to `SIGNIFICANT_DIGITS`; None where there is none."""
    return None if value is None or not math.isfinite(value) else short(value)


def short(value: float) -> float:
    """A finite number to `SIGNIFICANT_DIGITS`."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def mean(values: Iterable[float]) -> float | None:
    """The mean of the values that there are, not rounded; None without one."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else None


def count(values: Iterable[float]) -> int | None:
    """The sum of counts that there are; None without one."""
    known = [value for value in values if not math.isnan(value)]
    return round(sum(known)) if known else None


def read(
    model: type[Result], kpis: Kpis, table: str, rows: NDArray[np.int64] | Sequence[int]
) -> list[dict[str, Any]]:
    """Rows of a KPI table as fields of a result: the columns that it has fields for.

    Args:
        model: of the result; fields that are no columns are left to the caller.
        kpis: of an interval.
        table: its name.
        rows: their indices, in the order in which they are wanted.
    """
    names = columns_of(model, table)
    columns = [_plain(kpis.column(table, name)[rows], table, name) for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def read_one(model: type[Result], kpis: Kpis, table: str, **names: str) -> dict[str, Any]:
    """The first row whose columns have some names, as `read`; empty where there is none."""
    return next(iter(read(model, kpis, table, kpis.where(table, **names)[:1])), {})


@lru_cache(maxsize=256)
def columns_of(model: type[Result], table: str) -> tuple[str, ...]:
    """Columns of a table that a result has fields for."""
    return tuple(c.name for c in TABLES[table] if c.name in model.model_fields)


def panel(
    window: Sequence[Kpis], table: str, key: str, names: Sequence[str], columns: Sequence[str]
) -> NDArray[np.float64]:
    """Numbers of some elements over a window, NaN where there is none.

    Args:
        window: intervals.
        table: a KPI table.
        key: its column with the names of elements.
        names: of the elements wanted.
        columns: wanted of each.

    Returns:
        Shape (elements, columns, intervals).
    """
    found = np.full((len(names), len(columns), len(window)), np.nan)
    for at, kpis in enumerate(window):
        row_of = {name: row for row, name in enumerate(kpis.column(table, key))}
        known = [(i, row_of[name]) for i, name in enumerate(names) if name in row_of]
        mine, rows = np.array(known, int).reshape(-1, 2).T
        for number, column in enumerate(columns):
            found[mine, number, at] = kpis.column(table, column)[rows]
    return found


def in_scope(view: View, kpis: Kpis, table: str, column: str, **names: str) -> NDArray[np.int64]:
    """Rows of a table whose elements are in scope and whose columns have some names."""
    rows = kpis.where(table, **names)
    if not view.scope.elements:
        return rows
    names_there = kpis.column(table, column)
    return np.array([row for row in rows if view.scope.has(names_there[row])], np.int64)


def seen(view: View, name: str | None) -> str | None:
    """The name of an element that an entry refers to; None where it is out of scope."""
    return name if name is not None and view.scope.has(name) else None


def cells_of(view: View) -> list[str]:
    """Cells in scope."""
    return [cell for cell in view.controls.cells if view.scope.has(cell)]


def slices_of(view: View) -> list[str]:
    """Slices in scope."""
    return [s.name for s in view.scenario.slices if view.scope.has(s.name)]


@lru_cache(maxsize=512)
def _is_count(table: str, name: str) -> bool:
    kind = next(c.type for c in TABLES[table] if c.name == name)
    return bool(pa.types.is_integer(kind))


def _plain(values: NDArray[Any], table: str, name: str) -> list[Any]:
    if values.dtype.kind != "f":
        return list(values.tolist())
    if _is_count(table, name):
        return [None if math.isnan(value) else round(value) for value in values.tolist()]
    if name in EXACT:
        return [None if math.isnan(value) else value for value in values.tolist()]
    return [rounded(value) for value in values.tolist()]
