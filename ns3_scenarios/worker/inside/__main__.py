# SPDX-License-Identifier: GPL-2.0-only
"""The worker: load ns-3 and the RAN model once, then fork a child for each simulation ordered.

    python -m ns3_scenarios.worker.inside FD EXTENSION

FD is the worker's end of the connection to its parent, EXTENSION the compiled RAN model. The worker
ends when its parent does or closes the connection; its children end with it. Branches of live
simulations become children of the worker, too.
"""

from __future__ import annotations

import gc
import os
import platform
import select
import signal
import socket
import sys
import time
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from ns3_scenarios.errors import WorkerGoneError
from ns3_scenarios.worker import protocol
from ns3_scenarios.worker.inside import forking

SEND_TIMEOUT_S = 300.0
"""A parent that reads nothing for so long is not coming back."""


def main(control_fd: int, extension: Path) -> None:
    """Warm up, say so, and serve until the parent is gone."""
    start = time.perf_counter()
    parent = os.getppid()
    # A child that ends wakes the loop up; the handler itself has nothing to do.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    woken, waker = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    with socket.socket(fileno=control_fd) as control:
        sys.path.insert(0, str(extension.parent))
        from ns3_scenarios.worker.inside import simulation

        simulation.preload()
        worker = Worker(control)
        gc.collect()
        gc.freeze()  # children share what exists now: the collector must not write to it
        forking.check_single_thread()
        worker.send(_ready(time.perf_counter() - start))
        worker.serve(woken, parent)


def _ready(warm_s: float) -> dict[str, Any]:
    versions = {"python": platform.python_version(), "ns3": version("ns3")}
    return {"kind": "ready", "warm_s": warm_s, "versions": versions | {"arrow": version("pyarrow")}}


class Worker:
    """Forks children, ends them, and reports how they ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._pid = os.getpid()
        self._births = forking.Births()
        self._children: dict[int, int] = {}
        """Number of each child by process id."""

    def send(self, header: dict[str, Any]) -> None:
        """Tell the parent."""
        protocol.send(self._control, header, timeout_s=SEND_TIMEOUT_S)

    def serve(self, woken: int, parent: int) -> None:
        """Do what is ordered until the parent is gone.

        Args:
            woken: descriptor that can be read when a child has ended.
            parent: process id.
        """
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(woken, select.POLLIN)
        while os.getppid() == parent:
            ready = {fd for fd, _ in poll.poll(protocol.POLL_S * 1e3)}
            if woken in ready:
                os.read(woken, 4096)
            self._report_ended()
            if self._control.fileno() in ready:
                try:
                    order = protocol.receive(self._control, timeout_s=SEND_TIMEOUT_S, max_fds=2)
                except WorkerGoneError:
                    return
                if order.kind == "kill":
                    self._kill(order.header["child"])
                else:
                    self._start(order)

    def _report_ended(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._children |= self._births.read()
            # Anything else stood between a simulation and its branch.
            if pid in self._children:
                child, code = self._children.pop(pid), os.waitstatus_to_exitcode(status)
                self.send({"kind": "exited", "child": child, "pid": pid, "code": code})

    def _kill(self, child: int) -> None:
        self._children |= self._births.read()
        for pid, number in self._children.items():
            if number == child:
                os.kill(pid, signal.SIGKILL)
                return
        # It has ended and this is known, or it was a branch that came to nothing.
        self.send({"kind": "exited", "child": child, "pid": 0, "code": 0})

    def _start(self, order: protocol.Message) -> None:
        connection, stderr = order.fds
        child = order.header["child"]
        with socket.socket(fileno=connection) as sock:
            try:
                self._children[self._fork(sock, stderr, order.header)] = child
            except OSError as error:
                os.write(stderr, f"cannot fork: {error.strerror}".encode())
                self.send({"kind": "exited", "child": child, "pid": 0, "code": 1})
        os.close(stderr)

    def _fork(self, sock: socket.socket, stderr: int, order: dict[str, Any]) -> int:
        """Start a child; returns its process id, and only in the worker."""
        forking.check_single_thread()
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            forking.end_with(self._pid)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._control.close()
            forking.write_to(stderr)
            os.close(stderr)
            from ns3_scenarios.worker.inside.answering import Answering

            Answering(sock, self._births, self._pid).answer(order)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            _leave(status)


def _leave(status: int) -> NoReturn:
    """End this process at once: what ns-3 would tidy up at exit is of no use any more."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
    _leave(0)
