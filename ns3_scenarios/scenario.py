# SPDX-License-Identifier: Apache-2.0
"""What exists in a simulated network: `ScenarioConfig` and its parts.

A scenario is fixed for an episode. What may change while it runs is a `ControlState`
(`ns3_scenarios.controls`). Units stand in the names. Nothing here needs ns-3.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION: Final = 1

Numerology = Annotated[int, Field(ge=0, le=6)]
Percent = Annotated[float, Field(ge=0, le=100)]
McsTable = Literal["qam64", "qam256", "qam1024"]
SchedulerPolicy = Literal["round_robin", "proportional_fair", "max_ci", "qos"]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)]

#: Resource blocks by subcarrier spacing (kHz) and bandwidth (MHz): TS 38.101-1 Table 5.3.2-1 (FR1)
#: and TS 38.101-2 Table 5.3.2-1 (FR2).
STANDARD_N_RB: dict[str, dict[int, dict[float, int]]] = {
    "FR1": {
        15: {5: 25, 10: 52, 15: 79, 20: 106, 25: 133, 30: 160, 35: 188, 40: 216, 45: 242, 50: 270},
        30: {
            5: 11, 10: 24, 15: 38, 20: 51, 25: 65, 30: 78, 35: 92, 40: 106, 45: 119, 50: 133,
            60: 162, 70: 189, 80: 217, 90: 245, 100: 273,
        },
        60: {
            10: 11, 15: 18, 20: 24, 25: 31, 30: 38, 35: 44, 40: 51, 45: 58, 50: 65,
            60: 79, 70: 93, 80: 107, 90: 121, 100: 135,
        },
    },
    "FR2": {
        60: {50: 66, 100: 132, 200: 264},
        120: {50: 32, 100: 66, 200: 132, 400: 264},
    },
}  # fmt: skip

#: Smallest carrier that still holds one resource block.
MIN_RESOURCE_BLOCKS = 1


def resource_blocks(frequency_ghz: float, bandwidth_mhz: float, numerology: int) -> int:
    """Resource blocks in a carrier.

    The tables of TS 38.101-1 and -2 (5.3.2-1) where they list the combination, else 96 % of the
    bandwidth: floor(0.96 B / (12 SCS)).
    """
    scs_khz = 15 * 2**numerology
    band = "FR1" if frequency_ghz <= 7.125 else "FR2"
    listed = STANDARD_N_RB[band].get(scs_khz, {}).get(bandwidth_mhz)
    return listed if listed else math.floor(0.96 * bandwidth_mhz * 1e3 / (12 * scs_khz))


class Model(BaseModel):
    """Base of all configuration: immutable, and strict about names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Carrier(Model):
    """One component carrier. Every sector of every site transmits on every carrier."""

    frequency_ghz: float = Field(ge=0.5, le=100, description="Centre frequency (TR 38.901 range).")
    bandwidth_mhz: float = Field(ge=5, le=2000, description="Channel bandwidth.")
    numerology: Numerology = Field(description="Subcarrier spacing is 15 kHz times 2**numerology.")
    duplex: Literal["FDD", "TDD"] = "TDD"
    tdd_pattern: str = Field(
        default="DDDSU",
        pattern=r"^[DSUF]{1,20}$",
        description="Slots of the TDD period: D downlink, S special (12 downlink data symbols), "
        "U uplink, F either way by demand (12 data symbols). Unused in FDD.",
    )
    n_rb: int | None = Field(
        default=None, ge=1, le=3300, description="Resource blocks; by default TS 38.101 5.3.2."
    )
    rbg_size_rb: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Resource blocks per group; by default TS 38.214 Table 5.1.2.2.1-1, "
        "configuration 1.",
    )
    tx_power_dbm: float = Field(
        default=30.0, ge=-30, le=60, description="Power of a cell over the whole carrier."
    )

    @property
    def resource_blocks(self) -> int:
        """Resource blocks in this carrier."""
        return self.n_rb or resource_blocks(self.frequency_ghz, self.bandwidth_mhz, self.numerology)

    @model_validator(mode="after")
    def _holds_a_resource_block(self) -> Self:
        if self.resource_blocks < MIN_RESOURCE_BLOCKS:
            raise ValueError(
                f"bandwidth_mhz={self.bandwidth_mhz:g} holds no resource block at numerology "
                f"{self.numerology}; at least {0.18 * 2**self.numerology / 0.96:.1f} MHz is needed"
            )
        occupied_mhz = self.resource_blocks * 0.18 * 2**self.numerology
        if occupied_mhz > self.bandwidth_mhz:
            raise ValueError(
                f"n_rb={self.n_rb} needs {occupied_mhz:g} MHz at numerology {self.numerology}, "
                f"more than bandwidth_mhz={self.bandwidth_mhz:g}"
            )
        if self.duplex == "TDD" and not set(self.tdd_pattern) & set("DSF"):
            raise ValueError(f"tdd_pattern={self.tdd_pattern!r} has no downlink slot (D, S or F)")
        return self


