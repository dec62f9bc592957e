# SPDX-License-Identifier: Apache-2.0
"""What a scenario fixes, as arrays: `Network`, from which features are computed.

Axes: C cells, S slices, U users, R flow rows (each flow in each direction, as in the KPI table
`flow`), L link directions (as in `link`), E edge sites, A applications, G flow classes (a user
group's flow in one direction).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from ns3_scenarios.checking.elements import Elements
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.scenario.users import (
    Bursty,
    ConstantBitRate,
    ControlLoop,
    Http,
    MachineType,
    Traffic,
    Xr,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCHEDULERS = ("round_robin", "proportional_fair", "max_ci", "qos")
SLEEP_MODES = ("on", "micro", "light", "deep", "off")
QUEUES = ("fifo", "red", "codel", "fq_codel", "token_bucket")
DEGRADATIONS = ("none", "reduce_rate", "essential_only")
DIRECTIONS = ("dl", "ul")

OPEN = ("cbr", "bursty", "xr", "mtc", "control_loop")
"""Traffic that is sent whatever becomes of it; other sources wait for answers."""
FULL_BUFFER, TCP, HTTP, REQUEST, RESPONSE = "full_buffer", "tcp_bulk", "http", "request", "response"
FLOW_KINDS = (*OPEN, FULL_BUFFER, TCP, HTTP, REQUEST, RESPONSE)

SYMBOLS_PER_SLOT = 14
TCP_PACKET_BITS = 1.2e4
DATAGRAM_BITS = 1.12e4
"""Payload of an IP packet of those who send more at once."""
IP_UDP_BITS = 8 * (20 + 8)
HTTP_PER_S = 0.1
"""Pages that ns-3's web clients load, about."""


