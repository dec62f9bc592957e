# SPDX-License-Identifier: Apache-2.0
"""The tool that forecasts traffic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator
from scipy.stats import t as student

from env.backends.base import Futures
from env.errors import ToolError
from env.kpis import Kpis
from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import short
from env.tools.reasoning.foresight import DRAWS, QUANTILES, Band, Floats, Horizon, band
from env.view import View

SMOOTHING = 0.7
"""Weight of the latest interval in simple exponential smoothing."""
LEAST_HISTORY = 2


class ForecastTraffic(Arguments):
    """Of `forecast_traffic`."""

    cell: str | None = Field(default=None, description="Name of a cell; or give a slice.")
    slice: str | None = Field(default=None, description="Name of a slice; or give a cell.")
    horizon: Horizon = Field(default=5)

    @model_validator(mode="after")
    def _one_element(self) -> Self:
        if (self.cell is None) == (self.slice is None):
            raise ValueError("give either cell or slice")
        return self


class TrafficForecast(Result):
    """Load that will be offered."""

    element: str
    offered_mbps: list[Band]
    """In each of the next intervals, both directions: of a cell what arrives at its RLC queues, of
    a slice what its applications send."""
    last_mbps: float
    """In the last interval."""
    method: Literal["futures", "smoothing"]
    """From futures of the network, or from its history alone."""
    in_distribution: bool | None
    """Whether what foresees futures was fitted on the like; None for smoothing."""


@tool("reasoning")
def forecast_traffic(view: View, args: ForecastTraffic) -> TrafficForecast:
    """Forecast the offered load of a cell or a slice, with an 80 % interval.

    From 16 futures of the network where the backend can foresee its load. Else from the load of
    past intervals by simple exponential smoothing (weight 0.7), with the interval of a normal error
    of its one-step errors so far: after few intervals it is wide.

    Errors: no_such_element; bad_arguments unless exactly one of cell and slice is given;
    unavailable where nothing is known of the load.
    """
    if args.cell is not None:
        element, table, key = view.cell(args.cell), "cell", "cell"
        columns: Sequence[str] = ("dl_offered_mbps", "ul_offered_mbps")
    else:
        element, table, key = view.slice(args.slice or ""), "network", "slice"
        columns = ("offered_mbps",)

    def load(intervals: Sequence[Kpis]) -> Floats:
        rows = [k.where(table, **{key: element})[:1] for k in intervals]
        values = [
            [k.column(table, c)[at] for c in columns] for k, at in zip(intervals, rows, strict=True)
        ]
        return np.array([np.sum(v) if np.size(v) else np.nan for v in values])

    past = load(view.history)
    past = past[np.isfinite(past)]
    if len(past) < LEAST_HISTORY:
        raise ToolError("unavailable", f"too little is known of the load of {element}")
    futures = _futures(view, args.horizon)
    bands = futures and [band(values) for values in np.array([load(d) for d in futures.draws]).T]
    foreseen = [b for b in bands or () if b]
    is_foreseen = len(foreseen) == args.horizon
    return TrafficForecast(
        element=element,
        offered_mbps=foreseen if is_foreseen else smoothed(past, args.horizon),
        last_mbps=short(float(past[-1])),
        method="futures" if is_foreseen else "smoothing",
        in_distribution=futures.in_distribution if futures and is_foreseen else None,
    )


def _futures(view: View, horizon: int) -> Futures | None:
    """None where the backend cannot look ahead."""
    try:
        return view.futures((), horizon, DRAWS)
    except ToolError as error:
        if error.code != "unavailable":
            raise
        return None


def smoothed(past: Floats, horizon: int) -> list[Band]:
    """Simple exponential smoothing with intervals.

    The error h intervals ahead has the variance s2 (1 + (h - 1) a2) of the model (Hyndman and
    Athanasopoulos, Forecasting, 8.7), with s2 from the one-step errors and Student's t for few.

    Args:
        past: the series, two values or more, none negative.
        horizon: steps ahead.
    """
    level, errors = float(past[0]), []
    for value in past[1:]:
        errors.append(value - level)
        level += SMOOTHING * errors[-1]
    spread = float(np.sqrt(np.mean(np.square(errors))))
    factor = float(student.ppf(QUANTILES[1], len(errors)))
    found = []
    for step in range(horizon):
        reach = factor * spread * float(np.sqrt(1 + step * SMOOTHING**2))
        found.append(
            Band(mean=short(level), low=short(max(0.0, level - reach)), high=short(level + reach))
        )
    return found
