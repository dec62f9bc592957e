# SPDX-License-Identifier: Apache-2.0
"""Changes of controls that can matter for a goal: `moves_for`.

They follow from what the goal's predicates name and from what the network can be told. Values are
those that `control_ranges` calls sensible. A move is a `Candidate`: calls of configuration tools
that belong together, at most as many as the agent has left.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from agent_learning.baselines.cell_moves import (
    carriers,
    cells_of_goal,
    handovers,
    limited,
    lure,
    shares,
)
from agent_learning.baselines.settings import AXES, MOST_SPEED_MPS, fly_to, planned, wanted
from env.goals import Goal, KpiPredicate
from env.tools.observation.reading import slices_of
from env.tools.reasoning import candidates as make
from env.tools.reasoning.candidates import Candidate, call, candidate
from env.tools.reasoning.foresight import measured
from env.tools.reasoning.transport import quickest, transport_graph, usable
from env.view import View
from ns3_scenarios.controls import AUTO

ENERGY = ("power_w", "energy_j", "sleep_pct")
MOBILITY = ("ho_attempts", "ho_successes", "ho_failures", "ho_ping_pongs", "rlf", "lost")
BUSY_PCT, LOSSY_PCT = 90.0, 1.0
"""Use and loss of a link from which traffic is led round it."""
BEYOND = 0.1
"""Of a bound on a position, or 5 m where that is more, by which a UAV flies past it."""
FLY_M = 150.0
"""Distance of points that a UAV tries in each direction."""


def moves_for(view: View, goal: Goal, most_calls: int) -> list[Candidate]:
    """Moves that can matter for a goal, those that are most likely to help first.

    Args:
        view: of the network, within the scope of the agent.
        goal: that has been checked.
        most_calls: of a move; one that would need more is cut to what it begins with.
    """
    kpis = [p for p in goal if isinstance(p, KpiPredicate)]
    by_predicate = [list(_of_kpi(view, predicate)) for predicate in kpis]
    mixed = [c for row in itertools.zip_longest(*by_predicate) for c in row if c]
    found = [*wanted(view, goal), *planned(view, goal), *_round_trouble(view), *mixed]
    unique: dict[str, Candidate] = {}
    for one in found:
        if (made := cut(view, one, most_calls)).calls:
            unique.setdefault(repr([c.model_dump() for c in made.calls]), made)
    return list(unique.values())


def cut(view: View, move: Candidate, most_calls: int) -> Candidate:
    """What of a move an agent may do."""
    calls = tuple(c for c in move.calls if view.scope.has_tool(c.tool))
    return Candidate(move.strategy, calls[:most_calls])


def _round_trouble(view: View) -> Iterator[Candidate]:
    """Traffic leaves links that are down, damaged or full; cells that sleep wake up."""
    bad = _bad_links(view)
    if bad:
        yield from _rerouted(view, slices_of(view), bad)
        for name in slices_of(view):
            yield from _rerouted(view, [name], bad)
        for link in bad:
            yield from make.reroute(view, link)
    yield from make.sleep(view, make.asleep(view), "on")


def _bad_links(view: View) -> list[str]:
    """Links that are down, full, lossy or below the rate that they were built with."""
    kpis = view.now
    found = []
    for link in view.scenario.links:
        rows = kpis.where("link", link=link.name)
        loss, use, rate = (
            np.nan_to_num(np.asarray(kpis.column("link", name)[rows], float), nan=usual)
            for name, usual in (
                ("loss_pct", 0.0),
                ("util_pct", 0.0),
                ("rate_mbps", link.rate_mbps),
            )
        )
        up = all(up is None or bool(up) for up in kpis.column("link", "up")[rows])
        worn = (rate < 0.99 * link.rate_mbps).any()
        if not up or worn or (loss > LOSSY_PCT).any() or (use > BUSY_PCT).any():
            found.append(link.name)
    return found


def _rerouted(view: View, slices: Sequence[str], avoid: Sequence[str]) -> list[Candidate]:
    """Slices go round links, from every site to every anchor that they use."""
    graph = transport_graph(view)
    free = usable(graph, avoid=avoid, down=True)
    calls = []
    for name in slices:
        for site in view.scenario.site_ids:
            for anchor in _anchors(view, name):
                path = quickest(free, site, anchor)
                if path is None:
                    continue
                route = "-".join(path.nodes)
                now = view.controls.slices[name].routes.get(site, {}).get(anchor)
                usual = quickest(usable(graph, down=True), site, anchor)
                same = now == AUTO and usual is not None and usual.nodes == path.nodes
                if now is not None and now != route and not same:
                    calls.append(call("reroute_flow", slice=name, path=list(path.nodes)))
    return candidate(f"{', '.join(slices)} round {', '.join(avoid)}", calls)


def _anchors(view: View, slice_: str) -> list[str]:
    """Where traffic of a slice ends: the core, and sites of its applications."""
    ends = {view.scenario.anchors[0]: None}
    for group in view.scenario.users:
        if group.slice == slice_:
            for application in view.scenario.applications(group):
                ends[view.controls.applications[application.name].site] = None
    return list(ends)


def _of_kpi(view: View, goal: KpiPredicate) -> Iterator[Candidate]:
    less = goal.comparison in ("<", "<=")
    if goal.kpi in ENERGY or goal.kpi.startswith("energy"):
        return _of_energy(view, goal, saves=less != (goal.kpi == "sleep_pct"))
    if goal.application or goal.site or goal.table in ("edge", "application"):
        return _of_edge(view, goal)
    if goal.kpi in AXES or goal.kpi == "battery_pct":
        return _of_flight(view, goal)
    if goal.table == "link":
        return _of_link(view, goal)
    if goal.kpi in MOBILITY:
        return _of_mobility(view, goal)
    return _of_service(view, goal)


def _of_energy(view: View, goal: KpiPredicate, *, saves: bool) -> Iterator[Candidate]:
    cells = cells_of_goal(view, goal)
    idle = cells[::-1]
    if not saves:
        yield from make.sleep(view, cells, "on")
        return
    for by_db in (-8.0, -12.0, -4.0):
        yield from make.power(view, cells, by_db)
    for mode in ("deep", "light", "micro", "off"):
        yield from make.sleep(view, cells, mode)
        for n in (1, 2, len(cells) // 2):
            yield from make.sleep(view, idle[:n], mode)
    yield from carriers(view, cells, shrink=True)
    for n in (1, 2):
        yield from make.power(view, idle[:n], -12.0)
    yield from make.degrade(view, slices_of(view), "reduce_rate")
    yield from make.degrade(view, slices_of(view), "essential_only")


def _of_edge(view: View, goal: KpiPredicate) -> Iterator[Candidate]:
    sites = [s for s in view.scenario.anchors[1:] if view.scope.has(s)]
    applications = view.controls.applications
    if goal.application:
        mine = [goal.application]
    elif goal.site:
        mine = [a for a, c in applications.items() if c.site == goal.site and view.scope.has(a)]
    else:
        mine = [a for a in applications if view.scope.has(a)]
    for fraction in (1.0, 0.5, 0.0):
        for name in mine:
            for site in sites:
                if (applications[name].site, applications[name].fraction) != (site, fraction):
                    yield from make.offload(view, name, site, fraction)
        if len(mine) > 1:
            for site in sites:
                calls = [c.calls[0] for n in mine for c in make.offload(view, n, site, fraction)]
                yield from candidate(f"{fraction:.0%} of {', '.join(mine)} to {site}", calls)
    homes = {applications[name].site for name in mine}
    for home in homes:
        for rival in make.move_applications(view, home):
            if all(c.arguments["application"] not in mine for c in rival.calls):
                yield rival
    if goal.site:
        yield from make.move_applications(view, goal.site, away=False)
    slices = {
        group.slice
        for group in view.scenario.users
        for a in view.scenario.applications(group)
        if a.name in mine
    }
    for name in sorted(slices):
        yield from shares(view, name, make.busiest(view, view.scenario.n_cells))
        yield from make.degrade(view, [s for s in slices_of(view) if s != name], "reduce_rate")


def _of_flight(view: View, goal: KpiPredicate) -> Iterator[Candidate]:
    """A UAV goes past what its position is compared with, or saves its battery."""
    fliers = [ue for ue in view.uavs if goal.ue in (None, ue) and view.scope.has(ue)]
    fliers = [ue for ue in fliers if goal.slice in (None, view.group_of[ue].slice)]
    if goal.kpi in AXES:
        past = max(5.0, BEYOND * abs(goal.value))
        sign = {"<": -1, ">": 1}.get(goal.comparison[0], 0)
        flown = [_flown(view, ue, {goal.kpi: goal.value + sign * past}) for ue in fliers]
        for options in zip(*(one for one in flown if one), strict=False):
            yield from candidate(
                f"{', '.join(fliers)} fly to {goal.kpi} {goal.value:g}",
                [one.calls[0] for one in options],
            )
        yield from itertools.chain(*flown)
    for ue in fliers:
        yield from make.fly(view, ue)


def _flown(view: View, ue: str, to: dict[str, float]) -> list[Candidate]:
    """A UAV goes to a point, as far as its geofence allows; other axes stay as they are."""
    order = view.controls.ues[ue].waypoint
    if order is None:
        return []
    words = ", ".join(f"{axis} {value:g}" for axis, value in to.items())
    return [
        one
        for speed_mps in (MOST_SPEED_MPS, order.speed_mps)
        for one in candidate(
            f"{ue} flies to {words} at {speed_mps:g} m/s",
            [fly_to(view, ue, to | {"speed_mps": speed_mps})],
        )
    ]


def _of_link(view: View, goal: KpiPredicate) -> Iterator[Candidate]:
    links = [goal.link] if goal.link else [link.name for link in view.scenario.links]
    slices = slices_of(view)
    for link in links:
        yield from _rerouted(view, slices, [link])
        for name in slices:
            yield from _rerouted(view, [name], [link])
        for queue in ("fq_codel", "codel", "red", "token_bucket", "fifo"):
            if view.controls.links[link].queue != queue:
                yield from candidate(
                    f"{queue} at {link}", [call("reroute_flow", link=link, queue=queue)]
                )
    for level in ("reduce_rate", "essential_only"):
        for name in slices:
            yield from make.degrade(view, [name], level)
        yield from make.degrade(view, slices, level)
    yield from _of_edge(view, goal)


def _of_mobility(view: View, goal: KpiPredicate) -> Iterator[Candidate]:
    cells = cells_of_goal(view, goal)
    near = make.around(view, goal.cell, 3) if goal.cell else []
    for some in (cells, [*cells[:1], *near], cells[:3]):
        yield from handovers(view, some)
    for by_db in (make.POWER_STEP_DB, -make.POWER_STEP_DB):
        yield from make.power(view, cells, by_db)


def _of_service(view: View, goal: KpiPredicate) -> Iterator[Candidate]:
    """Throughput, delay, loss and signal of slices, cells and users."""
    cells = cells_of_goal(view, goal)
    mine = goal.slice or (view.group_of[goal.ue].slice if goal.ue else None)
    slices = slices_of(view)
    own = [mine] if mine in slices else []
    others = [s for s in slices if s not in own]
    for name in own or slices:
        yield from shares(view, name, cells)
    yield from carriers(view, cells, shrink=False)
    yield from make.power(view, cells, make.POWER_STEP_DB)
    yield from make.power(view, cells, 99.0)
    for policy in ("qos", "proportional_fair", "max_ci", "round_robin"):
        yield from make.scheduler(view, cells, policy)
    yield from make.degrade(view, own or slices, "none")
    for level in ("reduce_rate", "essential_only"):
        yield from make.degrade(view, others, level)
        yield from make.degrade(view, own, level)
    for name in others:
        yield from limited(view, name, cells)
        yield from make.degrade(view, [name], "reduce_rate")
    for by_deg in (make.TILT_STEP_DEG, -make.TILT_STEP_DEG):
        yield from make.tilt(view, cells, by_deg)
    yield from handovers(view, cells)
    if goal.cell:
        yield from lure(view, goal.cell)
    near = make.around(view, goal.cell) if goal.cell else []
    yield from make.power(view, near, -2 * make.POWER_STEP_DB)
    yield from make.sleep(view, cells, "on")
    if goal.ue:
        yield from make.order_handover(view, goal.ue)
        for name in slices:
            flows = view.controls.ues[goal.ue].flows.values()
            if any(flow.slice != name for flow in flows):
                yield from candidate(
                    f"{goal.ue} joins {name}",
                    [call("switch_network_slice", ue=goal.ue, slice=name)],
                )
    for ue in view.uavs:
        if goal.ue in (None, ue) and (goal.ue or mine == view.group_of[ue].slice):
            yield from _about(view, ue)
    for link in view.scenario.links:
        yield from _rerouted(view, own or slices, [link.name])
    if view.controls.applications:
        yield from _of_edge(view, goal.model_copy(update={"site": None, "application": None}))


def _about(view: View, ue: str) -> Iterator[Candidate]:
    """A UAV hovers, or goes a way up, down or aside."""
    yield from make.fly(view, ue)
    position = dict(zip(AXES, measured(view, ue, *AXES).tolist(), strict=True))
    for axis, by_m in itertools.product(AXES, (FLY_M, -FLY_M)):
        way = by_m / 3 if axis == "z_m" else by_m
        yield from _flown(view, ue, {axis: position[axis] + way})[:1]
