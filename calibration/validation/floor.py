# SPDX-License-Identifier: Apache-2.0
"""The noise floor: how far runs lie apart of which only the seeds differ; see `report.Floor`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.checks import Run
from calibration.samples import Samples
from calibration.validation.report import Floor
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.scenario import Fault, ScenarioConfig
from ns3_scenarios.storage import RunEntry

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

Incomparable = Mapping[Run, frozenset[int]]
"""Intervals of runs that tell nothing about chance."""

SETTLING_INTERVALS = 2
"""Intervals after a fault in which its traces, such as queues, are still felt."""


def incomparable_intervals(folders: Iterable[str | Path]) -> dict[Run, frozenset[int]]:
    """Intervals of the runs in dataset folders that differ by more than chance.

    Those in which a fault is active, or has just been, that not all seeds of the configuration
    have; and all of a configuration whose seeds do not have the same schedule.

    Raises:
        DatasetError: a folder is no dataset.
    """
    found: dict[Run, frozenset[int]] = {}
    for folder in folders:
        dataset = Dataset.open(folder)
        runs: dict[str, list[RunEntry]] = {}
        for run in dataset.manifest.runs:
            runs.setdefault(run.config, []).append(run)
        for config, seeds in runs.items():
            scenario = dataset.scenario(config)
            same_schedule = len({run.schedule_hash for run in seeds}) == 1
            faults = {run.seed: set(scenario.all_faults(run.seed)) for run in seeds}
            common = set.intersection(*faults.values())
            for seed, mine in faults.items():
                struck = _intervals(mine - common, scenario)
                whole = frozenset(range(scenario.n_intervals))
                found[scenario.name, config, seed] = struck if same_schedule else whole
    return found


def _intervals(faults: Iterable[Fault], scenario: ScenarioConfig) -> frozenset[int]:
    step_s = scenario.interval_ms * 1e-3
    struck: set[int] = set()
    for fault in faults:
        last = int(fault.end_s / step_s) + SETTLING_INTERVALS
        struck.update(range(int(fault.start_s / step_s), last + 1))
    return frozenset(i for i in struck if i < scenario.n_intervals)


def pairs_between_seeds(samples: Samples, incomparable: Incomparable) -> tuple[Indices, Indices]:
    """Rows that differ by nothing but the seed of their run.

    Of n seeds of a configuration, n - 1 pairs are made, of neighbouring runs.

    Returns:
        Indices of the first and of the second row of each pair, shape (pairs,) each.
    """
    rows = np.flatnonzero(~_struck(samples, incomparable))
    order = rows[
        np.lexsort(
            (
                samples.run[rows],
                samples.element[rows],
                samples.interval[rows],
                config_of_rows(samples)[rows],
            )
        )
    ]
    first, second = order[:-1], order[1:]
    config = config_of_rows(samples)
    same = (
        (config[first] == config[second])
        & (samples.interval[first] == samples.interval[second])
        & (samples.element[first] == samples.element[second])
    )
    return first[same], second[same]


def config_of_rows(samples: Samples) -> NDArray[np.int64]:
    """A number of the scenario and configuration of each row."""
    numbers: dict[tuple[str, str], int] = {}
    of_run = [numbers.setdefault(run[:2], len(numbers)) for run in samples.runs]
    return np.array(of_run, np.int64)[samples.run]


def _struck(samples: Samples, incomparable: Incomparable) -> NDArray[np.bool_]:
    table = np.zeros((len(samples.runs), int(samples.interval.max(initial=0)) + 1), bool)
    for index, run in enumerate(samples.runs):
        at = [i for i in incomparable.get(run, ()) if i < table.shape[1]]
        table[index, at] = True
    return np.asarray(table[samples.run, samples.interval])


def noise_floor(true: Floats, predicted: Floats, first: Indices, second: Indices) -> Floor:
    """The floor of one KPI, and the model's error on the same rows.

    Args:
        true: values, shape (rows,), NaN where there is none.
        predicted: values, shape (rows,).
        first: indices of the first row of each pair.
        second: of the second.
    """
    both = np.isfinite(true[first]) & np.isfinite(true[second])
    first, second = first[both], second[both]
    if not len(first):
        return Floor(pairs=0)
    apart = true[first] - true[second]
    rmse = float(np.sqrt(np.mean(apart**2) / 2))
    members = np.concatenate([first, second])
    errors = predicted[members] - true[members]
    model_rmse = float(np.sqrt(np.mean(errors**2)))
    return Floor(
        pairs=len(first),
        rmse=rmse,
        mae=float(np.mean(abs(apart)) / np.sqrt(2)),
        model_rmse=model_rmse,
        model_mae=float(np.mean(abs(errors))),
        ratio=model_rmse / rmse if rmse > 0 else None,
    )
