# SPDX-License-Identifier: Apache-2.0
"""Reads the files of a run, gives them the columns of the schema, and says what is wrong."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ns3_scenarios.checking.columns import NEEDED
from ns3_scenarios.checking.findings import Findings, Rule
from ns3_scenarios.kpi import TABLES, arrow_schema
from ns3_scenarios.storage import FileEntry

SCHEMAS = {name: arrow_schema(name) for name in TABLES}

MISSING_FILE = Rule(
    "missing-file",
    "error",
    "the file of a table is missing",
    "one part.parquet for every table and run, without rows where there are none",
    "write the table, or take the run out of manifest.json",
)
DAMAGED_FILE = Rule(
    "damaged-file",
    "error",
    "a file cannot be read as Parquet",
    "a whole Parquet file",
    "write or simulate the run again",
)
DOUBLE_COLUMN = Rule(
    "double-column",
    "error",
    "columns are there more than once",
    "every column once",
    "drop or rename all but one of them",
)
CHANGED_FILE = Rule(
    "changed-file",
    "warning",
    "a file is not the one that the manifest has the hash of",
    "the SHA-256 in manifest.json",
    "put the file back, or write the manifest again",
)
MISSING_NEEDED = Rule(
    "missing-column",
    "error",
    "columns that calibration reads are missing",
    "all columns of the schema that calibration reads",
    "write the columns, with their unit in the name",
)
MISSING_OTHER = Rule(
    "missing-unread-column",
    "warning",
    "columns that calibration does not read are missing",
    "all columns of the schema, null where they are not measured",
    "nothing for calibration; other readers see null",
)
WRONG_TYPE = Rule(
    "wrong-type",
    "error",
    "columns have values of another type",
    "the type of the schema",
    "convert the columns before writing them",
)
OTHER_TYPE = Rule(
    "other-type",
    "warning",
    "columns have a similar type, whose values are converted by every reader",
    "the type of the schema",
    "convert the columns before writing them",
)
WRONG_UNIT = Rule(
    "wrong-unit",
    "error",
    "the metadata of columns name another unit",
    "the unit of the schema",
    "convert the values, and name the unit of the schema",
)
NO_UNIT = Rule(
    "no-unit",
    "warning",
    "the metadata of columns name no unit",
    "the unit of the schema as `unit` in the metadata of the field",
    "see that the values have the unit that ends the column's name",
)


@dataclass(frozen=True)
class RawFile:
    """What reading a file gave."""

    table: pa.Table | None
    sha256: str = ""
    trouble: str = ""
    """Why there is no table; empty if the file is missing."""


def read_part(path: Path) -> RawFile:
    """Read one file, whatever state it is in."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return RawFile(None)
    except OSError as error:
        return RawFile(None, trouble=error.strerror or type(error).__name__)
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    except (OSError, ValueError, pa.ArrowException) as error:
        return RawFile(None, sha256, str(error).splitlines()[0])
    return RawFile(table, sha256)


