# SPDX-License-Identifier: Apache-2.0
"""The designs of datasets, of which further points can be simulated: `Designs`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path

from calibration.checks import name_of
from calibration.refitting.state import Chosen
from calibration.samples import split_of
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.sweeps import Run, SweepSpec, parse_spec, plan, spec_of

TRAINING_SEEDS = range(1, 51)


class Designs:
    """The sweeps of datasets that can be made larger.

    Args:
        folders: of the datasets.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    @cached_property
    def _specs(self) -> dict[str, SweepSpec]:
        found = {}
        for folder in self._folders:
            dataset = Dataset.open(folder)
            if dataset.manifest.spec is None:
                continue
            spec = spec_of(dataset.manifest)
            if spec.vary and spec.design != "grid":
                found[name_of(dataset)] = spec
        return found

    def candidates(
        self, before: Sequence[Chosen], most: int, on_design: Callable[[str], None]
    ) -> list[tuple[str, Run]]:
        """Runs that could be simulated, each with the dataset whose design it belongs to.

        Their number is shared out as the configurations of the designs are; of each design those
        are kept that are new and that the split fits on.

        Args:
            before: runs that were chosen already.
            most: points of the designs that are looked at.
            on_design: told of each dataset whose design is made larger.
        """
        seen = {key for folder in self._folders for key in Dataset.open(folder).manifest.configs}
        seen |= {run.config.key for name in self._specs for run in self.runs_of(name, before)}
        sizes = {name: spec.n_configs or 0 for name, spec in self._specs.items()}
        found = []
        for name, spec in self._specs.items():
            on_design(name)
            more = max(1, round(most * sizes[name] / sum(sizes.values())))
            wider = spec.model_copy(
                update={
                    "n_configs": sizes[name] + len(before) + more,
                    "seeds": tuple(TRAINING_SEEDS),
                    "seeds_per_config": 1,
                }
            )
            found += [
                (name, run)
                for run in plan(wider).runs
                if run.config.key not in seen and split_of(*run.id) == "fit"
            ]
        return found

    def runs_of(self, name: str, chosen: Iterable[Chosen]) -> tuple[Run, ...]:
        """What was chosen of a dataset's design, as runs."""
        spec = self.sweep_of(name, chosen)
        return plan(spec).runs if spec else ()

    def sweep_of(self, name: str, chosen: Iterable[Chosen]) -> SweepSpec | None:
        """The sweep of what was chosen of a dataset's design, if anything was."""
        points = [one.point for one in chosen if one.dataset == name]
        if not points:
            return None
        said = self._specs[name].model_dump(
            mode="json", exclude={"vary", "n_configs", "seeds", "seeds_per_config", "points"}
        )
        return parse_spec(
            {
                **said,
                "description": f"Runs that were chosen from the design of {name}.",
                "design": "listed",
                "points": [point.model_dump(mode="json") for point in points],
            }
        )
