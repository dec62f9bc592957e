# SPDX-License-Identifier: Apache-2.0
"""`check_dataset`: everything that is wrong with a dataset, found in one pass."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ns3_scenarios.checking.findings import Findings, Report, Rule
from ns3_scenarios.checking.reading import FileChecker, RawFile, read_part
from ns3_scenarios.checking.rows import RowChecker
from ns3_scenarios.checking.runs import RunChecker, listed_runs
from ns3_scenarios.checking.values import Part, ValueChecker
from ns3_scenarios.errors import DatasetError
from ns3_scenarios.kpi import TABLES
from ns3_scenarios.storage import RUNS, RunEntry, part_path

OnRuns = Callable[[int, int], None]

LEAST_THREADS = 4
"""That read files, so that some can wait for the disk or for Python."""
BATCH_RUNS = 64
BATCH_BYTES = 32 * 2**20
"""Of compressed files that are checked together."""

NEVER = Rule(
    "no-values",
    "warning",
    "columns that calibration reads have no value in any row",
    "values, unless what they measure never happened",
    "measure them; no model can be fitted to them",
)


def check_dataset(folder: str | Path, on_runs: OnRuns | None = None) -> Report:
    """Look for everything that keeps a dataset from being calibrated on.

    Args:
        folder: of the dataset, from NS-3 or from anywhere else.
        on_runs: told of the runs that have been checked, and of all runs.

    Raises:
        DatasetError: there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a dataset: there is no such folder")
    findings = Findings()
    entries = listed_runs(folder, findings)
    check = _Check(folder, findings)
    done = 0
    for batch in check.batches(entries):
        done += check.batch(batch)
        if on_runs:
            on_runs(done, len(entries))
    check.finish()
    return Report(str(folder), len(entries), findings.all((RUNS, *TABLES)))


_Files = dict[str, "Future[RawFile]"]


class _Check:
    def __init__(self, folder: Path, findings: Findings) -> None:
        self._folder = folder
        self._findings = findings
        self._files = FileChecker(findings)
        self._runs = RunChecker(folder, findings)
        self._rows = RowChecker(findings)
        self._values = ValueChecker(findings)

    def batches(self, entries: list[RunEntry]) -> Iterator[list[tuple[RunEntry, _Files]]]:
        """Runs to check together, while the files of the next ones are read."""
        with ThreadPoolExecutor(max(LEAST_THREADS, len(os.sched_getaffinity(0)))) as pool:

            def begun(batch: list[RunEntry]) -> list[tuple[RunEntry, _Files]]:
                return [
                    (
                        entry,
                        {
                            name: pool.submit(read_part, self._folder / part_path(name, *entry.id))
                            for name in (RUNS, *TABLES)
                        },
                    )
                    for entry in batch
                ]

            ahead = None
            for batch in _grouped(entries):
                after = begun(batch)
                if ahead:
                    yield ahead
                ahead = after
            if ahead:
                yield ahead

    def batch(self, batch: list[tuple[RunEntry, _Files]]) -> int:
        """Check some runs; says how many."""
        parts: dict[str, list[Part]] = {name: [] for name in TABLES}
        for entry, files in batch:
            run = entry.id
            elements = self._runs.elements(run)
            for name, file in files.items():
                rows = self._files.whole(name, run, file.result(), entry.files.get(name))
                if rows is None:
                    continue
                if name == RUNS:
                    self._runs.check(run, rows, elements)
                    continue
                rows, absent = self._files.conformed(name, run, rows)
                if elements is None:
                    continue
                ordered = self._rows.check(name, run, rows, elements, absent)
                scenario = elements.scenario
                parts[name].append(
                    Part(run, rows, absent, ordered, scenario.n_intervals, scenario.interval_ms)
                )
        for name, of_table in parts.items():
            self._values.check(name, of_table)
        return len(batch)

    def finish(self) -> None:
        """Say what only all runs together show."""
        for table, columns in self._values.never_valued().items():
            if columns:
                text = f"{columns[0]} is null in every row"
                self._findings.add(NEVER, text, table=table, columns=columns)


def _grouped(entries: list[RunEntry]) -> Iterator[list[RunEntry]]:
    """Runs in groups that fit into memory."""
    sizes = itertools.accumulate(sum(f.bytes for f in entry.files.values()) for entry in entries)
    numbered = zip(itertools.count(), sizes, entries, strict=False)
    for _, group in itertools.groupby(
        numbered, key=lambda item: (item[0] // BATCH_RUNS, item[1] // BATCH_BYTES)
    ):
        yield [entry for _, _, entry in group]
