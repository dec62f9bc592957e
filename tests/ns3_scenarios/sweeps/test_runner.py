# SPDX-License-Identifier: Apache-2.0
"""Sweeps on the real simulator: the same dataset on any number of jobs, however often killed."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ns3_scenarios.dataset import Dataset
from ns3_scenarios.errors import DatasetError, SimulationError, SweepError, WorkerError
from ns3_scenarios.simulate import simulate
from ns3_scenarios.storage import part_path
from ns3_scenarios.sweeps import Progress, SweepSpec, parse_spec, plan, sweep

ROOT = Path(__file__).resolve().parents[3]
SPEC: dict[str, Any] = {
    "scenario": "quickstart",
    "duration_s": 0.4,
    "vary": {
        "scenario.users.video.traffic.0.rate_mbps": {"min": 2, "max": 20},
        "controls.cells.*.tx_power_dbm": {"values": [30, 40]},
    },
    "design": "sobol",
    "n_configs": 6,
    "seeds": "1-2",
    "schedule": {
        "kind": "random_piecewise",
        "controls": {"cells.*.tilt_deg": {"min": 0, "max": 20, "each": True}},
    },
}
SCRIPT = """
import sys
from ns3_scenarios.sweeps import load_spec, sweep
from ns3_scenarios.errors import UserError
try:
    sweep(load_spec(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
except UserError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""
LOCAL = {"timings.json", ".sweep.lock"}
"""Files that two equal datasets need not have in common."""


def content(folder: Path) -> dict[str, bytes]:
    """Everything in a dataset that must not depend on how it came about."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in LOCAL
    }


class Sweeping:
    """A sweep in a process of its own, and everything that it starts."""

    def __init__(self, spec: Path, out: Path, jobs: int = 2) -> None:
        self.mark = f"SIXG_TEST_MARK={uuid.uuid4().hex}"
        name, value = self.mark.split("=")
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(spec), str(out), str(jobs)],
            env={**os.environ, name: value, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def family(self) -> dict[int, str]:
        """Command lines of all its processes that live, by process id."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    environment = (entry / "environ").read_bytes()
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue
                if self.mark.encode() in environment:
                    found[int(entry.name)] = command
        return found

    def finish(self) -> tuple[int, str]:
        """Wait for its end: exit status and what it wrote to standard error."""
        _, errors = self.process.communicate(timeout=300)
        return self.process.returncode, errors


def wait_until(condition: Any, timeout_s: float = 30) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def spec() -> SweepSpec:
    return parse_spec(SPEC)


@pytest.fixture(scope="module")
def spec_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "sweep.yaml"
    path.write_text(json.dumps(SPEC))
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, spec: SweepSpec) -> Path:
    return sweep(spec, tmp_path_factory.mktemp("undisturbed") / "dataset").path


@pytest.fixture
def started() -> Iterator[list[Sweeping]]:
    """Sweeps to end, should a test fail."""
    sweeps: list[Sweeping] = []
    yield sweeps
    for each in sweeps:
        for pid in each.family():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        each.process.wait()


# The same dataset, always


def test_dataset_holds_what_single_simulations_give(undisturbed: Path, spec: SweepSpec) -> None:
    dataset = Dataset.open(undisturbed)
    assert dataset.is_complete
    dataset.verify()
    for run in random.Random(1).sample(plan(spec).runs, 3):
        traces = simulate(run.config.scenario, run.schedule, run.seed)
        for name, table in traces.tables.items():
            stored = dataset.table(name, *run.id).drop(["config", "seed"])
            assert stored.to_pylist() == table.to_pylist()


def test_any_number_of_jobs_gives_the_same_bytes(
    undisturbed: Path, spec: SweepSpec, tmp_path: Path
) -> None:
    seen: list[Progress] = []
    sweep(spec, tmp_path / "dataset", jobs=2, on_progress=seen.append)
    assert content(tmp_path / "dataset") == content(undisturbed)
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (0, 12, 12)
    assert [p.done for p in seen] == sorted(p.done for p in seen)


def test_everything_can_change_in_mid_run(tmp_path: Path) -> None:
    schedule = {"kind": "random_piecewise", "controls": "all", "min_gap_intervals": 1}
    fields = {"scenario": "quickstart", "duration_s": 1, "seeds": "1-2", "random_faults": {}}
    dataset = sweep(parse_spec({**fields, "schedule": schedule}), tmp_path / "dataset")
    assert dataset.is_complete
    for seed in (1, 2):
        config = dataset.manifest.configs[0]
        cells = dataset.table("cell", config, seed).to_pandas()
        for column in ("tilt_deg", "scheduler", "sleep_mode", "a3_offset_db", "numerology"):
            assert cells[column].nunique() > 1


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_sweep_goes_on_to_the_same_bytes(
    undisturbed: Path, spec_file: Path, tmp_path: Path, started: list[Sweeping], jobs: int
) -> None:
    out = tmp_path / "dataset"
    draw = random.Random(jobs)
    kept = []
    for _ in range(5):
        before = len(list(out.glob("runs/*/*/part.parquet")))
        sweeping = Sweeping(spec_file, out, jobs)
        started.append(sweeping)
        # Kill it at a random moment after it has stored something more, never before.
        wait_until(
            lambda before=before, process=sweeping.process: (
                len(list(out.glob("runs/*/*/part.parquet"))) > before or process.poll() is not None
            )
        )
        time.sleep(draw.random() * 0.3)
        sweeping.process.kill()
        sweeping.process.wait()
        kept.append(len(list(out.glob("runs/*/*/part.parquet"))))
    assert kept == sorted(kept)
    assert 0 < kept[0] < 12
    status, errors = _finish(started, spec_file, out)
    assert status == 0, errors
    assert content(out) == content(undisturbed)
    assert not list(out.rglob("*.tmp"))


def test_processes_of_a_killed_sweep_end(
    spec_file: Path, tmp_path: Path, started: list[Sweeping]
) -> None:
    sweeping = Sweeping(spec_file, tmp_path / "dataset")
    started.append(sweeping)
    wait_until(lambda: list(tmp_path.glob("dataset/runs/*/*/part.parquet")))
    assert len(sweeping.family()) > 3
    sweeping.process.kill()
    sweeping.process.wait()
    wait_until(lambda: not sweeping.family())


def test_killed_process_of_a_sweep_is_replaced(
    undisturbed: Path, spec_file: Path, tmp_path: Path, started: list[Sweeping]
) -> None:
    out = tmp_path / "dataset"
    sweeping = Sweeping(spec_file, out)
    started.append(sweeping)
    wait_until(lambda: list(out.glob("runs/*/*/part.parquet")))
    victim = next(pid for pid, command in sweeping.family().items() if "LokyProcess" in command)
    os.kill(victim, signal.SIGKILL)
    status, errors = sweeping.finish()
    assert status == 0, errors
    assert "a process of the sweep was killed" in errors
    assert content(out) == content(undisturbed)


def test_finished_sweep_simulates_nothing(
    undisturbed: Path, spec: SweepSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(undisturbed, tmp_path / "dataset")
    monkeypatch.setattr("ns3_scenarios.simulate.simulate", None)
    sweep(spec, tmp_path / "dataset")
    assert content(tmp_path / "dataset") == content(undisturbed)


@pytest.mark.parametrize("damage", ["missing", "cut"])
@pytest.mark.parametrize("table", ["ue", "runs"])
def test_lost_and_cut_files_are_made_again(
    undisturbed: Path, spec: SweepSpec, tmp_path: Path, damage: str, table: str
) -> None:
    out = tmp_path / "dataset"
    shutil.copytree(undisturbed, out)
    victim = out / part_path(table, *plan(spec).runs[3].id)
    if damage == "missing":
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:100])
    sweep(spec, out)
    assert content(out) == content(undisturbed)


