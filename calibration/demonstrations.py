# SPDX-License-Identifier: Apache-2.0
"""Rows from a model's own roll-outs, with what NS-3 did then: what to learn from to roll on well.

A model that is fitted on measured KPIs alone meets its own predictions when it rolls on, which are
smoother and may be off; its errors feed each other. Fitted on its own roll-outs too, it learns to
lead them back (Data as Demonstrator: Venkatraman, Hebert and Bagnell, AAAI 2015). The feature
`age_intervals` and `drawn` tell the sorts of rows apart, so that rows of measured KPIs are not
predicted any worse. Half of the roll-outs predict means, as plans do, and half draw, as episodes
do: from what was drawn little follows, and trees learn to rely on controls and first guesses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.checks import Run
from calibration.rolling import OLDEST, Roll, moments_of
from calibration.samples import (
    Samples,
    concatenated,
    of_folders,
    part_of,
    read_runs,
    split_of,
)
from calibration.targets import target_values
from calibration.trajectory import Trajectory
from experiment_model import ExperimentModel
from ns3_scenarios.dataset import Dataset

KINDS = ("cell", "slice", "application", "class", "network")
"""That feed on their own predictions; links and edge sites follow from what flows bring them."""
RUNS_PER_DATASET = 16


def demonstrations(
    model: ExperimentModel,
    runs: Iterable[tuple[Run, Trajectory]],
    seed: int = 0,
) -> dict[str, Samples]:
    """Rows of `KINDS`: from each interval of each run two roll-outs, of which one interval is kept.

    Args:
        model: that rolls.
        runs: what NS-3 did, with the names of runs.
        seed: of what is drawn, and of which interval of a roll-out is kept.
    """
    rng = np.random.default_rng(seed)
    parts: dict[str, list[Samples]] = {}
    for identity, run in runs:
        targets = {kind: target_values(run, kind) for kind in KINDS}
        for draws in (None, rng):
            for kind, samples in _rolled(model, identity, run, targets, rng, draws):
                parts.setdefault(kind, []).append(samples)
    return {kind: concatenated(found) for kind, found in parts.items()}


def _rolled(
    model: ExperimentModel,
    identity: Run,
    run: Trajectory,
    targets: Mapping[str, NDArray[Any]],
    rng: np.random.Generator,
    draws: np.random.Generator | None,
) -> Iterator[tuple[str, Samples]]:
    starts = np.arange(run.n_intervals - 2)
    if not len(starts):
        return
    kept = rng.integers(2, np.minimum(OLDEST, run.n_intervals - 1 - starts) + 1)
    roll = Roll(model, moments_of(run, starts), identity[0], draws)
    for step in range(1, int(kept.max()) + 1):
        at = np.minimum(starts + step, run.n_intervals - 1)
        roll.step_as(run, at)
        mine = kept == step
        if not mine.any():
            continue
        for kind in KINDS:
            if rows := roll.rows.get(kind):
                every = int(np.prod(rows.shape[1:]))
                y = targets[kind].reshape(run.n_intervals - 1, every, -1)
                matrix = rows.matrix().reshape(len(starts), every, -1)[mine]
                yield (
                    kind,
                    part_of(kind, identity, tuple(rows.columns), matrix, y[at[mine] - 1], at[mine]),
                )


def demonstrations_of_datasets(
    model: ExperimentModel,
    folders: Sequence[str | Path],
    *,
    jobs: int = 1,
    on_dataset: Callable[[str], None] | None = None,
) -> dict[str, Samples]:
    """Rows from roll-outs over some runs of the fit split of each dataset, by kind."""
    paths = [str(folder) for folder in folders]
    return of_folders(partial(_of_folder, model), paths, jobs, on_dataset)


def _of_folder(model: ExperimentModel, folder: str) -> dict[str, Samples]:
    fitted = (
        (identity, run)
        for identity, run in read_runs(Dataset.open(folder))
        if split_of(*identity[1:]) == "fit"
    )
    return demonstrations(model, islice(fitted, RUNS_PER_DATASET))
