# SPDX-License-Identifier: Apache-2.0
"""Moving a running episode to another backend: `swap_backend`."""

from __future__ import annotations

from env.backends.base import Backend
from env.environment import Environment
from env.errors import EnvUserError
from ns3_scenarios.controls import ControlChange


def swap_backend(environment: Environment, backend: Backend) -> None:
    """Let an episode go on on another backend, in mid-episode.

    All changes that were made are made there, each after as many intervals as it was here, and time
    passes as it did here. The log, the ledger and the controls stay; KPIs are those of the new
    backend. The old backend is closed.

    Args:
        environment: of the episode.
        backend: a fresh one, for the same scenario and seed.

    Raises:
        EnvUserError: it is for another scenario or seed, or has gone further than its start.
        ControlError: it refuses a change; the environment is as it was.
        BackendError: it has failed; the environment is as it was.
    """
    old = environment.backend
    for field in ("scenario", "seed"):
        if getattr(backend, field) != getattr(old, field):
            raise EnvUserError(f"the backend to swap in has another {field} than the episode")
    starts = [change.interval for change in environment.changes]
    first = min([*starts, old.interval])
    if backend.interval > first:
        raise EnvUserError(
            f"the backend to swap in has done {backend.interval} intervals; it must not have done "
            f"more than {first}"
        )
    for change in environment.changes:
        if change.interval > backend.interval:
            backend.advance(change.interval - backend.interval)
        backend.apply(
            [
                ControlChange(interval=change.interval, path=s.path, value=s.after)
                for s in change.settings
            ]
        )
    if old.interval > backend.interval:
        backend.advance(old.interval - backend.interval)
    environment.backend = backend
    old.close()
