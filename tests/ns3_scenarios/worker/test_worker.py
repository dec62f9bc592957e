# SPDX-License-Identifier: Apache-2.0
"""Real simulations in real processes: the same bytes every time, and no way to die unnoticed."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ns3_scenarios.controls import ControlChange
from ns3_scenarios.errors import ControlError, SimulationError, WorkerError
from ns3_scenarios.kpi import TABLES, arrow_schema
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.traces import Traces
from ns3_scenarios.worker import SimulationWorker, process

Children = Callable[[int], list[int]]
Gone = Callable[[list[int]], bool]
ToBytes = Callable[[Traces], dict[str, bytes]]


ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def script(text: str, *arguments: str, **more: str) -> subprocess.Popen[str]:
    """A Python process with this process's search path and more environment."""
    return subprocess.Popen(
        [sys.executable, "-c", text, *arguments],
        env={**ENVIRONMENT, **more},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def fresh() -> Iterator[SimulationWorker]:
    """A worker that a test may break."""
    with SimulationWorker(stall_timeout_s=60) as worker:
        yield worker


# What a run gives


def test_tables_follow_the_schema(undisturbed: Traces, scenario: ScenarioConfig) -> None:
    assert set(undisturbed.tables) == set(TABLES)
    for name, table in undisturbed.tables.items():
        assert table.schema.equals(arrow_schema(name), check_metadata=True)
    assert undisturbed["ue"].num_rows == scenario.n_users * scenario.n_intervals
    assert undisturbed.events > 0
    assert undisturbed.wall_s > 0


def test_provenance(undisturbed: Traces, scenario: ScenarioConfig) -> None:
    provenance = undisturbed.provenance
    assert provenance.config_hash == scenario.config_hash()
    assert provenance.seed == 3
    assert all(str(value) for value in provenance.as_dict().values())


def test_progress_is_told_after_every_interval(
    worker: SimulationWorker, scenario: ScenarioConfig
) -> None:
    seen: list[tuple[int, int]] = []
    worker.run(scenario, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, scenario.n_intervals) for i in range(scenario.n_intervals)]


def test_same_seed_same_bytes_one_after_the_other(
    worker: SimulationWorker, scenario: ScenarioConfig, undisturbed: Traces, to_bytes: ToBytes
) -> None:
    assert to_bytes(worker.run(scenario, seed=4)) != to_bytes(undisturbed)
    assert to_bytes(worker.run(scenario, seed=3)) == to_bytes(undisturbed)


def test_same_seed_same_bytes_from_two_workers_at_once(
    scenario: ScenarioConfig, undisturbed: Traces, to_bytes: ToBytes
) -> None:
    def run(_: int) -> dict[str, bytes]:
        with SimulationWorker() as worker:
            return to_bytes(worker.run(scenario, seed=3))

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(run, range(2))
    assert first == second == to_bytes(undisturbed)


def test_runs_at_once_in_one_worker(
    worker: SimulationWorker,
    scenario: ScenarioConfig,
    endless: ScenarioConfig,
    undisturbed: Traces,
    to_bytes: ToBytes,
) -> None:
    def run(failing: bool) -> dict[str, bytes] | None:
        if not failing:
            return to_bytes(worker.run(scenario, seed=3))

        def fail(done: int, total: int) -> None:
            raise InterruptedError

        with pytest.raises(InterruptedError):
            worker.run(endless, on_progress=fail)
        return None

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(run, [False, True] * 5))
    assert results == [to_bytes(undisturbed), None] * 5


def test_a_schedule_changes_what_comes_after_it(
    worker: SimulationWorker, scenario: ScenarioConfig, undisturbed: Traces
) -> None:
    change = ControlChange(interval=2, path="cells.*.tx_power_dbm", value=10.0)
    changed = worker.run(scenario, [change], seed=3)
    assert changed.provenance.schedule_hash != undisturbed.provenance.schedule_hash
    power = changed["cell"].column("tx_power_dbm").to_pylist()
    cells = scenario.n_cells
    assert power[: 2 * cells] == undisturbed["cell"]["tx_power_dbm"].to_pylist()[: 2 * cells]
    assert set(power[2 * cells :]) == {10.0}


def test_the_parent_imports_no_ns3(scenario: ScenarioConfig) -> None:
    text = """
import sys
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.simulate import simulate
simulate(ScenarioConfig.model_validate_json(sys.argv[1]))
unwanted = {"ns", "ns3", "cppyy", "libcppyy", "_ran", "ns3_scenarios.worker.inside"}
print(sorted(unwanted & sys.modules.keys()))
"""
    assert script(text, scenario.model_dump_json()).communicate(timeout=120)[0].strip() == "[]"


# Errors


