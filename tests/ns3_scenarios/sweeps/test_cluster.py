# SPDX-License-Identifier: Apache-2.0
"""Sweeps on a Dask cluster: the same dataset as without one, whatever happens to its workers."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ns3_scenarios.dataset import Dataset
from ns3_scenarios.errors import DatasetError, SimulationError, SweepError, WorkerError
from ns3_scenarios.storage import read_manifest
from ns3_scenarios.sweeps import Progress, SweepSpec, cluster, parse_spec, sweep

ROOT = Path(__file__).resolve().parents[3]
SPEC: dict[str, Any] = {
    "scenario": "quickstart",
    "duration_s": 0.4,
    "vary": {"scenario.users.video.traffic.0.rate_mbps": {"min": 2, "max": 20}},
    "n_configs": 4,
    "seeds": "1-3",
}
COMMAND = [sys.executable, str(ROOT / "sixg.py")]
LOCAL = {"timings.json", ".sweep.lock"}
"""Files that two equal datasets need not have in common."""
PATCHED = """
import os, signal, time
import ns3_scenarios.simulate as module
module.original = original = getattr(module, "original", module.simulate)  # Dask loads this twice
def patched(scenario, schedule, seed, **rest):
    {patch}
    return original(scenario, schedule, seed, **rest)
module.simulate = patched
"""


def content(folder: Path) -> dict[str, bytes]:
    """Everything in a dataset that must not depend on how it came about."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in LOCAL
    }


def stored(folder: Path) -> int:
    return len(list(folder.glob("runs/*/*/part.parquet")))


def wait_until(condition: Callable[[], Any], timeout_s: float = 30) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


