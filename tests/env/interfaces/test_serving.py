# SPDX-License-Identifier: Apache-2.0
"""`sixg serve mcp` as an operator starts it and a client meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from env.backends import making
from env.cli import numbered_maker
from env.episodes import read_logs
from experiment_model import DEFAULT_MODEL, ExperimentModel
from ns3_scenarios.library import load_scenario

SIXG = str(Path(__file__).resolve().parents[3] / "sixg.py")
TASK = {
    "name": "quieter",
    "intent": "Let cell c0 send with 30 dBm or less.",
    "scenario": "quickstart",
    "goal": [
        {"kind": "control", "path": "cells.c0.tx_power_dbm", "comparison": "<=", "value": 30.0}
    ],
    "tools": ["get_cell_config", "set_cell_tx_power"],
}


@pytest.mark.parametrize("backend", ["surrogate", "ns3"])
def test_client_reaches_the_goal_of_a_task(backend: str, tmp_path: Path) -> None:
    task = tmp_path / "task.yaml"
    task.write_text(yaml.safe_dump(TASK))
    served = ["serve", "mcp", task, "--backend", backend, "--seed", 3, "--out", tmp_path / "kept"]

    async def main() -> None:
        server = StdioServerParameters(
            command=sys.executable, args=[SIXG, *map(str, served)], env=dict(os.environ)
        )
        async with Client(server) as client:
            tools = (await client.list_tools()).tools
            assert [tool.name for tool in tools] == TASK["tools"]
            intent = await client.read_resource("sixg://task")
            assert str(TASK["intent"]) in intent.contents[0].text  # type: ignore[union-attr]
            power = {"cell": "c0", "tx_power_dbm": 30.0}
            assert not (await client.call_tool("set_cell_tx_power", power)).is_error
            after = await client.call_tool("get_cell_config", {"cell": "c0"})
            assert after.is_error
            assert "the goal is reached" in after.content[0].text  # type: ignore[union-attr]

    anyio.run(main)
    (log,) = read_logs(tmp_path / "kept")
    assert (log.header.seed, log.header.backend, log.header.agent) == (3, backend, "mcp")
    assert log.ending is not None
    assert (log.ending.outcome, log.ending.calls) == ("success", 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "neither a task"),
        (("quickstart", "--http", "--host", "0.0.0.0"), "needs a token"),
        (("quickstart", "--http", "--token-file", "none"), "the token file none cannot be read"),
        (("quickstart", "--call-s", "0"), "call_s=0"),
        (("quickstart", "--backend", "replay"), "replay"),
        (("quickstart", "--model", "none"), "there is no folder none"),
        (("quickstart", "--seed", str(2**64)), "seed=18446744073709551616 is not allowed"),
    ],
)
def test_operators_mistake_gets_one_sentence(arguments: tuple[str, ...], said: str) -> None:
    ended = subprocess.run(
        [sys.executable, SIXG, "serve", "mcp", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert ended.returncode == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_arguments_are_checked_and_the_model_is_read_before_any_network_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[Any] = []
    load = ExperimentModel.load
    monkeypatch.setattr(ExperimentModel, "load", lambda path: read.append(path) or load(path))
    started: list[int] = []
    monkeypatch.setattr(making, "SurrogateBackend", lambda _, seed, __: started.append(seed))
    make = numbered_maker("surrogate", load_scenario("quickstart"), 4, DEFAULT_MODEL)
    assert (read, started) == ([DEFAULT_MODEL], [])
    for number in range(3):
        make(number)
    assert (len(read), started) == (1, [4, 5, 6])
