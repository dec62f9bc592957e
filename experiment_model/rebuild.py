# SPDX-License-Identifier: Apache-2.0
"""An XGBoost booster made anew from trees that were read and checked.

XGBoost trusts what it loads: a node number or a part of another form in a file can end the process.
So the file of a model, which may be a stranger's, never reaches it. What reaches it is this.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from experiment_model.trees import Ints, Trees
from experiment_model.ubjson import write_ubjson

XGBOOST_FORMAT = [3, 2, 0]

_NO_PARENT = {False: -1, True: np.iinfo(np.int32).max}
"""Of a root; by whether the tree has one output."""


def booster_of(trees: Trees, n_features: int) -> xgboost.Booster:
    """A booster that predicts on the calling thread what the trees say."""
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(write_ubjson(_document(trees, n_features))))
    return booster


def _document(trees: Trees, n_features: int) -> dict[str, Any]:
    k = trees.value.shape[1]
    count = len(trees.root)
    return {
        "learner": {
            "attributes": {},
            "feature_names": [],
            "feature_types": [],
            "gradient_booster": {
                "model": {
                    "cats": {
                        "enc": [],
                        "feature_segments": _empty("i4"),
                        "sorted_idx": _empty("i4"),
                    },
                    "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(count)},
                    "iteration_indptr": list(range(count + 1)),
                    "tree_info": [0] * count,
                    "trees": _trees(trees, n_features),
                },
                "name": "gbtree",
            },
            "learner_model_param": {
                "base_score": "[" + ",".join(["0E0"] * k) + "]",
                "boost_from_average": "0",
                "num_class": "0",
                "num_feature": str(n_features),
                "num_target": str(k),
            },
            "objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}},
        },
        "version": XGBOOST_FORMAT,
    }


def _trees(trees: Trees, n_features: int) -> list[dict[str, Any]]:
    reached = trees.parent >= 0
    reached[trees.root] = True
    kept = np.flatnonzero(reached)
    end = np.append(trees.root[1:], len(reached))
    # Numbers of nodes within their trees, without those that were pruned.
    number = np.cumsum(reached) - 1
    first = number[trees.root]
    own = number - np.repeat(first, end - trees.root)
    row_of_leaf = np.full(len(reached), -1)
    row_of_leaf[trees.leaf] = np.arange(len(trees.leaf))
    return [
        _tree(trees, index, kept[at : at + n], own, row_of_leaf, n_features)
        for index, (at, n) in enumerate(
            zip(first, np.diff(np.append(first, len(kept))), strict=True)
        )
    ]


def _tree(
    trees: Trees, index: int, nodes: Ints, own: Ints, row_of_leaf: Ints, n_features: int
) -> dict[str, Any]:
    n, k = len(nodes), trees.value.shape[1]
    left, right, parent = trees.left[nodes], trees.right[nodes], trees.parent[nodes]
    is_leaf = left < 0
    rows = row_of_leaf[nodes[is_leaf]]
    condition = trees.threshold[nodes]
    own_right = np.where(is_leaf, -1, own[right])
    vectors = {}
    if k > 1:
        own_right[is_leaf] = np.arange(len(rows))
        vectors["leaf_weights"] = trees.value[rows].reshape(-1)
    return {
        "base_weights": np.zeros(n * k, np.float32),
        "categories": _empty("i4"),
        "categories_nodes": _empty("i4"),
        "categories_segments": _empty("i8"),
        "categories_sizes": _empty("i8"),
        "default_left": trees.default_left[nodes].astype(np.uint8),
        "id": index,
        **vectors,
        "left_children": np.where(is_leaf, -1, own[left]).astype(np.int32),
        "loss_changes": np.zeros(n, np.float32),
        "parents": np.where(parent < 0, _NO_PARENT[k == 1], own[parent]).astype(np.int32),
        "right_children": own_right.astype(np.int32),
        "split_conditions": condition,
        "split_indices": trees.feature[nodes].astype(np.int32),
        "split_type": np.zeros(n, np.uint8),
        "sum_hessian": trees.cover[nodes],
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(n_features),
            "num_nodes": str(n),
            "size_leaf_vector": str(k),
        },
    }


def _empty(kind: str) -> NDArray[Any]:
    return np.empty(0, kind)