def test_more_seeds_and_configurations_are_added(
    undisturbed: Path, spec: SweepSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = parse_spec({**SPEC, "n_configs": 2, "seeds": "1"})
    sweep(small, tmp_path / "dataset")
    seen: list[Progress] = []
    sweep(spec, tmp_path / "dataset", on_progress=seen.append)
    assert seen[0].resumed == 2
    assert content(tmp_path / "dataset") == content(undisturbed)


# Trouble


def test_another_sweep_in_the_same_folder_is_refused(undisturbed: Path, tmp_path: Path) -> None:
    before = content(undisturbed)
    other = parse_spec({**SPEC, "duration_s": 0.2, "design_seed": 1})
    with pytest.raises(DatasetError) as caught:
        sweep(other, undisturbed)
    message = str(caught.value)
    assert str(undisturbed) in message
    assert "`design_seed` of the specification differs" in message
    assert "`duration_s` of the specification differs" in message
    assert "choose another folder" in message
    assert content(undisturbed) == before
    # Fewer runs than are there would drop some: that is another dataset as well.
    with pytest.raises(DatasetError, match="is not one of this sweep's"):
        sweep(parse_spec({**SPEC, "seeds": "1"}), undisturbed)


@pytest.mark.parametrize(
    ("field", "name"),
    [("ran_hash", "the RAN model"), ("code_version", "version"), ("ns3_version", "ns-3")],
)
def test_dataset_of_another_version_is_refused(
    undisturbed: Path, spec: SweepSpec, tmp_path: Path, field: str, name: str
) -> None:
    out = tmp_path / "dataset"
    shutil.copytree(undisturbed, out)
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**manifest, field: "0ther"}))
    with pytest.raises(DatasetError, match=rf"{name} was 0ther, now"):
        sweep(spec, out)


