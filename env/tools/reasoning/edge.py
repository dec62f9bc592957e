# SPDX-License-Identifier: Apache-2.0
"""Tools that say where an edge application should run."""

from __future__ import annotations

from collections import Counter

import numpy as np
from pydantic import Field

from env.backends.base import Futures
from env.errors import ToolError
from env.tools.base import Arguments, Result, tool
from env.tools.configuration.changing import changes
from env.tools.observation.reading import count, mean, panel, short
from env.tools.reasoning.foresight import (
    DRAWS,
    OPTION_DRAWS,
    Band,
    Floats,
    Foreseen,
    band,
    known_mean,
    series,
    serving_cell,
    source,
)
from env.tools.reasoning.transport import quickest, transport_graph, usable
from env.view import View
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.scenario import Application

HORIZON = 4
"""Intervals that options are compared over; the first of them, in which jobs move, does not count
towards delays."""
WINDOW = 5
"""Past intervals from which the rate of jobs is taken."""


class SelectOffloadTarget(Arguments):
    """Of `select_offload_target`."""

    application: str = Field(description="Name of the application, as in get_edge_load.")


class OffloadTarget(Result):
    """A place where the jobs of an application can be computed."""

    site: str | None
    """Edge site; None for the users' own devices."""
    fraction: float
    """Share of jobs that is offloaded: as now, or all where none is now."""
    median_latency_ms: float | None
    """From a job to its result, mean over the jobs and median over the futures, by which places are
    ranked; None where no job would come back."""
    latency_ms: Band | None
    """The same as mean and interval."""
    within_deadline_pct: Band | None
    current: bool
    """Whether it is so now."""


class OffloadTargets(Foreseen):
    """Places by predicted delay."""

    application: str
    deadline_ms: float
    targets: list[OffloadTarget]
    """The one of least delay first."""


@tool("reasoning")
def select_offload_target(view: View, args: SelectOffloadTarget) -> OffloadTargets:
    """Rank the edge sites where an application could run by its predicted delay.

    Each site, and the users' own devices, is tried in 9 futures of 4 intervals, which have radio,
    transport, waiting and computing in them as they are now. Delays are those after the first
    interval.

    Errors: no_such_element; unavailable where the backend cannot look ahead or does not know
    applications.
    """
    name = view.application(args.application)
    now = view.controls.applications[name]
    fraction = now.fraction or 1.0
    sites = [s for s in view.scenario.anchors[1:] if view.scope.has(s) or s == now.site]
    options = [(site, fraction) for site in sites] + [(now.site, 0.0)]
    found = []
    for site, share in options:
        futures = view.futures(_offload(name, site, share), HORIZON, OPTION_DRAWS)
        latency, within = _settled(futures, name)
        found.append(
            OffloadTarget(
                site=site if share else None,
                fraction=share,
                median_latency_ms=_median(latency),
                latency_ms=band(latency),
                within_deadline_pct=band(within),
                current=(site, share) == (now.site, now.fraction),
            )
        )
    if all(target.median_latency_ms is None for target in found):
        raise ToolError("unavailable", f"nothing is known of jobs of {name}")
    found.sort(key=lambda t: np.inf if t.median_latency_ms is None else t.median_latency_ms)
    return OffloadTargets(
        application=name,
        deadline_ms=_application(view, name).deadline_ms,
        targets=found,
        **source(futures),
    )


class CheckMigrationFeasibility(Arguments):
    """Of `check_migration_feasibility`."""

    application: str = Field(description="Name of the application, as in get_edge_load.")
    site: str = Field(description="Edge site that it would move to.")


class MigrationCheck(Result):
    """One condition."""

    condition: str
    """capacity: compute of the site; transport: rate to spare on the way there; delay: median
    delay against the deadline."""
    ok: bool
    needed: float
    available: float
    unit: str


class Migration(Foreseen):
    """Whether an application can move, and what that does."""

    application: str
    site: str
    feasible: bool
    """Whether all conditions are met."""
    checks: list[MigrationCheck]
    """Of which enough is known."""
    present_latency_ms: Band | None
    """As things are."""
    latency_ms: Band | None
    """After the move."""
    within_deadline_pct: Band | None
    """After the move."""
    jobs_in_progress: int | None
    """That are under way now; they come back from where they were sent."""
    jobs_lost_by_moving: Band | None
    """In the first interval, beyond what is lost without the move; negative where it saves some."""


