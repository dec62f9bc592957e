# SPDX-License-Identifier: Apache-2.0
"""The runs of a sweep: design points, the scenarios they make, seeds and schedules.

Everything is checked here, before a single simulation starts.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from ns3_scenarios.controls import (
    ControlChange,
    ControlState,
    Schedule,
    check_schedule,
)
from ns3_scenarios.errors import ControlError, SweepError, UserError
from ns3_scenarios.library import parse_model
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.storage import Manifest
from ns3_scenarios.sweeps.schedules import draw_schedule
from ns3_scenarios.sweeps.spec import (
    FIXED,
    RandomPiecewise,
    Scalar,
    SweepSpec,
    Variation,
    parse_spec,
)

SCENARIO, CONTROLS = "scenario.", "controls."


@dataclass(frozen=True)
class Config:
    """One point of the design: a scenario, and the controls with which it starts."""

    key: str
    """Hash that names the configuration: the scenario's, unless controls differ from its own."""
    scenario: ScenarioConfig
    controls: Schedule
    """Changes at interval 0."""
    values: dict[str, Scalar]
    """What the varied fields are, by path."""


@dataclass(frozen=True)
class Run:
    """One simulation of a sweep."""

    config: Config
    seed: int
    schedule: Schedule
    """All control changes, those of the configuration among them."""

    @property
    def id(self) -> tuple[str, int]:
        """Configuration and seed, which name the run within its sweep."""
        return self.config.key, self.seed


