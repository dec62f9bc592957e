# SPDX-License-Identifier: Apache-2.0
"""Compare the RAN model with another simulator's figures, row by row.

`validate` reads the figures (`rows`), builds each row's scenarios (`mapping`), simulates them on
any number of processes, averages (`measure`) and compares (`rules`). Beside each row stands what
the project's default link adaptation gives on the same configuration; it decides nothing.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ns3_scenarios.errors import SixgError, UserError
from ns3_scenarios.scenario import Position
from ns3_scenarios.validation import mapping, measure, rules
from ns3_scenarios.validation.rows import (
    Configuration,
    ReferenceRow,
    ReferenceUser,
    read_reference,
    read_users,
)

QUOTED = "quoted.csv"
"""The project's own table, used where no file is given: a few figures quoted from their source."""


@dataclass(frozen=True)
class RowResult:
    """A row, or a user, compared."""

    label: str
    where: str
    """File and line of the reference's figures."""
    checks: tuple[rules.Check, ...]
    outer_loop_mbps: float | None = None
    """Goodput of the same configuration under the default link adaptation, for information."""
    note: str = ""
    """What the comparison had to assume."""
    error: str = ""
    """Why the row could not be simulated, if it could not."""

    @property
    def holds(self) -> bool:
        """Every figure is within its rule."""
        return not self.error and all(check.holds for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "label": self.label,
            "where": self.where,
            "holds": self.holds,
            "outer_loop_mbps": self.outer_loop_mbps,
            "note": self.note,
            "error": self.error,
            "checks": [asdict(check) for check in self.checks],
        }


@dataclass(frozen=True)
class ValidationReport:
    """All rows compared, configurations before users."""

    rows: tuple[RowResult, ...]

    @property
    def n_failed(self) -> int:
        """Rows that do not hold."""
        return sum(not row.holds for row in self.rows)

    @property
    def holds(self) -> bool:
        """All rows hold."""
        return self.n_failed == 0

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "holds": self.holds,
            "n_rows": len(self.rows),
            "n_failed": self.n_failed,
            "rows": [row.as_dict() for row in self.rows],
        }


OnRow = Callable[[RowResult, int, int], None]
"""Called with each result as it comes, how many there are by now, and how many there will be."""


@dataclass(frozen=True)
class _Task:
    """One simulation, for one or more rows."""

    run: mapping.Run
    outer_loop: bool


_Outcome = measure.Measured | SixgError


def validate(
    reference: Path | None,
    users: Path | None,
    *,
    jobs: int = 1,
    on_row: OnRow | None = None,
    compare_outer_loop: bool = True,
) -> ValidationReport:
    """Simulate the configurations of reference figures and compare.

    Args:
        reference: CSV of one row per configuration; without it and without `users`, the figures
            that the project quotes.
        users: CSV of the three-cell runs user by user.
        jobs: processes to simulate on.
        on_row: called with each result as soon as it is there, in the order in which they come.
        compare_outer_loop: simulate each row under the default link adaptation too.

    Raises:
        UserError: a file cannot be used, or a row makes no possible scenario.
    """
    if jobs < 1:
        raise UserError(f"jobs={jobs} must be at least 1")
    if reference is None and users is None:
        with resources.as_file(resources.files(__package__) / QUOTED) as path:
            rows = read_reference(path)
    else:
        rows = read_reference(reference) if reference else []
    plan = _Plan(rows, read_users(users) if users else [], compare_outer_loop)
    return plan.carry_out(jobs, on_row)


