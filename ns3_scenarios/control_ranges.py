# SPDX-License-Identifier: Apache-2.0
"""What every control may be, and what is sensible to try: `control_ranges`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, Literal

from ns3_scenarios.controls import (
    AUTO,
    SLICE_ROUTE,
    ApplicationControl,
    CellControl,
    ControlState,
    HandoverControl,
    LinkControl,
    SliceControl,
    SliceShare,
    UeControl,
    WaypointControl,
)
from ns3_scenarios.geometry import neighbour_cells, network_radius_m
from ns3_scenarios.scenario import CORE, Model, ScenarioConfig, UserGroup, resource_blocks

Scalar = int | float | str

N_ROUTES = 4
"""Paths offered from a site to an anchor: those of least delay."""
TIMES_TO_TRIGGER_MS = (0, 40, 64, 80, 100, 128, 160, 256, 320, 480, 512, 640)
"""TimeToTrigger of TS 38.331 6.3.2, without the values above a second."""
LEAST_MAX_PCT = 5.0
"""No slice is sensibly held below this share of a cell."""

SHARES, GRID, WAYPOINT = "slices", "grid", "waypoint"
"""How the groups of controls end that constrain each other."""

OFFSETS = ".cio_db."
"""In the paths of a cell's offsets to its neighbours."""

_UNITS = {
    "dbm": "dBm",
    "db": "dB",
    "deg": "deg",
    "mhz": "MHz",
    "pct": "%",
    "ms": "ms",
    "m": "m",
    "mps": "m/s",
}


@dataclass(frozen=True)
class Span:
    """Numbers from min to max, both included."""

    min: float
    max: float
    log: bool = False
    """Whether they are spread evenly on a logarithmic scale."""


Values = Span | tuple[Scalar, ...]
Routes = dict[tuple[str, str], tuple[str, ...]]
"""Paths by site and anchor."""


@dataclass(frozen=True)
class ControlRange:
    """What one control may be set to."""

    path: str
    kind: Literal["number", "choice", "order"]
    """An order is carried out once, and is no setting that lasts."""
    unit: str
    """Empty without one."""
    allowed: Values
    """What is never refused for itself; of routes, those of least delay among all that exist."""
    sweep: Values
    """What is worth trying around the scenario's own setting, everything else being as it is."""
    group: str
    """Equal in controls that constrain each other and must change together; else the path."""
    usual: Scalar | None = None
    """The scenario's own setting, where another one may take all service away."""


@lru_cache(maxsize=64)
def control_ranges(scenario: ScenarioConfig) -> Mapping[str, ControlRange]:
    """The range of every control of a scenario, by path, in the order of `ControlState.paths`."""
    state = ControlState.initial(scenario)
    routes = _routes(scenario)
    found = itertools.chain(
        *(_of_cell(scenario, cell, control) for cell, control in state.cells.items()),
        *(_of_slice(name, control, routes) for name, control in state.slices.items()),
        (_choice(f"links.{name}", LinkControl, "queue") for name in state.links),
        *(_of_application(scenario, name) for name in state.applications),
        *(
            _of_user(scenario, f"ues.{ue}", own, group, start, routes)
            for (ue, own), group, start in zip(
                state.ues.items(), scenario.ue_groups, _starts(scenario), strict=True
            )
        ),
    )
    by_path = {range_.path: range_ for range_ in found}
    return MappingProxyType({path: by_path[path] for path in state.paths()})


def _of_cell(scenario: ScenarioConfig, cell: str, own: CellControl) -> Iterator[ControlRange]:
    at = f"cells.{cell}"
    power_dbm, tilt_deg = own.tx_power_dbm, own.tilt_deg
    yield _number(at, CellControl, "tx_power_dbm", power_dbm - 12, power_dbm + 3)
    low_deg, high_deg = (0.0, 20.0) if 0 <= tilt_deg <= 20 else (tilt_deg - 10, tilt_deg + 10)
    yield _number(at, CellControl, "tilt_deg", low_deg, high_deg)
    yield from _of_grid(scenario, cell, own)
    yield _choice(at, CellControl, "scheduler")
    low, high = min(0.01, own.target_bler), max(0.4, own.target_bler)
    yield _number(at, CellControl, "target_bler", low, high, log=True)
    yield from _of_shares(at, own)
    yield _choice(at, CellControl, "sleep_mode", own.sleep_mode)
    yield _number(at, CellControl, "wake_prb_pct", 0, max(60, own.wake_prb_pct))
    if own.handover:
        yield from _of_handover(f"{at}.handover", own.handover)


