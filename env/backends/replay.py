# SPDX-License-Identifier: Apache-2.0
"""The backend `replay`: a network that does what a recording says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Self

import pyarrow as pa

from env.backends.base import WARM_UP, BackendName, Futures
from env.backends.surrogate import SurrogateBackend
from env.errors import BackendError, EnvUserError, ToolError
from env.kpis import Kpis
from experiment_model import ExperimentModel, ModelError
from ns3_scenarios.controls import ControlChange, ControlState, Schedule
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.errors import ControlError, SixgError
from ns3_scenarios.kpi import TABLES
from ns3_scenarios.scenario import ScenarioConfig


class ReplayBackend:
    """A recorded run, played interval by interval.

    The changes of the recording are made when their time has come, whether they are asked for or
    not; no others can be made. What may come is foreseen by a model, not read ahead.

    Args:
        scenario: what exists.
        seed: of the run.
        tables: its KPI tables, of all intervals.
        schedule: its control changes.
        model: what looks ahead; that of the package by default.

    Raises:
        EnvUserError: the recording is too short, or lacks a table.
        ControlError: its changes are impossible.
    """

    name: BackendName = "replay"
    served_by: BackendName = "replay"

    def __init__(
        self,
        scenario: ScenarioConfig,
        seed: int,
        tables: Mapping[str, pa.Table],
        schedule: Schedule = (),
        model: ExperimentModel | None = None,
    ) -> None:
        if missing := [name for name in TABLES if name not in tables]:
            raise EnvUserError(f"the recording lacks the table {missing[0]}")
        self.scenario = scenario
        self.seed = seed
        self._model = model
        self._recorded = Kpis.each_of_arrow(tables)
        self._digest = _digest_of(tables)
        if len(self._recorded) < WARM_UP:
            raise EnvUserError(
                f"the recording has {len(self._recorded)} intervals; a replay needs at least "
                f"{WARM_UP}"
            )
        self._schedule: dict[int, list[ControlChange]] = {}
        for change in schedule:
            self._schedule.setdefault(change.interval, []).append(change)
        self.history: list[Kpis] = []
        self._controls = ControlState.initial(scenario)
        self.advance(WARM_UP)

    @classmethod
    def of_dataset(
        cls, dataset: Dataset, config: str, seed: int, model: ExperimentModel | None = None
    ) -> Self:
        """A run of a dataset, also one of episodes that were replayed on NS-3.

        Raises:
            DatasetError: there is no such run, or it cannot be read.
        """
        tables = {name: dataset.table(name, config, seed) for name in TABLES}
        text = dataset.table("runs", config, seed)["schedule"][0].as_py()
        schedule = tuple(ControlChange.model_validate(change) for change in json.loads(text))
        return cls(dataset.scenario(config), seed, tables, schedule, model)

    @property
    def interval(self) -> int:
        """Reporting intervals done."""
        return len(self.history)

    @property
    def controls(self) -> ControlState:
        """In force."""
        return self._controls

    def apply(self, changes: Sequence[ControlChange]) -> None:
        """Make the changes that were recorded here; others are refused.

        Raises:
            ControlError: the recording has others.
        """
        asked = self._controls.with_changes(changes, self.scenario)
        if asked != self._next_controls():
            recorded = self._schedule.get(self.interval, [])
            there = ", ".join(f"{c.path}={c.value}" for c in recorded) or "none"
            raise ControlError(
                f"a replay makes the changes of its recording only; at interval {self.interval} "
                f"these are: {there}"
            )

    def advance(self, n: int = 1) -> None:
        """Play on.

        Raises:
            BackendError: the recording is over.
        """
        for _ in range(n):
            if self.interval >= len(self._recorded):
                raise BackendError(f"the recording is over: it has {self.interval} intervals")
            self._controls = self._next_controls().without_orders()
            self.history.append(self._recorded[self.interval])

    def futures(self, changes: Sequence[ControlChange], horizon: int, draws: int) -> Futures:
        """What a model foresees from the recorded state.

        Raises:
            ToolError: the model cannot.
        """
        try:
            model = SurrogateBackend(
                self.scenario, self.seed, self._model, self.history, self._controls
            )
        except (SixgError, ModelError) as error:
            raise ToolError(
                "unavailable", f"this replay cannot look ahead with its model: {error}"
            ) from None
        return model.futures(changes, horizon, draws)

    def state_hash(self) -> str:
        """Of the recording, and of how far it has been played."""
        changes = [c.model_dump(mode="json") for found in self._schedule.values() for c in found]
        facts = [self.scenario.config_hash(), self.seed, self._digest, changes, self.interval]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def close(self) -> None:
        """Nothing is held."""

    def _next_controls(self) -> ControlState:
        return self._controls.with_changes(self._schedule.get(self.interval, ()), self.scenario)


def _digest_of(tables: Mapping[str, pa.Table]) -> str:
    digest = hashlib.sha256()
    for name in TABLES:
        sink = pa.BufferOutputStream()
        table = tables[name].unify_dictionaries()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        digest.update(sink.getvalue())
    return digest.hexdigest()
