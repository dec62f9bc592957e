# SPDX-License-Identifier: Apache-2.0
"""Candidates are calls that the tools they name would take."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

from env.backends.base import BackendName
from env.environment import Environment
from env.tools import TOOLS
from env.tools.proposing import changes_of
from env.tools.reasoning import candidates as make
from env.tools.reasoning.foresight import ConfigurationTool
from env.tools.reasoning.recovery import candidates_against
from env.world.flight import propulsion_w

Network = Callable[[BackendName, str], Environment]


def test_calls_may_be_of_every_tool_that_configures() -> None:
    configuring = {tool.name for tool in TOOLS.values() if not tool.read_only}
    assert set(get_args(ConfigurationTool)) == configuring


@pytest.mark.parametrize("scenario", ["quickstart", "edge_campus", "uav_corridor"])
def test_every_candidate_against_every_cause_would_be_taken(
    network: Network, scenario: str
) -> None:
    view = network("surrogate", scenario).view()
    uavs = [ue for ue, group in view.group_of.items() if group.mobility.kind == "uav"]
    used = {application.site for application in view.controls.applications.values()}
    elements = {
        "link_cut": [link.name for link in view.scenario.links],
        "link_degraded": [link.name for link in view.scenario.links],
        "cell_outage": view.scenario.cell_ids,
        "interference": view.scenario.cell_ids,
        "congestion": view.scenario.cell_ids,
        "traffic_surge": [s.name for s in view.scenario.slices],
        "edge_overload": view.scenario.anchors[1:],
        "battery_low": uavs[:2],
        "no_service": [view.scenario.ue_ids[-1], *uavs[:1]],
    }
    for cause, named in elements.items():
        for element in named:
            found = candidates_against(view, cause, element)
            idle = cause == "edge_overload" and element not in used
            assert bool(found) != idle
            for candidate in found:
                _, changes = changes_of(view, [(c.tool, c.arguments) for c in candidate.calls])
                settings = [s for change in changes for s in change.settings]
                assert any(s.before != s.after for s in settings), candidate.strategy
    assert candidates_against(view, "unheard_of", "c0") == []


def test_speeds_of_flight_are_those_of_least_power_and_longest_range() -> None:
    def power(speed: float) -> float:
        return propulsion_w([speed, 0, 0]) + 10  # type: ignore[arg-type]

    speeds = [0.1 * n for n in range(20, 300)]
    assert min(speeds, key=power) == pytest.approx(make.LEAST_POWER_MPS, abs=0.11)
    assert min(speeds, key=lambda v: power(v) / v) == pytest.approx(make.RANGE_MPS, abs=0.6)
