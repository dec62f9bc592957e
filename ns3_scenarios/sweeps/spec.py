# SPDX-License-Identifier: Apache-2.0
"""What a sweep specification says: `SweepSpec`, written in YAML.

    scenario: quickstart                  # a name, or the path of a YAML file
    vary:                                 # every field of the scenario, every control
      scenario.carriers.0.bandwidth_mhz: {values: [20, 40]}
      scenario.users.video.traffic.0.rate_mbps: {min: 4, max: 40, log: true}
      controls.cells.*.tx_power_dbm: {min: 30, max: 44, each: true}
    design: sobol                         # or latin_hypercube, grid, random, listed
    n_configs: 16
    seeds: 1-4                            # or replications: 4
    seeds_per_config: 2                   # in turn; without it each configuration has all
    schedule:                             # or constant, or replay
      kind: random_piecewise
      controls:                           # or all: every control of the scenario
        cells.*.tilt_deg: {min: 0, max: 15, each: true}
        cells.*.handover: auto            # everything below, each in its own sensible range
        cells.*.handover.ttt_ms: fixed    # but not this
    random_faults: {mean_gap_s: 2}        # instead of the scenario's; drawn by the seed

A `listed` design has no `vary`, `n_configs` and `seeds`; it says each run by itself:

    design: listed
    points:
      - {seed: 3, values: {scenario.users.video.traffic.0.rate_mbps: 17}}

A path goes through a list by an item's name or index, and through anything by `*`. Any field of
`random_faults` can be varied too, as `scenario.random_faults.mean_gap_s`; where the scenario has
none, `random_faults: {}` switches them on.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ns3_scenarios.controls import ControlChange
from ns3_scenarios.errors import ScenarioError, SweepError
from ns3_scenarios.library import is_path, load_scenario, parse_model, read_yaml
from ns3_scenarios.scenario import Model, RandomFaults, ScenarioConfig

Scalar = bool | int | float | str
Design = Literal["sobol", "latin_hypercube", "grid", "random", "listed"]

MAX_SEED = 2**31 - 1
MAX_CONFIGS = 1_000_000
SIGNIFICANT_DIGITS = 6
"""Of a number drawn from a range: enough for any setting, and the same text everywhere."""


class Variation(Model):
    """The values that one field takes: a range of numbers, or a list."""

    min: float | None = None
    max: float | None = None
    log: bool = Field(default=False, description="Spread the range evenly on a logarithmic scale.")
    integer: bool = Field(default=False, description="Whole numbers only, both ends included.")
    levels: int | None = Field(
        default=None, ge=1, le=10_000, description="Points that a grid takes from the range."
    )
    values: tuple[Scalar, ...] | None = Field(default=None, min_length=1)
    each: bool = Field(
        default=False,
        description="Give everything that a `*` matches a value of its own, not all the same one.",
    )

    @model_validator(mode="after")
    def _is_a_range_or_a_list(self) -> Self:
        is_range = self.min is not None and self.max is not None
        if is_range == (self.values is not None) or (self.min is None) != (self.max is None):
            raise ValueError("give either min and max, or values")
        if self.values is not None and (self.log or self.integer or self.levels):
            raise ValueError("log, integer and levels belong to a range, not to values")
        if self.min is not None and self.max is not None:
            if self.min > self.max:
                raise ValueError(f"min={self.min:g} must not exceed max={self.max:g}")
            if self.log and self.min <= 0:
                raise ValueError(f"min={self.min:g} must be above 0 on a logarithmic scale")
            if self.integer and not (self.min.is_integer() and self.max.is_integer()):
                raise ValueError("min and max of an integer range must be whole numbers")
        return self

    def at(self, share: float) -> Scalar:
        """The value at a share of the way through the range or list, share in [0, 1)."""
        if self.values is not None:
            return self.values[int(share * len(self.values))]
        assert self.min is not None
        assert self.max is not None
        low, high = self.min, self.max + 1 if self.integer else self.max
        value: float = low * (high / low) ** share if self.log else low + share * (high - low)
        if self.integer:
            return min(int(value), int(self.max))
        return min(max(float(f"{value:.{SIGNIFICANT_DIGITS}g}"), low), high)

    def grid(self) -> tuple[Scalar, ...]:
        """All values of the list, or `levels` from the range, both ends included.

        Raises:
            ValueError: a range without levels.
        """
        if self.values is not None:
            return self.values
        assert self.min is not None
        assert self.max is not None
        if self.levels is None:
            raise ValueError("a grid needs `levels` with a range, or `values`")
        steps = [i / max(1, self.levels - 1) for i in range(self.levels)]
        if self.log:
            spread = [self.min * (self.max / self.min) ** s for s in steps]
        else:
            spread = [self.min + s * (self.max - self.min) for s in steps]
        if self.integer:
            return tuple(dict.fromkeys(round(v) for v in spread))
        digits = SIGNIFICANT_DIGITS
        return tuple(min(max(float(f"{v:.{digits}g}"), self.min), self.max) for v in spread)


class Constant(Model):
    """Nothing changes in mid-run."""

    kind: Literal["constant"] = "constant"


ALL, EVERYTHING = "all", "*"
AUTO, FIXED = "auto", "fixed"


class _Gaps(Model):
    """Base of schedules with a random time from one change to the next."""

    min_gap_intervals: int = Field(default=2, ge=1, le=100_000)
    max_gap_intervals: int = Field(default=8, ge=1, le=100_000)

    @model_validator(mode="after")
    def _gaps_are_ordered(self) -> Self:
        if self.min_gap_intervals > self.max_gap_intervals:
            raise ValueError(
                f"min_gap_intervals={self.min_gap_intervals} must not exceed "
                f"max_gap_intervals={self.max_gap_intervals}"
            )
        return self


class RandomPiecewise(_Gaps):
    """Every control keeps a random value for a random number of intervals, then takes another.

    Each control path (each match of a `*` with `each`) changes in its own rhythm, from interval 0
    on, drawn anew for each configuration and, unless `per_seed` is false, each seed.

    `auto` in place of a range draws every control that the path means, or that is below it, from
    its own sensible range (`ns3_scenarios.control_ranges`), all different. `all` in place of the
    mapping is short for `{"*": auto}`. What a path of its own gives a range, what `fixed` keeps as
    it is, and what the sweep varies are left out of `auto`. Controls that constrain each other
    (slice shares of a cell, its bandwidth and numerology, a waypoint) are drawn together. Sleep
    modes and degradation, which can take all service away, are three times out of four drawn as
    the scenario has them.

    Two kinds of control are so many that `auto` draws them less often, and leaves them as they are
    until then. The offsets of a cell to its n neighbours wait n times as long, so that together
    they change as often as any other control of the cell. Controls of users wait longer by as much
    as the drawn ones outnumber the controls of all cells, so that no more of them than of cells
    change per interval. An order such as `target_cell` is given at such times.
    """

    kind: Literal["random_piecewise"]
    controls: dict[str, Variation | Literal["auto", "fixed"]] = Field(min_length=1)
    per_seed: bool = Field(
        default=True, description="Drawn anew for each seed, not once for each configuration."
    )

    @field_validator("controls", mode="before")
    @classmethod
    def _spelt_out(cls, controls: Any) -> Any:
        if controls == ALL:
            return {EVERYTHING: AUTO}
        if not isinstance(controls, dict):
            raise ValueError(f"{controls!r} must be {ALL!r}, or a mapping of paths to ranges")
        for path, given in controls.items():
            if not isinstance(given, dict | Variation) and given not in (AUTO, FIXED):
                raise ValueError(
                    f"{path}: {given!r} must be {AUTO!r}, {FIXED!r}, or a range such as "
                    "{min: 0, max: 1}"
                )
        return {str(path).removeprefix("controls."): v for path, v in controls.items()}

    @field_validator("controls")
    @classmethod
    def _draws_something(cls, controls: dict[str, Any]) -> dict[str, Any]:
        if all(given == FIXED for given in controls.values()):
            raise ValueError(f"everything is {FIXED!r}; give a range or {AUTO!r} as well")
        return controls


class Operator(_Gaps):
    """All is as the scenario has it, until an operator takes one action now and then.

    Actions are settings of one element, or of all cells (`schedules.draw_action`), drawn anew for
    each seed. The first one comes after a gap.
    """

    kind: Literal["operator"]


class Trouble(_Gaps):
    """As with an operator, but settings may be far off, as those that an agent has to mend.

    Ranges of numbers are widened by their own width on both sides, within what is allowed; slices
    may be held to 1 % of a cell, and their shares are set one slice at a time.
    """

    kind: Literal["trouble"]


class Replay(Model):
    """The same listed changes in every run."""

    kind: Literal["replay"]
    changes: tuple[ControlChange, ...] = Field(min_length=1)


ScheduleSpec = Annotated[
    Constant | RandomPiecewise | Operator | Trouble | Replay, Field(discriminator="kind")
]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


class Point(Model):
    """One run of a listed design."""

    seed: Seed
    values: dict[str, Scalar] = Field(description="What the fields are, by path.")


class SweepSpec(Model):
    """A sweep: a scenario, what varies, how often it is repeated, what changes in mid-run."""

    description: str = ""
    scenario: ScenarioConfig = Field(description="A name, a path, or a whole scenario.")
    duration_s: float | None = Field(default=None, gt=0, description="Instead of the scenario's.")
    interval_ms: float | None = Field(default=None, gt=0, description="Instead of the scenario's.")
    vary: dict[str, Variation] = Field(default={}, description="By path.")
    design: Design = "sobol"
    design_seed: int = Field(default=0, ge=0, le=MAX_SEED, description="Of everything drawn.")
    n_configs: int | None = Field(default=None, ge=1, le=MAX_CONFIGS, description="Not for a grid.")
    seeds: tuple[Seed, ...] = Field(
        default=(1,),
        min_length=1,
        max_length=MAX_CONFIGS,
        description="Of the simulations: '1-50', '1-4, 9', a list, or `replications: N` for 1-N.",
    )
    seeds_per_config: int | None = Field(
        default=None,
        ge=1,
        description="Each configuration takes the next so many of the seeds, round and round.",
    )
    points: tuple[Point, ...] = Field(
        default=(), max_length=MAX_CONFIGS, description="The runs of a listed design."
    )
    schedule: ScheduleSpec = Constant()
    random_faults: RandomFaults | None = Field(
        default=None, description="Instead of the scenario's; `{}` switches them on."
    )

    @model_validator(mode="before")
    @classmethod
    def _read_seeds(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if "replications" in data:
            if "seeds" in data:
                raise ValueError("give either seeds or replications, not both")
            count = data.pop("replications")
            if type(count) is not int or not 1 <= count <= MAX_CONFIGS:
                raise ValueError(f"replications={count!r} must be a whole number, 1 or more")
            data["seeds"] = range(1, count + 1)
        if "seeds" in data:
            data["seeds"] = _seeds(data["seeds"])
        if data.get("design") == "listed":
            data = {"seeds": _seeds_of_points(data.get("points")), "seeds_per_config": 1} | data
        return data

    @model_validator(mode="after")
    def _is_listed_or_not(self) -> Self:
        if self.design != "listed":
            if self.points:
                raise ValueError(f"points go with design='listed', not with {self.design!r}")
            return self
        if not self.points:
            raise ValueError("points are missing; a listed design needs them")
        own: dict[str, Any] = {
            "vary": {},
            "n_configs": None,
            "seeds": tuple(dict.fromkeys(point.seed for point in self.points)),
            "seeds_per_config": 1,
        }
        for name, value in own.items():
            if getattr(self, name) != value:
                raise ValueError(f"{name} does not go with a listed design, whose points say it")
        return self

    @field_validator("scenario", mode="before")
    @classmethod
    def _load(cls, scenario: Any) -> Any:
        return load_scenario(scenario) if isinstance(scenario, str | Path) else scenario

    @model_validator(mode="after")
    def _design_fits(self) -> Self:
        if self.design == "grid" and self.n_configs is not None:
            raise ValueError("n_configs does not go with a grid, whose size follows from `vary`")
        if self.design != "grid" and self.vary and self.n_configs is None:
            raise ValueError(f"n_configs is missing; a {self.design} design needs it")
        if not self.vary and (self.n_configs or 1) > 1:
            raise ValueError(f"n_configs={self.n_configs} needs something to vary")
        if self.seeds_per_config is not None and self.seeds_per_config > len(self.seeds):
            raise ValueError(
                f"seeds_per_config={self.seeds_per_config} must not exceed the "
                f"{len(self.seeds)} seeds"
            )
        listed = self.points[0].values if self.points else {}
        for point in self.points:
            if odd := sorted(listed.keys() ^ point.values.keys()):
                raise ValueError(f"all points must say the same fields; {odd[0]!r} differs")
        for path in (*self.vary, *listed):
            if not path.startswith(("scenario.", "controls.")):
                raise ValueError(f"vary.{path} must start with 'scenario.' or 'controls.'")
        return self

    def seeds_of(self, config: int) -> tuple[int, ...]:
        """The seeds of a configuration, by its place in the design."""
        if self.points:
            return (self.points[config].seed,)
        count = self.seeds_per_config
        if count is None:
            return self.seeds
        return tuple(self.seeds[(config * count + i) % len(self.seeds)] for i in range(count))

    @property
    def base(self) -> ScenarioConfig:
        """The scenario with the sweep's own duration, interval and random faults."""
        own: dict[str, Any] = {
            "duration_s": self.duration_s,
            "interval_ms": self.interval_ms,
            "random_faults": self.random_faults,
        }
        changed = {name: value for name, value in own.items() if value is not None}
        if not changed:
            return self.scenario
        data = {**self.scenario.model_dump(), **changed}
        return parse_model(ScenarioConfig, data, "the sweep", SweepError)


