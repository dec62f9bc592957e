# SPDX-License-Identifier: Apache-2.0
"""Episodes that agents played are read, refused where they are impossible, and replayed."""

import json

import pytest

from ns3_scenarios.controls import ControlChange
from ns3_scenarios.episode import Episode, load_episode, load_episodes, replay
from ns3_scenarios.errors import DatasetError
from ns3_scenarios.simulate import simulate

SAID = {
    "format": "sixg-episode",
    "format_version": 1,
    "scenario": "quickstart",
    "seed": 3,
    "n_intervals": 3,
    "changes": [
        {"interval": 2, "path": "cells.c0.tilt_deg", "value": 3},
        {"interval": 1, "path": "cells.*.tx_power_dbm", "value": 33},
    ],
    "kpis": [{"throughput_mbps": 12.5}],
}


def written(folder, **changes):
    path = folder / "episode.json"
    path.write_text(json.dumps({**SAID, **changes}))
    return path


def test_episode_survives_its_file(tmp_path):
    episode = load_episode(written(tmp_path))
    assert episode.scenario.name == "quickstart"
    assert episode.kpis == SAID["kpis"]
    episode.save(tmp_path / "again.json")
    assert load_episode(tmp_path / "again.json") == episode
    assert load_episodes(tmp_path) == [episode, episode]


def test_name_depends_on_what_is_replayed(tmp_path):
    episode = load_episode(written(tmp_path))
    assert load_episode(written(tmp_path, kpis=None)).key == episode.key
    assert load_episode(written(tmp_path, seed=4)).key != episode.key
    assert load_episode(written(tmp_path, changes=[])).key != episode.key


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": "other"}, "format='other' is not allowed"),
        ({"seed": -1}, "seed=-1 is not allowed; it must be at least 0"),
        ({"n_intervals": 0}, "n_intervals=0 is not allowed"),
        ({"scenario": "nowhere"}, "there is no scenario 'nowhere'"),
        ({"reward": 1}, "reward is not a field"),
        (
            {"changes": [{"interval": 0, "path": "cells.c9.tilt_deg", "value": 3}]},
            "cells.c9.tilt_deg",
        ),
        (
            {"changes": [{"interval": 0, "path": "cells.c0.tx_power_dbm", "value": 900}]},
            "tx_power_dbm",
        ),
    ],
)
def test_impossible_episode_is_one_clear_error(tmp_path, changes, says):
    with pytest.raises(DatasetError) as caught:
        load_episode(written(tmp_path, **changes))
    assert str(caught.value).startswith(str(tmp_path / "episode.json"))
    assert says in str(caught.value)


def test_folder_without_episodes_is_one_clear_error(tmp_path):
    with pytest.raises(DatasetError, match="has no episode"):
        load_episodes(tmp_path)


def test_replay_is_the_simulation_of_the_same_changes(tmp_path):
    episode = load_episode(written(tmp_path))
    dataset = replay([episode, episode], tmp_path / "replayed")
    assert [run.id for run in dataset.manifest.runs] == [(episode.key, 3)]
    assert dataset.is_complete
    changes = [ControlChange(**change) for change in reversed(SAID["changes"])]
    traces = simulate("quickstart", changes, seed=3, duration_s=0.6)
    again = dataset.table("cell", columns=["dl_throughput_mbps", "power_w"])
    assert again.drop_columns(["config", "seed"]).to_pydict() == (
        traces["cell"].select(["dl_throughput_mbps", "power_w"]).to_pydict()
    )
    more = Episode(scenario=episode.scenario, seed=4, n_intervals=2)
    assert len(replay([episode, more], tmp_path / "replayed")) == 2
