# SPDX-License-Identifier: Apache-2.0
"""A validation report as lines of text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.text import Text

from ns3_scenarios.validation.reference import RowResult, ValidationReport
from ns3_scenarios.validation.rules import Check

HEADING = f"  {'figure':<22}{'ours':>15}{'theirs':>15}{'deviation':>13}  allowed"


def report_lines(report: ValidationReport) -> Iterator[Text]:
    """Ours, theirs, deviation and verdict of every figure of every row."""
    yield Text(HEADING, style="bold")
    for row in report.rows:
        yield from _row_lines(row)


def summary_line(report: ValidationReport) -> str:
    """How many rows hold, in one sentence."""
    n = len(report.rows)
    if report.holds:
        return f"All {n} rows hold."
    return f"{report.n_failed} of {n} rows fail, {n - report.n_failed} hold."


def _row_lines(row: RowResult) -> Iterator[Text]:
    title = Text(row.label).append("  ").append(_verdict(row.holds))
    if row.outer_loop_mbps is not None:
        title.append(f"  (default link adaptation: {row.outer_loop_mbps:.4g} Mbit/s)")
    if row.note:
        title.append(f"  {row.note}")
    yield title
    if row.error:
        yield Text(f"  {row.error}", style="red")
    for check in row.checks:
        yield Text(
            f"  {check.figure:<22}{_value(check.ours, check.unit):>15}"
            f"{_value(check.theirs, check.unit):>15}{_deviation(check):>13}  {check.rule}",
            style="" if check.holds else "red",
        )


def _value(value: float, unit: str) -> str:
    return "none" if math.isnan(value) else f"{value:.4g} {unit}".rstrip()


def _deviation(check: Check) -> str:
    if math.isnan(check.deviation):
        return ""
    if check.relative:
        return f"{check.deviation:+.1%}"
    return f"{check.deviation:+.3g} {check.unit}".rstrip()


def _verdict(holds: bool) -> Text:
    return Text("holds", style="green") if holds else Text("FAILS", style="bold red")
