# SPDX-License-Identifier: Apache-2.0
"""What an intent comes to: `Goal`, typed predicates over KPIs and controls.

Tools that reason take goals as arguments, and tasks are decided by them. A goal is met where all
its predicates hold; whether a predicate holds is True, False, or None where nothing is known.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from env.errors import ToolError
from env.kpis import Kpis
from env.view import View
from ns3_scenarios.controls import ControlState
from ns3_scenarios.errors import ControlError
from ns3_scenarios.kpi import TABLES

Comparison = Literal["<=", "<", ">=", ">", "==", "!="]
Over = Literal["mean", "min", "max", "sum"]
GoalTable = Literal[
    "network", "cell", "slice", "ue", "neighbour", "flow", "link", "edge", "application"
]

NAMES = ("slice", "cell", "ue", "flow", "direction", "link", "site", "application")
"""Columns by which a predicate may choose rows, each a field of `KpiPredicate`."""
MAX_WINDOW = 50
TOLERANCE = 1e-9
"""Relative difference at which numbers are taken for equal."""

_COMPARE = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}


class _Predicate(BaseModel):
    """Base of predicates: no conversions, no unknown names, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class KpiPredicate(_Predicate):
    """A comparison of one KPI, of some elements and over the last intervals."""

    kind: Literal["kpi"] = Field(description="Compares a KPI.")
    table: GoalTable = Field(
        description="KPI table. network: a row per slice, end to end; slice: a row per cell and "
        "slice; the others: a row per element of that name."
    )
    kpi: str = Field(description="Column of the table, such as latency_ms or dl_prb_util_pct.")
    slice: str | None = Field(default=None, description="Only rows of this slice.")
    cell: str | None = Field(default=None, description="Only rows of this cell.")
    ue: str | None = Field(default=None, description="Only rows of this user.")
    flow: str | None = Field(default=None, description="Only rows of flows of this name.")
    direction: Literal["dl", "ul"] | None = Field(
        default=None, description="Only flows of this direction."
    )
    link: str | None = Field(default=None, description="Only rows of this transport link.")
    site: str | None = Field(default=None, description="Only rows of this edge site.")
    application: str | None = Field(default=None, description="Only rows of this application.")
    over_elements: Over = Field(
        default="mean", description="What is made of several rows; each counts alike."
    )
    window: int = Field(
        default=1, ge=1, le=MAX_WINDOW, description="The last reporting intervals that count."
    )
    over_intervals: Over = Field(default="mean", description="What is made of several intervals.")
    comparison: Comparison = Field(description="How the KPI must compare with the value.")
    value: float = Field(description="In the unit of the KPI.")
    unit: str = Field(
        default="", description="Of the value; if it is given, it must be the unit of the KPI."
    )

    @property
    def text(self) -> str:
        """In words, for messages."""
        names = ", ".join(f"{n}={v}" for n in NAMES if (v := getattr(self, n)) is not None)
        of = f" of {names}" if names else ""
        over = f" over {self.window} intervals" if self.window > 1 else ""
        unit = next(c.unit for c in TABLES[self.table] if c.name == self.kpi)
        value = f"{self.value:g}" if unit in ("", "1") else f"{self.value:g} {unit}"
        return f"{self.table} {self.kpi}{of}{over} {self.comparison} {value}"

    def check(self, view: View, where: str) -> None:
        """Refuse what the network or the KPI schema does not have.

        Args:
            view: of the network.
            where: name of the predicate in the arguments, for the message.

        Raises:
            ToolError: an unknown KPI, a name that the table does not have, or an unknown element.
        """
        columns = {column.name: column for column in TABLES[self.table]}
        numbers = [n for n, c in columns.items() if _is_number(c.type) and n not in _TIMES]
        if self.kpi not in numbers:
            raise ToolError(
                "bad_arguments",
                f"{where}.kpi={self.kpi!r} is no KPI of the table {self.table!r}",
                argument=f"{where}.kpi",
                value=self.kpi,
                allowed=numbers,
            )
        if self.unit and self.unit != columns[self.kpi].unit:
            raise ToolError(
                "bad_arguments",
                f"{where}.unit={self.unit!r} is not the unit of {self.kpi}",
                argument=f"{where}.unit",
                value=self.unit,
                allowed=[columns[self.kpi].unit],
            )
        for name in NAMES:
            value = getattr(self, name)
            if value is None:
                continue
            argument = f"{where}.{name}"
            if name not in columns:
                raise ToolError(
                    "bad_arguments",
                    f"{argument}={value!r}: the table {self.table!r} has no column {name!r}",
                    argument=argument,
                    value=value,
                    allowed=[n for n in NAMES if n in columns],
                )
            if name == "flow":
                flows = {f for u in view.controls.ues.values() for f in u.flows}
                if value not in flows:
                    raise ToolError(
                        "no_such_element",
                        f"{argument}={value!r} is no flow of this network",
                        argument=argument,
                        value=value,
                        allowed=sorted(flows),
                    )
            elif name != "direction":
                getattr(view, name)(value, argument)

    def read(self, history: Sequence[Kpis]) -> float | None:
        """The KPI at the end of some intervals; None where nothing is known of it."""
        names = {n: v for n in NAMES if (v := getattr(self, n)) is not None}
        by_interval = []
        for kpis in history[-self.window :]:
            values = kpis.column(self.table, self.kpi)[kpis.where(self.table, **names)]
            by_interval.append(_over(self.over_elements, np.asarray(values, float)))
        return _plain(_over(self.over_intervals, np.array(by_interval)))