class _Plan:
    """Which simulations each row needs, and the rows that a finished simulation completes."""

    def __init__(
        self, rows: list[ReferenceRow], users: list[ReferenceUser], outer_loop: bool
    ) -> None:
        self._tasks: list[_Task] = []
        self._index: dict[tuple[str, int, bool], int] = {}
        self._outcomes: dict[int, _Outcome] = {}
        self._jobs: list[tuple[list[int], Callable[[], list[RowResult]]]] = []
        self._n_results = 0

        runs: dict[Configuration, dict[int, list[ReferenceUser]]] = defaultdict(dict)
        for user in users:
            runs[user.configuration].setdefault(user.seed, []).append(user)
        for row in rows:
            self._add_row(row, runs.get(row.configuration, {}), outer_loop)
        for seeds in runs.values():
            for group in seeds.values():
                self._add_users(group)

    def carry_out(self, jobs: int, on_row: OnRow | None) -> ValidationReport:
        """Simulate everything and compare."""
        results: dict[int, list[RowResult]] = {}
        waiting = dict(enumerate(self._jobs))
        n_done = 0
        for index, outcome in _simulated(self._tasks, jobs):
            self._outcomes[index] = outcome
            for number, (needed, compare) in list(waiting.items()):
                if not all(i in self._outcomes for i in needed):
                    continue
                del waiting[number]
                results[number] = compare()
                for result in results[number]:
                    n_done += 1
                    if on_row:
                        on_row(result, n_done, self._n_results)
        return ValidationReport(tuple(r for number in sorted(results) for r in results[number]))

    def _task(self, run: mapping.Run, *, outer_loop: bool) -> int:
        """Index of a simulation, which several rows may share."""
        key = (run.scenario.config_hash(), run.seed, outer_loop)
        if key not in self._index:
            self._index[key] = len(self._tasks)
            self._tasks.append(_Task(run, outer_loop))
        return self._index[key]

    def _add_row(
        self, row: ReferenceRow, seeds: dict[int, list[ReferenceUser]], outer_loop: bool
    ) -> None:
        known = _positions_by_seed(row, seeds)
        sets = mapping.runs_of_row(row, known)
        plain = [[self._task(run, outer_loop=False) for run in runs] for runs in sets]
        default = [self._task(run, outer_loop=True) for run in sets[0]] if outer_loop else []

        def compare() -> list[RowResult]:
            try:
                candidates = [
                    (start, checks)
                    for start, (runs, tasks) in enumerate(zip(sets, plain, strict=True))
                    for checks in _checks(row, runs, [self._measured(i) for i in tasks])
                ]
                beside = None
                if default:
                    outcome = _figures(row, sets[0], [self._measured(i) for i in default])
                    beside = outcome.goodput_mbps
            except SixgError as error:
                return [RowResult(row.label, row.where, (), error=str(error))]
            start, checks = min(candidates, key=lambda item: _misses(item[1]))
            note = f"round robin starts {start} users on" if len(sets) > 1 else ""
            return [RowResult(row.label, row.where, checks, outer_loop_mbps=beside, note=note)]

        self._jobs.append(([*itertools.chain(*plain), *default], compare))
        self._n_results += 1

    def _add_users(self, users: list[ReferenceUser]) -> None:
        tasks = [self._task(run, outer_loop=False) for run in mapping.runs_of_users(users)]

        def compare() -> list[RowResult]:
            try:
                starts = [self._measured(i) for i in tasks]
            except SixgError as error:
                return [RowResult(u.label, u.where, (), error=str(error)) for u in users]
            cells: dict[int, list[ReferenceUser]] = defaultdict(list)
            for user in users:
                cells[mapping.nearest_site(Position(x_m=user.x_m, y_m=user.y_m))].append(user)
            best = {
                user.ue: result
                for cell in cells.values()
                for user, result in zip(cell, _closest_start(cell, starts), strict=True)
            }
            return [best[user.ue] for user in users]

        self._jobs.append((tasks, compare))
        self._n_results += len(users)

    def _measured(self, index: int) -> measure.Measured:
        outcome = self._outcomes[index]
        if isinstance(outcome, SixgError):
            raise outcome
        return outcome


def _positions_by_seed(
    row: ReferenceRow, seeds: dict[int, list[ReferenceUser]]
) -> dict[int, tuple[Position, ...]]:
    """Positions of the seeds whose users are all listed, where the row is of the same carrier."""
    same_carrier = (
        row.frequency_ghz == mapping.USERS_FREQUENCY_GHZ
        and row.n_rb == mapping.reference_resource_blocks(row.configuration)
    )
    return {
        seed: mapping.positions_of(users)
        for seed, users in seeds.items()
        if same_carrier and len(users) == row.n_users
    }


