# SPDX-License-Identifier: Apache-2.0
"""How many packaged tasks baselines solve, and how long they take.

`python benchmarks/baselines.py --agent mapek --agent planner --backend surrogate --seeds 3`
"""

from __future__ import annotations

import argparse
import json
import time

from agent_learning.baselines import make_baseline
from env.backends.making import make_backend
from env.playing import play
from env.tasks import load_task, task_names

FIRST_SEED = 51
AGENTS = ("noop", "random", "threshold", "mapek", "planner")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agent", action="append")
    parser.add_argument("--backend", default="surrogate", choices=["surrogate", "ns3"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scenario", help="only tasks of it")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tasks = [load_task(name) for name in task_names()]
    tasks = [t for t in tasks if options.scenario in (None, t.scenario.name)]
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    for name in options.agent or AGENTS:
        solved: dict[str, int] = {}
        calls = 0
        began, cpu = time.perf_counter(), time.process_time()
        for task in tasks:
            for seed in seeds:
                agent = make_baseline(name, task)
                played = play(
                    lambda task=task, seed=seed: make_backend(options.backend, task.network, seed),
                    agent,
                    task=task,
                )
                solved[task.name] = solved.get(task.name, 0) + (played.outcome == "success")
                calls += len(played.environment.events)
        n = len(tasks) * len(seeds)
        row = {
            "agent": name,
            "backend": options.backend,
            "seeds": list(seeds),
            "episodes": n,
            "solved": sum(solved.values()),
            "calls_per_episode": round(calls / n, 2),
            "wall_s": round(time.perf_counter() - began, 1),
            "cpu_s": round(time.process_time() - cpu, 1),
            "unsolved": {k: len(seeds) - v for k, v in solved.items() if v < len(seeds)},
        }
        if options.json:
            print(json.dumps(row), flush=True)
        else:
            print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


if __name__ == "__main__":
    main()
