# SPDX-License-Identifier: GPL-2.0-only
"""The worker: load ns-3 and the RAN model once, then fork a child for each run that is ordered.

    python -m ns3_scenarios.worker.inside FD EXTENSION

FD is the worker's end of the connection to its parent, EXTENSION the compiled RAN model. The worker
ends when its parent does or closes the connection; its children end with it.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import resource
import select
import signal
import socket
import sys
import time
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from ns3_scenarios.errors import UserError, WorkerGoneError
from ns3_scenarios.worker import protocol

SEND_TIMEOUT_S = 300.0
"""A parent that reads nothing for so long is not coming back."""
MAX_STDERR_BYTES = 64 << 20
_PR_SET_PDEATHSIG = 1


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
        gc.collect()
        gc.freeze()  # children share what exists now: the collector must not write to it
        _check_single_thread()
        _send(control, _ready(time.perf_counter() - start))
        _serve(control, woken, parent)


def _ready(warm_s: float) -> dict[str, Any]:
    versions = {"python": platform.python_version(), "ns3": version("ns3")}
    return {"kind": "ready", "warm_s": warm_s, "versions": versions | {"arrow": version("pyarrow")}}


def _serve(control: socket.socket, woken: int, parent: int) -> None:
    """Fork runs as ordered and report how they end."""
    running: dict[int, int] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(woken, select.POLLIN)
    while os.getppid() == parent:
        ready = {fd for fd, _ in poll.poll(protocol.POLL_S * 1e3)}
        if woken in ready:
            os.read(woken, 4096)
        _report_ended(control, running)
        if control.fileno() in ready:
            try:
                order = protocol.receive(control, timeout_s=SEND_TIMEOUT_S, max_fds=2)
            except WorkerGoneError:
                return
            connection, stderr = order.fds
            with socket.socket(fileno=connection) as sock:
                running[_fork(control, sock, stderr, order.header)] = order.header["run"]
            os.close(stderr)


def _report_ended(control: socket.socket, running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        code = os.waitstatus_to_exitcode(status)
        _send(control, {"kind": "exited", "run": running.pop(pid), "pid": pid, "code": code})


def _fork(control: socket.socket, sock: socket.socket, stderr: int, order: dict[str, Any]) -> int:
    """Start a child; returns its process id, and only in the worker."""
    _check_single_thread()
    worker = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        # The child ends with the worker.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != worker:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        os.dup2(stderr, 1)
        os.dup2(stderr, 2)
        resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_STDERR_BYTES, MAX_STDERR_BYTES))
        _answer(sock, order)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(status)


def _check_single_thread() -> None:
    """A fork copies only the thread that forks; locks that others hold would stay locked."""
    names = [
        task.joinpath("comm").read_text().strip() for task in Path("/proc/self/task").iterdir()
    ]
    if len(names) != 1:
        raise RuntimeError(f"the worker must have one thread to be forked, not {sorted(names)}")


def _leave(status: int) -> NoReturn:
    """End this process at once: what ns-3 would tidy up at exit is of no use any more."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _answer(sock: socket.socket, order: dict[str, Any]) -> None:
    """Run what was ordered; send the tables of every interval, then how it went."""
    from ns3_scenarios.worker.inside.running import encode, run

    def report(interval: int, intervals: int, tables: dict[str, Any]) -> None:
        sizes, payload = encode(tables)
        header = {"kind": "interval", "interval": interval, "intervals": intervals}
        _send(sock, {**header, "tables": sizes}, payload)

    try:
        end = run(order, report)
    except WorkerGoneError:
        return  # the parent has lost interest
    except Exception as error:
        header = {
            "kind": "error",
            "type": "user" if isinstance(error, UserError) else "bug",
            "name": type(error).__name__,
            "message": str(error),
            "traceback": traceback.format_exc(),
        }
        _send(sock, header)
    else:
        _send(sock, {"kind": "done", **end})


def _send(sock: socket.socket, header: dict[str, Any], payload: bytes = b"") -> None:
    protocol.send(sock, header, payload, timeout_s=SEND_TIMEOUT_S)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
    _leave(0)