def test_a_mistake_of_the_user_has_its_own_class(
    worker: SimulationWorker, scenario: ScenarioConfig
) -> None:
    change = ControlChange(path="cells.c99.tx_power_dbm", value=1)
    with pytest.raises(ControlError, match="c99"):
        worker.run(scenario, [change])


def test_a_failed_simulation_says_how_to_reproduce_it(
    worker: SimulationWorker, scenario: ScenarioConfig, cache: Path
) -> None:
    impossible = scenario.model_copy(update={"duration_s": 0.3})  # not whole intervals
    with pytest.raises(SimulationError, match="duration_s") as caught:
        worker.run(impossible)
    assert "Traceback" in caught.value.stderr_tail
    command = shlex.split(caught.value.reproduce)
    assert Path(command[-1]).parent == cache / "failed"
    again = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert again.returncode == 1
    assert "duration_s" in again.stderr


def test_the_reproducing_command_runs_the_whole_simulation(
    fresh: SimulationWorker, longer: ScenarioConfig, children: Children
) -> None:
    def abort(done: int, total: int) -> None:
        if done == 1:  # what the child had sent before its end comes in as well
            os.kill(children(fresh.start().pid)[0], signal.SIGABRT)

    with pytest.raises(SimulationError, match="SIGABRT") as caught:
        fresh.run(longer, on_progress=abort)
    again = subprocess.run(
        shlex.split(caught.value.reproduce),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=True,
    )
    assert f"interval {longer.n_intervals} of {longer.n_intervals}" in again.stdout


def test_an_abort_of_ns3_is_explained_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: ScenarioConfig
) -> None:
    # No scenario that passes the checks makes ns-3 abort, so the real model is given nonsense.
    (tmp_path / "_ran.py").write_text(f"""
import importlib.util
spec = importlib.util.spec_from_file_location("_ran", {str(process.ensure_built())!r})
real = importlib.util.module_from_spec(spec)
spec.loader.exec_module(real)
globals().update(vars(real))
def set_seed(*_):
    real.Network().add_carrier({{"Environment": "Mars"}})
""")
    monkeypatch.setattr(process, "ensure_built", lambda progress: tmp_path / "_ran.py")
    with SimulationWorker() as worker, pytest.raises(SimulationError, match="SIGABRT") as caught:
        worker.run(scenario)
    assert "no environment Mars" in caught.value.stderr_tail
    assert "ns3_scenarios.worker.inside.reproduce" in caught.value.reproduce


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV], ids=lambda n: n.name)
def test_an_abort_is_an_error_at_once(
    fresh: SimulationWorker, longer: ScenarioConfig, children: Children, number: signal.Signals
) -> None:
    calls: list[int] = []

    def abort(done: int, total: int) -> None:
        calls.append(done)
        if done == 2:
            os.kill(children(fresh.start().pid)[0], number)

    with pytest.raises(SimulationError, match=number.name):
        fresh.run(longer, on_progress=abort)
    assert calls.count(1) == 1
    assert fresh.run(longer).events > 0


def test_the_worker_needs_a_model_that_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "_ran.py").write_text("raise ImportError('this is no model')")
    monkeypatch.setattr(process, "ensure_built", lambda progress: tmp_path / "_ran.py")
    with (
        SimulationWorker() as worker,
        pytest.raises(WorkerError, match=r"does not start(.|\n)*this is no model"),
    ):
        worker.start()


def test_a_worker_that_does_not_get_warm_in_time() -> None:
    with (
        SimulationWorker(start_timeout_s=0.01) as worker,
        pytest.raises(WorkerError, match="not start"),
    ):
        worker.start()


def test_a_worker_with_threads_refuses_to_fork() -> None:
    text = """
import threading, time
from ns3_scenarios.worker.inside.forking import check_single_thread
check_single_thread()
threading.Thread(target=time.sleep, args=(1,)).start()
try:
    check_single_thread()
except RuntimeError as error:
    print(error)
"""
    said, _ = script(text, **process.SINGLE_THREAD).communicate(timeout=60)
    assert "must have one thread" in said


# Deaths


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
@pytest.mark.parametrize("victim", ["child", "worker"])
def test_a_death_is_reported_and_the_run_made_once_more(
    fresh: SimulationWorker,
    longer: ScenarioConfig,
    children: Children,
    to_bytes: ToBytes,
    victim: str,
    number: signal.Signals,
) -> None:
    deaths: list[int] = []

    def kill_once(done: int, total: int) -> None:
        if done == 2 and not deaths:
            worker = fresh.start().pid
            deaths.append(worker if victim == "worker" else children(worker)[0])
            os.kill(deaths[0], number)

    with pytest.warns(RuntimeWarning, match=f"{number.name}.*once more"):
        traces = fresh.run(longer, seed=3, on_progress=kill_once)
    assert deaths
    assert to_bytes(traces) == to_bytes(fresh.run(longer, seed=3))


