# SPDX-License-Identifier: GPL-2.0-only
"""One simulation from its request to its end, in a child of the worker or in the foreground."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pyarrow as pa

from ns3_scenarios.controls import ControlChange
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.worker.inside.simulation import Simulation

Report = Callable[[int, int, dict[str, pa.RecordBatch]], None]
"""Called after each interval with its index, the number of intervals, and the KPI tables."""


def run(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Run the simulation of a request, interval by interval.

    Args:
        request: `scenario`, `schedule` and `seed` as JSON data.
        report: called after each interval.

    Returns:
        `wall_s`, the time that it took, and `events`, the number of ns-3 events.
    """
    start = time.perf_counter()
    scenario = ScenarioConfig.model_validate(request["scenario"])
    schedule = [ControlChange.model_validate(change) for change in request["schedule"]]
    with closing(Simulation(scenario, request["seed"])) as simulation:
        for interval in range(scenario.n_intervals):
            changes = [change for change in schedule if change.interval == interval]
            if changes:
                simulation.apply(simulation.controls.with_changes(changes, scenario))
            report(interval, scenario.n_intervals, simulation.advance())
        events = simulation.events
    return {"wall_s": time.perf_counter() - start, "events": events}


def encode(tables: dict[str, pa.RecordBatch]) -> tuple[dict[str, int], bytes]:
    """Record batches as Arrow streams, one after the other.

    Returns:
        The size of each stream in bytes, and all of them joined.
    """
    sink = pa.BufferOutputStream()
    sizes = {}
    for name, batch in tables.items():
        before = sink.tell()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        sizes[name] = sink.tell() - before
    return sizes, sink.getvalue().to_pybytes()
