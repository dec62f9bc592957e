# SPDX-License-Identifier: Apache-2.0
"""How fast a surrogate predicts, one network at a time and in batches, and by which path.

python benchmarks/surrogate.py [--only NAME ...] [--json]

The model is made up: full trees of random splits, as large as a fitted one and as slow.
"""

from __future__ import annotations

import ctypes
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from report import Line, run_parts
from xgboost.core import _LIB

from experiment_model import (
    BoosterFile,
    Domain,
    ExperimentModel,
    Feature,
    Intervals,
    Joint,
    Kind,
    Kpi,
    ModelSpec,
    write_model,
)
from experiment_model.trees import read_trees
from experiment_model.walking import Forest

CELLS_AND_SLICES = 63
"""Rows of a network of 21 cells with three slices."""
FEATURES, KPIS, TREES, DEPTH = 110, 16, 150, 7
BINS = 8
"""Few, to train fast."""
BATCH = 20_000
REPETITIONS = 200
BATCHES = 7

FEATURE_NAMES = tuple(f"f{i}" for i in range(FEATURES))
KPI_NAMES = tuple(f"k{i}" for i in range(KPIS))
Rows = NDArray[np.float32]


@cache
def booster(seed: int = 0) -> xgboost.Booster:
    """Full trees that tell noise from noise."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((50 * 2**DEPTH, FEATURES), np.float32)
    rows[rng.random(rows.shape) < 0.05] = np.nan
    data = xgboost.QuantileDMatrix(rows, rng.normal(size=(len(rows), KPIS)), max_bin=BINS)
    params = {
        "multi_strategy": "multi_output_tree",
        "max_depth": DEPTH,
        "max_bin": BINS,
        "min_child_weight": 0,
        "base_score": 0,
        "nthread": 1,
    }
    return xgboost.train(params, data, TREES)


@cache
def model() -> ExperimentModel:
    """Half of the KPIs are logarithmic, and half start from a feature."""
    probabilities = tuple(np.linspace(0.005, 0.995, 67).tolist())
    normal = np.sort(np.random.default_rng(0).normal(size=67)).tolist()
    shares = tuple(np.linspace(0, 1, 101).tolist())
    zeros, ones = [0.0] * FEATURES, [1.0] * FEATURES
    kind = Kind(
        features=tuple(Feature(name=name) for name in FEATURE_NAMES),
        kpis=tuple(
            Kpi(
                name=name,
                transform="log" if i % 2 else "linear",
                base=FEATURE_NAMES[i] if i % 4 < 2 else None,
                lower=0,
                upper=100,
            )
            for i, name in enumerate(KPI_NAMES)
        ),
        boosters=(BoosterFile(file="mean.ubj", kpis=KPI_NAMES),),
        spread=(BoosterFile(file="spread.ubj", kpis=KPI_NAMES),),
        intervals=Intervals(
            probabilities=probabilities, tables={"": dict.fromkeys(KPI_NAMES, normal)}
        ),
        joint=Joint(correlation=np.eye(KPIS).tolist(), persistence=[0.5] * KPIS),
        domain=Domain(
            centre=zeros,
            scale=ones,
            low=[-5.0] * FEATURES,
            high=[5.0] * FEATURES,
            was_missing=[True] * FEATURES,
            whitening=np.eye(FEATURES)[:24].tolist(),
            distances=tuple(np.linspace(0, 60, 101).tolist()),
            shares=shares,
            threshold=0.01,
            margin=0.1,
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        boosters = {"mean.ubj": booster(0), "spread.ubj": booster(1)}
        write_model(path, ModelSpec(kinds={"slice": kind}), boosters)
        return ExperimentModel.load(path)


@cache
def rows_of(n: int) -> Rows:
    """Standard normal features, a twentieth of them missing."""
    rng = np.random.default_rng(n)
    rows = rng.standard_normal((n, FEATURES), np.float32)
    rows[rng.random(rows.shape) < 0.05] = np.nan
    return rows


def best_s(call: Callable[[], Any], repetitions: int) -> tuple[float, float]:
    """Least and median time; others' work on the machine can only add to the least."""
    call()
    times = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times), float(np.median(times))