class Position(Model):
    """A point; z is height above ground."""

    x_m: float = Field(ge=-1e5, le=1e5)
    y_m: float = Field(ge=-1e5, le=1e5)
    z_m: float | None = Field(default=None, ge=0.5, le=1e4, description="By default the layout's.")


class Layout(Model):
    """Where the sites are and which way their sectors look."""

    kind: Literal["hexagonal", "indoor", "free"] = Field(
        description="hexagonal: rings of sites around the origin, no wrap-around; indoor: two rows "
        "of ceiling sites (TR 38.901 Table 7.2-2); free: `sites` says where."
    )
    n_sites: int = Field(default=1, ge=1, le=400)
    n_sectors: Literal[1, 3] = Field(default=3, description="Sectors (cells) per site and carrier.")
    isd_m: float = Field(default=200, gt=0, le=1e5, description="Distance between sites.")
    site_height_m: float = Field(default=10, ge=1, le=1000)
    sites: tuple[Position, ...] = Field(default=(), description="Of a free layout.")

    @model_validator(mode="after")
    def _sites_only_when_free(self) -> Self:
        if self.kind == "free":
            if not self.sites:
                raise ValueError("a free layout needs `sites`")
            object.__setattr__(self, "n_sites", len(self.sites))
        elif self.sites:
            raise ValueError(f"`sites` belongs to a free layout, not to {self.kind!r}")
        return self


class Propagation(Model):
    """Which of ns-3's TR 38.901 models carries the signal."""

    environment: Literal["UMi", "UMa", "RMa", "InH-Open", "InH-Mixed"]
    line_of_sight: Literal["probabilistic", "always", "never"] = "probabilistic"
    shadowing: bool = True
    fading: bool = Field(
        default=False, description="Clustered fast fading (ThreeGppChannelModel) on strong links."
    )
    fading_update_ms: float = Field(
        default=20, ge=1, le=10_000, description="How often fading is drawn anew from its model."
    )


class Antenna(Model):
    """A uniform planar array; one element and isotropic is a plain antenna of 0 dBi."""

    element: Literal["isotropic", "3gpp"] = "isotropic"
    rows: int = Field(default=1, ge=1, le=64)
    columns: int = Field(default=1, ge=1, le=64)
    tilt_deg: float = Field(default=0, ge=-90, le=90, description="Mechanical down-tilt.")

    @property
    def n_elements(self) -> int:
        """Elements in the array."""
        return self.rows * self.columns


