# SPDX-License-Identifier: Apache-2.0
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from experiment_model import ExperimentModel, Kpi, ModelError, Transforms

FEATURES = ["fluid_mbps", "load_pct", "power_dbm", "tilt_deg", "now_sinr_db"]

any_number = st.floats(width=32, allow_nan=True, allow_infinity=False)
any_rows = st.integers(1, 8).flatmap(lambda n: arrays(np.float32, (n, 5), elements=any_number))


@settings(max_examples=50, deadline=None)
@given(rows=any_rows)
def test_bounds_hold_for_any_rows(model: ExperimentModel, rows: Any) -> None:
    prediction = model.predict("cell", rows)
    everything = np.concatenate([prediction.mean[..., None], prediction.quantiles], axis=2)
    everything = np.concatenate(
        [everything, model.sample("cell", rows, np.random.default_rng(0)).values[..., None]], axis=2
    )
    assert np.isfinite(everything).all()
    for column, kpi in enumerate(model.kpis("cell")):
        values = everything[:, column]
        assert kpi.lower is None or (values >= kpi.lower).all()
        assert kpi.upper is None or (values <= kpi.upper).all()


@settings(max_examples=50, deadline=None)
@given(
    rows=any_rows,
    probabilities=st.lists(st.floats(0.005, 0.995), min_size=2, max_size=5).map(sorted),
    group=st.sampled_from(["", "wide", "unheard of"]),
)
def test_quantiles_rise_with_probability(
    model: ExperimentModel, rows: Any, probabilities: list[float], group: str
) -> None:
    prediction = model.predict("cell", rows, group)
    quantiles = np.stack([prediction.quantile(p) for p in probabilities])
    assert (np.diff(quantiles, axis=0) >= 0).all()


@settings(max_examples=50, deadline=None)
@given(
    row=arrays(np.float32, 5, elements=st.floats(-100, 200, width=32)),
    loads=st.lists(st.floats(-20, 200, width=32), min_size=2, max_size=20).map(sorted),
)
def test_latency_never_falls_as_load_rises(
    model: ExperimentModel, row: Any, loads: list[float]
) -> None:
    rows = np.tile(row, (len(loads), 1))
    rows[:, 1] = loads
    latency = model.predict("cell", rows).mean[:, 2]
    assert (np.diff(latency) >= 0).all()


def test_mean_is_base_plus_trees_plus_offset_in_units(model: ExperimentModel, parts: Any) -> None:
    rows = parts.rows["cell"]
    trees = parts.boosters["cell.ubj"].predict(xgboost.DMatrix(rows), output_margin=True)
    latency = parts.boosters["cell.latency.ubj"].predict(xgboost.DMatrix(rows), output_margin=True)
    throughput_z = np.log1p(rows[:, 0].clip(0, 400) / 2) + trees[:, 0] + 0.01
    expected = [
        np.clip(np.expm1(throughput_z) * 2, 0, 400),
        np.clip((rows[:, 1].clip(0, 100) / 10 + trees[:, 1]) * 10, 0, 100),
        np.maximum(np.expm1(latency), 0),
        trees[:, 2] * 5,
    ]
    mean = model.predict("cell", rows).mean
    np.testing.assert_allclose(mean, np.stack(expected, axis=1), rtol=1e-5, atol=1e-5)


def test_middle_80_percent_hold_80_percent_of_new_data(
    model: ExperimentModel, new_cells: Any
) -> None:
    rows, values = new_cells
    prediction = model.predict("cell", rows)
    low, high = prediction.quantiles[..., 0], prediction.quantiles[..., 2]
    share = ((low <= values) & (values <= high)).mean(axis=0)
    assert (abs(share - 0.8) < 0.1).all()


def test_group_has_its_own_table_where_it_has_one(model: ExperimentModel, parts: Any) -> None:
    rows = parts.rows["cell"]
    plain, wide, unknown = (
        model.predict("cell", rows, group).quantile(0.9) for group in ("", "wide", "unheard of")
    )
    np.testing.assert_array_equal(unknown, plain)
    np.testing.assert_array_equal(wide[:, 1:], plain[:, 1:])
    assert (wide[:, 0] >= plain[:, 0]).all()
    assert wide[:, 0].mean() > 1.1 * plain[:, 0].mean()


def test_missing_base_counts_as_zero(model: ExperimentModel, parts: Any) -> None:
    rows = parts.rows["cell"][:1].copy()
    rows[0, 0] = np.nan
    transforms = Transforms(model.kpis("cell"), FEATURES)
    assert transforms.base_z(rows)[0, 0] == 0
    assert np.isfinite(model.predict("cell", rows).mean).all()


