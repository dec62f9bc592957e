# SPDX-License-Identifier: Apache-2.0
"""Plays the same episodes on the surrogate, on live NS-3, and on another draw of NS-3: `play_all`.

Each episode is kept in a folder named after everything that decides it. What is there is not played
again, so that a run that was ended goes on where it was.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Literal, cast, get_args

import calibration
import env.backends
import env.world
import experiment_model
from env.agents import SCRIPT, make_agent
from env.backends.base import Backend
from env.backends.ns3 import Ns3Backend
from env.backends.surrogate import SurrogateBackend
from env.episodes import LOG, Outcome, read_log
from env.errors import EnvUserError
from env.playing import play
from env.tasks import Task
from experiment_model import DEFAULT_MODEL, ExperimentModel, ModelError
from ns3_scenarios.errors import UserError
from ns3_scenarios.processes import unordered
from ns3_scenarios.ran.build import source_hash
from ns3_scenarios.scenario import ScenarioConfig

Stage = Literal["surrogate", "ns3", "redrawn"]
"""`redrawn`: NS-3 with the same start, and other random streams after it."""
STAGES: tuple[Stage, ...] = get_args(Stage)

ROLLING = (calibration, experiment_model, env.backends, env.world)
"""Packages that decide, with the model, what comes of an episode on the surrogate."""
FIRST_SEED = 51
"""Seeds from here on are those of evaluation; no model is fitted on them."""


@dataclass(frozen=True)
class Subject:
    """A task, or a scenario in which nothing is to be reached."""

    name: str
    network: ScenarioConfig
    task: Task | None = None


@dataclass(frozen=True)
class Case:
    """One episode, wherever it is played."""

    subject: Subject
    agent: str
    seed: int


@dataclass(frozen=True)
class Setup:
    """What is common to all episodes.

    Args:
        out: folder in which episodes are kept.
        model: folder of the surrogate's model.
        intervals: of an episode without a task.
    """

    out: Path
    model: Path = DEFAULT_MODEL
    intervals: int = 10


@dataclass(frozen=True)
class Ended:
    """How one episode on one stage ended."""

    case: Case
    stage: Stage
    outcome: Outcome
    """`error`: it could not be played to its end, which says nothing of agent or model."""
    reason: str
    path: Path | None
    """Folder of the episode; None where it could not be played."""


@dataclass(frozen=True)
class Triple:
    """One case on all stages."""

    case: Case
    surrogate: Ended
    ns3: Ended
    redrawn: Ended

    @property
    def stages(self) -> tuple[Ended, Ended, Ended]:
        """In the order of `STAGES`."""
        return self.surrogate, self.ns3, self.redrawn

    @property
    def complete(self) -> bool:
        """Whether each of them was played to its end."""
        return all(ended.path for ended in self.stages)


def cases_of(subjects: Sequence[Subject], agents: Sequence[str], episodes: int) -> list[Case]:
    """Every subject with every agent and seed.

    Raises:
        EnvUserError: two subjects have one name, an agent is given twice, or there is no such
            agent.
    """
    for what, names in (("name", [s.name for s in subjects]), ("agent", list(agents))):
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise EnvUserError(f"{what}={twice[0]!r} is there twice; once is allowed")
    for subject, agent in itertools.product(subjects, agents):
        make_agent(agent, subject.task)
    seeds = range(FIRST_SEED, FIRST_SEED + episodes)
    return [Case(*each) for each in itertools.product(subjects, agents, seeds)]


def play_all(
    cases: Sequence[Case],
    setup: Setup,
    *,
    jobs: int = 1,
    on_episodes: Callable[[int, int], None] | None = None,
) -> list[Triple]:
    """Play every case on all stages, but for what the folder has from before.

    Args:
        cases: what is played.
        setup: how.
        jobs: episodes at the same time.
        on_episodes: told how many episodes are done, of how many.

    Raises:
        EnvUserError: the model cannot be read, or the folder not written.
        UserError: a scenario cannot be simulated as it is.
        WorkerError: processes are killed again and again.
    """
    try:
        _model(setup.model)
    except ModelError as error:
        raise EnvUserError(str(error)) from None
    try:
        setup.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvUserError(f"cannot write episodes to {setup.out}: {error.strerror}") from None
    work = dict(enumerate(itertools.product(cases, STAGES)))
    found = {n: kept for n, each in work.items() if (kept := _kept(*each, setup))}
    if on_episodes and found:
        on_episodes(len(found), len(work))
    calls = {n: (*work[n], setup) for n in work if n not in found}
    again = "its episode is played once more"
    for number, ended in unordered(_play_one, calls, jobs, whose="that play", again=again):
        found[number] = ended
        if on_episodes:
            on_episodes(len(found), len(work))
    each = iter(found[number] for number in work)
    return [Triple(case, *itertools.islice(each, len(STAGES))) for case in cases]


def _play_one(case: Case, stage: Stage, setup: Setup) -> Ended:
    """Play one episode; it gets its name when it has come to its end."""
    try:
        with TemporaryDirectory(dir=setup.out, prefix=".playing-") as folder:
            played = play(
                lambda: _backend(case, stage, setup.model),
                make_agent(case.agent, case.subject.task),
                task=case.subject.task,
                intervals=setup.intervals,
                episodes=folder,
                model=str(setup.model) if stage == "surrogate" else "",
            )
            if played.outcome == "error" or played.path is None:
                return Ended(case, stage, "error", played.reason, None)
            path = _path(case, stage, setup)
            shutil.rmtree(path, ignore_errors=True)  # one that cannot be read
            os.replace(played.path, path)
            return Ended(case, stage, played.outcome, played.reason, path)
    except UserError:
        raise
    except Exception as error:  # one episode that cannot be played must not end all others
        return Ended(case, stage, "error", f"{type(error).__name__}: {error}", None)


def _backend(case: Case, stage: Stage, model: Path) -> Backend:
    network, seed = case.subject.network, case.seed
    if stage == "surrogate":
        return SurrogateBackend(network, seed, _model(model))
    return Ns3Backend(network, seed, redraw=seed if stage == "redrawn" else None)


def _kept(case: Case, stage: Stage, setup: Setup) -> Ended | None:
    """An episode of an earlier run; without a readable end it does not count."""
    path = _path(case, stage, setup)
    if not (path / LOG).exists():
        return None
    ending = read_log(path).ending
    return Ended(case, stage, ending.outcome, ending.reason, path) if ending else None


def _path(case: Case, stage: Stage, setup: Setup) -> Path:
    """Where an episode is kept: its name has a hash of everything that decides it."""
    subject = case.subject
    decides = {
        "network": subject.network.canonical_json(),
        "task": subject.task.model_dump(mode="json") if subject.task else setup.intervals,
        "agent": _content(case.agent),
        "seed": case.seed,
        "stage": stage,
        "model": model_hash(setup.model) + _code_hash() if stage == "surrogate" else "",
        "ran": _source_hash(),
    }
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:12]
    agent = re.sub(r"[^\w.-]+", "-", case.agent)[-40:]
    return setup.out / f"{subject.name}-{agent}-{case.seed}-{stage}-{digest}"


def _content(agent: str) -> str:
    """What decides an agent: of a script, its calls."""
    if agent.startswith(SCRIPT):
        return SCRIPT + Path(agent.removeprefix(SCRIPT)).read_text(encoding="utf-8")
    return agent


@lru_cache(maxsize=8)
def model_hash(folder: Path) -> str:
    """SHA-256 of `model.json`, which has those of all other files."""
    return hashlib.sha256((folder / "model.json").read_bytes()).hexdigest()


@lru_cache(maxsize=1)
def _code_hash() -> str:
    """SHA-256 of the code that lets networks run on a model."""
    return hash_of_packages(ROLLING, (".py",))


def hash_of_packages(
    packages: Iterable[ModuleType], suffixes: Sequence[str], start: bytes = b""
) -> str:
    """SHA-256 of files of some packages.

    Args:
        packages: whose files count, in their order.
        suffixes: of the files.
        start: what comes before them.
    """
    digest = hashlib.sha256(start)
    for package in packages:
        folder = Path(package.__file__ or "").parent
        for source in sorted(folder.rglob("*")):
            if source.suffix in suffixes:
                digest.update(f"{source.relative_to(folder)}\n".encode() + source.read_bytes())
    return digest.hexdigest()


_source_hash = lru_cache(maxsize=1)(source_hash)
_model = cast("Callable[[Path], ExperimentModel]", lru_cache(maxsize=1)(ExperimentModel.load))
