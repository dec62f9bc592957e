# SPDX-License-Identifier: Apache-2.0
"""Vector-leaf boosting of many KPIs at once, with missing values among them.

One tree per round carries a vector of all KPIs in its leaves, so that a prediction costs as much as
that of one KPI. Its splits are found on a few random projections of the gradients (sketched
boosting: Iosipoi and Vakhrushev, NeurIPS 2022, "SketchBoost"); its leaves are the exact ones. A KPI
that a row does not have, such as the latency of no packets, has no gradient there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from xgboost.objective import TreeObjective

Matrix = NDArray[np.float32]
Device = Literal["cpu", "cuda"]

HUBER = 3.0
"""Residuals beyond this many scales pull with constant force (Huber 1964)."""


@dataclass(frozen=True)
class BoostingSettings:
    """Hyper-parameters of one kind of element."""

    max_depth: int = 6
    learning_rate: float = 0.15
    n_rounds: int = 80
    min_child_weight: float = 20.0
    subsample: float = 0.7
    colsample: float = 0.7
    reg_lambda: float = 2.0
    max_bin: int = 128
    n_sketches: int = 3
    stop_after: int = 10
    """Rounds without improvement on the rows kept for early stopping."""

    def parameters(self, n_outputs: int, seed: int, threads: int) -> dict[str, Any]:
        """As XGBoost names them."""
        return {
            "tree_method": "hist",
            "multi_strategy": "multi_output_tree",
            "num_target": n_outputs,
            "base_score": 0.0,
            "max_depth": self.max_depth,
            "learning_rate": self.learning_rate,
            "min_child_weight": self.min_child_weight,
            "subsample": self.subsample,
            "colsample_bytree": self.colsample,
            "reg_lambda": self.reg_lambda,
            "max_bin": self.max_bin,
            "nthread": threads,
            "seed": seed,
            "disable_default_eval_metric": True,
        }


Gradient = Callable[[Matrix, Matrix], tuple[Matrix, Matrix]]
"""Of predictions and targets: first and second derivative of the loss, by row and KPI."""


def squared(predicted: Matrix, target: Matrix) -> tuple[Matrix, Matrix]:
    """Huber's loss: squared for small residuals, linear for those that are no use to learn from."""
    residual = predicted - target
    return np.clip(residual, -HUBER, HUBER), np.ones_like(residual)


def log_scale(predicted: Matrix, target: Matrix) -> tuple[Matrix, Matrix]:
    """Likelihood of a Laplace distribution with scale exp(predicted), given |residual| targets."""
    share = np.minimum(target * np.exp(-predicted), 20.0)
    return 1 - share, np.maximum(share, 0.3)


class _Objective(TreeObjective):
    def __init__(self, target: Matrix, gradient: Gradient, n_sketches: int, seed: int) -> None:
        self._there = np.isfinite(target)
        self._target = np.where(self._there, target, 0).astype(np.float32)
        self._gradient = gradient
        self._n_sketches = n_sketches
        self._random = np.random.default_rng(seed)

    def __call__(self, iteration: int, y_pred: Any, dtrain: xgb.DMatrix) -> tuple[Matrix, Matrix]:
        predicted = np.asarray(y_pred, np.float32).reshape(self._target.shape)
        first, second = self._gradient(predicted, self._target)
        return (
            np.where(self._there, first, 0).astype(np.float32),
            np.where(self._there, second, 1e-6).astype(np.float32),
        )

    def split_grad(self, iteration: int, grad: Any, hess: Any) -> tuple[Matrix, Matrix] | None:
        n_outputs = grad.shape[1]
        if n_outputs <= self._n_sketches:
            return None
        projection = self._random.standard_normal((n_outputs, self._n_sketches))
        projection = (projection / np.sqrt(self._n_sketches)).astype(np.float32)
        weight = np.repeat(hess.mean(axis=1, keepdims=True), self._n_sketches, axis=1)
        return np.ascontiguousarray(grad @ projection), np.ascontiguousarray(weight)


def boost(
    x: Matrix,
    target: Matrix,
    stop_x: Matrix,
    stop_target: Matrix,
    settings: BoostingSettings,
    *,
    gradient: Gradient = squared,
    loss: Callable[[Matrix, Matrix], float] | None = None,
    seed: int = 0,
    threads: int = 0,
    device: Device = "cpu",
    monotone: dict[int, int] | None = None,
    on_round: Callable[[int, float], None] | None = None,
) -> xgb.Booster:
    """Fit, and stop when rows kept apart say that no more is learned.

    Args:
        x: features, shape (rows, features).
        target: shape (rows, KPIs), NaN where there is none.
        stop_x: features of the rows for early stopping.
        stop_target: their targets.
        settings: hyper-parameters.
        gradient: of the loss.
        loss: what early stopping watches; by default the mean absolute error.
        seed: of sampling.
        threads: for XGBoost; 0 takes all.
        device: where trees are grown; without a GPU, XGBoost warns and grows them on the CPU.
        monotone: sign of the slope by feature index; only with a single KPI.
        on_round: told of each round and its loss.
    """
    n_outputs = target.shape[1]
    parameters = settings.parameters(n_outputs, seed, threads) | {"device": device}
    if monotone:
        slopes = ",".join(str(monotone.get(i, 0)) for i in range(x.shape[1]))
        parameters |= {"monotone_constraints": f"({slopes})"}
    if n_outputs == 1:
        parameters.pop("multi_strategy")
    measured = loss or mean_absolute
    train = xgb.QuantileDMatrix(x, max_bin=settings.max_bin)
    objective = _Objective(target, gradient, settings.n_sketches, seed)
    booster = xgb.Booster(parameters, cache=[train])
    best, best_round, n_rounds = np.inf, 0, 0
    watched = np.zeros(stop_target.shape, np.float32)
    for number in range(settings.n_rounds):
        booster.update(train, number, fobj=objective)  # type: ignore[arg-type]
        n_rounds = number + 1
        if len(stop_x):
            step = booster.inplace_predict(stop_x, iteration_range=(number, number + 1))
            watched += step.reshape(watched.shape)
            now = measured(watched, stop_target)
            if on_round:
                on_round(n_rounds, now)
            if now < best - 1e-6:
                best, best_round = now, n_rounds
            elif n_rounds - best_round >= settings.stop_after:
                break
    booster = booster[: best_round or n_rounds]
    booster.set_param({"device": "cpu"})
    return booster


def mean_absolute(predicted: Matrix, target: Matrix) -> float:
    """Mean absolute error over all KPIs that are there."""
    return float(np.nanmean(np.abs(predicted - target)))


def laplace(predicted: Matrix, target: Matrix) -> float:
    """Negative log-likelihood of |residuals| under a Laplace scale of exp(predicted)."""
    return float(np.nanmean(predicted + target * np.exp(-predicted)))
