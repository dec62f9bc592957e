# SPDX-License-Identifier: Apache-2.0
"""The radio network of a scenario: sites, carriers, antennas, propagation, cells."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ns3_scenarios.scenario.base import (
    McsTable,
    Model,
    Numerology,
    Percent,
    Position,
    SchedulerPolicy,
    SleepMode,
)

A3Offset = Annotated[float, Field(ge=-15, le=15, description="a3-Offset, TS 38.331 6.3.2.")]
Hysteresis = Annotated[float, Field(ge=0, le=15, description="Hysteresis, TS 38.331 6.3.2.")]
TimeToTrigger = Annotated[float, Field(ge=0, le=5120, description="TimeToTrigger, TS 38.331.")]

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


class Handover(Model):
    """Measurements, handover (TS 38.331 5.5.3, 5.5.4.4) and radio link failure."""

    enabled: bool = Field(
        default=True, description="Without it users stay with the cell that was best at the start."
    )
    a3_offset_db: A3Offset = 2
    hysteresis_db: Hysteresis = 1
    ttt_ms: TimeToTrigger = 160
    measurement_period_ms: float = Field(
        default=40, ge=10, le=1000, description="Between the samples that layer 3 filters."
    )
    filter_coefficient: float = Field(
        default=4, ge=0, le=19, description="k of layer-3 filtering: a = 1 / 2**(k / 4)."
    )
    measurement_error_db: float = Field(
        default=1.2, ge=0, le=10, description="Standard deviation of a sample (TR 36.839)."
    )
    preparation_ms: float = Field(
        default=20, ge=0, le=1000, description="From the report to the command."
    )
    interruption_ms: float = Field(
        default=30, ge=0, le=1000, description="From the command to service by the target."
    )
    ping_pong_ms: float = Field(
        default=1000, ge=0, le=60_000, description="A return within this time is a ping-pong."
    )
    q_out_db: float = Field(default=-8, ge=-30, le=20, description="Out of sync below this SINR.")
    q_in_db: float = Field(default=-6, ge=-30, le=20, description="In sync above this SINR.")
    t310_ms: float = Field(
        default=1000, ge=0, le=6000, description="Out of sync for so long is a radio link failure."
    )
    reestablishment_ms: float = Field(
        default=150, ge=0, le=30_000, description="From the failure to service by the best cell."
    )
    min_rsrp_dbm: float = Field(
        default=-125, ge=-156, le=-31, description="Weaker cells cannot be used (Qrxlevmin)."
    )

    @model_validator(mode="after")
    def _thresholds_are_ordered(self) -> Self:
        if self.q_out_db > self.q_in_db:
            raise ValueError(f"q_out_db={self.q_out_db:g} must not exceed q_in_db={self.q_in_db:g}")
        return self


class Energy(Model):
    """Power of a base station (TR 38.864 Table 5.1-1: power states, relative to deep sleep)."""

    category: Literal[1, 2] = Field(default=1, description="Base station category of TR 38.864.")
    unit_w: float = Field(
        default=3, gt=0, le=1000, description="Watts of the relative power 1, for each cell."
    )
    sleep_mode: SleepMode = Field(default="on", description="Of all cells at the start.")
    wake_prb_pct: Percent = Field(
        default=10, description="A sleeping cell wakes when this much load waits for it."
    )
    sleep_after_ms: float = Field(
        default=10, ge=0, le=60_000, description="Idle time before light sleep."
    )


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
    handover: Handover = Handover()
    energy: Energy = Energy()
