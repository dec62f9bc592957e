# SPDX-License-Identifier: Apache-2.0
"""Several runs side by side: `report_of`, and the leaderboard as a page: `write_page`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from jinja2 import Template

from agent_learning.bench.saving import RunFolder
from agent_learning.bench.scores import Comparison, Estimate, RunScores, Verified
from agent_learning.bench.scoring import compare_all, score, verify_all
from agent_learning.errors import BenchUserError
from calibration.validation import plots
from calibration.validation.page import template_environment
from calibration.validation.report import Line, Part, Plot
from ns3_scenarios.ran.build import ns3_version
from ns3_scenarios.storage import write_atomic

BACKENDS = ("surrogate", "auto", "ns3")
"""In the order in which they are shown."""


class BenchReport(Part):
    """Scores of runs, the best of each backend first, and how they compare."""

    runs: tuple[RunScores, ...]
    verified: tuple[Verified, ...]
    comparisons: tuple[Comparison, ...]
    created_with: dict[str, str]

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(self.model_dump(mode="json"), indent=1)

    def verified_of(self, run: RunScores) -> Verified | None:
        """What live NS-3 made of an agent that ran on the surrogate."""
        if run.backend != "surrogate":
            return None
        return next((v for v in self.verified if v.agent == run.agent), None)


def report_of(folders: Sequence[str | Path]) -> BenchReport:
    """Score runs and hold them against each other.

    Args:
        folders: of runs, at most one of each agent and backend.

    Raises:
        BenchUserError: a run cannot be read or has no trial, or an agent has two on a backend.
    """
    runs = {}
    for folder in folders:
        saved = RunFolder(folder)
        header = saved.header()
        trials = saved.trials()
        if not trials:
            raise BenchUserError(f"{folder} has no trial yet")
        key = header.agent, header.backend
        if key in runs:
            raise BenchUserError(
                f"{folder} is a second run of agent {key[0]!r} on {key[1]}; one is allowed"
            )
        runs[key] = trials
    scores = {key: score(trials) for key, trials in runs.items()}
    order = sorted(runs, key=lambda key: (BACKENDS.index(key[1]), -_sr(scores[key]), key[0]))
    ranked = [runs[key] for key in order]
    return BenchReport(
        runs=tuple(scores[key] for key in order),
        verified=verify_all(ranked),
        comparisons=compare_all(ranked),
        created_with={"sixg-agent-gym": version("sixg-agent-gym"), "ns3": ns3_version()},
    )


def write_page(report: BenchReport, path: str | Path) -> None:
    """Write the leaderboard.

    Raises:
        DatasetError: the file cannot be written.
    """
    write_atomic(Path(path), page(report).encode())


def page(report: BenchReport) -> str:
    """The leaderboard as HTML that needs no other file: tables, pictures and all definitions."""
    runs = report.runs
    by_backend: dict[str, list[RunScores]] = {}
    for run in runs:
        by_backend.setdefault(run.backend, []).append(run)
    groups = [group for run in runs for group in run.groups]
    return _template().render(
        report=report,
        splits=sorted({split for run in runs for split in run.splits}),
        kinds=[
            (kind, list(dict.fromkeys(g.group for g in groups if g.kind == kind)))
            for kind in ("tier", "domain")
        ],
        templates=sorted({t.template for run in runs for t in run.templates}),
        success=plots.estimates(
            "success rate, %",
            {
                backend: {run.agent: _percent(run.overall.sr) for run in mine}
                for backend, mine in by_backend.items()
            },
        ),
        tries=_tries(report),
    )


def _tries(report: BenchReport) -> str | None:
    """pass^k by k, where tasks were tried more than once."""
    lines = [
        Line(
            name=f"{run.agent}, {run.backend}",
            x=tuple(range(1, len(run.overall.pass_k) + 1)),
            y=tuple(100 * p.value if p.value is not None else None for p in run.overall.pass_k),
        )
        for run in report.runs
        if len(run.overall.pass_k) > 1
    ]
    if not lines:
        return None
    return plots.lines(Plot(title="pass^k", x_label="k", y_label="tasks, %", lines=tuple(lines)))


def _percent(estimate: Estimate) -> tuple[float | None, float | None, float | None]:
    ends = (estimate.value, estimate.low, estimate.high)
    value, low, high = (None if end is None else 100 * end for end in ends)
    return value, low, high


def _sr(scores: RunScores) -> float:
    return -1.0 if scores.overall.sr.value is None else scores.overall.sr.value


def _shade(rate: float | None) -> str:
    """Background of a cell of the heat map, by success rate."""
    if rate is None:
        return "#f4f5f6"
    pale, strong = (246, 249, 252), (120, 186, 150)
    red, green, blue = (round(p + rate * (s - p)) for p, s in zip(pale, strong, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = template_environment("agent_learning.bench")
    environment.filters["shade"] = _shade
    return environment.get_template("page.html.j2")
