# SPDX-License-Identifier: Apache-2.0
"""Recorded runs, played again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from env.backends.making import make_backend
from env.backends.replay import ReplayBackend
from env.environment import Environment
from env.errors import BackendError, EnvUserError, ToolError
from experiment_model import DEFAULT_MODEL, ExperimentModel
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.episode import Episode, replay
from ns3_scenarios.errors import ControlError
from ns3_scenarios.kpi import TABLES
from ns3_scenarios.library import load_scenario
from ns3_scenarios.scenario import ScenarioConfig

POWER = ControlChange(interval=3, path="cells.c0.tx_power_dbm", value=30.0)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """An episode of `quickstart` in which one change was made."""
    episode = Episode(scenario=load_scenario("quickstart"), seed=1, n_intervals=6, changes=(POWER,))
    return replay([episode], tmp_path_factory.mktemp("recording") / "dataset")


@pytest.fixture
def played(recording: Dataset) -> ReplayBackend:
    config, seed = recording.manifest.runs[0].id
    return ReplayBackend.of_dataset(recording, config, seed)


def test_plays_what_was_recorded(played: ReplayBackend, recording: Dataset) -> None:
    played.advance(4)
    for name in TABLES:
        table = recording.table(name).drop_columns(["config", "seed"])
        joined = pa.concat_tables([kpis.to_arrow(name) for kpis in played.history])
        assert joined.to_pylist() == table.to_pylist()
    with pytest.raises(BackendError, match="the recording is over: it has 6 intervals"):
        played.advance(1)


def test_makes_recorded_changes_by_itself_and_takes_no_others(played: ReplayBackend) -> None:
    with pytest.raises(ControlError, match="at interval 2 these are: none"):
        played.apply([POWER])
    played.advance(1)
    before = played.state_hash()
    with pytest.raises(ControlError, match=r"these are: cells\.c0\.tx_power_dbm=30"):
        played.apply([POWER.model_copy(update={"value": 31.0})])
    assert played.state_hash() == before
    played.apply([POWER])
    assert played.state_hash() == before
    played.advance(1)
    assert played.controls.cells["c0"].tx_power_dbm == 30
    assert played.history[-1].rows("cell", cell="c0")[0]["tx_power_dbm"] == 30


def test_an_agent_that_acts_otherwise_is_told_so(played: ReplayBackend) -> None:
    with Environment(played) as environment:
        answer = environment.call("set_cell_tx_power", {"cell": "c0", "tx_power_dbm": 30})
        assert answer.content["code"] == "not_allowed"
        assert "recording" in answer.content["message"]


def test_does_not_read_ahead(played: ReplayBackend, recording: Dataset) -> None:
    config, seed = recording.manifest.runs[0].id
    again = ReplayBackend.of_dataset(recording, config, seed)
    futures = played.futures((), 2, 2)
    assert futures.served_by == "surrogate"
    again.advance(1)
    recorded = again.history[-1].column("flow", "sent_bits")
    assert all((d[0].column("flow", "sent_bits") != recorded).any() for d in futures.draws)


def test_without_a_model_that_fits_it_cannot_look_ahead(
    everything: ScenarioConfig,
    recordings: Callable[[int], dict[str, pa.Table]],
    model: ExperimentModel,
) -> None:
    kinds = {k: v for k, v in model.spec.kinds.items() if k != "link"}
    files = {p.name: p.read_bytes() for p in Path(DEFAULT_MODEL).glob("*.ubj")}
    lesser = ExperimentModel(model.spec.model_copy(update={"kinds": kinds}), files)
    played = ReplayBackend(everything, 1, recordings(1), model=lesser)
    with pytest.raises(ToolError, match="does not know link") as caught:
        played.futures((), 1, 1)
    assert caught.value.code == "unavailable"


def test_is_found_in_a_dataset_by_scenario_and_seed(recording: Dataset) -> None:
    scenario = recording.scenario(recording.manifest.runs[0].config)
    backend = make_backend("replay", scenario, 1, recording=recording)
    assert backend.served_by == "replay"
    with pytest.raises(EnvUserError, match="no run of scenario 'quickstart' with seed 2"):
        make_backend("replay", scenario, 2, recording=recording.path)


def test_needs_all_tables_and_the_warm_up(
    everything: ScenarioConfig, recordings: Callable[[int], dict[str, pa.Table]]
) -> None:
    tables = recordings(1)
    with pytest.raises(EnvUserError, match="lacks the table link"):
        ReplayBackend(everything, 1, {n: t for n, t in tables.items() if n != "link"})
    first = {
        name: table.filter(pa.compute.equal(table["interval"], 0)) for name, table in tables.items()
    }
    with pytest.raises(EnvUserError, match="has 1 intervals; a replay needs at least 2"):
        ReplayBackend(everything, 1, first)
