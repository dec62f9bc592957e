# SPDX-License-Identifier: Apache-2.0
"""`Kpis`: what one reporting interval says of the network, alike on every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from ns3_scenarios.kpi import TABLES, arrow_schema

Columns = Mapping[str, NDArray[Any]]
"""Columns of a table by name: numbers with NaN where there is none, or strings."""


TIMES = ("interval", "time_ms")
"""Columns that are equal in all rows of an interval."""


class Kpis:
    """The KPI tables of one interval, with the columns of `ns3_scenarios.kpi.TABLES`.

    Args:
        interval: index of the interval.
        time_ms: its end.
        make: columns of a table; it is asked for each table once, and may leave columns out that
            the backend knows nothing of.
    """

    def __init__(self, interval: int, time_ms: float, make: Callable[[str], Columns]) -> None:
        self.interval = interval
        self.time_ms = time_ms
        self._make = make
        self._tables: dict[str, Columns] = {}
        self._n_rows: dict[str, int] = {}

    @classmethod
    def of_arrow(cls, tables: Mapping[str, pa.Table]) -> Kpis:
        """The KPIs of Arrow tables that hold one interval."""
        network = tables["network"]
        return cls(
            int(network["interval"][0].as_py()),
            float(network["time_ms"][0].as_py()),
            lambda name: _ArrowColumns(tables[name]) if name in tables else {},
        )

    @classmethod
    def each_of_arrow(cls, tables: Mapping[str, pa.Table]) -> list[Kpis]:
        """The KPIs of each interval of Arrow tables that hold several."""
        numbers = tables["network"]["interval"].unique().to_pylist()
        return [
            cls.of_arrow(
                {
                    name: table.filter(pa.compute.equal(table["interval"], number))
                    for name, table in tables.items()
                }
            )
            for number in numbers
        ]

    def table(self, name: str) -> Columns:
        """All columns of a table that are known, without `interval` and `time_ms`."""
        if name not in self._tables:
            self._tables[name] = self._make(name)
        return self._tables[name]

    def column(self, table: str, name: str) -> NDArray[Any]:
        """One column; all missing where the backend knows nothing of it.

        Raises:
            KeyError: the schema has no such column.
        """
        columns = self.table(table)
        if name in columns:
            return columns[name]
        if all(column.name != name for column in TABLES[table]):
            raise KeyError(f"table {table} has no column {name}")
        return np.full(self.n_rows(table), np.nan)

    def n_rows(self, table: str) -> int:
        """Number of rows of a table."""
        if table not in self._n_rows:
            self._n_rows[table] = next((len(v) for v in self.table(table).values()), 0)
        return self._n_rows[table]

    def where(self, table: str, **names: str) -> NDArray[np.int64]:
        """Indices of the rows whose columns have some names."""
        found = np.ones(self.n_rows(table), bool)
        for column, name in names.items():
            found &= self.column(table, column) == name
        return np.flatnonzero(found)

    def rows(self, table: str, **names: str) -> list[dict[str, Any]]:
        """Rows of a table as Python values, None where there is none."""
        columns = {c.name: self.column(table, c.name) for c in TABLES[table] if c.name not in TIMES}
        return [
            {name: plain(values[i]) for name, values in columns.items()}
            for i in self.where(table, **names)
        ]

    def to_arrow(self, table: str) -> pa.Table:
        """A table in the schema of the traces."""
        schema = arrow_schema(table)
        n = self.n_rows(table)
        constant = {"interval": self.interval, "time_ms": self.time_ms}
        arrays = [
            pa.array(np.full(n, constant[field.name]), field.type)
            if field.name in constant
            else _arrow(self.column(table, field.name), field.type)
            for field in schema
        ]
        return pa.Table.from_arrays(arrays, schema=schema)


def plain(value: Any) -> Any:
    """A Python value that JSON has: None for NaN."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


class _ArrowColumns(Mapping[str, NDArray[Any]]):
    """Columns of an Arrow table, each turned into an array when it is first asked for."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._names = [n for n in table.column_names if n not in TIMES]
        self._made: dict[str, NDArray[Any]] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._made:
            if name not in self._names:
                raise KeyError(name)
            self._made[name] = _array(self._table[name].combine_chunks())
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _array(column: pa.Array) -> NDArray[Any]:
    if pa.types.is_dictionary(column.type):
        words = np.array([*column.dictionary.to_pylist(), None], dtype=object)
        return np.asarray(words[column.indices.fill_null(len(words) - 1).to_numpy()])
    if pa.types.is_string(column.type):
        return np.array(column.to_pylist(), dtype=object)
    values = column.to_numpy(zero_copy_only=False)
    return np.asarray(values if pa.types.is_boolean(column.type) else values.astype(float))


def _arrow(values: NDArray[Any], type_: pa.DataType) -> pa.Array:
    """A column as Arrow has it; what is missing is null."""
    if pa.types.is_dictionary(type_):
        words = [None if isinstance(v, float) else v for v in values.tolist()]
        return pa.array(words, pa.string()).dictionary_encode().cast(type_)
    if values.dtype == bool and pa.types.is_boolean(type_):
        return pa.array(values, type_)
    numbers = values.astype(float)
    missing = ~np.isfinite(numbers)
    if pa.types.is_integer(type_) or pa.types.is_boolean(type_):
        numbers = np.rint(np.where(missing, 0, numbers))
        return pa.array(numbers.astype(np.int64), mask=missing).cast(type_)
    return pa.array(numbers, type_, mask=missing)