class ControlPredicate(_Predicate):
    """A comparison of controls; where the path has `*`, of each that it means."""

    kind: Literal["control"] = Field(description="Compares a control.")
    path: str = Field(
        description="Of the control, as in get_cell_config, such as cells.c0.tx_power_dbm."
    )
    comparison: Comparison = Field(description="How the control must compare with the value.")
    value: float | str = Field(description="A number, or one of the words of the control.")

    @property
    def text(self) -> str:
        """In words, for messages."""
        return f"{self.path} {self.comparison} {self.value}"

    def check(self, view: View, where: str) -> None:
        """Refuse a path that the network does not have; raises as of `KpiPredicate`."""
        try:
            paths = view.controls.expand(self.path)
            settings = [view.controls.get(path) for path in paths]
        except ControlError as error:
            raise self._no_such(where, str(error)) from None
        if not all(view.scope.has(path.split(".")[1]) for path in paths):
            raise self._no_such(where, f"{self.path!r} is no control of this network")
        if any(isinstance(s, str) != isinstance(self.value, str) for s in settings):
            kind = "a word" if isinstance(settings[0], str) else "a number"
            raise ToolError(
                "bad_arguments",
                f"{where}.value={self.value!r} cannot be compared with {self.path}, {kind}",
                argument=f"{where}.value",
                value=self.value,
            )
        if isinstance(self.value, str) and self.comparison not in ("==", "!="):
            raise ToolError(
                "bad_arguments",
                f"{where}.comparison={self.comparison!r} does not compare words",
                argument=f"{where}.comparison",
                value=self.comparison,
                allowed=["==", "!="],
            )

    def _no_such(self, where: str, why: str) -> ToolError:
        return ToolError(
            "no_such_element", f"{where}.path: {why}", argument=f"{where}.path", value=self.path
        )

    def holds(self, controls: ControlState) -> bool:
        """Whether it holds of every control that the path means."""
        return all(
            _compare(self.comparison, controls.get(p), self.value)
            for p in controls.expand(self.path)
        )


Predicate = Annotated[KpiPredicate | ControlPredicate, Field(discriminator="kind")]
Goal = tuple[Predicate, ...]


@dataclass(frozen=True)
class Verdict:
    """What has become of one predicate."""

    predicate: KpiPredicate | ControlPredicate
    value: float | None
    """Of the KPI; None for controls, and where nothing is known."""
    margin: float | None
    """By how much it holds, in the unit of the KPI; negative where it does not."""
    holds: bool | None
    """None where nothing is known."""


def check_goal(goal: Goal, view: View, where: str = "goal") -> None:
    """Refuse a goal that names what the network does not have.

    Raises:
        ToolError: names the predicate.
    """
    for number, predicate in enumerate(goal):
        predicate.check(view, f"{where}.{number}")


def judge(goal: Goal, history: Sequence[Kpis], controls: ControlState) -> tuple[Verdict, ...]:
    """What has become of each predicate of a goal.

    Args:
        goal: that has been checked.
        history: KPIs of all intervals done, or of those of a future after them.
        controls: in force.
    """
    return tuple(_verdict(predicate, history, controls) for predicate in goal)


def met(verdicts: Sequence[Verdict]) -> bool | None:
    """Whether a goal is met; None where that is not known."""
    if any(verdict.holds is False for verdict in verdicts):
        return False
    return None if any(verdict.holds is None for verdict in verdicts) else True


def _verdict(
    predicate: KpiPredicate | ControlPredicate, history: Sequence[Kpis], controls: ControlState
) -> Verdict:
    if isinstance(predicate, ControlPredicate):
        return Verdict(predicate, None, None, predicate.holds(controls))
    value = predicate.read(history)
    if value is None:
        return Verdict(predicate, None, None, None)
    apart = value - predicate.value
    margin = {"<": -apart, ">": apart, "=": -abs(apart), "!": abs(apart)}[predicate.comparison[0]]
    return Verdict(predicate, value, margin, _compare(predicate.comparison, value, predicate.value))


def _compare(comparison: Comparison, value: float | str, target: float | str) -> bool:
    if isinstance(value, str) or isinstance(target, str):
        return bool(_COMPARE[comparison](value, target))
    if math.isclose(value, target, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
        return comparison in ("<=", ">=", "==")
    return bool(_COMPARE[comparison](value, target))


def _over(how: Over, values: NDArray[np.float64]) -> float:
    """One number of several, leaving out those that are not known; NaN without any."""
    known = values[np.isfinite(values)]
    return float(getattr(known, how)()) if len(known) else math.nan


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_floating(type_) or pa.types.is_integer(type_))


_TIMES = ("interval", "time_ms")