def load_spec(path: str | Path) -> SweepSpec:
    """A sweep specification from a YAML file; a relative path in it starts at the file's folder.

    Raises:
        SweepError: missing, unreadable or impossible; the message names file and field.
        ScenarioError: the same of the scenario that it names.
    """
    path = Path(path)
    data = read_yaml(path, SweepError)
    if isinstance(data, dict) and isinstance(name := data.get("scenario"), str) and is_path(name):
        data = {**data, "scenario": load_scenario(path.parent / name)}
    return parse_spec(data, str(path))


def parse_spec(data: Any, source: str = "sweep") -> SweepSpec:
    """A sweep specification from a mapping.

    Raises:
        SweepError: impossible; the message names source and field.
        ScenarioError: the scenario that it names is.
    """
    try:
        return parse_model(SweepSpec, data, source, SweepError)
    except ScenarioError as error:
        raise ScenarioError(f"{source}: scenario: {error}") from None


def _seeds_of_points(points: Any) -> Any:
    """Their seeds, once each; what is wrong with points is for their own checks to say."""
    seeds = [
        point.seed if isinstance(point, Point) else point.get("seed", 0)
        for point in (points if isinstance(points, list | tuple) else ())
        if isinstance(point, dict | Point)
    ]
    return tuple(dict.fromkeys(seeds)) or (1,)


def _seeds(given: Any) -> Any:
    """Numbers from '1-50', '1-4, 9', one number or a list of either; in order, once each."""
    if isinstance(given, str):
        numbers: list[Any] = []
        for part in given.split(","):
            match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
            if not match:
                raise ValueError(f"seeds={given!r} must look like '1-50' or '1-4, 9'")
            first, last = int(match[1]), int(match[2] or match[1])
            if last < first or last - first >= MAX_CONFIGS:
                raise ValueError(f"seeds={given!r} has a range that is empty or far too long")
            numbers.extend(range(first, last + 1))
    elif isinstance(given, list | tuple | range):
        numbers = list(given)
    else:
        numbers = [given]
    return tuple(dict.fromkeys(numbers)) if all(type(n) is int for n in numbers) else numbers
