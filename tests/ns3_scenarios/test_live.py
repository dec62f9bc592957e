# SPDX-License-Identifier: Apache-2.0
"""Stepped is the same as run through, a branch the same as its parent, and nobody disturbs anybody.

All with real processes, which are also killed, dropped, starved and left alone.
"""

import contextlib
import gc
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

import sixg
from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.errors import ControlError, ScenarioError, SimulationError, UserError
from ns3_scenarios.library import load_scenario, parse_model
from ns3_scenarios.live import LiveSimulation
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.simulate import simulate
from ns3_scenarios.worker import SimulationWorker, client, process

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
SCHEDULE = (
    ControlChange(interval=1, path="cells.c0.tx_power_dbm", value=25.0),
    ControlChange(interval=1, path="cells.*.tilt_deg", value=3.0),
    ControlChange(interval=3, path="cells.c1.scheduler", value="round_robin"),
    ControlChange(interval=6, path="cells.c2.slices.embb.max_pct", value=40),
)
SILENCE = [ControlChange(path="cells.*.tx_power_dbm", value=-30)]

Tables = dict[str, pa.Table]


@pytest.fixture(scope="module")
def worker() -> Iterator[SimulationWorker]:
    with SimulationWorker() as worker:
        yield worker


@pytest.fixture
def live(worker: SimulationWorker) -> Iterator[LiveSimulation]:
    with LiveSimulation("quickstart", seed=3, worker=worker) as live:
        yield live


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where failed requests are written."""
    monkeypatch.setattr(client, "user_cache_dir", lambda name: str(tmp_path / name))


def to_bytes(*steps: Tables) -> dict[str, bytes]:
    """Every table as Arrow bytes, of one or several steps."""
    found = {}
    for name in steps[0]:
        table = pa.concat_tables([step[name] for step in steps])
        table = table.unify_dictionaries().combine_chunks()
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        found[name] = sink.getvalue()
    return found


def simulations(worker: SimulationWorker) -> list[psutil.Process]:
    """The processes of a worker's simulations, the oldest first."""
    found = psutil.Process(worker.start().pid).children(recursive=True)
    return sorted(
        (p for p in found if p.status() != psutil.STATUS_ZOMBIE),
        key=lambda p: (p.create_time(), p.pid),
    )


def wait_until_idle(worker: SimulationWorker) -> None:
    """Wait until a worker has no simulation."""
    deadline = time.monotonic() + 10
    while left := simulations(worker):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


# Stepping


def test_stepped_is_run_through(worker: SimulationWorker) -> None:
    scenario = parse_model(
        ScenarioConfig, {**load_scenario("quickstart").model_dump(), "duration_s": 2}, "quickstart"
    )
    through = worker.run(scenario, SCHEDULE, seed=3)
    steps = []
    with LiveSimulation(scenario, seed=3, worker=worker) as live:
        for interval in range(scenario.n_intervals):
            live.apply(change for change in SCHEDULE if change.interval == interval)
            steps.append(live.advance())
            assert steps[-1]["network"]["interval"].unique().to_pylist() == [interval]
        assert to_bytes(*steps) == to_bytes(through.tables)
        # There is no end.
        later = live.advance(2)
    assert later["network"]["interval"].unique().to_pylist() == [10, 11]
    whole = simulate("quickstart", SCHEDULE, seed=3, duration_s=2.4)
    assert to_bytes(*steps, later) == to_bytes(whole.tables)


def test_the_size_of_steps_does_not_matter(live: LiveSimulation, worker: SimulationWorker) -> None:
    with LiveSimulation("quickstart", seed=3, worker=worker) as other:
        assert to_bytes(live.advance(5)) == to_bytes(
            other.advance(1), other.advance(3), other.advance(1)
        )


