# SPDX-License-Identifier: Apache-2.0
"""From the KPI tables of a run to the figures that the reference gives, and sums over runs.

`Measured` is one run, user by user; `Figures` is what is compared, over the users of all runs that
stand for a row. Nothing here knows what the reference measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from ns3_scenarios.scenario import Position
from ns3_scenarios.traces import Traces

PERCENTILES = (5, 50, 95)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """Averages of one run over its counted intervals; arrays have one value per user."""

    goodput_mbps: Array
    """UDP payload delivered."""
    sinr_db: Array
    """NaN where nothing was transmitted."""
    snr_db: Array
    """From the received power of a resource element and thermal noise."""
    mcs: Array
    delay_ms_mean: float
    """Over all packets, NaN without any."""
    delay_ms_p95: float
    x_m: Array
    y_m: Array

    def at(self, position: Position) -> int:
        """Index of the user who stands nearest to a position."""
        return int(np.argmin(np.hypot(self.x_m - position.x_m, self.y_m - position.y_m)))


@dataclass(frozen=True)
class Figures:
    """What a row is compared by, with the standard deviation that chance gives each figure."""

    sinr_db: float
    mcs: float
    goodput_mbps: float
    """Per cell."""
    jain: float
    delay_ms_mean: float
    delay_ms_p95: float
    ue_goodput: dict[int, float]
    ue_sinr: dict[int, float]
    sigma: dict[str, float] = field(default_factory=dict)
    """By name of the figure; absent where the users stand as in the reference."""


def measure(
    traces: Traces,
    *,
    n_skipped: int,
    counted_s: float,
    payload_share: float,
    noise_dbm: float,
) -> Measured:
    """Average a run over its counted intervals.

    Args:
        traces: of the run.
        n_skipped: intervals at the start that do not count.
        counted_s: how long the others last in all.
        payload_share: UDP payload in a delivered bit.
        noise_dbm: thermal noise of a user in one resource element.
    """
    table = traces["ue"].to_pandas()
    table = table[table["interval"] >= n_skipped]
    users = table.groupby("ue", sort=False, observed=True)
    goodput = users["dl_delivered_bits"].sum() * payload_share / counted_s / 1e6
    delivered = table["dl_delivered_bits"]
    return Measured(
        goodput_mbps=goodput.to_numpy(dtype=np.float64),
        sinr_db=_weighted(table, "dl_sinr_db"),
        snr_db=users["rsrp_dbm"].mean().to_numpy(dtype=np.float64) - noise_dbm,
        mcs=_weighted(table, "dl_mcs"),
        delay_ms_mean=_mean(table["dl_latency_ms"], delivered),
        delay_ms_p95=_mean(table["dl_latency_p95_ms"], delivered),
        x_m=users["x_m"].first().to_numpy(dtype=np.float64),
        y_m=users["y_m"].first().to_numpy(dtype=np.float64),
    )


def with_starved_users(run: Measured) -> Measured:
    """The same run with the SNR as SINR of users to whom nothing was transmitted."""
    sinr_db = np.where(np.isnan(run.sinr_db), run.snr_db, run.sinr_db)
    return replace(run, sinr_db=sinr_db)


def figures(runs: Sequence[Measured], n_cells: int) -> Figures:
    """Figures over the users of all runs."""
    goodput = np.concatenate([run.goodput_mbps for run in runs])
    sinr = np.concatenate([run.sinr_db for run in runs])
    mcs = np.concatenate([run.mcs for run in runs])
    return Figures(
        sinr_db=_nanmean(sinr),
        mcs=_nanmean(mcs),
        goodput_mbps=float(goodput.sum()) / len(runs) / n_cells,
        jain=float(np.mean([jain(run.goodput_mbps) for run in runs])),
        delay_ms_mean=_nanmean(np.array([run.delay_ms_mean for run in runs])),
        delay_ms_p95=_nanmean(np.array([run.delay_ms_p95 for run in runs])),
        ue_goodput={p: float(np.percentile(goodput, p)) for p in PERCENTILES},
        ue_sinr={p: _nanpercentile(sinr, p) for p in PERCENTILES},
    )


def resampled_figures(
    known: Sequence[Measured], drawn: Sequence[Measured], n_runs: int, n_cells: int
) -> Figures:
    """Figures that a reference of `n_runs` runs would show, where only `known` ones are the same.

    The others are put together, many times over, from the users of the `drawn` runs. The figures
    are the means over these trials, `sigma` their standard deviations.
    """
    rng = np.random.default_rng(0)
    pool = _concatenated(drawn)
    n_users = len(drawn[0].goodput_mbps)
    trials = []
    for _ in range(400):
        runs = list(known)
        while len(runs) < n_runs:
            runs.append(_subset(pool, rng.integers(0, len(pool.goodput_mbps), n_users)))
        trials.append(_flat(figures(runs, n_cells)))
    names = trials[0].keys()
    values = {name: np.array([trial[name] for trial in trials]) for name in names}
    means = {name: _nanmean(v) for name, v in values.items()}
    return Figures(
        sinr_db=means["sinr_db"],
        mcs=means["mcs"],
        goodput_mbps=means["goodput_mbps"],
        jain=means["jain"],
        delay_ms_mean=means["delay_ms_mean"],
        delay_ms_p95=means["delay_ms_p95"],
        ue_goodput={p: means[f"ue_goodput_p{p}"] for p in PERCENTILES},
        ue_sinr={p: means[f"ue_sinr_p{p}"] for p in PERCENTILES},
        sigma={name: float(np.nanstd(v)) for name, v in values.items()},
    )


def jain(rates: Array) -> float:
    """Jain's fairness index, (sum x)^2 / (n sum x^2); 0 where nobody gets anything."""
    squares = float((rates**2).sum())
    return float(rates.sum()) ** 2 / (len(rates) * squares) if squares else 0.0


