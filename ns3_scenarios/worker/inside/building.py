# SPDX-License-Identifier: GPL-2.0-only
"""Puts a scenario together in ns-3: carriers, sites, cells, users, their flows and traffic."""

from __future__ import annotations

import math
from typing import Any

import _ran
import numpy as np

from ns3_scenarios.geometry import network_radius_m, sector_bearings_deg, site_positions_m
from ns3_scenarios.scenario import (
    Antenna,
    Application,
    Link,
    QueueDiscipline,
    RandomWalk,
    ScenarioConfig,
    Traffic,
    Uav,
    UserGroup,
    Vehicle,
)
from ns3_scenarios.worker.inside import placement, traffic

FLOW_PORT = 1000
"""One end of every flow's packets has this port plus the flow's index."""
HTTP_PORT = 2000
"""The same for flows of web pages."""
JOB_PORT = 3000
"""The same for flows of jobs, plus the application's index."""


def add_cells(network: Any, scenario: ScenarioConfig) -> list[Any]:
    """Add carriers, sites and cells.

    Returns:
        The cells in the order of `scenario.cell_ids`.
    """
    for carrier in scenario.carriers:
        network.add_carrier(_carrier_attributes(scenario, carrier.frequency_ghz))
    for position in site_positions_m(scenario.layout):
        network.add_site(*position)
    network.set_mobility(_mobility_attributes(scenario))
    cells = []
    for cell in range(scenario.n_cells):
        carrier_index = cell % len(scenario.carriers)
        sector = cell // len(scenario.carriers) % scenario.layout.n_sectors
        site = cell // len(scenario.carriers) // scenario.layout.n_sectors
        antenna = _array(scenario.gnb_antenna)
        antenna.bearing_deg = sector_bearings_deg(scenario.layout)[sector]
        cells.append(
            network.add_cell(
                site,
                carrier_index,
                antenna,
                _cell_attributes(scenario, carrier_index),
                {"RepetitionGain": _text(scenario.radio.repetition_gain)},
            )
        )
    return cells


def add_infrastructure(network: Any, scenario: ScenarioConfig) -> None:
    """Add the edge sites, and the transport network with its links; cells come first."""
    if scenario.edge:
        for site in scenario.edge.sites:
            n_applications = len(scenario.edge.applications)
            network.add_edge_site(site.servers, site.gflops, site.queue_jobs, n_applications)
    if scenario.transport:
        network.add_transport(len(scenario.transport.routers), len(scenario.slices))
        nodes = scenario.transport_nodes
        for link in scenario.links:
            network.add_link(
                nodes.index(link.ends[0]),
                nodes.index(link.ends[1]),
                link.rate_mbps * 1e6,
                link.delay_ms,
                link.loss_pct / 100,
                queue_spec(link, link.queue),
            )


def queue_spec(link: Link, queue: QueueDiscipline) -> Any:
    """The queue in front of a link."""
    discipline = getattr(_ran.Discipline, queue)
    return _ran.QueueSpec(discipline, link.queue_packets, link.token_bucket_pct / 100)


def add_users(network: Any, scenario: ScenarioConfig, rng: np.random.Generator) -> None:
    """Add the users of all groups, with their flows, traffic and applications."""
    applications = scenario.edge.applications if scenario.edge else ()
    for group in scenario.users:
        positions = placement.user_positions(scenario, group, rng)
        bound_m = max(network_radius_m(scenario), float(np.abs(positions).max()))
        packets = any(item.kind != "full_buffer" for item in group.traffic)
        jobs = scenario.applications(group)
        for number, (x_m, y_m, z_m) in enumerate(positions):
            spec = _ran.UeSpec()
            spec.x_m, spec.y_m, spec.z_m = x_m, y_m, z_m
            _set_movement(spec, group, number, bound_m, rng)
            spec.internet = packets or bool(jobs)
            ue = network.add_ue(spec, _array(scenario.ue_antenna))
            for index, item in enumerate(group.traffic):
                _add_flow(network, scenario, group, ue, index, item)
                if item.kind == "full_buffer":
                    continue
                source = traffic.application(item, rng)
                network.add_application(
                    ue,
                    index,
                    item.direction == "downlink",
                    source.type,
                    source.attributes,
                    source.tcp,
                    source.start_s,
                )
            for index, application in enumerate(jobs, len(group.traffic)):
                _add_flow(network, scenario, group, ue, index, application)
                network.add_jobs(
                    ue,
                    index,
                    applications.index(application),
                    traffic.job_attributes(application),
                    float(rng.uniform() * application.interval_ms * 1e-3),
                )
    for index, application in enumerate(applications):
        site = scenario.anchors.index(application.site) - 1
        network.set_application(index, site, application.fraction)


def _set_movement(
    spec: Any, group: UserGroup, number: int, bound_m: float, rng: np.random.Generator
) -> None:
    """Let a user move as its group does.

    Args:
        spec: of the user, with its position.
        group: whose it is.
        number: of the user in the group.
        bound_m: half side of the square that random walks keep to.
        rng: for what differs between users.
    """
    match group.mobility:
        case RandomWalk() as walk:
            spec.walk_speed_mps = walk.speed_mps
            spec.walk_bound_m = bound_m
        case Vehicle() as vehicle:
            spread = vehicle.speed_spread_pct / 100
            spec.route_speed_mps = vehicle.speed_mps * (1 + spread * rng.uniform(-1, 1))
            spec.route = _road(vehicle, spec.x_m, spec.y_m, spec.z_m)
            spec.route_end = _ran.RouteEnd.turn_back
        case Uav() as uav:
            first = number % max(1, len(uav.waypoints))
            mission = [(p.x_m, p.y_m, p.z_m) for p in uav.waypoints]
            spec.route = mission[first:] + mission[:first] or [(spec.x_m, spec.y_m, spec.z_m)]
            spec.route_speed_mps = uav.speed_mps
            spec.route_end = getattr(_ran.RouteEnd, "start_again" if uav.repeat else "stop")
            spec.battery_wh = uav.battery_wh
            spec.battery_pct = uav.battery_pct


