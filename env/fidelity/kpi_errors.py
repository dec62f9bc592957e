# SPDX-License-Identifier: Apache-2.0
"""How far KPIs on the surrogate lie from those on NS-3, step by step: `kpi_errors`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from env.backends.base import WARM_UP
from env.episodes import read_kpis
from env.fidelity.playing import Triple
from env.fidelity.report import KpiError
from env.fidelity.statistics import Floats, interval, plain, quotient
from env.verifying import Series, recorded_headline
from ns3_scenarios.kpi import TABLES

CELL_KPIS = ("dl_prb_util_pct", "ul_prb_util_pct", "dl_sinr_db", "ul_sinr_db", "power_w")
"""Of which the mean over cells is compared."""
CELLS = "cells"


def kpi_errors(triples: Sequence[Triple]) -> tuple[KpiError, ...]:
    """Errors of every KPI, by subject and element.

    Args:
        triples: cases that were played to their end on all stages.
    """
    by_subject: dict[str, list[Floats]] = {}
    keys: dict[str, list[tuple[str, str]]] = {}
    for triple in triples:
        series = [read_series(ended.path) for ended in triple.stages if ended.path]
        names = keys.setdefault(triple.case.subject.name, list(series[0]))
        values = stacked(series, names)
        by_subject.setdefault(triple.case.subject.name, []).append(values)
    return tuple(
        found
        for subject, episodes in by_subject.items()
        for at, (element, kpi) in enumerate(keys[subject])
        if (found := error_of(subject, element, kpi, [episode[:, at] for episode in episodes]))
    )


def read_series(path: Path) -> Series:
    """The headline KPIs of each slice, and means over cells, of a recorded episode."""
    cells = read_kpis(path, "cell", ["interval", *CELL_KPIS])
    means = cells.to_pandas().groupby("interval").mean()
    return recorded_headline(path) | {
        (CELLS, kpi): means[kpi].to_numpy(float)[WARM_UP:] for kpi in CELL_KPIS
    }


def stacked(series: Sequence[Series], keys: Sequence[tuple[str, str]]) -> Floats:
    """Values of shape (stages, keys, steps), as far as all of them went."""
    n = min(len(each[key]) for each in series for key in keys)
    return np.array([[each[key][:n] for key in keys] for each in series])


def error_of(subject: str, element: str, kpi: str, episodes: Sequence[Floats]) -> KpiError | None:
    """Errors of one KPI.

    Args:
        subject: task or scenario.
        element: slice, or `cells`.
        kpi: name in the KPI tables.
        episodes: values of each, shape (3, steps): surrogate, NS-3, redrawn NS-3.

    Returns:
        The errors; None where no step has the KPI on all three.
    """
    known = [_known(values) for values in episodes]
    pooled = [values for values in known if np.isfinite(values).any()]
    if not pooled:
        return None
    unit = UNITS[kpi]
    means = np.array([np.nanmean(values, axis=1) for values in pooled]).T
    model, truth, own = means
    error, own_error = (
        np.array([np.nanmean(np.abs(values[stage] - values[1])) for values in pooled])
        for stage in (0, 2)
    )
    relative = unit != "dB"

    def bias_pct(values: Floats, i: NDArray[np.intp]) -> Floats:
        return 100 * quotient(values[i].mean(-1) - truth[i].mean(-1), np.abs(truth[i].mean(-1)))

    def ratio(i: NDArray[np.intp]) -> Floats:
        return quotient(error[i].mean(-1), own_error[i].mean(-1))

    every, n = np.arange(len(pooled)), len(pooled)
    low, high = interval(lambda i: bias_pct(model, i), n) if relative else (None, None)
    ratio_low, ratio_high = interval(ratio, n)
    return KpiError(
        subject=subject,
        element=element,
        kpi=kpi,
        unit=unit,
        episodes=n,
        ns3=truth.mean(),
        surrogate=model.mean(),
        redrawn=own.mean(),
        bias=(model - truth).mean(),
        bias_pct=plain(bias_pct(model, every)) if relative else None,
        bias_low_pct=low,
        bias_high_pct=high,
        own_bias_pct=plain(bias_pct(own, every)) if relative else None,
        error=error.mean(),
        own_error=own_error.mean(),
        ratio=plain(ratio(every)),
        ratio_low=ratio_low,
        ratio_high=ratio_high,
        error_by_step=_by_step(pooled, 0),
        own_error_by_step=_by_step(pooled, 2),
    )


UNITS = {c.name: c.unit for table in ("network", "cell") for c in TABLES[table]}


def _known(values: Floats) -> Floats:
    """NaN at steps where one stage has nothing."""
    return np.where(np.isfinite(values).all(axis=0), values, np.nan)


def _by_step(episodes: Sequence[Floats], stage: int) -> tuple[float | None, ...]:
    longest = max(values.shape[1] for values in episodes)
    apart = np.full((len(episodes), longest), np.nan)
    for row, values in zip(apart, episodes, strict=True):
        row[: values.shape[1]] = np.abs(values[stage] - values[1])
    counts = np.isfinite(apart).sum(axis=0)
    return tuple(plain(v) for v in quotient(np.nansum(apart, axis=0), counts.astype(float)))