class FileChecker:
    """Checks files one by one; what they have in common is looked at once."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._well: dict[str, pa.Schema] = {}
        """By table, the last schema with all units, which most files share."""

    def whole(
        self, name: str, run: tuple[str, int], raw: RawFile, entry: FileEntry | None
    ) -> pa.Table | None:
        """The table in a file, if there is one that can be looked at."""
        if raw.table is None:
            rule, what = (DAMAGED_FILE, raw.trouble) if raw.trouble else (MISSING_FILE, "no file")
            self._findings.add(rule, what, table=name, run=run)
            return None
        if entry and entry.sha256 != raw.sha256:
            what = f"SHA-256 {raw.sha256[:16]}..., not {entry.sha256[:16]}..."
            self._findings.add(CHANGED_FILE, what, table=name, run=run)
        names = raw.table.schema.names
        if twice := [c for c in dict.fromkeys(names) if names.count(c) > 1]:
            what = f"{twice[0]} is there {names.count(twice[0])} times"
            self._findings.add(DOUBLE_COLUMN, what, table=name, columns=twice, run=run)
            return None
        return raw.table

    def conformed(
        self, name: str, run: tuple[str, int], table: pa.Table
    ) -> tuple[pa.Table, frozenset[str]]:
        """A KPI table as the schema has it, and the columns that had to be left null."""
        schema = SCHEMAS[name]
        if table.schema.equals(schema, check_metadata=False):
            self._check_units(name, run, table.schema)
            return table, frozenset()
        self._check_units(name, run, table.schema)
        self._check_missing(name, run, table.schema.names)
        columns, absent = [], set()
        for field in schema:
            column = None
            if field.name in table.schema.names:
                column = self._converted(name, run, table.column(field.name), field)
            if column is None:
                absent.add(field.name)
                column = pa.nulls(len(table), field.type)
            columns.append(column)
        return pa.table(columns, schema=schema), frozenset(absent)

    def _check_missing(self, name: str, run: tuple[str, int], there: list[str]) -> None:
        foreign = [c for c in there if c not in SCHEMAS[name].names]
        for rule, needed in ((MISSING_NEEDED, True), (MISSING_OTHER, False)):
            missing = [
                c for c in SCHEMAS[name].names if c not in there and (c in NEEDED[name]) == needed
            ]
            if not missing:
                continue
            text = f"no {missing[0]}"
            if close := difflib.get_close_matches(missing[0], foreign, n=1):
                text += f", but {close[0]!r}, which is no column of the schema"
            self._findings.add(rule, text, table=name, columns=missing, run=run)

    def _converted(
        self, name: str, run: tuple[str, int], column: pa.ChunkedArray, field: pa.Field
    ) -> pa.ChunkedArray | None:
        if column.type == field.type:
            return column
        place = {"table": name, "columns": (field.name,), "run": run}
        text = f"{field.name} is {column.type}, not {field.type}"
        if pa.types.is_null(column.type):
            return column.cast(field.type)
        if _kind(column.type) == _kind(field.type):
            try:
                if _kind(field.type) == "text":
                    converted = column.cast(pa.string()).dictionary_encode().cast(field.type)
                else:
                    converted = column.cast(field.type)
            except pa.ArrowException as error:
                text += f" ({error})"
            else:
                # Text of any kind means the same, and is what other programs write.
                if _kind(field.type) != "text":
                    self._findings.add(OTHER_TYPE, text, **place)  # type: ignore[arg-type]
                return converted
        self._findings.add(WRONG_TYPE, text, **place)  # type: ignore[arg-type]
        return None

    def _check_units(self, name: str, run: tuple[str, int], schema: pa.Schema) -> None:
        plain = schema.remove_metadata()
        if name in self._well and plain.equals(self._well[name], check_metadata=True):
            return
        none, well = [], True
        for field in SCHEMAS[name]:
            index = schema.get_field_index(field.name)
            unit = field.metadata[b"unit"]
            if index < 0 or not unit:
                continue
            found = (schema.field(index).metadata or {}).get(b"unit")
            if found is None:
                none.append(field.name)
            elif found != unit:
                well = False
                text = f"{field.name} in {found.decode(errors='replace')!r}, not {unit.decode()!r}"
                place = {"table": name, "columns": (field.name,), "run": run}
                self._findings.add(WRONG_UNIT, text, **place)  # type: ignore[arg-type]
        if none:
            text = f"{none[0]} has no unit"
            self._findings.add(NO_UNIT, text, table=name, columns=none, run=run)
        elif well:
            self._well[name] = plain


def _kind(type_: pa.DataType) -> str:
    if pa.types.is_dictionary(type_):
        return _kind(type_.value_type)
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return "text"
    if pa.types.is_boolean(type_):
        return "boolean"
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        return "number"
    return str(type_)