@dataclass(frozen=True)
class Network:
    """A scenario as arrays; equal for all its seeds and intervals."""

    scenario: ScenarioConfig
    cell_names: tuple[str, ...]
    slice_names: tuple[str, ...]
    ue_names: tuple[str, ...]
    link_names: tuple[str, ...]
    """Of each direction of each link: its name twice."""
    edge_names: tuple[str, ...]
    application_names: tuple[str, ...]
    class_names: tuple[str, ...]
    """Of each flow class: group, flow and direction, with slashes between."""
    frequency_ghz: Floats
    """By cell, like the following."""
    dl_share: Floats
    """Share of the symbols that carry downlink data when there is some."""
    ul_share: Floats
    configured_dbm: Floats
    """Transmit power of each cell in its scenario."""
    dl_slots: Floats
    """Share of slots in which each cell may transmit."""
    ul_slots: Floats
    """Share of slots in which its users may."""
    noise_figure_db: float
    """Of a user."""
    n_antennas: float
    """Elements of a cell's array."""
    mcs_table: str
    row_ue: Ints
    """User of each flow row, shape (R,), like the following."""
    row_flow: Ints
    """Index of the flow among the flows of its user."""
    row_direction: Ints
    """0 downlink, 1 uplink."""
    row_is_data: NDArray[np.bool_]
    """Whether it carries a flow's data, and not what answers them."""
    row_kind: Ints
    """Index in `FLOW_KINDS`."""
    row_class: Ints
    row_packet_bits: Floats
    """Bits of one packet, or frame."""
    row_datagram_bits: Floats
    """Bits of one IP packet."""
    row_per_second: Floats
    """Packets, frames or bursts a second."""
    row_application: Ints
    """Application of each row, or -1."""
    ue_group: Ints
    link_ends: tuple[tuple[str, str], ...]
    """From and to, of each link direction."""
    link_mbps: Floats
    link_delay_ms: Floats
    link_loss_pct: Floats
    link_queue_packets: Floats
    link_bucket_pct: Floats
    edge_servers: Floats
    edge_gflops: Floats
    edge_queue_jobs: Floats
    application_slice: Ints
    """Slice of its users' group."""
    application_users: Floats
    application_rate_hz: Floats
    """Jobs a second of all its users together."""
    application_gflop: Floats
    application_local_gflops: Floats
    application_deadline_ms: Floats
    application_bits: Floats
    """Bits of request and response, shape (A, 2)."""
    paths: PathBook

    @cached_property
    def elements(self) -> Elements:
        """Which rows the KPI tables have."""
        return Elements(self.scenario)

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.cell_names)

    @property
    def n_slices(self) -> int:
        """Number of slices."""
        return len(self.slice_names)

    @cached_property
    def row_is(self) -> dict[str, NDArray[np.bool_]]:
        """By kind of flow, which rows are of it."""
        return {kind: self.row_kind == number for number, kind in enumerate(FLOW_KINDS)}

    @cached_property
    def row_is_open(self) -> NDArray[np.bool_]:
        """Which rows send whatever becomes of it: open-loop traffic and requests of jobs."""
        return np.asarray(np.any([self.row_is[kind] for kind in (*OPEN, REQUEST)], axis=0))

    @cached_property
    def row_at_once_bits(self) -> Floats:
        """Bits of each row that come at one moment: a packet, or all those of a frame or a job."""
        frame_bits = np.where(self.row_is["bursty"], 0.0, self.row_packet_bits)
        return np.maximum(frame_bits, self.row_datagram_bits)

    @cached_property
    def row_is_of(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which rows are downlink, and which are uplink."""
        return self.row_direction == 0, self.row_direction == 1

    @cached_property
    def row_ue_of(self) -> tuple[Ints, Ints]:
        """User of each downlink row, and of each uplink row; -1 of all others."""
        down, up = (np.where(mine, self.row_ue, -1) for mine in self.row_is_of)
        return down, up

    @cached_property
    def ues_with_flows(self) -> tuple[Ints, Ints]:
        """Users that have flows, and the first row of each."""
        users, first = np.unique(self.row_ue, return_index=True)
        return users, first

    @cached_property
    def row_application_of(self) -> dict[str, Ints]:
        """Application of each row that carries its requests, or responses; -1 of all others."""
        return {
            kind: np.where(self.row_is[kind], self.row_application, -1)
            for kind in (REQUEST, RESPONSE)
        }


class PathBook:
    """Numbers the paths through the transport network and knows the links of each."""

    def __init__(self, scenario: ScenarioConfig) -> None:
        import networkx

        self.sites = scenario.site_ids
        self.anchors = scenario.anchors
        self._directions: dict[tuple[str, str], int] = {}
        self._numbers: dict[str, int] = {}
        self._nodes: list[list[str]] = []
        self._incidence: tuple[Floats, Floats] | None = None
        graph = networkx.Graph()
        for index, link in enumerate(scenario.links):
            self._directions[link.ends] = 2 * index
            self._directions[link.ends[::-1]] = 2 * index + 1
            graph.add_edge(*link.ends, weight=link.delay_ms + 1e-6)
        self.auto = np.array(
            [
                [
                    self.number("-".join(networkx.shortest_path(graph, site, anchor, "weight")))
                    if scenario.transport
                    else self.number("")
                    for anchor in self.anchors
                ]
                for site in self.sites
            ]
        )
        """Number of the path of least delay, by site and anchor."""

    def number(self, route: str) -> int:
        """The number of a path, given as its nodes with hyphens between."""
        if route not in self._numbers:
            self._numbers[route] = len(self._nodes)
            self._nodes.append(route.split("-"))
            self._incidence = None
        return self._numbers[route]

    def ends(self, number: int) -> tuple[int, int]:
        """Site and anchor that a path joins, as indices."""
        nodes = self._nodes[number]
        return self.sites.index(nodes[0]), self.anchors.index(nodes[-1])

    @property
    def incidence(self) -> tuple[Floats, Floats]:
        """Which link directions each path passes down (to the site) and up, shape (paths, L)."""
        if self._incidence is None:
            shape = len(self._nodes), len(self._directions)
            down, up = np.zeros(shape), np.zeros(shape)
            for number, nodes in enumerate(self._nodes):
                for hop in itertools.pairwise(nodes):
                    up[number, self._directions[hop]] = 1
                    down[number, self._directions[hop[::-1]]] = 1
            self._incidence = down, up
        return self._incidence


@lru_cache(maxsize=256)
def network_of(scenario: ScenarioConfig) -> Network:
    """The arrays of a scenario."""
    carriers = [scenario.cell_carrier(cell) for cell in scenario.cell_ids]
    shares = [_symbol_shares(c.duplex, c.tdd_pattern) for c in carriers]
    rows = _flow_rows(scenario)
    groups = [g.name for g in scenario.users]
    ue_group = np.array([groups.index(g.name) for g in scenario.ue_groups])
    per_group = np.bincount(ue_group, minlength=len(groups))
    applications = scenario.edge.applications if scenario.edge else ()
    sites = scenario.edge.sites if scenario.edge else ()
    slices = [s.name for s in scenario.slices]
    members = np.array([per_group[groups.index(a.users)] for a in applications], float)
    links = [(link, ends) for link in scenario.links for ends in (link.ends, link.ends[::-1])]
    classes = tuple(dict.fromkeys(row.flow_class for row in rows))
    return Network(
        scenario=scenario,
        cell_names=scenario.cell_ids,
        slice_names=tuple(slices),
        ue_names=scenario.ue_ids,
        link_names=tuple(link.name for link, _ in links),
        edge_names=tuple(site.name for site in sites),
        application_names=tuple(a.name for a in applications),
        class_names=classes,
        frequency_ghz=np.array([c.frequency_ghz for c in carriers]),
        dl_share=np.array([s[0] for s in shares]),
        ul_share=np.array([s[1] for s in shares]),
        configured_dbm=np.array([c.tx_power_dbm for c in carriers]),
        dl_slots=np.array([_slots("DSF", c.duplex, c.tdd_pattern) for c in carriers]),
        ul_slots=np.array([_slots("UF", c.duplex, c.tdd_pattern) for c in carriers]),
        noise_figure_db=scenario.radio.noise_figure_ue_db,
        n_antennas=scenario.gnb_antenna.n_elements,
        mcs_table=scenario.radio.mcs_table,
        row_ue=np.array([r.ue for r in rows]),
        row_flow=np.array([r.flow for r in rows]),
        row_direction=np.array([r.direction for r in rows]),
        row_is_data=np.array([r.is_data for r in rows]),
        row_kind=np.array([FLOW_KINDS.index(r.kind) for r in rows]),
        row_class=np.array([classes.index(r.flow_class) for r in rows]),
        row_packet_bits=np.array([r.packet_bits for r in rows]),
        row_datagram_bits=np.array([r.datagram_bits for r in rows]),
        row_per_second=np.array([r.per_second for r in rows]),
        row_application=np.array([r.application for r in rows]),
        ue_group=ue_group,
        link_ends=tuple(ends for _, ends in links),
        link_mbps=np.array([link.rate_mbps for link, _ in links]),
        link_delay_ms=np.array([link.delay_ms for link, _ in links]),
        link_loss_pct=np.array([link.loss_pct for link, _ in links]),
        link_queue_packets=np.array([link.queue_packets for link, _ in links], float),
        link_bucket_pct=np.array([link.token_bucket_pct for link, _ in links]),
        edge_servers=np.array([s.servers for s in sites], float),
        edge_gflops=np.array([s.gflops for s in sites]),
        edge_queue_jobs=np.array([s.queue_jobs for s in sites], float),
        application_slice=np.array(
            [slices.index(scenario.users[groups.index(a.users)].slice) for a in applications], int
        ),
        application_users=members,
        application_rate_hz=members * 1e3 / np.array([a.interval_ms for a in applications]),
        application_gflop=np.array([a.work_gflop for a in applications]),
        application_local_gflops=np.array([a.local_gflops for a in applications]),
        application_deadline_ms=np.array([a.deadline_ms for a in applications]),
        application_bits=8e3
        * np.array([(a.request_kb, a.response_kb) for a in applications]).reshape(-1, 2),
        paths=PathBook(scenario),
    )


@dataclass(frozen=True)
class _Row:
    ue: int
    flow: int
    direction: int
    kind: str
    flow_class: str
    packet_bits: float
    datagram_bits: float
    per_second: float
    is_data: bool
    application: int = -1


def _flow_rows(scenario: ScenarioConfig) -> list[_Row]:
    """Flow rows in the order of the KPI table `flow`."""
    per_group = {}
    every = scenario.edge.applications if scenario.edge else ()
    for group in scenario.users:
        kinds: list[tuple[str, int, str, float, float, float, int, bool, int]] = []
        names = scenario.flow_names(group)
        for index, item in enumerate(group.traffic):
            direction = DIRECTIONS.index("dl" if item.direction == "downlink" else "ul")
            both = item.kind in (TCP, HTTP)
            for d in (0, 1) if both else (direction,):
                kinds.append(
                    (names[index], index, item.kind, *_source(item), d, d == direction, -1)
                )
        for offset, app in enumerate(scenario.applications(group)):
            index = len(group.traffic) + offset
            hz = 1e3 / app.interval_ms
            which = [a.name for a in every].index(app.name)
            for d, kind, kb in ((0, RESPONSE, app.response_kb), (1, REQUEST, app.request_kb)):
                bits = kb * 8e3
                datagram = min(bits, DATAGRAM_BITS)
                kinds.append((app.name, index, kind, bits, datagram, hz, d, True, which))
        per_group[group.name] = kinds
    return [
        _Row(
            ue=ue,
            flow=flow,
            direction=d,
            kind=kind,
            flow_class=f"{group.name}/{name}/{DIRECTIONS[d]}",
            packet_bits=bits,
            datagram_bits=datagram + IP_UDP_BITS,
            per_second=hz,
            is_data=is_data,
            application=app,
        )
        for ue, group in enumerate(scenario.ue_groups)
        for name, flow, kind, bits, datagram, hz, d, is_data, app in per_group[group.name]
    ]


def _source(item: Traffic) -> tuple[float, float, float]:
    """Bits of a packet, frame or burst, of an IP packet, and how many of the first a second."""
    match item:
        case ConstantBitRate():
            bits = 8.0 * item.packet_bytes
            return bits, bits, item.rate_mbps * 1e6 / bits
        case Bursty():
            burst_per_s = 1e3 / (item.on_ms + item.off_ms)
            return item.rate_mbps * item.on_ms * 1e3, 8.0 * item.packet_bytes, burst_per_s
        case Xr():
            bits = item.rate_mbps * 1e6 / item.frame_rate_hz
            return bits, min(bits, DATAGRAM_BITS), item.frame_rate_hz
        case MachineType():
            return 8.0 * item.packet_bytes, 8.0 * item.packet_bytes, 1e3 / item.mean_gap_ms
        case ControlLoop():
            return 8.0 * item.packet_bytes, 8.0 * item.packet_bytes, 1e3 / item.period_ms
        case Http():
            return TCP_PACKET_BITS, DATAGRAM_BITS, HTTP_PER_S
        case _:
            return TCP_PACKET_BITS, DATAGRAM_BITS, 0.0


def _slots(kinds: str, duplex: str, pattern: str) -> float:
    """Share of slots that are of some kinds; all are under FDD."""
    return 1.0 if duplex == "FDD" else sum(slot in kinds for slot in pattern) / len(pattern)


def _symbol_shares(duplex: str, pattern: str) -> tuple[float, float]:
    """Shares of all symbols that may carry downlink and uplink data."""
    if duplex == "FDD":
        return 13 / SYMBOLS_PER_SLOT, 13 / SYMBOLS_PER_SLOT
    dl = sum({"D": 13, "S": 12, "F": 12}.get(slot, 0) for slot in pattern)
    ul = sum({"U": 13, "F": 12}.get(slot, 0) for slot in pattern)
    symbols = SYMBOLS_PER_SLOT * len(pattern)
    return dl / symbols, ul / symbols
