# SPDX-License-Identifier: Apache-2.0
"""Feature columns of one kind of element: `Rows`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.features.step import Step
from calibration.network import Floats

USUAL_COLUMNS = 128
"""Room for as many is made at first."""


class Rows:
    """Feature columns of one kind of element, each of shape (B, elements...)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._numbers: dict[str, int] = {}
        self._values = np.empty((USUAL_COLUMNS, *shape), np.float32)

    def add(self, **columns: Any) -> None:
        """Put columns in, spread over the shape."""
        numbers = self._numbers
        if len(numbers) + len(columns) > len(self._values):
            self._values = np.concatenate([self._values, np.empty_like(self._values)])
        target = self._values
        for name, values in columns.items():
            target[numbers.setdefault(name, len(numbers))] = values

    @property
    def columns(self) -> dict[str, NDArray[np.float32]]:
        """All columns by name."""
        return {name: self._values[number] for name, number in self._numbers.items()}

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """A column."""
        column: NDArray[np.float32] = self._values[self._numbers[name]]
        return column

    def __len__(self) -> int:
        """Number of rows."""
        return math.prod(self.shape)

    def matrix(self) -> NDArray[np.float32]:
        """All columns side by side, shape (rows, features), each contiguous."""
        n = len(self._numbers)
        return self._values[:n].reshape(n, -1).T


def log_ratio(values: Floats, to: Floats, least: float) -> Floats:
    """Natural logarithm of a ratio of values, to both of which something small is added."""
    return np.asarray(np.log((values + least) / (to + least)))


def lagged(rows: Rows, step: Step, table: str, names: tuple[str, ...]) -> None:
    """KPIs of the interval that has ended, as `now_<name>`."""
    rows.add(**{f"now_{name}": step.now[table][name] for name in names})


def changes(rows: Rows, step: Step, names: tuple[str, ...]) -> None:
    """Settings after the change, and by how much they changed."""
    for name in names:
        after, now = step.controls[name], step.controls_now[name]
        rows.add(**{name: after, f"{name}_change": after - now})
