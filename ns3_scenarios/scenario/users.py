# SPDX-License-Identifier: Apache-2.0
"""The users of a scenario: slices, traffic, where they stand and how they move."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ns3_scenarios.scenario.base import Identifier, Model, Percent, Position

#: Packet delay budget of the standardised 5QI, ms: TS 23.501 Table 5.7.4-1.
DELAY_BUDGET_MS: dict[int, float] = {
    1: 100, 2: 150, 3: 50, 4: 300, 65: 75, 66: 100, 67: 100, 71: 150, 72: 300, 73: 300, 74: 500,
    76: 500, 5: 100, 6: 300, 7: 100, 8: 300, 9: 300, 69: 60, 70: 200, 79: 50, 80: 10, 82: 10,
    83: 10, 84: 30, 85: 5, 86: 5, 87: 5, 88: 10, 89: 15, 90: 20,
}  # fmt: skip


FiveQi = Annotated[int, Field(ge=1, le=255, description="5QI, TS 23.501 Table 5.7.4-1.")]


def _is_standardised(five_qi: int) -> int:
    if five_qi not in DELAY_BUDGET_MS:
        known = ", ".join(map(str, sorted(DELAY_BUDGET_MS)))
        raise ValueError(f"five_qi={five_qi} is not a standardised one ({known})")
    return five_qi


OwnFiveQi = Annotated[FiveQi, AfterValidator(_is_standardised)]


class Qos(Model):
    """What a flow is promised."""

    five_qi: FiveQi = 9
    delay_budget_ms: float = Field(gt=0, le=10_000)
    guaranteed_mbps: float = Field(default=0, ge=0, le=1e5)


class Slice(Model):
    """A network slice and its share of every cell (RRMPolicyRatio, TS 28.541 4.3.36)."""

    name: Identifier
    five_qi: FiveQi = 9
    delay_budget_ms: float | None = Field(
        default=None, gt=0, le=10_000, description="By default that of the 5QI."
    )
    guaranteed_mbps: float = Field(default=0, ge=0, le=1e5, description="Per flow, downlink.")
    dedicated_pct: Percent = Field(default=0, description="Kept for this slice even when unused.")
    min_pct: Percent = Field(default=0, description="Guaranteed when needed.")
    max_pct: Percent = 100

    @property
    def qos(self) -> Qos:
        """What the slice promises to flows that say nothing of their own."""
        budget_ms = self.delay_budget_ms or DELAY_BUDGET_MS[self.five_qi]
        return Qos(
            five_qi=self.five_qi,
            delay_budget_ms=budget_ms,
            guaranteed_mbps=self.guaranteed_mbps,
        )

    @model_validator(mode="after")
    def _has_a_budget(self) -> Self:
        if self.delay_budget_ms is None:
            try:
                _is_standardised(self.five_qi)
            except ValueError as error:
                raise ValueError(f"slice {self.name!r}: {error}; give delay_budget_ms") from None
        return self

    @model_validator(mode="after")
    def _ratios_are_ordered(self) -> Self:
        if not self.dedicated_pct <= self.min_pct <= self.max_pct:
            raise ValueError(
                f"slice {self.name!r} needs dedicated_pct <= min_pct <= max_pct, got "
                f"{self.dedicated_pct:g}, {self.min_pct:g}, {self.max_pct:g}"
            )
        return self


class Degradable(Model):
    """What an application does when its slice is degraded gracefully."""

    essential: bool = Field(default=False, description="Goes on when all others must stop.")
    reduced_pct: float = Field(
        default=50, gt=0, le=100, description="Rate under `reduce_rate` and `essential_only`."
    )


class _Traffic(Degradable):
    direction: Literal["downlink", "uplink"] = "downlink"
    start_ms: float = Field(default=0, ge=0, description="Start; a random fraction is added.")
    five_qi: OwnFiveQi | None = Field(default=None, description="By default the slice's.")


#: Packets a second of one source; more is better asked of `full_buffer`.
MAX_PACKETS_PER_S = 1e6


def _check_packet_rate(rate_mbps: float, packet_bytes: int) -> None:
    packets_per_s = rate_mbps * 1e6 / 8 / packet_bytes
    if packets_per_s > MAX_PACKETS_PER_S:
        raise ValueError(
            f"rate_mbps={rate_mbps:g} in packets of packet_bytes={packet_bytes} is "
            f"{packets_per_s:.2g} packets a second, more than {MAX_PACKETS_PER_S:g}; larger "
            "packets or full_buffer traffic carry as much"
        )


class FullBuffer(_Traffic):
    """Always something to send; no packets are made, only bits counted."""

    kind: Literal["full_buffer"]
    full_mbps: float = Field(
        default=100, ge=1e-3, le=1e5, description="Taken for its full rate when it is degraded."
    )


class ConstantBitRate(_Traffic):
    """UDP datagrams at a constant rate (ns-3 UdpClient)."""

    kind: Literal["cbr"]
    rate_mbps: float = Field(ge=1e-3, le=1e5)
    packet_bytes: int = Field(default=1400, ge=12, le=1400, description="UDP payload.")

    @model_validator(mode="after")
    def _packets_are_not_too_many(self) -> Self:
        _check_packet_rate(self.rate_mbps, self.packet_bytes)
        return self


class Bursty(_Traffic):
    """UDP in exponential on and off times (ns-3 OnOffApplication)."""

    kind: Literal["bursty"]
    rate_mbps: float = Field(ge=1e-3, le=1e5, description="While on.")
    packet_bytes: int = Field(default=1400, ge=12, le=1400)
    on_ms: float = Field(default=100, ge=0.1, le=1e6)
    off_ms: float = Field(default=100, ge=0.1, le=1e6)

    @model_validator(mode="after")
    def _packets_are_not_too_many(self) -> Self:
        _check_packet_rate(self.rate_mbps, self.packet_bytes)
        return self


class TcpBulk(_Traffic):
    """A TCP transfer without end."""

    kind: Literal["tcp_bulk"]
    full_mbps: float = Field(
        default=100, ge=1e-3, le=1e5, description="Taken for its full rate when it is degraded."
    )


class Http(_Traffic):
    """Web pages after the 3GPP model (ns-3 ThreeGppHttpClient and Server)."""

    kind: Literal["http"]
    direction: Literal["downlink"] = "downlink"


class Xr(_Traffic):
    """Video frames at a frame rate with random size and jitter (TR 38.838 5.1)."""

    kind: Literal["xr"]
    rate_mbps: float = Field(default=30, ge=1e-3, le=1e4, description="Mean rate.")
    frame_rate_hz: float = Field(default=60, ge=1, le=240)


class MachineType(_Traffic):
    """Small sporadic reports with exponential gaps."""

    kind: Literal["mtc"]
    direction: Literal["downlink", "uplink"] = "uplink"
    packet_bytes: int = Field(default=200, ge=12, le=1400)
    mean_gap_ms: float = Field(default=1000, ge=0.1, le=1e8)


class ControlLoop(_Traffic):
    """A periodic small packet with a deadline, as in motion control (TS 22.104 Table 5.2-1)."""

    kind: Literal["control_loop"]
    packet_bytes: int = Field(default=64, ge=12, le=1400)
    period_ms: float = Field(default=10, ge=0.1, le=1e6)


Traffic = Annotated[
    FullBuffer | ConstantBitRate | Bursty | TcpBulk | Http | Xr | MachineType | ControlLoop,
    Field(discriminator="kind"),
]


class Placement(Model):
    """Where the users of a group stand at the start."""

    kind: Literal["per_cell", "disc", "box", "points"] = Field(
        description="per_cell: `count` in each sector's area; disc: around the origin; box: a "
        "rectangle around the origin; points: as listed."
    )
    min_radius_m: float = Field(default=10, ge=0, description="From the site or the origin.")
    radius_m: float = Field(default=100, gt=0, le=1e5, description="Of per_cell and disc.")
    width_m: float = Field(default=100, gt=0, le=1e5, description="Of a box, along x.")
    depth_m: float = Field(default=100, gt=0, le=1e5, description="Of a box, along y.")
    points: tuple[Position, ...] = ()

    @model_validator(mode="after")
    def _radii_are_ordered(self) -> Self:
        if self.kind in ("per_cell", "disc") and self.min_radius_m >= self.radius_m:
            raise ValueError(
                f"min_radius_m={self.min_radius_m:g} must be less than radius_m={self.radius_m:g}"
            )
        if (self.kind == "points") != bool(self.points):
            raise ValueError("`points` goes with placement kind 'points', and only with it")
        return self


class Static(Model):
    """Stays where it is placed."""

    kind: Literal["static"] = "static"


class RandomWalk(Model):
    """A pedestrian, or a car in side streets (ns-3 RandomWalk2dMobilityModel)."""

    kind: Literal["random_walk"]
    speed_mps: float = Field(default=0.83, gt=0, le=150, description="3 km/h by default.")


class Vehicle(Model):
    """Drives along a straight road through the origin's surroundings and turns at its ends."""

    kind: Literal["vehicle"]
    speed_mps: float = Field(default=30, gt=0, le=150, description="Mean of the group.")
    speed_spread_pct: float = Field(default=10, ge=0, le=50, description="Even, either way.")
    heading_deg: float = Field(default=0, ge=-360, le=360, description="Of the road, from x.")
    road_length_m: float = Field(default=1000, gt=0, le=1e5, description="Centred at the origin.")