def _road(vehicle: Vehicle, x_m: float, y_m: float, z_m: float) -> list[tuple[float, float, float]]:
    """Both ends of a vehicle's lane, the one that it drives to first: traffic keeps right."""
    heading = math.radians(vehicle.heading_deg)
    along = np.array([math.cos(heading), math.sin(heading)])
    across = np.array([-along[1], along[0]])
    here = np.array([x_m, y_m])
    lane = (here @ across) * across
    ahead = vehicle.road_length_m / 2 if here @ across <= 0 else -vehicle.road_length_m / 2
    ends = (lane + ahead * along, lane - ahead * along)
    return [(float(x), float(y), z_m) for x, y in ends]


def _add_flow(
    network: Any,
    scenario: ScenarioConfig,
    group: UserGroup,
    ue: int,
    index: int,
    item: Traffic | Application,
) -> None:
    qos = scenario.flow_qos(group, index, group.slice)
    kind = "jobs" if isinstance(item, Application) else item.kind
    direction = "" if isinstance(item, Application) else item.direction
    two_way = kind in ("jobs", "tcp_bulk", "http")
    spec = _ran.FlowSpec()
    spec.slice = [s.name for s in scenario.slices].index(group.slice)
    spec.delay_budget_ms = qos.delay_budget_ms
    spec.guaranteed_bps = qos.guaranteed_mbps * 1e6
    spec.downlink = two_way or direction == "downlink"
    spec.uplink = two_way or direction == "uplink"
    spec.full_buffer = kind == "full_buffer"
    spec.downlink_queue_bytes = round(scenario.radio.dl_queue_kb * 1000)
    spec.uplink_queue_bytes = round(scenario.radio.ul_queue_kb * 1000)
    spec.codel = scenario.radio.queue_discipline == "codel"
    spec.port = (HTTP_PORT if kind == "http" else FLOW_PORT) + index
    if isinstance(item, Application) and scenario.edge:
        spec.jobs = True
        spec.port = JOB_PORT + scenario.edge.applications.index(item)
    network.add_flow(ue, spec)


def _array(antenna: Antenna) -> Any:
    spec = _ran.ArraySpec()
    spec.element = antenna.element
    spec.rows = antenna.rows
    spec.columns = antenna.columns
    spec.tilt_deg = antenna.tilt_deg
    return spec


def _text(value: bool | float | str) -> str:
    """A value as ns-3 reads attributes."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ms(value: float) -> str:
    return f"{math.floor(value * 1e6)}ns"


def _carrier_attributes(scenario: ScenarioConfig, frequency_ghz: float) -> dict[str, str]:
    propagation = scenario.propagation
    return {
        "Environment": propagation.environment,
        "LineOfSight": propagation.line_of_sight,
        "Shadowing": _text(propagation.shadowing),
        "Fading": _text(propagation.fading),
        "FadingPeriod": f"{propagation.fading_update_ms}ms",
        "Frequency": _text(frequency_ghz * 1e9),
    }


def _cell_attributes(scenario: ScenarioConfig, carrier_index: int) -> dict[str, str]:
    radio = scenario.radio
    carrier = scenario.carriers[carrier_index]
    return {
        "OuterLoop": _text(radio.outer_loop),
        "McsTable": radio.mcs_table,
        "HarqMaxRetx": _text(radio.harq_max_retx),
        "Tdma": _text(radio.multiplexing == "tdma"),
        "Fdd": _text(carrier.duplex == "FDD"),
        "TddPattern": carrier.tdd_pattern,
        "PreparationSlots": _text(radio.preparation_slots),
        "HarqRttSlots": _text(radio.harq_rtt_slots),
        "UlGrantSlots": _text(radio.ul_grant_slots),
        "DecodeTime": _ms(radio.decode_ms),
        "CqiPeriod": f"{radio.cqi_period_ms}ms",
        "NoiseFigure": _text(radio.noise_figure_gnb_db),
        "UeNoiseFigure": _text(radio.noise_figure_ue_db),
        "UeMaxPower": _text(radio.ue_max_power_dbm),
        "UlP0": _text(radio.ul_p0_dbm),
        "UlAlpha": _text(radio.ul_alpha),
        "RestartRoundRobin": _text(radio.restart_round_robin),
        "PowerCategory": _text(radio.energy.category),
        "ReferencePower": _text(carrier.tx_power_dbm),
        "SleepAfter": _ms(radio.energy.sleep_after_ms),
    }


def _mobility_attributes(scenario: ScenarioConfig) -> dict[str, str]:
    handover = scenario.radio.handover
    return {
        "Enabled": _text(handover.enabled),
        "MeasurementPeriod": _ms(handover.measurement_period_ms),
        "FilterCoefficient": _text(handover.filter_coefficient),
        "MeasurementError": _text(handover.measurement_error_db),
        "PreparationTime": _ms(handover.preparation_ms),
        "InterruptionTime": _ms(handover.interruption_ms),
        "PingPongTime": _ms(handover.ping_pong_ms),
        "QOut": _text(handover.q_out_db),
        "QIn": _text(handover.q_in_db),
        "T310": _ms(handover.t310_ms),
        "ReestablishmentTime": _ms(handover.reestablishment_ms),
        "MinRsrp": _text(handover.min_rsrp_dbm),
    }
