# SPDX-License-Identifier: Apache-2.0
"""Episodes that agents played, on a surrogate or elsewhere, to be replayed on NS-3.

A file is JSON: a scenario by its name or whole, a seed, the number of reporting intervals, and the
control changes that the agent made. KPIs that it saw may be there, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, field_validator

from ns3_scenarios.controls import ControlChange, check_schedule
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.errors import ControlError, DatasetError, ScenarioError, UserError
from ns3_scenarios.library import load_scenario, parse_model
from ns3_scenarios.scenario import Model, ScenarioConfig
from ns3_scenarios.storage import write_json
from ns3_scenarios.sweeps import Plan, Progress, Run, run_plan
from ns3_scenarios.sweeps.design import Config
from ns3_scenarios.sweeps.spec import MAX_SEED

FORMAT: Final = "sixg-episode"
SUFFIX = ".json"


class Episode(Model):
    """What an agent did to a network."""

    format: Literal["sixg-episode"] = FORMAT
    format_version: Literal[1] = 1
    scenario: ScenarioConfig = Field(description="A name, or a whole scenario.")
    seed: int = Field(ge=0, le=MAX_SEED, description="Of the simulation that replays it.")
    n_intervals: int = Field(ge=1, le=1_000_000, description="Reporting intervals.")
    changes: tuple[ControlChange, ...] = ()
    kpis: Any = Field(default=None, description="What the agent saw; not needed to replay it.")

    @field_validator("scenario", mode="before")
    @classmethod
    def _load(cls, scenario: Any) -> Any:
        return load_scenario(scenario) if isinstance(scenario, str) else scenario

    @property
    def key(self) -> str:
        """Names the episode: equal ones, whatever KPIs were seen, have equal names."""
        text = self.scenario.canonical_json() + json.dumps(
            [self.seed, self.n_intervals, [c.model_dump(mode="json") for c in self.changes]]
        )
        return f"episode-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def run(self) -> Run:
        """The simulation that replays it.

        Raises:
            ControlError: a change names no control or an impossible value.
            ScenarioError: the scenario cannot last so many intervals.
        """
        data = self.scenario.model_dump()
        data["duration_s"] = self.n_intervals * self.scenario.interval_ms * 1e-3
        scenario = parse_model(ScenarioConfig, data, self.scenario.name)
        changes = tuple(sorted(self.changes, key=lambda change: change.interval))
        check_schedule(changes, scenario)
        return Run(Config(self.key, scenario, (), {}), self.seed, changes)

    def save(self, path: str | Path) -> None:
        """Write the episode.

        Raises:
            DatasetError: the file cannot be written.
        """
        write_json(Path(path), self.model_dump(mode="json"))


def load_episode(path: str | Path) -> Episode:
    """Read an episode, and make sure that it can be replayed.

    Raises:
        DatasetError: missing, unreadable or impossible; the message names file and field.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise DatasetError(f"cannot read {path}: {what}") from None
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON: {error}") from None
    try:
        episode = parse_model(Episode, data, str(path), DatasetError)
        episode.run()
    except (ScenarioError, ControlError) as error:
        raise DatasetError(f"{path}: {error}") from None
    return episode


def load_episodes(folder: str | Path) -> list[Episode]:
    """All episodes of a folder, in the order of their files.

    Raises:
        DatasetError: no such folder, no episode in it, or one that cannot be read.
    """
    found = sorted(Path(folder).glob(f"*{SUFFIX}"))
    if not found:
        raise DatasetError(f"{folder} has no episode: there is no file *{SUFFIX} in it")
    return [load_episode(path) for path in found]


def replay(
    episodes: Sequence[Episode],
    folder: str | Path,
    jobs: int = 1,
    on_progress: Callable[[Progress], None] | None = None,
) -> Dataset:
    """Simulate episodes of one scenario on NS-3, but for those that the dataset has already.

    Args:
        episodes: of one scenario; of equal ones, one is replayed.
        folder: of the dataset.
        jobs: simulations at the same time.
        on_progress: told where it stands.

    Raises:
        SixgError: as `ns3_scenarios.sweeps.sweep` does.
    """
    runs = tuple({episode.key: episode.run() for episode in episodes}.values())
    if not runs:
        raise UserError("there is no episode to replay")
    whole = Plan(None, (), tuple(run.config for run in runs), runs)
    return run_plan(whole, folder, jobs, on_progress)
