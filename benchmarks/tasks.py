# SPDX-License-Identifier: Apache-2.0
"""Audits the packaged tasks: waiting fails, and the reference solution succeeds, on each backend.

    python benchmarks/tasks.py [--backend surrogate --backend ns3] [--seeds 2] [--json]

Exits with 1 where waiting succeeds or a reference fails on live NS-3.
"""

from __future__ import annotations

import argparse
import json
import sys

from env.agents import make_agent
from env.backends.making import make_backend
from env.playing import play
from env.tasks import Attempt, Task, load_task, task_names

FIRST_SEED = 51


def waiting(task: Task, backend: str, seed: int) -> bool:
    """Whether the task succeeds by itself in the time that its reference takes."""
    attempt = Attempt(task, make_backend(backend, task.network, seed))  # type: ignore[arg-type]
    with attempt.environment as environment:
        environment.run_on(len(task.reference) * task.advance)
    return attempt.status == "success"


def reference(task: Task, backend: str, seed: int) -> bool:
    """Whether the reference solution succeeds."""
    played = play(
        lambda: make_backend(backend, task.network, seed),  # type: ignore[arg-type]
        make_agent("reference", task),
        task=task,
    )
    return played.outcome == "success"


def main() -> int:
    """Run the audit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", action="append", choices=["surrogate", "ns3"])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    rows, sound = [], True
    for name in task_names():
        task = load_task(name)
        row: dict[str, object] = {"task": name}
        for backend in options.backend or ["surrogate", "ns3"]:
            idle = sum(waiting(task, backend, seed) for seed in seeds)
            solved = sum(reference(task, backend, seed) for seed in seeds)
            row |= {f"{backend}_waiting": idle, f"{backend}_reference": solved}
            if backend == "ns3":
                sound &= not idle and solved == len(seeds)
        rows.append(row)
        if not options.json:
            print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    if options.json:
        print(json.dumps({"seeds": list(seeds), "tasks": rows, "sound": sound}))
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
