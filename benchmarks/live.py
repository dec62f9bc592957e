# SPDX-License-Identifier: Apache-2.0
"""What live simulations cost: a step, a branch, and episodes of a closed loop.

python benchmarks/live.py [--only NAME ...] [--json]
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from report import Line, run_parts

from ns3_scenarios.controls import ControlChange
from ns3_scenarios.library import load_scenario
from ns3_scenarios.live import LiveSimulation
from ns3_scenarios.simulate import simulate

SCENARIO = "quickstart"
REPETITIONS = 15
INTERVALS = 100
BRANCHES = 20
EPISODES = 3000
MEASURED_EPISODES = 120
EPISODE_INTERVALS = 12
PROCESSES = 2


def measure_steps() -> list[Line]:
    """The same simulated time in steps of one interval, in one step, and by `simulate`."""
    wall_s: dict[str, list[float]] = {"steps": [], "one step": [], "run": []}
    interval_s = load_scenario(SCENARIO).interval_ms * 1e-3
    for seed in range(REPETITIONS + 1):
        # In rounds, so that a disturbance of the machine meets all alike.
        for name, seconds in wall_s.items():
            begin = time.perf_counter()
            if name == "run":
                simulate(SCENARIO, seed=seed, duration_s=INTERVALS * interval_s)
            else:
                count = 1 if name == "steps" else INTERVALS
                with LiveSimulation(SCENARIO, seed=seed) as live:
                    for _ in range(INTERVALS // count):
                        live.advance(count)
            seconds.append(time.perf_counter() - begin)
    # The first round warms up.
    ratios = {
        name: statistics.median(
            a / b for a, b in zip(wall_s["steps"][1:], wall_s[name][1:], strict=True)
        )
        for name in ("one step", "run")
    }
    step_ms = statistics.median(wall_s["steps"][1:]) / INTERVALS * 1e3
    return [
        Line("a step of one interval", step_ms, "ms"),
        Line(f"{INTERVALS} steps over simulate", ratios["run"], "", at_most=1.05),
        Line(f"{INTERVALS} steps over one step of {INTERVALS}", ratios["one step"], ""),
    ]


def measure_branches() -> list[Line]:
    """From the call of `branch` to a branch that answers."""
    lines = []
    for simulated_s in (1, 20):
        with LiveSimulation(SCENARIO) as live:
            live.advance(round(simulated_s * 1e3 / live.scenario.interval_ms))
            times_ms = []
            for _ in range(BRANCHES):
                begin = time.perf_counter()
                branch = live.branch()
                times_ms.append((time.perf_counter() - begin) * 1e3)
                branch.close()
        what = f"branch after {simulated_s} s simulated"
        lines.append(Line(what, statistics.median(times_ms), "ms", at_most=50))
    return lines


def episode(seed: int) -> float:
    """A closed loop from its start to its end: one change per interval."""
    begin = time.perf_counter()
    with LiveSimulation(SCENARIO, seed=seed) as live:
        for interval in range(EPISODE_INTERVALS):
            live.apply([ControlChange(path="cells.c0.tx_power_dbm", value=20 + interval)])
            live.advance()
    return time.perf_counter() - begin


def measure_episodes() -> list[Line]:
    """Episodes on several processes, each with a worker of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        list(pool.map(episode, range(2 * PROCESSES)))  # the workers are warm after this
        begin = time.perf_counter()
        each_s = list(pool.map(episode, range(MEASURED_EPISODES)))
        wall_s = time.perf_counter() - begin
    minutes = wall_s / MEASURED_EPISODES * EPISODES / 60
    return [
        Line(f"episode of {EPISODE_INTERVALS} intervals", statistics.median(each_s), "s"),
        Line(
            f"{EPISODES} episodes, {PROCESSES} processes, from {MEASURED_EPISODES}",
            minutes,
            "min",
            at_most=60,
        ),
    ]


PARTS: dict[str, Callable[[], list[Line]]] = {
    "steps": measure_steps,
    "branches": measure_branches,
    "episodes": measure_episodes,
}


if __name__ == "__main__":
    sys.exit(run_parts("Live simulations", __doc__, PARTS))
