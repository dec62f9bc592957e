# SPDX-License-Identifier: Apache-2.0
"""Rows of reference figures, read from CSV and checked.

`read_reference` reads one row per configuration, `read_users` one row per user of the three-cell
runs. Every mistake in a file is one `UserError` that names file, row and column. Nothing here
knows how a row is simulated or compared.
"""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from ns3_scenarios.errors import UserError
from ns3_scenarios.scenario import SchedulerPolicy

KINDS = ("a", "b", "c", "d2", "e", "h", "la")
"""Kinds of configuration; each may end in `_noharq`."""

SINGLE_USER_KINDS = frozenset({"a", "b", "d2", "h", "la"})

_SCHEDULERS: dict[str, SchedulerPolicy] = {
    "RR": "round_robin",
    "PF": "proportional_fair",
    "MR": "max_ci",
}
_CONDITIONS = {"LOS": "always", "NLOS": "never", "default": "probabilistic"}
_FADING = {"none": False, "ThreeGpp": True}

Multiplexing = Literal["ofdma", "tdma"]
LineOfSight = Literal["always", "never", "probabilistic"]
Duplex = Literal["FDD", "TDD", "F"]


@dataclass(frozen=True)
class Configuration:
    """What both kinds of file say of a run."""

    kind: str
    """Without `_noharq`."""
    harq: bool
    duplex: Duplex
    fading: bool
    line_of_sight: LineOfSight
    shadowing: bool
    scheduler: SchedulerPolicy
    multiplexing: Multiplexing
    bandwidth_mhz: float
    numerology: int
    users_per_cell: int

    @property
    def scenario(self) -> str:
        """The scenario column."""
        return self.kind + ("" if self.harq else "_noharq")

    @property
    def scheduler_code(self) -> str:
        """The scheduler as the files write it, for example `TdmaRR`."""
        policy = {policy: code for code, policy in _SCHEDULERS.items()}[self.scheduler]
        return self.multiplexing.capitalize() + policy


@dataclass(frozen=True)
class ReferenceRow:
    """One configuration and what the reference measured on it."""

    where: str
    """File and line, for messages."""
    configuration: Configuration
    frequency_ghz: float
    n_cells: int
    distance_m: float | None
    n_rb: int
    n_seeds: int
    pathloss_db: float | None
    snr_db: float | None
    """From path loss, transmit power and noise alone."""
    sinr_db: float | None
    mcs: float
    goodput_mbps: float
    """Per cell, UDP payload."""
    jain: float | None
    delay_ms_mean: float | None
    delay_ms_p95: float | None
    ue_goodput: dict[int, float | None]
    """Percentiles (5, 50, 95) over users, Mbit/s."""
    ue_sinr: dict[int, float | None]
    """Percentiles (5, 50, 95) over users, dB."""

    @property
    def n_users(self) -> int:
        """Users in all cells."""
        return self.n_cells * self.configuration.users_per_cell

    @property
    def label(self) -> str:
        """What tells this row from the others, in short."""
        c = self.configuration
        parts = [c.scenario, f"{self.frequency_ghz:g} GHz", f"{c.bandwidth_mhz:g} MHz"]
        parts += [f"mu{c.numerology}", c.duplex, c.scheduler_code]
        if c.kind == "la" and self.snr_db is not None:
            parts.append(f"SNR {self.snr_db:.4g} dB")
        elif self.distance_m is not None:
            parts.append(f"{self.distance_m:g} m")
        if c.kind == "h":
            parts.append(f"{self.goodput_mbps:.3g} Mbit/s")
        if self.n_users > 1:
            parts.append(f"{self.n_users} users")
        return " ".join(parts)


@dataclass(frozen=True)
class ReferenceUser:
    """One user of a three-cell run."""

    where: str
    configuration: Configuration
    seed: int
    ue: int
    x_m: float
    y_m: float
    sinr_db: float | None
    mcs: float
    bler: float | None
    goodput_mbps: float

    @property
    def label(self) -> str:
        """What tells this user from the others, in short."""
        c = self.configuration
        return (
            f"{c.scenario} {c.bandwidth_mhz:g} MHz mu{c.numerology} {c.duplex} "
            f"{c.scheduler_code} seed {self.seed} user {self.ue}"
        )


def read_reference(path: Path) -> list[ReferenceRow]:
    """Read a CSV of one row per configuration.

    Raises:
        UserError: the file cannot be read, lacks a column, or a cell is impossible.
    """
    return [_reference_row(record) for record in _records(path)]


def read_users(path: Path) -> list[ReferenceUser]:
    """Read a CSV of one row per user of the three-cell runs.

    Raises:
        UserError: the file cannot be read, lacks a column, or a cell is impossible.
    """
    return [_reference_user(record) for record in _records(path)]


