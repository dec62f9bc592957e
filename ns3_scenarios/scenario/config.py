# SPDX-License-Identifier: Apache-2.0
"""A whole scenario: `ScenarioConfig`."""

from __future__ import annotations

import hashlib
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from ns3_scenarios.scenario.base import Identifier, Model, canonical_json
from ns3_scenarios.scenario.faults import Fault, RandomFaults, draw_faults, fault_elements
from ns3_scenarios.scenario.infrastructure import (
    CORE,
    EVERY_SITE,
    Application,
    Edge,
    Link,
    Transport,
)
from ns3_scenarios.scenario.radio import Antenna, Carrier, Layout, Propagation, Radio
from ns3_scenarios.scenario.users import DELAY_BUDGET_MS, Qos, Slice, UserGroup

SCHEMA_VERSION: Final = 2


class ScenarioConfig(Model):
    """A network: radio, slices, users and their traffic, transport, edge sites, and what fails."""

    schema_version: Literal[2] = SCHEMA_VERSION
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
    transport: Transport | None = Field(
        default=None, description="Without it the cells are at the core, without delay."
    )
    edge: Edge | None = None
    faults: tuple[Fault, ...] = ()
    random_faults: RandomFaults | None = Field(
        default=None, description="Faults drawn by the seed, besides those listed."
    )

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
    def _flies_outdoors(self) -> Self:
        indoor = self.propagation.environment.startswith("InH")
        for group in self.users:
            if group.mobility.kind == "uav" and indoor:
                raise ValueError(
                    f"users group {group.name!r} flies, which propagation "
                    f"{self.propagation.environment!r} does not cover; use UMi, UMa or RMa"
                )
        return self

    @model_validator(mode="after")
    def _transport_connects(self) -> Self:
        if self.transport is None:
            if self.edge:
                raise ValueError("`edge` needs `transport`, which links its sites to the others")
            return self
        nodes = self.transport_nodes
        twice = {name for name in nodes if nodes.count(name) > 1}
        if twice:
            raise ValueError(f"two nodes of the transport network are named {sorted(twice)[0]!r}")
        reached = {CORE}
        names = [link.name for link in self.links]
        for link in self.links:
            if link.ends[0] == link.ends[1]:
                raise ValueError(f"link {link.name!r} has both ends at {link.ends[0]!r}")
            for end in link.ends:
                if end not in nodes:
                    raise ValueError(
                        f"link {link.name!r} ends at {end!r}, which is not one of "
                        f"{', '.join(nodes)}"
                    )
            if names.count(link.name) > 1:
                raise ValueError(f"transport names link {link.name!r} more than once")
            beside = [other.name for other in self.links if set(other.ends) == set(link.ends)]
            if len(beside) > 1:
                raise ValueError(
                    f"links {beside[0]!r} and {beside[1]!r} join the same nodes, "
                    f"{link.ends[0]!r} and {link.ends[1]!r}; put a router into one of them"
                )
        for _ in nodes:
            for link in self.links:
                if reached & set(link.ends):
                    reached |= set(link.ends)
        lost = [name for name in nodes if name not in reached]
        if lost:
            raise ValueError(f"no link leads from {lost[0]!r} to {CORE!r}")
        return self

    @model_validator(mode="after")
    def _applications_refer_to_what_exists(self) -> Self:
        if self.edge is None:
            return self
        sites = [site.name for site in self.edge.sites]
        groups = [group.name for group in self.users]
        names = [application.name for application in self.edge.applications]
        for index, application in enumerate(self.edge.applications):
            where = f"edge.applications.{index}"
            if application.site not in sites:
                raise ValueError(
                    f"{where}.site={application.site!r} is not one of {', '.join(sites)}"
                )
            if application.users not in groups:
                raise ValueError(
                    f"{where}.users={application.users!r} is not one of {', '.join(groups)}"
                )
            if names.count(application.name) > 1:
                raise ValueError(f"edge names application {application.name!r} more than once")
            group = self.users[groups.index(application.users)]
            if application.name in group.flow_names:
                raise ValueError(
                    f"{where}.name={application.name!r} is the name of another flow of "
                    f"{group.name!r}"
                )
        return self

    @model_validator(mode="after")
    def _faults_strike_what_exists(self) -> Self:
        elements = fault_elements(self)
        for index, fault in enumerate(self.faults):
            if fault.kind not in elements:
                raise ValueError(f"faults.{index}: the scenario has nothing for a {fault.kind}")
            field, names = elements[fault.kind]
            element = getattr(fault, field)
            if element not in names:
                raise ValueError(
                    f"faults.{index}.{field}={element!r} is not one of {', '.join(names)}"
                )
        for kind in self.random_faults.kinds if self.random_faults else ():
            if kind not in elements:
                raise ValueError(f"random_faults.kinds: the scenario has nothing for a {kind}")
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
    def site_ids(self) -> tuple[str, ...]:
        """Names of the radio sites, `s0` upward."""
        return tuple(f"s{i}" for i in range(self.layout.n_sites))

    @property
    def ue_ids(self) -> tuple[str, ...]:
        """Names of the users, `u0` upward: group by group."""
        return tuple(f"u{i}" for i in range(self.n_users))

    @property
    def ue_groups(self) -> tuple[UserGroup, ...]:
        """The group of each user."""
        sectors = self.layout.n_sites * self.layout.n_sectors
        groups: list[UserGroup] = []
        for group in self.users:
            per_cell = group.placement.kind == "per_cell"
            groups += [group] * (group.count * (sectors if per_cell else 1))
        return tuple(groups)

    @property
    def transport_nodes(self) -> tuple[str, ...]:
        """Nodes of the transport network: sites, routers, edge sites, the core."""
        if self.transport is None:
            return ()
        edges = tuple(site.name for site in self.edge.sites) if self.edge else ()
        return (*self.site_ids, *self.transport.routers, *edges, CORE)

    @property
    def links(self) -> tuple[Link, ...]:
        """The transport links, one for each site where a link says `s*`."""
        found: list[Link] = []
        for link in self.transport.links if self.transport else ():
            if EVERY_SITE not in link.ends:
                found.append(link)
                continue
            for site in self.site_ids:
                ends = tuple(site if end == EVERY_SITE else end for end in link.ends)
                found.append(link.model_copy(update={"name": f"{link.name}_{site}", "ends": ends}))
        return tuple(found)

    @property
    def anchors(self) -> tuple[str, ...]:
        """Nodes where user traffic ends: the core and the edge sites."""
        return (CORE, *(site.name for site in self.edge.sites)) if self.edge else (CORE,)

    def applications(self, group: UserGroup) -> tuple[Application, ...]:
        """The edge applications that the users of a group have."""
        every = self.edge.applications if self.edge else ()
        return tuple(application for application in every if application.users == group.name)

    def flow_names(self, group: UserGroup) -> tuple[str, ...]:
        """Names of the flows of one user of a group: its traffic, then its applications."""
        return (*group.flow_names, *(a.name for a in self.applications(group)))

    def slice_qos(self, slice_name: str) -> Qos:
        """What a slice promises to flows that say nothing of their own."""
        return next(s.qos for s in self.slices if s.name == slice_name)

    def flow_qos(self, group: UserGroup, flow: int, slice_name: str) -> Qos:
        """What a flow is promised while it is in a slice.

        Args:
            group: of the user.
            flow: index among `flow_names`.
            slice_name: where the flow is at present.
        """
        items = (*group.traffic, *self.applications(group))
        promised = self.slice_qos(slice_name)
        own = items[flow].five_qi
        if own is None:
            return promised
        return promised.model_copy(update={"five_qi": own, "delay_budget_ms": DELAY_BUDGET_MS[own]})

    def all_faults(self, seed: int) -> tuple[Fault, ...]:
        """The faults of a run: those listed, and those that the seed draws."""
        drawn = draw_faults(self.random_faults, self, seed) if self.random_faults else ()
        return (*self.faults, *drawn)

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
