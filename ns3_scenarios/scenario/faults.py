# SPDX-License-Identifier: Apache-2.0
"""Faults and disturbances of a scenario: listed, or drawn by the seed."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, TypeAdapter

from ns3_scenarios.scenario.base import Identifier, Model, Percent

if TYPE_CHECKING:
    from ns3_scenarios.scenario.config import ScenarioConfig


class _Fault(Model):
    start_s: float = Field(ge=0, le=86_400)
    duration_s: float = Field(gt=0, le=86_400)

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.start_s + self.duration_s


class LinkCut(_Fault):
    """A link carries nothing."""

    kind: Literal["link_cut"]
    link: Identifier


class LinkDegraded(_Fault):
    """A link loses packets, slows down or takes a detour."""

    kind: Literal["link_degraded"]
    link: Identifier
    loss_pct: float = Field(default=5, ge=0, le=100, description="Besides its own loss.")
    rate_pct: float = Field(default=100, gt=0, le=100, description="Of its rate.")
    extra_delay_ms: float = Field(default=0, ge=0, le=1000)


class CellOutage(_Fault):
    """A cell neither transmits nor receives."""

    kind: Literal["cell_outage"]
    cell: Identifier


class InterferenceBurst(_Fault):
    """A foreign transmitter raises the noise of a cell and of the users that it serves."""

    kind: Literal["interference_burst"]
    cell: Identifier
    noise_rise_db: float = Field(default=15, gt=0, le=80)


class TrafficSurge(_Fault):
    """The applications of a slice send more."""

    kind: Literal["traffic_surge"]
    slice: Identifier
    factor: float = Field(default=3, gt=1, le=100)


class EdgeOverload(_Fault):
    """Foreign jobs take compute of an edge site."""

    kind: Literal["edge_overload"]
    site: Identifier
    load_pct: float = Field(default=90, gt=0, le=300, description="Of the site's capacity.")


class BatteryLow(_Fault):
    """A cell of the battery fails in the UAVs of a group; afterwards it is back."""

    kind: Literal["battery_low"]
    users: Identifier
    battery_pct: Percent = 10


Fault = Annotated[
    LinkCut
    | LinkDegraded
    | CellOutage
    | InterferenceBurst
    | TrafficSurge
    | EdgeOverload
    | BatteryLow,
    Field(discriminator="kind"),
]
FaultKind = Literal[
    "link_cut",
    "link_degraded",
    "cell_outage",
    "interference_burst",
    "traffic_surge",
    "edge_overload",
    "battery_low",
]


class RandomFaults(Model):
    """Faults that the seed draws: a Poisson stream, each of a random kind at a random element."""

    mean_gap_s: float = Field(default=5, gt=0, le=86_400)
    mean_duration_s: float = Field(default=1, gt=0, le=86_400)
    kinds: tuple[FaultKind, ...] = Field(
        default=(), description="By default all for which the scenario has elements."
    )
    drawn_severity: bool = Field(
        default=False,
        # Scenarios that do without it are written as they were, and keep their names.
        exclude_if=lambda drawn: not drawn,
        description="Whether how bad each is is drawn as well, from `SEVERITIES`.",
    )


SEVERITIES: dict[str, dict[str, tuple[float, float]]] = {
    "link_degraded": {"rate_pct": (3, 100), "loss_pct": (0.05, 20), "extra_delay_ms": (0.5, 50)},
    "interference_burst": {"noise_rise_db": (3, 30)},
    "traffic_surge": {"factor": (1.5, 6)},
    "edge_overload": {"load_pct": (40, 150)},
}
"""By kind and field between what the severity of faults is drawn, evenly on a logarithmic scale."""


def draw_faults(spec: RandomFaults, scenario: ScenarioConfig, seed: int) -> tuple[Fault, ...]:
    """The faults of one seed over the scenario's duration, in the order of their start."""
    elements = fault_elements(scenario)
    kinds = [kind for kind in elements if not spec.kinds or kind in spec.kinds]
    # Python promises `random()` of a seeded `Random` never to change between versions.
    random = Random(f"faults:{seed}")
    faults: list[Fault] = []
    start_s = 0.0
    while kinds:
        start_s += -spec.mean_gap_s * math.log(1 - random.random())
        if start_s >= scenario.duration_s:
            break
        kind = kinds[int(random.random() * len(kinds))]
        field, names = elements[kind]
        severity = {
            name: low * (high / low) ** random.random()
            for name, (low, high) in SEVERITIES.get(kind, {}).items()
            if spec.drawn_severity
        }
        faults.append(
            _FAULT.validate_python(
                {
                    "kind": kind,
                    field: names[int(random.random() * len(names))],
                    "start_s": start_s,
                    "duration_s": -spec.mean_duration_s * math.log(1 - random.random()) + 1e-3,
                    **severity,
                }
            )
        )
    return tuple(faults)


def fault_elements(scenario: ScenarioConfig) -> dict[str, tuple[str, tuple[str, ...]]]:
    """By kind of fault that can strike a scenario: the field that names the element, the names."""
    links = tuple(link.name for link in scenario.links)
    uavs = tuple(group.name for group in scenario.users if group.mobility.kind == "uav")
    sites = tuple(site.name for site in scenario.edge.sites) if scenario.edge else ()
    found = {
        "link_cut": ("link", links),
        "link_degraded": ("link", links),
        "cell_outage": ("cell", scenario.cell_ids),
        "interference_burst": ("cell", scenario.cell_ids),
        "traffic_surge": ("slice", tuple(s.name for s in scenario.slices)),
        "edge_overload": ("site", sites),
        "battery_low": ("users", uavs),
    }
    return {kind: (field, names) for kind, (field, names) in found.items() if names}


_FAULT: TypeAdapter[Fault] = TypeAdapter(Fault)
