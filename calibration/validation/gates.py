# SPDX-License-Identifier: Apache-2.0
"""What a model must reach, read from YAML, and whether it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, NonNegativeInt

from calibration.validation.errors import GatesError
from calibration.validation.report import Data, GateResult, KindReport, KpiReport, Part, Scores
from ns3_scenarios.library import parse_model, read_yaml

DEFAULT_GATES = Path(__file__).parents[1] / "gates.yaml"

Percent = Annotated[FiniteFloat, Field(ge=0, le=100)]


class Accuracy(Part):
    """How small errors of means must be."""

    most_floor_ratio: Annotated[FiniteFloat, Field(gt=0)]
    """RMSE to the noise floor; enough also where R² is too low."""
    least_rows: NonNegativeInt
    """KPIs with fewer rows are not judged."""
    least_r2: dict[str, dict[str, Annotated[FiniteFloat, Field(le=1)]]] = Field(default={})
    """By kind and KPI."""


class Coverage(Part):
    """How many values 80 % intervals must hold, per KPI, pooled and by scenario."""

    low_pct: Percent
    high_pct: Percent
    least_rows: NonNegativeInt
    """KPIs with fewer rows, in all or in a scenario, are not judged there."""


class Rollout(Part):
    """How errors may grow when the model rolls on."""

    steps: Annotated[int, Field(ge=2)]
    most_ratio: Annotated[FiniteFloat, Field(ge=1)]
    """Error so many steps ahead, to that one step ahead."""
    least_rows: NonNegativeInt
    """KPIs with fewer values are not judged."""


class RankingLimits(Part):
    """How alike a model and NS-3 must rank actions."""

    least_tau: Annotated[FiniteFloat, Field(ge=-1, le=1)]
    """Or that of NS-3's own draws, where it is less."""
    most_regret_pct: Percent
    """Median over situations, of the objective's range."""


class Gates(Part):
    """The content of a file of gates."""

    version: Literal[1]
    accuracy: Accuracy
    coverage: Coverage
    rollout: Rollout
    ranking: RankingLimits


def read_gates(path: str | Path = DEFAULT_GATES) -> Gates:
    """Read gates from a YAML file; by default those that come with the project.

    Raises:
        GatesError: missing, no YAML, or not as `Gates` says.
    """
    return parse_model(Gates, read_yaml(Path(path), GatesError), str(path), GatesError)


def judge(gates: Gates, data: Data, kinds: Mapping[str, KindReport]) -> tuple[GateResult, ...]:
    """Hold one-step errors against gates."""
    results = [_held_out(data)]
    for kind, found in kinds.items():
        for kpi in found.kpis.values():
            name = f"{kind}/{kpi.name}"
            least_r2 = gates.accuracy.least_r2.get(kind, {}).get(kpi.name)
            results.append(_accurate(gates.accuracy, f"accuracy/{name}", kpi, least_r2))
            results.extend(_covered(gates.coverage, f"coverage/{name}", kpi))
    return tuple(results)


def _held_out(data: Data) -> GateResult:
    leaked = data.leaked_configs
    why = "the model was fitted on none of the configurations that it is judged on"
    if leaked:
        why = (
            f"the model was fitted on {len(leaked)} of the {data.configs} configurations "
            f"that it is judged on, among them {leaked[0]}"
        )
    return GateResult(
        name="held_out", value=len(leaked), high=0, unit="configs", holds=not leaked, why=why
    )


def _accurate(accuracy: Accuracy, name: str, kpi: KpiReport, least_r2: float | None) -> GateResult:
    scores, ratio = kpi.pooled, kpi.pooled.floor.ratio
    if scores.rows < accuracy.least_rows:
        return _unjudged(name, scores, accuracy.least_rows)
    by_floor = ratio is not None and ratio <= accuracy.most_floor_ratio
    floor = "the noise floor is not known"
    if ratio is not None:
        floor = (
            f"RMSE is {ratio:.2f} times the noise floor, {accuracy.most_floor_ratio:g} "
            f"{'are' if by_floor else 'would be'} allowed"
        )
    if least_r2 is None or scores.r2 is None:
        what = "" if least_r2 is None else "all true values are equal; "
        return GateResult(
            name=name,
            value=ratio,
            high=accuracy.most_floor_ratio,
            unit="x floor",
            holds=None if ratio is None else by_floor,
            why=what + floor,
        )
    reached = scores.r2 >= least_r2
    words = f"R² is {scores.r2:.3f}, {least_r2:g} is asked for"
    if reached:
        return GateResult(
            name=name, value=scores.r2, low=least_r2, unit="R²", holds=True, why=words
        )
    if by_floor:
        return GateResult(
            name=name,
            value=ratio,
            high=accuracy.most_floor_ratio,
            unit="x floor",
            holds=True,
            why=f"{words}, but {floor}",
        )
    return GateResult(
        name=name,
        value=scores.r2,
        low=least_r2,
        unit="R²",
        holds=False,
        why=f"{words}, and {floor}",
    )


def _covered(coverage: Coverage, name: str, kpi: KpiReport) -> Iterator[GateResult]:
    for where, scores in {"": kpi.pooled, **kpi.scenarios}.items():
        full = f"{name}/{where}" if where else name
        value = scores.coverage_pct
        if value is None or scores.rows < coverage.least_rows:
            yield _unjudged(full, scores, coverage.least_rows)
            continue
        yield GateResult(
            name=full,
            value=value,
            low=coverage.low_pct,
            high=coverage.high_pct,
            unit="%",
            holds=coverage.low_pct <= value <= coverage.high_pct,
            why=(
                f"80 % intervals hold {value:.1f} ± {scores.coverage_error_pct:.1f} % of "
                f"{scores.rows} values"
            ),
        )


def _unjudged(name: str, scores: Scores, least: int) -> GateResult:
    return GateResult(
        name=name, holds=None, why=f"too few rows to judge: {scores.rows}, and {least} are needed"
    )
