# SPDX-License-Identifier: Apache-2.0
"""The map of a network as text for a terminal: `network_map`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from env.sectors import Sector, sectors_of
from env.view import View

MOST_ROWS = 21
MORE_ROWS = 31
"""With more than `MANY_CELLS`."""
MANY_CELLS = 9
SLICE_STYLES = ("cyan", "magenta", "bright_blue", "bright_white")
"""Styles of slices, in turn."""
SITE, UAV, LOST, ASLEEP = "■", "^", "×", "·"
SHADES = "░▒▓"
"""By thirds of the downlink load."""
LOAD_STYLES = "green", "yellow", "red"
OUTAGE = "outage"
_NEAR, _FAR = (0, -1, 1), (-2, 2, -3, 3)
"""Rows by which a name may be moved, the best first; far only where no near one is free."""


def slice_styles(view: View) -> dict[str, str]:
    """Style of each slice, by its name."""
    names = [s.name for s in view.scenario.slices]
    return {name: SLICE_STYLES[i % len(SLICE_STYLES)] for i, name in enumerate(names)}


def slice_letters(view: View) -> dict[str, str]:
    """A letter of its name for each slice; a figure where all of them are taken."""
    found: dict[str, str] = {}
    for number, one in enumerate(view.scenario.slices):
        free = (c for c in one.name if c.isalpha() and c not in found.values())
        found[one.name] = next(free, str(number))
    return found


def network_map(view: View, width: int) -> Text:
    """Draw the network as it is.

    Sectors are shaded and coloured by the load of their resource blocks and named with it; those
    that do not transmit are dotted. Users are the letter of their slice, UAVs a `^`, and a cross
    without a cell.

    Args:
        view: of the network.
        width: in characters.
    """
    sectors = sectors_of(view)
    canvas = _Canvas.around(view, sectors, width)
    for sector in sectors:
        canvas.shade(sector)
    users = list(_users(view))
    taken = np.zeros((canvas.rows, canvas.columns), int)
    for x_m, y_m, _, _ in users:
        taken[canvas.at(x_m, y_m)] += 1
    for sector in sectors:
        canvas.name(sector, taken)
    for sector in sectors:
        canvas.put(*canvas.at(sector.x_m, sector.y_m), SITE, "bold")
    for x_m, y_m, mark, style in users:
        canvas.put(*canvas.at(x_m, y_m), mark, style)
    text = canvas.text()
    text.append_text(_legend(view))
    return text


def load_style(load_pct: float) -> str:
    """Colour of a load."""
    return LOAD_STYLES[_third(load_pct)]


def _third(load_pct: float) -> int:
    return min(2, int(load_pct * 3 / 100))


def _users(view: View) -> Iterator[tuple[float, float, str, str]]:
    """Position, mark and style of each user in scope; those without a cell last, on top."""
    now, styles, letters = view.now, slice_styles(view), slice_letters(view)
    flying = set(view.uavs)
    names, slices, states = (now.column("ue", name) for name in ("ue", "slice", "state"))
    x_m, y_m = (now.column("ue", f"{axis}_m").astype(float) for axis in "xy")
    for i in np.argsort(states == "lost", kind="stable"):
        if not (np.isfinite(x_m[i] + y_m[i]) and view.scope.has(names[i])):
            continue
        style = f"bold {styles.get(slices[i], '')}"
        if states[i] == "lost":
            yield x_m[i], y_m[i], LOST, "bold red"
        elif names[i] in flying:
            yield x_m[i], y_m[i], UAV, style
        else:
            yield x_m[i], y_m[i], letters.get(slices[i], "?"), style


@dataclass
class _Canvas:
    """Characters and their styles, over an area of the network; rows go south."""

    west_m: float
    north_m: float
    column_m: float
    """Width of a character, which is twice as high."""
    rows: int
    columns: int
    marks: NDArray[np.str_] = field(init=False)
    styles: NDArray[np.object_] = field(init=False)
    is_kept: NDArray[np.bool_] = field(init=False)
    """Where names and sites stand, over which no user is written."""

    def __post_init__(self) -> None:
        shape = self.rows, self.columns
        self.marks, self.styles = np.full(shape, " "), np.full(shape, "", object)
        self.is_kept = np.zeros(shape, bool)

    @classmethod
    def around(cls, view: View, sectors: list[Sector], width: int) -> _Canvas:
        """One that shows all sectors and users."""
        sides = []
        for axis in "xy":
            users_m = view.now.column("ue", f"{axis}_m").astype(float)
            users_m = users_m[np.isfinite(users_m)]
            sites_m = np.array([getattr(s, f"{axis}_m") for s in sectors])
            reach_m = np.array([s.radius_m for s in sectors])
            low_m, high_m = (sites_m - reach_m).min(), (sites_m + reach_m).max()
            sides.append((users_m.min(initial=low_m), users_m.max(initial=high_m)))
        (west_m, east_m), (south_m, north_m) = sides
        most = MOST_ROWS if len(sectors) <= MANY_CELLS else MORE_ROWS
        column_m = max((east_m - west_m) / (width - 1), (north_m - south_m) / 2 / (most - 1))
        rows = 1 + round((north_m - south_m) / 2 / column_m)
        return cls(west_m, north_m, column_m, rows, 1 + round((east_m - west_m) / column_m))

    def at(self, x_m: float, y_m: float) -> tuple[int, int]:
        """Row and column of a place."""
        row, column = (self.north_m - y_m) / 2 / self.column_m, (x_m - self.west_m) / self.column_m
        return min(round(row), self.rows - 1), min(round(column), self.columns - 1)

    def put(self, row: int, column: int, mark: str, style: str) -> None:
        """Write a character where no name stands."""
        if not self.is_kept[row, column]:
            self.marks[row, column], self.styles[row, column] = mark, style

    def shade(self, sector: Sector) -> None:
        """Fill a sector."""
        y_m = self.north_m - 2 * self.column_m * np.arange(self.rows)[:, None] - sector.y_m
        x_m = self.west_m + self.column_m * np.arange(self.columns)[None, :] - sector.x_m
        turn_deg = np.degrees(np.arctan2(y_m, x_m)) - sector.bearing_deg
        inside = np.abs((turn_deg + 180) % 360 - 180) <= sector.half_deg
        inside &= np.hypot(x_m, y_m) <= sector.radius_m
        works = sector.state == "on"
        self.marks[inside] = SHADES[_third(sector.load_pct)] if works else ASLEEP
        self.styles[inside] = load_style(sector.load_pct) if works else "bright_black"

    def name(self, sector: Sector, taken: NDArray[np.int_]) -> None:
        """Write the name of a cell where it hides the fewest users; nowhere if there is no room."""
        works = sector.state == "on"
        label = f" {sector.cell} {f'{sector.load_pct:.0f}%' if works else sector.state} "
        if len(label) > self.columns:
            return
        row, column = self.at(*sector.centre_m)
        first = min(max(column - len(label) // 2, 0), self.columns - len(label))
        across = slice(first, first + len(label))
        near, far = (
            [r for r in (row + shift for shift in shifts)
             if 0 <= r < self.rows and not self.is_kept[r, across].any()]
            for shifts in (_NEAR, _FAR)
        )  # fmt: skip
        if not near and not far:
            return
        best = min(near or far[:1], key=lambda r: taken[r, across].sum())
        style = load_style(sector.load_pct) if works else "bright_black"
        self.marks[best, across] = list(label)
        self.styles[best, across] = f"bold {'red' if sector.state == OUTAGE else style} reverse"
        self.is_kept[best, across] = True

    def text(self) -> Text:
        """As Rich prints it."""
        found = Text(no_wrap=True)
        for marks, styles in zip(self.marks, self.styles, strict=True):
            for mark, style in zip(marks, styles, strict=True):
                found.append(str(mark), style)
            found.append("\n")
        return found


def _legend(view: View) -> Text:
    legend, styles = Text(no_wrap=False), slice_styles(view)
    for name, letter in slice_letters(view).items():
        legend.append(letter, f"bold {styles[name]}").append(f" {name}  ")
    if view.uavs:
        legend.append(f"{UAV} UAV  ", "bold")
    legend.append(LOST, "bold red").append(f" lost  {SITE} site  ")
    for shade, style, limit in zip(SHADES, LOAD_STYLES, (33, 67, 100), strict=True):
        legend.append(shade, style).append(f" to {limit} %  ")
    return legend
