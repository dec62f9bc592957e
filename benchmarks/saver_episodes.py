# SPDX-License-Identifier: Apache-2.0
"""Writes episodes of a scripted agent that saves energy, to try `sixg refit --episodes` with.

It turns cells down step by step, sends some to deep sleep, and slows the first slice down at the
end: a corner of the controls that random schedules seldom reach.

    python benchmarks/saver_episodes.py build/episodes
"""

from __future__ import annotations

import argparse
from pathlib import Path
from random import Random
from typing import Any

from ns3_scenarios.control_ranges import control_ranges
from ns3_scenarios.episode import Episode
from ns3_scenarios.library import load_scenario
from ns3_scenarios.scenario import ScenarioConfig


def changes_of(scenario: ScenarioConfig, number: int, n_intervals: int) -> list[dict[str, Any]]:
    """What the agent does in one episode."""
    random = Random(f"saver:{number}")
    ranges = control_ranges(scenario)
    found: list[dict[str, Any]] = []

    def change(interval: int, path: str, value: Any) -> None:
        if interval < n_intervals and path in ranges:
            found.append({"interval": interval, "path": path, "value": value})

    for cell in scenario.cell_ids:
        power_dbm = scenario.cell_carrier(cell).tx_power_dbm
        lowest_dbm = power_dbm - random.uniform(8, 14)
        interval = random.randrange(2, 8)
        while power_dbm > lowest_dbm and interval < n_intervals:
            power_dbm = round(power_dbm - random.uniform(1, 3), 1)
            change(interval, f"cells.{cell}.tx_power_dbm", power_dbm)
            interval += random.randrange(1, 3)
        if random.random() < 0.5:
            change(interval, f"cells.{cell}.sleep_mode", "deep")
    slice_ = scenario.slices[0].name
    change(2 * n_intervals // 3, f"slices.{slice_}.degradation", "reduce_rate")
    return found


def main() -> None:
    """Write the episodes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--scenario", default="quickstart")
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--intervals", type=int, default=20)
    options = parser.parse_args()
    scenario = load_scenario(options.scenario)
    options.out.mkdir(parents=True, exist_ok=True)
    for index in range(options.episodes):
        changes = changes_of(scenario, index, options.intervals)
        seed, n_intervals = 1 + index % 50, options.intervals
        episode = Episode(scenario=scenario, seed=seed, n_intervals=n_intervals, changes=changes)
        episode.save(options.out / f"{index:03}.json")


if __name__ == "__main__":
    main()
