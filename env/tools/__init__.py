# SPDX-License-Identifier: Apache-2.0
"""The 42 tools, by name and in the order of the catalogue: `TOOLS`."""

from collections.abc import Mapping
from types import MappingProxyType

from env.tools.base import Arguments, Effect, Proposal, Result, Tool
from env.tools.configuration.cells import (
    set_antenna_tilt,
    set_cell_carrier,
    set_cell_tx_power,
    set_scheduler,
)
from env.tools.configuration.edge import edge_offload
from env.tools.configuration.energy import set_cell_sleep
from env.tools.configuration.handovers import request_handover, set_handover_params
from env.tools.configuration.rollback import rollback_change
from env.tools.configuration.slices import (
    graceful_degradation,
    switch_network_slice,
    trigger_slice_reallocation,
)
from env.tools.configuration.transport import reroute_flow
from env.tools.configuration.uavs import set_waypoint
from env.tools.observation.alarms import list_alarms
from env.tools.observation.cells import get_cell_config, get_cell_kpis
from env.tools.observation.edge import get_edge_load
from env.tools.observation.energy import get_energy_report
from env.tools.observation.handovers import check_handover_status
from env.tools.observation.interference import monitor_interference
from env.tools.observation.network import check_network_state
from env.tools.observation.signals import get_signal_strength, scan_available_gnbs
from env.tools.observation.slices import get_qos_flows, get_slice_status
from env.tools.observation.topology import get_topology
from env.tools.observation.transport import check_link_quality
from env.tools.observation.users import list_ues, read_telemetry
from env.tools.reasoning.edge import check_migration_feasibility, select_offload_target
from env.tools.reasoning.energy import compute_energy_budget
from env.tools.reasoning.flights import path_planning
from env.tools.reasoning.intents import evaluate_intent_feasibility
from env.tools.reasoning.paths import compute_path
from env.tools.reasoning.predictions import predict_kpis
from env.tools.reasoning.recovery import select_recovery_strategy
from env.tools.reasoning.risks import risk_assessment
from env.tools.reasoning.sla import predict_sla_violation, verify_sla_compliance
from env.tools.reasoning.traffic import forecast_traffic

__all__ = ["TOOLS", "Arguments", "Effect", "Proposal", "Result", "Tool"]

_OBSERVATION = (
    get_topology,
    check_network_state,
    get_cell_config,
    get_cell_kpis,
    list_ues,
    read_telemetry,
    get_signal_strength,
    scan_available_gnbs,
    check_link_quality,
    monitor_interference,
    check_handover_status,
    get_slice_status,
    get_qos_flows,
    get_edge_load,
    get_energy_report,
    list_alarms,
)
_REASONING = (
    predict_kpis,
    predict_sla_violation,
    verify_sla_compliance,
    forecast_traffic,
    evaluate_intent_feasibility,
    risk_assessment,
    select_recovery_strategy,
    select_offload_target,
    check_migration_feasibility,
    compute_path,
    path_planning,
    compute_energy_budget,
)
_CONFIGURATION = (
    switch_network_slice,
    trigger_slice_reallocation,
    edge_offload,
    graceful_degradation,
    set_cell_tx_power,
    set_antenna_tilt,
    set_cell_carrier,
    set_scheduler,
    set_handover_params,
    request_handover,
    set_cell_sleep,
    reroute_flow,
    set_waypoint,
    rollback_change,
)

TOOLS: Mapping[str, Tool] = MappingProxyType(
    {tool.name: tool for tool in (*_OBSERVATION, *_REASONING, *_CONFIGURATION)}
)
