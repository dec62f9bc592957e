# SPDX-License-Identifier: Apache-2.0
"""How much faster networks run on the packaged model than in NS-3, one by one and in batches.

python benchmarks/speed_up.py [--only NAME ...] [--json]

Both run the same intervals of the same networks on one core. For the model, features, predictions
and what is carried on count; for NS-3 everything but the start of the worker. A call of the
environment checks a setting, draws KPIs and traffic, moves users and runs an interval on.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from report import Line, run_parts

from calibration.network import network_of
from calibration.rolling import Roll, moments_of
from calibration.trajectory import Trajectory, trajectory
from env.backends.surrogate import SurrogateBackend
from env.environment import Environment
from experiment_model import ExperimentModel
from ns3_scenarios.library import load_scenario
from ns3_scenarios.live import LiveSimulation
from ns3_scenarios.scenario import ScenarioConfig

SEED = 51
PAST, FUTURE = 3, 5
"""Intervals before the clock starts, and while it runs."""
COPIES = {"quickstart": 1000, "macro_57": 64}
"""Networks at once; of others, `USUAL_COPIES`."""
USUAL_COPIES = 256
CALLS = 40
TARGET_ALONE, TARGET_BATCH = 300, 10_000
TARGET_STEPS_PER_S = 20_000
"""Of networks of three cells, in a batch."""
TARGET_CALL_MS = 2


def of_sites(n_sites: int) -> ScenarioConfig:
    """Macro sites under four slices, three cells each."""
    scenario = load_scenario("urban_macro_slices")
    layout = scenario.layout.model_copy(update={"n_sites": n_sites})
    return ScenarioConfig.model_validate({**scenario.model_dump(), "layout": layout.model_dump()})


NETWORKS: dict[str, Callable[[], ScenarioConfig]] = {
    "quickstart": lambda: load_scenario("quickstart"),
    "macro_21": lambda: of_sites(7),
    "macro_57": lambda: of_sites(19),
    "dense_urban": lambda: load_scenario("dense_urban"),
}


def in_ns3(scenario: ScenarioConfig) -> tuple[float, Trajectory]:
    """Seconds of one interval, and the run."""
    tables, times = [], []
    with LiveSimulation(scenario, SEED) as live:
        tables.append(live.advance(PAST))
        for _ in range(FUTURE):
            start = time.perf_counter()
            tables.append(live.advance(1))
            times.append(time.perf_counter() - start)
    joined = {name: pa.concat_tables([t[name] for t in tables]) for name in tables[0]}
    return statistics.median(times), trajectory(network_of(scenario), joined, (), SEED)


def on_model(model: ExperimentModel, run: Trajectory, copies: int) -> float:
    """Seconds of one interval of one network."""
    start = np.full(copies, PAST - 1)
    roll = Roll(model, moments_of(run, start), run.network.scenario.name)
    times = []
    for step in range(1, FUTURE + 1):
        at = start + step
        controls = {name: values[at] for name, values in run.controls.items()}
        outside = {name: values[at] for name, values in run.outside.items()}
        begun = time.perf_counter()
        roll.step(controls, outside)
        times.append(time.perf_counter() - begun)
    return statistics.median(times) / copies


def of_call(model: ExperimentModel, scenario: ScenarioConfig) -> float:
    """Seconds of a call of an environment that sets a transmit power and runs an interval on."""
    environment = Environment(SurrogateBackend(scenario, SEED, model))
    times = []
    for number in range(CALLS):
        arguments = {"cell": scenario.cell_ids[0], "tx_power_dbm": 40 + number % 2}
        begun = time.perf_counter()
        answer = environment.call("set_cell_tx_power", arguments)
        times.append(time.perf_counter() - begun)
        assert answer.ok, answer
    return statistics.median(times)


def measured(name: str) -> list[Line]:
    model, scenario = ExperimentModel.load(), NETWORKS[name]()
    ns3_s, run = in_ns3(scenario)
    copies = COPIES.get(name, USUAL_COPIES)
    alone_s, batch_s = on_model(model, run, 1), on_model(model, run, copies)
    steps_per_s = TARGET_STEPS_PER_S if run.network.n_cells == 3 else None
    what = f"{name}, {run.network.n_cells} cells, {len(run.network.ue_names)} users"
    return [
        Line(f"{what}: NS-3, an interval", 1e3 * ns3_s, "ms"),
        Line(f"{what}: model, alone", 1e3 * alone_s, "ms"),
        Line(f"{what}: model, {copies} at once", 1e3 * batch_s, "ms"),
        Line(f"{what}: intervals, {copies} at once", 1 / batch_s, "1/s", at_least=steps_per_s),
        Line(f"{what}: speed-up alone", ns3_s / alone_s, "x", at_least=TARGET_ALONE),
        Line(f"{what}: speed-up in a batch", ns3_s / batch_s, "x", at_least=TARGET_BATCH),
        Line(f"{what}: call", 1e3 * of_call(model, scenario), "ms", at_most=TARGET_CALL_MS),
    ]


if __name__ == "__main__":
    parts = {name: lambda name=name: measured(name) for name in NETWORKS}
    sys.exit(run_parts("Speed-up over NS-3", __doc__, parts))
