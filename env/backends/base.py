# SPDX-License-Identifier: Apache-2.0
"""What a backend does: `Backend`, and the futures that it foresees: `Futures`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from env.kpis import Kpis
from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.scenario import ScenarioConfig

BackendName = Literal["surrogate", "ns3", "replay", "auto"]

WARM_UP = 2
"""Intervals that a network runs before an agent's first call: features look back so far."""


@dataclass(frozen=True)
class Futures:
    """What may become of a network: several draws of its next intervals."""

    draws: Sequence[Sequence[Kpis]]
    """By draw, then by interval."""
    in_distribution: bool
    """Whether what foresees them was fitted on the like; always true of live NS-3."""
    served_by: BackendName


class Backend(Protocol):
    """A network that runs one reporting interval after the other.

    After it is made it has done `WARM_UP` intervals under the scenario's own controls. Equal
    scenario, seed and changes give equal KPIs. `futures` and reading leave the state, the clock and
    the random streams alone.
    """

    name: BackendName
    scenario: ScenarioConfig
    seed: int

    @property
    def interval(self) -> int:
        """Reporting intervals done."""
        ...

    @property
    def controls(self) -> ControlState:
        """In force."""
        ...

    @property
    def history(self) -> Sequence[Kpis]:
        """KPIs of all intervals done, the oldest first."""
        ...

    @property
    def served_by(self) -> BackendName:
        """What ran the last interval; only `auto` has a choice."""
        ...

    def apply(self, changes: Sequence[ControlChange]) -> None:
        """Change controls, all together, from the next interval on.

        Raises:
            ControlError: a change is impossible. Nothing is changed.
            BackendError: the backend has failed.
        """
        ...

    def advance(self, n: int = 1) -> None:
        """Run on.

        Raises:
            BackendError: the backend has failed.
        """
        ...

    def futures(self, changes: Sequence[ControlChange], horizon: int, draws: int) -> Futures:
        """What may become of the network if changes were made now.

        Args:
            changes: made together; none of them really.
            horizon: intervals ahead.
            draws: how many futures; equal numbers draw equally.

        Raises:
            ControlError: a change is impossible.
            BackendError: the backend has failed.
        """
        ...

    def state_hash(self) -> str:
        """SHA-256 of everything that decides what comes next."""
        ...

    def close(self) -> None:
        """Free what it holds. Closing twice is allowed."""
        ...
