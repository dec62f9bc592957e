# SPDX-License-Identifier: Apache-2.0
"""Calls in processes of this machine, some of which may be killed: `unordered`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Hashable, Mapping
from typing import Any, TypeVar

from ns3_scenarios.errors import WorkerError

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")


def unordered(
    function: Callable[..., R],
    calls: Mapping[K, tuple[Any, ...]],
    jobs: int,
    *,
    whose: str,
    again: str,
) -> Generator[tuple[K, R], None, None]:
    """Results of calls with their keys, as they come; a single job runs in this process.

    Args:
        function: to be called; it can be pickled.
        calls: arguments of each call.
        jobs: processes at most.
        whose: processes, for messages, such as "of the sweep".
        again: what happens to the call of a process that was killed, for a warning.

    Raises:
        WorkerError: processes are killed again and again.
    """
    import joblib
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    jobs = max(1, min(jobs, len(calls)))
    left = dict(calls)
    killed = 0
    try:
        with joblib.parallel_config(backend="loky", n_jobs=jobs, inner_max_num_threads=1):
            while left:
                parallel = joblib.Parallel(
                    return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs"
                )
                task = joblib.delayed(_keyed)
                try:
                    for key, result in parallel(
                        task(key, function, arguments) for key, arguments in list(left.items())
                    ):
                        del left[key]
                        killed = 0
                        yield key, result
                except TerminatedWorkerError:
                    killed += 1
                    if killed > 1:
                        raise WorkerError(
                            f"the processes {whose} are killed again and again, perhaps for want "
                            "of memory; try fewer jobs"
                        ) from None
                    warnings.warn(
                        f"a process {whose} was killed; {again}", RuntimeWarning, stacklevel=2
                    )
    finally:
        if jobs > 1:
            # Left to the interpreter's end, they now and then keep it from ending.
            get_reusable_executor().shutdown(wait=True, kill_workers=True)


def _keyed(key: K, function: Callable[..., R], arguments: tuple[Any, ...]) -> tuple[K, R]:
    return key, function(*arguments)
