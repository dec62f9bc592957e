# SPDX-License-Identifier: Apache-2.0
"""The surrogate at run time: KPIs, their spread and their trustworthiness from rows of features.

    model = ExperimentModel.load("model")
    prediction = model.predict("cell", rows)
    prediction.mean, prediction.quantiles, prediction.in_distribution

It imports numpy, Numba, XGBoost and pydantic only, and knows nothing of scenarios. `calibration`
makes the models.
"""

from experiment_model.card import Card, Data, Gate
from experiment_model.errors import ModelError
from experiment_model.model import DEFAULT_MODEL, ExperimentModel
from experiment_model.prediction import QUANTILES, Explanation, Prediction, Sample
from experiment_model.schema import (
    SCHEMA_VERSION,
    BoosterFile,
    Domain,
    Feature,
    Intervals,
    Joint,
    Kind,
    Kpi,
    Levels,
    ModelSpec,
)
from experiment_model.transforms import Transforms
from experiment_model.writing import booster_bytes, check_replaceable, write_model

__all__ = [
    "DEFAULT_MODEL",
    "QUANTILES",
    "SCHEMA_VERSION",
    "BoosterFile",
    "Card",
    "Data",
    "Domain",
    "ExperimentModel",
    "Explanation",
    "Feature",
    "Gate",
    "Intervals",
    "Joint",
    "Kind",
    "Kpi",
    "Levels",
    "ModelError",
    "ModelSpec",
    "Prediction",
    "Sample",
    "Transforms",
    "booster_bytes",
    "check_replaceable",
    "write_model",
]
