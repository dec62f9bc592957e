# SPDX-License-Identifier: Apache-2.0
"""How long a whole split of the benchmark takes on the surrogate, and where the time goes.

    python benchmarks/bench_speed.py [--agent rules] [--split evaluation] [--jobs 2] [--json]

The networks of all tasks are started once before, as the starts of live NS-3 are kept from then on.
Exits with 1 where the run takes longer than the target.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from agent_learning.bench.loading import load_tasks
from agent_learning.bench.running import run
from agent_learning.bench.saving import read_tasks
from env.backends.starts import start_of

TARGET_S = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agent", default="rules")
    parser.add_argument("--split", default="evaluation", help="name, or a file of tasks")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    file = Path(options.split)
    tasks = read_tasks(file) if file.is_file() else load_tasks(options.split)
    for task in tasks:
        start_of(task.task.network, task.seed)
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        saved = run(options.agent, tasks, folder, jobs=options.jobs)
        wall_s = time.perf_counter() - began
        trials = saved.trials()
        size_mb = (saved.path / "trials.jsonl").stat().st_size / 1e6
    by_template = defaultdict(list)
    for trial in trials:
        by_template[trial.template].append(trial.wall_s)
    busiest = sorted(by_template, key=lambda name: -sum(by_template[name]))[:5]
    found = {
        "tasks": len(tasks),
        "wall_s": round(wall_s, 1),
        "trials_s": round(sum(trial.wall_s for trial in trials), 1),
        "infrastructure": sum(trial.status == "infrastructure" for trial in trials),
        "trials_mb": round(size_mb, 1),
        "slowest_templates_s": {name: round(sum(by_template[name]), 1) for name in busiest},
        "target_s": TARGET_S,
    }
    if options.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name}: {value}")
    return 0 if wall_s <= TARGET_S else 1


if __name__ == "__main__":
    sys.exit(main())
