# SPDX-License-Identifier: Apache-2.0
"""Networks that episodes run on: `Networks`."""

from __future__ import annotations

import os
from pathlib import Path

from numpy.random import Generator

from env.backends.base import Backend, BackendName
from env.backends.making import loaded_model, make_backend
from env.errors import EnvUserError
from experiment_model import ExperimentModel
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.simulate import checked

Model = ExperimentModel | str | os.PathLike[str]


class Networks:
    """Makes the network of each episode.

    A seed that is asked for is the network's own, as in `sixg run --seed`. Later episodes draw
    theirs from 0 to `n_seeds`, so that NS-3 simulates no more starts than that.

    Args:
        scenario: a scenario, the name of a packaged one, or the path of a YAML file.
        backend: surrogate, ns3 or auto.
        model: for all but ns3; that of the package by default.
        n_seeds: networks that episodes draw from.

    Raises:
        EnvUserError: an argument cannot be used.
        ScenarioError: the scenario cannot be used.
    """

    def __init__(
        self,
        scenario: ScenarioConfig | str | Path,
        backend: BackendName = "surrogate",
        model: Model | None = None,
        n_seeds: int = 100,
    ) -> None:
        check_positive(n_seeds=n_seeds)
        self.scenario = checked(scenario, 0)
        self._backend, self._n_seeds = backend, n_seeds
        self.model = loaded_model(model)

    def seed(self, asked: int | None, rng: Generator) -> int:
        """The seed of the next network."""
        return int(rng.integers(self._n_seeds)) if asked is None else asked

    def make(self, seed: int) -> Backend:
        """The network of an episode.

        Raises:
            BackendError: it cannot be started.
        """
        return make_backend(self._backend, self.scenario, seed, model=self.model)


def check_positive(**numbers: int) -> None:
    """Refuse numbers below 1.

    Raises:
        EnvUserError: names the first.
    """
    for name, number in numbers.items():
        if number < 1:
            raise EnvUserError(f"{name}={number} is not allowed; it must be 1 or more")
