# SPDX-License-Identifier: Apache-2.0
"""Changes worth trying: `Candidate`, and what makes them for each kind of trouble."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np

from env.tools.observation.reading import cells_of
from env.tools.reasoning.foresight import ConfigurationTool, ToolCall, measured
from env.tools.reasoning.transport import quickest, transport_graph, usable
from env.view import View
from ns3_scenarios.control_ranges import Span, control_ranges
from ns3_scenarios.controls import AUTO, SliceShare
from ns3_scenarios.geometry import neighbour_cells

POWER_STEP_DB = 3.0
TILT_STEP_DEG = 4.0
OFFSET_STEP_DB = 3.0
SHARE_STEP_PCT = 20.0
LEAST_POWER_MPS, RANGE_MPS = 10.2, 18.3
"""Speeds at which a UAV draws least power, and least energy per metre (`propulsion_w`)."""
AXES = ("x_m", "y_m", "z_m")
MOST_CELLS = 6
"""Cells that one candidate changes, the busiest or nearest first."""


@dataclass(frozen=True)
class Candidate:
    """Calls of configuration tools that belong together."""

    strategy: str
    """What they do, in words."""
    calls: tuple[ToolCall, ...]

    def __add__(self, other: Candidate) -> Candidate:
        return Candidate(f"{self.strategy}, and {other.strategy}", self.calls + other.calls)


def candidate(strategy: str, calls: Iterable[ToolCall | None]) -> list[Candidate]:
    """A candidate of the calls that there are; none without any."""
    made = tuple(call for call in calls if call)
    return [Candidate(strategy, made)] if made else []


def call(tool: ConfigurationTool, **arguments: Any) -> ToolCall:
    """A call of a configuration tool."""
    return ToolCall(tool=tool, arguments=arguments)


def reroute(view: View, link: str) -> list[Candidate]:
    """Traffic that goes over a link goes round it."""
    free = usable(transport_graph(view), avoid=[link])
    calls = []
    for name, nodes in _routes(view):
        hops = {frozenset(hop) for hop in itertools.pairwise(nodes)}
        ends = next(frozenset(n.ends) for n in view.scenario.links if n.name == link)
        if ends in hops and (path := quickest(free, nodes[0], nodes[-1])):
            calls.append(call("reroute_flow", slice=name, path=list(path.nodes)))
    return candidate(f"route round {link}", calls)


def move_applications(view: View, site: str, *, away: bool = True) -> list[Candidate]:
    """Applications leave an edge site for another, in part or for their users' devices."""
    names = [a for a, c in view.controls.applications.items() if (c.site == site) == away]
    names = [a for a in names if view.scope.has(a)]
    others = [s for s in view.scenario.anchors[1:] if s != site] if away else [site]
    found = []
    for name in names:
        found += [c for other in others for c in offload(view, name, other)]
    if away and len(names) > 1:
        for other in others:
            calls = [c.calls[0] for n in names for c in offload(view, n, other)]
            found += candidate(f"move every application of {site} to {other}", calls)
    if away:
        for name in names:
            found += offload(view, name, site, view.controls.applications[name].fraction / 2)
            found += offload(view, name, site, 0.0)
    return found


def offload(view: View, name: str, site: str, fraction: float | None = None) -> list[Candidate]:
    """An application runs elsewhere, or less of it does."""
    share = view.controls.applications[name].fraction if fraction is None else fraction
    made = call("edge_offload", application=name, site=site, fraction=share)
    return candidate(f"offload {share:.0%} of {name} to {site}", [made])


def power(view: View, cells: Sequence[str], by_db: float) -> list[Candidate]:
    """Cells transmit with more or less power."""
    calls = _moving(view, cells, "set_cell_tx_power", "tx_power_dbm", by_db)
    return candidate(f"{by_db:+g} dB of power at {_list(cells)}", calls)


def tilt(view: View, cells: Sequence[str], by_deg: float) -> list[Candidate]:
    """Cells look further up or down."""
    calls = _moving(view, cells, "set_antenna_tilt", "tilt_deg", by_deg)
    return candidate(f"{by_deg:+g} degrees of tilt at {_list(cells)}", calls)


def scheduler(view: View, cells: Sequence[str], policy: str) -> list[Candidate]:
    """Cells schedule by another policy."""
    calls = [
        call("set_scheduler", cell=cell, policy=policy)
        for cell in cells
        if view.controls.cells[cell].scheduler != policy
    ]
    return candidate(f"scheduler {policy} at {_list(cells)}", calls)


def handover(view: View, cells: Sequence[str], by_db: float) -> list[Candidate]:
    """Users leave cells earlier or later (event A3, TS 38.331 5.5.4.4)."""
    own = [cell for cell in cells if view.controls.cells[cell].handover]
    calls = _moving(view, own, "set_handover_params", "a3_offset_db", by_db, below="handover.")
    return candidate(f"{by_db:+g} dB of A3 offset at {_list(cells)}", calls)


def sleep(view: View, cells: Sequence[str], mode: str) -> list[Candidate]:
    """Cells sleep, or stay awake."""
    calls = [
        call("set_cell_sleep", cell=c, mode=mode)
        for c in cells
        if view.controls.cells[c].sleep_mode != mode
    ]
    return candidate(f"sleep mode {mode} at {_list(cells)}", calls)


