# SPDX-License-Identifier: Apache-2.0
"""From a row of reference figures to the scenarios that reproduce its configuration.

The project's model is set up as the reference is: link adaptation by CQI alone, no gain from
repetition, the same frames, queues and delays. `with_default_adaptation` gives the same scenario
with the project's own link adaptation. Nothing here simulates or compares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from ns3_scenarios.errors import UserError
from ns3_scenarios.scenario import (
    Antenna,
    Carrier,
    ConstantBitRate,
    FullBuffer,
    Handover,
    Layout,
    Placement,
    Position,
    Propagation,
    Radio,
    ScenarioConfig,
    Slice,
    UserGroup,
)
from ns3_scenarios.validation.rows import Configuration, ReferenceRow, ReferenceUser

GNB_POWER_DBM = 30.0
LEAST_POWER_DBM = -30.0
SITE_HEIGHT_M = 10.0
TRIANGLE_ISD_M = 200.0
TRIANGLE_AZIMUTHS_DEG = (90.0, 210.0, 330.0)
CELL_RADIUS_M = 115.0
USERS_FREQUENCY_GHZ = 3.5
"""Of the user files, which have no column for it."""
SMALL_PACKET_BYTES = 100
SMALL_PACKET_GAP_MS = 10.7331
PAYLOAD_BYTES = 1400
DATA_SYMBOLS = 13
DRAWN_RUNS = 8
"""Runs at drawn positions where the reference's own positions are not known."""

IP_HEADER_BYTES = 28
"""IPv4 and UDP, counted in delivered bits but not in goodput."""


@dataclass(frozen=True)
class Span:
    """How long a run is and which part of it counts."""

    interval_ms: float
    n_intervals: int
    n_skipped: int

    @property
    def duration_s(self) -> float:
        """Simulated time in all."""
        return self.interval_ms * self.n_intervals / 1e3


SPANS = {
    "a": Span(200, 5, 1),
    "b": Span(200, 5, 1),
    "c": Span(200, 8, 2),
    "d2": Span(4000, 1, 0),
    "e": Span(500, 5, 1),
    "h": Span(400, 3, 1),
    "la": Span(200, 6, 1),
}


@dataclass(frozen=True)
class Run:
    """One simulation of a row."""

    scenario: ScenarioConfig
    seed: int
    n_skipped: int
    """Intervals at the start that do not count."""
    payload_share: float
    """UDP payload in a delivered bit."""
    known: bool
    """The users stand where those of the reference stood."""

    @property
    def counted_s(self) -> float:
        """Simulated time that counts."""
        return (self.scenario.n_intervals - self.n_skipped) * self.scenario.interval_ms / 1e3

    @property
    def noise_dbm(self) -> float:
        """Thermal noise of a user in one resource element."""
        spacing_hz = 15e3 * (1 << self.scenario.carriers[0].numerology)
        return -174 + 10 * math.log10(spacing_hz) + self.scenario.radio.noise_figure_ue_db


def runs_of_row(row: ReferenceRow, known: dict[int, tuple[Position, ...]]) -> list[tuple[Run, ...]]:
    """The simulations that together stand for a row: one set, or several of which one must agree.

    There are several only for TDMA round robin of one cell; see `round_robin_starts`.

    Args:
        row: the row.
        known: positions of the reference's users by seed, for a three-cell row.

    Raises:
        UserError: the row's values make no possible scenario.
    """
    if row.configuration.kind == "e":
        seeds = sorted(known)[: row.n_seeds]
        runs = [_run(row, in_cells(known[seed], 0), seed, known=True) for seed in seeds]
        if len(seeds) < row.n_seeds:
            for seed in range(1, DRAWN_RUNS + 1):
                positions = drawn_positions(row.configuration.users_per_cell, seed)
                runs.append(_run(row, in_cells(positions, 0), seed, known=False))
        return [tuple(runs)]
    positions = single_cell_positions(row)
    tdma = row.configuration.multiplexing == "tdma"
    starts = round_robin_starts(row.configuration, len(positions)) if tdma else range(1)
    return [
        tuple(
            _run(row, _rotated(positions, start), seed, known=True)
            for seed in range(1, row.n_seeds + 1)
        )
        for start in starts
    ]


def runs_of_users(users: list[ReferenceUser]) -> list[Run]:
    """The simulations of one seed of a three-cell run, one for each start of round robin.

    Raises:
        UserError: the values make no possible scenario.
    """
    first = users[0]
    configuration = first.configuration
    row = ReferenceRow(
        where=first.where,
        configuration=configuration,
        frequency_ghz=USERS_FREQUENCY_GHZ,
        n_cells=3,
        distance_m=None,
        n_rb=reference_resource_blocks(configuration),
        n_seeds=1,
        pathloss_db=None,
        snr_db=None,
        sinr_db=None,
        mcs=0,
        goodput_mbps=0,
        jain=None,
        delay_ms_mean=None,
        delay_ms_p95=None,
        ue_goodput={},
        ue_sinr={},
    )
    positions = positions_of(users)
    fullest = max(sum(nearest_site(p) == site for p in positions) for site in range(3))
    return [
        _run(row, in_cells(positions, start), first.seed, known=True)
        for start in round_robin_starts(configuration, fullest)
    ]


