# SPDX-License-Identifier: Apache-2.0
"""A simulation as a process of its own, with all that it starts: `Process`."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from env.errors import EnvUserError

PORT, SEED = "{port}", "{seed}"
LAST_WORDS_BYTES = 4096


class Process:
    """A simulation that is to connect to an agent.

    Args:
        command: program and arguments. `{port}` and `{seed}` in them are filled in; where there is
            no `{port}`, `--openGymPort=PORT --simSeed=SEED` follow, as ns3-gym's agents pass them.
        port: of the agent.
        seed: of the simulation.
        cwd: folder that it runs in.

    Raises:
        EnvUserError: it cannot be started.
    """

    def __init__(self, command: Sequence[str], port: int, seed: int, cwd: Path | None) -> None:
        filled = [part.replace(PORT, str(port)).replace(SEED, str(seed)) for part in command]
        if not any(PORT in part for part in command):
            filled += [f"--openGymPort={port}", f"--simSeed={seed}"]
        try:
            self._process = subprocess.Popen(
                filled,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise EnvUserError(f"{filled[0]} cannot be started: {error.strerror}") from None
        self._end = weakref.finalize(self, _kill, self._process)
        self._words = bytearray()
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=_read, args=(self._process.stdout.fileno(), self._words), daemon=True
        )
        self._reader.start()

    def health(self) -> str:
        """Why it has ended; nothing while it runs."""
        status = self._process.poll()
        if status is None:
            return ""
        self._reader.join(timeout=1)  # a child may still hold the other end
        last = bytes(self._words).decode(errors="replace").strip().rpartition("\n")[2][-300:]
        return f"exit status {status}" + (f"; it said: {last}" if last else "")

    def close(self, patience_s: float) -> None:
        """Let it end by itself for a while, then end it and all that it has started."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_s)
        self._end()
        self._process.wait()
        self._reader.join(timeout=1)
        assert self._process.stdout is not None
        if not self._reader.is_alive():
            self._process.stdout.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the whole group: the program that was started may be a shell of the simulation."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _read(descriptor: int, words: bytearray) -> None:
    """Keep the last of what it says."""
    with suppress(OSError):
        while chunk := os.read(descriptor, 65536):
            words += chunk
            del words[:-LAST_WORDS_BYTES]