class Cluster:
    """A Dask scheduler and its workers, each a process of its own.

    Args:
        folder: for their files.
        bare: which of scheduler and workers start where the project is not installed.
    """

    def __init__(self, folder: Path, *bare: str) -> None:
        self.folder = folder
        self.bare = bare
        self.processes: list[subprocess.Popen[bytes]] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        port = self.address.partition(":")[2]
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"
        )
        wait_until(self._answers)

    def worker(self, *options: str, patch: str = "") -> subprocess.Popen[bytes]:
        """Start a worker, whose simulations the patch may change."""
        preload = self.folder / f"preload{len(self.processes)}.py"
        preload.write_text(PATCHED.format(patch=patch) if patch else "")
        return self._start(
            *("worker", self.address, "--nthreads", "1", "--no-dashboard"),
            *("--preload", str(preload), "--local-directory", str(self.folder), *options),
        )

    def end(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        # Without `site`, Python finds no editable installation.
        bare = arguments[0] in self.bare
        python = [sys.executable, "-S"] if bare else [sys.executable]
        settings = {
            "PYTHONPATH": sysconfig.get_path("purelib") if bare else str(ROOT),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
        }
        with open(self.folder / f"{arguments[0]}{len(self.processes)}.log", "wb") as log:
            process = subprocess.Popen(
                [*python, "-m", "dask", *arguments],
                cwd=self.folder,
                env={**os.environ, **settings},
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def _answers(self) -> bool:
        host, port = self.address.split(":")
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0


@pytest.fixture
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    started = Cluster(tmp_path_factory.mktemp("dask"))
    yield started
    started.end()


@pytest.fixture(scope="module")
def spec() -> SweepSpec:
    return parse_spec(SPEC)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, spec: SweepSpec) -> Path:
    return sweep(spec, tmp_path_factory.mktemp("undisturbed") / "dataset").path


# The same dataset, always


def test_cluster_gives_the_same_bytes_and_goes_on_where_others_stopped(
    undisturbed: Path, spec: SweepSpec, tmp_path: Path, dask: Cluster
) -> None:
    dask.worker("--nthreads", "2")
    few, out = parse_spec({**SPEC, "seeds": "1"}), tmp_path / "dataset"
    seen: list[Progress] = []
    sweep(few, out, scheduler=dask.address, on_progress=seen.append)
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (0, 4, 4)
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert not list(out.rglob("*.tmp"))
    sweep(parse_spec({**SPEC, "seeds": "1-2"}), out)
    seen.clear()
    sweep(spec, out, scheduler=dask.address, on_progress=seen.append)
    assert seen[0].resumed == 8
    assert content(out) == content(undisturbed)
    assert set(json.loads((out / "timings.json").read_text())) == {
        f"{run.config}/{run.seed}" for run in read_manifest(out).runs
    }


def test_runs_of_a_killed_worker_are_run_by_another(
    undisturbed: Path, spec: SweepSpec, tmp_path: Path, dask: Cluster
) -> None:
    out = tmp_path / "dataset"
    victim = dask.worker("--no-nanny", patch="time.sleep(0.5)")
    killed = []

    def kill(progress: Progress) -> None:
        if progress.done == 1 and not killed:
            dask.worker()
            victim.kill()
            killed.append(victim.wait())

    sweep(spec, out, scheduler=dask.address, on_progress=kill)
    assert killed == [-signal.SIGKILL]
    assert content(out) == content(undisturbed)


def test_run_that_kills_its_workers_fails_and_the_others_go_on(
    tmp_path: Path, dask: Cluster
) -> None:
    out = tmp_path / "dataset"
    few = parse_spec({**SPEC, "n_configs": 1})
    dask.worker(patch="if seed == 2: os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(SimulationError, match=r"^1 of 3 runs failed .*Dask worker .* was killed"):
        sweep(few, out, scheduler=dask.address)
    assert [run.seed for run in read_manifest(out).runs] == [1, 3]
    assert [key[-2:] for key in json.loads((out / "failures.json").read_text())] == ["/2"]


# Interruption


def test_interrupted_sweep_leaves_nothing_to_do(
    undisturbed: Path, spec: SweepSpec, tmp_path: Path, dask: Cluster
) -> None:
    path, out, calls = tmp_path / "sweep.yaml", tmp_path / "dataset", dask.folder / "calls"
    path.write_text(json.dumps(SPEC))
    dask.worker(patch=f"open({str(calls)!r}, 'a').write('x'); time.sleep(0.6)")
    command = [*COMMAND, "sweep", str(path), "--out", str(out), "--scheduler", dask.address]

    def interrupted(sign: int) -> tuple[int, str]:
        before = stored(out)
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: stored(out) > before)
        begun = len(calls.read_text())
        wait_until(lambda: len(calls.read_text()) > begun)
        process.send_signal(sign)
        _, errors = process.communicate(timeout=30)
        kept, begun = stored(out), len(calls.read_text())
        time.sleep(1.5)
        assert len(calls.read_text()) == begun, "what was waiting has been simulated"
        # The run that was simulated has ended by now; a sweep that is over wants it no more.
        assert stored(out) == kept + (sign == signal.SIGKILL)
        return process.returncode, errors

    assert interrupted(signal.SIGKILL)[0] == -signal.SIGKILL
    status, errors = interrupted(signal.SIGINT)
    assert status == 130
    assert "Traceback" not in errors
    assert "what has ended is kept" in errors
    sweep(spec, out)
    assert content(out) == content(undisturbed)


def test_lost_scheduler_is_one_clear_error(spec: SweepSpec, tmp_path: Path, dask: Cluster) -> None:
    dask.worker(patch="time.sleep(0.3)")

    def kill(progress: Progress) -> None:
        if progress.done == 1:
            dask.scheduler.kill()
            dask.scheduler.wait()

    with pytest.raises(WorkerError, match="the Dask scheduler is lost; what has ended is kept"):
        sweep(spec, tmp_path / "dataset", scheduler=dask.address, on_progress=kill)
    assert len(Dataset.open(tmp_path / "dataset")) >= 1


# Mistakes


def test_worker_that_is_not_like_the_sweep_is_one_clear_error(
    spec: SweepSpec, tmp_path: Path, dask: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    dask.worker()
    with monkeypatch.context() as patch:
        patch.setattr("ns3_scenarios.ran.build.source_hash", lambda: "0ther")
        with pytest.raises(
            DatasetError,
            match=r"^Dask worker tcp://\S+ it has .* started with .*ran_hash 0ther.* same version",
        ):
            sweep(spec, tmp_path / "versions", scheduler=dask.address)
    assert stored(tmp_path / "versions") == 0
    with monkeypatch.context() as patch:
        # As on a machine with another file system: the folder is there, what is in it is not.
        patch.setattr("pathlib.Path.touch", lambda *_, **__: None)
        with pytest.raises(DatasetError, match=r"tcp://.* does not see .*that all workers share"):
            sweep(spec, tmp_path / "elsewhere", scheduler=dask.address)
    assert stored(tmp_path / "elsewhere") == 0


@pytest.mark.parametrize(
    ("bare", "says"),
    [
        ("worker", r"the Dask worker tcp://[\d.:]+ cannot run a sweep; it needs this version of"),
        ("scheduler", r"the Dask cluster cannot run a sweep .* its scheduler and all its workers"),
    ],
)
def test_cluster_without_the_project_is_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, bare: str, says: str
) -> None:
    (tmp_path / "sweep.yaml").write_text(json.dumps(SPEC))
    dask = Cluster(tmp_path_factory.mktemp("dask"), bare)
    try:
        dask.worker()
        command = [*COMMAND, "sweep", "sweep.yaml", "--out", "dataset", "--scheduler"]
        command.append(dask.address)
        ended = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=50
        )
    finally:
        dask.end()
    assert ended.returncode == 1
    *progress, error = ended.stderr.splitlines()
    assert re.match(says, error), ended.stderr
    assert set(progress) <= {
        "0 of 12 runs",
        "the Dask scheduler has no worker; waiting for one",
    }


