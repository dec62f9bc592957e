# SPDX-License-Identifier: Apache-2.0
"""Runs simulations in the worker and turns what comes back, or does not, into `Traces` or errors.

A run whose child or worker was killed from outside is run once more. One that ns-3 itself aborted
is not: it would abort again.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import os
import shlex
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
from platformdirs import user_cache_dir

from ns3_scenarios import errors
from ns3_scenarios.controls import Schedule
from ns3_scenarios.errors import (
    SimulationError,
    UserError,
    WorkerError,
    WorkerGoneError,
    WorkerTimeoutError,
)
from ns3_scenarios.kpi import KPI_SCHEMA_VERSION
from ns3_scenarios.ran.build import Progress
from ns3_scenarios.scenario import ScenarioConfig, canonical_json
from ns3_scenarios.traces import Provenance, Traces
from ns3_scenarios.worker.closing import Closing
from ns3_scenarios.worker.process import Child, Exit, WorkerInfo, WorkerProcess
from ns3_scenarios.worker.protocol import Message

START_TIMEOUT_S = 60.0
STALL_TIMEOUT_S = 300.0
DISTRIBUTION = "sixg-agent-gym"

OnProgress = Callable[[int, int], None]
"""Called after each reporting interval with the intervals done and all intervals."""

_LOGGER = logging.getLogger(__name__)
KILLS = (-signal.SIGKILL, -signal.SIGTERM)
"""How a process ends that was ended from outside."""


class _KilledError(Exception):
    """Raised when a run was ended from outside."""

    def __init__(self, message: str, stderr_tail: str) -> None:
        super().__init__(message)
        self.stderr_tail = stderr_tail


class SimulationWorker(Closing):
    """A warm simulation worker, for runs and live simulations, which threads may share.

    The process is started by the first simulation, or by `start`. Use it in a `with` statement, or
    call `close`.

    Args:
        start_timeout_s: longest time that the process may take to become warm.
        stall_timeout_s: longest time that one reporting interval may take.
        on_build: told what is compiled, if the RAN model has to be.
    """

    def __init__(
        self,
        *,
        start_timeout_s: float = START_TIMEOUT_S,
        stall_timeout_s: float = STALL_TIMEOUT_S,
        on_build: Progress = _LOGGER.warning,
    ) -> None:
        self._start_timeout_s = start_timeout_s
        self._stall_timeout_s = stall_timeout_s
        self._on_build = on_build
        self._process: WorkerProcess | None = None
        self._starting = threading.Lock()

    def start(self) -> WorkerInfo:
        """Start the process unless it runs.

        Raises:
            BuildError: the RAN model cannot be compiled.
            WorkerError: the process does not start.
        """
        return self._started().info

    def close(self) -> None:
        """End the process and what it simulates; the next simulation would start another one."""
        process, self._process = self._process, None
        if process:
            process.close()

    def run(
        self,
        scenario: ScenarioConfig,
        schedule: Schedule = (),
        seed: int = 1,
        on_progress: OnProgress | None = None,
    ) -> Traces:
        """Run one simulation to its end.

        Args:
            scenario: what exists.
            schedule: control changes, as `check_schedule` approves them.
            seed: of all random streams.
            on_progress: called after each reporting interval.

        Raises:
            SimulationError: the simulation ended abnormally, or was killed twice.
            UserError: the simulation refuses the scenario or a control.
            BuildError: the RAN model cannot be compiled.
            WorkerError: the worker does not start, or a reporting interval takes too long.
        """
        request = {
            "scenario": scenario.model_dump(mode="json"),
            "schedule": [change.model_dump(mode="json") for change in schedule],
            "seed": seed,
        }
        for attempt in (1, 2):
            try:
                tables, done, info = self._run_once(request, on_progress)
            except _KilledError as killed:
                if attempt == 2:
                    fail(f"{killed}; so did the first attempt", killed.stderr_tail, request)
                warnings.warn(
                    f"{killed}; the simulation is run once more", RuntimeWarning, stacklevel=2
                )
            else:
                break
        provenance = Provenance(
            scenario=scenario.name,
            config_hash=scenario.config_hash(),
            schedule_hash=schedule_hash(schedule),
            seed=seed,
            code_version=code_version(),
            ran_hash=info.ran_hash,
            ns3_version=info.versions["ns3"],
            kpi_schema_version=KPI_SCHEMA_VERSION,
        )
        return Traces(tables, provenance, done["wall_s"], done["events"])

    def start_live(self, request: dict[str, Any]) -> Child:
        """Fork a child for a live simulation; it says `ready` once it is put together.

        Args:
            request: `scenario` and `seed` as JSON data, `idle_timeout_s` and `max_memory_mb`.

        Raises:
            UserError: there are too many live simulations.
            BuildError: the RAN model cannot be compiled.
            WorkerError: the worker does not start.
        """
        try:
            return self._started().start("live", request)
        except WorkerGoneError:  # since the last simulation; nothing is lost
            self.close()
            return self._started().start("live", request)

    @property
    def stall_timeout_s(self) -> float:
        """Longest time that one reporting interval may take."""
        return self._stall_timeout_s

    def _run_once(
        self, request: dict[str, Any], on_progress: OnProgress | None
    ) -> tuple[dict[str, pa.Table], dict[str, Any], WorkerInfo]:
        batches: dict[str, list[pa.RecordBatch]] = {}
        worker = self._started()
        try:
            with worker.start("run", request) as child:
                while True:
                    message = child.receive(self._stall_timeout_s)
                    if isinstance(message, Exit):
                        _raise_exit(message, child, request)
                    if message.kind in ("done", "error"):
                        child.wait_for_exit()
                        if message.kind == "error":
                            raise_error(message, child.stderr_tail(), request)
                        tables = {name: joined(parts) for name, parts in batches.items()}
                        return tables, message.header, worker.info
                    for name, batch in decode(message):
                        batches.setdefault(name, []).append(batch)
                    if on_progress:
                        on_progress(message.header["interval"] + 1, message.header["intervals"])
        except WorkerGoneError as error:
            tail = worker.stderr_tail()
            worker.close()
            raise _KilledError(str(error), tail) from None
        except WorkerTimeoutError as error:
            raise WorkerError(f"the simulation does not go on: {error}") from None

    def _started(self) -> WorkerProcess:
        with self._starting:
            if self._process is None or self._process.is_closed:
                self._process = WorkerProcess(
                    start_timeout_s=self._start_timeout_s, on_build=self._on_build
                )
            return self._process


def schedule_hash(schedule: Schedule) -> str:
    """First 16 hex digits of the SHA-256 of a schedule's canonical JSON."""
    changes = [change.model_dump(mode="json") for change in schedule]
    return hashlib.sha256(canonical_json(changes).encode()).hexdigest()[:16]


