# SPDX-License-Identifier: Apache-2.0
"""Worlds whose chance is known, and models that know them exactly or in a known way not."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import xgboost

from calibration.samples import Samples
from calibration.targets import TARGETS
from experiment_model import (
    BoosterFile,
    Card,
    Data,
    Domain,
    ExperimentModel,
    Feature,
    Intervals,
    Joint,
    Kind,
    Levels,
    ModelSpec,
    Transforms,
    write_model,
)

Array = np.ndarray[Any, np.dtype[Any]]

KIND = "network"
KPIS = TARGETS[KIND]
NAMES = [target.name for target in KPIS]
FEATURES = (*dict.fromkeys(target.base for target in KPIS if target.base), "other")
SIGMA = 0.1
PROBABILITIES = (0.001, 0.005, 0.02, *np.linspace(0.05, 0.95, 19).round(3), 0.98, 0.995, 0.999)
N_CONFIGS, N_INTERVALS, N_ELEMENTS = 12, 20, 5


def column(name: str) -> int:
    return NAMES.index(name)


@dataclass(frozen=True)
class World:
    """Truth is the first guess and a normal deviation on the scale z, within the KPI's bounds."""

    sigma: float = SIGMA
    seed: int = 0
    loss: tuple[float, ...] = (0.0, 0.0, 30.0, 100.0)
    """First guesses of `packet_loss_pct`: where they are at a bound, half of the values are."""

    def samples(self) -> Samples:
        rng = np.random.default_rng(self.seed)
        runs, parts = [], []
        for scenario in ("hall", "street"):
            for config in range(N_CONFIGS):
                shape = (N_INTERVALS * N_ELEMENTS, len(FEATURES))
                guesses = rng.uniform(0.3, 0.7, shape)
                for index, name in enumerate(FEATURES):
                    if name in ("fluid_loss_pct",):
                        guesses[:, index] = rng.choice(self.loss, shape[0])
                    elif "pct" in name:
                        guesses[:, index] *= 100
                    elif name not in ("now_jain_index", "other"):
                        guesses[:, index] *= 200
                # Seeds of training for two thirds of the configurations, else of the test.
                for seed in (1, 2) if config % 3 else (51, 52):
                    runs.append((scenario, f"{scenario}{config}", seed))
                    parts.append(guesses.astype(np.float32))
        rows = N_INTERVALS * N_ELEMENTS
        x = np.concatenate(parts)
        transforms = Transforms([target.kpi() for target in KPIS], FEATURES)
        chance = rng.standard_normal((len(KPIS), len(x))).T
        y = transforms.from_z(transforms.base_z(x) + self.sigma * chance)
        return Samples(
            KIND,
            FEATURES,
            x,
            y.astype(np.float32),
            np.repeat(np.arange(len(runs), dtype=np.int32), rows),
            np.tile(
                np.repeat(np.arange(1, N_INTERVALS + 1, dtype=np.int32), N_ELEMENTS), len(runs)
            ),
            np.tile(np.arange(N_ELEMENTS, dtype=np.int32), N_INTERVALS * len(runs)),
            tuple(runs),
        )


@dataclass(frozen=True)
class ModelPlan:
    """A model of the network kind; by default one whose trees correct nothing."""

    sigma: float = SIGMA
    offsets: dict[str, float] = field(default_factory=dict)
    """Bias on the scale z, by KPI."""
    card: Card = field(default_factory=lambda: Card(name="made up", data=Data(seeds=(1, 2))))
    booster: xgboost.Booster | None = None

    def with_card(self, **changes: Any) -> "ModelPlan":
        return replace(self, card=self.card.model_copy(update=changes))

    def build(self, folder: Path) -> ExperimentModel:
        write_model(folder, ModelSpec(kinds={KIND: self._kind()}, card=self.card), self._boosters())
        return ExperimentModel.load(folder)

    def _boosters(self) -> dict[str, xgboost.Booster]:
        spread = constant(np.full(len(KPIS), np.log(self.sigma)))
        return {"mean.ubj": self.booster or constant(np.zeros(len(KPIS))), "spread.ubj": spread}

    def _kind(self) -> Kind:
        normal = tuple(NormalDist().inv_cdf(float(p)) for p in PROBABILITIES)
        n, k = len(FEATURES), len(KPIS)
        return Kind(
            features=tuple(Feature(name=name) for name in FEATURES),
            kpis=tuple(t.kpi(self.offsets.get(t.name, 0.0)) for t in KPIS),
            boosters=(BoosterFile(file="mean.ubj", kpis=tuple(NAMES)),),
            spread=(BoosterFile(file="spread.ubj", kpis=tuple(NAMES)),),
            intervals=Intervals(
                probabilities=PROBABILITIES,
                tables={"": dict.fromkeys(NAMES, Levels(quantiles=(normal,)))},
            ),
            joint=Joint(correlation=np.eye(k).tolist(), persistence=[0.0] * k),
            domain=Domain(
                centre=(0.0,) * n,
                scale=(1e3,) * n,
                low=(-1e3,) * n,
                high=(1e3,) * n,
                was_missing=(True,) * n,
                whitening=np.eye(n).tolist(),
                distances=(0.0, 1e3),
                shares=(0.0, 1.0),
                threshold=0.0,
                margin=0.0,
            ),
        )


def constant(values: Sequence[float] | Array) -> xgboost.Booster:
    """A booster that always says the same."""
    x = np.random.default_rng(0).random((8, len(FEATURES)), np.float32)
    target = np.tile(np.asarray(values, np.float32), (8, 1))

    def objective(prediction: Array, data: xgboost.DMatrix) -> tuple[Array, Array]:
        gradient = np.reshape(prediction, target.shape) - target
        return gradient, np.ones_like(gradient)

    parameters = {
        "tree_method": "hist",
        "multi_strategy": "multi_output_tree",
        "num_target": len(values),
        "base_score": 0,
        "learning_rate": 1,
        "reg_lambda": 0,
        "max_depth": 1,
        "nthread": 1,
        "disable_default_eval_metric": 1,
    }
    data = xgboost.QuantileDMatrix(x, target, nthread=1)
    return xgboost.train(parameters, data, 1, obj=objective)


@pytest.fixture(scope="session")
def world() -> Samples:
    """Rows with deviations of `SIGMA`."""
    return World().samples()


@pytest.fixture(scope="session")
def right_model(tmp_path_factory: pytest.TempPathFactory) -> ExperimentModel:
    """The model that knows the world exactly."""
    return ModelPlan().build(tmp_path_factory.mktemp("right") / "model")


@pytest.fixture
def built(tmp_path: Path) -> Callable[[ModelPlan], ExperimentModel]:
    """Builds a model."""
    return lambda plan: plan.build(tmp_path / "model")


@pytest.fixture(scope="session")
def worlds() -> Any:
    """This module: `World`, `ModelPlan` and their constants."""
    return sys.modules[__name__]
