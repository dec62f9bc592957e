# SPDX-License-Identifier: Apache-2.0
"""Where episodes start without NS-3: in the state that NS-3 reaches, kept for the next time.

A start is the KPI tables of the first `WARM_UP` intervals of a scenario and a seed. Live NS-3 makes
it once.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from env.backends.base import WARM_UP
from env.errors import BackendError
from env.kpis import Kpis
from ns3_scenarios.errors import SixgError
from ns3_scenarios.keeping import Tables, kept, kept_path
from ns3_scenarios.live import LiveSimulation
from ns3_scenarios.scenario import ScenarioConfig

KEPT = 64
"""Starts that a process keeps in memory."""


def start_of(scenario: ScenarioConfig, seed: int) -> list[Kpis]:
    """KPIs of the first intervals, as live NS-3 has them for the same scenario and seed.

    Raises:
        BackendError: no earlier run has left them, and NS-3 cannot be run.
    """
    return Kpis.each_of_arrow(_tables(scenario, seed))


def start_path(scenario: ScenarioConfig, seed: int) -> Path:
    """The file in which a start is kept."""
    decides = (scenario.canonical_json(), seed, WARM_UP)
    return kept_path("starts", f"{scenario.name}-{seed}", decides)


@lru_cache(maxsize=KEPT)
def _tables(scenario: ScenarioConfig, seed: int) -> Tables:
    def simulate() -> list[Tables]:
        with LiveSimulation(scenario, seed) as live:
            return [live.advance(WARM_UP)]

    try:
        return kept(start_path(scenario, seed), simulate)[0]
    except SixgError as error:
        raise BackendError(
            f"the start of scenario {scenario.name!r} with seed {seed} has to be simulated once by "
            f"NS-3, which fails: {error}"
        ) from error
