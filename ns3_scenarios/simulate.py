# SPDX-License-Identifier: Apache-2.0
"""`simulate`: one simulation, by one call, in a worker that stays warm for the next one."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from ns3_scenarios.controls import ControlChange, check_schedule
from ns3_scenarios.errors import ScenarioError
from ns3_scenarios.library import load_scenario, parse_model
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.traces import Traces
from ns3_scenarios.worker import OnProgress, SimulationWorker

MAX_SEED = 2**64 - 1

_worker = SimulationWorker()
_lock = threading.Lock()


def simulate(
    scenario: ScenarioConfig | str,
    schedule: Iterable[ControlChange] = (),
    seed: int = 1,
    *,
    duration_s: float | None = None,
    on_progress: OnProgress | None = None,
) -> Traces:
    """Run one simulation on ns-3 and return its KPI tables.

    The first call starts the worker of this process; it ends with the process.

    Args:
        scenario: a scenario, the name of a packaged one, or the path of a YAML file.
        schedule: control changes, each made at the start of its reporting interval.
        seed: of all random streams; 0 or more.
        duration_s: simulated time, instead of the scenario's own.
        on_progress: called after each interval with the intervals done and all intervals.

    Raises:
        UserError: the scenario, a control or the seed cannot be used.
        SimulationError: the simulation ended abnormally.
        BuildError: the RAN model cannot be compiled.
        WorkerError: the worker does not start or stops answering.
    """
    scenario = checked(scenario, seed)
    if duration_s is not None:
        changed = {**scenario.model_dump(), "duration_s": duration_s}
        scenario = parse_model(ScenarioConfig, changed, scenario.name)
    schedule = tuple(schedule)
    check_schedule(schedule, scenario)
    with _lock:
        return _worker.run(scenario, schedule, seed, on_progress)


def checked(scenario: ScenarioConfig | str | Path, seed: int) -> ScenarioConfig:
    """The scenario that is meant.

    Raises:
        ScenarioError: the scenario or the seed cannot be used.
    """
    if not isinstance(scenario, ScenarioConfig):
        scenario = load_scenario(scenario)
    check_seed(seed)
    return scenario


def check_seed(seed: int) -> None:
    """Refuse what ns-3 cannot take as the number of a run.

    Raises:
        ScenarioError: it cannot be used.
    """
    if not 0 <= seed <= MAX_SEED:
        raise ScenarioError(f"seed={seed} is not allowed; it must be from 0 to {MAX_SEED}")


def shared_worker() -> SimulationWorker:
    """The worker of this process."""
    return _worker


def _start_afresh() -> None:
    """In a fork of this process: leave the worker to the parent, and get one of its own."""
    global _worker, _lock
    _worker.close()
    _worker, _lock = SimulationWorker(), threading.Lock()


@atexit.register
def _stop() -> None:
    _worker.close()


os.register_at_fork(after_in_child=_start_afresh)
