# SPDX-License-Identifier: Apache-2.0
"""A validation report as text: tables for a terminal, drawn with Rich."""

from __future__ import annotations

import math

from rich.table import Table
from rich.text import Text

from ns3_scenarios.validation.reference import RowResult, ValidationReport
from ns3_scenarios.validation.rules import Check


def report_table(report: ValidationReport, *, only_failed: bool = False) -> Table:
    """Ours, theirs, deviation and verdict of every figure of every row."""
    table = Table(title="RAN model against the reference", title_justify="left")
    table.add_column("row")
    table.add_column("figure")
    for name in ("ours", "theirs", "deviation"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("allowed")
    table.add_column("verdict")
    table.add_column("ours, outer loop", justify="right")
    for row in report.rows:
        if not (only_failed and row.holds):
            _add(table, row)
    return table


def summary_line(report: ValidationReport) -> str:
    """How many rows hold, in one sentence."""
    n = len(report.rows)
    if report.holds:
        return f"All {n} rows hold."
    return f"{report.n_failed} of {n} rows fail, {n - report.n_failed} hold."


def _add(table: Table, row: RowResult) -> None:
    if row.error:
        table.add_row(row.label, "", "", "", "", row.error, _verdict(False), "", end_section=True)
        return
    for i, check in enumerate(row.checks):
        beside = ""
        if check.figure == "goodput" and row.outer_loop_mbps is not None:
            beside = f"{row.outer_loop_mbps:.4g} Mbit/s"
        table.add_row(
            row.label if i == 0 else row.note if i == 1 else "",
            check.figure,
            _value(check.ours, check.unit),
            _value(check.theirs, check.unit),
            _deviation(check),
            check.rule,
            _verdict(check.holds),
            beside,
            end_section=i == len(row.checks) - 1,
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