def test_observing_tells_the_state_and_changes_nothing(
    live: LiveSimulation, worker: SimulationWorker
) -> None:
    scenario = load_scenario("quickstart")
    seen = live.observe()
    assert (seen.interval, seen.time_ms, seen.tables) == (0, 0, {})
    assert seen.controls == ControlState.initial(scenario)
    live.advance(2)
    live.apply([ControlChange(path="cells.c0.tilt_deg", value=9)])
    last = live.advance()
    for _ in range(3):
        seen = live.observe()
    assert (seen.interval, seen.time_ms) == (3, 600)
    assert to_bytes(seen.tables) == to_bytes(last)
    assert seen.controls.get("cells.c0.tilt_deg") == 9
    after = live.advance()
    with LiveSimulation("quickstart", seed=3, worker=worker) as unseen:
        unseen.advance(2)
        unseen.apply([ControlChange(path="cells.c0.tilt_deg", value=9)])
        unseen.advance()
        assert to_bytes(unseen.advance()) == to_bytes(after)


def test_a_whole_state_is_as_good_as_its_changes(
    live: LiveSimulation, worker: SimulationWorker
) -> None:
    state = ControlState.initial(load_scenario("quickstart"))
    with LiveSimulation("quickstart", seed=3, worker=worker) as other:
        other.apply(SILENCE)
        live.apply(state.with_changes(SILENCE, live.scenario))
        assert live.observe().controls == other.observe().controls
        assert to_bytes(live.advance()) == to_bytes(other.advance())


def test_runs_and_live_simulations_at_once(worker: SimulationWorker) -> None:
    whole = simulate("quickstart", seed=3, duration_s=1)
    scenario = parse_model(
        ScenarioConfig, {**load_scenario("quickstart").model_dump(), "duration_s": 1}, "quickstart"
    )

    def step() -> Tables:
        with LiveSimulation("quickstart", seed=3, worker=worker) as live:
            live.advance(2)
            with live.branch() as branch:
                live.close()
                branch.advance(3)
                return branch.observe().tables

    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(worker.run, scenario, (), 3) for _ in range(4)]
        steps = [pool.submit(step) for _ in range(4)]
        for run in runs:
            assert to_bytes(run.result().tables) == to_bytes(whole.tables)
        last = whole["network"].slice(4 * 3)
        assert all(s.result()["network"].equals(last) for s in steps)


ALONE = (
    ("quickstart", 3, SCHEDULE),
    ("edge_campus", 4, (ControlChange(interval=2, path="applications.*.fraction", value=0.2),)),
)
"""Two simulations: scenario, seed and changes."""
N_STEPS = 5


def as_text(tables: Tables) -> str:
    return json.dumps({name: table.to_pydict() for name, table in tables.items()})


@pytest.fixture(scope="module")
def alone() -> list[Tables]:
    """What each of the two gives by itself."""
    whole = []
    for name, seed, changes in ALONE:
        duration_s = N_STEPS * load_scenario(name).interval_ms * 1e-3
        in_time = [change for change in changes if change.interval < N_STEPS]
        whole.append(simulate(name, in_time, seed=seed, duration_s=duration_s).tables)
    return whole


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
def test_two_at_once_are_as_each_alone(
    alone: list[Tables], worker: SimulationWorker, workers: int, threads: bool
) -> None:
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(SimulationWorker()) for _ in range(workers - 1)]
        both = [
            stack.enter_context(LiveSimulation(name, seed=seed, worker=where))
            for (name, seed, _), where in zip(ALONE, [worker, *others, worker][:2], strict=True)
        ]

        def step(which: int, interval: int) -> Tables:
            changes = ALONE[which][2]
            both[which].apply(change for change in changes if change.interval == interval)
            return both[which].advance()

        steps: list[list[Tables]] = [[], []]
        if threads:
            pool = stack.enter_context(ThreadPoolExecutor(2))
            futures = [
                pool.submit(lambda which: [step(which, i) for i in range(N_STEPS)], which)
                for which in (0, 1)
            ]
            steps = [future.result() for future in futures]
        else:
            for interval in range(N_STEPS):
                for which in (1, 0):
                    steps[which].append(step(which, interval))
    assert [to_bytes(*one) for one in steps] == [to_bytes(whole) for whole in alone]


