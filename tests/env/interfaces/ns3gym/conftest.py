# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from env.backends.ns3 import Ns3Backend
from ns3_scenarios.library import load_scenario

SIXG = Path(__file__).resolve().parents[4] / "sixg.py"
BY_HAND = Path(__file__).parent / "by_hand.py"

Run = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="session")
def by_hand() -> ModuleType:
    """The protocol without the project's code."""
    spec = importlib.util.spec_from_file_location("by_hand", BY_HAND)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run() -> Iterator[Run]:
    """Starts Python programs, and ends those that still run."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def compiled() -> None:
    """The RAN model is, so that servers start within the patience of agents."""
    Ns3Backend(load_scenario("quickstart"), 1).close()


@pytest.fixture
def serve(run: Run, compiled: None) -> Run:
    """Starts `sixg serve ns3gym`."""
    return lambda *arguments: run(SIXG, "serve", "ns3gym", *arguments)


@dataclass(frozen=True)
class Server:
    """`sixg serve ns3gym quickstart`, which serves one episode after the other."""

    port: int
    max_refused: int
    stderr: Path

    def has_said(self, words: str) -> bool:
        """Whether something is on its standard error, or soon will be."""
        for _ in range(100):
            if words in self.stderr.read_text():
                return True
            time.sleep(0.1)
        return False


@pytest.fixture(scope="session")
def server(
    by_hand: ModuleType, compiled: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    agent = by_hand.Agent()
    agent.close()
    found = Server(agent.port, 500, tmp_path_factory.mktemp("ns3gym") / "stderr")
    limits = ["--max-refused", found.max_refused, "--max-message-bytes", 5000, "--action-s", 5]
    with found.stderr.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, SIXG, "serve", "ns3gym", "quickstart",
             "--port", str(found.port), *map(str, limits)],
            stderr=stderr,
        )  # fmt: skip
        yield found
        process.kill()
        process.wait()


@pytest.fixture
def agent(by_hand: ModuleType, server: Server) -> Iterator[Any]:
    """An agent in this process, of the server in another."""
    found = by_hand.Agent(server.port)
    yield found
    found.close()
