# SPDX-License-Identifier: Apache-2.0
"""Tools that read cells."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import Window, count, mean, panel, read_one, rounded
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


class GetCellKpis(Arguments):
    """Of `get_cell_kpis`."""

    cell: str = Field(description="Name of the cell, as in get_topology.")
    window: Window = 5


class CellMeasures(Result):
    """What is measured of a cell; null where there is nothing to measure."""

    users: float | None = None
    """Whose primary cell it is."""
    dl_prb_util_pct: float | None = None
    """Resource blocks used (RRU.PrbTotDl, TS 28.552 5.1.1.2.1)."""
    ul_prb_util_pct: float | None = None
    dl_throughput_mbps: float | None = None
    ul_throughput_mbps: float | None = None
    dl_offered_mbps: float | None = None
    """Arrived at the radio queues of its users."""
    ul_offered_mbps: float | None = None
    dl_latency_ms: float | None = None
    """Mean packet delay over the radio."""
    ul_latency_ms: float | None = None
    dl_loss_pct: float | None = None
    ul_loss_pct: float | None = None
    dl_sinr_db: float | None = None
    """Mean of received blocks."""
    ul_sinr_db: float | None = None
    dl_mcs: float | None = None
    """Mean index."""
    ul_mcs: float | None = None
    dl_bler_pct: float | None = None
    """Errors of first transmissions."""
    ul_bler_pct: float | None = None
    ul_iot_db: float | None = None
    """Uplink interference over thermal noise."""


class CellEvents(Result):
    """Mobility events of a cell, counted over the window."""

    ho_attempts: int | None = None
    """Handovers commanded from it."""
    ho_successes: int | None = None
    ho_failures: int | None = None
    ho_ping_pongs: int | None = None
    rlf: int | None = None
    """Radio link failures of its users."""


class CellKpis(Result):
    """KPIs of a cell."""

    cell: str
    state: str | None = None
    """on, light, deep, waking, off or outage, at the end."""
    intervals: int
    """That there were: fewer than `window` at the start."""
    last: CellMeasures
    """Of the last interval."""
    mean: CellMeasures
    """Over the intervals that have a value."""
    events: CellEvents


@tool("observation")
def get_cell_kpis(view: View, args: GetCellKpis) -> CellKpis:
    """Read load, throughput, latency, SINR, MCS, block errors and handovers of a cell.

    Gives the last reporting interval, the mean over a window, and handover counts over it. Names
    and meanings are those of TS 28.552 5.1 where it has the measurement.

    Errors: no_such_element.
    """
    cell = view.cell(args.cell)
    window = view.window(args.window)
    columns = [*CellMeasures.model_fields, *CellEvents.model_fields]
    (values,) = panel(window, "cell", "cell", [cell], columns)
    over = dict(zip(columns, values.tolist(), strict=True))
    return CellKpis(
        **read_one(CellKpis, view.now, "cell", cell=cell) | {"cell": cell},
        intervals=len(window),
        last=CellMeasures(**{c: rounded(over[c][-1]) for c in CellMeasures.model_fields}),
        mean=CellMeasures(**{c: rounded(mean(over[c])) for c in CellMeasures.model_fields}),
        events=CellEvents(**{c: count(over[c]) for c in CellEvents.model_fields}),
    )
