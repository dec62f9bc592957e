# SPDX-License-Identifier: Apache-2.0
"""How a run lies on disk.

    run.json         what was run: agent, backend, model, code
    tasks.jsonl      every task of the run, whole
    trials.jsonl     a line per trial with its trajectory, added when it ends
    summary.parquet  a row per trial, written when the run ends

What was killed while it wrote leaves half a line, which is read as no line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Literal, TypeVar, get_args

import pandas as pd
from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from agent_learning.bench.task import BenchTask
from agent_learning.bench.trial import Status, Trial, TrialRecord, counts_of, outcome_of
from agent_learning.errors import BenchUserError
from env.backends.base import BackendName
from ns3_scenarios.errors import DatasetError
from ns3_scenarios.library import format_validation_error, parse_model
from ns3_scenarios.scenario import Model
from ns3_scenarios.storage import write_atomic

RUN, TASKS, TRIALS, SUMMARY = "run.json", "tasks.jsonl", "trials.jsonl", "summary.parquet"
LOCK = ".lock"
M = TypeVar("M", bound=BaseModel)


class Header(Model):
    """What is common to the trials of a run."""

    format: Literal["sixg-bench-run"] = "sixg-bench-run"
    format_version: Literal[1] = 1
    agent: str
    agent_sha256: str = ""
    """Of the file that the agent is read from, if its name has one."""
    backend: BackendName
    model_sha256: str
    """Of the surrogate; empty where there is none."""
    code_version: str
    """Of this project, with a hash of its sources."""


class RunFolder:
    """The folder of a run.

    Args:
        path: of the folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @contextmanager
    def begun(self, header: Header, tasks: Sequence[BenchTask]) -> Iterator[None]:
        """Make the folder ready to take trials, as long as nobody else writes to it.

        Half a line and failures of the infrastructure, which are tried again, are taken out.

        Args:
            header: of the run.
            tasks: of the run, besides those that are there.

        Raises:
            BenchUserError: it cannot be written, or has trials of another run.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / LOCK)
            lock.acquire(blocking=False)
        except Timeout:
            raise BenchUserError(f"another process writes trials to {self.path} now") from None
        except OSError as error:
            raise BenchUserError(f"cannot write to {self.path}: {error.strerror}") from None
        try:
            self._agree(header)
            known = {task.id: task for task in self.tasks()}
            for task in tasks:
                other = known.setdefault(task.id, task)
                if other.content_hash != task.content_hash:
                    raise BenchUserError(
                        f"{self.path} has another task of the name {task.id!r}; "
                        "choose another folder"
                    )
            self._write(RUN, header.model_dump_json(indent=1) + "\n")
            self._write(TASKS, "".join(f"{_frozen(t)}\n" for t in known.values()))
            order = {task_id: number for number, task_id in enumerate(known)}
            self._tidy(order, ("success", "failure"))
            yield
            self._tidy(order, get_args(Status))
            self._summarise()
        finally:
            lock.release()

    def header(self) -> Header:
        """What was run.

        Raises:
            BenchUserError: it is no folder of a run.
        """
        file = self.path / RUN
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise BenchUserError(
                f"{self.path} is no run of a benchmark: it has no readable {RUN}"
            ) from None
        return parse_model(Header, data, str(file), BenchUserError)

    def tasks(self) -> list[BenchTask]:
        """The tasks of the run, in order.

        Raises:
            BenchUserError: one cannot be read.
        """
        return read_tasks(self.path / TASKS)

    def records(self) -> Iterator[TrialRecord]:
        """The trials, with their trajectories, in the order in which they were written.

        Raises:
            BenchUserError: one cannot be read, or says something else than its trajectory.
        """
        tasks = {task.id: task for task in self.tasks()}
        for where, line in whole_lines(self.path / TRIALS):
            record = _parsed(TrialRecord, where, line)
            task = tasks.get(record.task_id)
            if task is None or task.content_hash != record.task_hash:
                raise BenchUserError(
                    f"{where}: task_id={record.task_id!r} is no task of {self.path / TASKS}"
                )
            if record.counts != counts_of(record.start_sla, record.calls):
                raise BenchUserError(f"{where}: counts are not those of the calls")
            judged = outcome_of(task.task, record.calls)
            if record.status not in ("infrastructure", judged):
                raise BenchUserError(
                    f"{where}: status={record.status!r}, but by its verdicts it is a {judged}"
                )
            yield record

    def trials(self) -> list[Trial]:
        """The trials without trajectories; raises as `records`."""
        return [record.trial_only for record in self.records()]

    def append(self, record: TrialRecord) -> None:
        """Add a trial.

        Raises:
            BenchUserError: the disk takes no more; the trials before are kept.
        """
        try:
            with (self.path / TRIALS).open("ab") as file:
                file.write(record.model_dump_json().encode() + b"\n")
        except OSError as error:
            raise BenchUserError(
                f"cannot write to {self.path / TRIALS}: {error.strerror}; the trials before are "
                "kept, and the same run goes on from there"
            ) from None

    def _agree(self, header: Header) -> None:
        if not (self.path / RUN).exists():
            return
        there = self.header()
        for name in Header.model_fields:
            old, new = getattr(there, name), getattr(header, name)
            if old != new:
                raise BenchUserError(
                    f"{self.path} has trials with {name}={old!r}, not {new!r}; "
                    "choose another folder"
                )

    def _tidy(self, order: Mapping[str, int], keep: Sequence[Status]) -> None:
        """Bring trials into the order of tasks and numbers, each once."""
        found: dict[tuple[int, int], str] = {}
        for where, line in whole_lines(self.path / TRIALS):
            entry = _parsed(_Entry, where, line)
            if entry.status in keep and entry.task_id in order:
                found[order[entry.task_id], entry.trial] = line
        self._write(TRIALS, "".join(line for _, line in sorted(found.items())))

    def _summarise(self) -> None:
        rows = [
            trial.model_dump(exclude={"counts"}) | trial.counts.model_dump() | {"spl": trial.spl}
            for trial in self.trials()
        ]
        data = BytesIO()
        pd.DataFrame(rows).to_parquet(data, index=False)
        _put(self.path / SUMMARY, data.getvalue())

    def _write(self, name: str, text: str) -> None:
        _put(self.path / name, text.encode())


def read_tasks(file: Path) -> list[BenchTask]:
    """Tasks of a file of JSON lines; none where there is no file.

    Raises:
        BenchUserError: one cannot be read.
    """
    found = []
    for where, line in whole_lines(file):
        try:
            found.append(BenchTask.from_frozen(json.loads(line)))
        except ValidationError as error:
            raise BenchUserError(format_validation_error(error, where, BenchTask)) from None
        except (ValueError, TypeError, KeyError):
            raise BenchUserError(f"{where} is no task") from None
    return found


def whole_lines(file: Path) -> Iterator[tuple[str, str]]:
    """Whole lines of a file, each with what to call it in a message; none where there is no file.

    Raises:
        BenchUserError: it cannot be read.
    """
    try:
        with file.open(encoding="utf-8", newline="\n") as lines:
            for number, line in enumerate(lines, 1):
                if line.endswith("\n"):
                    yield f"{file}, line {number}", line
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise BenchUserError(f"cannot read {file}: {what}") from None


class _Entry(BaseModel):
    """What names a trial."""

    task_id: str
    trial: int
    status: Status


def _parsed(model: type[M], where: str, line: str) -> M:
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        raise BenchUserError(format_validation_error(error, where, model)) from None


def _frozen(task: BenchTask) -> str:
    return json.dumps(task.as_frozen(), separators=(",", ":"))


def _put(path: Path, data: bytes) -> None:
    try:
        write_atomic(path, data)
    except DatasetError as error:
        raise BenchUserError(str(error)) from None
