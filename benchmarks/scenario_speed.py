# SPDX-License-Identifier: Apache-2.0
"""How fast the packaged scenarios run: simulated seconds per second on one core.

python benchmarks/scenario_speed.py [NAME ...] [--json]
"""

from __future__ import annotations

import argparse
import statistics
import sys

from report import Line, emit

from ns3_scenarios.library import load_scenario, scenario_names
from ns3_scenarios.simulate import simulate

REPETITIONS = 3
TARGETS = {"quickstart": 5.0, "dense_urban": 1.0, "highway_mobility": 1.0}
SLOWEST = 0.2
"""Of any scenario."""


def measure(name: str) -> Line:
    duration_s = load_scenario(name).duration_s
    speeds = [duration_s / simulate(name, seed=seed).wall_s for seed in range(1, REPETITIONS + 1)]
    target = TARGETS.get(name, SLOWEST)
    return Line(name, statistics.median(speeds), "simulated s per s", at_least=target)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios; all by default")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    lines = [measure(name) for name in arguments.names or scenario_names()]
    return emit("Speed of the packaged scenarios", lines, as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
