# SPDX-License-Identifier: Apache-2.0
"""Pictures of a validation report, as PNG in base64."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from calibration.validation.report import KindReport, KpiReport, Plot

INK, QUIET, ACCENT, GOOD, BAD = "#1c2733", "#6b7885", "#2563a8", "#1a7f4b", "#b3392f"
COLORS = (ACCENT, "#d9822b", GOOD, "#7a4fa3", BAD, QUIET)
COLUMNS = 4
DPI = 130
STYLE: dict[str, Any] = {"size": 8, "color": INK}


def number(value: float | None) -> str:
    """A figure with three significant digits, a whole number, or a dash."""
    if value is None:
        return "–"
    if value == int(value) and abs(value) < 1e5:
        return f"{int(value):,}".replace("-", "−")
    size = int(f"{value:.2e}".split("e")[1])
    if size >= 5 or size < -3:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    return f"{value:,.{max(2 - size, 0)}f}".replace("-", "−")


def densities(kind: KindReport) -> str:
    """Predicted against true values of every KPI of a kind."""
    kpis = list(kind.kpis.values())
    n_rows = math.ceil(len(kpis) / COLUMNS)
    canvas = Canvas(figsize=(11, 2.55 * n_rows), layout="constrained")
    grid = canvas.subplots(n_rows, COLUMNS, squeeze=False).ravel()
    for axes in grid[len(kpis) :]:
        axes.set_axis_off()
    for axes, kpi in zip(grid, kpis, strict=False):
        _density(axes, kpi)
    return _png(canvas)


def _density(axes: Axes, kpi: KpiReport) -> None:
    _quiet(axes)
    r2 = "" if kpi.pooled.r2 is None else f"   R² {number(kpi.pooled.r2)}"
    axes.set_title(f"{kpi.name}{r2}", fontsize=8, color=INK, loc="left")
    if kpi.density is None:
        axes.set_xticks([])
        axes.set_yticks([])
        text = "all values are equal" if kpi.pooled.rows else "no values"
        axes.text(0.5, 0.5, text, ha="center", transform=axes.transAxes, **STYLE)
        return
    counts = np.array(kpi.density.counts, float).T
    n = len(counts)
    shown = np.where(counts > 0, counts, np.nan)
    axes.imshow(
        shown,
        origin="lower",
        extent=(0, n, 0, n),
        norm=LogNorm(1, max(counts.max(), 2)),
        cmap="viridis_r",
        interpolation="nearest",
    )
    axes.plot([0, n], [0, n], color=BAD, linewidth=0.8)
    at = [0, n // 2, n]
    labels = [number(kpi.density.edges[i]) for i in at]
    axes.set_xticks(at, labels)
    axes.set_yticks(at, labels)
    unit = "" if kpi.unit == "1" else f" ({kpi.unit})"
    axes.set_xlabel(f"true{unit}", **STYLE)
    axes.set_ylabel("predicted", **STYLE)


def coverages(kinds: Mapping[str, KindReport]) -> str:
    """Coverage of 80 % intervals per KPI, pooled and in each scenario."""
    names = [(kind, name) for kind, found in kinds.items() for name in found.kpis]
    canvas = Canvas(figsize=(11, 0.9 + 0.19 * len(names)), layout="constrained")
    axes = canvas.subplots()
    _quiet(axes)
    axes.axvspan(78, 82, color=GOOD, alpha=0.13, linewidth=0)
    axes.axvline(80, color=GOOD, linewidth=0.8)
    for y, (kind, name) in enumerate(names):
        kpi = kinds[kind].kpis[name]
        single = [s.coverage_pct for s in kpi.scenarios.values() if s.coverage_pct is not None]
        axes.plot(single, [y] * len(single), "|", color=QUIET, markersize=7)
        if kpi.pooled.coverage_pct is not None:
            axes.plot(kpi.pooled.coverage_pct, y, "o", color=ACCENT, markersize=4.5)
    axes.set_yticks(range(len(names)), [f"{kind}  {name}" for kind, name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(left=max(0, min(60, axes.get_xlim()[0])), right=100)
    axes.set_xlabel("values inside of their 80 % interval (%)", **STYLE)
    axes.grid(axis="y", color="#e6e9ec", linewidth=0.6)
    axes.set_axisbelow(True)
    return _png(canvas)


def transforms(kinds: Mapping[str, KindReport]) -> str:
    """Histograms of the probability integral transform; flat where distributions are right."""
    every = [(f"{k}  {n}", kpi) for k, found in kinds.items() for n, kpi in found.kpis.items()]
    columns = 10
    n_rows = math.ceil(len(every) / columns)
    canvas = Canvas(figsize=(11, 1.05 * n_rows), layout="constrained")
    grid = canvas.subplots(n_rows, columns, squeeze=False).ravel()
    for axes in grid[len(every) :]:
        axes.set_axis_off()
    for axes, (name, kpi) in zip(grid, every, strict=False):
        _quiet(axes)
        axes.set_title(name, fontsize=5.5, color=INK, loc="left")
        total = max(sum(kpi.pit), 1)
        shares = [count * len(kpi.pit) / total for count in kpi.pit]
        axes.bar(range(len(shares)), shares, width=1, color=ACCENT, alpha=0.75)
        axes.axhline(1, color=GOOD, linewidth=0.8)
        axes.set_ylim(0, max(2.0, *shares))
        axes.set_xticks([])
        axes.set_yticks([])
    return _png(canvas)


def lines(plot: Plot) -> str:
    """Curves of a section."""
    canvas = Canvas(figsize=(5.4, 3.2), layout="constrained")
    axes = canvas.subplots()
    _quiet(axes)
    for line, color in zip(plot.lines, COLORS * len(plot.lines), strict=False):
        y = [math.nan if v is None else v for v in line.y]
        axes.plot(line.x, y, color=color, linewidth=1.6, label=line.name)
    axes.set_title(plot.title, fontsize=9, color=INK, loc="left")
    axes.set_xlabel(plot.x_label, **STYLE)
    axes.set_ylabel(plot.y_label, **STYLE)
    axes.grid(color="#e6e9ec", linewidth=0.6)
    axes.set_axisbelow(True)
    whole = all(x == int(x) for line in plot.lines for x in line.x)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=whole, min_n_ticks=1))
    if len(plot.lines) > 1:
        axes.legend(fontsize=8, frameon=False)
    return _png(canvas)


def estimates(
    label: str, series: Mapping[str, Mapping[str, tuple[float | None, float | None, float | None]]]
) -> str:
    """Figures with their intervals, a row each, from 0 to 100.

    Args:
        label: of the axis.
        series: by name, then by row: figure and both ends of its interval.
    """
    rows = list(dict.fromkeys(row for mine in series.values() for row in mine))
    canvas = Canvas(figsize=(8, 0.9 + 0.3 * len(rows)), layout="constrained")
    axes = canvas.subplots()
    _quiet(axes)
    for number, ((name, mine), color) in enumerate(
        zip(series.items(), COLORS * len(series), strict=False)
    ):
        apart = 0.22 * (number - (len(series) - 1) / 2)
        for row, (value, low, high) in mine.items():
            y = rows.index(row) + apart
            if low is not None and high is not None:
                axes.plot([low, high], [y, y], color=color, linewidth=1.6)
            if value is not None:
                axes.plot(value, y, "o", color=color, markersize=4.5)
        axes.plot([], [], "o", color=color, markersize=4.5, label=name)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(-2, 102)
    axes.set_xlabel(label, **STYLE)
    axes.grid(color="#e6e9ec", linewidth=0.6)
    axes.set_axisbelow(True)
    if len(series) > 1:
        axes.legend(fontsize=8, frameon=False)
    return _png(canvas)


def _quiet(axes: Axes) -> None:
    for side in axes.spines.values():
        side.set_color("#c3cad1")
        side.set_linewidth(0.7)
    axes.tick_params(labelsize=7, colors=QUIET, length=2)


def _png(canvas: Canvas) -> str:
    FigureCanvasAgg(canvas)
    data = io.BytesIO()
    canvas.savefig(data, format="png", dpi=DPI, metadata={"Software": None})
    return base64.b64encode(data.getvalue()).decode()
