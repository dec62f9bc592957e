# SPDX-License-Identifier: Apache-2.0
"""What `model.json` says: features, KPIs, boosters, intervals and the domain of each kind of row.

Letters: f features, k KPIs, p probabilities, l levels, m principal components,
q points of a table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal, Self

import numpy as np
from pydantic import Field, FiniteFloat, model_validator

from experiment_model.card import Card, Part

FORMAT: Final = "sixg-experiment-model"
SCHEMA_VERSION: Final = 2

MAX_KINDS = 64
MAX_FEATURES = 4096
MAX_KPIS = 256
MAX_BOOSTERS = 256
MAX_GROUPS = 1024
MAX_POINTS = 4096
MAX_LEVELS = 64

Name = Annotated[str, Field(min_length=1, max_length=100)]
Text = Annotated[str, Field(max_length=1000)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\.ubj$", max_length=100)]
Positive = Annotated[FiniteFloat, Field(gt=0)]
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Points = Annotated[tuple[FiniteFloat, ...], Field(min_length=2, max_length=MAX_POINTS)]


class Feature(Part):
    """One input of the boosters."""

    name: Name
    unit: Text = ""
    description: Text = ""
    median: FiniteFloat | None = None
    """In training; null where it was always missing."""


class Kpi(Part):
    """One output, and how the boosters' scale z relates to its unit."""

    name: Name
    unit: Text = ""
    description: Text = ""
    transform: Literal["linear", "log"] = "linear"
    """`linear`: z = y / scale; `log`: z = ln(1 + y / scale)."""
    scale: Positive = 1.0
    base: Name | None = None
    """Feature that holds a first guess in the KPI's unit; without it the guess is 0."""
    lower: FiniteFloat | None = None
    """Physical bound; needed by `log`, where it must lie above -scale."""
    upper: FiniteFloat | None = None
    offset: FiniteFloat = 0.0
    """Correction of bias, added to z."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.transform == "log" and (self.lower is None or self.lower <= -self.scale):
            raise ValueError(
                f"lower={self.lower} is not allowed with transform log; "
                f"it must be greater than {-self.scale:g}"
            )
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ValueError(f"lower={self.lower:g} must be less than upper={self.upper:g}")
        return self


class BoosterFile(Part):
    """One XGBoost model: trees with a leaf value for each of its KPIs, or for its only one."""

    file: FileName
    kpis: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_KPIS)]
    """In the order of its outputs."""
    monotone: dict[Name, Literal[-1, 1]] = Field(default={})
    """Features in which all of these KPIs rise (1) or fall (-1)."""


class Levels(Part):
    """Quantiles of the residuals of one KPI, by level of its predicted mean."""

    edges: Annotated[tuple[FiniteFloat, ...], Field(max_length=MAX_LEVELS - 1)] = ()
    """Between the levels, in mean of z, ascending, shape (l - 1,)."""
    quantiles: Annotated[tuple[Points, ...], Field(min_length=1, max_length=MAX_LEVELS)]
    """Shape (l, p)."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if len(self.edges) != len(self.quantiles) - 1 or not _strictly_ascending(self.edges):
            raise ValueError("edges must ascend and be one fewer than the levels")
        if any(b < a for level in self.quantiles for a, b in itertools.pairwise(level)):
            raise ValueError("quantiles must not descend")
        return self


class Intervals(Part):
    """Quantiles of the standardised residual (z - mean of z) / sigma, conformally corrected."""

    probabilities: Points
    """Ascending, between 0 and 1."""
    tables: Annotated[dict[str, dict[Name, Levels]], Field(max_length=MAX_GROUPS)]
    """By group, for example scenario, and KPI. Group "" has every KPI, and serves rows of no known
    group and KPIs that a group lacks."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        p = self.probabilities
        if not (p[0] > 0 and p[-1] < 1 and _strictly_ascending(p)):
            raise ValueError("probabilities must ascend and lie between 0 and 1")
        for group, table in self.tables.items():
            for kpi, levels in table.items():
                for quantiles in levels.quantiles:
                    if len(quantiles) != len(p):
                        raise ValueError(
                            f"tables[{group!r}].{kpi} has {len(quantiles)} quantiles; "
                            f"it must have one per probability, {len(p)}"
                        )
        return self


class Joint(Part):
    """How KPIs of one row vary together, and from one interval to the next, in normal scores."""

    correlation: Annotated[tuple[tuple[FiniteFloat, ...], ...], Field(max_length=MAX_KPIS)]
    """Between KPIs, shape (k, k), positive definite."""
    persistence: Annotated[
        tuple[Annotated[float, Field(ge=0, lt=1)], ...], Field(max_length=MAX_KPIS)
    ]
    """Correlation of each KPI's score with that of the interval before, shape (k,)."""

    @model_validator(mode="after")
    def _correlates(self) -> Self:
        k = len(self.correlation)
        if any(len(row) != k for row in self.correlation) or len(self.persistence) != k:
            raise ValueError(f"correlation must be square, and persistence as long, {k}")
        matrix = np.array(self.correlation).reshape(k, k)
        if not np.allclose(np.diag(matrix), 1) or not np.allclose(matrix, matrix.T):
            raise ValueError("correlation must be symmetric with ones on its diagonal")
        try:
            np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            raise ValueError("correlation must be positive definite") from None
        return self