def code_version() -> str:
    """Version of this distribution, or `unknown` where it is not installed."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def decode(message: Message) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The record batches of an interval: one Arrow stream after the other."""
    start = 0
    for name, size in message.header["tables"].items():
        with pa.ipc.open_stream(pa.py_buffer(message.payload).slice(start, size)) as stream:
            yield name, stream.read_next_batch()
        start += size


def joined(batches: list[pa.RecordBatch]) -> pa.Table:
    """The batches of several intervals as one table."""
    return pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()


def _raise_exit(end: Exit, child: Child, request: dict[str, Any]) -> NoReturn:
    if end.code in KILLS:
        raise _KilledError(f"the simulation was killed: {end}", child.stderr_tail())
    fail(f"the simulation ended abnormally: {end}", child.stderr_tail(), request)


def raise_error(message: Message, stderr_tail: str, request: dict[str, Any]) -> NoReturn:
    """Raise what the child says: the user's mistake by its own class, or a `SimulationError`.

    Args:
        message: of the kind `error`.
        stderr_tail: what the child has written to standard error.
        request: what it was to do.
    """
    header = message.header
    if header["type"] == "user":
        kind = getattr(errors, header["name"], UserError)
        raise kind(header["message"])
    tail = f"{stderr_tail}\n{header['traceback']}".strip()
    fail(f"the simulation failed: {header['name']}: {header['message']}", tail, request)


def fail(what: str, tail: str, request: dict[str, Any]) -> NoReturn:
    """Raise a `SimulationError` that says how to reproduce it.

    Args:
        what: one sentence.
        tail: the last lines of standard error.
        request: what `inside/reproduce.py` is to run.
    """
    reproduce = _reproduce_command(request)
    parts = (what, tail, f"To reproduce: {reproduce}" if reproduce else "")
    raise SimulationError(
        "\n".join(part for part in parts if part), stderr_tail=tail, reproduce=reproduce
    ) from None


def _reproduce_command(request: dict[str, Any]) -> str:
    """Write the request to a file and name the command that runs it; empty if that fails."""
    text = json.dumps(request, indent=1)
    name = f"{request['scenario']['name']}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    folders = [Path(user_cache_dir("sixg"), "failed")]
    with suppress(OSError):  # there is none that can be written
        folders.append(Path(tempfile.gettempdir()))
    for folder in folders:
        partial = folder / f"{name}.{os.getpid()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            partial.write_text(text)
            partial.replace(folder / name)
        except OSError:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        else:
            module = f"{__package__}.inside.reproduce"
            return shlex.join([sys.executable, "-m", module, str(folder / name)])
    return ""
