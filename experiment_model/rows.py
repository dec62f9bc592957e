# SPDX-License-Identifier: Apache-2.0
"""Rows as users give them, brought into the one form that boosters read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiment_model.errors import ModelError


@runtime_checkable
class Columns(Protocol):
    """Columns by name: a mapping of arrays, or a data frame."""

    def keys(self) -> Iterable[Any]:
        """Names of the columns."""

    def __getitem__(self, name: str, /) -> Any:
        """A column."""


def matrix(kind: str, features: Sequence[str], rows: ArrayLike | Columns) -> NDArray[np.float32]:
    """Rows as an array.

    Args:
        kind: of the rows, for messages.
        features: the columns wanted, in order; f of them.
        rows: an array of shape (n, f), or columns of n values each by the features' names. NaN
            stands for what is missing.

    Returns:
        Shape (n, f).

    Raises:
        ModelError: columns are missing, unknown, of different lengths, no numbers or infinite; or
            the array has another shape.
    """
    if not isinstance(rows, np.ndarray) and isinstance(rows, Columns):
        result = _from_columns(kind, features, rows)
    else:
        result = _numbers(rows, f"rows of {kind}")
        if result.ndim != 2 or result.shape[1] != len(features):
            raise ModelError(
                f"rows of {kind} have shape {result.shape}; it must be (rows, {len(features)}), "
                "one column per feature"
            )
    infinite = np.isinf(result)
    if infinite.any():
        row, column = (int(i) for i in np.argwhere(infinite)[0])
        raise ModelError(
            f"rows of {kind}: {features[column]} is {result[row, column]} in row {row}; "
            "it must be a finite number that float32 can hold, or NaN where it is missing"
        )
    return result


def _from_columns(kind: str, features: Sequence[str], rows: Columns) -> NDArray[np.float32]:
    given = [str(name) for name in rows.keys()]  # noqa: SIM118
    known = set(given)
    for name in features:
        if name not in known:
            raise ModelError(f"rows of {kind} lack the feature {name!r}")
    if len(given) != len(features):
        wanted = set(features)
        for name in given:
            if name not in wanted:
                raise ModelError(f"rows of {kind} have {name!r}, which is no feature of the model")
    columns = [_numbers(rows[name], f"rows of {kind}: {name}") for name in features]
    n = columns[0].shape
    for name, column in zip(features, columns, strict=True):
        if column.ndim != 1 or column.shape != n:
            raise ModelError(
                f"rows of {kind}: {name} has shape {column.shape}; all columns must have the same "
                f"length, and {features[0]} has shape {n}"
            )
    return np.stack(columns, axis=1)


def _numbers(values: Any, where: str) -> NDArray[np.float32]:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            array = array.astype(np.float64) if array.dtype.kind == "O" else _refuse(array)
        with np.errstate(over="ignore"):
            return np.asarray(array, np.float32)
    except (TypeError, ValueError):
        raise ModelError(f"{where} must be numbers") from None


def _refuse(array: NDArray[Any]) -> NDArray[Any]:
    raise TypeError(str(array.dtype))
