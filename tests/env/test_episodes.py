# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from env.backends.ns3 import Ns3Backend
from env.environment import Environment
from env.episodes import LOG, Header, Log, Recorder, now_utc, read_log, read_logs
from env.errors import EnvUserError
from env.playing import play_again
from ns3_scenarios.episode import replay
from ns3_scenarios.library import load_scenario


def played(folder: Path, *, end: bool = True) -> Log:
    """An episode with a change, a refusal, a read, a rollback and time that passed."""
    scenario = load_scenario("quickstart")
    with Environment(Ns3Backend(scenario, 1)) as environment:
        header = Header(
            scenario=scenario, seed=1, backend="ns3", started=now_utc(), code_version="test"
        )
        recorder = Recorder(folder, environment, header)
        environment.call("set_cell_tx_power", {"cell": "c0", "tx_power_dbm": 30}, agent="a")
        environment.call("set_cell_tx_power", {"cell": "c9", "tx_power_dbm": 30})
        environment.call("get_cell_config", {"cell": "c0"})
        environment.run_on(2)
        environment.call("rollback_change", {"change_id": "c1"})
        if end:
            recorder.end("ended")
        return read_log(recorder.path)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return played(tmp_path_factory.mktemp("episodes"))


def test_log_has_every_event_and_the_kpis(log: Log) -> None:
    assert [call.ok for call in log.calls] == [True, False, True, True, True]
    assert [call.interval for call in log.calls] == [3, 3, 3, 5, 6]
    assert log.calls[1].content["code"] == "no_such_element"
    assert [c.path for c in log.calls[0].changes] == ["cells.c0.tx_power_dbm"]
    assert log.ending is not None
    assert (log.ending.calls, log.ending.changes, log.ending.intervals) == (4, 2, 6)
    cells = pq.read_table(log.path / "kpis" / "cell.parquet").to_pandas()
    first = cells[cells["cell"] == "c0"]
    assert first["interval"].tolist() == [0, 1, 2, 3, 4, 5]
    assert first["tx_power_dbm"].tolist() == [38, 38, 30, 30, 30, 38]


def test_playing_again_gives_the_same_answers_and_states(log: Log, tmp_path: Path) -> None:
    header = log.header
    played = play_again(lambda: Ns3Backend(header.scenario, header.seed), log, episodes=tmp_path)
    assert played.path
    assert read_log(played.path).calls == log.calls


def test_sweep_machinery_replays_it_to_the_same_kpis(log: Log, tmp_path: Path) -> None:
    dataset = replay([log.for_ns3()], tmp_path / "dataset")
    there = dataset.to_pandas("cell")["dl_throughput_mbps"]
    here = pq.read_table(log.path / "kpis" / "cell.parquet")["dl_throughput_mbps"]
    assert there.tolist() == here.to_pylist()


def test_killed_episode_is_read_as_far_as_it_went(tmp_path: Path) -> None:
    log = played(tmp_path, end=False)
    file = log.path / LOG
    file.write_text(file.read_text()[:-20])
    cut = read_log(log.path)
    assert cut.ending is None
    assert cut.calls == log.calls[:-1]
    assert [found.name for found in read_logs(tmp_path)] == [log.name]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("{}\n", "line 1 is no line"),
        ("[1]\n", "line 1 is no line"),
        ('{"call": {}}\n', "has no place"),
        ('{"header": {"seed": -1}}\n', "line 1"),
    ],
)
def test_damaged_log_is_refused_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / LOG).write_text(text)
    with pytest.raises(EnvUserError, match=said):
        read_log(tmp_path)


def test_missing_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvUserError, match="cannot read"):
        read_log(tmp_path / "none")
