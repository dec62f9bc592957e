# SPDX-License-Identifier: Apache-2.0
"""`LiveSimulation`: a simulation that runs on when told to, changes by hand, and can be branched.

It is a process of its own, forked from this process's simulation worker. A branch is a fork of that
process: a copy of the running simulation that goes on exactly as the original would.
"""

from __future__ import annotations

import copy
import math
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import pyarrow as pa

from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.errors import (
    SimulationError,
    UserError,
    WorkerError,
    WorkerGoneError,
    WorkerTimeoutError,
)
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.simulate import check_seed, checked, shared_worker
from ns3_scenarios.worker import SimulationWorker
from ns3_scenarios.worker.client import KILLS, decode, fail, joined, raise_error
from ns3_scenarios.worker.closing import Closing
from ns3_scenarios.worker.process import Child, Exit
from ns3_scenarios.worker.protocol import Message

IDLE_TIMEOUT_S = 600.0
MAX_MEMORY_MB = 2048.0

_OUT_OF_MEMORY = "std::bad_alloc"
"""What a C++ program says that has no memory left."""


@dataclass(frozen=True)
class Observation:
    """What is known of a live simulation without running it on."""

    interval: int
    """Number of reporting intervals done."""
    time_ms: float
    """Simulated time."""
    controls: ControlState
    """In force."""
    tables: dict[str, pa.Table]
    """KPI tables of the last interval; empty before the first one."""


