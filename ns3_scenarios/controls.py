# SPDX-License-Identifier: Apache-2.0
"""What may change while a network runs: `ControlState`, single changes and schedules of them.

A control is addressed by a dotted path, for example `cells.c0.tx_power_dbm` or
`cells.c2.slices.embb.max_pct`; `*` stands for every name at its place (`cells.*.tilt_deg`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from ns3_scenarios.errors import ControlError
from ns3_scenarios.geometry import neighbour_cells
from ns3_scenarios.scenario import (
    A3Offset,
    Hysteresis,
    Identifier,
    Model,
    Numerology,
    Percent,
    QueueDiscipline,
    ScenarioConfig,
    SchedulerPolicy,
    SleepMode,
    TimeToTrigger,
    UserGroup,
)

AUTO = "auto"
"""A path that the transport network chooses: the one of least delay while nothing has failed."""
SLICE_ROUTE = "slice"
"""A flow that goes as its slice does."""

TxPower = Annotated[float, Field(ge=-30, le=60)]
Tilt = Annotated[float, Field(ge=-90, le=90)]
Bandwidth = Annotated[float, Field(ge=5, le=2000)]
TargetBler = Annotated[float, Field(ge=0.001, le=0.5)]
CellOffset = Annotated[float, Field(ge=-24, le=24)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Coordinate = Annotated[float, Field(ge=-1e5, le=1e5)]
FlightHeight = Annotated[float, Field(ge=1, le=300)]
FlightSpeed = Annotated[float, Field(ge=0.1, le=40)]
Degradation = Literal["none", "reduce_rate", "essential_only"]


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


class HandoverControl(Model):
    """When users of a cell are handed over: event A3 of TS 38.331 5.5.4.4."""

    a3_offset_db: A3Offset
    hysteresis_db: Hysteresis
    ttt_ms: TimeToTrigger
    cio_db: dict[str, CellOffset] = Field(description="By neighbour relation (TS 38.331 Ocn).")


class CellControl(Model):
    """Everything that may be changed of one cell in flight."""

    tx_power_dbm: TxPower = Field(description="Over the whole carrier.")
    tilt_deg: Tilt = Field(description="Down-tilt of the antenna.")
    bandwidth_mhz: Bandwidth = Field(description="At most the carrier's.")
    numerology: Numerology
    scheduler: SchedulerPolicy
    target_bler: TargetBler
    slices: dict[str, SliceShare]
    sleep_mode: SleepMode = Field(description="How deeply it may sleep; off takes it away.")
    wake_prb_pct: Percent = Field(description="Load that wakes it from light or deep sleep.")
    handover: HandoverControl | None = Field(description="Of cells of the first carrier.")

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        for field in ("dedicated_pct", "min_pct"):
            total = sum(getattr(s, field) for s in self.slices.values())
            if total > 100 + 1e-9:
                raise ValueError(f"{field} of all slices adds up to {total:g}, more than 100")
        return self


class SliceControl(Model):
    """What may be changed of one slice in the whole network."""

    degradation: Degradation
    routes: dict[str, dict[str, str]] = Field(
        description="By site and anchor: `auto`, or the nodes of the path, as in 's0-agg-core'."
    )


class LinkControl(Model):
    """What may be changed of one transport link."""

    queue: QueueDiscipline


class ApplicationControl(Model):
    """Where an edge application runs."""

    site: Identifier
    fraction: Fraction = Field(description="Share of its jobs that are offloaded.")


class FlowControl(Model):
    """Which way one flow goes."""

    slice: Identifier
    route: str = Field(description="`slice` for its slice's, or a path of its own.")


class WaypointControl(Model):
    """Where a UAV is to fly; a change of any field sends it straight there, to hover."""

    x_m: Coordinate
    y_m: Coordinate
    z_m: FlightHeight
    speed_mps: FlightSpeed


class UeControl(Model):
    """What may be changed of one user."""

    flows: dict[str, FlowControl]
    target_cell: str = Field(
        default="", description="Order of a handover; empty again once it has been given."
    )
    waypoint: WaypointControl | None = Field(default=None, description="Of UAVs.")


class ControlState(Model):
    """The present setting of every control in the network."""

    cells: dict[str, CellControl]
    slices: dict[str, SliceControl]
    links: dict[str, LinkControl]
    applications: dict[str, ApplicationControl]
    ues: dict[str, UeControl]

    @classmethod
    def initial(cls, scenario: ScenarioConfig) -> ControlState:
        """The controls with which a scenario starts."""
        anchors = scenario.anchors
        routes = (
            {site: dict.fromkeys(anchors, AUTO) for site in scenario.site_ids}
            if scenario.transport
            else {}
        )
        applications = scenario.edge.applications if scenario.edge else ()
        return cls(
            cells={cell: _initial_cell(scenario, cell) for cell in scenario.cell_ids},
            slices={
                s.name: SliceControl(degradation="none", routes=routes) for s in scenario.slices
            },
            links={link.name: LinkControl(queue=link.queue) for link in scenario.links},
            applications={
                a.name: ApplicationControl(site=a.site, fraction=a.fraction) for a in applications
            },
            ues={
                ue: _initial_ue(scenario, group)
                for ue, group in zip(scenario.ue_ids, scenario.ue_groups, strict=True)
            },
        )

    def paths(self) -> Iterator[str]:
        """The path of every single control."""
        yield from _leaves(self, ())

    def get(self, path: str) -> Any:
        """The value of one control.

        Raises:
            ControlError: no such control.
        """
        node: Any = self
        for name in path.split("."):
            if name not in (below := _below(node)):
                raise _no_such(path, name, node)
            node = below[name]
        if _is_branch(node):
            raise _stops_short(path)
        return node

    def expand(self, path: str) -> list[str]:
        """Paths that `path` means once each `*` is replaced by every name at its place.

        Raises:
            ControlError: no control matches.
        """
        return _expand(self, path)

    def below(self, path: str) -> list[str]:
        """Paths that `path` means as in `expand`, or all that are below where it stops short.

        Raises:
            ControlError: no control matches.
        """
        return _expand(self, path, branches=True)

    def with_changes(self, changes: Iterable[ControlChange], scenario: ScenarioConfig) -> Self:
        """A copy with changes made together; what they touch is checked against the scenario.

        Raises:
            ControlError: a path does not exist, or the result is impossible. Nothing is changed.
        """
        trees: dict[str, dict[str, dict[str, Any]]] = {}
        for change in changes:
            for path in self.expand(change.path):
                section, name, *parents, leaf = path.split(".")
                of_section = trees.setdefault(section, {})
                if name not in of_section:
                    of_section[name] = getattr(self, section)[name].model_dump()
                node = of_section[name]
                for parent in parents:
                    node = node[parent]
                node[leaf] = change.value
        touched = {
            section: {
                name: _validated(f"{section}.{name}", type(getattr(self, section)[name]), tree)
                for name, tree in of_section.items()
            }
            for section, of_section in trees.items()
        }
        _check(touched, scenario)
        return self.model_copy(update={s: getattr(self, s) | new for s, new in touched.items()})

    def check(self, scenario: ScenarioConfig) -> None:
        """Check all controls against the scenario.

        Raises:
            ControlError: one is impossible.
        """
        _check(_below(self), scenario)

    def without_orders(self) -> Self:
        """A copy in which orders have been carried out: they are no settings that last."""
        ordered = [name for name, ue in self.ues.items() if ue.target_cell]
        done = {name: self.ues[name].model_copy(update={"target_cell": ""}) for name in ordered}
        return self.model_copy(update={"ues": {**self.ues, **done}}) if done else self


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
    in_order = sorted(schedule, key=lambda change: change.interval)
    for interval, changes in itertools.groupby(in_order, key=lambda change: change.interval):
        if interval >= scenario.n_intervals:
            raise ControlError(
                f"a change at interval {interval} comes after the last one, "
                f"{scenario.n_intervals - 1}"
            )
        state = state.with_changes(changes, scenario)


def _initial_cell(scenario: ScenarioConfig, cell: str) -> CellControl:
    carrier = scenario.cell_carrier(cell)
    radio = scenario.radio
    handover = None
    if carrier is scenario.carriers[0]:
        handover = HandoverControl(
            a3_offset_db=radio.handover.a3_offset_db,
            hysteresis_db=radio.handover.hysteresis_db,
            ttt_ms=radio.handover.ttt_ms,
            cio_db=dict.fromkeys(neighbour_cells(scenario, cell), 0.0),
        )
    return CellControl(
        tx_power_dbm=carrier.tx_power_dbm,
        tilt_deg=scenario.gnb_antenna.tilt_deg,
        bandwidth_mhz=carrier.bandwidth_mhz,
        numerology=carrier.numerology,
        scheduler=radio.scheduler,
        target_bler=radio.target_bler,
        slices={
            s.name: SliceShare(dedicated_pct=s.dedicated_pct, min_pct=s.min_pct, max_pct=s.max_pct)
            for s in scenario.slices
        },
        sleep_mode=radio.energy.sleep_mode,
        wake_prb_pct=radio.energy.wake_prb_pct,
        handover=handover,
    )


def _initial_ue(scenario: ScenarioConfig, group: UserGroup) -> UeControl:
    flow = FlowControl(slice=group.slice, route=SLICE_ROUTE)
    waypoint = None
    if group.mobility.kind == "uav":
        first = group.mobility.waypoints[0] if group.mobility.waypoints else None
        fence = group.mobility.geofence
        waypoint = WaypointControl(
            x_m=first.x_m if first else min(max(0, fence.x_min_m), fence.x_max_m),
            y_m=first.y_m if first else min(max(0, fence.y_min_m), fence.y_max_m),
            z_m=first.z_m if first and first.z_m else group.height_m,
            speed_mps=group.mobility.speed_mps,
        )
    return UeControl(flows=dict.fromkeys(scenario.flow_names(group), flow), waypoint=waypoint)


def _validated(where: str, kind: type[Model], tree: dict[str, Any]) -> Model:
    """An element of a kind, with the controls of a tree."""
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join((where, *map(str, first["loc"])))
        if isinstance(first["input"], dict):  # controls that do not go together
            problem = first["msg"].removeprefix("Value error, ")
            raise ControlError(f"{where}: {problem}") from None
        raise ControlError(f"{where}={first['input']!r}: {first['msg']}") from None


def _check(parts: dict[str, dict[str, Any]], scenario: ScenarioConfig) -> None:
    """Check some controls, by section and name of the element, against the scenario."""
    slices, ues = parts.get("slices", {}), parts.get("ues", {})
    _check_cells(parts.get("cells", {}), scenario)
    if slices or ues:
        _check_routes(slices, ues, scenario)
    if ues:
        _check_users(ues, scenario)
    _check_applications(parts.get("applications", {}), scenario)


def _check_cells(cells: dict[str, CellControl], scenario: ScenarioConfig) -> None:
    for cell, control in cells.items():
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


def _check_routes(
    slices: dict[str, SliceControl], ues: dict[str, UeControl], scenario: ScenarioConfig
) -> None:
    nodes, sites, anchors = scenario.transport_nodes, scenario.site_ids, scenario.anchors
    adjacent = {frozenset(link.ends) for link in scenario.links}

    def path_of(route: str, where: str) -> list[str]:
        path = route.split("-")
        for node in path:
            if node not in nodes:
                allowed = ", ".join(nodes) or "nothing: there is no transport"
                raise ControlError(f"{where}={route!r}: {node!r} is not one of {allowed}")
            if path.count(node) > 1:
                raise ControlError(f"{where}={route!r} visits {node!r} twice")
        for hop in itertools.pairwise(path):
            if frozenset(hop) not in adjacent:
                raise ControlError(f"{where}={route!r}: no link joins {hop[0]!r} and {hop[1]!r}")
        if len(path) == 1:
            raise ControlError(f"{where}={route!r} has no link in it")
        return path

    for name, slice_ in slices.items():
        for site, by_anchor in slice_.routes.items():
            for anchor, route in by_anchor.items():
                if route != AUTO:
                    where = f"slices.{name}.routes.{site}.{anchor}"
                    path = path_of(route, where)
                    if (path[0], path[-1]) != (site, anchor):
                        raise ControlError(
                            f"{where}={route!r} must lead from {site!r} to {anchor!r}"
                        )
    for ue, control in ues.items():
        for flow, settings in control.flows.items():
            if settings.route != SLICE_ROUTE:
                where = f"ues.{ue}.flows.{flow}.route"
                path = path_of(settings.route, where)
                if path[0] not in sites or path[-1] not in anchors:
                    raise ControlError(
                        f"{where}={settings.route!r} must lead from a site to one of "
                        f"{', '.join(anchors)}"
                    )


def _check_users(ues: dict[str, UeControl], scenario: ScenarioConfig) -> None:
    slices = [s.name for s in scenario.slices]
    first_carrier = scenario.cell_ids[:: len(scenario.carriers)]
    group_of = dict(zip(scenario.ue_ids, scenario.ue_groups, strict=True))
    for ue, control in ues.items():
        for flow, settings in control.flows.items():
            if settings.slice not in slices:
                raise ControlError(
                    f"ues.{ue}.flows.{flow}.slice={settings.slice!r} is not one of "
                    f"{', '.join(slices)}"
                )
        if control.target_cell and control.target_cell not in first_carrier:
            raise ControlError(
                f"ues.{ue}.target_cell={control.target_cell!r} is not one of "
                f"{', '.join(first_carrier)}"
            )
        point, mobility = control.waypoint, group_of[ue].mobility
        if point and mobility.kind == "uav":
            fence = mobility.geofence
            if not fence.holds(point.x_m, point.y_m, point.z_m):
                raise ControlError(
                    f"ues.{ue}.waypoint=({point.x_m:g}, {point.y_m:g}, {point.z_m:g}) lies outside "
                    f"the geofence, x {fence.x_min_m:g} to {fence.x_max_m:g}, "
                    f"y {fence.y_min_m:g} to {fence.y_max_m:g}, "
                    f"z {fence.z_min_m:g} to {fence.z_max_m:g} m"
                )


def _check_applications(
    applications: dict[str, ApplicationControl], scenario: ScenarioConfig
) -> None:
    sites = scenario.anchors[1:]
    for name, control in applications.items():
        if control.site not in sites:
            raise ControlError(
                f"applications.{name}.site={control.site!r} is not one of {', '.join(sites)}"
            )


def _expand(tree: Model, path: str, *, branches: bool = False) -> list[str]:
    """Concrete paths that a path with `*` means in a tree of controls, or that are below it."""
    found: list[tuple[tuple[str, ...], Any]] = [((), tree)]
    for name in path.split("."):
        # Not everything that a `*` matches has every control.
        below = [
            ((*above, n), node[n])
            for above, node in ((above, _below(node)) for above, node in found)
            for n in (node if name == "*" else (name,))
            if n in node
        ]
        if not below and found and (name != "*" or not _is_branch(found[0][1])):
            raise _no_such(path, name, found[0][1])
        found = [(above, node) for above, node in below if node is not None]
    if branches:
        deep = ((above, _leaves(node, above)) for above, node in found if _is_branch(node))
        by_branch = {above: list(leaves) for above, leaves in deep}
        concrete = [leaf for at, _ in found for leaf in by_branch.get(at, [".".join(at)])]
    elif any(_is_branch(value) for _, value in found):
        raise _stops_short(path)
    else:
        concrete = [".".join(at) for at, _ in found]
    if not concrete:
        raise ControlError(f"{path!r} matches no control of this scenario")
    return concrete


def _leaves(node: Any, above: tuple[str, ...]) -> Iterator[str]:
    for name, value in _below(node).items():
        if _is_branch(value):
            yield from _leaves(value, (*above, name))
        elif value is not None:
            yield ".".join((*above, name))


def _below(node: Any) -> dict[str, Any]:
    """What is directly below a part of the controls, by name."""
    return dict(node) if _is_branch(node) else {}


def _is_branch(node: Any) -> bool:
    return isinstance(node, Model | dict)


def _no_such(path: str, name: str, node: Any) -> ControlError:
    allowed = ", ".join(_below(node)) or "nothing below it"
    return ControlError(f"{path!r} is not a control: {name!r} is not one of {allowed}")


def _stops_short(path: str) -> ControlError:
    return ControlError(f"{path!r} is not a control; it stops short of a value")