def _of_grid(scenario: ScenarioConfig, cell: str, own: CellControl) -> Iterator[ControlRange]:
    carrier = scenario.cell_carrier(cell)
    group = f"cells.{cell}.{GRID}"
    bounds = _bounds(CellControl, "bandwidth_mhz")
    steps_mhz = [float(f"{carrier.bandwidth_mhz * quarters / 4:.6g}") for quarters in (1, 2, 3)]
    yield ControlRange(
        f"cells.{cell}.bandwidth_mhz",
        "number",
        "MHz",
        Span(bounds.min, carrier.bandwidth_mhz),
        tuple(
            step_mhz
            for step_mhz in (*steps_mhz, carrier.bandwidth_mhz)
            if step_mhz >= bounds.min and fits(scenario, cell, step_mhz, carrier.numerology)
        ),
        group,
    )
    bounds = _bounds(CellControl, "numerology")
    allowed = tuple(
        numerology
        for numerology in range(int(bounds.min), int(bounds.max) + 1)
        if fits(scenario, cell, carrier.bandwidth_mhz, numerology)
    )
    near = tuple(n for n in allowed if abs(n - carrier.numerology) <= 1)
    yield ControlRange(f"cells.{cell}.numerology", "choice", "", allowed, near, group)


def fits(scenario: ScenarioConfig, cell: str, bandwidth_mhz: float, numerology: int) -> bool:
    """Whether a cell would hold at least one resource block."""
    frequency_ghz = scenario.cell_carrier(cell).frequency_ghz
    return resource_blocks(frequency_ghz, bandwidth_mhz, numerology) >= 1


def _of_shares(at: str, own: CellControl) -> Iterator[ControlRange]:
    group = f"{at}.{SHARES}"
    free_pct = max(0.0, 100 - sum(share.min_pct for share in own.slices.values()))
    for name, share in own.slices.items():
        above = f"{group}.{name}"
        high_pct = min(share.max_pct, share.min_pct + free_pct)
        yield _number(above, SliceShare, "dedicated_pct", 0, share.min_pct, group=group)
        yield _number(above, SliceShare, "min_pct", share.dedicated_pct, high_pct, group=group)
        low_pct = max(share.min_pct, LEAST_MAX_PCT)
        yield _number(above, SliceShare, "max_pct", low_pct, 100, group=group)


def _of_handover(at: str, own: HandoverControl) -> Iterator[ControlRange]:
    low_db, high_db = min(-3, own.a3_offset_db), max(6, own.a3_offset_db)
    yield _number(at, HandoverControl, "a3_offset_db", low_db, high_db)
    yield _number(at, HandoverControl, "hysteresis_db", 0, max(4, own.hysteresis_db))
    bounds = _bounds(HandoverControl, "ttt_ms")
    times_ms = tuple(sorted({*map(float, TIMES_TO_TRIGGER_MS), own.ttt_ms}))
    yield ControlRange(f"{at}.ttt_ms", "number", "ms", bounds, times_ms, f"{at}.ttt_ms")
    bounds = _bounds(HandoverControl, "cio_db")
    for neighbour in own.cio_db:
        path = f"{at}{OFFSETS}{neighbour}"
        yield ControlRange(path, "number", "dB", bounds, Span(-6, 6), path)


def _of_slice(name: str, own: SliceControl, routes: Routes) -> Iterator[ControlRange]:
    yield _choice(f"slices.{name}", SliceControl, "degradation", own.degradation)
    for site, by_anchor in own.routes.items():
        for anchor in by_anchor:
            path = f"slices.{name}.routes.{site}.{anchor}"
            values = (AUTO, *routes[site, anchor])
            yield ControlRange(path, "choice", "", values, values, path)


def _of_application(scenario: ScenarioConfig, name: str) -> Iterator[ControlRange]:
    path = f"applications.{name}.site"
    yield ControlRange(path, "choice", "", scenario.anchors[1:], scenario.anchors[1:], path)
    yield _number(f"applications.{name}", ApplicationControl, "fraction", 0, 1)


