# SPDX-License-Identifier: Apache-2.0
"""Simulates what a refit learns from: chosen runs, and episodes once more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from calibration.refitting.designs import Designs
from calibration.refitting.episodes import by_scenario, held_out_of
from calibration.refitting.state import State, Traces
from calibration.samples import Samples, samples_of_datasets
from ns3_scenarios.episode import Episode, replay
from ns3_scenarios.sweeps import Progress, sweep

OnStep = Callable[[str], None]
OnRuns = Callable[[int, int], None]


class Simulator:
    """Simulates runs, as far as they are not there yet, and reads their rows.

    Args:
        designs: that runs are chosen from.
        traces: where they lie.
        played: episodes.
        budget: chosen runs, in all rounds together.
        jobs: simulations at the same time.
        say: told what is being done.
        on_runs: told of runs that are simulated, done and in all.
    """

    def __init__(
        self,
        designs: Designs,
        traces: Traces,
        played: Sequence[Episode],
        budget: int,
        jobs: int,
        say: OnStep,
        on_runs: OnRuns,
    ) -> None:
        self._designs, self._traces, self._played = designs, traces, played
        self._jobs, self._say, self._on_runs = jobs, say, on_runs
        self._n_episodes = len({episode.key for episode in played})
        self._total, self._done = budget + self._n_episodes, 0

    def chosen(self, state: State, rounds: int) -> dict[str, Samples]:
        """Rows of the runs that the first rounds chose, once those of all rounds are simulated."""
        chosen, mine = state.chosen(), state.chosen(rounds)
        if not chosen:
            return {}
        keys, folders, before = set(), [], self._n_episodes
        for name in dict.fromkeys(one.dataset for one in chosen):
            folder, spec = self._traces.dataset(name), self._designs.sweep_of(name, chosen)
            assert spec is not None
            self._say(f"simulating runs of {name}")
            sweep(spec, folder, self._jobs, self._progress(before))
            before += len(spec.points)
            folders.append(folder)
            keys |= {run.config.key for run in self._designs.runs_of(name, mine)}
        return _of_configs(samples_of_datasets(folders, jobs=self._jobs), keys)

    def episodes(self) -> tuple[dict[str, Samples], dict[str, Samples]]:
        """Rows of the episodes that are used, and of those that are held out."""
        if not self._played:
            return {}, {}
        before, folders = 0, []
        for name, episodes in by_scenario(self._played).items():
            folder = self._traces.dataset(f"episodes-{name}")
            self._say(f"replaying episodes of {name}")
            before += len(replay(episodes, folder, self._jobs, self._progress(before)))
            folders.append(folder)
        samples = samples_of_datasets(folders, jobs=self._jobs)
        held_out = held_out_of(self._played)
        used = {episode.key for episode in self._played} - held_out
        return _of_configs(samples, used), _of_configs(samples, held_out)

    def _progress(self, before: int) -> Callable[[Progress], None]:
        def tell(progress: Progress) -> None:
            if progress.message:
                self._say(progress.message)
            self._done = max(self._done, before + progress.done)
            self._on_runs(self._done, self._total)

        return tell


def _of_configs(samples: Mapping[str, Samples], configs: set[str]) -> dict[str, Samples]:
    """Rows of some configurations; kinds without any are left out."""
    found = {}
    for kind, every in samples.items():
        mine = np.array([config in configs for _, config, _ in every.runs])[every.run]
        if mine.any():
            found[kind] = every.where(mine)
    return found
