# SPDX-License-Identifier: Apache-2.0
"""The commands about tools, tasks and episodes as a user meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from env.tools import TOOLS

COMMAND = [sys.executable, str(Path(__file__).resolve().parents[2] / "sixg.py")]
TASK = {
    "name": "quieter",
    "intent": "Let cell c0 send with 30 dBm or less.",
    "scenario": "quickstart",
    "goal": [
        {"kind": "control", "path": "cells.c0.tx_power_dbm", "comparison": "<=", "value": 30.0}
    ],
    "max_changes": 3,
}


def sixg(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended


def result(*arguments: object, status: int = 0) -> Any:
    return json.loads(sixg(*arguments, "--json", status=status).stdout)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("task") / "quieter.yaml"
    path.write_text(yaml.safe_dump(TASK))
    return path


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("script") / "script.json"
    calls = [
        {"tool": "get_cell_config", "arguments": {"cell": "c0"}},
        {"tool": "set_cell_tx_power", "arguments": {"cell": "c0", "tx_power_dbm": 30}},
    ]
    path.write_text(json.dumps(calls))
    return path


@pytest.fixture(scope="module")
def played(
    task: Path, script: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """A folder of episodes with one in it, and what `run` said of that."""
    folder = tmp_path_factory.mktemp("episodes")
    return folder, result("run", task, "--agent", f"script:{script}", "--out", folder)


def test_tools_are_listed_and_described() -> None:
    assert [tool["name"] for tool in result("tools")] == list(TOOLS)
    one = result("tools", "set_cell_tx_power")
    assert one["parameters"] == TOOLS["set_cell_tx_power"].schema
    assert "tx_power_dbm" in sixg("tools", "set_cell_tx_power").stdout


def test_scripted_agent_succeeds_at_a_task(played: tuple[Path, dict[str, Any]]) -> None:
    _, found = played
    assert (found["outcome"], found["calls"], found["changes"]) == ("success", 2, 1)
    assert found["reason"] == "the goal is reached"


def test_agent_that_does_nothing_fails(task: Path, tmp_path: Path) -> None:
    found = result("run", task, "--agent", "hold", "--out", tmp_path)
    assert found["outcome"] == "failure"
    assert "stopped" in found["reason"]
    (listed,) = result("episodes", "list", tmp_path)
    assert (listed["calls"], listed["intervals"]) == (0, found["intervals"])


def test_episode_is_listed_shown_and_exported(
    played: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, found = played
    (listed,) = result("episodes", "list", folder)
    assert listed["outcome"] == "success"
    shown = sixg("episodes", "show", found["path"]).stdout
    assert "cells.c0.tx_power_dbm: 38.0 -> 30.0" in shown
    sixg("episodes", "export", folder, "--out", tmp_path / "out")
    calls = pq.read_table(tmp_path / "out" / "calls.parquet").to_pandas()
    assert calls["tool"].tolist() == ["get_cell_config", "set_cell_tx_power"]
    cells = pq.read_table(tmp_path / "out" / "cell.parquet").to_pandas()
    assert cells[cells["cell"] == "c0"]["tx_power_dbm"].tolist() == [38, 38, 30]


def test_episode_is_verified_on_live_ns3(played: tuple[Path, dict[str, Any]]) -> None:
    found = result("verify", played[1]["path"])
    assert found["agrees"]
    assert (found["recorded_on"], found["replayed_on"]) == ("surrogate", "ns3")
    assert found["replayed_outcome"] == "success"
    assert {d["slice"] for d in found["differences"]} == {"embb", "urllc", "mmtc"}


def test_verifying_notices_another_outcome(
    task: Path, script: Path, tmp_path: Path, played: tuple[Path, dict[str, Any]]
) -> None:
    log = Path(played[1]["path"]) / "episode.jsonl"
    told = log.read_text().replace('"outcome":"success"', '"outcome":"failure"')
    (tmp_path / "lying").mkdir()
    (tmp_path / "lying" / "episode.jsonl").write_text(told)
    (tmp_path / "lying" / "kpis").symlink_to(log.parent / "kpis")
    assert not result("verify", tmp_path / "lying", status=1)["agrees"]


def test_episode_is_replayed_alike(played: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    _, found = played
    again = result("episodes", "replay", found["path"], "--out", tmp_path)
    one, other = (
        (Path(each["path"]) / "episode.jsonl").read_text().splitlines()[1:]
        for each in (found, again)
    )
    assert one == other


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tools", "set_x"), "no tool 'set_x'"),
        (("tasks", "x"), "no task 'x'"),
        (("run", "nowhere"), "neither a task"),
        (("run", "nowhere.yaml"), "cannot read nowhere.yaml"),
        (("run", "quickstart", "--backend", "x"), "backend='x' is not allowed"),
        (("run", "quickstart", "--agent", "x"), "agent='x' is not allowed"),
        (("run", "quickstart", "--agent", "script:none"), "cannot read none"),
        (("run", "quickstart", "--model", "none"), "none"),
        (("verify", "none"), "cannot read the episode"),
        (("episodes", "show", "none"), "cannot read the episode"),
        (("episodes", "list", "none"), "there is no folder none"),
        (("episodes", "export", "none", "--out", "out"), "has no episode"),
    ],
)
def test_mistakes_get_one_sentence(arguments: tuple[str, ...], said: str) -> None:
    ended = sixg(*arguments, status=2)
    assert said in ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"goal": []}, "goal"),
        ({"scenario": "nowhere"}, "nowhere"),
        ({"tools": ["fly"]}, "tools.0='fly'"),
        ({"goal": [{**TASK["goal"][0], "path": "cells.c9.tx_power_dbm"}]}, "goal.0.path"),  # type: ignore[index]
        ({"goal": [{**TASK["goal"][0], "comparison": "~"}]}, "comparison"),  # type: ignore[index]
        ({"settings": [{"interval": 0, "path": "cells.c0.tx_power_dbm", "value": 1e3}]}, "1000"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_impossible_task_is_refused_in_a_sentence(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(yaml.safe_dump({**TASK, **change}))
    ended = sixg("run", path, "--out", tmp_path, status=2)
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