def _of_user(
    scenario: ScenarioConfig,
    at: str,
    own: UeControl,
    group: UserGroup,
    start: tuple[str, tuple[str, ...]] | None,
    routes: Routes,
) -> Iterator[ControlRange]:
    slices = tuple(s.name for s in scenario.slices)
    ends = dict.fromkeys(own.flows, CORE)
    ends |= {application.name: application.site for application in scenario.applications(group)}
    every_route = (SLICE_ROUTE, *itertools.chain.from_iterable(routes.values()))
    for flow in own.flows:
        path = f"{at}.flows.{flow}.slice"
        yield ControlRange(path, "choice", "", slices, slices, path)
        path = f"{at}.flows.{flow}.route"
        near = itertools.chain.from_iterable(
            paths
            for (site, anchor), paths in routes.items()
            if anchor == ends[flow] and (start is None or start[0] == site)
        )
        yield ControlRange(path, "choice", "", every_route, (SLICE_ROUTE, *near), path)
    path = f"{at}.target_cell"
    cells = scenario.cell_ids[:: len(scenario.carriers)]
    yield ControlRange(path, "order", "", ("", *cells), start[1] if start else cells, path)
    if own.waypoint:
        yield from _of_waypoint(scenario, f"{at}.{WAYPOINT}", own.waypoint, group)


def _of_waypoint(
    scenario: ScenarioConfig, at: str, own: WaypointControl, group: UserGroup
) -> Iterator[ControlRange]:
    assert group.mobility.kind == "uav"
    fence = group.mobility.geofence
    radius_m = network_radius_m(scenario)
    for axis in "xyz":
        field = f"{axis}_m"
        bounds = _bounds(WaypointControl, field)
        low_m = max(bounds.min, getattr(fence, f"{axis}_min_m"))
        high_m = min(bounds.max, getattr(fence, f"{axis}_max_m"))
        near = Span(low_m, high_m)
        if axis != "z" and low_m < radius_m and high_m > -radius_m:
            near = Span(max(low_m, -radius_m), min(high_m, radius_m))
        yield ControlRange(f"{at}.{field}", "number", "m", Span(low_m, high_m), near, at)
    speed_mps = own.speed_mps
    yield _number(at, WaypointControl, "speed_mps", speed_mps / 2, 1.5 * speed_mps, group=at)


def _starts(scenario: ScenarioConfig) -> Iterator[tuple[str, tuple[str, ...]] | None]:
    """By user: site of the sector where it is placed, its first cell and that cell's neighbours."""
    n_sectors = scenario.layout.n_sectors
    sectors = [
        (scenario.site_ids[sector // n_sectors], (cell, *neighbour_cells(scenario, cell)))
        for sector, cell in enumerate(scenario.cell_ids[:: len(scenario.carriers)])
    ]
    for group in scenario.users:
        if group.placement.kind == "per_cell":
            for sector in sectors:
                yield from [sector] * group.count
        else:
            yield from [None] * group.count


def _routes(scenario: ScenarioConfig) -> Routes:
    """The loop-free paths of least delay from each site to each anchor."""
    if scenario.transport is None:
        return {}
    import networkx

    graph = networkx.Graph()
    for link in scenario.links:
        known = graph.get_edge_data(*link.ends, default={"delay_ms": link.delay_ms})
        graph.add_edge(*link.ends, delay_ms=min(link.delay_ms, known["delay_ms"]))
    return {
        (site, anchor): tuple(
            "-".join(path)
            for path in itertools.islice(
                networkx.shortest_simple_paths(graph, site, anchor, weight="delay_ms"), N_ROUTES
            )
        )
        for site in scenario.site_ids
        for anchor in scenario.anchors
    }


def _number(
    above: str,
    model: type[Model],
    field: str,
    low: float,
    high: float,
    *,
    log: bool = False,
    group: str = "",
) -> ControlRange:
    """The range of a number: sensible from low to high, but within the bounds of its field."""
    bounds = _bounds(model, field)
    sweep = Span(max(low, bounds.min), min(high, bounds.max), log)
    path = f"{above}.{field}"
    return ControlRange(path, "number", _unit(field), bounds, sweep, group or path)


def _choice(
    above: str, model: type[Model], field: str, usual: Scalar | None = None
) -> ControlRange:
    """The range of a control that is one of a few words."""
    words = tuple(_schema(model, field)["enum"])
    path = f"{above}.{field}"
    return ControlRange(path, "choice", "", words, words, path, usual)


def _unit(field: str) -> str:
    return _UNITS.get(field.rpartition("_")[2], "")


def _bounds(model: type[Model], field: str) -> Span:
    schema = _schema(model, field)
    return Span(schema["minimum"], schema["maximum"])


@cache
def _schema(model: type[Model], field: str) -> dict[str, Any]:
    """What a field allows, or the values of a mapping do."""
    schema = model.model_json_schema()["properties"][field]
    return dict(schema.get("additionalProperties", schema))
