# SPDX-License-Identifier: Apache-2.0
"""All of a network as two vectors: what is read of it, and what is set: `WholeNetwork`.

For controllers that take numbers rather than tools.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from env.environment import Environment
from env.errors import EnvUserError, ToolError
from env.sla import sla_holds, sla_terms
from env.view import Scope
from ns3_scenarios.control_ranges import Span, control_ranges
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.kpi import TABLES

Floats = NDArray[np.float64]

SET = {
    "cells.*.tx_power_dbm": "set_cell_tx_power",
    "cells.*.tilt_deg": "set_antenna_tilt",
    "cells.*.target_bler": "set_scheduler",
    "cells.*.handover.a3_offset_db": "set_handover_params",
    "cells.*.handover.hysteresis_db": "set_handover_params",
    "cells.*.slices.*.max_pct": "trigger_slice_reallocation",
    "applications.*.fraction": "edge_offload",
}
"""Numeric controls that may be set, each by itself, and the tool that a scope allows them by."""
READ = {
    "network": (
        "latency_ms",
        "packet_loss_pct",
        "throughput_mbps",
        "offered_mbps",
        "within_budget_pct",
    ),
    "cell": (
        "users",
        "dl_prb_util_pct",
        "ul_prb_util_pct",
        "dl_throughput_mbps",
        "ul_throughput_mbps",
        "power_w",
    ),
}
"""KPIs by table, a row per slice and per cell; none of them is ever below 0."""
MISSING = -1.0
"""A KPI of which nothing is known, such as the latency of no packets."""
ROUNDING = 1e-5
"""By how much a number may miss its place: numbers travel as 32-bit floats."""


@dataclass(frozen=True)
class Number:
    """One number of a vector."""

    name: str
    """Such as `cells.c0.tx_power_dbm`."""
    unit: str
    """Empty without one."""
    low: float
    """In the unit; what -1 stands for, in what is set."""
    high: float
    """In the unit; what 1 stands for, in what is set."""
    log: bool = False
    """Whether it is spread on a logarithmic scale in between."""

    def scaled(self, value: float) -> float:
        """A value in its unit as a number from -1 to 1."""
        low, high, value = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return 2 * (value - low) / (high - low) - 1 if high > low else 0.0

    def value(self, scaled: float) -> float:
        """A number from -1 to 1 as a value in its unit, to 6 digits."""
        low, high = (math.log(v) if self.log else v for v in (self.low, self.high))
        value = low + (high - low) * (scaled + 1) / 2
        value = float(f"{math.exp(value) if self.log else value:.6g}")
        return min(max(value, self.low), self.high)


class WholeNetwork:
    """The network of an episode as vectors.

    Args:
        environment: the episode, at its beginning: controls that stand outside their sensible range
            then widen it.
        scope: tools of which the controls may be set.

    Raises:
        EnvUserError: the scope allows none of the numeric controls.
    """

    def __init__(self, environment: Environment, scope: Scope | None = None) -> None:
        self._environment = environment
        scenario = environment.backend.scenario
        self.to_set = tuple(self._numbers_to_set(scope or Scope()))
        """What is set, in order."""
        if not self.to_set:
            allowed = ", ".join(dict.fromkeys(SET.values()))
            raise EnvUserError(f"the task allows no tool for numeric controls; they are {allowed}")
        rows = {"network": [s.name for s in scenario.slices], "cell": scenario.cell_ids}
        units = {(table, c.name): c.unit for table in READ for c in TABLES[table]}
        kpis = [
            Number(f"{_ABOVE[table]}.{row}.{kpi}", units[table, kpi], 0, math.inf)
            for table, columns in READ.items()
            for row in rows[table]
            for kpi in columns
        ]
        self.to_read = (*kpis, *self.to_set)
        """What is read, in order: KPIs in their units, then the controls in force from -1 to 1."""
        self._rows = rows

    def described(self) -> dict[str, list[dict[str, Any]]]:
        """Both vectors for agents that are not told otherwise: `observations` and `actions`."""
        n_kpis = len(self.to_read) - len(self.to_set)
        return {
            "observations": [
                {"name": n.name, "unit": n.unit if i < n_kpis else "from -1 to 1"}
                for i, n in enumerate(self.to_read)
            ],
            "actions": [asdict(number) for number in self.to_set],
        }

    def read(self) -> Floats:
        """What is known now, of shape (numbers to read,)."""
        now = self._environment.backend.history[-1]
        found: list[float] = []
        for table, columns in READ.items():
            names = now.column(table, _KEY[table])
            for row in self._rows[table]:
                at = np.flatnonzero(names == row)
                found += (float(now.column(table, c)[at[0]]) if len(at) else MISSING
                          for c in columns)  # fmt: skip
        kpis = np.nan_to_num(np.array(found), nan=MISSING)
        return np.concatenate([kpis, self.settings()])

    def settings(self) -> Floats:
        """Controls in force from -1 to 1, of shape (numbers to set,)."""
        controls = self._environment.backend.controls
        return np.array([n.scaled(float(controls.get(n.name))) for n in self.to_set])

    def step(self, action: Floats, *, agent: str = "") -> None:
        """Set all controls and run one interval on; those that are as they should be stay.

        Args:
            action: of shape (numbers to set,), from -1 to 1.
            agent: who acts.

        Raises:
            ToolError: a number is out of range, the task forbids it, or the episode is over.
                Nothing is changed.
            ControlError: the controls would be impossible together. Nothing is changed.
            BackendError: the backend has failed.
        """
        for number, value in zip(self.to_set, action, strict=True):
            if not -1 - ROUNDING <= value <= 1 + ROUNDING:
                raise ToolError(
                    "bad_arguments",
                    f"{number.name}={value:g} is not allowed; it must be from -1 to 1, "
                    f"for {number.low:g} to {number.high:g} {number.unit}".rstrip(),
                    argument=number.name,
                    value=float(value),
                    allowed="from -1 to 1",
                )
        changes = [
            ControlChange(path=number.name, value=number.value(float(value)))
            for number, value, now in zip(self.to_set, action, self.settings(), strict=True)
            if abs(value - now) > ROUNDING
        ]
        if changes:
            self._environment.configure(changes, agent=agent)
        else:
            self._environment.run_on(1)

    def kept(self) -> float:
        """Share of the slices that kept all their promises in the last interval, from 0 to 1.

        Slices of which nothing is known do not count.
        """
        backend = self._environment.backend
        last = backend.history[-1:]
        held = [sla_holds(sla_terms(backend.scenario, s, last)) for s in self._rows["network"]]
        known = [h for h in held if h is not None]
        return sum(known) / len(known) if known else 0.0

    def _numbers_to_set(self, scope: Scope) -> Iterator[Number]:
        backend = self._environment.backend
        ranges = control_ranges(backend.scenario)
        for pattern, tool in SET.items():
            if not scope.has_tool(tool):
                continue
            for path, range_ in ranges.items():
                # A `*` of a control stands for one name, which has no dot.
                if path.count(".") == pattern.count(".") and fnmatchcase(path, pattern):
                    span, now = range_.sweep, float(backend.controls.get(path))
                    assert isinstance(span, Span)
                    low, high = min(span.min, now), max(span.max, now)
                    yield Number(path, range_.unit, low, high, span.log)


_KEY = {"network": "slice", "cell": "cell"}
_ABOVE = {"network": "slices", "cell": "cells"}
