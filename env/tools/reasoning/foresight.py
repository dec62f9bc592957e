# SPDX-License-Identifier: Apache-2.0
"""How tools look ahead: calls as changes, futures as numbers with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from env.backends.base import BackendName, Futures
from env.tools.base import Arguments, Result
from env.tools.observation.reading import short
from env.tools.proposing import changes_of
from env.view import Change, View
from ns3_scenarios.controls import ControlChange

DRAWS = 16
"""Futures from which a prediction is made."""
OPTION_DRAWS = 9
"""Futures of each of several options: the least of which 10 % and 90 % quantiles can be told."""
SCREENING_DRAWS = 3
"""Futures of each of many candidates, of which the best get `OPTION_DRAWS`."""
MAX_HORIZON = 20
MAX_CHANGES = 64
QUANTILES = (0.1, 0.9)

Floats = NDArray[np.float64]

ConfigurationTool = Literal[
    "switch_network_slice",
    "trigger_slice_reallocation",
    "edge_offload",
    "graceful_degradation",
    "set_cell_tx_power",
    "set_antenna_tilt",
    "set_cell_carrier",
    "set_scheduler",
    "set_handover_params",
    "request_handover",
    "set_cell_sleep",
    "reroute_flow",
    "set_waypoint",
    "rollback_change",
]


class ToolCall(Arguments):
    """A call of a configuration tool that might be made."""

    tool: ConfigurationTool = Field(description="Name of a tool that configures.")
    arguments: dict[str, Any] = Field(description="Of the call, as that tool takes them.")


Changes = Annotated[
    tuple[ToolCall, ...],
    Field(
        max_length=MAX_CHANGES,
        description="Calls of configuration tools, made one after the other before the next "
        "interval; none of them really.",
    ),
]
Horizon = Annotated[
    int, Field(ge=1, le=MAX_HORIZON, description="Reporting intervals to look ahead.")
]


class Band(Result):
    """A number that is not certain."""

    mean: float
    low: float
    """10 % quantile."""
    high: float
    """90 % quantile: with `low` an interval that holds 80 %."""


class Foreseen(Result):
    """Where predictions come from."""

    in_distribution: bool
    """Whether what predicts was fitted on the like; always true of live NS-3."""
    served_by: BackendName
    draws: int
    """Futures that were drawn."""


def controls_changes(changes: Iterable[Change]) -> list[ControlChange]:
    """Changes that calls come to, as changes of controls; of several to one the last counts."""
    settings = {s.path: s.after for change in changes for s in change.settings}
    return [ControlChange(path=path, value=value) for path, value in settings.items()]


def foresee(
    view: View, calls: Sequence[ToolCall], horizon: int, draws: int = DRAWS
) -> tuple[View, Futures]:
    """The network as if calls had been made, and what may become of it.

    Raises:
        ToolError: a call would be refused, or the backend cannot foresee.
    """
    after, changes = changes_of(view, [(call.tool, call.arguments) for call in calls])
    return after, view.futures(controls_changes(changes), horizon, draws)


def source(futures: Futures) -> dict[str, Any]:
    """The fields of `Foreseen`."""
    return {
        "in_distribution": futures.in_distribution,
        "served_by": futures.served_by,
        "draws": len(futures.draws),
    }


def series(futures: Futures, table: str, column: str, **names: str) -> Floats:
    """Sum of a KPI over the rows of some names, shape (draws, intervals); NaN where unknown."""
    found = np.full((len(futures.draws), len(futures.draws[0])), np.nan)
    for d, draw in enumerate(futures.draws):
        for i, kpis in enumerate(draw):
            values = kpis.column(table, column)[kpis.where(table, **names)]
            known = values[np.isfinite(values)]
            if len(known):
                found[d, i] = known.sum()
    return found


def serving_cell(view: View, ue: str) -> list[str]:
    """The cell that serves a user; none where it has none or it is not known."""
    cells = view.now.column("ue", "cell")[view.now.where("ue", ue=ue)]
    return [cell for cell in cells if cell in view.controls.cells]


def measured(view: View, ue: str, *columns: str) -> Floats:
    """KPIs of a user in the last interval, NaN where unknown."""
    rows = view.now.where("ue", ue=ue)[:1]
    return np.array([view.now.column("ue", c)[rows[0]] if len(rows) else np.nan for c in columns])


def band(draws: Sequence[float] | Floats) -> Band | None:
    """Mean and quantiles of values of draws; None where none is known.

    Quantiles are those of which a further draw falls between with a chance of 80 % (Weibull's).
    """
    values = np.asarray(draws, float)
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, high = np.quantile(known, QUANTILES, method="weibull")
    return Band(mean=short(float(known.mean())), low=short(float(low)), high=short(float(high)))


def known_mean(values: Floats, axis: int | None = None) -> Any:
    """Mean of what is known along an axis, NaN where nothing is."""
    there = np.isfinite(values)
    count = there.sum(axis)
    total = np.where(there, values, 0.0).sum(axis)
    return np.divide(total, count, out=np.full(np.shape(total), math.nan), where=count > 0)
