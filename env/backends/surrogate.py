# SPDX-License-Identifier: Apache-2.0
"""The backend `surrogate`: a network that runs on an Experiment Model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from calibration.network import network_of
from calibration.rolling import Moment, Roll, moments_of
from calibration.trajectory import Controls, Table, trajectory
from env.backends.base import BackendName, Futures
from env.backends.reporting import reports
from env.backends.starts import start_of
from env.errors import EnvUserError
from env.kpis import Kpis
from env.world import World
from experiment_model import ExperimentModel, ModelError
from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.kpi import TABLES
from ns3_scenarios.scenario import ScenarioConfig

LEAST_KNOWN = 0.8
"""Share of the rows of an interval that must be like those of training for it to be trusted.

Packaged scenarios as they are have 0.87 or more; `quickstart` with its cells at 0 dBm has 0.38,
with a target BLER of 0.5, or at 39 GHz, 0.7 or less.
"""
QUEUES = ("dl_queued_bits", "ul_queued_bits")
KPI_STREAM = 2
"""Number of the random stream that KPIs are drawn from; the world has those before it."""


class SurrogateBackend:
    """A network on a model, which draws KPIs that vary as simulated ones do.

    An episode starts in the state that NS-3 reaches with the same scenario and seed. Users move,
    applications send and elements fail as in NS-3, by random streams of their own.

    Args:
        scenario: what exists.
        seed: of all random streams.
        model: what predicts; that of the package by default.
        history: KPIs from which it goes on; by default the start of the scenario and seed.
        controls: in force at their end; by default those that the scenario starts with.

    Raises:
        BackendError: there is no start, and NS-3 cannot make one.
        EnvUserError: the model does not know a kind of element that the network has.
    """

    name: BackendName = "surrogate"
    served_by: BackendName = "surrogate"

    def __init__(
        self,
        scenario: ScenarioConfig,
        seed: int,
        model: ExperimentModel | None = None,
        history: Sequence[Kpis] | None = None,
        controls: ControlState | None = None,
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self.history: list[Kpis] = list(history or start_of(scenario, seed))
        self._model = model or _default_model()
        self._network = network_of(scenario)
        initial = ControlState.initial(scenario)
        self._controls = controls or initial
        self._arrays = Controls(self._network)
        for path, value in _differences(initial.model_dump(), self._controls.model_dump()):
            self._arrays.change(path, value)
        self._in_force = _batched(self._arrays.arrays, 1)
        self._world = World(self._network, seed, self.history, self._controls)
        entropy = [int(scenario.config_hash(), 16), seed, self.interval, KPI_STREAM]
        self._rng = np.random.default_rng(entropy)
        recorded = start_moment(scenario, seed) if history is None else None
        self._roll = self._roll_from(self._in_force, None, recorded)

    @property
    def interval(self) -> int:
        """Reporting intervals done."""
        return len(self.history)

    @property
    def in_distribution(self) -> bool:
        """Whether the last interval was predicted from rows like those of training, if it was."""
        return not self._roll.rows or bool(self._roll.in_distribution()[0] >= LEAST_KNOWN)

    @property
    def controls(self) -> ControlState:
        """In force."""
        return self._controls

    def apply(self, changes: Sequence[ControlChange]) -> None:
        """Change controls from the next interval on."""
        after = self._controls.with_changes(changes, self.scenario)
        for change in changes:
            self._arrays.change(change.path, change.value)
        self._in_force = _batched(self._arrays.arrays, 1)
        self._world.motion.obey(self._controls, after)
        self._controls = after.without_orders()

    def advance(self, n: int = 1) -> None:
        """Run on."""
        for _ in range(n):
            outside = self._world.run(self._arrays.arrays)
            moment = self._roll.step(self._in_force, outside)
            self.history += reports(moment, self._world)
            self._orders_given()

    def futures(self, changes: Sequence[ControlChange], horizon: int, draws: int) -> Futures:
        """Run copies on, with traffic, movement and KPIs drawn anew.

        What has failed stays so and nothing else fails: what is to come from outside is not known.
        Equal states draw equally whatever the changes, so that changes can be compared.
        """
        after = self._controls.with_changes(changes, self.scenario)
        rng = np.random.default_rng(list(bytes.fromhex(self.state_hash())))
        world, roll = self._world.imagined(draws, rng), self._roll.copies(draws, rng)
        arrays = self._arrays.copy()
        for change in changes:
            arrays.change(change.path, change.value)
        world.motion.obey(self._controls, after)
        found: list[list[Kpis]] = [[] for _ in range(draws)]
        shares = []
        for _ in range(horizon):
            moment = roll.step(_batched(arrays.arrays, draws), world.run(arrays.arrays))
            shares.append(roll.in_distribution())
            for draw, kpis in zip(found, reports(moment, world), strict=True):
                draw.append(kpis)
            arrays.arrays["ordered_cell"][:] = -1
        known = all(share.mean() >= LEAST_KNOWN for share in shares)
        return Futures(found, in_distribution=known, served_by=self.name)

    def state_hash(self) -> str:
        """Of all arrays and random streams, and of the controls."""
        digest = hashlib.sha256()
        _feed(digest, [self.scenario.config_hash(), self.seed, self.interval])
        _feed(digest, self._model.card.model_dump_json())
        _feed(digest, [self._roll.state, self._world.state, self._rng.bit_generator.state])
        _feed(digest, self._arrays.arrays)
        return digest.hexdigest()

    def close(self) -> None:
        """Nothing is held."""

    def correct(self, kpis: Kpis) -> None:
        """Replace the last interval by what it really was, and go on from there."""
        self.history[-1] = kpis
        self._world.see(kpis)
        last = self._roll.moment
        self._roll = self._roll_from(last.controls, last.outside)

    def _orders_given(self) -> None:
        if (self._arrays.arrays["ordered_cell"] >= 0).any():
            self._arrays.arrays["ordered_cell"][:] = -1
            self._in_force = _batched(self._arrays.arrays, 1)

    def _roll_from(
        self, controls: Table, outside: Table | None, recorded: Moment | None = None
    ) -> Roll:
        """A roll-out from the last intervals of the history."""
        recorded = recorded or moment_of(self.scenario, self.seed, self.history)
        moment = Moment(
            recorded.network,
            recorded.now,
            recorded.before,
            controls,
            recorded.outside if outside is None else outside,
        )
        try:
            return Roll(self._model, moment, self.scenario.name, self._rng)
        except ModelError as error:
            raise EnvUserError(str(error)) from None


_default_model = lru_cache(maxsize=1)(ExperimentModel.load)


@lru_cache(maxsize=256)
def start_moment(scenario: ScenarioConfig, seed: int) -> Moment:
    """The state in which episodes of a scenario and seed start."""
    return moment_of(scenario, seed, start_of(scenario, seed))


def moment_of(scenario: ScenarioConfig, seed: int, history: Sequence[Kpis]) -> Moment:
    """The state at the end of the last of at least two intervals, with what waits for each user.

    Controls are those that the scenario starts with; of what comes from outside, faults are those
    that held in the last interval.
    """
    last = history[-2:]
    tables = {
        name: pa.concat_tables([kpis.to_arrow(name) for kpis in last]).unify_dictionaries()
        for name in TABLES
    }
    first = last[0].interval
    for name, table in tables.items():
        at = table.schema.get_field_index("interval")
        moved = pa.compute.subtract(table["interval"], pa.scalar(first, pa.int32()))
        tables[name] = table.set_column(at, table.schema.field(at), moved)
    run = trajectory(network_of(scenario), tables, (), seed, first)
    moment = moments_of(run, [len(last) - 1])
    for name in QUEUES:
        moment.now["ue"][name] = last[-1].column("ue", name)[None].astype(float)
    return moment


def _batched(arrays: Table, n: int) -> Table:
    return {name: np.repeat(values[None], n, axis=0) for name, values in arrays.items()}


def _differences(before: Any, after: Any, path: str = "") -> list[tuple[str, Any]]:
    """Paths of leaves that differ between two trees of controls, and their values after."""
    if not isinstance(after, dict):
        return [] if before == after else [(path, after)]
    return [
        found
        for name, value in after.items()
        for found in _differences(before[name], value, f"{path}.{name}" if path else name)
    ]


def _feed(digest: Any, node: Any) -> None:
    """Take arrays and JSON data into a digest."""
    if isinstance(node, dict):
        for name, value in sorted(node.items()):
            digest.update(str(name).encode())
            _feed(digest, value)
    elif isinstance(node, np.ndarray):
        digest.update(np.ascontiguousarray(node).tobytes())
    elif isinstance(node, list | tuple):
        for value in node:
            _feed(digest, value)
    else:
        digest.update(json.dumps(node, default=str).encode())