def test_two_processes_at_once_are_as_each_alone(alone: list[Tables]) -> None:
    text = """
import json, sys
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.live import LiveSimulation
name, seed, changes, n_steps = json.load(sys.stdin)
with LiveSimulation(name, seed) as live:
    steps = []
    for interval in range(n_steps):
        live.apply(ControlChange(**change) for change in changes if change["interval"] == interval)
        steps.append({n: t.to_pydict() for n, t in live.advance().items()})
tables = steps[0]
for later in steps[1:]:
    for name, table in later.items():
        for column, values in table.items():
            tables[name][column] += values
print(json.dumps(tables))
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", text],
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in ALONE
    ]
    with ThreadPoolExecutor(2) as pool:
        orders = [
            json.dumps([name, seed, [change.model_dump() for change in changes], N_STEPS])
            for name, seed, changes in ALONE
        ]
        answers = list(pool.map(lambda p, order: p.communicate(order)[0], processes, orders))
    assert [p.returncode for p in processes] == [0, 0]
    assert [answer.strip() for answer in answers] == [as_text(whole) for whole in alone]


# Branches


def test_a_branch_goes_on_as_its_parent_does(live: LiveSimulation) -> None:
    live.apply(SCHEDULE)
    last = live.advance(3)
    with live.branch() as branch, branch.branch() as second:
        assert branch.observe().interval == live.observe().interval == 3
        assert branch.observe().controls == live.observe().controls
        assert branch.observe().tables["ue"] == last["ue"].slice(2 * 12)
        steps = [to_bytes(one.advance(4)) for one in (second, live, branch)]
    assert steps[0] == steps[1] == steps[2]


def test_changes_stay_in_their_branch(live: LiveSimulation, worker: SimulationWorker) -> None:
    with LiveSimulation("quickstart", seed=3, worker=worker) as other:
        undisturbed = to_bytes(other.advance(2), other.advance(3))
        other.apply(SILENCE)
        late = to_bytes(other.advance(2))
    start = live.advance(2)
    with live.branch() as branch, branch.branch() as second:
        branch.apply(SILENCE)
        silent = to_bytes(start, branch.advance(3))
        assert silent != undisturbed
        steps = live.advance(3)
        assert to_bytes(start, steps) == undisturbed
        live.apply(SILENCE)
        assert to_bytes(live.advance(2)) == late
        assert to_bytes(start, second.advance(3)) == undisturbed
        assert second.observe().controls == ControlState.initial(live.scenario)
        with second.branch() as third:
            third.apply(SILENCE)
            assert to_bytes(third.advance(2)) == late


def test_redrawn_branches_share_their_past_and_draw_their_future(
    live: LiveSimulation, worker: SimulationWorker
) -> None:
    with LiveSimulation("quickstart", seed=3, worker=worker) as other:
        other.advance(3)
        undisturbed = to_bytes(other.advance(3))
    live.advance(3)
    with contextlib.ExitStack() as stack:
        branches = [stack.enter_context(live.branch()) for _ in range(4)]
        before = live.observe()
        for branch, seed in zip(branches, (7, 7, 8), strict=False):
            branch.redraw(seed)
            assert branch.observe() == before
        child = stack.enter_context(branches[0].branch())
        first, second, different, plain = (to_bytes(branch.advance(3)) for branch in branches)
        assert first == second == to_bytes(child.advance(3))
        assert len({first["flow"], different["flow"], undisturbed["flow"]}) == 3
        assert plain == undisturbed
    assert to_bytes(live.advance(3)) == undisturbed


def test_parent_and_branch_may_be_closed_in_any_order(
    live: LiveSimulation, worker: SimulationWorker
) -> None:
    live.advance()
    branch = live.branch()
    second = branch.branch()
    branch.close()
    expected = to_bytes(live.advance(2))
    live.close()
    assert to_bytes(second.advance(2)) == expected
    third = second.branch()
    third.close()
    assert len(simulations(worker)) == 1
    assert second.advance()["network"].num_rows == 3
    second.close()
    assert simulations(worker) == []


def test_a_hundred_branches_leave_nothing_behind(
    live: LiveSimulation, worker: SimulationWorker
) -> None:
    def use(n: int) -> None:
        for i in range(n):
            branch = live.branch()
            branch.advance()
            if i % 2:  # the others are dropped
                branch.close()

    def rss() -> list[int]:
        gc.collect()
        pids = (os.getpid(), worker.start().pid, simulations(worker)[0].pid)
        return [psutil.Process(pid).memory_info().rss for pid in pids]

    live.advance(5)
    use(10)
    pids = (os.getpid(), worker.start().pid, simulations(worker)[0].pid)
    fds, memory = [descriptors(pid) for pid in pids], rss()
    use(100)
    deadline = time.monotonic() + 10
    while len(simulations(worker)) > 1:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert [descriptors(pid) for pid in pids] == fds
    assert psutil.Process(worker.start().pid).children() == simulations(worker)
    growth = [(after - before) / 1e6 for before, after in zip(memory, rss(), strict=True)]
    assert max(growth) < 3


# Mistakes


def test_mistakes_are_found_before_anything_runs(worker: SimulationWorker) -> None:
    with pytest.raises(ScenarioError, match="quickstar"):
        sixg.LiveSimulation("quickstar", worker=worker)
    with pytest.raises(ScenarioError, match="seed=-1"):
        LiveSimulation("quickstart", seed=-1, worker=worker)
    with pytest.raises(UserError, match="idle_timeout_s=0"):
        LiveSimulation("quickstart", idle_timeout_s=0, worker=worker)
    with pytest.raises(UserError, match="max_memory_mb=inf"):
        LiveSimulation("quickstart", max_memory_mb=float("inf"), worker=worker)
    assert simulations(worker) == []


def test_a_path_is_a_scenario_too(tmp_path: Path, worker: SimulationWorker) -> None:
    path = tmp_path / "mine.json"
    path.write_text(load_scenario("quickstart").model_dump_json())
    for scenario in (path, str(path)):
        with LiveSimulation(scenario, worker=worker) as live:
            assert live.scenario == load_scenario("quickstart")


def test_bad_controls_change_nothing(live: LiveSimulation, worker: SimulationWorker) -> None:
    initial = ControlState.initial(live.scenario)
    elsewhere = ControlState.initial(load_scenario("urban_macro_slices"))
    too_much = {"c0": initial.cells["c0"].model_copy(update={"tx_power_dbm": 99})}
    good = ControlChange(path="cells.c1.tx_power_dbm", value=10)
    for bad, what in (
        ([good, ControlChange(path="cells.c99.tilt_deg", value=1)], "c99"),
        ([good, ControlChange(path="cells.c0.tx_power_dbm", value=99)], "cells.c0.tx_power_dbm"),
        ([good, ControlChange(path="cells.c0.bandwidth_mhz", value=1900)], "exceeds"),
        (elsewhere, "quickstart"),
        (initial.model_copy(update={"cells": {**initial.cells, **too_much}}), "tx_power_dbm"),
    ):
        with pytest.raises(ControlError, match=what):
            live.apply(bad)
    with pytest.raises(UserError, match="n=0"):
        live.advance(0)
    for seed in (-1, 2**64):
        with pytest.raises(UserError, match=f"seed={seed} is not allowed"):
            live.redraw(seed)
    assert live.observe().controls == initial
    with LiveSimulation("quickstart", seed=3, worker=worker) as other:
        assert to_bytes(live.advance(2)) == to_bytes(other.advance(2))


def test_a_closed_simulation_says_so(live: LiveSimulation) -> None:
    branch = live.branch()
    branch.close()
    branch.close()
    uses = (branch.advance, branch.observe, branch.branch)
    for use in (*uses, lambda: branch.apply(SILENCE), lambda: branch.redraw(1)):
        with pytest.raises(UserError, match="closed"):
            use()
    assert live.advance()["network"].num_rows == 3


def test_a_fork_of_this_process_leaves_it_alone(live: LiveSimulation) -> None:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            with pytest.raises(UserError, match="fork"):
                live.advance()
            live.close()
            status = 0
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert live.advance()["network"].num_rows == 3


def test_a_simulation_that_cannot_be_put_together(worker: SimulationWorker) -> None:
    impossible = load_scenario("quickstart").model_copy(update={"duration_s": 0.3})
    with pytest.raises(SimulationError, match="duration_s") as caught:
        LiveSimulation(impossible, worker=worker)
    assert "Traceback" in caught.value.stderr_tail
    assert simulations(worker) == []


# Bounds


def test_too_many(
    live: LiveSimulation, worker: SimulationWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MAX_LIVE", 4)
    branches = [live.branch() for _ in range(3)]
    for more in (live.branch, lambda: LiveSimulation("quickstart", worker=worker)):
        with pytest.raises(UserError, match="there are 4 live simulations"):
            more()
    assert worker.run(load_scenario("quickstart")).events > 0  # runs do not count
    expected = to_bytes(live.advance())
    assert [to_bytes(branch.advance()) for branch in branches] == [expected] * 3
    del branches[0]  # dropped, not closed
    with live.branch() as other:
        assert other.advance()["network"].num_rows == 3


def test_too_much_memory(live: LiveSimulation, worker: SimulationWorker) -> None:
    needs = r"needs more memory than max_memory_mb=1$"
    with pytest.raises(SimulationError, match=needs):
        LiveSimulation("urban_macro_slices", max_memory_mb=1, worker=worker)
    starved = LiveSimulation("quickstart", max_memory_mb=1, worker=worker)
    with pytest.raises(SimulationError, match=needs):
        starved.advance(5)
    with pytest.raises(SimulationError, match=needs):
        starved.observe()
    assert live.advance()["network"].num_rows == 3


def test_idle_simulations_end_by_themselves(live: LiveSimulation, worker: SimulationWorker) -> None:
    idle = LiveSimulation("quickstart", idle_timeout_s=0.5, worker=worker)
    idle.advance()
    branch = idle.branch()
    for _ in range(4):
        time.sleep(0.25)
        branch.observe()
    with pytest.raises(SimulationError, match=r"timed out.*idle_timeout_s=0\.5"):
        idle.advance()
    assert len(simulations(worker)) == 2
    assert branch.advance()["network"].num_rows == 3
    time.sleep(1)
    with pytest.raises(SimulationError, match="timed out"):
        branch.branch()
    with pytest.raises(SimulationError, match="timed out"):
        branch.observe()
    assert live.advance()["network"].num_rows == 3


# Deaths


def test_a_killed_branch_disturbs_nobody(live: LiveSimulation, worker: SimulationWorker) -> None:
    live.advance(2)
    live.apply(SILENCE)
    branch = live.branch()
    branch.advance(2)
    (_, victim) = simulations(worker)
    victim.kill()
    with pytest.raises(SimulationError, match=r"live simulation was killed.*SIGKILL") as caught:
        branch.advance()
    with pytest.raises(SimulationError, match="SIGKILL"):
        branch.observe()
    again = subprocess.run(
        shlex.split(caught.value.reproduce),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=True,
    )
    assert "interval 5 of 5" in again.stdout
    branch.close()
    with live.branch() as other:
        assert to_bytes(live.advance(2)) == to_bytes(other.advance(2))


def test_a_killed_parent_leaves_its_branches(
    live: LiveSimulation, worker: SimulationWorker
) -> None:
    live.advance()
    with live.branch() as branch, branch.branch() as second:
        simulations(worker)[0].kill()
        with pytest.raises(SimulationError, match="SIGKILL"):
            live.branch()
        assert to_bytes(branch.advance(2)) == to_bytes(second.advance(2))


def test_an_abort_in_mid_step_is_explained(worker: SimulationWorker) -> None:
    with LiveSimulation("quickstart", worker=worker) as live, ThreadPoolExecutor(1) as pool:
        step = pool.submit(live.advance, 10_000)
        time.sleep(0.3)
        simulations(worker)[0].send_signal(signal.SIGABRT)
        with pytest.raises(SimulationError, match=r"ended abnormally.*SIGABRT(.|\n)*reproduce"):
            step.result()


def test_an_interrupted_step_ends_the_simulation(
    live: LiveSimulation, worker: SimulationWorker
) -> None:
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    with live.branch() as branch:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            live.advance(10_000)
        assert len(simulations(worker)) == 1
        with pytest.raises(SimulationError, match="ended: KeyboardInterrupt"):
            live.observe()
        assert branch.advance()["network"].num_rows == 3


def test_the_end_of_the_worker_ends_all() -> None:
    with SimulationWorker() as worker:
        live = LiveSimulation("quickstart", worker=worker)
        branch = live.branch()
        second = branch.branch()
        processes = simulations(worker)
        assert len(processes) == 3
        os.kill(worker.start().pid, signal.SIGKILL)
        assert len(psutil.wait_procs(processes, 10)[0]) == 3
        for one in (second, live, branch):
            with pytest.raises(SimulationError, match="simulation worker was ended by SIGKILL"):
                one.advance()
        with LiveSimulation("quickstart", worker=worker) as fresh:
            assert fresh.advance()["network"].num_rows == 3
            worker.close()
            with pytest.raises(SimulationError, match="worker was closed"):
                fresh.advance()


@pytest.mark.parametrize("room_bytes", [0, 1_000_000])
def test_a_full_disk_does_not_matter(live: LiveSimulation, tmp_path: Path, room_bytes: int) -> None:
    text = f"""