class Radio(Model):
    """How the cells transmit: link adaptation, HARQ, scheduling and queues."""

    mcs_table: McsTable = "qam256"
    outer_loop: bool = Field(
        default=True,
        description="Outer-loop link adaptation; without it the MCS is that of the reported CQI.",
    )
    target_bler: float = Field(default=0.1, ge=0.001, le=0.5, description="First transmission.")
    repetition_gain: bool = Field(
        default=True, description="Code rates below the LDPC mother rate gain from repetition."
    )
    harq_max_retx: int = Field(default=3, ge=0, le=8)
    scheduler: SchedulerPolicy = "proportional_fair"
    multiplexing: Literal["ofdma", "tdma"] = Field(
        default="ofdma", description="What is shared in a slot: resource-block groups or symbols."
    )
    restart_round_robin: bool = Field(
        default=False, description="Round robin starts every slot at the first user."
    )
    dl_queue_kb: float = Field(default=300, ge=1.5, le=1e6, description="RLC queue (1000 bytes).")
    ul_queue_kb: float = Field(default=300, ge=1.5, le=1e6, description="RLC queue (1000 bytes).")
    queue_discipline: Literal["drop_tail", "codel"] = "drop_tail"
    preparation_slots: int = Field(
        default=2, ge=0, le=8, description="From the scheduler's decision to the air."
    )
    harq_rtt_slots: int = Field(
        default=6, ge=2, le=32, description="From a transmission to its earliest repetition."
    )
    ul_grant_slots: int = Field(
        default=4,
        ge=0,
        le=32,
        description="From an uplink arrival to its scheduling request heard.",
    )
    decode_ms: float = Field(default=0.1, ge=0, le=5, description="Decoding time of a receiver.")
    cqi_period_ms: float = Field(default=5, ge=0.5, le=320)
    noise_figure_gnb_db: float = Field(default=5, ge=0, le=30)
    noise_figure_ue_db: float = Field(default=9, ge=0, le=30)
    ue_max_power_dbm: float = Field(default=23, ge=-10, le=40)
    ul_p0_dbm: float = Field(
        default=-80,
        ge=-202,
        le=24,
        description="Target per resource block of 180 kHz (38.213 7.1).",
    )
    ul_alpha: float = Field(default=0.8, ge=0, le=1, description="Path loss compensation.")


class Slice(Model):
    """A network slice and its share of every cell (RRMPolicyRatio, TS 28.541 4.3.36)."""

    name: Identifier
    five_qi: int = Field(default=9, ge=1, le=255, description="5QI, TS 23.501 Table 5.7.4-1.")
    delay_budget_ms: float = Field(default=300, gt=0, le=10_000)
    guaranteed_mbps: float = Field(default=0, ge=0, le=1e5, description="Per user, downlink.")
    dedicated_pct: Percent = Field(default=0, description="Kept for this slice even when unused.")
    min_pct: Percent = Field(default=0, description="Guaranteed when needed.")
    max_pct: Percent = 100

    @model_validator(mode="after")
    def _ratios_are_ordered(self) -> Self:
        if not self.dedicated_pct <= self.min_pct <= self.max_pct:
            raise ValueError(
                f"slice {self.name!r} needs dedicated_pct <= min_pct <= max_pct, got "
                f"{self.dedicated_pct:g}, {self.min_pct:g}, {self.max_pct:g}"
            )
        return self


class _Traffic(Model):
    direction: Literal["downlink", "uplink"] = "downlink"
    start_ms: float = Field(default=0, ge=0, description="Start; a random fraction is added.")


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
    """A TCP transfer without end (ns-3 BulkSendApplication)."""

    kind: Literal["tcp_bulk"]


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


class Mobility(Model):
    """How the users of a group move (ns-3 mobility models)."""

    kind: Literal["static", "random_walk"] = "static"
    speed_mps: float = Field(default=0.83, gt=0, le=150, description="Of a random walk (3 km/h).")


class UserGroup(Model):
    """Users that are alike: same slice, place, movement and traffic."""

    name: Identifier
    count: int = Field(default=1, ge=1, le=20_000, description="In all, or per cell (per_cell).")
    slice: Identifier
    placement: Placement
    height_m: float = Field(default=1.5, ge=1, le=300)
    mobility: Mobility = Mobility()
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

    @model_validator(mode="after")
    def _points_are_counted(self) -> Self:
        if self.placement.kind == "points":
            object.__setattr__(self, "count", len(self.placement.points))
        return self


