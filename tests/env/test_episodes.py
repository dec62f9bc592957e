# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import resource
import shutil
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from env.backends.ns3 import Ns3Backend
from env.backends.surrogate import SurrogateBackend
from env.environment import Environment
from env.episodes import LOG, Header, Log, Recorder, now_utc, read_log, read_logs
from env.errors import EnvUserError
from env.exporting import export
from env.narrating import told
from env.playing import play_again
from env.verifying import recorded_headline
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


def test_full_disk_is_one_sentence_and_the_log_stays_whole(tmp_path: Path) -> None:
    scenario = load_scenario("quickstart")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Environment(SurrogateBackend(scenario, 1)) as environment:
        header = Header(
            scenario=scenario, seed=1, backend="surrogate", started=now_utc(), code_version="test"
        )
        recorder = Recorder(tmp_path, environment, header)
        most = (recorder.path / LOG).stat().st_size + 3000
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
        try:
            with pytest.raises(EnvUserError, match=r"cannot write the episode .*: File too large"):
                [environment.call("get_cell_config", {"cell": "c0"}) for _ in range(100)]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with pytest.raises(EnvUserError, match="File too large"):  # a call would be missing
            environment.call("get_cell_config", {"cell": "c1"})
        with pytest.raises(EnvUserError, match="File too large"):
            recorder.end("ended")
    log = read_log(recorder.path)
    assert 0 < len(log.calls) < len(environment.events)
    assert (recorder.path / LOG).read_bytes().endswith(b"}}\n")
    assert log.ending is None


def test_damaged_kpis_are_named(log: Log, tmp_path: Path) -> None:
    copied = tmp_path / "kept" / "damaged"
    shutil.copytree(log.path, copied)
    file = copied / "kpis" / "network.parquet"
    file.write_bytes(file.read_bytes()[:100])
    for use in (recorded_headline, lambda _: export(tmp_path / "kept", tmp_path / "out")):
        with pytest.raises(EnvUserError, match=r"cannot read .*network.parquet"):
            use(copied)
    file.unlink()
    with pytest.raises(EnvUserError, match="has no KPIs of network"):
        recorded_headline(copied)


JUNK = st.sampled_from([None, 0, -1, "", [], {}, 1e300, "x" * 50, True, {"a": {"b": [1]}}])


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_log_that_was_tampered_with_is_read_or_refused(
    log: Log, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lines = (log.path / LOG).read_bytes().splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 1))
    if data.draw(st.booleans()):
        cut = data.draw(st.integers(0, len(lines[at])))
        lines[at] = lines[at][:cut] + data.draw(st.binary(max_size=5)) + lines[at][cut + 1 :]
    else:
        entry = json.loads(lines[at])
        (inside,) = entry.values()
        inside[data.draw(st.sampled_from(sorted(inside)))] = data.draw(JUNK)
        lines[at] = json.dumps(entry).encode() + b"\n"
    file = tmp_path_factory.getbasetemp() / "tampered.jsonl"
    file.write_bytes(b"".join(lines))
    with suppress(EnvUserError):
        for call in read_log(file).calls:
            assert told(call.tool, call.arguments, call.ok, call.content, call.interval)
