# SPDX-License-Identifier: Apache-2.0
"""The datasets that a model was fitted on, which its refit needs as they were."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from calibration.checks import manifest_digest, named
from experiment_model import ExperimentModel
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.errors import DatasetError


def check_datasets(model: ExperimentModel, folders: Iterable[str | Path]) -> dict[str, str]:
    """Make sure that the datasets of a model are all there and as they were.

    Returns:
        SHA-256 of each manifest, by name of the dataset; further datasets among them.

    Raises:
        DatasetError: one is missing, is another one, or has the name of another one.
    """
    datasets = named([Dataset.open(folder) for folder in folders])
    found = {name: manifest_digest(dataset) for name, dataset in datasets.items()}
    for name, digest in model.card.data.datasets.items():
        if name not in found:
            raise DatasetError(
                f"dataset {name!r}, on which the model was fitted, is missing; a refit needs "
                f"{', '.join(model.card.data.datasets)}"
            )
        if found[name] != digest:
            raise DatasetError(
                f"dataset {name!r} is not what the model was fitted on: its manifest has the "
                f"SHA-256 {found[name][:12]}…, where the model's card says {digest[:12]}…"
            )
    return found
