# SPDX-License-Identifier: Apache-2.0
"""Rows walk down the trees of several boosters at once, in code that Numba compiles.

XGBoost lays out all trees anew at every call, which takes 0.2 ms, and walks one row after another.
Here the trees are laid out once, and rows walk side by side. Leaves are summed in the order of the
trees and in single precision, as XGBoost does, so that the sums are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import float32, int64, uint32, uintp, void
from numba.core.types import Array
from numpy.typing import NDArray

from experiment_model.compiling import compiled
from experiment_model.trees import Ints, Trees

Rows = NDArray[np.float32]

SIDE_BY_SIDE = 32
"""Rows that walk together."""
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

    def sums(self, rows: Rows) -> Rows:
        """Sums of the leaves that rows (n, f), none of them infinite, fall into: shape (n, k)."""
        result = np.empty((self._n_outputs, len(rows)), np.float32)
        _walk(rows, *self._nodes, self._ends, self._columns, self._widths, result)
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


@compiled(
    void(
        _read(float32, 2, "A"),
        _read(uint32, 1), _read(int64, 1), _read(uint32, 1), _read(float32, 1), _read(uint32, 1),
        _read(float32, 2), _read(int64, 1), _read(int64, 1), _read(int64, 1), float32[:, ::1],
    )
)  # fmt: skip
def _walk(rows, root, depth, feature, threshold, child, value, ends, columns, widths, result):  # type: ignore[no-untyped-def]
    """Fill in the result; indices are unsigned, as signed ones could count from the end."""
    n, n_features = rows.shape
    stride = uintp(2 * n_features)
    x = np.empty(SIDE_BY_SIDE * 2 * n_features, np.float32)
    at = np.empty((len(root), SIDE_BY_SIDE), np.uint32)
    sums = np.empty(WIDTH, np.float32)
    for start in range(0, n, SIDE_BY_SIDE):
        together = uintp(min(SIDE_BY_SIDE, n - start))
        for j in range(together):
            for f in range(uintp(n_features)):
                known = rows[uintp(start) + j, f]
                x[j * stride + f] = known
                x[j * stride + uintp(n_features) + f] = -known
        for t in range(uintp(len(root))):
            node = at[t]
            node[:] = root[t]
            for _ in range(depth[t]):
                for j in range(together):
                    i = uintp(node[j])
                    node[j] = child[i] + (x[j * stride + uintp(feature[i])] >= threshold[i])
        for j in range(together):
            first_tree = first_column = uintp(0)
            for part in range(uintp(len(ends))):
                last_tree = uintp(ends[part])
                for at_output in range(uintp(0), uintp(widths[part]), uintp(WIDTH)):
                    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = np.float32(0)
                    for t in range(first_tree, last_tree):
                        leaf = value[uintp(at[t, j]), at_output : at_output + uintp(WIDTH)]
                        s0 += leaf[0]
                        s1 += leaf[1]
                        s2 += leaf[2]
                        s3 += leaf[3]
                        s4 += leaf[4]
                        s5 += leaf[5]
                        s6 += leaf[6]
                        s7 += leaf[7]
                    sums[0], sums[1], sums[2], sums[3] = s0, s1, s2, s3
                    sums[4], sums[5], sums[6], sums[7] = s4, s5, s6, s7
                    for o in range(min(uintp(WIDTH), uintp(widths[part]) - at_output)):
                        column = uintp(columns[first_column + at_output + o])
                        result[column, uintp(start) + j] = sums[o]
                first_tree = last_tree
                first_column += uintp(widths[part])
