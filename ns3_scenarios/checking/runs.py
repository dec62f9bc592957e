# SPDX-License-Identifier: Apache-2.0
"""Checks what a dataset says of its runs: manifest, scenarios, seeds and schedules."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from ns3_scenarios.checking.elements import Elements
from ns3_scenarios.checking.findings import Findings, Rule
from ns3_scenarios.controls import Schedule, check_schedule
from ns3_scenarios.errors import ControlError, DatasetError, ScenarioError
from ns3_scenarios.library import parse_model
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.storage import MANIFEST, PART, RUNS, RunEntry, read_json, read_manifest
from ns3_scenarios.worker import schedule_hash

LEAST_INTERVALS = 3
"""The present interval, the one before it, and the next one, which is predicted."""

NO_MANIFEST = Rule(
    "manifest",
    "error",
    f"{MANIFEST} is missing, unreadable or of another version",
    f"a {MANIFEST} of this format and schema, which lists every run",
    "write it with sixg.write_dataset, or as docs/traces.md says",
)
NO_RUNS = Rule(
    "no-runs",
    "error",
    "the dataset has no run",
    "two configurations and two seeds, better many of both",
    "simulate or write runs",
)
INCOMPLETE = Rule(
    "incomplete",
    "warning",
    "runs of the sweep are missing",
    "as many runs as were planned",
    "go on with the sweep, or calibrate on what is there",
)
DUPLICATE = Rule(
    "duplicate-run",
    "error",
    "runs have the same configuration and seed",
    "configuration and seed name one run",
    f"give recordings of one configuration different seeds, and list each once in {MANIFEST}",
)
BAD_KEY = Rule(
    "config-name",
    "error",
    "a configuration has a name that cannot be a folder's",
    "letters, digits, hyphens, underscores and dots",
    "rename the configuration and its folders",
)
ONE_CONFIG = Rule(
    "one-config",
    "warning",
    "all runs have the same configuration",
    "two configurations or more",
    "add runs of other configurations; without them none can be held out to judge a model",
)
ONE_SEED = Rule(
    "one-seed",
    "warning",
    "all runs have the same seed",
    "two seeds or more",
    "add runs with other seeds; without them none can be held out to judge a model",
)
NO_SCENARIO = Rule(
    "scenario",
    "error",
    "the scenario of a configuration is missing or invalid",
    "scenarios/CONFIG.json with a whole scenario",
    "write the scenario; `sixg scenarios NAME --json` prints one to start from",
)
SHORT = Rule(
    "too-short",
    "error",
    f"runs have fewer than {LEAST_INTERVALS} intervals",
    f"{LEAST_INTERVALS} intervals or more",
    "make the runs longer or interval_ms shorter",
)
NO_SCHEDULE = Rule(
    "schedule",
    "error",
    "the schedule of a run is missing or not readable",
    "a row in the table `runs` whose `schedule` is a JSON list of interval, path and value; [] if "
    "no control was changed",
    "write the control changes of the run",
)
BAD_SCHEDULE = Rule(
    "impossible-schedule",
    "error",
    "the schedule of a run is not possible in its scenario",
    "paths and values that the scenario allows",
    "correct the schedule, or describe what is changed in the scenario",
)
OTHER_HASH = Rule(
    "schedule-hash",
    "warning",
    "schedule_hash is not that of the schedule",
    "the hash that sixg.write_dataset writes",
    "write the runs again, if the schedule is right",
)
OTHER_LENGTH = Rule(
    "other-length",
    "error",
    "the table `runs` has another duration_s or interval_ms than the scenario",
    "the scenario's",
    "correct the one that is wrong",
)

MOST_REMEMBERED = 1000
"""Schedules of which the outcome is kept."""
_SCHEDULE = TypeAdapter(Schedule)
CONFIG_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
"""Names that a configuration may have: its folders are named after it."""


def listed_runs(folder: Path, findings: Findings) -> list[RunEntry]:
    """The runs of a manifest, each once; those that are on disk if there is no usable manifest."""
    try:
        manifest = read_manifest(folder)
    except DatasetError as error:
        findings.add(NO_MANIFEST, str(error))
        if _is_other_version(folder):
            return []
        entries = _runs_on_disk(folder)
    else:
        entries = list(manifest.runs)
        if len(entries) < manifest.planned_runs:
            findings.add(INCOMPLETE, f"{len(entries)} of {manifest.planned_runs} runs")
    for (config, seed), count in Counter(entry.id for entry in entries).items():
        if count > 1:
            findings.add(DUPLICATE, f"{count} runs", run=(config, seed))
        if not CONFIG_NAME.fullmatch(config):
            findings.add(BAD_KEY, repr(config), run=(config, seed))
    entries = [e for e in {e.id: e for e in entries}.values() if CONFIG_NAME.fullmatch(e.config)]
    _check_variety(entries, findings)
    return entries


def _check_variety(entries: list[RunEntry], findings: Findings) -> None:
    if not entries:
        findings.add(NO_RUNS, "0 runs")
        return
    configs, seeds = {e.config for e in entries}, {e.seed for e in entries}
    if len(configs) == 1:
        findings.add(ONE_CONFIG, f"config={entries[0].config}")
    if len(seeds) == 1:
        findings.add(ONE_SEED, f"seed={entries[0].seed}")


def _is_other_version(folder: Path) -> bool:
    try:
        data = read_json(folder / MANIFEST)
    except DatasetError:
        return False
    return isinstance(data, dict) and "format_version" in data and "kpi_schema_version" in data


def _runs_on_disk(folder: Path) -> list[RunEntry]:
    found: dict[tuple[str, int], RunEntry] = {}
    for path in sorted(folder.glob(f"*/config=*/seed=*/{PART}")):
        config = path.parts[-3].removeprefix("config=")
        seed = path.parts[-2].removeprefix("seed=")
        if seed.isdecimal():
            key = config, int(seed)
            found[key] = RunEntry(config=config, seed=int(seed), schedule_hash="", files={})
    return list(found.values())


@dataclass(frozen=True)
class _Outcome:
    rule: Rule | None = None
    trouble: str = ""
    hash: str = ""


class RunChecker:
    """Reads the scenarios and schedules of runs; those that runs share are read once."""

    def __init__(self, folder: Path, findings: Findings) -> None:
        self._folder = folder
        self._findings = findings
        self._scenarios: dict[str, Elements | str] = {}
        self._schedules: dict[tuple[str, str], _Outcome] = {}

    def elements(self, run: tuple[str, int]) -> Elements | None:
        """The elements of a run's scenario, if it has one."""
        config = run[0]
        if config not in self._scenarios:
            path = self._folder / "scenarios" / f"{config}.json"
            try:
                scenario = parse_model(ScenarioConfig, read_json(path), str(path))
                self._scenarios[config] = Elements(scenario)
            except ScenarioError as error:
                self._scenarios[config] = str(error)
            except DatasetError as error:
                there = path.exists()
                self._scenarios[config] = str(error) if there else f"there is no {path}"
        found = self._scenarios[config]
        if isinstance(found, str):
            self._findings.add(NO_SCENARIO, found, run=run)
            return None
        if found.scenario.n_intervals < LEAST_INTERVALS:
            self._findings.add(SHORT, f"{found.scenario.n_intervals} intervals", run=run)
        return found

    def check(self, run: tuple[str, int], rows: pa.Table, elements: Elements | None) -> None:
        """Look at the row of a run in the table `runs`."""

        def wrong(rule: Rule, text: str, *columns: str) -> None:
            self._findings.add(rule, text, table=RUNS, columns=columns, run=run)

        if len(rows) != 1 or "schedule" not in rows.schema.names:
            what = f"{len(rows)} rows" if "schedule" in rows.schema.names else "no column schedule"
            wrong(NO_SCHEDULE, what, "schedule")
            return
        row = {name: rows[name][0].as_py() for name in rows.schema.names}
        if elements:
            for name in ("duration_s", "interval_ms"):
                expected = getattr(elements.scenario, name)
                if row.get(name) != expected:
                    wrong(OTHER_LENGTH, f"{row.get(name)}, not {expected:g}", name)
        text = row["schedule"]
        if not isinstance(text, str):
            wrong(NO_SCHEDULE, f"schedule is {text!r}", "schedule")
            return
        outcome = self._schedule(run[0], text, elements)
        if outcome.rule:
            wrong(outcome.rule, outcome.trouble, "schedule")
        elif row.get("schedule_hash") != outcome.hash:
            wrong(OTHER_HASH, f"{row.get('schedule_hash')!r}, not {outcome.hash}", "schedule_hash")

    def _schedule(self, config: str, text: str, elements: Elements | None) -> _Outcome:
        """What is to be said of a schedule, which all seeds of a configuration may share."""
        if (config, text) not in self._schedules:
            if len(self._schedules) >= MOST_REMEMBERED:
                self._schedules.clear()
            self._schedules[config, text] = _judged(text, elements)
        return self._schedules[config, text]


def _judged(text: str, elements: Elements | None) -> _Outcome:
    try:
        schedule = _SCHEDULE.validate_python(json.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return _Outcome(NO_SCHEDULE, f"{where}: {first['msg']}".removeprefix(": "))
    except ValueError as error:
        return _Outcome(NO_SCHEDULE, f"schedule is not JSON: {error}")
    if elements:
        try:
            check_schedule(schedule, elements.scenario)
        except ControlError as error:
            return _Outcome(BAD_SCHEDULE, str(error))
    return _Outcome(hash=schedule_hash(schedule))
