# SPDX-License-Identifier: Apache-2.0
"""How networks respond to single events, on the model and in NS-3: `Responses`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from calibration.trajectory import Trajectory
from calibration.validation.report import Line, Plot, Table

if TYPE_CHECKING:
    from calibration.validation.rollouts import Rolled

Floats = NDArray[np.float64]
Event = tuple[int, int]
"""First interval in which it is felt, and the element that it strikes."""

BEFORE = 3
"""Intervals shown before an event."""
LEAST_CHANGE_DB = 3.0
"""Change of a cell's handover settings that counts as an event."""
HALF = 0.5


def _starts(share: Floats) -> Iterator[Event]:
    """Where a share, shape (T, elements), goes from nothing to more than half."""
    for t, element in np.argwhere((share[1:] > HALF) & (share[:-1] < 0.01)):
        yield int(t) + 1, int(element)


def _link_cuts(run: Trajectory) -> Iterator[Event]:
    yield from _starts(1 - run.outside["link_up"])


def _outages(run: Trajectory) -> Iterator[Event]:
    yield from _starts(run.outside["outage"])


def _handover_changes(run: Trajectory) -> Iterator[Event]:
    total_db = run.controls["a3_offset_db"] + run.controls["hysteresis_db"]
    for t, cell in np.argwhere(np.diff(total_db, axis=0) <= -LEAST_CHANGE_DB):
        yield int(t) + 1, int(cell)


@dataclass(frozen=True)
class Kind:
    """A kind of event, and the KPIs that show what comes of it."""

    name: str
    events: Callable[[Trajectory], Iterator[Event]]
    kpis: tuple[tuple[str, str, str], ...]
    """Table, column and unit; of the element itself, or of all slices of the network."""


KINDS = (
    Kind("link cut", _link_cuts,
         (("link", "util_pct", "%"), ("link", "throughput_mbps", "Mbit/s"),
          ("network", "throughput_mbps", "Mbit/s"))),
    Kind("cell outage", _outages,
         (("cell", "dl_throughput_mbps", "Mbit/s"), ("cell", "dl_prb_util_pct", "%"),
          ("cell", "power_w", "W"), ("network", "throughput_mbps", "Mbit/s"))),
    Kind("easier handover", _handover_changes,
         (("cell", "ho_attempts", "1"), ("cell", "dl_throughput_mbps", "Mbit/s"),
          ("cell", "dl_sinr_db", "dB"))),
)  # fmt: skip


class Responses:
    """Averages over events of each kind."""

    def __init__(self) -> None:
        self._curves: dict[tuple[int, int], list[tuple[Floats, Floats]]] = {}

    def add(self, rolled: Rolled) -> None:
        """Take in the events of a run; roll-outs start in the interval before each."""
        steps = len(rolled.ahead)
        for k, kind in enumerate(KINDS):
            for t, element in kind.events(rolled.run):
                for j, (table, column, _) in enumerate(kind.kpis):
                    pick = slice(None) if table == "network" else element
                    real = np.full(BEFORE + steps, np.nan)
                    model = real.copy()
                    true = rolled.true[table][column]
                    for offset in range(-BEFORE, steps):
                        at = t + offset
                        if 0 <= at < rolled.run.n_intervals:
                            real[offset + BEFORE] = np.sum(true[at, ..., pick])
                            if offset >= 0:
                                ahead = rolled.ahead[offset][table][column]
                                model[offset + BEFORE] = np.sum(ahead[t - 1, ..., pick])
                    self._curves.setdefault((k, j), []).append((real, model))

    def merge(self, other: Responses) -> None:
        """Take the events of other runs in."""
        for key, found in other._curves.items():
            self._curves.setdefault(key, []).extend(found)

    def shown(self) -> tuple[list[Table], list[Plot]]:
        """A table of how far the curves lie apart, and the curves."""
        rows, plots = [], []
        for (k, j), found in sorted(self._curves.items()):
            kind, (table, column, unit) = KINDS[k], KINDS[k].kpis[j]
            both = np.array(found)
            missing = np.isnan(both).any(1)
            missing[:, :BEFORE] = np.isnan(both[:, 0, :BEFORE])
            with np.errstate(all="ignore"):
                counts = (~missing).sum(0)
                real, model = (
                    np.where(missing, 0, np.nan_to_num(both[:, side])).sum(0) / counts
                    for side in (0, 1)
                )
            model[:BEFORE] = np.nan
            known = np.isfinite(model)
            if not known.any():
                continue
            apart = float(np.sqrt(np.mean((real - model)[known] ** 2)))
            height = float(np.nanmax(real) - np.nanmin(real))
            name = f"{kind.name}: {table} {column}"
            rows.append((name, len(found), round(height, 3), round(apart, 3), unit))
            x = tuple(float(i) for i in range(-BEFORE, len(real) - BEFORE))
            plots.append(
                Plot(
                    title=name,
                    x_label="intervals since the event",
                    y_label=unit,
                    lines=(_line("NS-3", x, real), _line("model", x, model)),
                )
            )
        if not rows:
            return [], []
        columns = ("response", "events", "height in NS-3", "RMSE of the mean curve", "unit")
        return [Table(columns=columns, rows=tuple(rows))], plots


def _line(name: str, x: tuple[float, ...], y: Floats) -> Line:
    return Line(name=name, x=x, y=tuple(float(v) if np.isfinite(v) else None for v in y))