def _flat(f: Figures) -> dict[str, float]:
    return {
        "sinr_db": f.sinr_db,
        "mcs": f.mcs,
        "goodput_mbps": f.goodput_mbps,
        "jain": f.jain,
        "delay_ms_mean": f.delay_ms_mean,
        "delay_ms_p95": f.delay_ms_p95,
        **{f"ue_goodput_p{p}": v for p, v in f.ue_goodput.items()},
        **{f"ue_sinr_p{p}": v for p, v in f.ue_sinr.items()},
    }


def _concatenated(runs: Sequence[Measured]) -> Measured:
    return Measured(
        goodput_mbps=np.concatenate([r.goodput_mbps for r in runs]),
        sinr_db=np.concatenate([r.sinr_db for r in runs]),
        snr_db=np.concatenate([r.snr_db for r in runs]),
        mcs=np.concatenate([r.mcs for r in runs]),
        delay_ms_mean=_nanmean(np.array([r.delay_ms_mean for r in runs])),
        delay_ms_p95=_nanmean(np.array([r.delay_ms_p95 for r in runs])),
        x_m=np.concatenate([r.x_m for r in runs]),
        y_m=np.concatenate([r.y_m for r in runs]),
    )


def _subset(run: Measured, index: npt.NDArray[np.int64]) -> Measured:
    return Measured(
        goodput_mbps=run.goodput_mbps[index],
        sinr_db=run.sinr_db[index],
        snr_db=run.snr_db[index],
        mcs=run.mcs[index],
        delay_ms_mean=run.delay_ms_mean,
        delay_ms_p95=run.delay_ms_p95,
        x_m=run.x_m[index],
        y_m=run.y_m[index],
    )


def _weighted(table: pd.DataFrame, column: str) -> Array:
    """Mean of a column by user, weighted with first transmissions."""
    weight = table["dl_tb_count"].where(table[column].notna(), 0).astype(float)
    weighted = (table[column].fillna(0) * weight).groupby(table["ue"], sort=False, observed=True)
    total = weight.groupby(table["ue"], sort=False, observed=True).sum()
    sums = weighted.sum().to_numpy(dtype=np.float64)
    counts = total.to_numpy(dtype=np.float64)
    return np.where(counts > 0, sums / np.maximum(counts, 1), math.nan)


def _mean(values: pd.Series[float], weights: pd.Series[float]) -> float:
    v = np.asarray(values, dtype=np.float64)
    w = np.where(np.isnan(v), 0.0, np.asarray(weights, dtype=np.float64))
    return float(np.nansum(v * w) / w.sum()) if w.sum() > 0 else math.nan


def _nanmean(values: Array) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan


def _nanpercentile(values: Array, p: float) -> float:
    return float(np.nanpercentile(values, p)) if np.isfinite(values).any() else math.nan
