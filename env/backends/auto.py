# SPDX-License-Identifier: Apache-2.0
"""The backend `auto`: a model where it is at home, live NS-3 where it is not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from env.backends.base import BackendName, Futures
from env.backends.ns3 import Ns3Backend
from env.backends.surrogate import SurrogateBackend
from env.kpis import Kpis
from experiment_model import ExperimentModel
from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.scenario import ScenarioConfig


class AutoBackend:
    """A network on a model that hands over to live NS-3 when it leaves what it was fitted on.

    Every interval is first run on the model. If that was unlike its training, NS-3 runs the
    interval instead, after all changes so far have been replayed on it, and the model goes on from
    what NS-3 says. NS-3 is started when it is first needed.

    Args:
        scenario: what exists.
        seed: of all random streams.
        model: what predicts; that of the package by default.

    Raises:
        BackendError: there is no start, and NS-3 cannot make one.
        EnvUserError: the model does not know a kind of element that the network has.
    """

    name: BackendName = "auto"

    def __init__(
        self, scenario: ScenarioConfig, seed: int, model: ExperimentModel | None = None
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self._surrogate = SurrogateBackend(scenario, seed, model)
        self._live: Ns3Backend | None = None
        self._log: list[tuple[int, list[ControlChange]]] = []
        self._done = 0
        """Entries of the log that NS-3 has been told of."""
        self.served: list[BackendName] = ["ns3"] * self.interval
        """What ran each interval, the first ones included, in which every episode starts."""

    @property
    def interval(self) -> int:
        """Reporting intervals done."""
        return self._surrogate.interval

    @property
    def controls(self) -> ControlState:
        """In force."""
        return self._surrogate.controls

    @property
    def history(self) -> Sequence[Kpis]:
        """KPIs of all intervals done, the oldest first."""
        return self._surrogate.history

    @property
    def served_by(self) -> BackendName:
        """What ran the last interval."""
        return self.served[-1]

    def apply(self, changes: Sequence[ControlChange]) -> None:
        """Change controls from the next interval on."""
        self._surrogate.apply(changes)
        self._log.append((self.interval, list(changes)))

    def advance(self, n: int = 1) -> None:
        """Run on."""
        for _ in range(n):
            self._surrogate.advance(1)
            if self._surrogate.in_distribution:
                self.served.append("surrogate")
                continue
            self._surrogate.correct(self._caught_up(self.interval).history[-1])
            self.served.append("ns3")

    def futures(self, changes: Sequence[ControlChange], horizon: int, draws: int) -> Futures:
        """By the model where they are like its training, else on forks of NS-3."""
        found = self._surrogate.futures(changes, horizon, draws)
        if found.in_distribution:
            return found
        live = self._caught_up(self.interval)
        self._tell(live, self.interval)
        return live.futures(changes, horizon, draws)

    def state_hash(self) -> str:
        """Of the model's state and of the changes, which decide the state of NS-3."""
        digest = hashlib.sha256(self._surrogate.state_hash().encode())
        for interval, changes in self._log:
            digest.update(repr((interval, [c.model_dump() for c in changes])).encode())
        digest.update(repr(self.served).encode())
        return digest.hexdigest()

    def close(self) -> None:
        """End the simulation, if there is one."""
        if self._live:
            self._live.close()

    def _caught_up(self, interval: int) -> Ns3Backend:
        """NS-3 with some intervals done, under all changes that were made before."""
        if self._live is None:
            self._live = Ns3Backend(self.scenario, self.seed)
        live = self._live
        while live.interval < interval:
            self._tell(live, live.interval)
            ahead = [at for at, _ in self._log[self._done :] if at < interval]
            live.advance(min([interval, *ahead]) - live.interval)
        return live

    def _tell(self, live: Ns3Backend, interval: int) -> None:
        """Make the changes that were made by an interval."""
        while self._done < len(self._log) and self._log[self._done][0] <= interval:
            live.apply(self._log[self._done][1])
            self._done += 1