@settings(deadline=None)
@given(
    values=arrays(np.float64, (5, 2), elements=st.floats(-50, 300)),
    scale=st.floats(1e-3, 1e3),
)
def test_transforms_invert_each_other_within_the_bounds(values: Any, scale: float) -> None:
    kpis = [
        Kpi(name="a", transform="log", scale=scale, lower=0, upper=200),
        Kpi(name="b", scale=scale, lower=-10),
    ]
    transforms = Transforms(kpis, [])
    expected = np.clip(values, [0, -10], [200, np.inf])
    np.testing.assert_allclose(
        transforms.from_z(transforms.to_z(values)), expected, rtol=1e-9, atol=1e-9
    )


# Forms of rows


def test_forms_of_rows_are_alike(model: ExperimentModel, parts: Any) -> None:
    rows = parts.rows["cell"]
    expected = model.predict("cell", rows).mean
    frame = pd.DataFrame(rows, columns=FEATURES)
    for form in (
        rows.astype(np.float64),
        np.asfortranarray(rows),
        rows.tolist(),
        {name: rows[:, FEATURES.index(name)] for name in reversed(FEATURES)},
        frame[FEATURES[::-1]],
    ):
        np.testing.assert_array_equal(model.predict("cell", form).mean, expected)


def test_rows_are_predicted_each_on_their_own(model: ExperimentModel, parts: Any) -> None:
    rows = parts.rows["cell"]
    one_by_one = [model.predict("cell", rows[i : i + 1]).mean[0] for i in range(20)]
    np.testing.assert_array_equal(model.predict("cell", rows).mean[:20], one_by_one)


def test_no_rows_give_no_predictions(model: ExperimentModel) -> None:
    prediction = model.predict("cell", np.empty((0, 5), np.float32))
    assert prediction.mean.shape == (0, 4)
    assert prediction.quantiles.shape == (0, 4, 3)
    assert prediction.in_distribution.shape == (0,)
    assert model.sample("edge", np.empty((0, 2)), np.random.default_rng(0)).values.shape == (0, 1)


def columns(**changes: Any) -> dict[str, Any]:
    return {name: np.ones(3) for name in FEATURES} | changes


def without(name: str) -> dict[str, Any]:
    return {k: v for k, v in columns().items() if k != name}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (without("power_dbm"), "rows of cell lack the feature 'power_dbm'"),
        (columns(a=1), "rows of cell have 'a', which is no feature of the model"),
        (
            columns(load_pct=np.ones(2)),
            "rows of cell: load_pct has shape (2,); all columns must have the same length, and "
            "fluid_mbps has shape (3,)",
        ),
        (columns(tilt_deg=["a", "b", "c"]), "rows of cell: tilt_deg must be numbers"),
        (
            columns(tilt_deg=[0, np.inf, 1]),
            "rows of cell: tilt_deg is inf in row 1; it must be a finite number that float32 can "
            "hold, or NaN where it is missing",
        ),
        (
            np.array([[0, 1, 2, -1e39, 4]]),
            "rows of cell: tilt_deg is -inf in row 0; it must be a finite number that float32 can "
            "hold, or NaN where it is missing",
        ),
        (
            np.ones((3, 4)),
            "rows of cell have shape (3, 4); it must be (rows, 5), one column per feature",
        ),
        (np.ones(5), "rows of cell have shape (5,); it must be (rows, 5), one column per feature"),
        ([["a"]], "rows of cell must be numbers"),
        ([[1, 2], [3]], "rows of cell must be numbers"),
    ],
)
def test_rows_that_do_not_match_are_refused(
    model: ExperimentModel, rows: Any, sentence: str
) -> None:
    with pytest.raises(ModelError, match=f"^{re.escape(sentence)}$"):
        model.predict("cell", rows)


def test_unknown_kind_is_refused(model: ExperimentModel) -> None:
    sentence = "kind='cells' is not in this model; it has cell, edge"
    for call in (model.features, model.kpis, lambda kind: model.predict(kind, [[1.0]])):
        with pytest.raises(ModelError, match=f"^{sentence}$"):
            call("cells")


@pytest.mark.parametrize("probability", [0, 0.004, 0.996, 1, float("nan")])
def test_quantile_beyond_the_tables_is_refused(
    model: ExperimentModel, parts: Any, probability: float
) -> None:
    prediction = model.predict("cell", parts.rows["cell"])
    with pytest.raises(ModelError, match=r"is not allowed; this model knows quantiles from 0\.005"):
        prediction.quantile(probability)
