# SPDX-License-Identifier: Apache-2.0
"""Rows walk down the trees of several boosters at once, in code that Numba compiles.

XGBoost lays out all trees anew at every call, which takes 0.2 ms, and walks one row after another.
Here the trees are laid out once, and tiles of rows walk side by side. Rows of a tile are often
alike: a node at which all of them turn the same way is passed once for all, and at others all rows
turn at once, in vector instructions. Where too many nodes are left, each row walks by itself.
Leaves are summed in the order of the trees and in single precision, as XGBoost does, so that the
sums are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import float32, int64, njit, uint32, uintp, void
from numba.core.types import Array
from numba.extending import intrinsic
from numpy.typing import NDArray

from experiment_model.compiling import compiled
from experiment_model.trees import Ints, Trees

Rows = NDArray[np.float32]

TILE = 512
"""Rows that walk together, at most."""
LANES = 16
"""Rows that are handled together in a tile, which is filled up to a multiple of them."""
ROWS_PER_NODE = 8
"""For each so many rows of a tile, one node is passed by all rows at once."""
LEAST_TOGETHER = 32
"""Rows that are worth it."""
WIDTH = 8
"""Outputs that are summed together."""


class Forest:
    """Trees of some boosters, each of which predicts some of k outputs from f features.

    A node's number compares a feature with a threshold; greater or equal leads to the second child,
    which lies behind the first. A missing feature compares false and leads to the first, so that
    where it has to go right, the children change places and the negative feature is compared.

    Args:
        boosters: trees of each, and the outputs that it predicts.
        n_features: f.
        n_outputs: k.
    """

    def __init__(
        self, boosters: Sequence[tuple[Trees, Ints]], n_features: int, n_outputs: int
    ) -> None:
        self._n_outputs = n_outputs
        widest = max(trees.value.shape[1] for trees, _ in boosters)
        width = -(-widest // WIDTH) * WIDTH
        parts: list[tuple[NDArray[Any], ...]] = []
        start = 0
        for trees, _ in boosters:
            parts.append(_laid_out(trees, n_features, start, width))
            start += len(parts[-1][-1])
        self._nodes = tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        self._ends = np.cumsum([len(trees.root) for trees, _ in boosters])
        self._columns = np.concatenate([columns for _, columns in boosters])
        self._widths = np.array([len(columns) for _, columns in boosters])

    def sums(self, rows: Rows, period: int = 1) -> Rows:
        """Sums of the leaves that rows fall into.

        Args:
            rows: shape (n, f), none of them infinite.
            period: rows so far apart are alike, and walk together.

        Returns:
            Shape (n, k).
        """
        result = np.empty((self._n_outputs, len(rows)), np.float32)
        _walk(rows, period, *self._nodes, self._ends, self._columns, self._widths, result)
        return result.T


def _laid_out(trees: Trees, n_features: int, start: int, width: int) -> tuple[NDArray[Any], ...]:
    """Root and depth of each tree; feature, threshold, first child and values of each node.

    Nodes of a tree are numbered from the root down, those of all trees through from `start`.
    """
    first = np.where(trees.default_left, trees.left, trees.right)
    second = np.where(trees.default_left, trees.right, trees.left)
    level, tree = trees.root, np.arange(len(trees.root))
    nodes, owners, depth = [], [], np.zeros(len(tree), np.int64)
    while len(level):
        nodes.append(level)
        owners.append(tree)
        depth[tree] = len(nodes) - 1
        inner = trees.left[level] >= 0
        tree = np.repeat(tree[inner], 2)
        level = np.stack([first[level[inner]], second[level[inner]]], 1).ravel()
    owner = np.concatenate(owners)
    order = np.concatenate(nodes)[np.argsort(owner, kind="stable")]
    number = np.empty(len(trees.left), np.int64)
    number[order] = start + np.arange(len(order))

    is_leaf, goes_left = trees.left[order] < 0, trees.default_left[order]
    threshold = trees.threshold[order]
    above = np.nextafter(-threshold, np.float32(np.inf))
    value = np.zeros((len(order), width), np.float32)
    row_of_leaf = np.empty(len(trees.left), np.int64)
    row_of_leaf[trees.leaf] = np.arange(len(trees.leaf))
    value[is_leaf, : trees.value.shape[1]] = trees.value[row_of_leaf[order[is_leaf]]]
    return (
        number[trees.root].astype(np.uint32),
        depth,
        (trees.feature[order] + np.where(goes_left, 0, n_features)).astype(np.uint32),
        # Nothing compares with NaN: a row stays at its leaf, whose first child is the leaf itself.
        np.where(is_leaf, np.float32(np.nan), np.where(goes_left, threshold, above)),
        number[np.where(is_leaf, order, first[order])].astype(np.uint32),
        value,
    )


def _read(kind: Any, n_axes: int, layout: Any = "C") -> Any:
    """An array that is not written to, and that need not be writable: workers share models."""
    return Array(kind, n_axes, layout, readonly=True)


@intrinsic
def _add(_, to, values):  # type: ignore[no-untyped-def]
    """Add WIDTH numbers at one address to those at another, in a vector instruction."""

    def generate(context, builder, _, addresses):  # type: ignore[no-untyped-def]
        vector = ir.VectorType(ir.FloatType(), WIDTH)
        to, values = (builder.inttoptr(a, vector.as_pointer()) for a in addresses)
        total = builder.fadd(builder.load(to, align=4), builder.load(values, align=4))
        builder.store(total, to, align=4)
        return context.get_dummy_value()

    return void(uintp, uintp), generate


@njit
def _fill(rows, period, first, count, x, low, high):  # type: ignore[no-untyped-def]
    """Take in a tile, shape (2 f, rows), features and their negatives, and the bounds of each.

    There is no lower bound, NaN, where a row lacks the feature: nothing is greater or equal.
    """
    n_features, filled = uintp(len(x) // 2), uintp(x.shape[1])
    least, most = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    lacks = np.empty(LANES, np.uint32)
    for f in range(n_features):
        values, negative = x[f], x[n_features + f]
        for j in range(uintp(count)):
            values[j] = rows[uintp(first) + j * uintp(period), f]
        for j in range(uintp(count), filled):
            values[j] = values[count - 1]
        for j in range(filled):
            negative[j] = -values[j]
        least[:], most[:], lacks[:] = np.inf, -np.inf, 0
        for start in range(uintp(0), filled, uintp(LANES)):
            for lane in range(uintp(LANES)):
                value = values[start + lane]
                least[lane] = value if value < least[lane] else least[lane]
                most[lane] = value if value > most[lane] else most[lane]
                lacks[lane] |= np.isnan(value)
        low[f], high[f] = least.min(), most.max()
        low[n_features + f], high[n_features + f] = -high[f], -low[f]
        if lacks.any():
            low[f] = low[n_features + f] = np.nan


@njit
def _passed(i, feature, threshold, child, low, high):  # type: ignore[no-untyped-def]
    """The first node from one on at which rows part, or their leaf."""
    while True:
        f = uintp(feature[i])
        if low[f] >= threshold[i]:
            i = uint32(child[i] + 1)
        elif high[f] < threshold[i]:
            i = child[i]
        else:
            return i


@njit
def _turn_together(root, most, feature, threshold, child, x, low, high, at, queue):  # type: ignore[no-untyped-def]
    """Lead all rows from a root past at most some nodes, near ones first; says if this is all."""
    filled = uintp(len(at))
    queue[0] = _passed(root, feature, threshold, child, low, high)
    at[:] = queue[0]
    head, tail = 0, 0 if np.isnan(threshold[queue[0]]) else 1
    while head < tail:
        if head == most:
            return False
        i = queue[head]
        head += 1
        first = _passed(child[i], feature, threshold, child, low, high)
        second = _passed(uint32(child[i] + 1), feature, threshold, child, low, high)
        for node in (first, second):
            if not np.isnan(threshold[node]):
                queue[tail] = node
                tail += 1
        values, limit = x[uintp(feature[i])], threshold[i]
        for j in range(filled):
            turned = second if values[j] >= limit else first
            at[j] = turned if at[j] == i else at[j]
    return True


@compiled(
    void(
        _read(float32, 2, "A"), int64,
        _read(uint32, 1), _read(int64, 1), _read(uint32, 1), _read(float32, 1), _read(uint32, 1),
        _read(float32, 2), _read(int64, 1), _read(int64, 1), _read(int64, 1), float32[:, ::1],
    )
)  # fmt: skip
def _walk(  # type: ignore[no-untyped-def]
    rows, period, root, depth, feature, threshold, child, value, ends, columns, widths, result
):
    """Fill in the result.

    Indices are unsigned, as signed ones could count from the end.
    """
    n, n_features = rows.shape
    all_x = np.empty(2 * n_features * TILE, np.float32)
    all_at = np.empty(TILE, np.uint32)
    low, high = np.empty(2 * n_features, np.float32), np.empty(2 * n_features, np.float32)
    queue = np.empty(2 * (TILE // ROWS_PER_NODE) + 2, np.uint32)
    sums = np.empty((TILE, value.shape[1]), np.float32)
    row_bytes = uintp(4 * value.shape[1])
    sums_at, value_at = uintp(sums.ctypes.data), uintp(value.ctypes.data)
    if n < period * LEAST_TOGETHER:
        period = 1
    for element in range(min(period, n)):
        of_element = (n - element + period - 1) // period
        for start in range(0, of_element, TILE):
            first = start * period + element
            count = min(TILE, of_element - start)
            filled = -(-count // LANES) * LANES
            x = all_x[: 2 * n_features * filled].reshape((2 * n_features, filled))
            at = all_at[:filled]
            _fill(rows, period, first, count, x, low, high)
            most = count // ROWS_PER_NODE
            first_tree = first_column = uintp(0)
            for part in range(uintp(len(ends))):
                width = uintp(widths[part])
                sums[:filled] = 0
                for t in range(first_tree, uintp(ends[part])):
                    if count < LEAST_TOGETHER:
                        at[:] = root[t]
                        done = False
                    else:
                        done = _turn_together(
                            root[t], most, feature, threshold, child, x, low, high, at, queue
                        )
                    if not done:
                        for _ in range(depth[t]):
                            for j in range(uintp(count)):
                                i = uintp(at[j])
                                at[j] = child[i] + (x[uintp(feature[i]), j] >= threshold[i])
                    for output in range(uintp(0), width, uintp(WIDTH)):
                        to, values_at = sums_at + uintp(4) * output, value_at + uintp(4) * output
                        for j in range(uintp(count)):
                            leaf_at = values_at + uintp(at[j]) * row_bytes
                            _add(to + j * row_bytes, leaf_at)  # type: ignore[call-arg]
                for output in range(width):
                    column = result[uintp(columns[first_column + output])]
                    for j in range(uintp(count)):
                        column[uintp(first) + j * uintp(period)] = sums[j, output]
                first_tree = uintp(ends[part])
                first_column += width