def round_robin_starts(configuration: Configuration, n_users: int) -> range:
    """Users at which round robin may start every slot.

    In the reference it starts every slot at the same user of a cell, so that what is left over
    after equal shares (symbols in TDMA, resource blocks in OFDMA) always goes to the same users,
    and in TDMA with more users than symbols the others starve. Which user that is the figures do
    not say; its rows show that the favoured users follow each other in the list. So every start is
    simulated, and the closest counts.
    """
    return range(n_users if configuration.scheduler == "round_robin" else 1)


def in_cells(positions: tuple[Position, ...], start: int) -> tuple[Position, ...]:
    """Users of three cells, cell by cell, each cell's list starting `start` users on."""
    cells: list[tuple[Position, ...]] = [
        tuple(p for p in positions if nearest_site(p) == site) for site in range(3)
    ]
    return tuple(p for cell in cells for p in _rotated(cell, start))


def nearest_site(position: Position) -> int:
    """Index of the site of the triangle that is nearest: the serving cell in line of sight."""
    distances = [
        math.hypot(position.x_m - site.x_m, position.y_m - site.y_m) for site in triangle()
    ]
    return distances.index(min(distances))


def with_default_adaptation(scenario: ScenarioConfig) -> ScenarioConfig:
    """The same scenario with the project's own link adaptation."""
    radio = scenario.radio.model_copy(
        update={
            "outer_loop": True,
            "repetition_gain": True,
            "harq_max_retx": Radio().harq_max_retx,
            "restart_round_robin": False,
        }
    )
    return scenario.model_copy(update={"radio": radio})


def reference_resource_blocks(configuration: Configuration) -> int:
    """Resource blocks as the reference counts them: floor(0.96 B / (12 SCS))."""
    scs_khz = 15 * (1 << configuration.numerology)
    return math.floor(0.96 * configuration.bandwidth_mhz * 1e3 / (12 * scs_khz) + 1e-9)


def peak_rate_mbps(n_rb: int, numerology: int) -> float:
    """Rate of a slot full of downlink symbols at the highest MCS of the 256QAM table."""
    resource_elements = 12 * DATA_SYMBOLS * 11 / 12
    return n_rb * resource_elements * 8 * 948 / 1024 * 1e-3 * (1 << numerology)


def positions_of(users: list[ReferenceUser]) -> tuple[Position, ...]:
    """Where the users of one seed stand, in the reference's order."""
    return tuple(Position(x_m=u.x_m, y_m=u.y_m) for u in sorted(users, key=lambda u: u.ue))


def drawn_positions(users_per_cell: int, seed: int) -> tuple[Position, ...]:
    """Users drawn uniformly from the disc around each cell, as the reference draws them."""
    rng = np.random.default_rng(seed)
    positions = []
    for site in triangle():
        for _ in range(users_per_cell):
            radius = CELL_RADIUS_M * math.sqrt(rng.random())
            angle = 2 * math.pi * rng.random()
            positions.append(
                Position(
                    x_m=site.x_m + radius * math.cos(angle),
                    y_m=site.y_m + radius * math.sin(angle),
                )
            )
    return tuple(positions)


def triangle() -> tuple[Position, ...]:
    """The sites of a three-cell run."""
    radius = TRIANGLE_ISD_M / math.sqrt(3)
    return tuple(
        Position(
            x_m=radius * math.cos(math.radians(azimuth)),
            y_m=radius * math.sin(math.radians(azimuth)),
        )
        for azimuth in TRIANGLE_AZIMUTHS_DEG
    )


def single_cell_positions(row: ReferenceRow) -> tuple[Position, ...]:
    """Users of a single cell: one at its distance, or several on the reference's spiral."""
    n = row.configuration.users_per_cell
    if n == 1:
        assert row.distance_m is not None
        return (Position(x_m=row.distance_m, y_m=0),)
    polar = [(50 + 350 * k / (n - 1), 2 * math.pi * k / n) for k in range(n)]
    return tuple(Position(x_m=r * math.cos(a), y_m=r * math.sin(a)) for r, a in polar)


def _rotated(positions: tuple[Position, ...], start: int) -> tuple[Position, ...]:
    start = start % len(positions) if positions else 0
    return positions[start:] + positions[:start]