class Geofence(Model):
    """The box that UAVs must not leave."""

    x_min_m: float = Field(default=-1e5, ge=-1e5, le=1e5)
    x_max_m: float = Field(default=1e5, ge=-1e5, le=1e5)
    y_min_m: float = Field(default=-1e5, ge=-1e5, le=1e5)
    y_max_m: float = Field(default=1e5, ge=-1e5, le=1e5)
    z_min_m: float = Field(default=1.5, ge=1, le=300)
    z_max_m: float = Field(default=120, ge=1, le=300)

    @model_validator(mode="after")
    def _sides_are_ordered(self) -> Self:
        for axis in "xyz":
            low, high = getattr(self, f"{axis}_min_m"), getattr(self, f"{axis}_max_m")
            if low >= high:
                raise ValueError(f"{axis}_min_m={low:g} must be less than {axis}_max_m={high:g}")
        return self

    def holds(self, x_m: float, y_m: float, z_m: float) -> bool:
        """Whether a point is inside."""
        return (
            self.x_min_m <= x_m <= self.x_max_m
            and self.y_min_m <= y_m <= self.y_max_m
            and self.z_min_m <= z_m <= self.z_max_m
        )


class Uav(Model):
    """Flies a mission from waypoint to waypoint on a battery."""

    kind: Literal["uav"]
    speed_mps: float = Field(default=10, ge=0.1, le=40)
    waypoints: tuple[Position, ...] = Field(
        default=(), description="The mission; each UAV of a group begins with another of them."
    )
    repeat: bool = Field(default=True, description="Fly the mission again and again, or hover.")
    geofence: Geofence = Geofence()
    battery_wh: float = Field(default=90, gt=0, le=1e5)
    battery_pct: Percent = Field(default=100, description="At the start.")
    low_battery_pct: Percent = Field(default=20, description="An alarm is raised below it.")

    @model_validator(mode="after")
    def _mission_is_inside_the_fence(self) -> Self:
        for index, point in enumerate(self.waypoints):
            if point.z_m is None:
                raise ValueError(f"waypoints.{index}.z_m is missing")
            if not self.geofence.holds(point.x_m, point.y_m, point.z_m):
                raise ValueError(f"waypoints.{index} lies outside the geofence")
        return self


