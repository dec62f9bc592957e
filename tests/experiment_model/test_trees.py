# SPDX-License-Identifier: Apache-2.0
"""Trees predict what XGBoost predicts, and boosters of strangers lead nobody astray."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from experiment_model import BoosterFile, ModelError
from experiment_model.boosters import Boosters
from experiment_model.trees import Trees, read_trees
from experiment_model.ubjson import read_ubjson, write_ubjson
from experiment_model.walking import Forest

FEATURES = ("fluid_mbps", "load_pct", "power_dbm", "tilt_deg", "now_sinr_db")


class Raw(bytes):
    """A booster's file, which a failing test need not print."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<booster of {len(self)} bytes>"


@pytest.fixture(scope="module", params=["cell.ubj", "cell.latency.ubj"])
def raw(parts: Any, request: pytest.FixtureRequest) -> bytes:
    """A booster of three outputs, and one of one output."""
    return Raw(parts.boosters[request.param].save_raw("ubj"))


def outputs_of(raw: bytes) -> int:
    return int(read_ubjson(raw)["learner"]["learner_model_param"]["num_target"])


def walked(trees: Trees, rows: Any) -> Any:
    """Sums of leaves, found by walking every tree."""
    row_of_leaf = np.full(len(trees.left), -1)
    row_of_leaf[trees.leaf] = np.arange(len(trees.leaf))
    total = np.zeros((len(rows), trees.value.shape[1]), np.float32)
    for index, row in enumerate(rows):
        for root in trees.root:
            node = root
            while trees.left[node] >= 0:
                value = row[trees.feature[node]]
                missing = np.isnan(value)
                left = trees.default_left[node] if missing else value < trees.threshold[node]
                node = trees.left[node] if left else trees.right[node]
            total[index] += trees.value[row_of_leaf[node]]
    return total


def test_trees_read_predict_what_xgboost_predicts(raw: bytes, parts: Any) -> None:
    rows = parts.rows["cell"][:100]
    booster = xgboost.Booster(model_file=bytearray(raw))
    expected = booster.inplace_predict(rows, predict_type="margin").reshape(100, -1)
    np.testing.assert_array_equal(
        walked(read_trees(raw, FEATURES, outputs_of(raw)), rows), expected
    )


def test_pruned_trees_are_read(parts: Any) -> None:
    rows = parts.rows["cell"]
    # Only this method grows trees first and prunes them then.
    params = {"tree_method": "exact", "gamma": 3e3, "base_score": 0, "nthread": 1}
    booster = xgboost.train(params, xgboost.DMatrix(rows, rows[:, 1]), 5)
    raw = bytes(booster.save_raw("ubj"))
    document = read_ubjson(raw)["learner"]["gradient_booster"]["model"]["trees"]
    assert int(document[0]["tree_param"]["num_deleted"]) > 0
    trees = read_trees(raw, FEATURES, 1)
    expected = booster.inplace_predict(rows)
    np.testing.assert_array_equal(walked(trees, rows)[:, 0], expected)
    forest = Forest([(trees, np.array([0]))], 5, 1)
    np.testing.assert_array_equal(forest.sums(rows)[:, 0], expected)


def test_trees_of_one_output_each_are_refused(
    parts: Any, trained: Callable[..., xgboost.Booster]
) -> None:
    rows = parts.rows["cell"]
    booster = trained(rows, rows[:, :2], multi_strategy="one_output_per_tree", rounds=2)
    with pytest.raises(ValueError, match="has leaves of 1 values; it has 2 outputs"):
        read_trees(bytes(booster.save_raw("ubj")), FEATURES, 2)


@pytest.mark.parametrize("period", [1, 3, 40])
@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 100, 2000])
def test_forest_predicts_what_xgboost_predicts(parts: Any, count: int, period: int) -> None:
    """To the last bit, for boosters of one and of three outputs side by side, in any order."""
    rows = np.resize(parts.rows["cell"], (count, len(FEATURES)))
    boosters, expected = [], np.empty((count, 4), np.float32)
    for name, columns in (("cell.ubj", [3, 0, 2]), ("cell.latency.ubj", [1])):
        raw = bytes(parts.boosters[name].save_raw("ubj"))
        boosters.append((read_trees(raw, FEATURES, len(columns)), np.array(columns)))
        if count:
            margin = parts.boosters[name].inplace_predict(rows, predict_type="margin")
            expected[:, columns] = margin.reshape(count, -1)
    forest = Forest(boosters, len(FEATURES), 4)
    for layout in (rows, np.asfortranarray(rows), np.repeat(rows, 2, axis=1)[:, ::2]):
        layout.flags.writeable = False
        np.testing.assert_array_equal(forest.sums(layout, period), expected)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    outputs=st.integers(1, 19),
    depth=st.integers(1, 9),
    alike=st.floats(0, 1),
)
def test_forests_of_any_shape_predict_what_xgboost_predicts(
    trained: Callable[..., xgboost.Booster], seed: int, outputs: int, depth: int, alike: float
) -> None:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(70, len(FEATURES))).round(1).astype(np.float32)
    rows[random.random(rows.shape) < 0.2] = np.nan
    targets = random.normal(size=(70, outputs)) + np.nan_to_num(rows[:, :1])
    booster = trained(rows, targets, max_depth=depth, rounds=4)
    trees = read_trees(bytes(booster.save_raw("ubj")), FEATURES, outputs)
    # Where features are the same in all rows, all turn the same way.
    same = random.random(len(FEATURES)) < alike
    rows[:, same] = rows[0, same]
    expected = booster.inplace_predict(rows, predict_type="margin").reshape(70, -1)
    found = Forest([(trees, np.arange(outputs))], len(FEATURES), outputs).sums(rows)
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_spoilt_bytes_are_refused_or_safe(raw: bytes, parts: Any, data: st.DataObject) -> None:
    spoilt = bytearray(raw)
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=3)):
        spoilt[at] = data.draw(st.integers(0, 255))
    spec = BoosterFile(file="x.ubj", kpis=("a", "b", "c")[: outputs_of(raw)])
    try:
        boosters = Boosters([spec], {"x.ubj": bytes(spoilt)}, FEATURES, spec.kpis)
    except ModelError:
        return
    rows = parts.rows["cell"][:5]
    assert boosters.predict(rows).shape == (5, len(spec.kpis))
    assert boosters.explain(rows[0])[1].shape == (len(FEATURES), len(spec.kpis))


