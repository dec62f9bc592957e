# SPDX-License-Identifier: Apache-2.0
"""Chooses the runs of a round: `Chooser`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from calibration.acquisition import (
    choose,
    describe_run,
    descriptor_matrix,
    expected,
    held_out_errors,
)
from calibration.refitting.designs import Designs
from calibration.refitting.state import Chosen, Traces
from calibration.samples import Samples, split_of
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.errors import UserError
from ns3_scenarios.sweeps import Point

CANDIDATES_PER_RUN = 6
"""Candidates for each run of the budget, of which about 30 % are not fitted on and left out."""
LEAST_CANDIDATES = 30


class Chooser:
    """Chooses runs of which the model knows little and that are unlike all others.

    Args:
        folders: of the datasets that the model was fitted on.
        designs: of these datasets.
        traces: where chosen runs are simulated.
        threads: of the quick models; 0 takes all.
        say: told what is being done.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        designs: Designs,
        traces: Traces,
        threads: int,
        say: Callable[[str], None],
    ) -> None:
        self._folders, self._designs, self._traces = folders, designs, traces
        self._threads, self._say = threads, say
        self._described: dict[tuple[str, str, int], dict[str, float]] = {}

    def choose(
        self, samples: Mapping[str, Samples], before: Sequence[Chosen], size: int
    ) -> tuple[Chosen, ...]:
        """Choose some runs.

        Args:
            samples: rows of all runs that are simulated.
            before: runs that were chosen already.
            size: runs to choose.

        Raises:
            UserError: there are too few candidates.
        """
        if not size:
            return ()
        pool = self._designs.candidates(
            before,
            max(LEAST_CANDIDATES, CANDIDATES_PER_RUN * size),
            lambda name: self._say(f"candidates of {name}"),
        )
        if len(pool) < size:
            raise UserError(
                f"budget: only {len(pool)} candidates are left for {size} runs; a refit needs "
                "datasets of sweeps that vary something"
            )
        self._say("looking for what the model does not know")
        self._describe_simulated(before)
        held_out = held_out_errors(
            samples, threads=self._threads, seed=len(before), on_step=self._say
        )
        known = [run for run in held_out if run in self._described]
        described = [self._described[run] for run in known]
        described += [describe_run(run.config.scenario, run.schedule, run.seed) for _, run in pool]
        matrix = descriptor_matrix(described)
        simulated, free = matrix[: len(known)], matrix[len(known) :]
        errors = np.array([held_out[run].error for run in known])
        weight = expected(simulated, errors, free)
        taken = choose("error_novelty", free, simulated, size, weight=weight)
        return tuple(
            Chosen(
                dataset=pool[i][0],
                point=Point(seed=pool[i][1].seed, values=pool[i][1].config.values),
            )
            for i in taken
        )

    def _describe_simulated(self, before: Sequence[Chosen]) -> None:
        """Descriptors of all runs of training seeds that are simulated."""
        chosen_from = {one.dataset for one in before}
        for folder in (*self._folders, *map(self._traces.dataset, chosen_from)):
            dataset = Dataset.open(folder)
            for row in dataset.runs.select(["config", "seed", "schedule"]).to_pylist():
                config, seed = row["config"], row["seed"]
                if split_of(config, seed) == "test":
                    continue
                scenario = dataset.scenario(config)
                identity = scenario.name, config, seed
                if identity not in self._described:
                    changes = [ControlChange(**change) for change in json.loads(row["schedule"])]
                    self._described[identity] = describe_run(scenario, tuple(changes), seed)
