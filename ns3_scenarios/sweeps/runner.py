# SPDX-License-Identifier: Apache-2.0
"""Runs what a sweep is missing: processes with a warm worker each, results stored as they come.

The process that simulates a run also writes its files, so nothing but names and hashes travels
between processes, and an interrupted sweep keeps every run that had ended. The processes are this
machine's, or the workers of a Dask cluster, which see the same folder.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from filelock import FileLock, Timeout

from ns3_scenarios import processes
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.errors import (
    BuildError,
    DatasetError,
    SimulationError,
    SweepError,
    UserError,
    WorkerError,
)
from ns3_scenarios.storage import (
    FAILURES,
    MANIFEST,
    TEMPORARY,
    TIMINGS,
    Manifest,
    RunEntry,
    column_type,
    read_entry,
    read_json,
    read_manifest,
    remove_temporaries,
    sizes_match,
    write_json,
    write_manifest,
    write_run,
)
from ns3_scenarios.sweeps.cluster import KilledError, connected, unordered
from ns3_scenarios.sweeps.design import Plan, Run, plan
from ns3_scenarios.sweeps.spec import SweepSpec, load_spec

if TYPE_CHECKING:
    from distributed import Client

LOCK = ".sweep.lock"
MANIFEST_EVERY_S = 5.0
"""How often the manifest catches up with the runs that have ended."""
ORPHAN_CHECK_S = 0.5
WITHOUT_WORKER = 10
"""Runs in a row for which a cluster may start no simulation worker."""
VERSIONS = ("code_version", "ran_hash", "ns3_version")
"""Fields of manifest and provenance that are the same in all of a dataset."""
#: Fields of a specification that may grow without making runs that exist another dataset's.
GROWING = ("seeds", "n_configs", "points", "description")


@dataclass(frozen=True)
class Progress:
    """Where a sweep stands; given to `on_progress` at the start and whenever a run ends."""

    total: int
    done: int
    """Runs in the dataset, those of earlier calls among them."""
    resumed: int
    """Runs that were there at the start."""
    failed: int
    elapsed_s: float
    message: str = ""
    """News to show: a run that failed or was run twice, a model that is compiled."""

    @property
    def rate_per_s(self) -> float:
        """Runs that ended per second, in this call."""
        ended = self.done - self.resumed + self.failed
        return ended / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def remaining_s(self) -> float | None:
        """Estimated time left, if something has ended yet."""
        left = self.total - self.done - self.failed
        return left / self.rate_per_s if self.rate_per_s else None


OnProgress = Callable[[Progress], None]
OnInterval = Callable[[int, int], None]


@dataclass(frozen=True)
class _Outcome:
    """How one run ended."""

    run_id: tuple[str, int]
    entry: RunEntry | None = None
    wall_s: float = 0.0
    events: int = 0
    error: SimulationError | WorkerError | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Common:
    """What every run of a sweep needs besides itself."""

    folder: Path
    columns: dict[str, pa.DataType]
    """Arrow types of the varied fields."""
    versions: dict[str, str]
    """What `VERSIONS` must be."""
    parent: int | None
    """Process of the sweep, if it is on this machine and the others are to end with it."""
    on_interval: OnInterval | None
    token: str = ""
    """Name of a file that is in the folder while the sweep goes on, for workers elsewhere."""


@dataclass
class _Book:
    """What is known of the runs so far, and its copy on disk."""

    folder: Path
    manifest: Manifest
    entries: dict[tuple[str, int], RunEntry]
    timings: dict[str, Any]
    failures: dict[str, Any] = field(default_factory=dict)
    written_s: float = float("-inf")

    def write(self, *, at_least_every_s: float = 0.0) -> None:
        if time.monotonic() - self.written_s < at_least_every_s:
            return
        runs = tuple(self.entries.values())
        write_manifest(self.folder, self.manifest.model_copy(update={"runs": runs}))
        write_json(self.folder / TIMINGS, self.timings)
        if self.failures:
            write_json(self.folder / FAILURES, self.failures)
        else:
            (self.folder / FAILURES).unlink(missing_ok=True)
        self.written_s = time.monotonic()


def sweep(
    spec: SweepSpec | str | Path,
    out: str | Path,
    jobs: int | None = None,
    on_progress: OnProgress | None = None,
    on_interval: OnInterval | None = None,
    *,
    scheduler: str | None = None,
) -> Dataset:
    """Simulate all runs of a sweep that the dataset does not have yet.

    Args:
        spec: the specification, or the path of its YAML file.
        out: folder of the dataset; made if need be, continued if it is this sweep's.
        jobs: processes that simulate at the same time; 1, the default, simulates in this one. Not
            together with a scheduler, whose workers decide how many simulate at the same time.
        on_progress: told where the sweep stands.
        on_interval: told of the intervals of the present run, done and in all; only with one job.
        scheduler: address of the Dask scheduler whose workers simulate, `host:port`. All of them
            must have this version of the project; the workers see `out` under the same path.

    Raises:
        SweepError: the specification is impossible, or the scheduler does not answer; nothing has
            run.
        DatasetError: the folder cannot be used, is another sweep's, or is in use; or a file cannot
            be written. Runs that had ended are kept.
        SimulationError: some runs failed. All others are in the dataset, `failures.json` has the
            reasons, and the same call tries those runs again.
        BuildError: the RAN model cannot be compiled.
        WorkerError: no worker can be started, or the scheduler is lost.
    """
    if jobs is not None and scheduler:
        raise SweepError(
            f"jobs={jobs} is not allowed with a Dask scheduler; its workers decide how many runs "
            "are simulated at the same time"
        )
    return run_plan(
        _planned(spec), out, 1 if jobs is None else jobs, on_progress, on_interval, scheduler
    )


def run_plan(
    whole: Plan,
    out: str | Path,
    jobs: int = 1,
    on_progress: OnProgress | None = None,
    on_interval: OnInterval | None = None,
    scheduler: str | None = None,
) -> Dataset:
    """Simulate all runs of a plan that the dataset does not have yet; see `sweep`.

    Raises:
        SixgError: see `sweep`.
    """
    if jobs < 1:
        raise SweepError(f"jobs={jobs} is not allowed; it must be 1 or more")
    folder = Path(out)
    with connected(scheduler) if scheduler else nullcontext() as client, _locked(folder):
        book = _open_book(folder, whole)
        try:
            failed = _run_missing(book, whole, jobs, client, on_progress, on_interval)
        finally:
            remove_temporaries(folder)  # of processes that were killed in mid-write
    if failed:
        first = failed[0]
        count = f"{len(failed)} of {len(whole.runs)} runs failed"
        raise SimulationError(
            f"{count} (see {folder / FAILURES}; the same sweep tries them again); the first: "
            f"{first}",
            stderr_tail=getattr(first, "stderr_tail", ""),
            reproduce=getattr(first, "reproduce", ""),
        )
    return Dataset.open(folder)


def _planned(spec: SweepSpec | str | Path) -> Plan:
    if isinstance(spec, SweepSpec):
        return plan(spec)
    loaded = load_spec(spec)
    try:
        return plan(loaded)
    except SweepError as error:
        raise SweepError(f"{spec}: {error}") from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other sweeps out of a folder; the lock ends with this process, however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        visible = any(not path.name.startswith(".") for path in folder.iterdir())
        if visible and not (folder / MANIFEST).exists():
            raise DatasetError(
                f"{folder} has files in it but is not a dataset; choose an empty or new folder"
            )
        lock = FileLock(folder / LOCK, timeout=0)
        lock.acquire()
    except Timeout:
        raise DatasetError(f"another sweep is writing to {folder}; wait until it ends") from None
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise DatasetError(f"cannot write to {folder}: {what}") from None
    try:
        yield
    finally:
        lock.release()


def _open_book(folder: Path, whole: Plan) -> _Book:
    """Find out what is there already.

    Raises:
        DatasetError: it belongs to another sweep.
    """
    manifest = _manifest(whole)
    entries: dict[tuple[str, int], RunEntry] = {}
    timings: dict[str, Any] = {}
    if (folder / MANIFEST).exists():
        old = read_manifest(folder)
        _check_same(folder, old, manifest, whole)
        listed = {run.id: run for run in old.runs}
        for run in whole.runs:
            entry = listed.get(run.id)
            if entry is None or not sizes_match(folder, entry):
                entry = _entry_on_disk(folder, run, manifest)
            if entry:
                entries[run.id] = entry
        with suppress(DatasetError):
            timings = read_json(folder / TIMINGS)
    remove_temporaries(folder)
    book = _Book(folder, manifest, entries, timings)
    book.write()
    return book


def _manifest(whole: Plan) -> Manifest:
    from ns3_scenarios.ran.build import ns3_version, source_hash
    from ns3_scenarios.worker import code_version

    return Manifest(
        code_version=code_version(),
        ran_hash=source_hash(),
        ns3_version=ns3_version(),
        scenario=whole.scenario,
        parameters=whole.parameters,
        configs=tuple(config.key for config in whole.configs),
        seeds=whole.seeds,
        spec=whole.spec.model_dump(mode="json") if whole.spec else None,
    )


def _check_same(folder: Path, old: Manifest, new: Manifest, whole: Plan) -> None:
    """A dataset is one sweep by one version; more seeds or configurations may be added to it."""
    differences = [
        f"{name} was {getattr(old, attribute)}, now {getattr(new, attribute)}"
        for attribute, name in (
            ("code_version", "the program's version"),
            ("ran_hash", "the RAN model"),
            ("ns3_version", "ns-3"),
        )
        if getattr(old, attribute) != getattr(new, attribute)
    ]
    before, now = old.spec or {}, new.spec or {}
    differences += [
        f"`{name}` of the specification differs"
        for name in sorted({*before, *now})
        if name not in GROWING and before.get(name) != now.get(name)
    ]
    planned = {run.id for run in whole.runs}
    strangers = [run for run in old.runs if run.id not in planned]
    if strangers and not differences:
        config, seed = strangers[0].id
        differences.append(f"its run config={config} seed={seed} is not one of this sweep's")
    if differences:
        raise DatasetError(
            f"{folder} holds another dataset ({'; '.join(differences)}); choose another folder, "
            "or delete this one to make it anew"
        )


def _entry_on_disk(folder: Path, run: Run, manifest: Manifest) -> RunEntry | None:
    """The entry of a run that ended after the manifest was last written."""
    from ns3_scenarios.worker import schedule_hash

    found = read_entry(folder, *run.id)
    if not found:
        return None
    entry, provenance = found
    expected = {
        "config": run.config.key,
        "seed": run.seed,
        "schedule_hash": schedule_hash(run.schedule),
        "code_version": manifest.code_version,
        "ran_hash": manifest.ran_hash,
        "ns3_version": manifest.ns3_version,
    }
    return entry if all(provenance.get(k) == v for k, v in expected.items()) else None


def _run_missing(
    book: _Book,
    whole: Plan,
    jobs: int,
    client: Client | None,
    on_progress: OnProgress | None,
    on_interval: OnInterval | None,
) -> list[SimulationError | WorkerError]:
    """Simulate, keep the book, report; give the errors of runs that failed."""
    from ns3_scenarios.ran.build import ensure_built

    missing = [run for run in whole.runs if run.id not in book.entries]
    resumed, started = len(book.entries), time.monotonic()
    failed: list[SimulationError | WorkerError] = []
    without_worker = 0

    def tell(message: str = "") -> None:
        if on_progress:
            elapsed_s = time.monotonic() - started
            done = len(book.entries)
            total = len(whole.runs)
            on_progress(Progress(total, done, resumed, len(failed), elapsed_s, message))

    tell()
    try:
        versions = {name: getattr(book.manifest, name) for name in VERSIONS}
        common = _Common(book.folder, _columns(whole), versions, os.getpid(), on_interval)
        if missing and not client:
            ensure_built(tell)  # once, not in every process
        with closing(_outcomes(missing, common, jobs, client, tell)) as outcomes:
            for outcome in outcomes:
                for note in outcome.notes:
                    tell(note)
                if outcome.entry:
                    without_worker = 0
                    book.entries[outcome.run_id] = outcome.entry
                    book.timings["/".join(map(str, outcome.run_id))] = {
                        "wall_s": round(outcome.wall_s, 4),
                        "events": outcome.events,
                    }
                    tell()
                elif outcome.error:
                    config, seed = outcome.run_id
                    without_worker += isinstance(outcome.error, WorkerError)
                    if without_worker > (WITHOUT_WORKER if client else jobs):
                        raise outcome.error
                    failed.append(outcome.error)
                    book.failures[f"{config}/{seed}"] = {
                        "error": str(outcome.error),
                        "reproduce": getattr(outcome.error, "reproduce", ""),
                    }
                    tell(f"config={config} seed={seed} failed: {outcome.error}")
                book.write(at_least_every_s=MANIFEST_EVERY_S)
    except BaseException:
        with suppress(DatasetError):  # what stopped the sweep is the news
            book.write()
        raise
    book.write()
    return failed


def _columns(whole: Plan) -> dict[str, pa.DataType]:
    """Arrow types of the varied fields: the same in all files of the dataset."""
    return {
        path: column_type([config.values[path] for config in whole.configs])
        for path in whole.parameters
    }


def _outcomes(
    runs: list[Run],
    common: _Common,
    jobs: int,
    client: Client | None,
    say: Callable[[str], None],
) -> Generator[_Outcome, None, None]:
    """Simulate runs and yield how each ended, as they end, in any order.

    The one place that says where simulations run.
    """
    if client:
        return _outcomes_of_cluster(runs, common, client, say)
    return _outcomes_here(runs, common, jobs)


def _outcomes_here(runs: list[Run], common: _Common, jobs: int) -> Generator[_Outcome, None, None]:
    """Simulate runs on this machine."""
    if min(jobs, len(runs)) > 1:
        common = replace(common, on_interval=None)
    calls = {run.id: (run, common) for run in runs}
    with closing(
        processes.unordered(
            _simulate_and_store, calls, jobs, whose="of the sweep", again="its run is run once more"
        )
    ) as results:
        for _, outcome in results:
            yield outcome


def _outcomes_of_cluster(
    runs: list[Run], common: _Common, client: Client, say: Callable[[str], None]
) -> Generator[_Outcome, None, None]:
    """Simulate runs on the workers of a Dask cluster."""
    token = common.folder.absolute() / f".sweep-{uuid.uuid4().hex}{TEMPORARY}"
    token.touch()
    common = replace(common, folder=token.parent, parent=None, on_interval=None, token=token.name)
    calls = {run.id: (run, common) for run in runs}
    try:
        with closing(unordered(client, _simulate_on_cluster, calls, say)) as results:
            for run_id, result in results:
                if isinstance(result, KilledError):
                    error = SimulationError(
                        f"every Dask worker that simulated it was killed, the last at {result}, "
                        "perhaps for want of memory"
                    )
                    yield _Outcome(run_id, error=error)
                else:
                    yield result
    finally:
        token.unlink(missing_ok=True)


_one_run = threading.Lock()
"""Held by the thread of a Dask worker that simulates: a process has one simulation worker, and
warnings are caught for the whole process."""


def _simulate_on_cluster(run: Run, common: _Common) -> _Outcome:
    """Simulate one run and write its files; runs in a Dask worker."""
    from distributed import get_worker

    from ns3_scenarios.ran.build import ns3_version, source_hash
    from ns3_scenarios.worker import code_version

    with _one_run:
        try:
            _check_folder(common)
            found = dict(zip(VERSIONS, (code_version(), source_hash(), ns3_version()), strict=True))
            if found != common.versions:
                raise DatasetError(
                    f"it has {_listed(found)}, but the sweep was started with "
                    f"{_listed(common.versions)}; install the same version everywhere"
                )
            return _simulate_and_store(run, common)
        except (UserError, BuildError) as error:
            raise type(error)(f"Dask worker {get_worker().address}: {error}") from None


def _check_folder(common: _Common) -> None:
    """See that this is the sweep's folder, and that the sweep has not ended.

    Raises:
        DatasetError: it is not.
    """
    if common.token and not os.path.exists(common.folder / common.token):
        raise DatasetError(
            f"it does not see the sweep's files in {common.folder}; the folder of the dataset must "
            "be on a file system that all workers share, under the same path"
        )


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _simulate_and_store(run: Run, common: _Common) -> _Outcome:
    """Simulate one run and write its files; runs in any process."""
    if common.parent and os.getpid() != common.parent:
        _end_with(common.parent)
    from ns3_scenarios.simulate import simulate

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        try:
            traces = simulate(
                run.config.scenario, run.schedule, run.seed, on_progress=common.on_interval
            )
        except (SimulationError, WorkerError) as error:
            return _Outcome(run.id, error=error)
    made_by = {name: getattr(traces.provenance, name) for name in VERSIONS}
    if made_by != common.versions:
        raise DatasetError(
            f"the program changed from {_listed(common.versions)} to {_listed(made_by)} while "
            f"{common.folder} was made; start again in another folder"
        )
    _check_folder(common)
    entry = write_run(common.folder, run, traces, common.columns)
    config, seed = run.id
    notes = tuple(f"config={config} seed={seed}: {w.message}" for w in caught)
    return _Outcome(run.id, entry, traces.wall_s, traces.events, notes=notes)


_watched: set[int] = set()


def _end_with(parent: int) -> None:
    """End this process soon after its parent has, so that nothing writes after a killed sweep."""
    if parent in _watched:
        return
    _watched.add(parent)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(ORPHAN_CHECK_S)
        os._exit(1)

    if os.getppid() == parent:
        threading.Thread(target=watch, daemon=True).start()