def put(path: str, value: Any) -> Callable[[Any], None]:
    """Sets what lies at a dotted path below the learner; T stands for the first tree."""

    def change(learner: Any) -> None:
        path_ = path.replace("T", "gradient_booster.model.trees.0").split(".")
        at = learner
        for step in path_[:-1]:
            at = at[int(step)] if isinstance(at, list | np.ndarray) else at[step]
        last: Any = int(path_[-1]) if isinstance(at, list | np.ndarray) else path_[-1]
        at[last] = value(at[last]) if callable(value) else value

    return change


SPOILT = {
    "child out of range": (put("T.left_children.1", 999), "children out of range"),
    "root as a child": (put("T.left_children.1", 0), "children out of range"),
    "two ways to a node": (put("T.left_children.1", 2), "two ways lead to one node"),
    "both children one": (put("T.left_children.0", 2), "two ways lead to one node"),
    "right child missing": (put("T.right_children.0", -1), "children out of range"),
    "parents": (put("T.parents.1", 2), "parents that have other children"),
    "feature": (put("T.split_indices.0", 5), "splits by no feature"),
    "negative feature": (put("T.split_indices.0", -1), "splits by no feature"),
    "categorical": (put("T.split_type.0", 1), "categorical splits"),
    "categories": (put("T.categories", np.ones(1, np.int32)), "categorical splits"),
    "enc": (put("gradient_booster.model.cats.enc", [1]), "categorical features"),
    "short array": (put("T.default_left", lambda a: a[:-1]), "default_left are not one per node"),
    "number of nodes": (put("T.tree_param.num_nodes", "9999"), "wrong number of nodes"),
    "other leaves": (put("T.tree_param.size_leaf_vector", "2"), "leaves"),
    "threshold": (put("T.split_conditions.0", np.nan), "thresholds that are not numbers"),
    "cover": (put("T.sum_hessian.0", -1.0), "covers below 0"),
    "number of trees": (
        put("gradient_booster.model.gbtree_model_param.num_trees", "13"),
        "wrong number of trees",
    ),
    "no trees": (put("gradient_booster.model.trees", []), "no trees"),
    "booster": (put("gradient_booster.name", "dart"), "is of kind 'dart'; it must be 'gbtree'"),
    "classes": (put("learner_model_param.num_class", "3"), "classifies"),
    "features": (put("learner_model_param.num_feature", "4"), "has 4 features; its kind has 5"),
    "base score": (put("learner_model_param.base_score", "[1E0]"), "base_score"),
    "numbers for trees": (put("T", 7), "XGBoost 3.2"),
    "text for numbers": (put("T.split_indices", "x"), "XGBoost 3.2"),
    "numbers for text": (put("learner_model_param", 1), "XGBoost 3.2"),
    "no cover": (lambda learner: tree(learner).pop("sum_hessian"), "XGBoost 3.2"),
}


def tree(learner: Any) -> Any:
    return learner["gradient_booster"]["model"]["trees"][0]


@pytest.mark.parametrize("name", SPOILT)
def test_trees_that_lead_astray_are_refused(raw: bytes, name: str) -> None:
    change, sentence = SPOILT[name]
    document = read_ubjson(raw)
    change(document["learner"])
    with pytest.raises(ValueError, match=sentence):
        read_trees(write_ubjson(document), FEATURES, outputs_of(raw))


def test_leaves_that_are_no_numbers_or_not_there_are_refused(raw: bytes) -> None:
    document = read_ubjson(raw)
    first = tree(document["learner"])
    leaf = np.flatnonzero(first["left_children"] < 0)[0]
    if "leaf_weights" in first:
        row = first["right_children"][leaf]
        first["right_children"][leaf] = 9999
        with pytest.raises(ValueError, match="has leaves without values"):
            read_trees(write_ubjson(document), FEATURES, outputs_of(raw))
        first["right_children"][leaf] = row
        first["leaf_weights"][0] = np.nan
    else:
        first["split_conditions"][leaf] = np.inf
    with pytest.raises(ValueError, match="has leaves that are not finite numbers"):
        read_trees(write_ubjson(document), FEATURES, outputs_of(raw))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "ends too early"),
        (b"{", "ends too early"),
        (b"{}x", "more after its end"),
        (b"{" + b"i\x01a{" * 20, "nested more than 16 deep"),
        (b"[#L\x7f" + b"\xff" * 7, "ends too early"),
        (b"[$d#L\x7f" + b"\xff" * 7, "ends too early"),
        (b"[#i\xff", "length -1 is negative"),
        (b"[#d\x00\x00\x00\x00", "'d' is no type of a length"),
        (b"[$S#i\x01", "an array of type 'S' is none of numbers"),
        (b"[i\x01]", "an array has no length"),
        (b"{i\x01aTi\x01aF}", "'a' is there twice"),
        (b"x", "'x' is no type of a value"),
    ],
)
def test_what_is_no_ubjson_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_ubjson(data)
