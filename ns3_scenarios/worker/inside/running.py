# SPDX-License-Identifier: GPL-2.0-only
"""A simulation that obeys orders, in a child of the worker or in the foreground.

An order is JSON data. `{"kind": "advance", "count": 3}` runs reporting intervals; `{"kind":
"apply", "changes": []}` makes control changes, and with `controls` puts a whole state into force;
`{"kind": "redraw", "seed": 7}` gives it other random streams.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pyarrow as pa

from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.errors import ControlError
from ns3_scenarios.library import parse_model
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.worker.inside.simulation import Simulation

Tables = dict[str, pa.RecordBatch]
Report = Callable[[int, int, Tables], None]
"""Called after each interval with its index, the number of intervals, and the KPI tables."""


class SteppedSimulation:
    """A simulation that goes on when it is told to.

    Attributes:
        scenario: what exists.
        intervals: number of intervals done.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        """Put it together.

        Args:
            request: `scenario` and `seed` as JSON data.
        """
        self.scenario = ScenarioConfig.model_validate(request["scenario"])
        self.intervals = 0
        self._simulation = Simulation(self.scenario, request["seed"])

    @property
    def controls(self) -> ControlState:
        """The controls in force."""
        return self._simulation.controls

    @property
    def events(self) -> int:
        """ns-3 events executed so far."""
        return self._simulation.events

    def obey(self, order: dict[str, Any]) -> Iterator[Tables]:
        """Do as ordered; yields the tables of each interval as it ends.

        Raises:
            ControlError: a control does not exist or cannot have that value. Nothing is changed.
        """
        if order["kind"] == "apply":
            self._simulation.apply(self._new_controls(order))
        elif order["kind"] == "redraw":
            self._simulation.redraw(order["seed"])
        else:
            for _ in range(order["count"]):
                tables = self._simulation.advance()
                self.intervals += 1
                yield tables

    def close(self) -> None:
        """Let go of ns-3's objects."""
        self._simulation.close()

    def _new_controls(self, order: dict[str, Any]) -> ControlState:
        old = self.controls
        if "changes" in order:
            changes = [ControlChange.model_validate(change) for change in order["changes"]]
            return old.with_changes(changes, self.scenario)
        new = parse_model(ControlState, order["controls"], "controls", ControlError)
        if odd := sorted(set(old.paths()) ^ set(new.paths())):
            raise ControlError(
                f"the controls are not those of scenario {self.scenario.name!r}: {odd[0]!r} is in "
                "only one of them"
            )
        new.check(self.scenario)
        return new


def run(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Run the simulation of a request from its start to its end.

    Args:
        request: `scenario`, `seed` and either `schedule` or `orders` as JSON data.
        report: called after each interval.

    Returns:
        `wall_s`, the time that it took, and `events`, the number of ns-3 events.
    """
    start = time.perf_counter()
    with closing(SteppedSimulation(request)) as simulation:
        orders = request.get("orders")
        if orders is None:
            orders = list(_orders(request["schedule"], simulation.scenario.n_intervals))
        intervals = sum(order.get("count", 0) for order in orders)
        for order in orders:
            for tables in simulation.obey(order):
                report(simulation.intervals - 1, intervals, tables)
        events = simulation.events
    return {"wall_s": time.perf_counter() - start, "events": events}


def encode(tables: Tables) -> tuple[dict[str, int], bytes]:
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


def _orders(schedule: list[dict[str, Any]], n_intervals: int) -> Iterator[dict[str, Any]]:
    """What a schedule means, interval by interval."""
    for interval in range(n_intervals):
        changes = [change for change in schedule if change["interval"] == interval]
        if changes:
            yield {"kind": "apply", "changes": changes}
        yield {"kind": "advance", "count": 1}