def through_c(trees: xgboost.Booster, rows: Rows) -> Rows:
    """The prediction by XGBoost's C API, without its Python package around it."""
    interface = (
        f'{{"data":[{rows.ctypes.data},true],"shape":[{rows.shape[0]},{rows.shape[1]}],'
        '"typestr":"<f4","version":3}'
    )
    config = (
        b'{"type":1,"training":false,"iteration_begin":0,"iteration_end":0,'
        b'"strict_shape":false,"missing":NaN}'
    )
    shape, result = ctypes.POINTER(ctypes.c_uint64)(), ctypes.POINTER(ctypes.c_float)()
    status = _LIB.XGBoosterPredictFromDense(
        trees.handle,
        interface.encode(),
        config,
        None,
        ctypes.byref(shape),
        ctypes.byref(ctypes.c_uint64()),
        ctypes.byref(result),
    )
    if status != 0:
        raise RuntimeError("XGBoosterPredictFromDense failed")
    return np.ctypeslib.as_array(result, (len(rows), KPIS)).copy()


def measure_single() -> list[Line]:
    """One network, as an environment asks for it."""
    rows, surrogate = rows_of(CELLS_AND_SLICES), model()
    rng = np.random.default_rng(0)

    def everything() -> None:
        prediction = surrogate.predict("slice", rows)
        _ = prediction.quantiles, prediction.in_distribution

    calls: dict[str, tuple[Callable[[], Any], float | None]] = {
        "means": (lambda: surrogate.predict("slice", rows), 1.0),
        "means, quantiles and in_distribution": (everything, None),
        "a sample": (lambda: surrogate.sample("slice", rows, rng), None),
        "an explanation of one row": (lambda: surrogate.explain("slice", rows[0]), None),
    }
    lines = []
    for name, (call, at_most) in calls.items():
        least, median = best_s(call, REPETITIONS)
        what = name if name.startswith("an ") else f"{CELLS_AND_SLICES} rows, {name}"
        lines.append(Line(f"{what}, least", least * 1e3, "ms", at_most=at_most))
        lines.append(Line(f"{what}, median", median * 1e3, "ms"))
    return lines


def measure_batch() -> list[Line]:
    """Many rows at once, on one core."""
    rows, surrogate = rows_of(BATCH), model()
    lines = []
    for name, call, at_least in (
        ("means", lambda: surrogate.predict("slice", rows), 200_000),
        ("means and quantiles", lambda: surrogate.predict("slice", rows).quantiles, 50_000),
        ("scores", lambda: surrogate.predict("slice", rows).in_distribution, None),
    ):
        least, median = best_s(call, BATCHES)
        lines.append(Line(f"{name}, at best", BATCH / least, "rows/s", at_least=at_least))
        lines.append(Line(f"{name}, median", BATCH / median, "rows/s"))
    return lines


def measure_paths() -> list[Line]:
    """Ways to the same sums of leaves."""
    native = booster()
    trees = read_trees(bytes(native.save_raw("ubj")), FEATURE_NAMES, KPIS)
    forest = Forest([(trees, np.arange(KPIS))], FEATURES, KPIS)
    lines = []
    for n, repetitions in ((CELLS_AND_SLICES, REPETITIONS), (BATCH, BATCHES)):
        rows = rows_of(n)
        paths: dict[str, Callable[[], Any]] = {
            "XGBoost's inplace_predict": lambda rows=rows: native.inplace_predict(
                rows, predict_type="margin", validate_features=False
            ),
            "XGBoost's C API": lambda rows=rows: through_c(native, rows),
            "Forest": lambda rows=rows: forest.sums(rows),
        }
        expected = paths["XGBoost's inplace_predict"]()
        for name, call in paths.items():
            least, _ = best_s(call, repetitions)
            lines.append(Line(f"{n} rows by {name}", least * 1e3, "ms"))
            off = float(np.abs(call() - expected).max())
            lines.append(Line(f"{n} rows by {name}: off by", off, "", at_most=0))
    return lines


def measure_loading() -> list[Line]:
    """Reading and checking a model of two such boosters."""
    spec, trees = model().spec, {"mean.ubj": booster(0), "spread.ubj": booster(1)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        write_model(path, spec, trees)
        megabytes = sum(file.stat().st_size for file in path.iterdir()) / 1e6
        least, _ = best_s(lambda: ExperimentModel.load(path), 3)
    return [Line("size", megabytes, "MB"), Line("loading", least, "s")]


PARTS: dict[str, Callable[[], list[Line]]] = {
    "single": measure_single,
    "batch": measure_batch,
    "paths": measure_paths,
    "loading": measure_loading,
}


if __name__ == "__main__":
    sys.exit(run_parts("Surrogate", __doc__, PARTS))
