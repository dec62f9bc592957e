# SPDX-License-Identifier: Apache-2.0
"""Backends by name: `make_backend` for one, `backend_maker` for one after the other."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from env.backends.auto import AutoBackend
from env.backends.base import Backend, BackendName
from env.backends.ns3 import Ns3Backend
from env.backends.replay import ReplayBackend
from env.backends.surrogate import SurrogateBackend
from env.errors import EnvUserError
from experiment_model import ExperimentModel, ModelError
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.simulate import check_seed, checked


def make_backend(
    name: BackendName,
    scenario: ScenarioConfig | str | Path,
    seed: int = 1,
    model: ExperimentModel | str | os.PathLike[str] | None = None,
    recording: Dataset | str | Path | None = None,
) -> Backend:
    """A network that has run its first intervals.

    Args:
        name: of the backend: surrogate, ns3, replay or auto.
        scenario: a scenario, the name of a packaged one, or the path of a YAML file.
        seed: of all random streams; 0 or more.
        model: for all but ns3: a model, or its folder; that of the package by default.
        recording: for replay only: a dataset, or its folder, with a run of the scenario and seed.

    Raises:
        EnvUserError: an argument cannot be used.
        ScenarioError: the scenario or the seed cannot be used.
        DatasetError: the recording cannot be read.
        BackendError: the backend cannot be started.
    """
    scenario = checked(scenario, seed)
    if recording is None:
        return backend_maker(name, scenario, model)(seed)
    if name != "replay":
        raise EnvUserError(f"backend={name!r}: a recording goes with replay, and only with it")
    model = loaded_model(model)
    dataset = recording if isinstance(recording, Dataset) else Dataset.open(recording)
    wanted = scenario.config_hash()
    for run in dataset.manifest.runs:
        if run.seed == seed and dataset.scenario(run.config).config_hash() == wanted:
            return ReplayBackend.of_dataset(dataset, run.config, seed, model)
    raise EnvUserError(f"{dataset.path} has no run of scenario {scenario.name!r} with seed {seed}")


def backend_maker(
    name: BackendName,
    scenario: ScenarioConfig | str | Path,
    model: ExperimentModel | str | os.PathLike[str] | None = None,
) -> Callable[[int], Backend]:
    """Makes networks of any seed.

    Arguments and exceptions are those of `make_backend`. They are checked, and the model is read,
    once and before any network starts.
    """
    if name not in get_args(BackendName):
        allowed = ", ".join(get_args(BackendName))
        raise EnvUserError(f"backend={name!r} is not allowed; it must be one of {allowed}")
    if name == "replay":
        raise EnvUserError(f"backend={name!r}: a recording goes with replay, and only with it")
    scenario, known = checked(scenario, 0), loaded_model(model) if name != "ns3" else None

    def make(seed: int) -> Backend:
        check_seed(seed)
        match name:
            case "ns3":
                return Ns3Backend(scenario, seed)
            case "surrogate":
                return SurrogateBackend(scenario, seed, known)
            case _:
                return AutoBackend(scenario, seed, known)

    return make


def loaded_model(model: ExperimentModel | str | os.PathLike[str] | None) -> ExperimentModel | None:
    """A model that is given as such, or by its folder; None stands for that of the package.

    Raises:
        EnvUserError: the folder has no model that can be used.
    """
    if model is None or isinstance(model, ExperimentModel):
        return model
    try:
        return ExperimentModel.load(model)
    except ModelError as error:
        raise EnvUserError(str(error)) from None
