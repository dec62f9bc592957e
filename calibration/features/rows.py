# SPDX-License-Identifier: Apache-2.0
"""Feature columns of one kind of element: `Rows`, and sums over users and flows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.features.step import Step
from calibration.network import Floats


def sum_into(index: NDArray[np.int64], values: Floats, count: int) -> Floats:
    """Sums of values (B, N) by index (B, N) into (B, count)."""
    batch = len(index)
    flat = index + np.arange(batch)[:, None] * count
    total = np.bincount(flat.ravel(), values.ravel(), batch * count)
    return total.astype(float).reshape(batch, count)


@dataclass
class Rows:
    """Feature columns of one kind of element, each of shape (B, elements...)."""

    shape: tuple[int, ...]
    columns: dict[str, Floats] = field(default_factory=dict)

    def add(self, **columns: Any) -> None:
        """Put columns in, spread over the shape."""
        for name, values in columns.items():
            self.columns[name] = np.broadcast_to(np.asarray(values, np.float32), self.shape)

    def __len__(self) -> int:
        """Number of rows."""
        return math.prod(self.shape)

    def matrix(self) -> NDArray[np.float32]:
        """All columns side by side, shape (rows, features)."""
        return np.stack([c.reshape(-1) for c in self.columns.values()], axis=1)


def log_ratio(values: Floats, to: Floats, least: float) -> Floats:
    """Natural logarithm of a ratio of values, to both of which something small is added."""
    return np.asarray(np.log((values + least) / (to + least)))


def lagged(rows: Rows, step: Step, table: str, names: tuple[str, ...]) -> None:
    """KPIs of the interval that has ended, as `now_<name>`."""
    for name in names:
        rows.add(**{f"now_{name}": step.now[table][name]})


def changes(rows: Rows, step: Step, names: tuple[str, ...], spread: Any = None) -> None:
    """Settings after the change, and by how much they changed."""
    for name in names:
        after, now = step.controls[name], step.controls_now[name]
        if spread is not None:
            after, now = spread(after), spread(now)
        rows.add(**{name: after, f"{name}_change": after - now})


def least_into(index: NDArray[np.int64], values: Floats, count: int) -> Floats:
    """Least of values (B, N) by index (B, N) into (B, count), NaN where there are none."""
    batch = len(index)
    least = np.full(batch * count, np.inf)
    np.minimum.at(least, (index + np.arange(batch)[:, None] * count).ravel(), values.ravel())
    least[np.isinf(least)] = np.nan
    return least.reshape(batch, count)
