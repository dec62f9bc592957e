# SPDX-License-Identifier: Apache-2.0
"""Shows the outcome of a check on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from ns3_scenarios.checking.findings import Finding, Report

MOST_FINDINGS = 40
"""Findings that are shown; `--json` has all."""
MOST_COLUMNS = 6

STYLES = {"error": "bold red", "warning": "yellow"}


def print_report(report: Report, console: Console) -> None:
    """Show findings, and what follows from them."""
    for finding in report.findings[:MOST_FINDINGS]:
        severity = finding.rule.severity
        console.print(f"[{STYLES[severity]}]{severity:7}[/]", end=" ")
        console.print(_headline(finding), markup=False, soft_wrap=True)
        for label, text in (
            ("found", finding.example),
            ("expected", finding.rule.expected),
            ("to mend", finding.rule.fix),
        ):
            console.print(f"        {label}: {text}", markup=False, soft_wrap=True, style="dim")
    if len(report.findings) > MOST_FINDINGS:
        more = len(report.findings) - MOST_FINDINGS
        console.print(f"and {more} more findings, which --json lists")
    errors, warnings = len(report.of("error")), len(report.of("warning"))
    checked = f"{report.dataset}: {_count(report.runs, 'run')} checked"
    if errors:
        verdict = f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"
        console.print(f"{checked}; {verdict}", markup=False, soft_wrap=True, style="red")
    else:
        verdict = f"it can be calibrated on ({_count(warnings, 'warning')})"
        console.print(f"{checked}; {verdict}", markup=False, soft_wrap=True, style="green")


def _headline(finding: Finding) -> str:
    parts = [f"table {finding.table}"] * bool(finding.table)
    if finding.columns:
        more = len(finding.columns) - MOST_COLUMNS
        shown = ", ".join(finding.columns[:MOST_COLUMNS])
        parts.append(shown + (f" and {more} more" if more > 0 else ""))
    if finding.runs:
        parts.append(f"in {_count(finding.runs, 'run')}")
    return ", ".join([finding.rule.problem, *parts])


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
