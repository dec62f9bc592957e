# SPDX-License-Identifier: Apache-2.0
"""Shapley values of the features in a sum of trees, for trees with one or many outputs.

XGBoost 3.2 computes them for trees with one output only. The game is the same as there (path-
dependent TreeSHAP, Lundberg et al. 2020): a split on an unknown feature sends a row both ways, in
proportion to the training rows that went there. A leaf l with value v then adds

    v prod_i (o_i if i is known else z_i)

over the features i on its path, where o_i says whether the row passes all splits on i, and z_i is
the share of the training rows that did. The Shapley value of i is, by the multilinear extension of
this product (Owen 1972),

    v (o_i - z_i) int_0^1 prod_{j != i} (z_j + t (o_j - z_j)) dt

whose integrand is a polynomial in t: Gauss-Legendre quadrature gives it exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiment_model.trees import Trees

Floats = NDArray[np.float64]


class Attribution:
    """What explains the predictions of one booster of f features and k outputs.

    Attributes:
        expected: mean prediction over the training rows, as the trees' covers weigh them,
            shape (k,).
    """

    def __init__(self, trees: Trees) -> None:
        self._trees = trees
        n_leaves, depth = len(trees.leaf), max(trees.depth, 1)
        # From each leaf up to its root: nodes, whether the path turns left there, and its share.
        node = np.full((n_leaves, depth), -1)
        turns_left = np.zeros((n_leaves, depth), bool)
        share = np.ones((n_leaves, depth))
        below = trees.leaf
        for step in range(depth):
            above = trees.parent[below]
            on_path = above >= 0
            node[:, step] = above
            turns_left[:, step] = on_path & (trees.left[above] == below)
            cover = trees.cover[above].astype(np.float64)
            split = np.divide(trees.cover[below], cover, out=np.ones(n_leaves), where=cover > 0)
            share[:, step] = np.where(on_path, split, 1)
            below = np.where(on_path, above, below)
        feature = np.where(node >= 0, trees.feature[node], -1)
        order = np.argsort(feature, axis=1, kind="stable")
        self._node = np.take_along_axis(node, order, 1)
        self._turns_left = np.take_along_axis(turns_left, order, 1)
        feature = np.take_along_axis(feature, order, 1)
        # Slots: the distinct features of a path, those of no feature first.
        slot = np.zeros(feature.shape, np.int64)
        slot[:, 1:] = np.cumsum(feature[:, 1:] != feature[:, :-1], axis=1)
        self._slot = slot + np.arange(n_leaves)[:, None] * depth
        self._feature = np.full((n_leaves, depth), -1)
        self._feature.flat[self._slot] = feature
        self._z = np.ones((n_leaves, depth))
        np.multiply.at(self._z.reshape(-1), self._slot, np.take_along_axis(share, order, 1))
        points, weights = np.polynomial.legendre.leggauss(depth // 2 + 1)
        self._points, self._weights = (points + 1) / 2, weights / 2
        self.expected: Floats = self._z.prod(axis=1) @ trees.value.astype(np.float64)

    def contributions(self, row: NDArray[np.float32]) -> Floats:
        """Shapley values of one row, which with `expected` add up to its prediction.

        Args:
            row: shape (f,).

        Returns:
            Shape (f, k).
        """
        trees = self._trees
        value = row[trees.feature]
        goes_left = np.where(np.isnan(value), trees.default_left, value < trees.threshold)
        strays = (self._node >= 0) & (goes_left[self._node] != self._turns_left)
        o = np.bincount(self._slot[strays], minlength=self._z.size).reshape(self._z.shape) == 0
        gain = o - self._z
        weight = np.zeros_like(gain)
        for t, w in zip(self._points, self._weights, strict=True):
            weight += w * _product_of_others(self._z + t * gain)
        weight *= gain
        used = np.nonzero((self._feature >= 0) & (weight != 0))
        leaf, feature = used[0], self._feature[used]
        shares = weight[used][:, None] * trees.value[leaf]
        return np.stack([np.bincount(feature, column, len(row)) for column in shares.T], axis=1)


def _product_of_others(factors: Floats) -> Floats:
    """For each factor of a row, the product of all others of that row."""
    before, after = np.ones_like(factors), np.ones_like(factors)
    np.cumprod(factors[:, :-1], axis=1, out=before[:, 1:])
    after[:, :-1] = np.cumprod(factors[:, :0:-1], axis=1)[:, ::-1]
    return before * after
