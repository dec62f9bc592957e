# SPDX-License-Identifier: Apache-2.0
"""Tools that read cells."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from env.tools.base import Arguments, Result, tool
from env.view import View
from ns3_scenarios.control_ranges import Span, control_ranges


class GetCellConfig(Arguments):
    """Of `get_cell_config`."""

    cell: str = Field(description="Name of the cell, as in get_topology.")


class ControlSetting(Result):
    """One control."""

    path: str
    value: float | int | str
    unit: str
    """Empty without one."""
    minimum: float | None = None
    """Of a number."""
    maximum: float | None = None
    choices: list[float | int | str] | None = None
    """Of a choice."""


class CellConfig(Result):
    """Controls of a cell."""

    cell: str
    controls: list[ControlSetting]


@tool("observation")
def get_cell_config(view: View, args: GetCellConfig) -> CellConfig:
    """Read every control of a cell, its unit and what it may be set to.

    Bounds are those of the controls: transmit power, tilt, bandwidth, numerology, scheduler, target
    block error rate, slice shares (RRMPolicyRatio, TS 28.541 4.3.36), sleep, and handover (event
    A3, TS 38.331 5.5.4.4).

    Errors: no_such_element.
    """
    cell = view.cell(args.cell)
    ranges = control_ranges(view.scenario)
    found = []
    for path in view.controls.below(f"cells.{cell}"):
        known = ranges[path]
        limits: dict[str, Any] = (
            {"minimum": known.allowed.min, "maximum": known.allowed.max}
            if isinstance(known.allowed, Span)
            else {"choices": list(known.allowed)}
        )
        value = view.controls.get(path)
        found.append(ControlSetting(path=path, value=value, unit=known.unit, **limits))
    return CellConfig(cell=cell, controls=found)
