# SPDX-License-Identifier: Apache-2.0
"""What `sixg fidelity` says: plain values that are written as JSON and shown as a page.

`own` stands for NS-3 with its random streams redrawn after the start, held against NS-3 as the
surrogate is: what no model of it could be below. Figures that do not exist are null. Intervals are
95 % bootstrap intervals.
"""

from __future__ import annotations

import json
from typing import Literal

from pydantic import NonNegativeInt

from calibration.validation.report import Figure, GateResult, Part

Verdict = Literal["passed", "failed", "unjudged"]
PLAYED = "played"
"""Name of the gate that is about episodes alone."""


class KpiError(Part):
    """One KPI of one slice, or the mean over cells, over the steps of the episodes of a subject.

    A step counts where all three have the KPI.
    """

    subject: str
    element: str
    """A slice, or `cells`."""
    kpi: str
    unit: str
    episodes: NonNegativeInt
    ns3: float
    """Mean over steps, then episodes; so are the following."""
    surrogate: float
    redrawn: float
    bias: float
    """Surrogate less NS-3, in the unit of the KPI."""
    bias_pct: Figure
    """To the mean of NS-3; null for decibels, and where that mean is 0."""
    bias_low_pct: Figure
    bias_high_pct: Figure
    own_bias_pct: Figure
    error: float
    """Mean absolute difference between surrogate and NS-3, step by step."""
    own_error: float
    ratio: Figure
    """`error` to `own_error`; null where the latter is 0."""
    ratio_low: Figure
    ratio_high: Figure
    error_by_step: tuple[Figure, ...]
    """The same by step after the start, as long as any episode went on."""
    own_error_by_step: tuple[Figure, ...]


class Agreement(Part):
    """Outcomes of tasks held against those on NS-3, episode by episode."""

    success_pct: float
    agreement_pct: float
    """Episodes with the same outcome."""
    kappa: Figure
    """Cohen's; null where every outcome is the same."""
    gap_points: float
    """Success rate less that on NS-3, in percentage points."""
    gap_low: Figure
    gap_high: Figure
    """Of a bootstrap over tasks, each with all its episodes."""


class Outcomes(Part):
    """What became of the tasks of one agent, or of all."""

    agent: str
    """`all` for all together."""
    tasks: NonNegativeInt
    episodes: NonNegativeInt
    ns3_success_pct: float
    surrogate: Agreement
    own: Agreement


class TaskOutcomes(Part):
    """Successes of one agent at one task."""

    task: str
    agent: str
    episodes: NonNegativeInt
    ns3: NonNegativeInt
    surrogate: NonNegativeInt
    redrawn: NonNegativeInt


class Correlation(Part):
    """How alike agents rank by success rate, to their ranks on NS-3."""

    spearman: Figure
    spearman_low: Figure
    spearman_high: Figure
    pearson: Figure
    pearson_low: Figure
    pearson_high: Figure
    mean_gap_points: float
    """Mean over agents of the absolute gap in success rate."""
    mean_gap_low: Figure
    mean_gap_high: Figure


class Ranking(Part):
    """Success rates of agents on the surrogate against those on NS-3."""

    agents: NonNegativeInt
    tasks: NonNegativeInt
    least_episodes: NonNegativeInt
    """Of the agent with the fewest."""
    surrogate: Correlation
    own: Correlation


class Curve(Part):
    """A KPI of those whom an event affects, from 3 intervals before it to 6 after."""

    events: NonNegativeInt
    values: tuple[Figure, ...]
    """Mean over events."""


class Transient(Part):
    """One KPI around one kind of event."""

    event: str
    kpi: str
    unit: str
    ns3: Curve
    surrogate: Curve
    redrawn: Curve
    error: Figure
    """Mean absolute difference between the curves of surrogate and NS-3."""
    error_pct: Figure
    """To the mean of NS-3's curve."""
    own_error: Figure
    own_error_pct: Figure


class Failure(Part):
    """An episode that could not be played to its end: neither a success nor a failure."""

    subject: str
    agent: str
    seed: int
    stage: str
    reason: str


class FidelityReport(Part):
    """Episodes on the surrogate beside the same ones on live NS-3."""

    format: Literal["sixg-fidelity-report"] = "sixg-fidelity-report"
    schema_version: Literal[1] = 1
    created_with: dict[str, str]
    model: str
    """Name of the surrogate's model, from its card."""
    model_sha256: str
    subjects: tuple[str, ...]
    agents: tuple[str, ...]
    seeds: tuple[int, ...]
    episodes: NonNegativeInt
    """Played to their end on all three."""
    failures: tuple[Failure, ...]
    kpis: tuple[KpiError, ...]
    outcomes: tuple[Outcomes, ...]
    tasks: tuple[TaskOutcomes, ...]
    ranking: Ranking | None
    """Null where there was no task."""
    transients: tuple[Transient, ...]
    gates: tuple[GateResult, ...] = ()

    @property
    def unjudged(self) -> tuple[str, ...]:
        """Names of gates for which there was too little."""
        return tuple(gate.name for gate in self.gates if gate.holds is None)

    @property
    def verdict(self) -> Verdict:
        """`failed` where a gate does not hold, `unjudged` where nothing of the model was judged."""
        if any(gate.holds is False for gate in self.gates):
            return "failed"
        judged = [gate.name for gate in self.gates if gate.holds is not None]
        return "passed" if set(judged) - {PLAYED} else "unjudged"

    def to_json(self) -> str:
        """The report as JSON; the verdict is in it for those who read nothing else."""
        verdict = {"verdict": self.verdict, "unjudged": self.unjudged}
        return json.dumps(verdict | self.model_dump(mode="json"), indent=1)
