# SPDX-License-Identifier: Apache-2.0
"""Families of feature columns that are described alike: own words, settings and KPIs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ns3_scenarios.kpi import TABLES

DIRECTIONS = {"dl": "downlink", "ul": "uplink"}
LAST, EARLIER = "Last interval: ", "Earlier interval: "
DIFFERENCE = "By how much the change moves it."


@dataclass(frozen=True)
class Described:
    """What one feature column is."""

    unit: str
    """`1` for counts, shares, indices and yes (1) or no (0)."""
    text: str


Entries = dict[str, Described]


@dataclass(frozen=True)
class Group:
    """Columns that rows of some kinds have."""

    title: str
    kinds: tuple[str, ...]
    entries: Entries


def own(*lines: tuple[str, str, str]) -> Entries:
    """Columns in words of their own: name, unit, text.

    A name with `{d}` stands for both directions, whose word is `{direction}` in the text.
    """
    found: Entries = {}
    for name, unit, text in lines:
        if "{d}" not in name:
            found[name] = Described(unit, text)
            continue
        for short, word in DIRECTIONS.items():
            said = text.replace("{direction}", word).replace("{d}", short)
            found[name.replace("{d}", short)] = Described(unit, said)
    return found


def settings(*lines: tuple[str, str, str]) -> Entries:
    """Settings, each in force in the next interval and as a difference from the last."""
    found: Entries = {}
    for name, unit, text in lines:
        found[name] = Described(unit, f"Setting in force in the next interval: {text}")
        found[f"{name}_change"] = Described(unit, DIFFERENCE)
    return found


def kpis(when: str, table: str, columns: Mapping[str, str], tail: str = "") -> Entries:
    """KPIs of an interval that is known, with the words of the KPI tables.

    Args:
        when: `LAST` or `EARLIER`.
        table: that has them.
        columns: KPI of each feature column; `{d}` stands for both directions.
        tail: what is said besides.

    Raises:
        KeyError: there is no such KPI.
    """
    known = {column.name: column for column in TABLES[table]}
    found: Entries = {}
    for feature, kpi in columns.items():
        for short in DIRECTIONS if "{d}" in feature else ("",):
            column = known[kpi.replace("{d}", short)]
            name = f" ({column.ts28552})" if column.ts28552 else ""
            text = f"{when}{column.description.rstrip('.')}{name}{tail}."
            found[feature.replace("{d}", short)] = Described(column.unit, text)
    return found


def prefixed(prefix: str, *names: str) -> dict[str, str]:
    """Feature columns that are called as their KPI, with a prefix."""
    return {prefix + name: name for name in names}


def codes(names: tuple[str, ...]) -> str:
    """What the numbers of a setting mean."""
    return ", ".join(f"{index} {name}" for index, name in enumerate(names)) + "."


EVERYWHERE = own(
    ("interval_ms", "ms", "Length of a reporting interval."),
    (
        "age_intervals",
        "1",
        "Intervals since KPIs were measured, at most 10; 0 unless they were predicted.",
    ),
    ("drawn", "1", "Whether they were drawn, and not predicted as means."),
)
"""The columns that all kinds have."""
