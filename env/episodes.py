# SPDX-License-Identifier: Apache-2.0
"""Episodes on disk: a folder each, with the log of events and the KPIs that were seen.

The log is JSON, a line each: what was played, every call with its answer, and how it ended. A line
is written as soon as its call is answered, so that an episode that was killed can be read as far as
it went, and replayed.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, TypeAdapter, model_validator

from env.backends.base import WARM_UP, BackendName
from env.environment import Environment, Event
from env.errors import EnvUserError
from env.tasks import Task
from env.view import Setting
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.episode import Episode
from ns3_scenarios.errors import SixgError
from ns3_scenarios.kpi import TABLES
from ns3_scenarios.library import parse_model
from ns3_scenarios.scenario import Model, ScenarioConfig

LOG = "episode.jsonl"
KPIS = "kpis"

Outcome = Literal["success", "failure", "ended", "error"]
"""`ended`: without a task there is nothing to reach. `error`: the backend failed."""


class Header(Model):
    """What was played."""

    format: Literal["sixg-episode-log"] = "sixg-episode-log"
    format_version: Literal[1] = 1
    scenario: ScenarioConfig
    seed: int = Field(ge=0)
    backend: BackendName
    model: str = Field(default="", description="Name of the surrogate, where there is one.")
    task: Task | None = None
    settings: tuple[ControlChange, ...] = Field(
        default=(), description="Controls that the task set before the first call."
    )
    agent: str = ""
    advance: int = Field(default=1, ge=1, description="Intervals that follow a change.")
    started: str = Field(description="UTC, ISO 8601.")
    code_version: str


_SETTINGS = TypeAdapter(list[Setting])


class Call(Model):
    """One call and its answer; without a tool, time that passed."""

    agent: str
    tool: str
    arguments: Any
    ok: bool
    content: dict[str, Any]
    interval: int = Field(description="Intervals done after it.")
    served_by: BackendName
    changes: tuple[ControlChange, ...] = Field(
        default=(), description="What it changed; a replay on NS-3 needs no more."
    )
    state_hash: str = Field(default="", description="Of the backend after it.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        known = self.arguments if isinstance(self.arguments, dict) else {}
        if not self.tool and not isinstance(known.get("intervals"), int):
            raise ValueError("without a tool, arguments must say how many intervals pass")
        if not self.ok and not isinstance(self.content.get("message"), str):
            raise ValueError("a call that was refused must have a message in content")
        _SETTINGS.validate_python(self.content.get("settings", []))
        return self


class Ending(Model):
    """How it ended."""

    outcome: Outcome
    reason: str = ""
    intervals: int
    calls: int
    changes: int


@dataclass(frozen=True)
class Log:
    """An episode as it was played."""

    path: Path
    header: Header
    calls: tuple[Call, ...]
    ending: Ending | None
    """None where it was killed, or goes on."""

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.path.name

    @property
    def n_intervals(self) -> int:
        """Intervals that it went on for."""
        if self.ending:
            return self.ending.intervals
        return self.calls[-1].interval if self.calls else 0

    def for_ns3(self) -> Episode:
        """The episode as a sweep replays it and a refit learns from it.

        Raises:
            EnvUserError: it has no interval.
        """
        if not self.n_intervals:
            raise EnvUserError(f"{self.path}: no interval was run in it, so it cannot be replayed")
        header = self.header
        first = [change.model_copy(update={"interval": WARM_UP}) for change in header.settings]
        changes = [*first, *(change for call in self.calls for change in call.changes)]
        return Episode(
            scenario=header.scenario,
            seed=header.seed,
            n_intervals=self.n_intervals,
            changes=tuple(changes),
        )


class Recorder:
    """Writes an episode down while it is played.

    Args:
        folder: where episodes are kept; the episode gets a folder in it.
        environment: that is played.
        header: what is played.

    A log that cannot be written any further stays whole up to there, and nothing is added to it.

    Raises:
        EnvUserError: the folder cannot be written; so does every later call then.
    """

    def __init__(self, folder: str | Path, environment: Environment, header: Header) -> None:
        stamp = header.started.replace("-", "").replace(":", "").partition(".")[0]
        name = f"{stamp}-{header.scenario.name}-{header.seed}-{secrets.token_hex(2)}"
        self.path = Path(folder) / name
        self._environment = environment
        self._size, self._failure = 0, ""
        try:
            self.path.mkdir(parents=True)
            self._file = (self.path / LOG).open("wb", buffering=0)
        except OSError as error:
            raise EnvUserError(f"cannot write episodes to {folder}: {error.strerror}") from None
        self._write("header", header.model_dump(mode="json"))
        environment.listeners.append(self._on_event)

    def _on_event(self, event: Event) -> None:
        environment = self._environment
        call = Call(
            agent=event.agent,
            tool=event.tool,
            arguments=event.arguments,
            ok=event.answer.ok,
            content=event.answer.content,
            interval=event.answer.interval,
            served_by=event.served_by,
            changes=event.changes,
            state_hash=environment.backend.state_hash(),
        )
        self._write("call", call.model_dump(mode="json"))

    def end(self, outcome: Outcome, reason: str = "") -> None:
        """Say how the episode ended, and write the KPIs that were seen."""
        environment = self._environment
        environment.listeners.remove(self._on_event)
        ending = Ending(
            outcome=outcome,
            reason=reason,
            intervals=environment.backend.interval,
            calls=environment.n_calls,
            changes=len(environment.changes),
        )
        history = environment.backend.history
        try:
            (self.path / KPIS).mkdir(exist_ok=True)
            for table in TABLES:
                parts = [kpis.to_arrow(table) for kpis in history]
                if parts and any(len(part) for part in parts):
                    pq.write_table(pa.concat_tables(parts), self.path / KPIS / f"{table}.parquet")
        except OSError as error:
            raise self._failed(error) from None
        self._write("ending", ending.model_dump(mode="json"))
        self._file.close()

    def _write(self, kind: str, data: dict[str, Any]) -> None:
        if self._failure:
            raise EnvUserError(self._failure)
        left = (json.dumps({kind: data}, separators=(",", ":")) + "\n").encode()
        try:
            while left:
                left = left[self._file.write(left) :]
            self._size = self._file.tell()
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> EnvUserError:
        """What to say of a disk that takes no more; half a line is taken back."""
        with suppress(OSError):
            self._file.truncate(self._size)
        self._file.close()
        why = os.strerror(error.errno) if error.errno else str(error)
        self._failure = f"cannot write the episode {self.path}: {why}"
        return EnvUserError(self._failure)


def now_utc() -> str:
    """The time for a header."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def read_log(path: str | Path) -> Log:
    """Read an episode from its folder, as far as it went.

    Raises:
        EnvUserError: there is none, or it is damaged elsewhere than at its end.
    """
    folder = Path(path)
    file = folder / LOG if folder.is_dir() else folder
    try:
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise EnvUserError(f"cannot read the episode {file}: {what}") from None
    if lines and not lines[-1].endswith("\n"):
        lines.pop()  # cut off by a kill
    header, calls, ending = None, [], None
    for number, line in enumerate(lines, 1):
        where = f"{file}, line {number}"
        try:
            entry = json.loads(line)
            ((kind, data),) = entry.items()
        except (ValueError, AttributeError, RecursionError):
            raise EnvUserError(f"{where} is no line of an episode") from None
        match kind:
            case "header" if header is None:
                header = parse_model(Header, data, where, EnvUserError)
            case "call" if header and not ending:
                calls.append(parse_model(Call, data, where, EnvUserError))
            case "ending" if header and not ending:
                ending = parse_model(Ending, data, where, EnvUserError)
            case _:
                raise EnvUserError(f"{where}: {kind!r} has no place there")
    if header is None:
        raise EnvUserError(f"{file} is empty: no episode was written to it")
    return Log(file.parent, header, tuple(calls), ending)


def read_kpis(episode: Path, table: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A KPI table of an episode that has come to its end.

    Raises:
        EnvUserError: it is not there, or damaged.
    """
    file = episode / KPIS / f"{table}.parquet"
    if not file.exists():
        raise EnvUserError(f"{episode} has no KPIs of {table}; if it has no end, play it anew")
    try:
        return pq.read_table(file, columns=None if columns is None else list(columns))
    except (OSError, pa.ArrowException) as error:
        raise EnvUserError(f"cannot read {file}: {str(error).splitlines()[0]}") from None


def read_logs(folder: str | Path) -> Iterator[Log]:
    """All episodes of a folder, the oldest first; those that cannot be read are left out."""
    for file in sorted(Path(folder).glob(f"*/{LOG}")):
        try:
            yield read_log(file)
        except SixgError:
            continue