def test_cluster_without_workers_is_one_clear_error(
    spec: SweepSpec, tmp_path: Path, dask: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "WITHOUT_WORKERS_S", 1.5)
    seen: list[Progress] = []
    with pytest.raises(WorkerError, match="no worker for 2 s; start one with: dask worker"):
        sweep(spec, tmp_path / "dataset", scheduler=dask.address, on_progress=seen.append)
    assert "the Dask scheduler has no worker; waiting for one" in [p.message for p in seen]


def test_wrong_address_is_one_sentence(
    spec: SweepSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sweep.yaml").write_text(json.dumps(SPEC))
    command = [*COMMAND, "sweep", "sweep.yaml", "--out", "dataset", "--scheduler", "cluster"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("scheduler='cluster' is not an address; it must be like 10.0")
    assert ended.stderr.count("\n") == 1
    assert cluster.CONNECT_TIMEOUT_S <= 10
    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT_S", 1.0)
    with pytest.raises(SweepError, match=r"^no Dask scheduler answers at 127.0.0.1:1; start one"):
        sweep(spec, tmp_path / "dataset", scheduler="127.0.0.1:1")
    assert not (tmp_path / "dataset").exists()


def test_service_that_is_not_dask_is_one_sentence(
    spec: SweepSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(SweepError, match=f"no Dask scheduler answers at {address}"):
            sweep(spec, tmp_path / "dataset", scheduler=address)
    assert not list(tmp_path.iterdir())


def test_missing_dask_is_one_sentence(
    spec: SweepSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SweepError, match=r'install it with: pip install "sixg-agent-gym\[dask\]"$'):
        sweep(spec, tmp_path / "dataset", scheduler="127.0.0.1:8786")
    assert not list(tmp_path.iterdir())


def test_jobs_and_scheduler_together_are_a_mistake(spec: SweepSpec, tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="jobs=1 is not allowed with a Dask scheduler"):
        sweep(spec, tmp_path / "dataset", jobs=1, scheduler="127.0.0.1:8786")
    assert not list(tmp_path.iterdir())