@pytest.mark.filterwarnings("ignore:the simulation")
@pytest.mark.parametrize("victim", ["child", "worker"])
def test_a_second_death_is_an_error(
    fresh: SimulationWorker, longer: ScenarioConfig, children: Children, victim: str
) -> None:
    def kill(done: int, total: int) -> None:
        if done > 1:  # sent before the end
            return
        worker = fresh.start().pid
        os.kill(worker if victim == "worker" else children(worker)[0], signal.SIGKILL)

    with pytest.raises(SimulationError, match="SIGKILL") as caught:
        fresh.run(longer, on_progress=kill)
    assert "reproduce" in caught.value.reproduce
    assert fresh.run(longer).events > 0


def test_a_worker_killed_between_runs_is_replaced(
    fresh: SimulationWorker, scenario: ScenarioConfig
) -> None:
    os.kill(fresh.start().pid, signal.SIGKILL)
    with pytest.warns(RuntimeWarning, match="SIGKILL"):
        assert fresh.run(scenario).events > 0


def test_a_simulation_that_stops_is_given_up(
    scenario: ScenarioConfig, endless: ScenarioConfig, children: Children, gone: Gone
) -> None:
    pids: list[int] = []

    def stop(done: int, total: int) -> None:
        if not pids:
            pids.extend(children(worker.start().pid))
            os.kill(pids[0], signal.SIGSTOP)

    with SimulationWorker(stall_timeout_s=3) as worker:
        pid = worker.start().pid
        with pytest.raises(WorkerError, match="no answer within 3 s"):
            worker.run(endless, on_progress=stop)
        assert gone(pids)
        assert worker.run(scenario).events > 0
        assert worker.start().pid == pid


def test_a_worker_that_stops_is_given_up(endless: ScenarioConfig, gone: Gone) -> None:
    pids: list[int] = []

    def stop(done: int, total: int) -> None:
        if not pids:
            pids.append(worker.start().pid)
            os.kill(pids[0], signal.SIGSTOP)
            raise KeyboardInterrupt

    with SimulationWorker() as worker:
        with pytest.raises(KeyboardInterrupt):
            worker.run(endless, on_progress=stop)
        assert gone(pids)


# Nothing is left behind


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, ControlError])
def test_an_interrupted_run_leaves_no_process(
    fresh: SimulationWorker,
    scenario: ScenarioConfig,
    endless: ScenarioConfig,
    children: Children,
    gone: Gone,
    error: type[BaseException],
) -> None:
    pids: list[int] = []

    def interrupt(done: int, total: int) -> None:
        pids.extend(children(fresh.start().pid))
        raise error

    with pytest.raises(error):
        fresh.run(endless, on_progress=interrupt)
    assert len(pids) == 1
    assert gone(pids)
    assert fresh.run(scenario).events > 0


def test_close_ends_the_worker(scenario: ScenarioConfig, children: Children, gone: Gone) -> None:
    before = set(children(os.getpid()))
    worker = SimulationWorker()
    worker.run(scenario)
    pid = worker.start().pid
    assert children(pid) == []
    worker.close()
    worker.close()
    assert gone([pid])
    assert set(children(os.getpid())) <= before


def test_descriptors_are_not_leaked(worker: SimulationWorker, scenario: ScenarioConfig) -> None:
    def count(pid: int | str) -> int:
        return len(os.listdir(f"/proc/{pid}/fd"))

    short = scenario.model_copy(update={"duration_s": scenario.interval_ms / 1e3})
    pid = worker.start().pid
    worker.run(short)
    before = count("self"), count(pid)
    for _ in range(5):
        worker.run(short)
    assert (count("self"), count(pid)) == before


PARENT = """
import sys
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.worker import SimulationWorker
scenario = ScenarioConfig.model_validate_json(sys.argv[1])
SimulationWorker().run(scenario, on_progress=lambda *_: print("running", flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_nothing_outlives_the_parent(
    endless: ScenarioConfig, children: Children, gone: Gone, number: signal.Signals
) -> None:
    with script(PARENT, endless.model_dump_json()) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "running\n"
        (worker,) = children(parent.pid)
        (child,) = children(worker)
        parent.send_signal(number)
        assert gone([worker, child])


def test_a_parent_killed_while_the_worker_warms_up(children: Children, gone: Gone) -> None:
    text = "from ns3_scenarios.worker import SimulationWorker; SimulationWorker().start()"
    with script(text) as parent:
        deadline = time.monotonic() + 60
        while not (workers := children(parent.pid)):
            assert time.monotonic() < deadline
            time.sleep(0.002)
        parent.kill()
        assert gone(workers)
