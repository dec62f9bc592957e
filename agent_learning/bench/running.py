# SPDX-License-Identifier: Apache-2.0
"""Lets an agent try many tasks, in parallel and with interruptions: `run`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path

import agent_learning
import calibration
import env
import experiment_model
import ns3_scenarios
from agent_learning.bench.playing import MakeAgents, Setup, play_trial
from agent_learning.bench.saving import Header, RunFolder
from agent_learning.bench.task import BenchTask
from agent_learning.bench.teams import make_agents
from agent_learning.errors import BenchUserError
from env.backends.base import BackendName
from env.backends.making import backend_maker
from env.fidelity.playing import hash_of_packages, model_hash
from experiment_model import DEFAULT_MODEL
from ns3_scenarios.processes import unordered
from ns3_scenarios.ran.build import source_hash

DECIDING = (agent_learning, calibration, env, experiment_model, ns3_scenarios)
"""Packages whose code decides what comes of a trial."""
DECIDING_FILES = (".py", ".yaml")


def run(
    agent: str,
    tasks: Sequence[BenchTask],
    out: str | Path,
    *,
    backend: BackendName = "surrogate",
    trials: int = 1,
    model: str | Path | None = None,
    jobs: int = 1,
    make: MakeAgents = make_agents,
    on_trials: Callable[[int, int], None] | None = None,
) -> RunFolder:
    """Let an agent try every task several times, but for the trials that the folder has.

    A run that was killed goes on from there. Trials that the infrastructure failed are made again,
    others are not. On the surrogate, equal agents make equal records but for `wall_s`.

    Args:
        agent: its name.
        tasks: to be tried.
        out: folder of the run.
        backend: surrogate, ns3 or auto.
        trials: of each task.
        model: folder of the surrogate's model; that of the package by default.
        jobs: trials at the same time.
        make: makes the agents of a task from the name; it can be pickled.
        on_trials: told how many trials are done, of how many.

    Raises:
        BenchUserError: an argument cannot be used, or the folder not written.
        UserError: there is no such agent or model, or a scenario cannot be used.
        WorkerError: processes are killed again and again.
    """
    if trials < 1:
        raise BenchUserError(f"trials={trials} is not allowed; it must be 1 or more")
    ids = [task.id for task in tasks]
    if not ids or len(set(ids)) < len(ids):
        what = "there is none" if not ids else "two have one id"
        raise BenchUserError(f"tasks cannot be run: {what}; at least one is needed, each once")
    folder = Path(model) if model else None
    backend_maker(backend, tasks[0].task.network, None if backend == "ns3" else folder)
    make(agent, tasks[0])
    header = Header(
        agent=agent,
        agent_sha256=_content(agent),
        backend=backend,
        model_sha256="" if backend == "ns3" else model_hash(folder or DEFAULT_MODEL),
        code_version=code_version(),
    )
    setup = Setup(agent, backend, folder, header.model_sha256, header.code_version, make)
    saved = RunFolder(out)
    with saved.begun(header, tasks):
        done = {trial.key for trial in saved.trials()}
        each = ((task, trial) for task in tasks for trial in range(1, trials + 1))
        work = {(task.id, trial): (task, trial, setup) for task, trial in each}
        left = {key: call for key, call in work.items() if key not in done}
        n_done = len(work) - len(left)
        if on_trials:
            on_trials(n_done, len(work))
        again = "its trial is made once more"
        for _, record in unordered(play_trial, left, jobs, whose="that play", again=again):
            saved.append(record)
            n_done += 1
            if on_trials:
                on_trials(n_done, len(work))
    return saved


def spread(tasks: Sequence[BenchTask], most: int) -> list[BenchTask]:
    """Some of the tasks, from all templates in turn; a smaller choice is part of a larger one.

    Args:
        tasks: in the order in which each template gives them.
        most: how many at most.
    """
    by_template: dict[str, list[BenchTask]] = {}
    for task in tasks:
        by_template.setdefault(task.template, []).append(task)
    rounds = zip_longest(*by_template.values())
    return [task for each in rounds for task in each if task is not None][:most]


@lru_cache(maxsize=1)
def code_version() -> str:
    """Version of the project, with 12 hex digits for the sources that decide about a trial."""
    digest = hash_of_packages(DECIDING, DECIDING_FILES, source_hash().encode())
    return f"{version('sixg-agent-gym')}+{digest[:12]}"


def _content(agent: str) -> str:
    """Hash of the file that a name such as `script:FILE` has."""
    file = Path(agent.partition(":")[2])
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