import ctypes, json, os, resource
import psutil
from ns3_scenarios.errors import SimulationError
from ns3_scenarios.live import LiveSimulation
ctypes.CDLL(None).prctl(24, 24, 0, 0, 0)  # the worker may raise no limits, whoever the user is
resource.setrlimit(resource.RLIMIT_FSIZE, ({room_bytes}, {room_bytes}))
with LiveSimulation("quickstart", seed=3) as live, live.branch() as branch:
    print(json.dumps({{name: table.to_pydict() for name, table in branch.advance(3).items()}}))
    processes = psutil.Process().children(recursive=True)
    max(processes, key=lambda p: (p.create_time(), p.pid)).send_signal(11)
    try:
        branch.advance()
    except SimulationError as error:
        print(str(error))
    live.advance()
"""
    cache = tmp_path / "cache"
    ended = subprocess.run(
        [sys.executable, "-c", text],
        env={**ENVIRONMENT, "XDG_CACHE_HOME": str(cache), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stderr == ""
    tables, error, *reproduce = ended.stdout.splitlines()
    assert tables == as_text(live.advance(3))
    assert re.fullmatch(r"the live simulation ended abnormally: .* was ended by SIGSEGV", error)
    assert len(reproduce) == len([p for p in cache.rglob("*") if p.is_file()]) == bool(room_bytes)


def test_nothing_outlives_the_parent() -> None:
    text = """
import time
from ns3_scenarios.live import LiveSimulation
live = LiveSimulation("quickstart")
branch = live.branch().branch()
print("running", flush=True)
time.sleep(60)
"""
    command = [sys.executable, "-c", text]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "running\n"
        processes = psutil.Process(parent.pid).children(recursive=True)
        parent.kill()
    assert len(processes) >= 3
    assert not psutil.wait_procs(processes, 10)[1]


def test_dropped_simulations_end(worker: SimulationWorker) -> None:
    live = LiveSimulation("quickstart", worker=worker)
    branch = live.branch()
    assert len(simulations(worker)) == 2
    del live, branch
    wait_until_idle(worker)