@tool("reasoning")
def check_migration_feasibility(view: View, args: CheckMigrationFeasibility) -> Migration:
    """Check whether an edge application can move to a site, and what the move interrupts.

    Capacity: the compute that its jobs need, by the jobs of the last five intervals, against what
    the site has free. Transport: the rate of its requests and responses against what links to the
    site have to spare, from each radio site. Delay: median of 16 futures after the first interval
    against the deadline. New jobs go to the new site at once.

    Errors: no_such_element; not_allowed where it runs there already; unavailable where the backend
    cannot look ahead.
    """
    name, site = view.application(args.application), view.site(args.site)
    control = view.controls.applications[name]
    if control.site == site:
        raise ToolError(
            "not_allowed",
            f"{name} runs at {site} already",
            argument="site",
            value=site,
            allowed=[s for s in view.scenario.anchors[1:] if s != site and view.scope.has(s)],
        )
    stay = view.futures((), HORIZON, DRAWS)
    move = view.futures(_offload(name, site, control.fraction or 1.0), HORIZON, DRAWS)
    latency, within = _settled(move, name)
    checks = [*_capacity(view, name, site), *_transport(view, name, site)]
    if (median_ms := _median(latency)) is not None:
        deadline_ms = _application(view, name).deadline_ms
        checks.append(_check("delay", median_ms, deadline_ms, "ms"))
    lost = [series(f, "application", "jobs_lost", application=name)[:, 0] for f in (stay, move)]
    under_way = panel([view.now], "application", "application", [name], ["jobs_in_progress"])
    return Migration(
        application=name,
        site=site,
        feasible=all(check.ok for check in checks),
        checks=checks,
        present_latency_ms=band(_settled(stay, name)[0]),
        latency_ms=band(latency),
        within_deadline_pct=band(within),
        jobs_in_progress=count(under_way.ravel()),
        jobs_lost_by_moving=band(lost[1] - lost[0]),
        **source(move),
    )


def _offload(name: str, site: str, fraction: float) -> tuple[ControlChange, ...]:
    return changes(f"applications.{name}", site=site, fraction=fraction)


def _application(view: View, name: str) -> Application:
    assert view.scenario.edge
    return next(a for a in view.scenario.edge.applications if a.name == name)


def _settled(futures: Futures, name: str) -> tuple[Floats, Floats]:
    """Delay, and share within the deadline, once a move has settled, by draw."""
    latency, within = (
        known_mean(series(futures, "application", c, application=name)[:, 1:], 1)
        for c in ("latency_ms", "within_deadline_pct")
    )
    return latency, within


def _median(draws: Floats) -> float | None:
    known = draws[np.isfinite(draws)]
    return short(float(np.median(known))) if len(known) else None


def _check(condition: str, needed: float, available: float, unit: str) -> MigrationCheck:
    return MigrationCheck(
        condition=condition,
        ok=needed <= available,
        needed=short(needed),
        available=short(available),
        unit=unit,
    )


def _jobs_per_s(view: View, name: str) -> float:
    """Jobs that would be offloaded, by those that were made."""
    made = panel(view.window(WINDOW), "application", "application", [name], ["jobs_made"])
    application = _application(view, name)
    per_interval = mean(made.ravel())
    if per_interval is None:
        users = sum(g.name == application.users for g in view.scenario.ue_groups)
        per_interval = users * view.scenario.interval_ms / application.interval_ms
    per_s = per_interval / view.scenario.interval_ms * 1e3
    return per_s * (view.controls.applications[name].fraction or 1.0)


def _capacity(view: View, name: str, site: str) -> list[MigrationCheck]:
    """None where the load of the site is not known."""
    assert view.scenario.edge
    spec = next(s for s in view.scenario.edge.sites if s.name == site)
    util_pct = panel([view.now], "edge", "site", [site], ["util_pct"]).item()
    if np.isnan(util_pct):
        return []
    free = spec.servers * spec.gflops * (1 - util_pct / 100)
    needed = _jobs_per_s(view, name) * _application(view, name).work_gflop
    return [_check("capacity", needed, max(0.0, free), "Gflop/s")]


def _transport(view: View, name: str, site: str) -> list[MigrationCheck]:
    """The radio site from which the way to the edge site is fullest for what it has to carry."""
    application = _application(view, name)
    job_mbit = 8e-3 * max(application.request_kb, application.response_kb)
    per_site = view.scenario.layout.n_sectors * len(view.scenario.carriers)
    site_of = {
        cell: view.scenario.site_ids[i // per_site] for i, cell in enumerate(view.scenario.cell_ids)
    }
    users = Counter(
        site_of[cell]
        for ue, group in view.group_of.items()
        if group.name == application.users
        for cell in serving_cell(view, ue)
    )
    graph = usable(transport_graph(view))
    checks = []
    for radio_site, n_users in users.items():
        needed = _jobs_per_s(view, name) * job_mbit * n_users / users.total()
        path = quickest(graph, radio_site, site)
        checks.append(_check("transport", needed, path.free_mbps if path else 0.0, "Mbit/s"))
    return sorted(checks, key=lambda check: check.available - check.needed)[:1]
