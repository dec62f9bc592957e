# SPDX-License-Identifier: Apache-2.0
"""All of a network as two vectors, what is read of it and what is set: `WholeNetwork`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from env.backends.base import Backend
from env.numbers.controls import Knobs
from env.numbers.kpis import observer_of, reader_of_kpis
from env.numbers.places import Floats32, read_state
from env.numbers.utility import utility_of
from env.view import Scope
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.scenario import ScenarioConfig


class WholeNetwork:
    """What is read of a network, what is set in it, and what an interval is worth.

    Args:
        scenario: of the network.
        controls: paths of what is set, in which `*` stands for anything.
        scope: tools of which the controls may be set.

    Raises:
        EnvUserError: nothing is left to be set.
    """

    def __init__(
        self,
        scenario: ScenarioConfig,
        controls: Sequence[str] = ("*",),
        scope: Scope | None = None,
    ) -> None:
        self._scenario = scenario
        self._observer, self._utility = observer_of(scenario), utility_of(scenario)
        self.knobs = Knobs(scenario, controls, scope)
        """What is set."""
        self.names = self._observer.names
        """What each figure is that is read, in order."""

    def read(self, backend: Backend) -> Floats32:
        """The figures of now, from 0 to 1 or `UNKNOWN`, shape (figures,)."""
        read = reader_of_kpis(self._scenario, backend.history[-1])
        controls = read_state(self._observer.places, backend.controls)
        figures: Floats32 = self._observer.see(read, controls)[0]
        return figures

    def changes(self, backend: Backend, action: NDArray[np.floating]) -> list[ControlChange]:
        """What an action changes now, maybe nothing; shape and range are those of `Knobs`."""
        return self.knobs.changes(backend.controls, action)

    def utility(self, backend: Backend) -> float:
        """What the last interval was worth, at most 1."""
        return float(self._utility.of(reader_of_kpis(self._scenario, backend.history[-1]))[0])
