# SPDX-License-Identifier: Apache-2.0
"""A task that is quick to play, and agents for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent_learning.bench.playing import Setup, play_trial
from agent_learning.bench.running import code_version, run
from agent_learning.bench.saving import RunFolder
from agent_learning.bench.task import AgentRole, BenchTask
from agent_learning.bench.trial import TrialRecord
from env.agents import Agent, Call, Script
from env.fidelity.playing import model_hash
from env.tasks import Task, load_task
from env.view import View
from experiment_model import DEFAULT_MODEL

Calls = list[tuple[str, dict[str, Any]]]
MakeTask = Callable[..., BenchTask]
Play = Callable[..., TrialRecord]

QUIETER: dict[str, Any] = {
    "name": "quieter",
    "intent": "Let every cell send with 30 dBm or less, but with no less than 0 dBm.",
    "scenario": "quickstart",
    "goal": [
        {"kind": "control", "path": "cells.*.tx_power_dbm", "comparison": "<=", "value": 30.0}
    ],
    "constraints": [
        {
            "kind": "kpi",
            "table": "cell",
            "kpi": "tx_power_dbm",
            "over_elements": "min",
            "comparison": ">=",
            "value": 0.0,
        }
    ],
    "advance": 2,
    "hold_intervals": 2,
    "max_changes": 6,
    "max_calls": 12,
    "reference": [
        {"tool": "set_cell_tx_power", "arguments": {"cell": c, "tx_power_dbm": 30}}
        for c in ("c0", "c1", "c2")
    ],
}


@pytest.fixture(scope="session")
def make_task() -> MakeTask:
    """Cells are to send with less; arguments replace fields of the task."""

    def make(
        seed: int = 51, agents: Sequence[AgentRole] = (), template: str = "quieter", **fields: Any
    ) -> BenchTask:
        task = Task.model_validate({**QUIETER, **fields})
        return BenchTask.make(
            template, "radio_energy", "evaluation", seed, task, agents=tuple(agents)
        )

    return make


@pytest.fixture(scope="session")
def packaged() -> list[BenchTask]:
    """Tasks of the package."""
    return [
        BenchTask.make(name, domain, "evaluation", 51, load_task(name))  # type: ignore[arg-type]
        for name, domain in (
            ("end_degradation", "slicing"),
            ("offload_vision", "edge"),
            ("move_detection", "uav"),
            ("wake_cell", "recovery"),
        )
    ]


@pytest.fixture(scope="session")
def solution() -> Calls:
    """What solves the task."""
    return [
        ("set_cell_tx_power", {"cell": cell, "tx_power_dbm": 30}) for cell in ("c0", "c1", "c2")
    ]


@pytest.fixture(scope="session")
def play() -> Play:
    """Lets agents try a task on the surrogate; a list of calls stands for one that makes them."""

    def trial(task: BenchTask, agent: Calls | Agent | dict[str, Agent], number: int = 1) -> Any:
        if isinstance(agent, list):
            agent = Script(agent)
        agents = agent if isinstance(agent, dict) else {agent.name: agent}
        setup = Setup(
            "tested",
            "surrogate",
            None,
            model_hash(DEFAULT_MODEL),
            code_version(),
            lambda name, task: agents,
        )
        return play_trial(task, number, setup)

    return trial


@pytest.fixture(scope="session")
def ran(packaged: list[BenchTask], tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Two trials of random changes at every packaged task, by two processes."""
    return run("random", packaged, tmp_path_factory.mktemp("ran"), trials=2, jobs=2)


class Talker:
    """Says that it is done, and calls nothing."""

    name = "talker"

    def start(self, intent: str, view: View, seed: int) -> None:
        self.said = ["The goal is reached.", '{"status": "success"}']

    def act(self, view: View, last: Any) -> Call | None:
        return None


@pytest.fixture
def talker() -> Agent:
    return Talker()


@pytest.fixture(scope="session")
def lines_of() -> Callable[[RunFolder], list[bytes]]:
    """Whole lines of the trials of a run, as they lie on disk."""

    def lines(folder: RunFolder) -> list[bytes]:
        return Path(folder.path / "trials.jsonl").read_bytes().splitlines(keepends=True)

    return lines
