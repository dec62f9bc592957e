# SPDX-License-Identifier: Apache-2.0
"""The worker process as its parent sees it: started, told to fork and kill children, ended.

The worker (`ns3_scenarios.worker.inside`) loads ns-3 once and forks one child per simulation. Each
child has a connection of its own, straight to the parent; the worker's own connection carries the
orders to fork and to kill, and the news of children that have ended. Threads may share a worker.
The worker ends when that connection does, and its children end with it, so nothing outlives the
parent, however it dies.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ns3_scenarios.errors import (
    ProtocolError,
    UserError,
    WorkerError,
    WorkerGoneError,
    WorkerTimeoutError,
)
from ns3_scenarios.ran.build import Progress, ensure_built, source_hash
from ns3_scenarios.worker import protocol
from ns3_scenarios.worker.closing import Closing

ANSWER_TIMEOUT_S = 30.0
"""For everything that the worker does at once."""
END_TIMEOUT_S = 3.0
"""For the worker to end by itself once its connection is closed, or for a child to be killed."""
MAX_LIVE = 32
"""Live simulations that a worker may have at the same time."""
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
        """The last lines; none once it is closed."""
        if self._fd < 0:
            return ""
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
        self._closed = False
        self._sending = threading.Lock()
        self._numbers = itertools.count(1)
        self._news = threading.Condition()
        self._reading = False
        self._exits: dict[int, Exit | None] = {}
        """Of the children that somebody still asks for."""
        self._live: set[int] = set()
        """Live simulations that have not ended."""
        self._released: set[int] = set()
        """Those among them that are about to."""
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

    @property
    def is_ours(self) -> bool:
        """Whether it was started by this process, not by one that this is a fork of."""
        return os.getpid() == self._owner

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def check_alive(self) -> None:
        """Raise `WorkerGoneError` if the process has ended."""
        if self._closed:
            raise WorkerGoneError("the simulation worker was closed")
        if self._process.poll() is not None:
            raise WorkerGoneError(f"the simulation worker {_how(self._process.returncode)}")

    def stderr_tail(self) -> str:
        """The last lines that the process has written to standard error."""
        return self._stderr.tail()

    def start(self, kind: str, request: dict[str, Any]) -> Child:
        """Fork a child.

        Args:
            kind: `run` or `live`.
            request: what it is to simulate.

        Raises:
            UserError: there are too many live simulations.
            WorkerError: the worker is gone or does not answer.
        """

        def submit(child: int, fds: list[int]) -> None:
            self._order({**request, "kind": kind, "child": child}, fds)

        return Child(self, submit, live=kind == "live")

    def register(self, *, live: bool) -> int:
        """A number for a new child.

        Raises:
            UserError: there are too many live simulations.
            WorkerError: the worker is gone.
        """
        deadline = time.monotonic() + END_TIMEOUT_S
        while True:
            with suppress(WorkerTimeoutError):
                while True:
                    self._take_news(0, lambda: False)
            with self._news:
                if not live or len(self._live) < MAX_LIVE:
                    number = next(self._numbers)
                    self._exits[number] = None
                    if live:
                        self._live.add(number)
                    return number
                full = not self._live & self._released
            if full or time.monotonic() > deadline:
                raise UserError(
                    f"there are {MAX_LIVE} live simulations in this worker, and no more are "
                    "allowed; close one of them"
                )
            with suppress(WorkerTimeoutError):
                self._take_news(protocol.POLL_S, lambda: len(self._live) < MAX_LIVE)

    def forget(self, child: int, *, never_lived: bool = False) -> None:
        """Keep no news of a child any more. Waits for nothing, so that a destructor may call it."""
        self._exits.pop(child, None)
        if never_lived:
            self._live.discard(child)
        elif child in self._live:
            self._released.add(child)

    def kill(self, child: int) -> None:
        """End a child, unless it has ended, and wait until it has.

        Raises:
            WorkerError: the worker is gone or does not answer.
        """
        if self._exits[child] is None:
            self._order({"kind": "kill", "child": child}, [], timeout_s=END_TIMEOUT_S)
            self.wait_for_exit(child, END_TIMEOUT_S)

    def wait_for_exit(self, child: int, timeout_s: float = ANSWER_TIMEOUT_S) -> Exit:
        """How a child ended, once it has ended.

        Raises:
            WorkerError: the worker is gone or does not answer.
        """
        deadline = time.monotonic() + timeout_s
        while not (end := self._exits[child]):
            try:
                left_s = max(0.0, deadline - time.monotonic())
                self._take_news(left_s, lambda: bool(self._exits[child]))
            except WorkerGoneError:
                if not self._closed:
                    self._process.wait(ANSWER_TIMEOUT_S)
                self.check_alive()
                raise
        return end

    def close(self) -> None:
        """End the process and its children. In a fork of the parent, only let go of them."""
        if self._closed:
            return
        self._closed = True
        if self.is_ours:
            with suppress(OSError):
                self._control.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for news
        else:
            self._process.returncode = 0  # not ours to wait for
        self._end()
        self._control.close()
        self._stderr.close()

    def _end(self) -> None:
        """Wait for the process to end, but not for long."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_TIMEOUT_S)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _order(
        self, header: dict[str, Any], fds: list[int], timeout_s: float = ANSWER_TIMEOUT_S
    ) -> None:
        self.check_alive()
        with self._sending:
            protocol.send(
                self._control, header, fds=fds, timeout_s=timeout_s, check_alive=self.check_alive
            )

    def _take_news(self, timeout_s: float, is_known: Callable[[], bool]) -> None:
        """Wait for news of any child, whichever thread reads it.

        Args:
            timeout_s: longest time to wait.
            is_known: whether another thread has read what the caller waits for.

        Raises:
            WorkerTimeoutError: there was none in time.
            WorkerGoneError: the worker is gone.
        """
        with self._news:
            if is_known():
                return
            if self._reading:
                if not self._news.wait(timeout_s):
                    raise WorkerTimeoutError(f"no answer within {timeout_s:.3g} s")
                return
            self._reading = True
        news = None
        try:
            if self._closed:
                raise WorkerGoneError("the simulation worker was closed")
            protocol.wait_for_message(
                self._control, timeout_s=timeout_s, check_alive=self.check_alive
            )
            news = self._receive(ANSWER_TIMEOUT_S).header
        finally:
            with self._news:
                self._reading = False
                if news:
                    child = news["child"]
                    self._live.discard(child)
                    self._released.discard(child)
                    if child in self._exits and not self._exits[child]:
                        self._exits[child] = Exit(news["pid"], news["code"])
                self._news.notify_all()

    def _receive(self, timeout_s: float) -> protocol.Message:
        return protocol.receive(self._control, timeout_s=timeout_s, check_alive=self.check_alive)


