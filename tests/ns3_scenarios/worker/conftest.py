# SPDX-License-Identifier: Apache-2.0
"""A small scenario, a warm worker, and a look at the process table."""

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from ns3_scenarios.library import load_scenario, parse_model
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.traces import Traces
from ns3_scenarios.worker import SimulationWorker, client


def lasting(duration_s: float) -> ScenarioConfig:
    quickstart = load_scenario("quickstart").model_dump()
    return parse_model(ScenarioConfig, {**quickstart, "duration_s": duration_s}, "quickstart")


@pytest.fixture(scope="session")
def scenario() -> ScenarioConfig:
    """One simulated second of the smallest packaged network: five intervals."""
    return lasting(1)


@pytest.fixture(scope="session")
def longer() -> ScenarioConfig:
    """More intervals than fit into a connection, so a child waits for whoever does not read."""
    return lasting(8)


@pytest.fixture(scope="session")
def endless() -> ScenarioConfig:
    """For runs that are not to end by themselves."""
    return lasting(1000)


@pytest.fixture(scope="module")
def worker() -> Iterator[SimulationWorker]:
    with SimulationWorker() as worker:
        yield worker


@pytest.fixture(scope="module")
def undisturbed(worker: SimulationWorker, scenario: ScenarioConfig) -> Traces:
    return worker.run(scenario, seed=3)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where failed requests are written."""
    monkeypatch.setattr(client, "user_cache_dir", lambda name: str(tmp_path / name))
    return tmp_path / "sixg"


def _status(pid: int) -> list[str]:
    """State and parent of a process; empty if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()[:2]


@pytest.fixture(scope="session")
def children() -> Callable[[int], list[int]]:
    """Gives the live children of a process."""

    def find(parent: int) -> list[int]:
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        found = [(pid, _status(pid)) for pid in pids]
        return [pid for pid, s in found if s and s[0] != "Z" and s[1] == str(parent)]

    return find


@pytest.fixture(scope="session")
def gone() -> Callable[[list[int]], bool]:
    """Says whether processes have ended, or do so within some seconds."""

    def wait(pids: list[int]) -> bool:
        deadline = time.monotonic() + 10
        while any(_status(pid)[:1] not in ([], ["Z"]) for pid in pids):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    return wait


@pytest.fixture(scope="session")
def to_bytes() -> Callable[[Traces], dict[str, bytes]]:
    """Gives every table of a run as Arrow bytes."""

    def convert(table: pa.Table) -> bytes:
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return sink.getvalue()

    return lambda traces: {name: convert(table) for name, table in traces.tables.items()}