Mobility = Annotated[Static | RandomWalk | Vehicle | Uav, Field(discriminator="kind")]


class UserGroup(Model):
    """Users that are alike: same slice, place, movement and traffic."""

    name: Identifier
    count: int = Field(default=1, ge=1, le=20_000, description="In all, or per cell (per_cell).")
    slice: Identifier
    placement: Placement
    height_m: float = Field(default=1.5, ge=1, le=300)
    mobility: Mobility = Static()
    traffic: tuple[Traffic, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _full_buffer_is_alone(self) -> Self:
        full = {t.direction for t in self.traffic if t.kind == "full_buffer"}
        for item in self.traffic:
            two_way = item.kind in ("tcp_bulk", "http")
            if item.kind != "full_buffer" and (item.direction in full or (full and two_way)):
                raise ValueError(
                    f"users group {self.name!r} has full_buffer and {item.kind} traffic in one "
                    "direction; give them groups of their own"
                )
        return self

    @property
    def flow_names(self) -> tuple[str, ...]:
        """Names of the flows of one user: kind and place of each item of `traffic`."""
        return tuple(f"{item.kind}{index}" for index, item in enumerate(self.traffic))

    @model_validator(mode="after")
    def _uavs_start_inside_the_fence(self) -> Self:
        if self.mobility.kind == "uav":
            fence = self.mobility.geofence
            if not fence.z_min_m <= self.height_m <= fence.z_max_m:
                raise ValueError(
                    f"height_m={self.height_m:g} lies outside the geofence, "
                    f"{fence.z_min_m:g} to {fence.z_max_m:g} m"
                )
        return self

    @model_validator(mode="after")
    def _points_are_counted(self) -> Self:
        if self.placement.kind == "points":
            object.__setattr__(self, "count", len(self.placement.points))
        return self
