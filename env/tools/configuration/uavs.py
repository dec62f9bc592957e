# SPDX-License-Identifier: Apache-2.0
"""The tool that steers UAVs."""

from __future__ import annotations

from pydantic import Field

from env.errors import ToolError
from env.tools.base import Arguments, Proposal, tool
from env.tools.configuration.changing import changes
from env.view import View
from ns3_scenarios.controls import Coordinate, FlightHeight, FlightSpeed


class SetWaypoint(Arguments):
    """Of `set_waypoint`."""

    ue: str = Field(description="Name of the UAV.")
    x_m: Coordinate = Field(description="Where it is to hover, in metres.")
    y_m: Coordinate = Field(description="Where it is to hover, in metres.")
    z_m: FlightHeight = Field(description="Height above ground, in metres.")
    speed_mps: FlightSpeed | None = Field(
        default=None, description="On the way there, in m/s; by default as it is."
    )


@tool("configuration")
def set_waypoint(view: View, args: SetWaypoint) -> Proposal:
    """Send a UAV straight to a point, to hover there.

    It leaves its mission for good, so that this cannot be undone; a later call sends it elsewhere.
    Heights are those of TR 36.777, up to 300 m; the scenario's geofence is narrower.

    Errors: no_such_element where the user does not fly; not_allowed outside its geofence, or where
    point and speed are those of the mission that it flies, which would leave it on its mission.
    """
    ue = view.uav(args.ue)
    at = f"ues.{ue}.waypoint"
    found = changes(at, x_m=args.x_m, y_m=args.y_m, z_m=args.z_m, speed_mps=args.speed_mps)
    sent = any(s.path.startswith(f"{at}.") for c in view.changes for s in c.settings)
    if not sent and all(view.controls.get(c.path) == c.value for c in found):
        raise ToolError(
            "not_allowed",
            f"x_m={args.x_m:g}, y_m={args.y_m:g}, z_m={args.z_m:g} is the first point of the "
            f"mission that {ue} flies; another point, or another speed_mps, is allowed",
            argument="x_m",
            value=args.x_m,
        )
    return Proposal(found, reversible=False)
