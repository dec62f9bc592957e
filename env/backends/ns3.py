# SPDX-License-Identifier: Apache-2.0
"""The backend `ns3`: a live NS-3 simulation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from env.backends.base import WARM_UP, BackendName, Futures
from env.errors import BackendError
from env.kpis import Kpis
from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.errors import SixgError, UserError
from ns3_scenarios.live import LiveSimulation
from ns3_scenarios.scenario import ScenarioConfig


class Ns3Backend:
    """A network on live NS-3.

    Futures run on forks of the running simulation, which itself is left alone.

    Args:
        scenario: what exists.
        seed: of all random streams.
        redraw: seed of the random streams after the start, as `LiveSimulation.redraw` takes it, for
            another draw of the same network; by default, streams go on.

    Raises:
        BackendError: NS-3 cannot be started.
    """

    name: BackendName = "ns3"
    served_by: BackendName = "ns3"

    def __init__(self, scenario: ScenarioConfig, seed: int, redraw: int | None = None) -> None:
        self.scenario = scenario
        self.seed = seed
        self._controls = ControlState.initial(scenario)
        self._orders: list[object] = []
        with _told():
            self._live = LiveSimulation(scenario, seed)
        self.history: list[Kpis] = []
        self.advance(WARM_UP)
        if redraw is not None:
            with _told():
                self._live.redraw(redraw)
            self._orders.append(["redraw", redraw])

    @property
    def interval(self) -> int:
        """Reporting intervals done."""
        return len(self.history)

    @property
    def controls(self) -> ControlState:
        """In force."""
        return self._controls

    def apply(self, changes: Sequence[ControlChange]) -> None:
        """Change controls from the next interval on."""
        after = self._controls.with_changes(changes, self.scenario)
        with _told():
            self._live.apply(changes)
        self._orders.append([self.interval, [c.model_dump(mode="json") for c in changes]])
        self._controls = after.without_orders()

    def advance(self, n: int = 1) -> None:
        """Run on."""
        with _told():
            for _ in range(n):
                self.history.append(Kpis.of_arrow(self._live.advance(1)))

    def futures(self, changes: Sequence[ControlChange], horizon: int, draws: int) -> Futures:
        """Run forks on, each with random streams drawn anew."""
        self._controls.with_changes(changes, self.scenario)
        found = []
        with _told():
            for draw in range(draws):
                with self._live.branch() as fork:
                    fork.redraw(draw)
                    if changes:
                        fork.apply(changes)
                    found.append(Kpis.each_of_arrow(fork.advance(horizon)))
        return Futures(found, in_distribution=True, served_by="ns3")

    def state_hash(self) -> str:
        """Of all that was done to it: equal orders give equal simulations."""
        text = json.dumps(
            [self.scenario.config_hash(), self.seed, self.interval, self._orders], sort_keys=True
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def close(self) -> None:
        """End the simulation."""
        self._live.close()


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong in NS-3 is an error of the backend, but for the user's mistakes."""
    try:
        yield
    except UserError:
        raise
    except SixgError as error:
        raise BackendError(str(error)) from error
