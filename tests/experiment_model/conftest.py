# SPDX-License-Identifier: Apache-2.0
"""A small model of two kinds of element, fitted on made-up data in a second."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from experiment_model import (
    BoosterFile,
    Card,
    Domain,
    ExperimentModel,
    Feature,
    Intervals,
    Joint,
    Kind,
    Kpi,
    Levels,
    ModelSpec,
    Transforms,
    write_model,
)

Array = np.ndarray[Any, np.dtype[Any]]

PROBABILITIES = (0.005, 0.02, *np.linspace(0.05, 0.95, 19).round(2).tolist(), 0.98, 0.995)
SHARES = tuple(np.linspace(0, 1, 101).tolist())
CELL_FEATURES = ("fluid_mbps", "load_pct", "power_dbm", "tilt_deg", "now_sinr_db")
CELL_KPIS = (
    Kpi(
        name="throughput_mbps",
        unit="Mbit/s",
        transform="log",
        scale=2.0,
        base="fluid_mbps",
        lower=0,
        upper=400,
        offset=0.01,
    ),
    Kpi(name="prb_pct", unit="%", scale=10.0, base="load_pct", lower=0, upper=100),
    Kpi(name="latency_ms", unit="ms", transform="log", scale=1.0, lower=0),
    Kpi(name="sinr_db", unit="dB", scale=5.0),
)


@dataclass(frozen=True, repr=False)
class Parts:
    """What `write_model` wants, and rows to predict from."""

    spec: ModelSpec
    boosters: dict[str, xgboost.Booster]
    rows: dict[str, Array]

    def write(self, folder: Path) -> Path:
        write_model(folder, self.spec, self.boosters)
        return folder


def cell_rows(n: int, seed: int) -> tuple[Array, Array]:
    """Features and KPIs of cells; a tenth of the SINRs of now is missing.

    Latency dips twice as the load rises, which the constraint on it must overrule.
    """
    rng = np.random.default_rng(seed)
    load, power = rng.uniform(0, 120, n), rng.uniform(20, 49, n)
    tilt, sinr = rng.uniform(-5, 15, n), rng.normal(12, 6, n)
    fluid = load * rng.uniform(1.5, 3, n)
    rows = np.stack([fluid, load, power, tilt, sinr], axis=1)
    rows[rng.random(n) < 0.1, 4] = np.nan
    noise = rng.normal(size=(n, 4))
    kpis = np.stack(
        [
            fluid * (0.9 + 0.1 * np.tanh(sinr / 10)) * np.exp(0.1 * noise[:, 0]),
            (load + 5 * noise[:, 1]).clip(0, 100),
            8 + load**2 / 200 + 6 * np.sin(load / 10) + (1 + load / 50) * noise[:, 2],
            sinr + 0.3 * (power - 35) + noise[:, 3] + noise[:, 1],
        ],
        axis=1,
    )
    return rows.astype(np.float32), kpis


def train(rows: Array, targets: Array, rounds: int = 12, **params: Any) -> xgboost.Booster:
    """Least squares, with vector leaves where there are several targets."""

    def objective(prediction: Array, data: xgboost.DMatrix) -> tuple[Array, Array]:
        gradient = prediction - data.get_label().reshape(prediction.shape)
        return gradient, np.ones_like(prediction)

    defaults = {
        "tree_method": "hist",
        "multi_strategy": "multi_output_tree",
        "max_depth": 4,
        "max_bin": 64,
        "base_score": 0,
        "nthread": 1,
        "disable_default_eval_metric": 1,
    }
    data = xgboost.QuantileDMatrix(rows, targets, max_bin=64, nthread=1)
    return xgboost.train({**defaults, **params}, data, rounds, obj=objective)


def margins(booster: xgboost.Booster, rows: Array) -> Array:
    return booster.inplace_predict(rows, predict_type="margin").reshape(len(rows), -1)


def domain_of(rows: Array) -> Domain:
    """Medians, quartile ranges, principal components and distances of the rows themselves."""
    centre = np.nanmedian(rows, axis=0)
    scale = np.nanpercentile(rows, 75, axis=0) - np.nanpercentile(rows, 25, axis=0)
    u = np.nan_to_num(np.clip((rows - centre) / scale, -5, 5))
    variance, vectors = np.linalg.eigh(np.cov(u.T) + 1e-6 * np.eye(u.shape[1]))
    whitening = (vectors / np.sqrt(variance)).T
    distance = ((u @ whitening.T) ** 2).sum(axis=1)
    return Domain(
        centre=centre.tolist(),
        scale=scale.tolist(),
        low=np.nanmin(rows, axis=0).tolist(),
        high=np.nanmax(rows, axis=0).tolist(),
        was_missing=np.isnan(rows).any(axis=0).tolist(),
        whitening=whitening.tolist(),
        distances=np.quantile(distance, SHARES).tolist(),
        shares=SHARES,
        threshold=0.01,
        margin=0.1,
    )


def fit_kind(
    name: str, features: Sequence[str], kpis: Sequence[Kpi], rows: Array, values: Array
) -> tuple[Kind, dict[str, xgboost.Booster]]:
    """A kind whose `latency_ms` has a booster of its own that rises in the load."""
    transforms = Transforms(kpis, features)
    residual = transforms.to_z(values) - transforms.base_z(rows)
    names = [kpi.name for kpi in kpis]
    shared = [n for n in names if n != "latency_ms"]
    specs = [BoosterFile(file=f"{name}.ubj", kpis=tuple(shared))]
    boosters = {f"{name}.ubj": train(rows, residual[:, [names.index(n) for n in shared]])}
    if "latency_ms" in names:
        constrained = f"{name}.latency.ubj"
        specs.append(BoosterFile(file=constrained, kpis=("latency_ms",), monotone={"load_pct": 1}))
        constraints = "(" + ",".join(str(int(f == "load_pct")) for f in features) + ")"
        boosters[constrained] = train(
            rows, residual[:, [names.index("latency_ms")]], monotone_constraints=constraints
        )
    fitted = np.empty_like(residual)
    for spec in specs:
        fitted[:, [names.index(n) for n in spec.kpis]] = margins(boosters[spec.file], rows)
    error = residual - fitted - transforms.offset
    spread = f"{name}.spread.ubj"
    boosters[spread] = train(rows, np.log(np.abs(error) + 0.01), rounds=5)
    standard = error / np.exp(margins(boosters[spread], rows))
    tables = {
        n: Levels(quantiles=[np.quantile(standard[:, i], PROBABILITIES).tolist()])
        for i, n in enumerate(names)
    }
    wide = {names[0]: Levels(quantiles=[[3 * q for q in tables[names[0]].quantiles[0]]])}
    correlation = np.corrcoef(standard.T).reshape(len(names), len(names))
    kind = Kind(
        features=[
            Feature(name=n, median=float(np.nanmedian(rows[:, i]))) for i, n in enumerate(features)
        ],
        kpis=tuple(kpis),
        boosters=tuple(specs),
        spread=(BoosterFile(file=spread, kpis=tuple(names)),),
        intervals=Intervals(probabilities=PROBABILITIES, tables={"": tables, "wide": wide}),
        joint=Joint(
            correlation=correlation.tolist(), persistence=[0.8 / (i + 1) for i in range(len(names))]
        ),
        domain=domain_of(rows),
    )
    return kind, boosters


@pytest.fixture(scope="session")
def parts() -> Parts:
    """A model that is not written yet, of cells and of edge sites."""
    rows, values = cell_rows(2000, seed=1)
    cell, boosters = fit_kind("cell", CELL_FEATURES, CELL_KPIS, rows, values)
    edge_rows = np.ascontiguousarray(rows[:, 1:3])
    edge_kpis = (Kpi(name="load_pct", unit="%", lower=0, upper=100),)
    edge, edge_boosters = fit_kind("edge", CELL_FEATURES[1:3], edge_kpis, edge_rows, values[:, 1:2])
    new, _ = cell_rows(300, seed=2)
    return Parts(
        spec=ModelSpec(kinds={"cell": cell, "edge": edge}, card=Card(name="made up")),
        boosters={**boosters, **edge_boosters},
        rows={"cell": new, "edge": np.ascontiguousarray(new[:, 1:3])},
    )


@pytest.fixture(scope="session")
def new_cells() -> tuple[Array, Array]:
    """Features and KPIs of cells that the model was not fitted on."""
    return cell_rows(2000, seed=3)


@pytest.fixture(scope="session")
def folder(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the model lies; not to be changed."""
    return parts.write(tmp_path_factory.mktemp("models") / "model")


@pytest.fixture(scope="session")
def model(folder: Path) -> ExperimentModel:
    return ExperimentModel.load(folder)


@pytest.fixture
def own_folder(parts: Parts, tmp_path: Path) -> Path:
    """A copy of the model that a test may spoil."""
    return parts.write(tmp_path / "model")


@pytest.fixture(scope="session")
def trained() -> Callable[..., xgboost.Booster]:
    """Trains a booster: rows, targets, rounds and parameters of XGBoost."""
    return train
