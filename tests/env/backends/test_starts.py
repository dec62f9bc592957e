# SPDX-License-Identifier: Apache-2.0
"""States of NS-3 that are kept for episodes without it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from env.backends import starts
from env.backends.starts import start_of, start_path
from env.errors import BackendError
from ns3_scenarios.errors import BuildError
from ns3_scenarios.kpi import TABLES
from ns3_scenarios.library import load_scenario

SCENARIO = load_scenario("quickstart")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    starts._tables.cache_clear()
    return tmp_path


@pytest.fixture
def without_ns3(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Takes NS-3 away, as where it is not installed."""

    def fails(*_: object) -> None:
        raise BuildError("ns-3 is not installed; install it with: pip install ns3")

    def take_away() -> None:
        starts._tables.cache_clear()
        monkeypatch.setattr(starts, "LiveSimulation", fails)

    return take_away


def content(seed: int) -> list[dict[str, list[object]]]:
    return [
        {name: kpis.to_arrow(name).to_pylist() for name in TABLES}
        for kpis in start_of(SCENARIO, seed)
    ]


def test_a_start_is_simulated_once(cache: Path, without_ns3: Callable[[], None]) -> None:
    made = content(1)
    without_ns3()
    assert content(1) == made
    assert [k.interval for k in start_of(SCENARIO, 1)] == [0, 1]
    assert start_path(SCENARIO, 1).stat().st_size < 40_000


def test_without_ns3_a_start_that_is_not_kept_is_one_clear_error(
    cache: Path, without_ns3: Callable[[], None]
) -> None:
    without_ns3()
    with pytest.raises(BackendError, match=r"'quickstart' with seed 7 .* ns-3 is not installed"):
        start_of(SCENARIO, 7)


@pytest.mark.parametrize("damage", [b"", b"no start", None])
def test_a_damaged_file_is_made_anew(cache: Path, damage: bytes | None) -> None:
    made = content(1)
    path = start_path(SCENARIO, 1)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    path.write_bytes(bytes(flipped) if damage is None else damage)
    starts._tables.cache_clear()
    assert content(1) == made
    assert path.read_bytes() == whole


def test_two_processes_may_make_the_same_start_at_once(cache: Path) -> None:
    code = (
        "from env.backends.starts import start_of\n"
        "from ns3_scenarios.library import load_scenario\n"
        "print(start_of(load_scenario('quickstart'), 3)[-1].column('flow', 'sent_bits').sum())\n"
    )
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment, cwd=root
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0] == said[1]
    assert [p.name for p in (cache / "sixg" / "starts").iterdir()] == [start_path(SCENARIO, 3).name]


def test_a_folder_that_cannot_be_written_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    starts._tables.cache_clear()
    assert len(start_of(SCENARIO, 1)) == 2


def test_names_tell_apart_what_starts_depend_on() -> None:
    other = SCENARIO.model_copy(update={"interval_ms": 100.0})
    assert len({start_path(SCENARIO, 1), start_path(SCENARIO, 2), start_path(other, 1)}) == 3
