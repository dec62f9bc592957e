# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

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


@pytest.fixture
def serve(run: Run) -> Run:
    """Starts `sixg serve ns3gym`."""
    return lambda *arguments: run(SIXG, "serve", "ns3gym", *arguments)


@pytest.fixture
def agent(by_hand: ModuleType) -> Iterator[Any]:
    """An agent in this process; the simulation is in another."""
    found = by_hand.Agent()
    yield found
    found.close()
