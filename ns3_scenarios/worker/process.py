# SPDX-License-Identifier: Apache-2.0
"""The worker process as its parent sees it: started, told to fork runs, ended.

The worker (`ns3_scenarios.worker.inside`) loads ns-3 once and forks one child per run. Each run has
a connection of its own, straight from the child to the parent; the worker's own connection carries
the orders, and the news of children that have ended. The worker ends when that connection does, and
its children end with it, so nothing outlives the parent, however it dies.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from ns3_scenarios.errors import ProtocolError, WorkerError, WorkerGoneError, WorkerTimeoutError
from ns3_scenarios.ran.build import Progress, ensure_built, source_hash
from ns3_scenarios.worker import protocol

ANSWER_TIMEOUT_S = 30.0
"""For everything that the worker does at once."""
END_TIMEOUT_S = 3.0
"""For the worker to end by itself once its connection is closed."""
TAIL_BYTES = 8192
TAIL_LINES = 40

_LOGGER = logging.getLogger(__name__)

# A process with one thread can be forked safely: no thread pools, no background threads. Text
# hashes alike in every process, and nothing from the user's shell changes ns-3's defaults.
SINGLE_THREAD = {
    "ARROW_IO_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
_UNWANTED = ("NS_ATTRIBUTE_DEFAULT", "NS_GLOBAL_VALUE")


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker says of itself once it is warm."""

    pid: int
    warm_s: float
    """From the start of the process to readiness."""
    ran_hash: str
    """Hash of the RAN model's source."""
    versions: dict[str, str]
    """Of Python, ns-3 and Arrow, by name."""


@dataclass(frozen=True)
class Exit:
    """How a child ended."""

    pid: int
    code: int
    """Its exit status, or minus the number of the signal that ended it."""

    def __str__(self) -> str:
        return f"process {self.pid} {_how(self.code)}"


class StderrFile:
    """Holds in memory what a process writes to standard error, and gives the end of it."""

    def __init__(self) -> None:
        self._fd = os.memfd_create("sixg-stderr")

    def fileno(self) -> int:
        """The descriptor to write to."""
        return self._fd

    def tail(self) -> str:
        """The last lines."""
        start = max(0, os.fstat(self._fd).st_size - TAIL_BYTES)
        text = os.pread(self._fd, TAIL_BYTES, start).decode(errors="replace")
        return "\n".join(text.splitlines()[-TAIL_LINES:])

    def close(self) -> None:
        """Forget it all."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class WorkerProcess:
    """One warm worker process."""

    def __init__(self, *, start_timeout_s: float, on_build: Progress = _LOGGER.warning) -> None:
        """Start it and wait until it is warm.

        Raises:
            BuildError: the RAN model cannot be compiled.
            WorkerError: the process does not start, or not in time.
        """
        self._owner = os.getpid()
        self._runs = 0
        ran_hash, extension = source_hash(), ensure_built(on_build)
        self._stderr = StderrFile()
        self._control, theirs = socket.socketpair()
        module = f"{__package__}.inside"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(theirs.fileno()), str(extension)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._stderr.fileno(),
                stderr=self._stderr.fileno(),
                env=_environment(),
                start_new_session=True,  # an interrupt from the keyboard is the parent's business
            )
        try:
            ready = self._receive(start_timeout_s)
        except WorkerError as error:
            if isinstance(error, WorkerTimeoutError):
                self._process.kill()
            self._end()
            tail = self._stderr.tail()
            self.close()
            raise WorkerError(f"the simulation worker does not start: {error}\n{tail}") from None
        self.info = WorkerInfo(
            self._process.pid, ready.header["warm_s"], ran_hash, ready.header["versions"]
        )

    def check_alive(self) -> None:
        """Raise `WorkerGoneError` if the process has ended."""
        if self._process.poll() is not None:
            raise WorkerGoneError(f"the simulation worker {_how(self._process.returncode)}")

    def stderr_tail(self) -> str:
        """The last lines that the process has written to standard error."""
        return self._stderr.tail()

    def start_run(self, request: dict[str, Any]) -> Run:
        """Fork a child for a request.

        Raises:
            WorkerError: the worker is gone or does not answer.
        """
        return Run(self, request)

    def submit(self, request: dict[str, Any], fds: list[int]) -> int:
        """Send a request for a run with its descriptors; returns the number of the run."""
        self._runs += 1
        header = {**request, "kind": "run", "run": self._runs}
        protocol.send(
            self._control,
            header,
            fds=fds,
            timeout_s=ANSWER_TIMEOUT_S,
            check_alive=self.check_alive,
        )
        return self._runs

    def wait_for_exit(self, run: int) -> Exit:
        """How the child of a run ended, once it has ended.

        Raises:
            WorkerError: the worker is gone or does not answer.
        """
        while True:
            try:
                news = self._receive(ANSWER_TIMEOUT_S)
            except WorkerGoneError:
                self._process.wait(ANSWER_TIMEOUT_S)
                self.check_alive()
                raise
            if news.kind == "exited" and news.header["run"] == run:
                return Exit(news.header["pid"], news.header["code"])

    def close(self) -> None:
        """End the process and its children. In a fork of the parent, only let go of them."""
        self._control.close()
        if os.getpid() != self._owner:
            self._process.returncode = 0  # not ours to wait for
        self._end()
        self._stderr.close()

    def _end(self) -> None:
        """Wait for the process to end, but not for long."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_TIMEOUT_S)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _receive(self, timeout_s: float) -> protocol.Message:
        return protocol.receive(self._control, timeout_s=timeout_s, check_alive=self.check_alive)


class Run:
    """One simulation in a child of the worker, from its start to its end."""

    def __init__(self, worker: WorkerProcess, request: dict[str, Any]) -> None:
        self._worker = worker
        self._stderr = StderrFile()
        self._socket, theirs = socket.socketpair()
        try:
            with theirs:
                self._number = worker.submit(request, [theirs.fileno(), self._stderr.fileno()])
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def receive(self, timeout_s: float) -> protocol.Message | Exit:
        """The next message of the child, or how it ended if there is none.

        Raises:
            WorkerTimeoutError: neither came in time.
            WorkerGoneError: the worker has ended, and the child with it.
        """
        try:
            return protocol.receive(
                self._socket, timeout_s=timeout_s, check_alive=self._worker.check_alive
            )
        except WorkerTimeoutError:
            raise
        except (WorkerGoneError, ProtocolError):
            self._socket.close()  # a child that still writes notices and ends
            return self.wait_for_exit()

    def wait_for_exit(self) -> Exit:
        """How the child ended, once it has ended."""
        return self._worker.wait_for_exit(self._number)

    def stderr_tail(self) -> str:
        """The last lines that the child has written to standard error."""
        return self._stderr.tail()

    def close(self) -> None:
        """Let go of the connection."""
        self._socket.close()
        self._stderr.close()


def _how(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit status {code}"


def _environment() -> dict[str, str]:
    """The parent's environment and module search path, without what must not reach ns-3."""
    kept = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    return {**kept, **SINGLE_THREAD, "PYTHONPATH": path}
