# SPDX-License-Identifier: Apache-2.0
"""What a refit keeps on disk: the runs that it simulates, and what was chosen and came of it.

It lies in a folder beside the new model, `NEW-traces`: a dataset for each dataset that candidates
came from, one for the episodes of each scenario, and `refit.json`. The same call goes on from
there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import FiniteFloat

from calibration.validation.report import Part
from ns3_scenarios.errors import DatasetError
from ns3_scenarios.library import parse_model
from ns3_scenarios.storage import MANIFEST, read_json, write_json
from ns3_scenarios.sweeps import Point


class Chosen(Part):
    """A run that was chosen."""

    dataset: str
    point: Point


class Round(Part):
    """One round of choosing, simulating and fitting."""

    chosen: tuple[Chosen, ...]
    errors: dict[str, FiniteFloat] | None = None
    """On the test seeds, by kind; null while the round is not over."""


class State(Part):
    """What `refit.json` says."""

    format: Literal["sixg-refit"] = "sixg-refit"
    model: str
    """SHA-256 of the `model.json` that is fitted anew."""
    datasets: dict[str, str]
    """SHA-256 of each manifest, by name."""
    before: dict[str, FiniteFloat]
    """Errors of that model on the test seeds, by kind."""
    rounds: tuple[Round, ...] = ()

    def chosen(self, rounds: int | None = None) -> list[Chosen]:
        """The runs that the first rounds chose, or all of them."""
        return [one for each in self.rounds[:rounds] for one in each.chosen]

    def with_round(self, number: int, this: Round) -> State:
        """The state with a round in its place."""
        rounds = (*self.rounds[:number], this, *self.rounds[number + 1 :])
        return self.model_copy(update={"rounds": rounds})


@dataclass(frozen=True)
class Traces:
    """The folder of what is simulated for a new model."""

    out: Path
    """Folder of the new model."""

    @property
    def path(self) -> Path:
        """The folder."""
        return self.out.with_name(f"{self.out.name}-traces")

    def dataset(self, name: str) -> Path:
        """Folder of the runs that come from a dataset, or from the episodes of a scenario."""
        return self.path / f"{name}-for-{self.out.name}"

    def datasets(self) -> list[Path]:
        """Folders of all datasets that are there."""
        return sorted(path.parent for path in self.path.glob(f"*/{MANIFEST}"))

    def state(self, model: str, datasets: Mapping[str, str]) -> State | None:
        """What an earlier call left, if there was one.

        Args:
            model: SHA-256 of the `model.json` that is fitted anew.
            datasets: SHA-256 of each manifest, by name.

        Raises:
            DatasetError: it was another refit's.
        """
        if not self._file.exists():
            return None
        state = parse_model(State, read_json(self._file), str(self._file), DatasetError)
        if (state.model, state.datasets) != (model, dict(datasets)):
            raise DatasetError(
                f"{self.path} belongs to the refit of another model or of other datasets; "
                "choose another --out, or delete the folder"
            )
        return state

    def keep(self, state: State) -> State:
        """Write the state."""
        write_json(self._file, state.model_dump(mode="json"))
        return state

    @property
    def _file(self) -> Path:
        return self.path / "refit.json"