class Domain(Part):
    """Where the rows of training lie.

    With u = clip((x - centre) / scale, -clip, clip), 0 where x is missing, the distance of a row is
    d2 = |W u|^2, and its score is the share of calibration rows with a greater distance. A row is
    in distribution if its score is at least `threshold`, no feature lies farther outside of
    `low` to `high` than `margin` times their distance, and no feature is missing that never was.
    """

    centre: tuple[FiniteFloat, ...]
    """Shape (f,), like the following."""
    scale: tuple[Positive, ...]
    low: tuple[FiniteFloat | None, ...]
    """Least value in training; null, with `high`, where the feature was always missing."""
    high: tuple[FiniteFloat | None, ...]
    was_missing: tuple[bool, ...]
    """Whether it was ever missing in training."""
    clip: Positive = 5.0
    whitening: Annotated[tuple[tuple[FiniteFloat, ...], ...], Field(min_length=1)]
    """W, shape (m, f)."""
    distances: Points
    """Quantiles of d2 over calibration rows at `shares`, shape (q,)."""
    shares: Points
    """From 0 to 1, ascending."""
    threshold: Share
    margin: Annotated[FiniteFloat, Field(ge=0)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        f = len(self.centre)
        for name in ("scale", "low", "high", "was_missing"):
            if len(getattr(self, name)) != f:
                raise ValueError(f"{name} has {len(getattr(self, name))} values; centre has {f}")
        if len(self.whitening) > f or any(len(row) != f for row in self.whitening):
            raise ValueError(f"whitening must have rows of {f} values, and at most as many")
        for low, high in zip(self.low, self.high, strict=True):
            if (low is None) != (high is None) or (low is not None and not low <= (high or 0.0)):
                raise ValueError(f"low={low} and high={high} must be a range, or both null")
        if len(self.distances) != len(self.shares):
            raise ValueError(
                f"there are {len(self.distances)} distances at {len(self.shares)} shares"
            )
        if not (self.shares[0] == 0 and self.shares[-1] == 1 and _strictly_ascending(self.shares)):
            raise ValueError("shares must ascend from 0 to 1")
        if any(b < a for a, b in itertools.pairwise(self.distances)):
            raise ValueError("distances must not descend")
        return self


class Kind(Part):
    """Everything about the rows of one kind of element."""

    features: Annotated[tuple[Feature, ...], Field(min_length=1, max_length=MAX_FEATURES)]
    """In the order of the boosters' inputs."""
    kpis: Annotated[tuple[Kpi, ...], Field(min_length=1, max_length=MAX_KPIS)]
    boosters: Annotated[tuple[BoosterFile, ...], Field(min_length=1, max_length=MAX_BOOSTERS)]
    """Predict z of each KPI less z of its base."""
    spread: Annotated[tuple[BoosterFile, ...], Field(min_length=1, max_length=MAX_BOOSTERS)]
    """Predict ln(sigma), the scale of z's residual, of each KPI."""
    intervals: Intervals
    joint: Joint
    domain: Domain

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        features = [feature.name for feature in self.features]
        kpis = [kpi.name for kpi in self.kpis]
        _unique("features", features)
        _unique("kpis", kpis)
        for kpi in self.kpis:
            if kpi.base is not None and kpi.base not in features:
                raise ValueError(f"base={kpi.base!r} of {kpi.name} is not a feature")
        for role, boosters in (("boosters", self.boosters), ("spread", self.spread)):
            outputs = [name for booster in boosters for name in booster.kpis]
            _unique(f"kpis of {role}", outputs)
            if set(outputs) != set(kpis):
                odd = sorted(set(outputs) ^ set(kpis))[0]
                raise ValueError(f"{role} must predict exactly the kpis; {odd!r} differs")
            odd_features = {n for booster in boosters for n in booster.monotone} - set(features)
            if odd_features:
                raise ValueError(f"monotone: {min(odd_features)!r} is not a feature")
        self._shapes_agree(kpis, len(features))
        return self

    def _shapes_agree(self, kpis: Sequence[str], f: int) -> None:
        missing = [name for name in kpis if name not in self.intervals.tables.get("", {})]
        if missing:
            raise ValueError(f"intervals.tables[''] lacks {missing[0]!r}")
        odd = {name for table in self.intervals.tables.values() for name in table} - set(kpis)
        if odd:
            raise ValueError(f"intervals.tables has {min(odd)!r}, which is not a kpi")
        if len(self.joint.persistence) != len(kpis):
            raise ValueError(
                f"joint is of {len(self.joint.persistence)} kpis; there are {len(kpis)}"
            )
        if len(self.domain.centre) != f:
            raise ValueError(f"domain is of {len(self.domain.centre)} features; there are {f}")


class FileEntry(Part):
    """What must be found in another file of the model."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ModelSpec(Part):
    """A model without its trees: the content of `model.json`."""

    format: Literal["sixg-experiment-model"] = FORMAT
    schema_version: Literal[2] = SCHEMA_VERSION
    kinds: Annotated[dict[Name, Kind], Field(min_length=1, max_length=MAX_KINDS)]
    card: Card = Card()
    files: dict[FileName, FileEntry] = Field(default={})
    """Of every booster; filled in when the model is written."""

    @model_validator(mode="after")
    def _own_files(self) -> Self:
        _unique("files of boosters", self.booster_files)
        return self

    @property
    def booster_files(self) -> tuple[str, ...]:
        """Names of all boosters' files."""
        return tuple(b.file for kind in self.kinds.values() for b in (*kind.boosters, *kind.spread))


def _strictly_ascending(values: Sequence[float]) -> bool:
    return all(a < b for a, b in itertools.pairwise(values))


def _unique(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what}: {name!r} is there twice")
        seen.add(name)