def _run(row: ReferenceRow, positions: tuple[Position, ...], seed: int, *, known: bool) -> Run:
    span = SPANS[row.configuration.kind]
    try:
        traffic = _traffic(row)
        scenario = ScenarioConfig(
            name=f"reference_{row.configuration.scenario}",
            description=f"Reference configuration {row.label}.",
            duration_s=span.duration_s,
            interval_ms=span.interval_ms,
            layout=_layout(row),
            propagation=Propagation(
                environment="UMi",
                line_of_sight=row.configuration.line_of_sight,
                shadowing=row.configuration.shadowing,
                fading=row.configuration.fading,
            ),
            carriers=(_carrier(row),),
            gnb_antenna=_array(row, 4, 8),
            ue_antenna=_array(row, 2, 4),
            radio=_radio(row),
            slices=(Slice(name="all"),),
            users=(
                UserGroup(
                    name="users",
                    slice="all",
                    placement=Placement(kind="points", points=positions),
                    traffic=(traffic,),
                ),
            ),
        )
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{row.where}: makes no possible scenario: {field + ': ' if field else ''}"
            f"{first['msg']}"
        ) from None
    packet_bytes = PAYLOAD_BYTES if isinstance(traffic, FullBuffer) else traffic.packet_bytes
    return Run(
        scenario=scenario,
        seed=seed,
        n_skipped=span.n_skipped,
        payload_share=packet_bytes / (packet_bytes + IP_HEADER_BYTES),
        known=known,
    )


def _layout(row: ReferenceRow) -> Layout:
    sites = triangle() if row.n_cells == 3 else (Position(x_m=0, y_m=0),)
    return Layout(kind="free", sites=sites, n_sectors=1, site_height_m=SITE_HEIGHT_M)


def _noise_figure_db(row: ReferenceRow) -> float:
    return 10.0 if row.frequency_ghz > 24 else 9.0


def _power_for_snr(row: ReferenceRow) -> tuple[float, float]:
    """Transmit power (dBm) for the row's SNR, and the noise figure (dB), raised where need be."""
    wanted_db = row.snr_db if row.snr_db is not None else row.sinr_db
    assert wanted_db is not None
    assert row.pathloss_db is not None
    bandwidth_hz = row.n_rb * 180e3 * (1 << row.configuration.numerology)
    figure_db = _noise_figure_db(row)
    noise_dbm = -174 + 10 * math.log10(bandwidth_hz) + figure_db
    power_dbm = wanted_db + row.pathloss_db + noise_dbm
    below_db = max(0.0, LEAST_POWER_DBM - power_dbm)
    return power_dbm + below_db, figure_db + below_db


def _carrier(row: ReferenceRow) -> Carrier:
    c = row.configuration
    return Carrier(
        frequency_ghz=row.frequency_ghz,
        bandwidth_mhz=c.bandwidth_mhz,
        numerology=c.numerology,
        duplex="FDD" if c.duplex == "FDD" else "TDD",
        tdd_pattern="F" if c.duplex == "F" else "DDDSU",
        n_rb=row.n_rb,
        rbg_size_rb=1,
        tx_power_dbm=_power_for_snr(row)[0] if c.kind == "la" else GNB_POWER_DBM,
    )


def _array(row: ReferenceRow, rows: int, columns: int) -> Antenna:
    if row.configuration.kind == "b":
        return Antenna(element="isotropic", rows=rows, columns=columns)
    return Antenna()


def _radio(row: ReferenceRow) -> Radio:
    c = row.configuration
    return Radio(
        handover=Handover(enabled=False),
        mcs_table="qam256",
        outer_loop=False,
        repetition_gain=False,
        harq_max_retx=3 if c.harq else 0,
        scheduler=c.scheduler,
        multiplexing=c.multiplexing,
        restart_round_robin=c.scheduler == "round_robin",
        dl_queue_kb=300,
        preparation_slots=2,
        decode_ms=0.1,
        noise_figure_ue_db=_power_for_snr(row)[1] if c.kind == "la" else _noise_figure_db(row),
    )


def _traffic(row: ReferenceRow) -> ConstantBitRate | FullBuffer:
    c = row.configuration
    if c.kind == "d2":
        return ConstantBitRate(
            kind="cbr",
            rate_mbps=SMALL_PACKET_BYTES * 8 / (SMALL_PACKET_GAP_MS * 1e3),
            packet_bytes=SMALL_PACKET_BYTES,
        )
    if c.kind == "h":
        return ConstantBitRate(kind="cbr", rate_mbps=row.goodput_mbps, packet_bytes=PAYLOAD_BYTES)
    many_runs = c.kind == "c" and c.multiplexing == "tdma" and c.scheduler == "round_robin"
    if c.users_per_cell > 1 and (many_runs or c.scheduler == "max_ci"):
        # Where any user may get the whole carrier, most packets would only be dropped.
        return FullBuffer(kind="full_buffer")
    share = _greatest_share(row)
    rate_mbps = 1.1 * peak_rate_mbps(row.n_rb, c.numerology) * share
    return ConstantBitRate(kind="cbr", rate_mbps=rate_mbps, packet_bytes=PAYLOAD_BYTES)


def _greatest_share(row: ReferenceRow) -> float:
    """Most of a cell that one of several saturated users may get."""
    c = row.configuration
    # In three cells the users of one cell may be few, as all choose the strongest cell.
    n = max(1, c.users_per_cell // (2 if row.n_cells > 1 else 1))
    if n == 1:
        return 1.0
    if c.scheduler == "round_robin":
        units = DATA_SYMBOLS if c.multiplexing == "tdma" else row.n_rb
        return math.ceil(units / n) / units
    return min(1.0, 2 / n)