class LiveSimulation(Closing):
    """A running simulation that is stepped, observed, changed and branched.

    Its rows are those of `simulate` with the same scenario, seed and changes. It may go on beyond
    the scenario's duration. Use it in a `with` statement, or call `close`; one that is dropped or
    not used for a while ends by itself. Threads may each use their own.

    Args:
        scenario: a scenario, the name of a packaged one, or the path of a YAML file.
        seed: of all random streams; 0 or more.
        idle_timeout_s: longest time without an order, also for branches.
        max_memory_mb: memory that it may take beyond what the worker has, also for each branch.
        worker: where it runs; this process's own worker by default.

    Raises:
        UserError: an argument cannot be used, or there are too many live simulations.
        SimulationError: it cannot be put together.
        BuildError: the RAN model cannot be compiled.
        WorkerError: the worker does not start or stops answering.
    """

    def __init__(
        self,
        scenario: ScenarioConfig | str | Path,
        seed: int = 1,
        *,
        idle_timeout_s: float = IDLE_TIMEOUT_S,
        max_memory_mb: float = MAX_MEMORY_MB,
        worker: SimulationWorker | None = None,
    ) -> None:
        for name, value in (("idle_timeout_s", idle_timeout_s), ("max_memory_mb", max_memory_mb)):
            if not 0 < value < math.inf:
                raise UserError(f"{name}={value} is not allowed; it must be more than 0 and finite")
        self._scenario = checked(scenario, seed)
        self._request = {
            "scenario": self._scenario.model_dump(mode="json"),
            "seed": seed,
            "idle_timeout_s": idle_timeout_s,
            "max_memory_mb": max_memory_mb,
        }
        self._orders: list[dict[str, Any]] = []
        self._pending: dict[str, Any] | None = None
        self._over: SimulationError | UserError | None = None
        worker = worker or shared_worker()
        self._stall_timeout_s = worker.stall_timeout_s
        self._child = worker.start_live(self._request)
        try:
            with self._conversation():
                self._answer()
        except BaseException:
            self.close()
            raise

    @property
    def scenario(self) -> ScenarioConfig:
        """What exists."""
        return self._scenario

    def advance(self, n: int = 1) -> dict[str, pa.Table]:
        """Run on.

        Args:
            n: number of reporting intervals; 1 or more.

        Returns:
            The KPI tables of exactly these intervals, by name.

        Raises:
            UserError: `n` is not allowed, or the simulation is closed.
            SimulationError: the simulation ended abnormally, or had ended before.
            WorkerError: an interval takes too long.
        """
        if n < 1:
            raise UserError(f"n={n} is not allowed; it must be 1 or more")
        batches: dict[str, list[pa.RecordBatch]] = {}
        with self._conversation({"kind": "advance", "count": n}):
            for _ in range(n):
                for name, batch in decode(self._answer()):
                    batches.setdefault(name, []).append(batch)
        return {name: joined(parts) for name, parts in batches.items()}

    def apply(self, controls: Iterable[ControlChange] | ControlState) -> None:
        """Change controls; this takes effect at the next slot.

        Args:
            controls: changes, all made now, whatever interval they name; or a whole state.

        Raises:
            ControlError: a change names no control or an impossible value. Nothing is changed.
            UserError: the simulation is closed.
            SimulationError: the simulation ended abnormally, or had ended before.
            WorkerError: the simulation does not answer.
        """
        order: dict[str, Any] = {"kind": "apply"}
        if isinstance(controls, ControlState):
            order["controls"] = controls.model_dump(mode="json")
        else:
            order["changes"] = [change.model_dump(mode="json") for change in controls]
        with self._conversation(order):
            self._answer()

    def redraw(self, seed: int) -> None:
        """Let what follows be another draw of the same network with the same past.

        Drawn anew: when applications send and how much (frames, bursts, web pages, jobs and their
        work, background jobs of edge sites); which blocks, packets on lossy links and packets in
        RED queues are lost; errors of measurements; turns of random walks; fast fading from its
        next update on; how shadowing and line of sight change as users move on.

        Kept: what has been drawn, such as positions, shadowing and line of sight where users are,
        packets and blocks under way, and the times that are set for next frames and jobs; and what
        the scenario and its seed fix, such as faults, routes and phases of periodic traffic.

        Two copies of a simulation that get the same changes, and are redrawn with equal seeds, go
        on alike. After different changes, sources of traffic and of jobs still draw the same.

        Args:
            seed: of the draws from now on, 0 or more. None leads back to what would have come.

        Raises:
            UserError: `seed` is not allowed, or the simulation is closed.
            SimulationError: the simulation ended abnormally, or had ended before.
            WorkerError: the simulation does not answer.
        """
        check_seed(seed)
        with self._conversation({"kind": "redraw", "seed": seed}):
            self._answer()

    def observe(self) -> Observation:
        """Look at the simulation, which takes no simulated time and changes nothing.

        Raises:
            UserError: the simulation is closed.
            SimulationError: the simulation ended abnormally, or had ended before.
            WorkerError: the simulation does not answer.
        """
        with self._conversation({"kind": "observe"}):
            answer = self._answer()
        intervals = answer.header["intervals"]
        return Observation(
            interval=intervals,
            time_ms=intervals * self._scenario.interval_ms,
            controls=ControlState.model_validate(answer.header["controls"]),
            tables={name: joined([batch]) for name, batch in decode(answer)},
        )

    def branch(self) -> LiveSimulation:
        """Fork the simulation as it stands. Each of the two then has its own life.

        Raises:
            UserError: the simulation is closed, or there are too many of them.
            SimulationError: the simulation ended abnormally, or had ended before.
            WorkerError: the simulation does not answer.
        """
        child = None
        try:
            with self._conversation():
                with suppress(WorkerGoneError):  # the answer says more
                    child = self._child.branch()
                self._answer()
            branch = copy.copy(self)
            branch._child, branch._orders = cast(Child, child), list(self._orders)
            with branch._conversation():
                branch._answer()
        except BaseException:
            if child:
                child.close()
            raise
        return branch

    def close(self) -> None:
        """End the simulation; its branches go on. In a fork of this process, only let go of it."""
        if not self._over:
            self._over = UserError("the live simulation is closed")
        self._child.close()

    def _check_usable(self) -> None:
        if not self._child.is_ours:
            raise UserError(
                "the live simulation belongs to the process that made it, and this is a fork of it"
            )
        if isinstance(self._over, SimulationError):
            raise _copy(self._over)
        if self._over:
            raise UserError(str(self._over))

    @contextmanager
    def _conversation(self, order: dict[str, Any] | None = None) -> Iterator[None]:
        """Give an order; if anything but a refusal comes of it, the simulation has ended."""
        self._check_usable()
        self._pending = order if order and order["kind"] != "observe" else None
        try:
            if order:
                with suppress(WorkerGoneError):  # the answer says more
                    self._child.send(order)
            yield
        except UserError:
            raise
        except BaseException as error:
            if isinstance(error, SimulationError):
                self._over = _copy(error)
            else:
                why = str(error) or type(error).__name__
                self._over = SimulationError(f"the live simulation has ended: {why}")
            self._child.close()
            raise
        if self._pending:
            self._log(self._pending)

    def _log(self, order: dict[str, Any]) -> None:
        last = self._orders[-1] if self._orders else {}
        if order["kind"] == last.get("kind") == "advance":
            self._orders[-1] = {**last, "count": last["count"] + order["count"]}
        else:
            self._orders.append(order)

    def _answer(self) -> Message:
        """What the simulation answers.

        Raises:
            UserError: it refuses the order.
            SimulationError: it has ended.
            WorkerError: it does not answer.
        """
        try:
            answer = self._child.receive(self._stall_timeout_s)
        except WorkerGoneError as error:
            self._fail(f"the live simulation was killed: {error}")
        except WorkerTimeoutError as error:
            raise WorkerError(f"the live simulation does not go on: {error}") from None
        tail = self._child.stderr_tail()
        if isinstance(answer, Exit):
            if answer.code == -signal.SIGABRT and _OUT_OF_MEMORY in tail:
                self._fail_for_memory()
            how = "was killed" if answer.code in KILLS else "ended abnormally"
            self._fail(f"the live simulation {how}: {answer}")
        if answer.kind == "idle":
            raise SimulationError(
                "the live simulation timed out: it ended by itself after idle_timeout_s="
                f"{self._request['idle_timeout_s']:g} s without an order"
            )
        if answer.kind == "error":
            if answer.header["type"] == "memory":
                self._fail_for_memory()
            raise_error(answer, tail, self._what_was_done())
        return answer

    def _fail_for_memory(self) -> NoReturn:
        raise SimulationError(
            "the live simulation was ended because it needs more memory than max_memory_mb="
            f"{self._request['max_memory_mb']:g}"
        )

    def _fail(self, what: str) -> NoReturn:
        fail(what, self._child.stderr_tail(), self._what_was_done())

    def _what_was_done(self) -> dict[str, Any]:
        pending = [self._pending] if self._pending else []
        return {**self._request, "orders": [*self._orders, *pending]}


def _copy(error: SimulationError) -> SimulationError:
    """The same error without its traceback, which would keep what it passed through alive."""
    return SimulationError(str(error), stderr_tail=error.stderr_tail, reproduce=error.reproduce)
