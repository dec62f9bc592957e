# SPDX-License-Identifier: Apache-2.0
"""Calls on the workers of a Dask cluster, their results as they come.

joblib's own Dask backend streams results and outlives killed workers, but once `distributed` gives
a call up because each of its workers died, joblib (1.6) never hears of it and waits forever; so
the calls are submitted to `distributed` directly.
"""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Hashable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from ns3_scenarios.errors import SixgError, SweepError, WorkerError

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_TIMEOUT_S = 8.0
WITHOUT_WORKERS_S = 60.0
"""How long a cluster may have no worker, for instance while a nanny starts another one."""
LOOK_EVERY_S = 1.0
"""How often the workers are counted."""
AHEAD = 2
"""Calls submitted per thread of the cluster, so that no thread waits for the next."""

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


class KilledError(Exception):
    """Given in place of a result whose worker was killed each time; says which was the last."""


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """A connection to a Dask scheduler; whatever was submitted is cancelled at its end.

    Raises:
        SweepError: `distributed` is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError:
        raise SweepError(
            "a sweep on a Dask cluster needs Dask; install it with: "
            'pip install "sixg-agent-gym[dask]"'
        ) from None
    # A client that fails to connect leaves threads behind, which then fail noisily. The thread is
    # for notebooks, where this one has a running loop.
    try:
        with ThreadPoolExecutor(1) as thread:
            kind = thread.submit(asyncio.run, _kind_of_server(address)).result()
    except ValueError as error:
        raise SweepError(
            f"scheduler={address!r} is not an address; it must be like 10.0.0.1:8786 ({error})"
        ) from None
    except Exception:  # other services than Dask's answer with anything
        kind = ""
    if kind != "Scheduler":
        raise SweepError(f"no Dask scheduler answers at {address}; start one with: dask scheduler")
    try:
        client = Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False, name="sixg")
    except OSError as error:
        raise SweepError(f"the Dask scheduler at {address} does not answer: {error}") from None
    try:
        yield client
    finally:
        with suppress(OSError):  # gone already
            client.close()


async def _kind_of_server(address: str) -> str:
    from distributed.comm.core import connect

    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        comm = await connect(address, timeout=CONNECT_TIMEOUT_S)
        try:
            await comm.write({"op": "identity", "reply": True})
            answer: dict[str, str] = await comm.read()
            return answer["type"]
        finally:
            comm.abort()


def unordered(
    client: Client,
    function: Callable[..., Result],
    calls: Mapping[Key, tuple[Any, ...]],
    say: Callable[[str], None],
) -> Generator[tuple[Key, Result | KilledError], None, None]:
    """Make calls on the cluster and yield their results as they come, by key.

    `distributed` repeats a call whose worker was killed, some times. It blames every call that the
    worker had been given, so a call that it gives up is tried again alone before it is blamed here.

    Args:
        client: what to submit to.
        function: must be importable by the scheduler and the workers.
        calls: arguments, by key.
        say: told when there is nobody to do the work.

    Raises:
        WorkerError: the scheduler is lost, there are no workers for a minute, or the project is
            not installed there.
        SixgError: what a call raised.
    """
    waiting, suspects = deque(calls), deque[Key]()
    alone: set[Key] = set()
    going: dict[Future[Any], Key] = {}
    done: SimpleQueue[Future[Any]] = SimpleQueue()
    workers = _Workers(client, say)

    def submit(key: Key) -> None:
        future = client.submit(function, *calls[key], pure=False)
        going[future] = key
        future.add_done_callback(done.put)

    try:
        while waiting or suspects or going:
            threads = workers.threads()
            while waiting and len(going) < AHEAD * max(1, threads):
                submit(waiting.popleft())
            if not going:
                alone.add(suspects[0])
                submit(suspects.popleft())
            try:
                future = done.get(timeout=LOOK_EVERY_S)
            except Empty:
                continue
            key = going.pop(future)
            result = _result(future)
            if isinstance(result, KilledError) and key not in alone:
                suspects.append(key)
            else:
                yield key, result
    finally:
        with suppress(Exception):  # a cluster that is gone has nothing left to cancel
            client.cancel(list(going), force=True)


class _Workers:
    """Counts the threads of a cluster now and then, and looks whether new workers can be of use."""

    def __init__(self, client: Client, say: Callable[[str], None]) -> None:
        self._client = client
        self._say = say
        self._threads = 0
        self._known: set[str] = set()
        self._counted_s = float("-inf")
        self._without_since_s: float | None = None

    def threads(self) -> int:
        """Threads of all workers together."""
        now_s = time.monotonic()
        if now_s - self._counted_s < LOOK_EVERY_S:
            return self._threads
        try:
            threads = self._client.nthreads()
            self._check(threads.keys() - self._known)
        except OSError:
            raise _lost() from None
        self._known = set(threads)
        self._threads = sum(threads.values())
        self._counted_s = now_s
        if self._threads:
            self._without_since_s = None
        elif self._without_since_s is None:
            self._without_since_s = now_s
            self._say("the Dask scheduler has no worker; waiting for one")
        elif now_s - self._without_since_s > WITHOUT_WORKERS_S:
            raise WorkerError(
                f"the Dask scheduler has had no worker for {WITHOUT_WORKERS_S:.0f} s; start one "
                "with: dask worker"
            )
        return self._threads

    def _check(self, new: Collection[str]) -> None:
        """Look whether the project is there: workers that cannot load a call end without a word."""
        if not new:
            return
        specs = self._client.run(
            importlib.util.find_spec, "ns3_scenarios", workers=list(new), on_error="return"
        )
        for worker, spec in sorted(specs.items()):
            if spec is None:
                raise WorkerError(
                    f"the Dask worker {worker} cannot run a sweep; it needs this version of the "
                    "project installed"
                )


def _result(future: Future[Any]) -> Any:
    from distributed import KilledWorker

    if future.cancelled():
        raise _lost()
    try:
        return future.result()
    except SixgError:
        raise
    except KilledWorker as error:
        return KilledError(error.last_worker.address)
    except (ImportError, AttributeError, RuntimeError) as error:
        what = str(error).partition("\n")[0]
        raise WorkerError(
            f"the Dask cluster cannot run a sweep ({type(error).__name__}: {what}); its scheduler "
            "and all its workers need this version of the project installed"
        ) from error


def _lost() -> WorkerError:
    return WorkerError(
        "the Dask scheduler is lost; what has ended is kept, and the same sweep goes on from there"
    )
