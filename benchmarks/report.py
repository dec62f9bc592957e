# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks print: figures with target and verdict, as a table or as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Line:
    """One measured figure."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def verdict(self) -> str:
        if self.at_least is None and self.at_most is None:
            return ""
        low = self.at_least is None or self.value >= self.at_least
        high = self.at_most is None or self.value <= self.at_most
        return "met" if low and high else "MISSED"

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return "" if self.at_most is None else f"at most {self.at_most:g}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "target": self.target,
            "verdict": self.verdict,
        }


def emit(title: str, lines: list[Line], *, as_json: bool) -> int:
    """Print all figures; the exit status says whether every target is met."""
    if as_json:
        print(json.dumps({"title": title, "figures": [line.as_dict() for line in lines]}, indent=2))
    else:
        table = Table(title=title, title_justify="left")
        for name in ("figure", "value", "unit", "target", "verdict"):
            table.add_column(name, justify="right" if name == "value" else "left")
        for line in lines:
            table.add_row(line.name, f"{line.value:.4g}", line.unit, line.target, line.verdict)
        Console(width=120).print(table)
    return int(any(line.verdict == "MISSED" for line in lines))


def run_parts(title: str, doc: str | None, parts: Mapping[str, Callable[[], list[Line]]]) -> int:
    """Measure the parts that the command line names, all by default, and print their figures.

    Args:
        title: of the table.
        doc: of the program; its first line is the help.
        parts: what measures each, by name.
    """
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    lines = [line for name in arguments.only for line in parts[name]()]
    return emit(title, lines, as_json=arguments.json)