class _Record:
    """One line of a CSV, with cells that complain by file, line and column."""

    def __init__(self, path: Path, line: int, cells: dict[str, str]) -> None:
        self.where = f"{path}, line {line}"
        self._path = path
        self._cells = cells

    def wrong(self, column: str, allowed: str) -> UserError:
        value = self._cells.get(column, "")
        return UserError(f"{self.where}: {column}={value!r} must be {allowed}")

    def text(self, column: str) -> str:
        if column not in self._cells:
            raise UserError(f"{self._path}: there is no column {column!r}")
        return self._cells[column]

    def optional(self, column: str) -> float | None:
        text = self.text(column)
        if text == "" or text.lower() == "nan":
            return None
        try:
            value = float(text)
        except ValueError:
            raise self.wrong(column, "a number") from None
        if not math.isfinite(value):
            raise self.wrong(column, "a finite number")
        return value

    def number(self, column: str, *, least: float = -math.inf) -> float:
        value = self.optional(column)
        if value is None:
            raise self.wrong(column, "a number")
        if value < least:
            raise self.wrong(column, f"at least {least:g}")
        return value

    def integer(self, column: str, *, least: int) -> int:
        value = self.number(column, least=least)
        if not value.is_integer():
            raise self.wrong(column, "a whole number")
        return int(value)

    def one_of(self, column: str, allowed: tuple[str, ...]) -> str:
        text = self.text(column)
        if text not in allowed:
            raise self.wrong(column, "one of " + ", ".join(allowed))
        return text


def _records(path: Path) -> list[_Record]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True, skipinitialspace=True)
            records = []
            for cells in reader:
                if None in cells or None in cells.values():
                    raise UserError(
                        f"{path}, line {reader.line_num}: has not as many cells as the header, "
                        f"{len(reader.fieldnames or ())}"
                    )
                stripped = {name.strip(): text.strip() for name, text in cells.items()}
                records.append(_Record(path, reader.line_num, stripped))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: is not a CSV file: {error}") from None
    if not records:
        raise UserError(f"{path}: has no rows")
    return records


def _configuration(record: _Record) -> Configuration:
    scenario = record.text("scenario")
    kind = scenario.removesuffix("_noharq")
    if kind not in KINDS:
        raise record.wrong("scenario", f"one of {', '.join(KINDS)}, with or without _noharq")
    sched = re.fullmatch(r"(Tdma|Ofdma)(RR|PF|MR)", record.text("sched"))
    if not sched:
        raise record.wrong("sched", "Tdma or Ofdma with RR, PF or MR, such as TdmaRR")
    users_per_cell = record.integer("n_ue_per_cell", least=1)
    if kind in SINGLE_USER_KINDS and users_per_cell != 1:
        raise record.wrong("n_ue_per_cell", f"1 in scenario {kind}")
    return Configuration(
        kind=kind,
        harq=scenario == kind,
        duplex=cast(Duplex, record.one_of("duplex", ("FDD", "TDD", "F"))),
        fading=_FADING[record.one_of("fading", tuple(_FADING))],
        line_of_sight=cast(LineOfSight, _CONDITIONS[record.one_of("los_cond", tuple(_CONDITIONS))]),
        shadowing=record.one_of("shadowing", ("0", "1")) == "1",
        scheduler=_SCHEDULERS[sched[2]],
        multiplexing=cast(Multiplexing, sched[1].lower()),
        bandwidth_mhz=record.number("bw_mhz", least=0),
        numerology=record.integer("mu", least=0),
        users_per_cell=users_per_cell,
    )


def _reference_row(record: _Record) -> ReferenceRow:
    configuration = _configuration(record)
    kind = configuration.kind
    n_cells = record.integer("n_cells", least=1)
    if n_cells != (allowed := 3 if kind == "e" else 1):
        raise record.wrong("n_cells", f"{allowed} in scenario {kind}")
    distance_m = record.optional("dist_m")
    alone = kind in SINGLE_USER_KINDS or (kind == "c" and configuration.users_per_cell == 1)
    if alone and distance_m is None:
        raise record.wrong("dist_m", "a number where there is one user")
    row = ReferenceRow(
        where=record.where,
        configuration=configuration,
        frequency_ghz=record.number("freq_ghz", least=0),
        n_cells=n_cells,
        distance_m=distance_m,
        n_rb=record.integer("n_rb", least=1),
        n_seeds=record.integer("n_seeds", least=1),
        pathloss_db=record.optional("pathloss_db_mean"),
        snr_db=record.optional("snr_from_pathloss_db"),
        sinr_db=record.optional("sinr_db_mean"),
        mcs=record.number("mcs_mean", least=0),
        goodput_mbps=record.number("cell_goodput_mbps", least=0),
        jain=record.optional("jain"),
        delay_ms_mean=record.optional("delay_ms_mean"),
        delay_ms_p95=record.optional("delay_ms_p95"),
        ue_goodput={p: record.optional(f"ue_goodput_p{p}") for p in (5, 50, 95)},
        ue_sinr={p: record.optional(f"ue_sinr_db_p{p}") for p in (5, 50, 95)},
    )
    if kind == "la" and row.pathloss_db is None:
        raise record.wrong("pathloss_db_mean", "a number in scenario la")
    if kind == "la" and row.snr_db is None and row.sinr_db is None:
        raise record.wrong("snr_from_pathloss_db", "a number in scenario la")
    if kind == "h" and row.goodput_mbps == 0:
        raise record.wrong("cell_goodput_mbps", "more than 0 in scenario h: it is the offered load")
    return row


def _reference_user(record: _Record) -> ReferenceUser:
    configuration = _configuration(record)
    if configuration.kind != "e":
        raise record.wrong("scenario", "e or e_noharq in a file of users")
    return ReferenceUser(
        where=record.where,
        configuration=configuration,
        seed=record.integer("seed", least=0),
        ue=record.integer("ue", least=0),
        x_m=record.number("x_m"),
        y_m=record.number("y_m"),
        sinr_db=record.optional("sinr_db"),
        mcs=record.number("mcs_mean", least=0),
        bler=record.optional("bler_first_tx"),
        goodput_mbps=record.number("goodput_mbps", least=0),
    )
