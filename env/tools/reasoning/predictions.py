# SPDX-License-Identifier: Apache-2.0
"""The tool that predicts KPIs."""

from __future__ import annotations

from pydantic import Field

from env.backends.base import Futures
from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import cells_of, slices_of
from env.tools.reasoning.foresight import (
    Band,
    Changes,
    Foreseen,
    Horizon,
    band,
    foresee,
    series,
    source,
)
from env.view import View


class PredictKpis(Arguments):
    """Of `predict_kpis`."""

    changes: Changes = ()
    horizon: Horizon = Field(default=3)


class SliceState(Result):
    """The state of a slice, end to end; None where nothing is known."""

    slice: str
    latency_ms: Band | None
    jitter_ms: Band | None
    packet_loss_pct: Band | None
    throughput_mbps: Band | None
    edge_load_pct: Band | None


class CellState(Result):
    """KPIs of a cell; None where nothing is known."""

    cell: str
    users: Band | None
    dl_prb_util_pct: Band | None
    ul_prb_util_pct: Band | None
    dl_throughput_mbps: Band | None
    ul_throughput_mbps: Band | None
    dl_sinr_db: Band | None
    power_w: Band | None


class PredictedInterval(Result):
    """The slices in one interval."""

    interval: int
    """Index, as in the KPI tables."""
    slices: list[SliceState]


class PredictedKpis(Foreseen):
    """What KPIs will be."""

    intervals: list[PredictedInterval]
    """The next ones."""
    cells: list[CellState]
    """In the last of the intervals."""


@tool("reasoning")
def predict_kpis(view: View, args: PredictKpis) -> PredictedKpis:
    """Predict KPIs after changes, or without any, and say how certain that is.

    Each KPI comes as the mean and the 10 % and 90 % quantiles over 16 futures of the network: draws
    of the Experiment Model, or forks of the simulation on live NS-3. Slices are predicted for each
    of the next intervals, cells for the last of them. Where `in_distribution` is false the model
    has seen too little of the like to be trusted.

    Errors: bad_arguments, no_such_element, not_allowed or conflict for a change that would be
    refused, as its own tool says; unavailable where the backend cannot look ahead.
    """
    _, futures = foresee(view, args.changes, args.horizon)
    slices = slices_of(view)
    cells = cells_of(view)
    by_slice = [_bands(SliceState, futures, "network", "slice", name) for name in slices]
    return PredictedKpis(
        intervals=[
            PredictedInterval(
                interval=futures.draws[0][i].interval,
                slices=[
                    SliceState(slice=name, **{kpi: bands[i] for kpi, bands in kpis.items()})
                    for name, kpis in zip(slices, by_slice, strict=True)
                ],
            )
            for i in range(args.horizon)
        ],
        cells=[
            CellState(
                cell=name,
                **{
                    kpi: bands[-1]
                    for kpi, bands in _bands(CellState, futures, "cell", "cell", name).items()
                },
            )
            for name in cells
        ],
        **source(futures),
    )


def _bands(
    model: type[Result], futures: Futures, table: str, key: str, name: str
) -> dict[str, list[Band | None]]:
    """The KPIs that a result has fields for, by interval."""
    return {
        kpi: [band(values) for values in series(futures, table, kpi, **{key: name}).T]
        for kpi in model.model_fields
        if kpi != key
    }
