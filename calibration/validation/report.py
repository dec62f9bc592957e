# SPDX-License-Identifier: Apache-2.0
"""What a validation report says: plain values that are written as JSON and shown as a page.

Figures that cannot be computed, such as R² where the true values are all equal, are null.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeInt

from calibration.validation.errors import ReportError
from experiment_model import Card
from experiment_model.card import Gate
from ns3_scenarios.library import parse_model
from ns3_scenarios.storage import write_atomic

FORMAT: Final = "sixg-validation-report"
SCHEMA_VERSION: Final = 1

Figure = FiniteFloat | None


class Part(BaseModel):
    """Base of everything in a report: immutable, and strict about names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Floor(Part):
    """How far runs of one configuration and schedule lie apart when only their seeds differ.

    With d the difference of a KPI between two such runs, at the same interval and element, the
    noise floor is rmse = sqrt(mean(d²) / 2): independent deviations of variance s² make d of
    variance 2 s². No model that knows only configuration and schedule can have a lower RMSE; one
    that knows the present KPIs of the run can, the more so as the seed also decides where users are
    and what they send. mae = mean(|d|) / √2, which is exact for normal deviations; for others the
    true one lies between mean(|d|) / 2 and mean(|d|).
    """

    pairs: NonNegativeInt
    rmse: Figure = None
    mae: Figure = None
    model_rmse: Figure = None
    """RMSE of the model on the same rows."""
    model_mae: Figure = None
    ratio: Figure = None
    """`model_rmse` to `rmse`."""


class Scores(Part):
    """Errors of one KPI on some rows, in its unit where nothing else is said."""

    rows: NonNegativeInt
    """That have the KPI."""
    r2: Figure = None
    """Coefficient of determination, against the mean of the same rows."""
    nrmse: Figure = None
    """RMSE to `range`, a share."""
    range: Figure = None
    """Between the 1st and 99th percentile of the true values, or all of them where these are
    equal."""
    rmse: Figure = None
    mae: Figure = None
    mae_error: Figure = None
    """Standard error of `mae`, with rows of one configuration as one cluster."""
    bias: Figure = None
    """Mean of predicted minus true."""
    wasserstein: Figure = None
    """Wasserstein-1 distance between the distributions of sampled and of true values."""
    coverage_pct: Figure = None
    """Rows whose randomised probability integral transform lies between 0.1 and 0.9."""
    coverage_error_pct: Figure = None
    """Standard error of `coverage_pct`, with rows of one configuration as one cluster."""
    plain_coverage_pct: Figure = None
    """Rows that lie between the 0.1 and 0.9 quantiles, ends included."""
    width: Figure = None
    """Mean distance between these quantiles."""
    floor: Floor


class Density(Part):
    """Rows by bin of the true and bin of the predicted value; values outside are in end bins."""

    edges: tuple[FiniteFloat, ...]
    """Of the bins, in the KPI's unit, evenly spaced on the scale that trees learn on."""
    counts: tuple[tuple[NonNegativeInt, ...], ...]
    """By bin of the true value, then of the predicted value."""


class Baselines(Part):
    """Simple models on the same rows and features; `xgboost` is the model itself."""

    rows: NonNegativeInt
    """Of the test split that they were compared on."""
    fitted_on: NonNegativeInt
    """Rows of the fit split that those were fitted on which are fitted."""
    rmse: dict[str, Figure]
    r2: dict[str, Figure]
    winner: str | None
    """The one with the least RMSE; null where all true values are equal."""


class KpiReport(Part):
    """One KPI of one kind of element."""

    name: str
    unit: str
    pooled: Scores
    scenarios: dict[str, Scores]
    pit: tuple[NonNegativeInt, ...]
    """Histogram of the probability integral transform in ten equal bins."""
    density: Density | None = None
    baselines: Baselines | None = None


