# SPDX-License-Identifier: Apache-2.0
"""What a check has to say of a dataset: findings, of which equal ones of many runs are one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning"]

MOST_TEXT = 240
"""Characters of an example, which may quote a file of anybody's."""


@dataclass(frozen=True)
class Rule:
    """Something that must hold; all its texts are the same for every run and column."""

    name: str
    """Short and stable, for programs."""
    severity: Severity
    problem: str
    """What is wrong."""
    expected: str
    fix: str
    """How to mend it."""


@dataclass(frozen=True)
class Finding:
    """Where a rule is broken, in all runs together."""

    rule: Rule
    table: str
    """Empty if it is about no single table."""
    columns: tuple[str, ...]
    runs: int
    """Number of runs in which it is so; 0 if it is about no single run."""
    example: str
    """One place where it is so, and what is there."""

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "rule": self.rule.name,
            "severity": self.rule.severity,
            "table": self.table or None,
            "columns": list(self.columns),
            "runs": self.runs,
            "problem": self.rule.problem,
            "expected": self.rule.expected,
            "fix": self.rule.fix,
            "example": self.example,
        }


@dataclass(frozen=True)
class Report:
    """The outcome of a check.

    Attributes:
        dataset: the folder.
        runs: number of runs that were looked at.
        findings: errors first; at most one for each rule and table.
    """

    dataset: str
    runs: int
    findings: tuple[Finding, ...]

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings that are errors, or warnings."""
        return tuple(f for f in self.findings if f.rule.severity == severity)

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not self.of("error")

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "dataset": self.dataset,
            "ok": self.ok,
            "runs": self.runs,
            "errors": len(self.of("error")),
            "warnings": len(self.of("warning")),
            "findings": [finding.as_dict() for finding in self.findings],
        }


@dataclass
class _Places:
    columns: dict[str, None] = field(default_factory=dict)
    runs: set[tuple[str, int]] = field(default_factory=set)
    example: str = ""


class Findings:
    """Collects findings; what is the same in many runs or columns becomes one."""

    def __init__(self) -> None:
        self._places: dict[tuple[Rule, str], _Places] = {}

    def add(
        self,
        rule: Rule,
        example: str,
        *,
        table: str = "",
        columns: Iterable[str] = (),
        run: tuple[str, int] | None = None,
    ) -> None:
        """Note that a rule is broken.

        Args:
            rule: which.
            example: what is there instead; kept of the first place only.
            table: in which table.
            columns: in which of its columns.
            run: configuration and seed of the run.
        """
        places = self._places.setdefault((rule, table), _Places())
        places.columns.update(dict.fromkeys(columns))
        if run:
            places.runs.add(run)
        if not places.example:
            where = f"config={run[0]} seed={run[1]}: " if run else ""
            text = " ".join(f"{where}{example}".split())
            places.example = text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 3] + "..."

    def known(self, rule: Rule, table: str) -> bool:
        """Whether the rule is known to be broken in the table, and has its example."""
        return (rule, table) in self._places

    def all(self, tables: Iterable[str]) -> tuple[Finding, ...]:
        """Errors first, then in the order of the tables."""
        order = {name: i for i, name in enumerate(tables)}
        found = [
            Finding(rule, table, tuple(p.columns), len(p.runs), p.example)
            for (rule, table), p in self._places.items()
        ]
        found.sort(key=lambda f: (f.rule.severity != "error", order.get(f.table, -1)))
        return tuple(found)