@dataclass(frozen=True)
class Plan:
    """Everything that a sweep will simulate."""

    spec: SweepSpec | None
    """None if the runs do not follow from one."""
    parameters: tuple[str, ...]
    """Paths of the varied fields."""
    configs: tuple[Config, ...]
    """Without repetition: points that make equal configurations count once."""
    runs: tuple[Run, ...]

    @property
    def scenario(self) -> str:
        """Name of the scenario."""
        return self.spec.scenario.name if self.spec else self.configs[0].scenario.name

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds."""
        return self.spec.seeds if self.spec else tuple(sorted({run.seed for run in self.runs}))


def plan(spec: SweepSpec) -> Plan:
    """Work out and check all runs of a sweep.

    Raises:
        SweepError: a path names nothing, or a point is impossible; the message says which.
    """
    dimensions = dict(_dimensions(spec))
    _check_no_overlap(spec)
    base = spec.base.model_dump(mode="json")
    configs: dict[str, Config] = {}
    for values in _points(spec, dimensions):
        config = _config(base, values)
        if configs.setdefault(config.key, config) is not config and spec.points:
            raise SweepError(f"two points are equal: {_shown(values)}; leave one of them out")
    runs = tuple(_runs(spec, list(configs.values())))
    parameters = tuple(spec.points[0].values if spec.points else dimensions)
    return Plan(spec, parameters, tuple(configs.values()), runs)


def spec_of(manifest: Manifest) -> SweepSpec:
    """The specification of a dataset that a sweep has made.

    A manifest keeps the order of the varied fields in `parameters` alone, and the points of a
    design depend on it.

    Raises:
        SweepError: no sweep has made the dataset, or the specification is impossible today.
    """
    if manifest.spec is None:
        raise SweepError("the dataset is not of a sweep")
    spec = parse_spec(manifest.spec, "the specification in the manifest")
    place = {path: index for index, path in enumerate(manifest.parameters)}
    names: dict[str, list[str]] = {}
    for pattern in spec.vary:
        one = spec.model_copy(update={"vary": {pattern: spec.vary[pattern]}})
        names[pattern] = [path for path, _ in _dimensions(one)]
    order = sorted(spec.vary, key=lambda pattern: min(place.get(p, 0) for p in names[pattern]))
    return spec.model_copy(update={"vary": {pattern: spec.vary[pattern] for pattern in order}})


def _dimensions(spec: SweepSpec) -> Iterator[tuple[str, Variation]]:
    """The axes of the design: a path each, and one per match of a `*` with `each`."""
    tree = spec.base.model_dump(mode="json")
    for path, variation in spec.vary.items():
        matched: list[str]
        try:
            if path.startswith(CONTROLS):
                state = ControlState.initial(spec.base)
                matched = [CONTROLS + p for p in state.expand(path.removeprefix(CONTROLS))]
            else:
                matched = [SCENARIO + p for p in _expand(tree, path.removeprefix(SCENARIO))]
        except ControlError as error:
            raise SweepError(f"vary.{path}: {error}") from None
        if variation.each:
            yield from ((p, variation) for p in matched)
        else:
            yield path, variation


def _check_no_overlap(spec: SweepSpec) -> None:
    """A control whose range the schedule gives can be neither varied nor fixed as well."""
    if not isinstance(spec.schedule, RandomPiecewise):
        return
    state = ControlState.initial(spec.base)
    ranges: set[str] = set()
    fixed: set[str] = set()
    try:
        for path, given in spec.schedule.controls.items():
            if isinstance(given, Variation):
                ranges.update(state.expand(path))
            elif given == FIXED:
                fixed.update(state.below(path))
            else:
                state.below(path)
    except ControlError as error:
        raise SweepError(f"schedule.controls: {error}") from None
    if ranges & fixed:
        raise SweepError(
            f"schedule.controls gives {min(ranges & fixed)} a range and fixes it; leave out one of "
            "them"
        )
    listed = spec.points[0].values if spec.points else {}
    for path in (*spec.vary, *listed):
        if path.startswith(CONTROLS):
            both = ranges & set(state.expand(path.removeprefix(CONTROLS)))
            if both:
                raise SweepError(
                    f"vary.{path} has no effect, as schedule.controls also sets {min(both)}; "
                    "leave out one of them"
                )


def _points(spec: SweepSpec, dimensions: dict[str, Variation]) -> Iterator[dict[str, Scalar]]:
    """The values of all axes, point by point."""
    if spec.points:
        yield from (point.values for point in spec.points)
        return
    paths = list(dimensions)
    if spec.design == "grid":
        try:
            axes = [v.grid() for v in dimensions.values()]
        except ValueError as error:
            path = next(p for p, v in dimensions.items() if v.values is None and not v.levels)
            raise SweepError(f"vary.{path}: {error}") from None
        size = math.prod(map(len, axes))
        if size > 1_000_000:
            raise SweepError(f"the grid has {size:,} points; leave out some levels")
        for point in itertools.product(*axes):
            yield dict(zip(paths, point, strict=True))
        return
    for shares in _shares(spec, len(paths)):
        yield {
            path: variation.at(share)
            for (path, variation), share in zip(dimensions.items(), shares, strict=True)
        }


def _shares(spec: SweepSpec, n_axes: int) -> Sequence[Sequence[float]]:
    """Points of the unit cube, one row each."""
    if n_axes == 0:
        return [[]]
    assert spec.n_configs is not None
    if spec.design == "random":
        random = Random(f"{spec.design_seed}")
        return [[random.random() for _ in range(n_axes)] for _ in range(spec.n_configs)]
    from scipy.stats import qmc

    if spec.design == "sobol":
        if n_axes > qmc.Sobol.MAXDIM:
            raise SweepError(f"a sobol design takes {qmc.Sobol.MAXDIM} axes, not {n_axes}")
        sampler: Any = qmc.Sobol(n_axes, rng=spec.design_seed)
    else:
        sampler = qmc.LatinHypercube(n_axes, rng=spec.design_seed)
    with warnings.catch_warnings():
        # Sobol points are best balanced in powers of two; any number is still a good design.
        warnings.filterwarnings("ignore", category=UserWarning)
        shares: list[list[float]] = sampler.random(spec.n_configs).tolist()
    return shares


def _config(base: dict[str, Any], values: dict[str, Scalar]) -> Config:
    """The configuration at a point.

    Raises:
        SweepError: there is none.
    """
    tree = json.loads(json.dumps(base))
    controls = []
    for path, value in values.items():
        if path.startswith(CONTROLS):
            path = path.removeprefix(CONTROLS)  # noqa: PLW2901
            controls.append(ControlChange(interval=0, path=path, value=value))
        else:
            for concrete in _expand(tree, path.removeprefix(SCENARIO)):
                _set(tree, concrete, value)
    try:
        scenario = parse_model(ScenarioConfig, tree, "scenario", SweepError)
        ControlState.initial(scenario).with_changes(controls, scenario)
    except UserError as error:
        raise SweepError(f"the point {_shown(values)} is impossible: {error}") from None
    return Config(_key(scenario, controls), scenario, tuple(controls), values)


def _shown(values: dict[str, Scalar]) -> str:
    text = ", ".join(f"{path}={value!r}" for path, value in values.items())
    return text if len(text) <= 300 else text[:297] + "..."


def _key(scenario: ScenarioConfig, controls: list[ControlChange]) -> str:
    if not controls:
        return scenario.config_hash()
    settings = [[c.path, c.value] for c in controls]
    text = scenario.canonical_json() + json.dumps(settings, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _runs(spec: SweepSpec, configs: list[Config]) -> Iterator[Run]:
    # One seed of each first, so that an unfinished sweep has seen the whole design first.
    of_config = [spec.seeds_of(index) for index in range(len(configs))]
    per_seed = not isinstance(spec.schedule, RandomPiecewise) or spec.schedule.per_seed
    for seeds in zip(*of_config, strict=True):
        for config, seed in zip(configs, seeds, strict=True):
            try:
                stream = f"{spec.design_seed}:{config.key}"
                if per_seed:
                    stream += f":{seed}"
                drawn = draw_schedule(spec.schedule, config.scenario, stream, config.controls)
                schedule = config.controls + drawn
                check_schedule(schedule, config.scenario)
            except ControlError as error:
                at = f" at {_shown(config.values)}" if config.values else ""
                problem = f"the schedule of seed {seed}{at} is impossible: {error}"
                raise SweepError(problem) from None
            yield Run(config, seed, schedule)


def _expand(tree: Any, path: str) -> list[str]:
    """Paths that a path means in a scenario: `*`, and list items by name, become indices.

    Raises:
        SweepError: it leads nowhere.
    """
    found: list[tuple[str, Any]] = [("", tree)]
    for name in path.split("."):
        found = [
            (f"{above}.{step}" if above else step, child)
            for above, node in found
            for step, child in _step(node, name, path)
        ]
    for concrete, node in found:
        if isinstance(node, dict | list):
            below = ", ".join(_names(node)) or "nothing"
            raise SweepError(
                f"vary.{SCENARIO}{path} stops short of a value; below {concrete} are {below}"
            )
    return [concrete for concrete, _ in found]


def _step(node: Any, name: str, path: str) -> list[tuple[str, Any]]:
    if isinstance(node, dict) and name in node:
        return [(name, node[name])]
    if isinstance(node, list):
        items = [(str(i), item) for i, item in enumerate(node)]
        if name == "*" and items:
            return items
        named = [(i, item) for i, item in items if name in (i, _name(item))]
        if named:
            return named
    if node is None:
        on = "; the sweep's own `random_faults: {}` switches them on"
        raise SweepError(
            f"vary.{SCENARIO}{path} leads nowhere: the scenario says nothing of what {name!r} "
            f"belongs to{on if path.startswith('random_faults.') else ''}"
        )
    names = _names(node)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f", did you mean {close[0]!r}?" if close else ""
    allowed = f"; allowed are {', '.join(names)}" if names else ""
    raise SweepError(f"vary.{SCENARIO}{path} leads nowhere: there is no {name!r}{hint}{allowed}")


def _names(node: Any) -> list[str]:
    if isinstance(node, dict):
        return list(node)
    if isinstance(node, list):
        return [_name(item) or str(i) for i, item in enumerate(node)]
    return []


def _name(item: Any) -> str:
    return str(item.get("name", "")) if isinstance(item, dict) else ""


def _set(tree: Any, path: str, value: Scalar) -> None:
    *parents, leaf = path.split(".")
    node = tree
    for name in parents:
        node = node[int(name)] if isinstance(node, list) else node[name]
    if isinstance(node, list):
        node[int(leaf)] = value
    else:
        node[leaf] = value
