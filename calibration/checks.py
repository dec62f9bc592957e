# SPDX-License-Identifier: Apache-2.0
"""What keeps datasets from being calibrated on, found before or while they are read.

`ns3_scenarios.checking` looks at everything, which takes as long as computing the features. Here it
runs on datasets that NS-3 has not made, and where something else looks wrong, to say what it is.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from ns3_scenarios.checking import check_dataset
from ns3_scenarios.checking.columns import NULLS, limits
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.errors import DatasetError
from ns3_scenarios.kpi import TABLES
from ns3_scenarios.storage import MANIFEST, RUNS, part_path

Run = tuple[str, str, int]
"""Scenario, configuration and seed."""

MOST_COLUMNS = 3
"""That a message names."""


def open_datasets(folders: Sequence[str | Path]) -> list[Dataset]:
    """Datasets with runs, each of which is there once.

    Raises:
        DatasetError: a folder is no dataset, has no runs, or has runs that are there already.
    """
    datasets = [Dataset.open(folder) for folder in folders]
    owners: dict[Run, Path] = {}
    for dataset in datasets:
        if not dataset.manifest.runs:
            raise DatasetError(f"{dataset.path} has no runs; a model needs many")
        for run in dataset.manifest.runs:
            known = owners.setdefault((dataset.manifest.scenario, *run.id), dataset.path)
            if known is not dataset.path:
                raise DatasetError(
                    f"run config={run.config} seed={run.seed} of {dataset.manifest.scenario} is in "
                    f"{known} and in {dataset.path}; each run may be given once"
                )
        for (config, seed), count in Counter(run.id for run in dataset.manifest.runs).items():
            if count > 1:
                raise DatasetError(
                    f"{dataset.path}: run config={config} seed={seed} is there {count} times; "
                    "configuration and seed must name one run"
                )
    return datasets


def name_of(dataset: Dataset) -> str:
    """What the card of a model calls a dataset: its folder, by the name that it is given."""
    return os.path.basename(os.path.abspath(dataset.path))


def manifest_digest(dataset: Dataset) -> str:
    """SHA-256 of a dataset's manifest, by which a refit knows it again."""
    return hashlib.sha256((dataset.path / MANIFEST).read_bytes()).hexdigest()


def named(datasets: Iterable[Dataset]) -> dict[str, Dataset]:
    """Datasets by the name that the card of a model gives them.

    Raises:
        DatasetError: two have the same name.
    """
    found: dict[str, Dataset] = {}
    for dataset in datasets:
        other = found.setdefault(name := name_of(dataset), dataset)
        if other is not dataset:
            raise DatasetError(
                f"{other.path} and {dataset.path} are both called {name!r}; rename one of the "
                "folders, as a model knows its datasets by their names"
            )
    return found


def explained(folder: Path) -> DatasetError | None:
    """The first error that the checker of datasets finds, if any, in one sentence."""
    for finding in check_dataset(folder).of("error"):
        places = [f"table {finding.table}"] * bool(finding.table)
        places += finding.columns[:MOST_COLUMNS]
        where = f" ({', '.join(places)})" if places else ""
        return DatasetError(
            f"{folder}: {finding.rule.problem}{where}: {finding.example}; "
            f"allowed: {finding.rule.expected}; `sixg traces check` lists all that is wrong"
        )
    return None


def is_doubtful(dataset: Dataset) -> bool:
    """Whether NS-3 has not made it, or a file is not as long as it was when it was written."""
    if not dataset.manifest.ns3_version:
        return True
    for run in dataset.manifest.runs:
        for name in (RUNS, *TABLES):
            path = dataset.path / part_path(name, *run.id)
            try:
                if path.stat().st_size != run.files[name].bytes:
                    return True
            except (OSError, KeyError):
                return True
    return False


def has_odd_values(name: str, table: pa.Table, columns: Iterable[str]) -> bool:
    """Whether numbers are missing, infinite or out of range where they must not be."""
    for column in columns:
        if pa.types.is_dictionary(table[column].type):
            continue
        values = table[column].to_numpy().astype(float)
        low, high = limits(name, column)
        missing = np.isnan(values).any() and column not in NULLS[name]
        if missing or np.isinf(values).any() or ((values < low) | (values > high)).any():
            return True
    return False
