# SPDX-License-Identifier: Apache-2.0
"""The trees of one booster as arrays, read from its UBJSON file and checked node by node."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiment_model.ubjson import read_ubjson

Ints = NDArray[np.int64]

MAX_TREE_DEPTH = 64

ROUNDING = 1e-5
"""Of sums of covers, in parts of the greatest."""
_PER_NODE = (
    "left_children",
    "right_children",
    "parents",
    "split_indices",
    "split_conditions",
    "split_type",
    "default_left",
    "sum_hessian",
    "loss_changes",
)
_CATEGORIES = ("categories", "categories_nodes", "categories_segments", "categories_sizes")


@dataclass(frozen=True)
class Trees:
    """All nodes of all trees of a booster, N of them, numbered through."""

    root: Ints
    """Of each tree."""
    left: Ints
    """Left child, or -1 of a leaf; shape (N,) like the following."""
    right: Ints
    parent: Ints
    """Or -1 of a root, and of nodes that no root leads to because they were pruned."""
    feature: Ints
    """That an inner node splits on; 0 of a leaf."""
    threshold: NDArray[np.float32]
    """A row goes left if its feature is less."""
    default_left: NDArray[np.bool_]
    """Whether a row without the feature goes left."""
    cover: NDArray[np.float32]
    """Sum of the hessians of the training rows that passed."""
    leaf: Ints
    """Nodes that are leaves, shape (l,)."""
    value: NDArray[np.float32]
    """Of each leaf for each output, shape (l, k)."""
    depth: int
    """Of the deepest leaf."""


class NotReadableError(ValueError):
    """Raised with what is wrong with a booster, as the end of a sentence that its name begins."""


def read_trees(data: bytes, features: Sequence[str], n_outputs: int) -> Trees:
    """Read a booster's trees and check that they can be walked.

    Args:
        data: what `Booster.save_raw("ubj")` gives.
        features: names that the rows have, in order.
        n_outputs: how many KPIs it must predict.

    Raises:
        NotReadableError: no booster, not of trees, of other features or outputs, or with trees that
            lead astray.
    """
    try:
        learner = read_ubjson(data)["learner"]
    except (ValueError, TypeError, KeyError) as error:
        raise NotReadableError(f"is not an XGBoost model in UBJSON: {error}") from None
    try:
        _check_shape(learner, features, n_outputs)
        return _trees(learner["gradient_booster"]["model"], len(features), n_outputs)
    except NotReadableError:
        raise
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
        raise NotReadableError(
            "lacks a part of a model of XGBoost 3.2, or has another in its place"
        ) from None


def _check_shape(learner: Any, features: Sequence[str], n_outputs: int) -> None:
    name = learner["gradient_booster"]["name"]
    _must(name == "gbtree", f"is of kind {name!r}; it must be 'gbtree'")
    param = learner["learner_model_param"]
    f, k = int(param["num_feature"]), int(param["num_target"])
    _must(f == len(features), f"has {f} features; its kind has {len(features)}")
    _must(k == n_outputs, f"has {k} outputs; it must have {n_outputs}")
    _must(param["num_class"] == "0", "classifies; it must predict numbers")
    base_score = json.loads(param["base_score"])
    _must(not np.any(base_score), f"has base_score {base_score}; it must be 0")
    for found, expected in zip(learner["feature_names"], features, strict=False):
        _must(found == expected, f"has feature {found!r} in the place of {expected!r}")


def _trees(model: Any, n_features: int, n_outputs: int) -> Trees:
    trees = model["trees"]
    count = len(trees)
    _must(count > 0, "has no trees")
    _must(model["gbtree_model_param"]["num_trees"] == str(count), "has a wrong number of trees")
    _must(not len(model["cats"]["enc"]), "has categorical features; they must be numbers")
    size = np.array([len(tree["left_children"]) for tree in trees])
    for tree, n in zip(trees, size, strict=True):
        _check_tree(tree, int(n), n_features, n_outputs)
    nodes = {name: np.concatenate([tree[name] for tree in trees]) for name in _PER_NODE}
    _must(not nodes["split_type"].any(), "has categorical splits; they must be of numbers")
    start = np.cumsum(size) - size
    left, right, parent, depth = _walk(nodes, start, size)

    feature = np.where(left >= 0, nodes["split_indices"].astype(np.int64), 0)
    _must(bool(((feature >= 0) & (feature < n_features)).all()), "has splits by no feature")
    cover = nodes["sum_hessian"].astype(np.float32)
    _must(bool(np.isfinite(cover).all()), "has covers that are not finite")
    # XGBoost finds the cover of one child as the rest of its sibling's, to the digits of a float.
    _must(bool((cover >= -ROUNDING * cover.max()).all()), "has covers below 0")
    cover = np.maximum(cover, 0.0)
    reached = parent >= 0
    reached[start] = True
    leaf = np.flatnonzero(reached & (left < 0))
    condition = nodes["split_conditions"].astype(np.float32)
    inner = reached & (left >= 0)
    _must(not np.isnan(condition[inner]).any(), "has thresholds that are not numbers")
    if n_outputs == 1:
        value = condition[leaf][:, None]
    else:
        tree_of_leaf = np.repeat(np.arange(count), size)[leaf]
        value = _vectors(trees, n_outputs, nodes["right_children"][leaf], tree_of_leaf)
    _must(bool(np.isfinite(value).all()), "has leaves that are not finite numbers")
    return Trees(
        root=start,
        left=left,
        right=right,
        parent=parent,
        feature=feature,
        threshold=condition,
        default_left=nodes["default_left"].astype(bool),
        cover=cover,
        leaf=leaf,
        value=value,
        depth=depth,
    )


def _check_tree(tree: Any, n: int, n_features: int, n_outputs: int) -> None:
    param = tree["tree_param"]
    _must(n > 0 and param["num_nodes"] == str(n), "has a tree with a wrong number of nodes")
    _must(int(param["num_feature"]) == n_features, "has a tree of other features")
    width = max(int(param["size_leaf_vector"]), 1)
    _must(width == n_outputs, f"has leaves of {width} values; it has {n_outputs} outputs")
    for name in _PER_NODE:
        _must(tree[name].shape == (n,), f"has a tree whose {name} are not one per node")
    # Of vector-leaf trees they are as long as the gradients that found the splits, and not used.
    whole = len(tree["base_weights"]) % n == 0 if width > 1 else len(tree["base_weights"]) == n
    _must(whole, "has a tree with too few or many base_weights")
    for name in _CATEGORIES:
        _must(not len(tree[name]), "has categorical splits; they must be of numbers")


def _walk(nodes: dict[str, Any], start: Ints, size: Ints) -> tuple[Ints, Ints, Ints, int]:
    """Left and right child and parent of each node, -1 where there is none; the greatest depth."""
    offset = np.repeat(start, size)
    last = np.repeat(size, size)
    left, right = nodes["left_children"].astype(np.int64), nodes["right_children"].astype(np.int64)
    inner = left >= 0
    for child in (left, right):
        in_range = (child > 0) & (child < last)
        _must(bool((in_range | ~inner).all()), "has a tree with children out of range")
    left = np.where(inner, left + offset, -1)
    right = np.where(inner, right + offset, -1)
    parent = np.full(len(left), -1, np.int64)
    level = start
    depth = 0
    while len(level := level[inner[level]]):
        depth += 1
        _must(depth <= MAX_TREE_DEPTH, f"has trees deeper than {MAX_TREE_DEPTH}")
        children = np.concatenate([left[level], right[level]])
        new = (
            np.bincount(children, minlength=len(parent)).max() == 1 and (parent[children] < 0).all()
        )
        _must(bool(new), "has a tree in which two ways lead to one node")
        parent[children] = np.tile(level, 2)
        level = children
    reached = parent >= 0
    said = nodes["parents"].astype(np.int64) + offset
    _must(np.array_equal(said[reached], parent[reached]), "has parents that have other children")
    return left, right, parent, depth


def _vectors(trees: Any, width: int, row: Any, tree_of_leaf: Ints) -> NDArray[np.float32]:
    """Values of leaves, whose row XGBoost keeps where an inner node has its right child."""
    lengths = np.array([len(tree["leaf_weights"]) for tree in trees])
    _must(not (lengths % width).any(), "has a leaf with too few values")
    rows = lengths // width
    row = row.astype(np.int64)
    _must(bool(((row >= 0) & (row < rows[tree_of_leaf])).all()), "has leaves without values")
    vectors = np.concatenate([tree["leaf_weights"] for tree in trees]).astype(np.float32)
    found = vectors.reshape(-1, width)[row + (np.cumsum(rows) - rows)[tree_of_leaf]]
    return np.asarray(found, np.float32)


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotReadableError(otherwise)
