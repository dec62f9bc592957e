# SPDX-License-Identifier: Apache-2.0
"""Episodes that agents played: which are used, which are held out, and what weight they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from calibration.samples import Samples, concatenated, split_of
from ns3_scenarios.episode import Episode, load_episodes
from ns3_scenarios.errors import DatasetError

HELD_OUT_SHARE = 0.2
"""Of the episodes, which tell what the others are worth."""
EPISODE_SHARE = 0.2
"""Of the rows of a kind in a scenario, that episodes have in the fit."""
MOST_REPEATS = 20


def training_episodes(folder: str | Path) -> list[Episode]:
    """The episodes in a folder.

    Raises:
        DatasetError: an episode cannot be read, or has a seed of the test split.
    """
    episodes = load_episodes(folder)
    for episode in episodes:
        if split_of(episode.key, episode.seed) == "test":
            raise DatasetError(
                f"{folder}: an episode of {episode.scenario.name} has seed={episode.seed}, which "
                "is kept for tests (51-80); play episodes with seeds from 1 to 50"
            )
    return episodes


def by_scenario(episodes: Sequence[Episode]) -> dict[str, list[Episode]]:
    """Episodes by the name of their scenario."""
    found: dict[str, list[Episode]] = {}
    for episode in episodes:
        found.setdefault(episode.scenario.name, []).append(episode)
    return found


def held_out_of(episodes: Sequence[Episode]) -> set[str]:
    """Keys of the episodes that nothing is fitted on; none of a single one."""
    keys = sorted(
        {e.key: e.seed for e in episodes}.items(), key=lambda item: (split_of(*item) == "fit", item)
    )
    count = int(np.ceil(HELD_OUT_SHARE * len(keys))) if len(keys) > 1 else 0
    return {key for key, _ in keys[:count]}


def with_episodes(
    samples: Mapping[str, Samples], replayed: Mapping[str, Samples]
) -> dict[str, Samples]:
    """Samples with those of episodes, so often that they are a fifth of their scenario."""
    return {
        kind: _favoured(every, replayed[kind]) if kind in replayed else every
        for kind, every in samples.items()
    }


def _favoured(samples: Samples, replayed: Samples) -> Samples:
    scenarios = np.unique(replayed.scenario)
    others = int(np.isin(samples.scenario, scenarios).sum())
    wanted = EPISODE_SHARE / (1 - EPISODE_SHARE) * others / len(replayed)
    repeats = int(np.clip(np.ceil(wanted), 1, MOST_REPEATS))
    return concatenated([samples, *[replayed] * repeats])
