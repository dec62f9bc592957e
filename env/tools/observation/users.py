# SPDX-License-Identifier: Apache-2.0
"""Tools that read users."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from env.kpis import Kpis
from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import (
    Limit,
    Listing,
    in_scope,
    listing,
    read,
    read_one,
    rounded,
    seen,
)
from env.view import View


class ListUes(Arguments):
    """Of `list_ues`."""

    cell: str | None = Field(default=None, description="Only users that this cell serves.")
    slice: str | None = Field(default=None, description="Only users of this slice.")
    sort: Literal["name", "throughput", "sinr", "rsrp", "latency"] = Field(
        default="name",
        description="throughput: both directions together; sinr: downlink; latency: the greater of "
        "the two directions. Users without a value come last.",
    )
    order: Literal["ascending", "descending"] = Field(
        default="ascending", description="Of `sort`; names are in the order of the network."
    )
    limit: Limit = 20


class UserSummary(Result):
    """A user in the last interval."""

    ue: str
    cell: str | None = None
    """That serves it."""
    slice: str | None = None
    """Of its first flow."""
    state: str | None = None
    """connected, preparing (a handover), handover or lost."""
    rsrp_dbm: float | None = None
    dl_sinr_db: float | None = None
    dl_throughput_mbps: float | None = None
    ul_throughput_mbps: float | None = None
    dl_latency_ms: float | None = None
    """Mean packet delay over the radio."""
    ul_latency_ms: float | None = None


@tool("observation")
def list_ues(view: View, args: ListUes) -> Listing[UserSummary]:
    """List users with their cell, slice, state, signal, throughput and radio latency.

    Reads the last reporting interval of the KPI table `ue`.

    Errors: no_such_element for an unknown cell or slice.
    """
    kpis = view.now
    names = {}
    if args.cell is not None:
        names["cell"] = view.cell(args.cell)
    if args.slice is not None:
        names["slice"] = view.slice(args.slice)
    rows = in_scope(view, kpis, "ue", "ue", **names)
    if args.sort != "name":
        values = _sort_values(kpis, args.sort)[rows]
        values = -values if args.order == "descending" else values
        rows = rows[np.argsort(values, kind="stable")]
    elif args.order == "descending":
        rows = rows[::-1]
    found = [
        UserSummary(**{**row, "cell": seen(view, row["cell"]), "slice": seen(view, row["slice"])})
        for row in read(UserSummary, kpis, "ue", rows[: args.limit])
    ]
    return listing(found, args.limit, len(rows))


def _sort_values(kpis: Kpis, sort: str) -> NDArray[np.float64]:
    if sort in ("throughput", "latency"):
        unit = {"throughput": "mbps", "latency": "ms"}[sort]
        both = np.array([kpis.column("ue", f"{d}_{sort}_{unit}") for d in ("dl", "ul")])
        return np.asarray(np.fmax(*both) if sort == "latency" else both.sum(0))
    return kpis.column("ue", {"sinr": "dl_sinr_db", "rsrp": "rsrp_dbm"}[sort])


class ReadTelemetry(Arguments):
    """Of `read_telemetry`."""

    ue: str = Field(description="Name of the user, as in list_ues.")


class Point(Result):
    """Where a UAV is sent."""

    x_m: float
    y_m: float
    z_m: float
    speed_mps: float


class FlowState(Result):
    """One flow of a user in one direction, from end to end."""

    flow: str
    direction: str | None = None
    slice: str | None = None
    throughput_mbps: float | None = None
    latency_ms: float | None = None
    loss_pct: float | None = None
    within_budget_pct: float | None = None
    """Packets delivered within their delay budget."""


class ApplicationState(Result):
    """An edge application that the user has; measured over all its users."""

    application: str
    site: str | None
    """Where it is placed."""
    fraction: float
    """Share of jobs that are offloaded."""
    latency_ms: float | None = None
    """Mean time from a job to its result."""
    within_deadline_pct: float | None = None


class Telemetry(Result):
    """What a user reports of itself."""

    ue: str
    group: str
    """Of users that are alike."""
    mobility: str
    """static, random_walk, vehicle or uav."""
    state: str | None = None
    """connected, preparing (a handover), handover or lost."""
    cell: str | None = None
    """That serves it."""
    x_m: float | None = None
    y_m: float | None = None
    z_m: float | None = None
    """Height above ground: the altitude of a UAV."""
    speed_mps: float | None = None
    vx_mps: float | None = None
    """Mean velocity over the last interval."""
    vy_mps: float | None = None
    vz_mps: float | None = None
    battery_pct: float | None = None
    """Of UAVs."""
    waypoint: Point | None = None
    """Where the last order sends a UAV; before any, the start of its mission."""
    flows: list[FlowState]
    applications: list[ApplicationState]


@tool("observation")
def read_telemetry(view: View, args: ReadTelemetry) -> Telemetry:
    """Read what a user reports: position, velocity, battery, serving cell, flows, applications.

    Velocity is the change of position over the last reporting interval. Battery and waypoint are
    null for all but UAVs.

    Errors: no_such_element.
    """
    ue = view.ue(args.ue)
    kpis = view.now
    group = view.group_of[ue]
    now = read_one(Telemetry, kpis, "ue", ue=ue)
    now |= {"ue": ue, "cell": seen(view, now.get("cell"))}
    waypoint = view.controls.ues[ue].waypoint
    flows = read(FlowState, kpis, "flow", kpis.where("flow", ue=ue))
    applications = [a.name for a in view.scenario.applications(group) if view.scope.has(a.name)]
    return Telemetry(
        **now,
        **_velocity(view, ue),
        group=group.name,
        mobility=group.mobility.kind,
        waypoint=Point(**waypoint.model_dump()) if waypoint else None,
        flows=[FlowState(**{**f, "slice": seen(view, f["slice"])}) for f in flows],
        applications=[_application(view, name) for name in applications],
    )


def _application(view: View, name: str) -> ApplicationState:
    control = view.controls.applications[name]
    measured = read_one(ApplicationState, view.now, "application", application=name)
    return ApplicationState(
        **{
            **measured,
            "application": name,
            "site": seen(view, control.site),
            "fraction": control.fraction,
        }
    )


def _velocity(view: View, ue: str) -> dict[str, float | None]:
    if view.interval < 2:
        return {}
    now, before = (k.where("ue", ue=ue) for k in (view.now, view.history[-2]))
    if not len(now) or not len(before):
        return {}
    seconds = view.scenario.interval_ms * 1e-3
    found = {}
    for axis in "xyz":
        here = view.now.column("ue", f"{axis}_m")[now[0]]
        there = view.history[-2].column("ue", f"{axis}_m")[before[0]]
        found[f"v{axis}_mps"] = rounded((here - there) / seconds)
    return found
