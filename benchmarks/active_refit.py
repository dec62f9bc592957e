# SPDX-License-Identifier: Apache-2.0
"""How many simulations a model needs when its runs are chosen, and when they are drawn.

Each repetition starts from the same few random configurations in every arm, adds batches of runs
from a pool that is simulated already, fits anew, and measures the error on the test seeds: root of
the squared error over the variance of the KPI, mean over KPIs. Folders of one scenario are one
pool. What chooses is `calibration.acquisition`; models have the means only, of some kinds.

    python benchmarks/active_refit.py build/traces/quickstart build/usual/quickstart
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from report import Line as Figure
from report import emit

from calibration.acquisition import (
    QUICK,
    QUICK_ROWS,
    choose,
    describe_run,
    descriptor_matrix,
    expected,
    held_out_errors,
    variances,
)
from calibration.fitting import Settings, mean_residuals
from calibration.samples import Samples, concatenated, read_runs, samples_of, split_of
from calibration.validation import plots
from calibration.validation.report import Line, Plot
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.dataset import Dataset

USED = "error_novelty"
"""The arm that `sixg refit` takes."""
SAVED_PCT = 60
"""Share of the simulations of a random design with which a chosen one must reach its error."""
ARMS = ("pairs", "random", "fitted", "novelty", "error", "disagreement", "error_novelty")
"""`pairs`: configurations at random, two seeds each, as the sweeps of calibration/design; `random`:
one seed each; `fitted`: the same, of those configurations only that the split fits on."""


@dataclass(frozen=True)
class Pool:
    """Runs of one scenario."""

    samples: dict[str, Samples]
    runs: list[tuple[str, str, int]]
    """Of training seeds."""
    descriptors: Any


def read_pool(folders: list[Path], kinds: tuple[str, ...], *, one_seed: bool) -> Pool:
    """All runs of some datasets, or the first of each configuration."""
    parts: dict[str, list[Samples]] = {kind: [] for kind in kinds}
    described = {}
    for folder in folders:
        dataset = Dataset.open(folder)
        first: dict[str, int] = {}
        for run in dataset.manifest.runs:
            first.setdefault(run.config, run.seed)
        for kind, found in samples_of(read_runs(dataset), kinds).items():
            keep = np.array([not one_seed or first[c] == seed for _, c, seed in found.runs])
            parts[kind].append(found.where(keep[found.run]))
        for row in dataset.runs.select(["config", "seed", "schedule"]).to_pylist():
            config, seed = row["config"], row["seed"]
            if split_of(config, seed) != "test" and not (one_seed and first[config] != seed):
                scenario = dataset.scenario(config)
                schedule = tuple(ControlChange(**c) for c in json.loads(row["schedule"]))
                described[scenario.name, config, seed] = describe_run(scenario, schedule, seed)
    runs = list(described)
    samples = {kind: concatenated(found) for kind, found in parts.items()}
    return Pool(samples, runs, descriptor_matrix([described[run] for run in runs]))


def error_on_test(pool: Pool, chosen: list[int], threads: int, seed: int) -> float:
    """Relative error on the test seeds of a model fitted on chosen runs."""
    mine = {pool.runs[i] for i in chosen}
    errors = []
    for kind, every in pool.samples.items():
        keep = np.array([run in mine for run in every.runs])[every.run]
        test = every.in_split("test")
        settings = Settings({kind: QUICK}, seed, threads, QUICK_ROWS)
        residuals = mean_residuals(kind, every.where(keep), test, settings)
        squared = np.nanmean(residuals**2 / variances(test), axis=0)
        errors += np.sqrt(squared[np.isfinite(squared)]).tolist()
    return float(np.mean(errors))


def start_of(pool: Pool, size: int, random: np.random.Generator) -> list[int]:
    """One seed of so many random configurations, some of them on each side of the split."""
    while True:
        taken = one_seed_each(pool, random.permutation(len(pool.runs)).tolist())[:size]
        sides = {split_of(*pool.runs[i][1:]) for i in taken}
        if sides == {"fit", "stop", "conformal"}:
            return taken


def pairs(pool: Pool, size: int, random: np.random.Generator) -> list[int]:
    """All runs, configuration by configuration, of which the first so many are on all sides."""
    runs_of: dict[str, list[int]] = {}
    for i, run in enumerate(pool.runs):
        runs_of.setdefault(run[1], []).append(i)
    while True:
        configs = random.permutation(sorted(runs_of)).tolist()
        taken = [i for config in configs for i in runs_of[config]]
        if {split_of(*pool.runs[i][1:]) for i in taken[:size]} == {"fit", "stop", "conformal"}:
            return taken


def one_seed_each(pool: Pool, order: list[int]) -> list[int]:
    """The first run of each configuration, in order."""
    seen: set[str] = set()
    return [
        i
        for i in order
        if not (pool.runs[i][1] in seen or seen.add(pool.runs[i][1]))  # type: ignore[func-returns-value]
    ]


def curve(
    pool: Pool, arm: str, start: list[int], sizes: list[int], threads: int, seed: int
) -> Iterator[float]:
    """Errors at each number of runs, as batches are added."""
    random = np.random.default_rng([seed, 1])
    order = random.permutation(len(pool.runs)).tolist()
    taken = list(start)
    if arm == "pairs":
        taken = pairs(pool, sizes[0], random)
    for size in sizes:
        if arm == "pairs":
            now = taken[:size]
        else:
            if size > len(taken):
                taken += batch(pool, arm, taken, order, size - len(taken), threads, seed)
            now = taken
        yield error_on_test(pool, now, threads, seed)


def batch(
    pool: Pool, arm: str, taken: list[int], order: list[int], n: int, threads: int, seed: int
) -> list[int]:
    """The runs that an arm adds."""
    configs = {pool.runs[i][1] for i in taken}
    fresh = [i for i in one_seed_each(pool, order) if pool.runs[i][1] not in configs]
    if arm != "random":
        fresh = [i for i in fresh if split_of(*pool.runs[i][1:]) == "fit"]
    if arm in ("random", "fitted") or not fresh:
        return fresh[:n]
    weight = None
    if arm != "novelty":
        mine = {pool.runs[i] for i in taken}
        known = {
            kind: every.where(np.array([run in mine for run in every.runs])[every.run])
            for kind, every in pool.samples.items()
        }
        held_out = held_out_errors(known, threads=threads, seed=seed)
        figure = "disagreement" if arm == "disagreement" else "error"
        values = np.array([getattr(held_out[pool.runs[i]], figure) for i in taken])
        weight = expected(pool.descriptors[taken], values, pool.descriptors[fresh], seed=seed)
    picked = choose(arm, pool.descriptors[fresh], pool.descriptors[taken], n,
                    weight=weight, seed=seed + len(taken))  # fmt: skip
    return [fresh[i] for i in picked]


def needed(sizes: list[int], errors: Any, target: float) -> float | None:
    """Simulations with which a curve, made to fall only, first reaches an error."""
    falling = np.minimum.accumulate(errors)
    if falling[-1] > target:
        return None
    return float(np.interp(-target, -falling, sizes))


def figures(name: str, sizes: list[int], means: dict[str, Any]) -> list[Figure]:
    """How many simulations each arm needs for what a random design reaches with all of its own."""
    lines = []
    for reference in ("random", "pairs"):
        if reference not in means:
            continue
        target = float(means[reference][-1])
        for arm, mean in means.items():
            if arm == reference:
                continue
            count = needed(sizes, mean, target)
            share_pct = 100 * count / sizes[-1] if count else math.inf
            at_most = SAVED_PCT if (arm, reference) == (USED, "random") else None
            what = f"{name}: {arm}, for the error of {sizes[-1]} {reference}"
            lines.append(Figure(what, share_pct, "% of them", at_most=at_most))
    return lines


def draw(name: str, sizes: list[int], found: dict[str, list[list[float]]], path: Path) -> None:
    """Write the curves as a picture."""
    plot = Plot(
        title=name,
        x_label="simulations",
        y_label="relative error on the test seeds",
        lines=tuple(
            Line(name=arm, x=tuple(map(float, sizes)), y=tuple(np.mean(curves, axis=0).tolist()))
            for arm, curves in found.items()
        ),
    )
    path.write_bytes(base64.b64decode(plots.lines(plot)))


def main() -> int:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="datasets of one scenario")
    parser.add_argument("--kinds", nargs="+", default=["network"])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[24, 36, 48, 64, 80, 100])
    parser.add_argument("--repetitions", type=int, default=6)
    parser.add_argument("--one-seed", action="store_true", help="leave out further seeds")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--plot", type=Path, help="PNG to write")
    parser.add_argument("--curves", type=Path, help="JSON to write, with all repetitions")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    pool = read_pool(options.folders, tuple(options.kinds), one_seed=options.one_seed)
    name, sizes = pool.runs[0][0], options.sizes
    found: dict[str, list[list[float]]] = {arm: [] for arm in options.arms}
    for seed in range(options.repetitions):
        start = start_of(pool, sizes[0], np.random.default_rng(seed))
        for arm in options.arms:
            began = time.monotonic()
            found[arm].append(list(curve(pool, arm, start, sizes, options.threads, seed)))
            took_s = time.monotonic() - began
            shown = " ".join(f"{error:.3f}" for error in found[arm][-1])
            print(f"{name} {seed} {arm}: {shown} ({took_s:.0f} s)", file=sys.stderr, flush=True)
    if options.curves:
        options.curves.write_text(json.dumps({"sizes": sizes, "errors": found}))
    if options.plot:
        draw(name, sizes, found, options.plot)
    means = {arm: np.mean(curves, axis=0) for arm, curves in found.items()}
    lines = figures(name, sizes, means)
    lines += [
        Figure(f"{name}: error of {arm} with {size}", float(error), "")
        for arm, mean in means.items()
        for size, error in zip(sizes, mean, strict=True)
        if size in (sizes[0], sizes[-1])
    ]
    return emit("Chosen and random simulations", lines, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