def share(view: View, slice_: str, cells: Sequence[str]) -> list[Candidate]:
    """A slice gets more of what is not promised to others."""
    calls = []
    for cell in cells:
        shares = view.controls.cells[cell].slices
        mine = shares[slice_]
        free = 100 - sum(s.min_pct for s in shares.values())
        wanted = SliceShare(
            dedicated_pct=mine.dedicated_pct,
            min_pct=mine.min_pct + max(0.0, min(free, SHARE_STEP_PCT)),
            max_pct=100,
        )
        if wanted != mine:
            arguments = wanted.model_dump()
            calls.append(call("trigger_slice_reallocation", cell=cell, slice=slice_, **arguments))
    return candidate(f"a greater share for {slice_} at {_list(cells)}", calls)


def degrade(view: View, slices: Sequence[str], level: str) -> list[Candidate]:
    """Slices send less."""
    calls = [
        call("graceful_degradation", slice=name, level=level)
        for name in slices
        if view.controls.slices[name].degradation != level
    ]
    return candidate(f"degradation {level} of {_list(slices)}", calls)


def order_handover(view: View, ue: str) -> list[Candidate]:
    """A user goes to the strongest other cells that it measures."""
    rows = view.now.where("neighbour", ue=ue)[:2]
    cells = [str(c) for c in view.now.column("neighbour", "cell")[rows]]
    return [
        c
        for cell in cells
        for c in candidate(
            f"hand {ue} over to {cell}", [call("request_handover", ue=ue, target_cell=cell)]
        )
    ]


def fly(view: View, ue: str) -> list[Candidate]:
    """A UAV hovers where it is, or goes where it was going at the speed that costs least."""
    waypoint = view.controls.ues[ue].waypoint
    if waypoint is None:
        return []
    position = measured(view, ue, *AXES)
    here = {axis: round(float(value), 2) for axis, value in zip(AXES, position, strict=True)}
    there = waypoint.model_dump(exclude={"speed_mps"})
    speeds = {
        "at the speed of least power": LEAST_POWER_MPS,
        "at the speed of longest range": RANGE_MPS,
    }
    found = candidate(
        f"{ue} hovers where it is",
        [call("set_waypoint", ue=ue, **here)],
    )
    for words, speed_mps in speeds.items():
        found += candidate(
            f"{ue} flies on {words}", [call("set_waypoint", ue=ue, **there, speed_mps=speed_mps)]
        )
    return found


def busiest(view: View, n: int = MOST_CELLS) -> list[str]:
    """Cells by downlink load, the fullest first."""
    cells = cells_of(view)
    load = {
        c: float(np.nan_to_num(view.now.column("cell", "dl_prb_util_pct"))[rows].sum())
        for c in cells
        if len(rows := view.now.where("cell", cell=c))
    }
    return sorted(load, key=lambda c: -load[c])[:n]


def around(view: View, cell: str, n: int = MOST_CELLS) -> list[str]:
    """Neighbours of a cell that are in scope, those of its own site and the nearest first."""
    return [c for c in neighbour_cells(view.scenario, cell) if view.scope.has(c)][:n]


def down(view: View) -> list[str]:
    """Links in scope that are down."""
    links = [link for *_, link in transport_graph(view).edges(data=True) if not link["up"]]
    return [link["name"] for link in links if view.scope.has(link["name"])]


def asleep(view: View) -> list[str]:
    """Cells that may sleep or are off."""
    cells = view.controls.cells.items()
    return [name for name, cell in cells if cell.sleep_mode != "on" and view.scope.has(name)]


def _routes(view: View) -> list[tuple[str, list[str]]]:
    """Slices and the nodes of each path that their traffic takes now."""
    healthy = nx.Graph()
    for link in view.scenario.links:
        healthy.add_edge(*link.ends, name=link.name, delay_ms=link.delay_ms, free_mbps=np.inf)
    ends = {s.name: {view.scenario.anchors[0]} for s in view.scenario.slices}
    for group in view.scenario.users:
        for application in view.scenario.applications(group):
            ends[group.slice].add(view.controls.applications[application.name].site)
    found = []
    for name, control in view.controls.slices.items():
        if not view.scope.has(name):
            continue
        for site, by_anchor in control.routes.items():
            for anchor in ends[name] & set(by_anchor):
                if (route := by_anchor[anchor]) != AUTO:
                    found.append((name, route.split("-")))
                elif path := quickest(healthy, site, anchor):
                    found.append((name, list(path.nodes)))
    return sorted(found)


def _moving(
    view: View,
    cells: Sequence[str],
    tool: ConfigurationTool,
    control: str,
    by: float,
    below: str = "",
) -> list[ToolCall]:
    """Calls that move a control of cells a step further, where there is room."""
    return [
        call(tool, cell=cell, **{control: value})
        for cell in cells
        if (value := _moved(view, f"cells.{cell}.{below}{control}", by)) is not None
    ]


def _moved(view: View, path: str, by: float) -> float | None:
    """A control a step further, within what is sensible; None where it is there already."""
    span = control_ranges(view.scenario)[path].sweep
    assert isinstance(span, Span)
    now = float(view.controls.get(path))
    value = float(f"{min(max(now + by, span.min), span.max):.6g}")
    return None if abs(value - now) < 1e-9 or (value - now) * by < 0 else value


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)