class KindReport(Part):
    """All KPIs of one kind of element."""

    rows: NonNegativeInt
    features: NonNegativeInt
    in_distribution_pct: Figure = None
    """Rows that the model holds to be like those it was fitted on."""
    in_distribution_pct_of: dict[str, Figure] = {}
    """The same by scenario."""
    kpis: dict[str, KpiReport]


class Data(Part):
    """What was validated on."""

    scenarios: tuple[str, ...]
    configs: NonNegativeInt
    runs: NonNegativeInt
    seeds: tuple[int, ...]
    rows: dict[str, NonNegativeInt]
    """By kind."""
    leaked_configs: tuple[str, ...]
    """Configurations that the model was fitted on as well."""
    left_out_intervals: NonNegativeInt | None = None
    """Intervals of runs that the noise floor leaves out; null where none were named."""


class GateResult(Part):
    """What became of one gate."""

    name: str
    value: Figure = None
    low: Figure = None
    high: Figure = None
    """Bounds of `value`, each null where there is none."""
    unit: str = ""
    holds: bool | None
    """Null where there is too little data to judge."""
    why: str


class Line(Part):
    """One curve of a plot."""

    name: str
    x: tuple[FiniteFloat, ...]
    y: tuple[Figure, ...]


class Plot(Part):
    """Curves over a common axis."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]


class Table(Part):
    """Rows under column heads."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | FiniteFloat | None, ...], ...]


class Section(Part):
    """A part of the report beyond one-step errors, shown as it is."""

    key: str
    title: str
    text: str
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()


class ValidationReport(Part):
    """The evidence that stands beside a model."""

    format: Literal["sixg-validation-report"] = FORMAT
    schema_version: Literal[1] = SCHEMA_VERSION
    created_with: dict[str, str]
    """Versions, by name of the program or library."""
    model: Card
    data: Data
    kinds: dict[str, KindReport]
    gates: tuple[GateResult, ...]
    sections: tuple[Section, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether some gates could be judged and all of those hold."""
        judged = [gate.holds for gate in self.gates if gate.holds is not None]
        return bool(judged) and all(judged)

    def extended(self, section: Section, gates: Iterable[GateResult] = ()) -> ValidationReport:
        """The report with one more section, and the gates that go with it."""
        return self.model_copy(
            update={"sections": (*self.sections, section), "gates": (*self.gates, *gates)}
        )

    def card_gates(self) -> tuple[Gate, ...]:
        """The gates that could be judged, as a model's card says them."""
        return tuple(
            Gate(
                name=gate.name,
                passed=gate.holds,
                value=gate.value,
                limit=gate.low if gate.low is not None else gate.high,
                unit=gate.unit,
                comment=gate.why,
            )
            for gate in self.gates
            if gate.holds is not None
        )

    def to_json(self) -> str:
        """The report as JSON; `passed` is in it for those who read nothing else."""
        return json.dumps({"passed": self.passed} | self.model_dump(mode="json")) + "\n"

    def write(self, path: str | Path) -> None:
        """Write the report as JSON.

        Raises:
            DatasetError: the file cannot be written.
        """
        write_atomic(Path(path), self.to_json().encode())

    @classmethod
    def from_json(cls, text: str, source: str = "report") -> Self:
        """Read a report from JSON.

        Args:
            text: what `to_json` gave.
            source: name of it for messages.

        Raises:
            ReportError: no report, or one of another version.
        """
        try:
            data: Any = json.loads(text)
        except ValueError as error:
            raise ReportError(f"{source} is not JSON: {error}") from None
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ReportError(f"{source} is not a validation report of this project")
        if data.get("schema_version") != SCHEMA_VERSION:
            raise ReportError(
                f"{source}: schema_version is {data.get('schema_version')!r}, but this version "
                f"reads {SCHEMA_VERSION}; validate the model again"
            )
        data.pop("passed", None)
        return parse_model(cls, data, source, ReportError)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a report from a JSON file.

        Raises:
            ReportError: missing, unreadable, no report, or one of another version.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            what = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            raise ReportError(f"cannot read {path}: {what}") from None
        return cls.from_json(text, str(path))
