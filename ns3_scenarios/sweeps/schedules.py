# SPDX-License-Identifier: Apache-2.0
"""The control changes of one run, drawn from (configuration, seed) and nothing else."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

from ns3_scenarios.control_ranges import (
    GRID,
    LEAST_MAX_PCT,
    OFFSETS,
    SHARES,
    ControlRange,
    Span,
    Values,
    control_ranges,
    fits,
)
from ns3_scenarios.controls import ControlChange, ControlState, Schedule
from ns3_scenarios.errors import ControlError
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.sweeps.spec import (
    AUTO,
    Operator,
    RandomPiecewise,
    Replay,
    Scalar,
    ScheduleSpec,
    Trouble,
    Variation,
)

HALF = 0.5
USUAL_SHARE = 0.75
"""How often a control that can take all service away is drawn as the scenario has it."""

LEAST_TROUBLED_PCT = 1.0
"""No slice is held below this share of a cell by trouble."""
TRIES = 10
"""Draws of an action until one is possible as things stand."""

Limits = Mapping[str, tuple[float, float]]
"""Between what the numbers lie that something else sets, by path."""


def draw_schedule(
    spec: ScheduleSpec, scenario: ScenarioConfig, stream: str, start: Schedule = ()
) -> Schedule:
    """Changes for one run, in the order of their intervals.

    Args:
        spec: how controls change.
        scenario: what they are controls of.
        stream: names the random stream; equal names give equal schedules.
        start: how the configuration sets controls for the whole run; `auto` leaves them alone.

    Raises:
        ControlError: a path names no control.
    """
    if isinstance(spec, Replay):
        return tuple(sorted(spec.changes, key=lambda change: change.interval))
    if isinstance(spec, Operator | Trouble):
        return tuple(_actions(spec, scenario, Random(f"{stream}:{spec.kind}")))
    if isinstance(spec, RandomPiecewise):
        changes = [
            *_in_given_ranges(spec, scenario, stream),
            *_in_own_ranges(spec, scenario, stream, start),
        ]
        return tuple(sorted(changes, key=lambda change: change.interval))
    return ()


def draw_action(
    scenario: ScenarioConfig, random: Random, interval: int = 0, *, troubled: bool = False
) -> Schedule:
    """What an operator might do at one moment: one setting of one element, or of all cells.

    Kinds of settings are drawn alike, however many elements have them; controls that constrain each
    other change together. Half of the actions on a cell are taken on all cells.

    Args:
        scenario: what it has controls of.
        random: where the draws come from.
        interval: of the changes.
        troubled: whether it may be far off (`Trouble`); it may then be impossible after others.
    """
    groups: dict[str, list[ControlRange]] = {}
    for range_ in control_ranges(scenario).values():
        groups.setdefault(range_.group, []).append(range_)
    kinds: dict[tuple[str, str], list[str]] = {}
    for group in groups:
        first, *_, before, last = group.split(".")
        name = before if OFFSETS in group else last
        kinds.setdefault((first, name), []).append(group)
    kind = random.choice(sorted(kinds))
    group = random.choice(kinds[kind])
    if troubled:
        values = _draw_trouble(group, groups[group], scenario, random)
    else:
        values = _draw(group, groups[group], {}, scenario, random)
    everywhere = kind[0] == "cells" and OFFSETS not in group and random.random() < HALF
    _, element, *_ = group.split(".")
    return tuple(
        ControlChange(
            interval=interval,
            path=path.replace(f"cells.{element}.", "cells.*.") if everywhere else path,
            value=value,
        )
        for path, value in values.items()
    )


def _actions(
    spec: Operator | Trouble, scenario: ScenarioConfig, random: Random
) -> Iterator[ControlChange]:
    interval = _gap(spec, random)
    state = ControlState.initial(scenario)
    while interval < scenario.n_intervals:
        for _ in range(TRIES):
            action = draw_action(scenario, random, interval, troubled=isinstance(spec, Trouble))
            with suppress(ControlError):
                state = state.with_changes(action, scenario).without_orders()
                yield from action
                break
        interval += _gap(spec, random)


def _in_given_ranges(
    spec: RandomPiecewise, scenario: ScenarioConfig, stream: str
) -> Iterator[ControlChange]:
    state = ControlState.initial(scenario)
    for pattern, variation in spec.controls.items():
        if not isinstance(variation, Variation):
            continue
        matched = state.expand(pattern)
        for path in matched if variation.each else [pattern]:
            # Python promises `random()` of a seeded `Random` never to change between versions.
            random = Random(f"{stream}:{path}")
            interval = 0
            while interval < scenario.n_intervals:
                value = variation.at(random.random())
                yield ControlChange(interval=interval, path=path, value=value)
                interval += _gap(spec, random)


def _in_own_ranges(
    spec: RandomPiecewise, scenario: ScenarioConfig, stream: str, start: Schedule
) -> Iterator[ControlChange]:
    """Changes of the controls that are `auto`, group by group."""
    if AUTO not in spec.controls.values():
        return
    state = ControlState.initial(scenario)
    drawn: set[str] = set()
    fixed: set[str] = set()
    set_elsewhere: dict[str, Variation] = {}
    for pattern, given in spec.controls.items():
        if isinstance(given, Variation):
            set_elsewhere |= dict.fromkeys(state.expand(pattern), given)
        else:
            (drawn if given == AUTO else fixed).update(state.below(pattern))
    for change in start:
        constant = Variation(values=(change.value,))
        set_elsewhere |= dict.fromkeys(state.expand(change.path), constant)
    free = drawn - fixed - set_elsewhere.keys()
    groups: dict[str, list[ControlRange]] = {}
    for range_ in control_ranges(scenario).values():
        groups.setdefault(range_.group, []).append(range_)
    members = {g: [r for r in whole if r.path in free] for g, whole in groups.items()}
    stretches = _stretches(groups, [group for group in members if members[group]])
    settings = state.model_dump()
    for group, whole in groups.items():
        if not members[group]:
            continue
        limits = {
            r.path: _ends(set_elsewhere.get(r.path), _value(settings, r.path))
            for r in whole
            if r.path not in free
        }
        random = Random(f"{stream}:{group}")
        stretch = stretches.get(group)
        interval = 0 if stretch is None else int(random.random() * _gap(spec, random, stretch))
        while interval < scenario.n_intervals:
            for path, value in _draw(group, members[group], limits, scenario, random).items():
                yield ControlChange(interval=interval, path=path, value=value)
            interval += _gap(spec, random, stretch or 1.0)


def _gap(spec: RandomPiecewise | Operator | Trouble, random: Random, stretch: float = 1.0) -> int:
    """Intervals until the next change."""
    low, high = spec.min_gap_intervals * stretch, spec.max_gap_intervals * stretch
    return int(low + random.random() * (high - low + 1))


def _stretches(groups: Iterable[str], drawn: Iterable[str]) -> dict[str, float]:
    """How many times longer the gaps are of the groups that are many (see `RandomPiecewise`).

    Args:
        groups: all of the scenario.
        drawn: those that change.
    """
    neighbours: dict[str, int] = {}
    changes_of_cells = 0.0
    of_cells = [group for group in groups if group.startswith("cells.")]
    for group in of_cells:
        above, is_offset, _ = group.partition(OFFSETS)
        changes_of_cells += not is_offset
        if is_offset:
            neighbours[above] = neighbours.get(above, 0) + 1
    changes_of_cells += len(neighbours)
    of_users = [group for group in drawn if group.startswith("ues.")]
    stretches = dict.fromkeys(of_users, max(1.0, len(of_users) / changes_of_cells))
    for group in of_cells:
        above, is_offset, _ = group.partition(OFFSETS)
        if is_offset:
            stretches[group] = float(neighbours[above])
    return stretches


def _ends(variation: Variation | None, setting: Any) -> tuple[float, float]:
    """Between what a number lies that has a range of its own, or else stays as it is."""
    if variation is None:
        return setting, setting
    if variation.min is not None and variation.max is not None:
        return variation.min, variation.max
    numbers = [v for v in variation.values or () if isinstance(v, int | float)] or [setting]
    return min(numbers), max(numbers)


def _value(settings: Any, path: str) -> Any:
    for name in path.split("."):
        settings = settings[name]
    return settings


def _draw(
    group: str,
    members: Iterable[ControlRange],
    limits: Limits,
    scenario: ScenarioConfig,
    random: Random,
) -> dict[str, Scalar]:
    """New values of the controls of a group, by path; possible together, whatever the others are.

    Args:
        group: their group.
        members: ranges of those that are drawn.
        limits: of those that are not.
        scenario: what they are controls of.
        random: where the draws come from.
    """
    by_path = {r.path: r for r in members}
    if group.endswith(f".{SHARES}"):
        return _draw_shares(group, by_path, limits, scenario, random)
    if group.endswith(f".{GRID}"):
        return _draw_grid(group, by_path, limits, scenario, random)
    return {path: _drawn(r, random.random()) for path, r in by_path.items()}


def _draw_trouble(
    group: str, members: Iterable[ControlRange], scenario: ScenarioConfig, random: Random
) -> dict[str, Scalar]:
    """The same, but far off: shares of one slice, or numbers of a range that is widened."""
    if not group.endswith(f".{SHARES}"):
        wide = [replace(range_, sweep=_widened(range_)) for range_ in members]
        return _draw(group, wide, {}, scenario, random)
    name = random.choice([s.name for s in scenario.slices])
    max_pct = _hundredths(LEAST_TROUBLED_PCT * (100 / LEAST_TROUBLED_PCT) ** random.random())
    min_pct = _hundredths(max_pct * max(0.0, 2 * random.random() - 1))
    dedicated_pct = _hundredths(min_pct * max(0.0, 2 * random.random() - 1))
    shares = {"dedicated_pct": dedicated_pct, "min_pct": min_pct, "max_pct": max_pct}
    return {f"{group}.{name}.{field}": share for field, share in shares.items()}


def _widened(range_: ControlRange) -> Values:
    """What is sensible, widened by its own width on both sides within what is allowed."""
    sensible, allowed = range_.sweep, range_.allowed
    if not isinstance(sensible, Span) or not isinstance(allowed, Span):
        return sensible
    if sensible.log:
        ratio = sensible.max / sensible.min
        low, high = sensible.min / ratio, sensible.max * ratio
    else:
        width = sensible.max - sensible.min
        low, high = sensible.min - width, sensible.max + width
    return Span(max(low, allowed.min), min(high, allowed.max), sensible.log)


def _drawn(range_: ControlRange, share: float) -> Scalar:
    if range_.usual is None:
        return _at(range_.sweep, share)
    if share < USUAL_SHARE:
        return range_.usual
    others = tuple(value for value in _listed(range_) if value != range_.usual)
    return _at(others, (share - USUAL_SHARE) / (1 - USUAL_SHARE))


def _at(values: Values, share: float) -> Scalar:
    if isinstance(values, Span):
        return Variation(min=values.min, max=values.max, log=values.log).at(share)
    return Variation(values=values).at(share)


def _draw_grid(
    group: str,
    drawn: Mapping[str, ControlRange],
    limits: Limits,
    scenario: ScenarioConfig,
    random: Random,
) -> dict[str, Scalar]:
    """Bandwidth and numerology of a cell with which it holds a resource block."""
    _, cell, _ = group.split(".")
    carrier = scenario.cell_carrier(cell)
    wide, fine = f"cells.{cell}.bandwidth_mhz", f"cells.{cell}.numerology"
    shares = random.random(), random.random()
    values: dict[str, Scalar] = {}
    numerology = int(limits.get(fine, (0, 0))[1])
    if fine in drawn:
        narrowest_mhz, _ = limits.get(wide, (carrier.bandwidth_mhz, 0))
        possible = [n for n in _listed(drawn[fine]) if fits(scenario, cell, narrowest_mhz, int(n))]
        numerology = int(_at(tuple(possible) or (carrier.numerology,), shares[0]))
        values[fine] = numerology
    if wide in drawn:
        possible = [b for b in _listed(drawn[wide]) if fits(scenario, cell, float(b), numerology)]
        values[wide] = _at(tuple(possible) or (carrier.bandwidth_mhz,), shares[1])
    return values


def _listed(range_: ControlRange) -> tuple[Scalar, ...]:
    assert isinstance(range_.sweep, tuple)
    return range_.sweep


def _draw_shares(
    group: str, drawn: Collection[str], limits: Limits, scenario: ScenarioConfig, random: Random
) -> dict[str, Scalar]:
    """Shares of all slices of a cell: dedicated <= min <= max for each, no sum above 100.

    Hundredths of a percent. What is guaranteed in all is even between nothing and everything;
    every second slice has something dedicated.
    """
    names = [s.name for s in scenario.slices]

    def path(name: str, field: str) -> str:
        return f"{group}.{name}.{field}_pct"

    def limit(name: str, field: str, otherwise: float, end: int) -> float:
        return limits.get(path(name, field), (otherwise, otherwise))[end]

    low = {n: limit(n, "min", limit(n, "dedicated", 0, 1), 1) for n in names}
    rest = max(0.0, 100 - sum(low.values())) * random.random()
    weights = {n: random.random() for n in names if path(n, "min") in drawn}
    values: dict[str, Scalar] = {}
    for name in names:
        highest = least = low[name]
        if name in weights:
            more = rest * weights[name] / (sum(weights.values()) or 1)
            highest = min(_hundredths(low[name] + more), limit(name, "max", 100, 0))
            highest = least = max(highest, low[name])
            values[path(name, "min")] = least
        else:
            least = limit(name, "min", 0, 0)
        share = max(0.0, 2 * random.random() - 1)
        if path(name, "dedicated") in drawn:
            values[path(name, "dedicated")] = _hundredths(share * least)
        share = random.random()
        if path(name, "max") in drawn:
            floor = max(highest, LEAST_MAX_PCT)
            values[path(name, "max")] = max(floor, _hundredths(floor + share * (100 - floor)))
    return values


def _hundredths(value: float) -> float:
    return math.floor(value * 100) / 100