def test_folder_with_other_things_is_refused(spec: SweepSpec, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(DatasetError, match="has files in it but is not a dataset"):
        sweep(spec, tmp_path)
    assert content(tmp_path) == {"thesis.tex": b"precious"}


def test_second_sweep_in_a_folder_is_refused_while_the_first_runs(
    undisturbed: Path, spec: SweepSpec, spec_file: Path, tmp_path: Path, started: list[Sweeping]
) -> None:
    out = tmp_path / "dataset"
    first = Sweeping(spec_file, out)
    started.append(first)
    wait_until((out / "manifest.json").exists)
    second = Sweeping(spec_file, out)
    started.append(second)
    status, errors = second.finish()
    assert status != 0
    assert errors == f"DatasetError: another sweep is writing to {out}; wait until it ends\n"
    assert first.finish() == (0, "")
    assert content(out) == content(undisturbed)


def test_unwritable_folder_is_one_clear_error(spec: SweepSpec, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"cannot write to .*file/dataset: Not a directory"):
        sweep(spec, tmp_path / "file" / "dataset")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a few runs only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=700k", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_read_only_folder_is_one_clear_error(spec: SweepSpec, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(DatasetError, match=r"cannot write to .*: Read-only file system"):
        sweep(spec, small_disk / "dataset")


@pytest.mark.parametrize("jobs", [1, 2])
def test_full_disk_loses_nothing(
    undisturbed: Path, spec: SweepSpec, small_disk: Path, jobs: int
) -> None:
    out = small_disk / "dataset"
    with pytest.raises(DatasetError, match=r"cannot write .*: No space left on device"):
        sweep(spec, out, jobs=jobs)
    kept = len(list(out.glob("runs/*/*/part.parquet")))
    assert 0 < kept < 12
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    seen: list[Progress] = []
    sweep(spec, out, jobs=jobs, on_progress=seen.append)
    assert seen[0].resumed == kept
    assert content(out) == content(undisturbed)


def test_failed_runs_are_reported_and_the_others_go_on(
    undisturbed: Path, spec: SweepSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "dataset"
    bad = plan(spec).runs[4].id

    def fragile(scenario: Any, schedule: Any, seed: int, **rest: Any) -> Any:
        if (scenario.config_hash(), seed) == (
            plan(spec).runs[4].config.scenario.config_hash(),
            bad[1],
        ):
            raise SimulationError("it broke", stderr_tail="assert", reproduce="run this")
        return simulate(scenario, schedule, seed, **rest)

    seen: list[Progress] = []
    with monkeypatch.context() as patch:
        patch.setattr("ns3_scenarios.simulate.simulate", fragile)
        with pytest.raises(SimulationError, match=r"^1 of 12 runs failed .*it broke") as caught:
            sweep(spec, out, on_progress=seen.append)
    assert caught.value.reproduce == "run this"
    assert (seen[-1].done, seen[-1].failed) == (11, 1)
    failures = json.loads((out / "failures.json").read_text())
    assert failures == {f"{bad[0]}/{bad[1]}": {"error": "it broke", "reproduce": "run this"}}
    assert len(Dataset.open(out)) == 11
    sweep(spec, out)
    assert not (out / "failures.json").exists()
    assert content(out) == content(undisturbed)


def test_sweep_gives_up_where_no_worker_starts(
    spec: SweepSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def broken(*_: Any, **__: Any) -> Any:
        calls.append(1)
        raise WorkerError("the worker does not start")

    monkeypatch.setattr("ns3_scenarios.simulate.simulate", broken)
    with pytest.raises(WorkerError, match="does not start"):
        sweep(spec, tmp_path / "dataset")
    assert len(calls) == 2


def test_no_jobs_is_a_mistake(spec: SweepSpec, tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="jobs=0 is not allowed; it must be 1 or more"):
        sweep(spec, tmp_path / "dataset", jobs=0)
    assert not list(tmp_path.iterdir())


def test_impossible_sweep_leaves_no_folder(tmp_path: Path) -> None:
    impossible = {**SPEC, "vary": {"scenario.radio.harq_max_retx": {"values": [1, 99]}}}
    with pytest.raises(SweepError, match=re.escape("scenario.radio.harq_max_retx=99")):
        sweep(parse_spec(impossible), tmp_path / "dataset")
    assert not list(tmp_path.iterdir())


def _finish(started: list[Sweeping], spec_file: Path, out: Path) -> tuple[int, str]:
    last = Sweeping(spec_file, out)
    started.append(last)
    return last.finish()
