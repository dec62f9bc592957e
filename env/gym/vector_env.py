# SPDX-License-Identifier: Apache-2.0
"""`SixG/Control-v1` as a vector environment: thousands of networks in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from calibration.network import network_of
from calibration.rolling import Moment, Roll
from calibration.trajectory import Controls, Table
from env.backends.starts import start_of
from env.backends.surrogate import KPI_STREAM, start_moment
from env.errors import EnvUserError
from env.gym.networks import Model, Networks, check_positive
from env.gym.stage import STEPS
from env.numbers.controls import Knobs
from env.numbers.kpis import observer_of, reader_of_moment
from env.numbers.places import Floats32, Gather
from env.numbers.utility import utility_of
from env.world import World
from experiment_model import ExperimentModel
from ns3_scenarios.controls import ControlState
from ns3_scenarios.scenario import ScenarioConfig

Bools = NDArray[np.bool_]


class ControlVectorEnv(VectorEnv[Floats32, Floats32, NDArray[Any]]):
    """`ControlEnv` many times over, on the surrogate; one call of the model steps all of them.

    The copies share `n_networks` networks, in blocks of equal size: with seed s, those of block k
    begin as the network of seed s + k does and have its faults. Traffic, walks and KPIs are drawn
    anew in each copy, from streams that depend on all seeds and sizes; with a single copy the
    episode is that of `ControlEnv`. All copies are cut short in the same step, and the next step
    begins an episode of other networks (autoreset `NEXT_STEP`).

    Args:
        num_envs: copies.
        scenario: a scenario, a packaged one's name, or a YAML file.
        controls: as in `ControlEnv`.
        model: that of the package by default.
        steps: of an episode.
        n_seeds: networks that episodes without a seed of their own draw from.
        n_networks: that an episode's copies begin in, at most one for each.
        render_mode: None; pictures are those of `ControlEnv`.

    Raises:
        EnvUserError: an argument cannot be used.
        ScenarioError: the scenario cannot be used.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": [],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        scenario: ScenarioConfig | str | Path = "quickstart",
        controls: Sequence[str] = ("*",),
        model: Model | None = None,
        steps: int = STEPS,
        n_seeds: int = 100,
        n_networks: int = 8,
        render_mode: str | None = None,
    ) -> None:
        check_positive(num_envs=num_envs, steps=steps, n_networks=n_networks)
        if render_mode is not None:
            raise EnvUserError(f"render_mode={render_mode!r}: a vector environment has no pictures")
        self._networks = Networks(scenario, "surrogate", model, n_seeds)
        self.scenario = self._networks.scenario
        self._model = self._networks.model or _default_model()
        self.num_envs, self._steps, self._done = num_envs, steps, 0
        self._blocks = [
            slice(int(block[0]), int(block[-1]) + 1)
            for block in np.array_split(np.arange(num_envs), min(n_networks, num_envs))
        ]
        self._knobs = Knobs(self.scenario, controls)
        self.control_paths = tuple(place.path for place in self._knobs.places)
        self._observer, self._utility = observer_of(self.scenario), utility_of(self.scenario)
        self._seen = Gather(self._observer.places)
        n, n_seen = len(self.control_paths), len(self._observer.names) + 1
        self.single_action_space = spaces.Box(-1, 1, (n,), np.float32)
        self.single_observation_space = spaces.Box(-1, 1, (n_seen,), np.float32)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._roll: Roll | None = None
        self._worlds: list[World] = []
        self._arrays: Table = {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats32, dict[str, Any]]:
        """Begin an episode in all copies.

        Args:
            seed: of the network of the first block; those of the others follow.
            options: none are known.
        """
        super().reset(seed=seed)
        if options and "reset_mask" in options:
            raise EnvUserError("reset_mask: all copies of this environment begin together")
        self._begin(self._networks.seed(seed, self.np_random))
        return self._observation(), {}

    def step(
        self, actions: Floats32
    ) -> tuple[Floats32, NDArray[np.float64], Bools, Bools, dict[str, Any]]:
        """Set all controls in all copies and let an interval pass in each."""
        if self._roll is None:
            raise EnvUserError("no episode has begun; call reset first")
        never = np.zeros(self.num_envs, bool)
        if self._done >= self._steps:
            self._begin(self._networks.seed(None, self.np_random))
            return self._observation(), np.zeros(self.num_envs), never, never.copy(), {}
        self._arrays = arrays = self._knobs.turned(self._arrays, actions)
        fixed = {name: arrays[name][0] for name in ("row_slice", "degradation")}
        outsides = [
            world.run({**fixed, "fraction": arrays["fraction"][block]})
            for world, block in zip(self._worlds, self._blocks, strict=True)
        ]
        moment = self._roll.step(arrays, _joined(outsides))
        self._done += 1
        reward = self._utility.of(reader_of_moment(moment))
        ends = np.full(self.num_envs, self._done >= self._steps)
        return self._observation(), reward, never, ends, {}

    def _begin(self, seed: int) -> None:
        network = network_of(self.scenario)
        one = Controls(network).arrays
        controls = ControlState.initial(self.scenario)
        self._worlds, moments = [], []
        for k, block in enumerate(self._blocks):
            n = block.stop - block.start
            start, history = (
                start_moment(self.scenario, seed + k),
                start_of(self.scenario, seed + k),
            )
            world = World(network, seed + k, history, controls)
            rng = np.random.default_rng([int(self.scenario.config_hash(), 16), seed + k, n])
            self._worlds.append(world if n == 1 else world.copies(n, rng))
            moments.append(_repeated(start, n))
        self._arrays = {n: np.repeat(a[None], self.num_envs, axis=0) for n, a in one.items()}
        start = Moment(
            network,
            {name: _joined([m.now[name] for m in moments]) for name in moments[0].now},
            {name: _joined([m.before[name] for m in moments]) for name in moments[0].before},
            self._arrays,
            _joined([m.outside for m in moments]),
        )
        interval = len(history)
        entropy = [int(self.scenario.config_hash(), 16), seed, interval, KPI_STREAM]
        self._roll = Roll(self._model, start, self.scenario.name, np.random.default_rng(entropy))
        self._done = 0

    def _observation(self) -> Floats32:
        assert self._roll is not None
        read = reader_of_moment(self._roll.moment)
        seen = self._observer.see(read, self._seen.read(self._arrays))
        left = np.full((self.num_envs, 1), 1 - self._done / self._steps, np.float32)
        return np.concatenate([seen, left], axis=1)


_default_model = lru_cache(maxsize=1)(ExperimentModel.load)


def _repeated(moment: Moment, n: int) -> Moment:
    """A moment of one copy as that of n."""

    def repeated(table: Table) -> Table:
        return {name: np.repeat(values, n, axis=0) for name, values in table.items()}

    return Moment(
        moment.network,
        {name: repeated(table) for name, table in moment.now.items()},
        {name: repeated(table) for name, table in moment.before.items()},
        repeated(moment.controls),
        repeated(moment.outside),
    )


def _joined(tables: Sequence[Table]) -> Table:
    """Tables of several blocks of copies as one."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
