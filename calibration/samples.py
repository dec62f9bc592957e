# SPDX-License-Identifier: Apache-2.0
"""Rows and KPIs of many runs side by side, with the run that each row comes from: `Samples`.

Splits are by configuration and by seed, never by row (`split_of`).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibration.checks import Run, explained, has_odd_values, is_doubtful, open_datasets
from calibration.features import ROWS, Radio, steps_of
from calibration.network import Floats, network_of
from calibration.targets import TARGETS, target_values
from calibration.trajectory import COLUMNS, Trajectory, trajectory
from ns3_scenarios.checking.elements import KEYS
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.errors import DatasetError
from ns3_scenarios.storage import MANIFEST

Split = Literal["fit", "stop", "conformal", "test"]
TEST_SEEDS = range(51, 81)
"""As in the reference paper, whose training has seeds 1 to 50."""


@dataclass(frozen=True)
class Samples:
    """Rows of one kind of element from many runs."""

    kind: str
    features: tuple[str, ...]
    x: NDArray[np.float32]
    """Shape (rows, features)."""
    y: NDArray[np.float32]
    """Shape (rows, KPIs of the kind); NaN where there is none."""
    run: NDArray[np.int32]
    """Index of the run in `runs`."""
    interval: NDArray[np.int32]
    """Interval that is predicted."""
    element: NDArray[np.int32]
    runs: tuple[Run, ...]
    """Scenario, configuration and seed of each run."""

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.x)

    def where(self, keep: NDArray[np.bool_]) -> Samples:
        """Some of the rows."""
        return Samples(
            self.kind,
            self.features,
            self.x[keep],
            self.y[keep],
            self.run[keep],
            self.interval[keep],
            self.element[keep],
            self.runs,
        )

    @property
    def scenario(self) -> NDArray[np.str_]:
        """Scenario of each row."""
        return np.array([scenario for scenario, _, _ in self.runs])[self.run]

    def in_split(self, *splits: Split) -> Samples:
        """The rows whose run is in one of some splits."""
        chosen = np.array([split_of(config, seed) in splits for _, config, seed in self.runs])
        return self.where(chosen[self.run])


def split_of(config: str, seed: int) -> Split:
    """What a run is for: fitting, early stopping, conformal correction, or testing.

    Seeds decide between training and test; among those of training the configuration decides, so
    that all runs of a configuration are on one side.
    """
    if seed in TEST_SEEDS:
        return "test"
    share = int(hashlib.sha256(config.encode()).hexdigest()[:8], 16) / 16**8
    if share < 0.12:
        return "stop"
    return "conformal" if share < 0.30 else "fit"


def check_split(runs: Iterable[Run]) -> None:
    """Make sure that no configuration is on both sides of a split.

    Raises:
        DatasetError: one is; the message names it.
    """
    sides: dict[str, str] = {}
    for _, config, seed in runs:
        side = split_of(config, seed)
        if sides.setdefault(config, side) != side:
            raise DatasetError(
                f"configuration {config} has seeds of training (1-50) and of test (51-80), so that "
                "nothing can be held out; give each configuration seeds of one side, as "
                "`seeds_per_config` in a sweep does"
            )


def check_seeds(datasets: Iterable[Dataset], splits: Sequence[Split]) -> None:
    """Make sure that there are runs for every purpose, and no configuration serves two.

    Args:
        datasets: to be taken together.
        splits: what runs are needed for.

    Raises:
        DatasetError: a purpose has no runs, or a configuration has two.
    """
    runs = [run.id for dataset in datasets for run in dataset.manifest.runs]
    check_split(("", *run) for run in runs)
    there = {split_of(*run) for run in runs}
    for split in splits:
        if split in there:
            continue
        if split == "test":
            raise DatasetError(
                f"none of {len(runs)} runs has a seed of the test split (51-80), so that a model "
                "cannot be judged"
            )
        if there == {"test"}:
            raise DatasetError(
                f"all of {len(runs)} runs have seeds of the test split (51-80); a model is fitted "
                "on seeds from 1 to 50"
            )
        configs = len({config for config, _ in runs})
        raise DatasetError(
            f"no configuration of {configs} is left for {split!r}; a model needs some 20 "
            "configurations or more with seeds from 1 to 50"
        )


def read_runs(
    dataset: Dataset, on_run: Callable[[], None] | None = None
) -> Iterator[tuple[Run, Trajectory]]:
    """The runs of a dataset as arrays, each with its scenario, configuration and seed.

    Raises:
        DatasetError: a table is missing, corrupt, or not what its scenario says.
    """
    if is_doubtful(dataset) and (error := explained(dataset.path)):
        raise error
    try:
        yield from _arrays(dataset, on_run)
    except Exception:  # whatever a wrong file leads to, the checker can say what is wrong
        if error := explained(dataset.path):
            raise error from None
        raise


def _arrays(
    dataset: Dataset, on_run: Callable[[], None] | None
) -> Iterator[tuple[Run, Trajectory]]:
    schedules = {
        (row["config"], row["seed"]): row["schedule"]
        for row in dataset.runs.select(["config", "seed", "schedule"]).to_pylist()
    }
    keys = {**KEYS, "neighbour": ("ue", "rank")}
    tables = {
        name: dataset.table(name, columns=("interval", *keys[name], *columns))
        for name, columns in COLUMNS.items()
    }
    for name, columns in COLUMNS.items():
        if has_odd_values(name, tables[name], columns):
            raise DatasetError(f"{dataset.path}: table {name} has values that cannot be")
    offsets = dict.fromkeys(tables, 0)
    networks = {}
    for run in dataset.manifest.runs:
        mine = {}
        for name, table in tables.items():
            if name not in run.files:
                raise DatasetError(
                    f"{dataset.path}: run config={run.config} seed={run.seed} has no table {name} "
                    f"in {MANIFEST}; allowed is a run with all tables"
                )
            count = run.files[name].rows
            mine[name] = table.slice(offsets[name], count)
            offsets[name] += count
        if run.config not in networks:
            networks[run.config] = network_of(dataset.scenario(run.config))
        network = networks[run.config]
        changes = [ControlChange(**change) for change in json.loads(schedules[run.id])]
        try:
            arrays = trajectory(network, mine, changes, run.seed)
        except (DatasetError, KeyError) as error:
            raise DatasetError(
                f"{dataset.path}: run config={run.config} seed={run.seed}: {error}"
            ) from None
        yield (network.scenario.name, run.config, run.seed), arrays
        if on_run:
            on_run()


def samples_of(
    runs: Iterable[tuple[Run, Trajectory]], kinds: Sequence[str] = tuple(ROWS)
) -> dict[str, Samples]:
    """Rows of all runs, by kind of element; kinds of which there are none are left out."""
    parts: dict[str, list[Samples]] = {kind: [] for kind in kinds}
    for identity, run in runs:
        if run.n_intervals < 2:
            continue
        radio = Radio(steps_of(run))
        for kind in kinds:
            rows = ROWS[kind](radio)
            if len(rows):
                shape = rows.shape[0], math.prod(rows.shape[1:]), -1
                parts[kind].append(
                    part_of(
                        kind,
                        identity,
                        tuple(rows.columns),
                        rows.matrix().reshape(shape),
                        target_values(run, kind).reshape(shape),
                        np.arange(1, run.n_intervals),
                    )
                )
    return {kind: concatenated(found) for kind, found in parts.items() if found}


def part_of(
    kind: str,
    identity: Run,
    features: tuple[str, ...],
    x: NDArray[np.float32],
    y: Floats,
    intervals: NDArray[np.int64],
) -> Samples:
    """Samples of one run.

    Args:
        kind: of its elements.
        identity: scenario, configuration and seed.
        features: names of the columns.
        x: shape (moments, elements, features).
        y: shape (moments, elements, KPIs).
        intervals: that are predicted, shape (moments,).
    """
    moments, elements = x.shape[:2]
    rows = moments * elements
    return Samples(
        kind,
        features,
        x.reshape(rows, -1),
        y.reshape(rows, -1).astype(np.float32),
        np.zeros(rows, np.int32),
        np.repeat(intervals.astype(np.int32), elements),
        np.tile(np.arange(elements, dtype=np.int32), moments),
        (identity,),
    )


def concatenated(parts: Sequence[Samples]) -> Samples:
    """Samples of one kind, one after the other."""
    runs: list[Run] = []
    numbers = []
    for part in parts:
        numbers.append(part.run + len(runs))
        runs.extend(part.runs)
    first = parts[0]
    arrays = {
        f.name: np.concatenate([getattr(p, f.name) for p in parts])
        for f in fields(Samples)
        if f.name in ("x", "y", "interval", "element")
    }
    return Samples(first.kind, first.features, arrays["x"], arrays["y"],
                   np.concatenate(numbers).astype(np.int32), arrays["interval"],
                   arrays["element"], tuple(runs))  # fmt: skip


def joined(samples: Mapping[str, Samples], more: Mapping[str, Samples]) -> dict[str, Samples]:
    """Both, kind by kind; kinds that only the second has are left out."""
    return {
        kind: concatenated([every, more[kind]]) if kind in more else every
        for kind, every in samples.items()
    }


def samples_of_datasets(
    folders: Sequence[str | Path],
    *,
    jobs: int = 1,
    on_dataset: Callable[[str], None] | None = None,
) -> dict[str, Samples]:
    """Rows of the runs in several dataset folders, by kind.

    Raises:
        DatasetError: a folder is no dataset, has no runs to learn from, or what it has cannot be
            used.
    """
    paths = [str(dataset.path) for dataset in open_datasets(folders)]
    found = of_folders(_of_folder, paths, jobs, on_dataset)
    if not found:
        raise DatasetError(f"there are no runs with two intervals or more in {', '.join(paths)}")
    return found


def of_folders(
    work: Callable[[str], dict[str, Samples]],
    folders: Sequence[str],
    jobs: int,
    on_dataset: Callable[[str], None] | None,
) -> dict[str, Samples]:
    """Rows that some work makes of each folder, by kind, folder after folder.

    Args:
        work: to be done in processes of their own.
        folders: of datasets.
        jobs: datasets at the same time.
        on_dataset: told of each dataset that is done.
    """
    from joblib import Parallel, delayed

    found: dict[str, list[Samples]] = {}
    done = Parallel(n_jobs=jobs, return_as="generator")(delayed(work)(f) for f in folders)
    for folder, kinds in zip(folders, done, strict=True):
        for kind, samples in kinds.items():
            found.setdefault(kind, []).append(samples)
        if on_dataset:
            on_dataset(folder)
    return {kind: concatenated(found[kind]) for kind in TARGETS if kind in found}


def _of_folder(folder: str) -> dict[str, Samples]:
    return samples_of(read_runs(Dataset.open(folder)))
