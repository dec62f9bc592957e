# SPDX-License-Identifier: GPL-2.0-only
"""How the worker and its simulations fork, and how every child stays the worker's own."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import time
from pathlib import Path

MAX_STDERR_BYTES = 64 << 20
ADOPTION_CHECK_S = 2e-4
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_RECORD = struct.Struct("=qq")


class Births:
    """How the worker learns of children that it did not fork itself.

    It adopts the branches of its simulations. A record of the branch is in the pipe before the
    worker can become its parent.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)

    def announce(self, pid: int, child: int) -> None:
        """Let the worker know which child a process is."""
        os.write(self._writer, _RECORD.pack(pid, child))

    def read(self) -> dict[int, int]:
        """The children announced since the last call, by process id."""
        try:
            return dict(_RECORD.iter_unpack(os.read(self._reader, 4096 * _RECORD.size)))
        except BlockingIOError:
            return {}


def check_single_thread() -> None:
    """A fork copies only the thread that forks; locks that others hold would stay locked."""
    names = [
        task.joinpath("comm").read_text().strip() for task in Path("/proc/self/task").iterdir()
    ]
    if len(names) != 1:
        raise RuntimeError(f"the worker must have one thread to be forked, not {sorted(names)}")


def end_with(worker: int) -> None:
    """Let this process, a child of the worker, be killed when the worker ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != worker:  # it has ended already
        os._exit(1)


def branch(births: Births, child: int, worker: int) -> bool:
    """Fork this process and make the fork a child of the worker.

    Args:
        births: where the worker learns of it.
        child: its number.
        worker: process id of the worker.

    Returns:
        Whether this is the fork.

    Raises:
        OSError: the machine has no room for another process.
    """
    check_single_thread()
    between = os.fork()
    if between:
        code = os.waitstatus_to_exitcode(os.waitpid(between, 0)[1])
        if code:
            raise OSError(code, os.strerror(code) if code > 0 else "killed")
        return False
    # The worker adopts what the process in between leaves behind.
    between = os.getpid()
    try:
        pid = os.fork()
        if pid:
            births.announce(pid, child)
            os._exit(0)
    except OSError as error:
        os._exit(error.errno or 1)
    while os.getppid() == between:
        time.sleep(ADOPTION_CHECK_S)
    end_with(worker)
    return True


def write_to(stderr: int) -> None:
    """Send what this process prints to a file, but not without end."""
    os.dup2(stderr, 1)
    os.dup2(stderr, 2)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = MAX_STDERR_BYTES if hard == resource.RLIM_INFINITY else min(MAX_STDERR_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def limit_memory(max_memory_mb: float) -> None:
    """Bound the data of this process and its forks, beyond what it has now."""
    (line,) = (
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmData:")
    )
    now_bytes = int(line.split()[1]) << 10
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (now_bytes + round(max_memory_mb * 1e6), hard))


def lift_memory_limit() -> None:
    """Make room to say that there is none."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None).prctl(option, value, 0, 0, 0):
        raise RuntimeError(f"prctl {option} failed")
