# SPDX-License-Identifier: Apache-2.0
"""What may change while a network runs: `ControlState`, single changes and schedules of them.

A control is addressed by a dotted path, for example `cells.c0.tx_power_dbm` or
`cells.c2.slices.embb.max_pct`; `*` stands for every name at its place (`cells.*.tilt_deg`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from ns3_scenarios.errors import ControlError
from ns3_scenarios.scenario import Model, Numerology, Percent, ScenarioConfig, SchedulerPolicy


class SliceShare(Model):
    """Share of a cell's resource blocks for one slice (RRMPolicyRatio, TS 28.541 4.3.36)."""

    dedicated_pct: Percent = 0
    min_pct: Percent = 0
    max_pct: Percent = 100

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.dedicated_pct <= self.min_pct <= self.max_pct:
            raise ValueError(
                "dedicated_pct <= min_pct <= max_pct must hold, got "
                f"{self.dedicated_pct:g}, {self.min_pct:g}, {self.max_pct:g}"
            )
        return self


class CellControl(Model):
    """Everything that may be changed of one cell in flight."""

    tx_power_dbm: float = Field(ge=-30, le=60, description="Over the whole carrier.")
    tilt_deg: float = Field(ge=-90, le=90, description="Down-tilt of the antenna.")
    bandwidth_mhz: float = Field(ge=5, le=2000, description="At most the carrier's.")
    numerology: Numerology
    scheduler: SchedulerPolicy
    target_bler: float = Field(ge=0.001, le=0.5)
    slices: dict[str, SliceShare]

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        for field in ("dedicated_pct", "min_pct"):
            total = sum(getattr(s, field) for s in self.slices.values())
            if total > 100 + 1e-9:
                raise ValueError(f"{field} of all slices adds up to {total:g}, more than 100")
        return self


class ControlState(Model):
    """The present setting of every control in the network."""

    cells: dict[str, CellControl]

    @classmethod
    def initial(cls, scenario: ScenarioConfig) -> ControlState:
        """The controls with which a scenario starts."""
        shares = {
            s.name: SliceShare(dedicated_pct=s.dedicated_pct, min_pct=s.min_pct, max_pct=s.max_pct)
            for s in scenario.slices
        }
        cells = {}
        for cell in scenario.cell_ids:
            carrier = scenario.cell_carrier(cell)
            cells[cell] = CellControl(
                tx_power_dbm=carrier.tx_power_dbm,
                tilt_deg=scenario.gnb_antenna.tilt_deg,
                bandwidth_mhz=carrier.bandwidth_mhz,
                numerology=carrier.numerology,
                scheduler=scenario.radio.scheduler,
                target_bler=scenario.radio.target_bler,
                slices=shares,
            )
        return cls(cells=cells)

    def paths(self) -> Iterator[str]:
        """The path of every single control."""
        yield from _leaves(self.model_dump(), ())

    def get(self, path: str) -> Any:
        """The value of one control.

        Raises:
            ControlError: no such control.
        """
        node: Any = self.model_dump()
        for name in path.split("."):
            if not isinstance(node, dict) or name not in node:
                raise _no_such(path, name, node)
            node = node[name]
        return node

    def expand(self, path: str) -> list[str]:
        """Paths that `path` means once each `*` is replaced by every name at its place.

        Raises:
            ControlError: no control matches.
        """
        return _expand(self.model_dump(), path)

    def with_changes(self, changes: Iterable[ControlChange], scenario: ScenarioConfig) -> Self:
        """A copy with changes made together, checked against the scenario.

        Raises:
            ControlError: a path does not exist, or the result is impossible. Nothing is changed.
        """
        tree = self.model_dump()
        for change in changes:
            for path in _expand(tree, change.path):
                *parents, leaf = path.split(".")
                node = tree
                for name in parents:
                    node = node[name]
                node[leaf] = change.value
        try:
            state = type(self).model_validate(tree)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(p) for p in first["loc"])
            raise ControlError(f"{where}={first['input']!r}: {first['msg']}") from None
        for cell, control in state.cells.items():
            limit = scenario.cell_carrier(cell)
            if control.bandwidth_mhz > limit.bandwidth_mhz:
                raise ControlError(
                    f"cells.{cell}.bandwidth_mhz={control.bandwidth_mhz:g} exceeds the carrier's "
                    f"{limit.bandwidth_mhz:g} MHz"
                )
            needed_mhz = 0.18 * 2**control.numerology / 0.96
            if control.bandwidth_mhz < needed_mhz:
                raise ControlError(
                    f"cells.{cell}.bandwidth_mhz={control.bandwidth_mhz:g} holds no resource block "
                    f"at numerology {control.numerology}; at least {needed_mhz:.1f} MHz is needed"
                )
        return state


class ControlChange(Model):
    """One control set to a value at the start of a reporting interval."""

    interval: int = Field(default=0, ge=0, description="Index of the interval that it opens.")
    path: str
    value: float | int | str


Schedule = tuple[ControlChange, ...]
"""Control changes of a run, in the order in which they are made."""


def check_schedule(schedule: Schedule, scenario: ScenarioConfig) -> None:
    """Go through a schedule without a simulation.

    Raises:
        ControlError: a change names no control, sets an impossible value, or comes too late.
    """
    state = ControlState.initial(scenario)
    for interval in sorted({c.interval for c in schedule}):
        if interval >= scenario.n_intervals:
            raise ControlError(
                f"a change at interval {interval} comes after the last one, "
                f"{scenario.n_intervals - 1}"
            )
        state = state.with_changes((c for c in schedule if c.interval == interval), scenario)


def _expand(tree: dict[str, Any], path: str) -> list[str]:
    """Concrete paths that a path with `*` means in a tree of controls."""
    found: list[tuple[str, Any]] = [("", tree)]
    for name in path.split("."):
        below = []
        for above, node in found:
            if not isinstance(node, dict) or (name != "*" and name not in node):
                raise _no_such(path, name, node)
            names = node if name == "*" else (name,)
            below += [(f"{above}.{n}" if above else n, node[n]) for n in names]
        found = below
    if any(isinstance(value, dict) for _, value in found):
        raise ControlError(f"{path!r} is not a control; it stops short of a value")
    return [concrete for concrete, _ in found]


def _leaves(node: dict[str, Any], above: tuple[str, ...]) -> Iterator[str]:
    for name, value in node.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, name))
        else:
            yield ".".join((*above, name))


def _no_such(path: str, name: str, node: Any) -> ControlError:
    allowed = ", ".join(map(str, node)) if isinstance(node, dict) else "nothing below it"
    return ControlError(f"{path!r} is not a control: {name!r} is not one of {allowed}")