def _figures(
    row: ReferenceRow, runs: tuple[mapping.Run, ...], measured: list[measure.Measured]
) -> measure.Figures:
    known = [m for run, m in zip(runs, measured, strict=True) if run.known]
    drawn = [m for run, m in zip(runs, measured, strict=True) if not run.known]
    if drawn:
        return measure.resampled_figures(known, drawn, row.n_seeds, row.n_cells)
    return measure.figures(known, row.n_cells)


def _checks(
    row: ReferenceRow, runs: tuple[mapping.Run, ...], measured: list[measure.Measured]
) -> list[tuple[rules.Check, ...]]:
    """The row compared; twice where users starve, whose SINR the reference may count or not.

    Without interference and fading, the SINR of users to whom nothing is sent is their SNR.
    """
    compared = [rules.check_row(row, _figures(row, runs, measured))]
    starved = any(np.isnan(m.sinr_db).any() for m in measured)
    if starved and row.n_cells == 1 and not row.configuration.fading:
        filled = [measure.with_starved_users(m) for m in measured]
        compared.append(rules.check_row(row, _figures(row, runs, filled)))
    return compared


def _misses(checks: tuple[rules.Check, ...]) -> tuple[int, float]:
    """How many figures fail and how far rates are off, by which the closest set is chosen."""
    return (
        sum(not check.holds for check in checks),
        sum(abs(check.deviation) for check in checks if check.relative),
    )


def _closest_start(users: list[ReferenceUser], starts: list[measure.Measured]) -> list[RowResult]:
    """The users of a cell under the start of round robin that comes closest for all of them."""

    def misses(results: list[RowResult]) -> tuple[int, float]:
        return _misses(tuple(check for result in results for check in result.checks))

    candidates = []
    for start, measured in enumerate(starts):
        note = f"round robin starts {start} users on" if len(starts) > 1 else ""
        candidates.append([_compare_user(user, measured, note) for user in users])
    return min(candidates, key=misses)


def _compare_user(user: ReferenceUser, measured: measure.Measured, note: str) -> RowResult:
    index = measured.at(Position(x_m=user.x_m, y_m=user.y_m))
    checks = rules.check_user(
        user,
        float(measured.sinr_db[index]),
        float(measured.goodput_mbps[index]),
        mapping.reference_resource_blocks(user.configuration),
    )
    return RowResult(user.label, user.where, checks, note=note)


def _simulated(tasks: list[_Task], jobs: int) -> Iterator[tuple[int, _Outcome]]:
    """Outcomes of all tasks, as they come."""
    if jobs == 1:
        yield from ((i, _simulate(task)) for i, task in enumerate(tasks))
        return
    import joblib

    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
    longest_first = sorted(range(len(tasks)), key=lambda i: -_effort(tasks[i]))
    outcomes: Iterable[tuple[int, _Outcome]] = parallel(
        joblib.delayed(_simulate_numbered)(i, tasks[i]) for i in longest_first
    )
    yield from outcomes


def _effort(task: _Task) -> float:
    scenario = task.run.scenario
    return scenario.duration_s * scenario.n_users * scenario.carriers[0].resource_blocks


def _simulate_numbered(index: int, task: _Task) -> tuple[int, _Outcome]:
    return index, _simulate(task)


def _simulate(task: _Task) -> _Outcome:
    from ns3_scenarios.simulate import simulate

    run = task.run
    scenario = mapping.with_default_adaptation(run.scenario) if task.outer_loop else run.scenario
    try:
        traces = simulate(scenario, seed=run.seed)
    except SixgError as error:
        return error
    return measure.measure(
        traces,
        n_skipped=run.n_skipped,
        counted_s=run.counted_s,
        payload_share=run.payload_share,
        noise_dbm=run.noise_dbm,
    )
