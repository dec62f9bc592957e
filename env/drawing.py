# SPDX-License-Identifier: Apache-2.0
"""The map of a network as a picture: cells, users, slices and KPIs."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Wedge
from numpy.typing import NDArray

from env.sectors import sectors_of
from env.view import View
from ns3_scenarios.geometry import network_radius_m

SIZE_IN = 10.0, 5.6
DPI = 80
LOAD = colormaps["YlOrRd"]
SLICES = colormaps["tab10"]
ASLEEP = "#9aa5b1"
MOST_LINES = 150
"""Users beyond which no lines to their cells are drawn."""
ALARMS = 4
"""Alarms that are named."""
_COLUMNS = {
    "throughput_mbps": "Mbit/s",
    "latency_ms": "delay ms",
    "within_budget_pct": "in time %",
    "packet_loss_pct": "lost %",
}


def draw(view: View, figure: Figure | None = None) -> Figure:
    """Draw the network as it is.

    Sectors are coloured by the load of their resource blocks, grey where they do not transmit, and
    the larger the more power they send with. Users have the colour of their slice and a line to
    their cell, or a cross where they have none.

    Args:
        view: of the network.
        figure: to draw into; a new one by default.
    """
    figure = figure or Figure(SIZE_IN, DPI)
    figure.clear()
    map_, side = figure.subplots(1, 2, width_ratios=[1.25, 1])
    _draw_map(map_, view)
    _write_tables(side, view)
    seconds = view.interval * view.scenario.interval_ms * 1e-3
    title = f"{view.scenario.name}, interval {view.interval}, {seconds:.1f} s"
    figure.suptitle(title, fontsize=11)
    bar = ScalarMappable(Normalize(0, 100), LOAD)
    figure.colorbar(bar, ax=map_, shrink=0.6, pad=0.02).set_label("downlink load, %", fontsize=8)
    figure.subplots_adjust(left=0.06, right=0.99, top=0.9, bottom=0.08, wspace=0.02)
    return figure


def picture(view: View) -> NDArray[np.uint8]:
    """The network as it is, as pixels: shape (height, width, 3)."""
    canvas = FigureCanvasAgg(draw(view))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


class Screen:
    """Shows the network in a window, where one can be opened."""

    def __init__(self) -> None:
        self._figure: Any = None
        self._is_told = False

    def show(self, view: View) -> None:
        """Draw the network as it is; where there is no window, say so once."""
        from matplotlib import pyplot
        from matplotlib.backends.registry import BackendFilter, backend_registry

        builtin = backend_registry.list_builtin(BackendFilter.INTERACTIVE)
        interactive = {name.lower() for name in builtin}
        if pyplot.get_backend().lower() not in interactive:
            if not self._is_told:
                print("No window can be opened here; render_mode='rgb_array' gives pictures.",
                      file=sys.stderr)  # fmt: skip
                self._is_told = True
            return
        if self._figure is None:
            pyplot.ion()
            self._figure = pyplot.figure(figsize=SIZE_IN, dpi=DPI)
        draw(view, self._figure)
        self._figure.canvas.draw_idle()
        self._figure.canvas.flush_events()

    def close(self) -> None:
        """Close the window."""
        if self._figure is not None:
            from matplotlib import pyplot

            pyplot.close(self._figure)
            self._figure = None


def _draw_map(axes: Axes, view: View) -> None:
    scenario, now = view.scenario, view.now
    sectors = sectors_of(view)
    for sector in sectors:
        works = sector.state == "on"
        low, high = (sector.bearing_deg + side * sector.half_deg for side in (-1, 1))
        axes.add_patch(
            Wedge((sector.x_m, sector.y_m), sector.radius_m, low, high,
                  facecolor=LOAD(sector.load_pct / 100) if works else ASLEEP,
                  edgecolor="#444", alpha=0.75, lw=0.7)
        )  # fmt: skip
        label = sector.cell if works else f"{sector.cell} {sector.state}"
        axes.text(*sector.centre_m, label, ha="center", va="center", fontsize=7, color="#222")
    sites = dict.fromkeys((s.x_m, s.y_m) for s in sectors)
    axes.plot([x for x, _ in sites], [y for _, y in sites], "k^", ms=5)
    _draw_users(axes, view, [sector.centre_m for sector in sectors])
    extent_m = 1.05 * max(
        network_radius_m(scenario),
        *(np.abs(now.column("ue", f"{axis}_m").astype(float)).max(initial=0) for axis in "xy"),
    )
    axes.set(xlim=(-extent_m, extent_m), ylim=(-extent_m, extent_m), aspect="equal")
    axes.tick_params(labelsize=7)
    axes.set_xlabel("m", fontsize=7)
    for i, slice_ in enumerate(scenario.slices):
        axes.plot([], [], "o", color=SLICES(i % 10), ms=4, label=slice_.name)
    axes.legend(loc="lower left", fontsize=7, framealpha=0.8)


def _draw_users(axes: Axes, view: View, centres: list[tuple[float, float]]) -> None:
    now, scenario = view.now, view.scenario
    x_m, y_m = (now.column("ue", f"{axis}_m").astype(float) for axis in "xy")
    cell, slice_, state = (now.column("ue", name) for name in ("cell", "slice", "state"))
    cells, slices = list(scenario.cell_ids), [s.name for s in scenario.slices]
    colours = [SLICES(slices.index(s) % 10) if s in slices else "k" for s in slice_]
    if len(cell) <= MOST_LINES:
        for x, y, serving, colour in zip(x_m, y_m, cell, colours, strict=True):
            if serving in cells:
                to = centres[cells.index(serving)]
                axes.plot([x, to[0]], [y, to[1]], color=colour, lw=0.5, alpha=0.6)
    lost = state == "lost"
    for chosen, marker in ((~lost, "o"), (lost, "x")):
        if chosen.any():
            mine = [c for c, is_there in zip(colours, chosen, strict=True) if is_there]
            axes.scatter(x_m[chosen], y_m[chosen], c=mine, s=14, marker=marker, zorder=3)


def _write_tables(axes: Axes, view: View) -> None:
    scenario, now = view.scenario, view.now
    axes.axis("off")
    slices = [
        [s.name, *(_text(now.column("network", c)[i]) for c in _COLUMNS)]
        for i, s in enumerate(scenario.slices)
    ]
    _table(axes, ["slice", *_COLUMNS.values()], slices, top=1.0)
    power_w = float(np.nansum(now.column("cell", "power_w").astype(float)))
    lines = [f"power of all cells: {power_w:.0f} W"]
    sites = zip(now.column("edge", "site"), now.column("edge", "util_pct"), strict=True)
    lines += [f"edge site {name}: {_text(util)} % used" for name, util in sites]
    alarms = [row for row in now.rows("alarm") if row["cleared_ms"] is None]
    lines.append(f"active alarms: {len(alarms)}")
    lines += [f"  {a['severity']}: {a['cause']} of {a['element']}" for a in alarms[:ALARMS]]
    if view.changes:
        last = view.changes[-1]
        given = ", ".join(f"{k}={v}" for k, v in last.arguments.items())
        lines += [f"changes: {len(view.changes)}; the last:", f"  {last.tool}", f"  ({given})"]
    top = 0.92 - 0.055 * (len(slices) + 1)
    axes.text(0.0, top, "\n".join(lines), va="top", fontsize=8, transform=axes.transAxes)


def _table(axes: Axes, head: list[str], rows: list[list[str]], top: float) -> None:
    height = 0.055 * (len(rows) + 1)
    table = axes.table(rows, colLabels=head, bbox=(0.0, top - height, 1.0, height))  # type: ignore[arg-type]
    table.auto_set_font_size(False)
    table.set_fontsize(7.5)
    for (row, column), cell in table.get_celld().items():
        cell.set_linewidth(0.3)
        if row > 0 and column == 0:
            cell.get_text().set_color(SLICES((row - 1) % 10))


def _text(value: Any) -> str:
    return "–" if not np.isfinite(value) else f"{value:.3g}"
