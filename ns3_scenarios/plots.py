# SPDX-License-Identifier: Apache-2.0
"""Pictures of a dataset: slices over time, load of cells, distributions over users, and a map."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from ns3_scenarios.dataset import Dataset
from ns3_scenarios.errors import DatasetError
from ns3_scenarios.geometry import sector_bearings_deg, site_positions_m

if TYPE_CHECKING:
    import pandas as pd

#: Colours that differ for everyone (Okabe and Ito).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DPI = 130
STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "font.size": 9,
    "legend.frameon": False,
}


def plot_dataset(dataset: Dataset, folder: Path | None = None) -> list[Path]:
    """Draw all pictures of a dataset as PNG files.

    Args:
        dataset: what to draw.
        folder: where to put them; by default `plots` in the dataset.

    Returns:
        The files.

    Raises:
        DatasetError: the dataset is empty or unreadable, or the folder cannot be written.
    """
    if not len(dataset):
        raise DatasetError(f"{dataset.path} has no complete run to draw")
    folder = folder or dataset.path / "plots"
    pictures = {
        "slices_over_time": _slices_over_time,
        "cell_load": _cell_load,
        "user_distributions": _user_distributions,
        "map": _map,
    }
    files = []
    with rc_context(STYLE):
        for name, draw in pictures.items():
            path = folder / f"{name}.png"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                draw(dataset).savefig(path, dpi=DPI, metadata={"Software": None})
            except OSError as error:
                raise DatasetError(f"cannot write {path}: {error.strerror}") from None
            files.append(path)
    return files


def _slices_over_time(dataset: Dataset) -> Figure:
    """Throughput, latency and loss per slice, mean and spread over runs."""
    panels = {
        "throughput_mbps": "Throughput (Mbit/s)",
        "latency_ms": "Mean latency (ms)",
        "packet_loss_pct": "Lost bits (%)",
    }
    frame = dataset.to_pandas("network", columns=["time_ms", "slice", *panels])
    figure = Figure(figsize=(8, 8), layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True)
    slices = _coloured(dataset, frame["slice"])
    for axis, (column, label) in zip(axes, panels.items(), strict=True):
        for colour, name in slices:
            by_time = frame[frame["slice"] == name].groupby("time_ms")[column]
            mean, low, high = by_time.mean(), by_time.quantile(0.1), by_time.quantile(0.9)
            time_s = mean.index / 1e3
            axis.plot(time_s, mean, color=colour, label=name, linewidth=1.6)
            axis.fill_between(time_s, low, high, color=colour, alpha=0.18, linewidth=0)
        axis.set_ylabel(label)
        if column == "throughput_mbps" and _far_apart(frame.groupby("slice")[column].mean()):
            axis.set_yscale("log")
        else:
            axis.set_ylim(bottom=0)
    axes[0].legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0))
    axes[-1].set_xlabel("Simulated time (s)")
    spread = ", band: 10th to 90th percentile" if len(dataset) > 1 else ""
    figure.suptitle(f"{_title(dataset)}: slices, mean over runs{spread}")
    return figure


def _cell_load(dataset: Dataset) -> Figure:
    """Resource blocks used per cell, mean and spread over runs."""
    columns = {"dl_prb_util_pct": "downlink", "ul_prb_util_pct": "uplink"}
    frame = dataset.to_pandas("cell", columns=["cell", *columns])
    frame["cell"] = frame["cell"].astype(str)
    per_run = frame.groupby(["config", "seed", "cell"], sort=False)[list(columns)].mean()
    cells = sorted(frame["cell"].unique(), key=lambda name: (len(name), name))
    figure = Figure(figsize=(max(6.0, min(16.0, 2 + 0.35 * len(cells))), 4), layout="constrained")
    axis = figure.subplots()
    place = np.arange(len(cells))
    for i, (column, label) in enumerate(columns.items()):
        by_cell = per_run[column].groupby("cell")
        mean = by_cell.mean().reindex(cells).fillna(0)
        low = by_cell.quantile(0.1).reindex(cells).fillna(0)
        high = by_cell.quantile(0.9).reindex(cells).fillna(0)
        axis.bar(
            place + (i - 0.5) * 0.4,
            mean,
            width=0.38,
            color=COLOURS[i],
            label=label,
            yerr=[np.maximum(mean - low, 0), np.maximum(high - mean, 0)],
            error_kw={"linewidth": 0.9, "capsize": 2, "ecolor": "#444444"},
        )
    axis.set_xticks(place, cells, rotation=90 if len(cells) > 12 else 0)
    axis.grid(axis="x", visible=False)
    axis.set_xlabel("Cell")
    axis.set_ylabel("Resource blocks used (%)")
    axis.set_ylim(0, 100)
    axis.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0))
    figure.suptitle(f"{_title(dataset)}: load of cells, mean over runs")
    return figure


def _user_distributions(dataset: Dataset) -> Figure:
    """Distribution over users of downlink throughput and SINR."""
    panels = {"dl_throughput_mbps": "throughput (Mbit/s)", "dl_sinr_db": "SINR (dB)"}
    frame = dataset.to_pandas("ue", columns=["ue", "slice", *panels])
    frame[["ue", "slice"]] = frame[["ue", "slice"]].astype(str)
    users = frame.groupby(["config", "seed", "ue", "slice"], sort=False)[list(panels)].mean()
    users = users.reset_index()
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    slices = _coloured(dataset, users["slice"])
    for axis, (column, label) in zip(axes, panels.items(), strict=True):
        for colour, name in slices:
            values = np.sort(users.loc[users["slice"] == name, column].dropna().to_numpy())
            if len(values) and (values != 0).any():
                shares = np.arange(1, len(values) + 1) / len(values)
                axis.step(values, shares, where="post", color=colour, label=name)
        axis.set_xlabel(f"Downlink {label}")
        axis.set_ylim(0, 1)
    if _far_apart(users.groupby("slice")["dl_throughput_mbps"].median()):
        axes[0].set_xscale("log")
    axes[0].set_ylabel("Share of users at or below")
    axes[1].legend(loc="lower right")
    figure.suptitle(f"{_title(dataset)}: users, mean of each over its run")
    return figure


def _map(dataset: Dataset) -> Figure:
    """Sites, sectors and users of the first run, users coloured by their SINR."""
    run = dataset.manifest.runs[0]
    scenario = dataset.scenario(run.config)
    columns = ["ue", "x_m", "y_m", "dl_sinr_db"]
    frame = dataset.to_pandas("ue", run.config, run.seed, columns)
    frame["ue"] = frame["ue"].astype(str)
    users = frame.groupby("ue", sort=False).agg(
        {"x_m": "last", "y_m": "last", "dl_sinr_db": "mean"}
    )
    figure = Figure(figsize=(7.5, 6.5), layout="constrained")
    axis = figure.subplots()
    for _, track in frame.groupby("ue", sort=False):
        axis.plot(track["x_m"], track["y_m"], color="#bbbbbb", linewidth=0.8, zorder=1)
    sites = np.array(site_positions_m(scenario.layout))
    reach_m = 0.16 * scenario.layout.isd_m
    bearings = sector_bearings_deg(scenario.layout)
    if len(bearings) > 1:
        for site, (x_m, y_m, _) in enumerate(sites):
            for sector, bearing in enumerate(map(math.radians, bearings)):
                cell = scenario.cell_ids[(site * len(bearings) + sector) * len(scenario.carriers)]
                axis.annotate(
                    cell,
                    (
                        x_m + 1.25 * reach_m * math.cos(bearing),
                        y_m + 1.25 * reach_m * math.sin(bearing),
                    ),
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="#333333",
                )
                axis.plot(
                    [x_m, x_m + reach_m * math.cos(bearing)],
                    [y_m, y_m + reach_m * math.sin(bearing)],
                    color="#333333",
                    linewidth=1.4,
                    zorder=2,
                )
    axis.scatter(
        sites[:, 0], sites[:, 1], marker="^", s=80, color="#333333", label="site", zorder=3
    )
    silent = users["dl_sinr_db"].isna()
    if silent.any():
        axis.scatter(
            users.loc[silent, "x_m"],
            users.loc[silent, "y_m"],
            s=22,
            facecolors="none",
            edgecolors="#777777",
            label="user without downlink blocks",
            zorder=4,
        )
    heard = users[~silent]
    dots = axis.scatter(
        heard["x_m"],
        heard["y_m"],
        c=heard["dl_sinr_db"],
        cmap="viridis",
        s=30,
        edgecolors="white",
        linewidths=0.5,
        label="user",
        zorder=5,
    )
    if len(heard):
        figure.colorbar(dots, ax=axis, label="Mean downlink SINR (dB)", shrink=0.85)
    axis.set_aspect("equal")
    axis.set_xlabel("x (m)")
    axis.set_ylabel("y (m)")
    axis.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0))
    figure.suptitle(f"{_title(dataset)}: map of config={run.config} seed={run.seed}")
    return figure


def _title(dataset: Dataset) -> str:
    return f"{dataset.manifest.scenario} ({len(dataset)} run{'s' if len(dataset) > 1 else ''})"


def _far_apart(values: pd.Series[float]) -> bool:
    """Whether slices differ so much that only a logarithmic axis shows them all."""
    positive = values[values > 0]
    return len(positive) > 1 and float(positive.max()) > 30 * float(positive.min())


def _coloured(dataset: Dataset, names: pd.Series[Any]) -> list[tuple[str, str]]:
    """A colour for each slice that occurs, in the scenario's order."""
    there = set(names.astype(str))
    scenario = dataset.scenario(dataset.manifest.runs[0].config)
    known = [s.name for s in scenario.slices if s.name in there]
    return [(COLOURS[i % len(COLOURS)], name) for i, name in enumerate(known)]