class ScenarioConfig(Model):
    """A network: layout, carriers, antennas, slices, users and their traffic."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: Identifier
    description: str = Field(min_length=1, description="One sentence: what the scenario is for.")
    duration_s: float = Field(default=4, gt=0, le=86_400, description="Simulated time of a run.")
    interval_ms: float = Field(
        default=200, ge=10, le=60_000, description="Reporting interval: one row per table element."
    )
    layout: Layout
    propagation: Propagation
    carriers: tuple[Carrier, ...] = Field(min_length=1, max_length=8)
    gnb_antenna: Antenna = Antenna()
    ue_antenna: Antenna = Antenna()
    radio: Radio = Radio()
    slices: tuple[Slice, ...] = Field(min_length=1, max_length=16)
    users: tuple[UserGroup, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _propagation_is_defined(self) -> Self:
        limit_ghz = 30
        for index, carrier in enumerate(self.carriers):
            if self.propagation.environment == "RMa" and carrier.frequency_ghz > limit_ghz:
                raise ValueError(
                    f"carriers.{index}.frequency_ghz={carrier.frequency_ghz:g} is above the "
                    f"{limit_ghz} GHz to which TR 38.901 Table 7.4.1-1 defines RMa"
                )
        return self

    @model_validator(mode="after")
    def _refers_to_what_exists(self) -> Self:
        names = [s.name for s in self.slices]
        groups = [g.name for g in self.users]
        for kind, seen in (("slices", names), ("users", groups)):
            twice = {name for name in seen if seen.count(name) > 1}
            if twice:
                raise ValueError(f"{kind} names {sorted(twice)[0]!r} more than once")
        for group in self.users:
            if group.slice not in names:
                raise ValueError(
                    f"users group {group.name!r} is in slice {group.slice!r}, which is not one of "
                    f"{', '.join(names)}"
                )
        for field in ("dedicated_pct", "min_pct"):
            total = sum(getattr(s, field) for s in self.slices)
            if total > 100 + 1e-9:
                raise ValueError(f"{field} of all slices adds up to {total:g}, more than 100")
        ratio = self.duration_s * 1e3 / self.interval_ms
        if abs(ratio - round(ratio)) > 1e-6 or round(ratio) < 1:
            raise ValueError(
                f"duration_s={self.duration_s:g} must be a whole number of intervals of "
                f"interval_ms={self.interval_ms:g}"
            )
        return self

    @property
    def n_intervals(self) -> int:
        """Reporting intervals in a run."""
        return round(self.duration_s * 1e3 / self.interval_ms)

    @property
    def n_cells(self) -> int:
        """Cells: one per site, sector and carrier."""
        return self.layout.n_sites * self.layout.n_sectors * len(self.carriers)

    @property
    def n_users(self) -> int:
        """Users of all groups."""
        sectors = self.layout.n_sites * self.layout.n_sectors
        return sum(g.count * (sectors if g.placement.kind == "per_cell" else 1) for g in self.users)

    @property
    def cell_ids(self) -> tuple[str, ...]:
        """Names of the cells, `c0` upward: site by site, sector by sector, carrier by carrier."""
        return tuple(f"c{i}" for i in range(self.n_cells))

    def cell_carrier(self, cell: str) -> Carrier:
        """The carrier on which a cell transmits."""
        return self.carriers[self.cell_ids.index(cell) % len(self.carriers)]

    def canonical_json(self) -> str:
        """The scenario as JSON in which equal scenarios are equal text."""
        return canonical_json(self.model_dump(mode="json"))

    def config_hash(self) -> str:
        """First 16 hex digits of the SHA-256 of `canonical_json`."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()[:16]


def canonical_json(value: Any) -> str:
    """JSON in which equal values are equal text: sorted keys, and 25 for 25.0."""
    return json.dumps(_numbers_alike(value), sort_keys=True, separators=(",", ":"))


def _numbers_alike(value: Any) -> Any:
    """25 and 25.0 are the same value, so they must be the same text."""
    if isinstance(value, dict):
        return {k: _numbers_alike(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers_alike(v) for v in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