class Child(Closing):
    """One simulation in a child of the worker, from its start to its end."""

    def __init__(
        self, worker: WorkerProcess, submit: Callable[[int, list[int]], None], *, live: bool
    ) -> None:
        """Have it forked.

        Args:
            worker: whose child it will be.
            submit: sends its number and descriptors to whoever forks it.
            live: whether it counts as a live simulation.
        """
        self._worker = worker
        self._open = False
        self._number = worker.register(live=live)
        self._stderr = StderrFile()
        self._socket, theirs = socket.socketpair()
        try:
            with theirs:
                submit(self._number, [theirs.fileno(), self._stderr.fileno()])
        except BaseException:
            worker.forget(self._number, never_lived=True)
            self._let_go()
            raise
        self._open = True

    def __del__(self) -> None:
        """Let it end by itself: it notices that its connection is closed."""
        if getattr(self, "_open", False):
            self._worker.forget(self._number)
            self._let_go()

    @property
    def is_ours(self) -> bool:
        """Whether it was started by this process, not by one that this is a fork of."""
        return self._worker.is_ours

    def send(self, header: dict[str, Any], fds: list[int] | None = None) -> None:
        """Give an order.

        Raises:
            WorkerTimeoutError: the child does not read.
            WorkerGoneError: the worker has ended, or the child.
        """
        protocol.send(
            self._socket,
            header,
            fds=fds or [],
            timeout_s=ANSWER_TIMEOUT_S,
            check_alive=self._worker.check_alive,
        )

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

    def branch(self) -> Child:
        """Have the child, a live simulation, forked. Both then answer whether it worked.

        Raises:
            UserError: there are too many live simulations.
            WorkerError: the worker or the child is gone, or does not answer.
        """

        def submit(child: int, fds: list[int]) -> None:
            self.send({"kind": "branch", "child": child}, fds)

        return Child(self._worker, submit, live=True)

    def wait_for_exit(self) -> Exit:
        """How the child ended, once it has ended."""
        return self._worker.wait_for_exit(self._number)

    def stderr_tail(self) -> str:
        """The last lines that the child has written to standard error."""
        return self._stderr.tail()

    def close(self) -> None:
        """End the child if it has not ended. In a fork of the parent, only let go of it."""
        if not self._open:
            return
        self._open = False
        try:
            if self.is_ours:
                self._worker.kill(self._number)
        except WorkerGoneError:
            pass  # and the child with it
        except WorkerTimeoutError:
            self._worker.close()  # whatever happens, no child is left to itself
        finally:
            self._worker.forget(self._number)
            self._let_go()

    def _let_go(self) -> None:
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
