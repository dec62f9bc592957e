# SPDX-License-Identifier: Apache-2.0
"""The KPI tables of a network that runs on a model: `Reporter`.

What the model does not predict follows from what it does: bits from rates, energy from power, and
of each balance (bits of a queue, jobs of a site) the one member that is not predicted. Columns of
which nothing is known are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from calibration.fluid import efficiency
from calibration.network import (
    DEGRADATIONS,
    QUEUES,
    SCHEDULERS,
    SLEEP_MODES,
    Floats,
    Ints,
    network_of,
)
from calibration.rolling import Moment
from calibration.trajectory import UE_STATES, UNHEARD_DBM, Table, taken
from env.kpis import Columns, Kpis
from env.world import Links, World
from ns3_scenarios.kpi import TABLES
from ns3_scenarios.scenario import ScenarioConfig

SETTINGS = ("tx_power_dbm", "tilt_deg", "bandwidth_mhz", "numerology", "wake_prb_pct")
HANDOVER = ("a3_offset_db", "hysteresis_db", "ttt_ms")
SHARES = ("dedicated_pct", "min_pct", "max_pct")
BLOCKS = ("dl_tb_count", "ul_tb_count")
"""Roughly known only, to weight users by."""
CQI_EFFICIENCY = {
    "qam64": (0.1523, 0.2344, 0.3770, 0.6016, 0.8770, 1.1758, 1.4766, 1.9141, 2.4063, 2.7305,
              3.3223, 3.9023, 4.5234, 5.1152, 5.5547),
    "qam256": (0.1523, 0.3770, 0.8770, 1.4766, 1.9141, 2.4063, 2.7305, 3.3223, 3.9023, 4.5234,
               5.1152, 5.5547, 6.2266, 6.9141, 7.4063),
    "qam1024": (0.1523, 0.3770, 0.8770, 1.4766, 2.4063, 3.3223, 3.9023, 4.5234, 5.1152, 5.5547,
                6.2266, 6.9141, 7.4063, 8.3301, 9.2578),
}  # fmt: skip
"""Bits per resource element of CQI 1 to 15: TS 38.214 Tables 5.2.2.1-2, -3 and -5."""

Words = NDArray[np.object_]


def _words(names: Sequence[str]) -> Words:
    return np.array(list(names), object)


class Facts:
    """Names and promises of a scenario, which never change."""

    def __init__(self, scenario: ScenarioConfig) -> None:
        network = self.network = network_of(scenario)
        self.cells, self.slices, self.ues, self.links, self.edges, self.applications = (
            _words(names)
            for names in (network.cell_names, network.slice_names, network.ue_names,
                          network.link_names, network.edge_names, network.application_names)
        )  # fmt: skip
        self.from_node, self.to_node = (_words([e[i] for e in network.link_ends]) for i in (0, 1))
        groups = scenario.ue_groups
        names = {group.name: scenario.flow_names(group) for group in scenario.users}
        rows = list(zip(network.row_ue, network.row_flow, strict=True))
        self.flow_names = _words([names[groups[u].name][f] for u, f in rows])
        self.directions = _words(["dl", "ul"])[network.row_direction]
        qos = {
            (g.name, f): [scenario.flow_qos(g, f, s.name) for s in scenario.slices]
            for g in scenario.users
            for f in range(len(names[g.name]))
        }
        fields = ("five_qi", "delay_budget_ms", "guaranteed_mbps")
        self.qos = {
            field: np.array(
                [[float(getattr(q, field)) for q in qos[groups[u].name, f]] for u, f in rows]
            )
            for field in fields
        }
        """By flow row and slice, shape (R, S)."""
        first = scenario.carriers[0]
        self.hands_over = np.array([scenario.cell_carrier(c) is first for c in scenario.cell_ids])
        self.first_row = np.unique(network.row_ue, return_index=True)[1]
        self.uplinks = network.row_direction == 1
        self.is_integer = {
            table: tuple(c.name for c in columns if pa.types.is_integer(c.type))
            for table, columns in TABLES.items()
        }


facts_of = lru_cache(maxsize=64)(Facts)


def reports(moment: Moment, world: World) -> list[Kpis]:
    """The KPIs of the interval that copies of a network have just run, each made when read.

    Args:
        moment: at its end.
        world: outside of the network.
    """
    interval = world.interval - 1
    time_ms = world.interval * moment.network.scenario.interval_ms
    speeds, charges = world.motion.speeds_mps.copy(), world.motion.charges_pct()
    links, outages = world.links(), world.outages()
    return [
        Kpis(interval, time_ms, _Report(moment, i, links, outages, speeds, charges, alarms).table)
        for i, alarms in enumerate(world.alarms(moment.now))
    ]


class _Report:
    """One copy of a network at the end of an interval."""

    def __init__(
        self,
        moment: Moment,
        index: int,
        links: Links,
        outages: set[str],
        speeds_mps: Floats,
        charges_pct: Floats,
        alarms: Columns,
    ) -> None:
        self._moment, self._index = moment, index
        self._links, self._outages, self._alarms = links, outages, alarms
        self._speeds_mps, self._charges_pct = speeds_mps, charges_pct
        self._kbit = moment.network.scenario.interval_ms * 1e3
        """Bits of an interval at 1 Mbit/s."""

    @cached_property
    def _facts(self) -> Facts:
        return facts_of(self._moment.network.scenario)

    def table(self, name: str) -> Columns:
        """The columns of a table that are known; counts are whole numbers."""
        if name == "alarm":
            return self._alarms
        make: Callable[[], dict[str, Any]] = getattr(self, f"_{name}")
        found = make()
        for column in self._facts.is_integer[name]:
            if column in found:
                found[column] = np.rint(found[column])
        return found

    def _now(self, table: str) -> Table:
        return taken(self._moment.now[table], self._index)

    def _before(self, table: str) -> Table:
        return taken(self._moment.before[table], self._index)

    def _control(self, name: str) -> NDArray[Any]:
        controls: NDArray[Any] = self._moment.controls[name][self._index]
        return controls

    def _word(self, name: str, words: Sequence[str]) -> Words:
        named: Words = _words(words)[self._control(name).astype(int)]
        return named

    def _network(self) -> dict[str, Any]:
        facts, network = self._facts, self._facts.network
        sent = np.bincount(
            self._control("row_slice"), self._now("flow")["sent_bits"], network.n_slices
        )
        return {
            "slice": facts.slices,
            "users": self._members(np.zeros(len(network.ue_names), int), 1)[0],
            **self._now("network"),
            "edge_load_pct": self._edge_load_pct(),
            "jain_index": self._jain_index(),
            "offered_mbps": sent / self._kbit,
            "degradation": self._word("degradation", DEGRADATIONS),
        }

    def _jain_index(self) -> Floats:
        """Fairness of the downlink of each slice's users, NaN where nothing was delivered."""
        network, of_slice = self._facts.network, self._control("row_slice")
        n_users = len(network.ue_names)
        down = network.row_direction == 0
        index = of_slice[down] * n_users + network.row_ue[down]
        bits = np.bincount(
            index, self._now("flow")["delivered_bits"][down], n_users * network.n_slices
        ).reshape(network.n_slices, n_users)
        members = self._members(np.zeros(n_users, int), 1)[0]
        squares = members * (bits**2).sum(1)
        found: Floats = np.divide(
            bits.sum(1) ** 2, squares, out=np.full_like(squares, np.nan), where=squares > 0
        )
        return found

    def _members(self, place_of_user: Ints, places: int) -> Floats:
        """Users that have a flow in each slice, by their place, shape (places, S)."""
        network = self._facts.network
        of_slice = self._control("row_slice")
        pairs = np.unique(network.row_ue * network.n_slices + of_slice)
        user, slice_ = pairs // network.n_slices, pairs % network.n_slices
        count = np.bincount(
            place_of_user[user] * network.n_slices + slice_, minlength=places * network.n_slices
        )
        return count.astype(float).reshape(places, network.n_slices)

    def _edge_load_pct(self) -> Floats:
        network = self._facts.network
        load = np.full(network.n_slices, np.nan)
        if not len(network.edge_names):
            return load
        capacity = network.edge_servers * network.edge_gflops
        used = self._now("edge")["util_pct"] * capacity
        site = self._control("application_site").astype(int)
        for slice_ in np.unique(network.application_slice):
            sites = np.unique(site[network.application_slice == slice_])
            load[slice_] = used[sites].sum() / capacity[sites].sum()
        return load

    def _cell(self) -> dict[str, Any]:
        facts, network = self._facts, self._facts.network
        now, ue = self._now("cell"), self._now("ue")
        parts = {name: values.reshape(network.n_cells, -1)
                 for name, values in self._slice().items() if values.dtype != object}  # fmt: skip
        seconds = network.scenario.interval_ms * 1e-3
        bits = (now["dl_throughput_mbps"] + now["ul_throughput_mbps"]) * self._kbit
        energy_j = now["power_w"] * seconds
        failures = np.rint(now["ho_failures"])
        attempts = np.maximum(np.rint(now["ho_attempts"]), failures)
        found = {
            "cell": facts.cells,
            "users": np.bincount(ue["cell"], minlength=network.n_cells),
            **{name: self._control(name) for name in SETTINGS},
            "scheduler": self._word("scheduler", SCHEDULERS),
            "target_bler_pct": 100 * self._control("target_bler"),
            "sleep_mode": self._word("sleep_mode", SLEEP_MODES),
            **{name: np.where(facts.hands_over, self._control(name), np.nan) for name in HANDOVER},
            **now,
            "energy_j": energy_j,
            "energy_per_bit_nj": np.divide(
                1e9 * energy_j, bits, out=np.full_like(bits, np.nan), where=bits > 0
            ),
            "ho_attempts": attempts,
            "ho_failures": failures,
            "ho_successes": attempts - failures,
        }
        for d in ("dl", "ul"):
            weight = parts[f"{d}_delivered_bits"]
            for name in ("offered_mbps", "delivered_bits", "queued_bits"):
                found[f"{d}_{name}"] = parts[f"{d}_{name}"].sum(1)
            for name in ("latency_ms", "jitter_ms", "loss_pct"):
                found[f"{d}_{name}"] = _weighted(parts[f"{d}_{name}"], weight)
        found["state"] = self._cell_states(now["sleep_pct"])
        return found

    def _sent_mbps(self, d: str) -> Floats:
        """What the users of each cell send in each slice, shape (C, S)."""
        network, flow = self._facts.network, self._now("flow")
        mine = np.flatnonzero(network.row_direction == ("dl", "ul").index(d))
        cell = self._now("ue")["cell"][network.row_ue[mine]]
        group = cell * network.n_slices + self._control("row_slice")[mine]
        sent = np.bincount(group, flow["sent_bits"][mine], network.n_cells * network.n_slices)
        return (sent / self._kbit).reshape(network.n_cells, network.n_slices)

    def _cell_states(self, sleep_pct: Floats) -> Words:
        """State of each cell at the end: asleep if it mostly was and is let sleep so deeply."""
        mode = self._word("sleep_mode", SLEEP_MODES)
        asleep = np.isin(mode, ("light", "deep")) & (sleep_pct > 50)
        state = np.where(mode == "off", "off", np.where(asleep, mode, "on")).astype(object)
        state[np.isin(self._facts.cells, list(self._outages))] = "outage"
        return np.asarray(state)

    def _slice(self) -> dict[str, Any]:
        facts, network = self._facts, self._facts.network
        now = self._now("slice")
        serving = self._now("ue")["cell"]
        found = {
            "cell": np.repeat(facts.cells, network.n_slices),
            "slice": np.tile(facts.slices, network.n_cells),
            "users": self._members(serving, network.n_cells),
            **{name: self._control(name) for name in SHARES},
            **{k: v for k, v in now.items() if k != "users"},
        }
        for d in ("dl", "ul"):
            found[f"{d}_offered_mbps"] = self._sent_mbps(d)
            found[f"{d}_delivered_bits"] = now[f"{d}_throughput_mbps"] * self._kbit
        return {name: values.reshape(-1) for name, values in found.items()}

    def _ue(self) -> dict[str, Any]:
        facts, network = self._facts, self._facts.network
        now, n = self._now("ue"), len(facts.ues)
        flow, before = self._now("flow"), self._before("flow")
        was = self._before("ue")
        row_slice = self._control("row_slice")
        found = {
            "ue": facts.ues,
            "cell": facts.cells[now["cell"]],
            "slice": facts.slices[row_slice[facts.first_row]],
            "state": _words(UE_STATES)[now["state"].astype(int)],
            "speed_mps": self._speeds_mps,
            "battery_pct": self._charges_pct,
            "handovers": (now["cell"] != was["cell"]).astype(float),
            "cqi": self._cqi(now["dl_sinr_db"]),
            **{k: v for k, v in now.items() if k not in ("cell", "state", *BLOCKS)},
        }
        for index, d in enumerate(("dl", "ul")):
            mine = np.flatnonzero(network.row_direction == index)
            owner = network.row_ue[mine]

            def total(table: Table, name: str, mine: Ints = mine, owner: Ints = owner) -> Floats:
                return np.bincount(owner, table[name][mine], n).astype(float)

            delivered = np.rint(total(flow, "delivered_bits"))
            dropped = np.rint(total(flow, "dropped_radio_bits"))
            found |= _balance(
                d, delivered, dropped, total(flow, "in_flight_bits"),
                was.get(f"{d}_queued_bits", total(before, "in_flight_bits")),
            )  # fmt: skip
            found[f"{d}_throughput_mbps"] = found[f"{d}_delivered_bits"] / self._kbit
            found[f"{d}_offered_mbps"] = found[f"{d}_offered_bits"] / self._kbit
            found[f"{d}_loss_pct"] = _loss_pct(dropped, found[f"{d}_delivered_bits"])
            found[f"{d}_prb_util_pct"] = self._used_pct(d, now, delivered)
        return found

    def _used_pct(self, d: str, ue: Table, bits: Floats) -> Floats:
        """Resource blocks of each user: of its cell's by what it got and how efficiently."""
        network = self._facts.network
        cell = self._now("cell")
        sinr = np.where(np.isnan(ue[f"{d}_sinr_db"]), cell[f"{d}_sinr_db"][ue["cell"]],
                        ue[f"{d}_sinr_db"])  # fmt: skip
        need = bits / np.maximum(efficiency(np.nan_to_num(sinr), network.mcs_table), 1e-3)
        total = np.bincount(ue["cell"], need, network.n_cells)[ue["cell"]]
        share = np.divide(need, total, out=np.zeros_like(need), where=total > 0)
        return np.asarray(share * cell[f"{d}_prb_util_pct"][ue["cell"]])

    def _cqi(self, sinr_db: Floats) -> Floats:
        table = self._facts.network.mcs_table
        bits = efficiency(np.nan_to_num(sinr_db), table)
        cqi = np.searchsorted(CQI_EFFICIENCY[table], bits + 1e-3, "right").astype(float)
        return np.where(np.isnan(sinr_db), np.nan, cqi)

    def _neighbour(self) -> dict[str, Any]:
        facts, now = self._facts, self._now("neighbour")
        user, rank = np.nonzero(now["rsrp_dbm"] > UNHEARD_DBM)
        return {
            "ue": facts.ues[user],
            "rank": rank + 1.0,
            "cell": facts.cells[now["cell"][user, rank]],
            "rsrp_dbm": now["rsrp_dbm"][user, rank],
        }

    def _flow(self) -> dict[str, Any]:
        facts, network = self._facts, self._facts.network
        now, before = self._now("flow"), self._before("flow")
        of_slice = self._control("row_slice")
        bits = {
            name: np.rint(now[name])
            for name in ("delivered_bits", "dropped_radio_bits", "dropped_transport_bits",
                         "in_flight_bits")
        }  # fmt: skip
        dropped = bits["dropped_radio_bits"] + bits["dropped_transport_bits"]
        grown = bits["in_flight_bits"] - np.rint(before["in_flight_bits"])
        sent = bits["delivered_bits"] + dropped + grown
        bits["delivered_bits"] += np.maximum(-sent, 0)
        return {
            "ue": facts.ues[network.row_ue],
            "flow": facts.flow_names,
            "direction": facts.directions,
            "slice": facts.slices[of_slice],
            **now,
            **{
                name: values[np.arange(len(of_slice)), of_slice]
                for name, values in facts.qos.items()
            },
            "throughput_mbps": bits["delivered_bits"] / self._kbit,
            "loss_pct": _loss_pct(dropped, bits["delivered_bits"]),
            **bits,
            "sent_bits": np.maximum(sent, 0),
        }

    def _link(self) -> dict[str, Any]:
        facts, links = self._facts, self._links
        now = self._now("link")
        if not now:
            return {}
        outside = self._moment.outside
        wire = self._facts.network.link_loss_pct / 100
        wire = 1 - (1 - wire) * (1 - outside["link_fault_loss"][self._index])
        delivered = np.rint(now["throughput_mbps"] * self._kbit)
        lost = np.rint(delivered * wire / np.maximum(1 - wire, 0.01))
        share = np.clip(np.nan_to_num(now["loss_pct"]) / 100, 0, 0.99)
        dropped = np.maximum(np.rint(delivered * share / (1 - share)) - lost, 0)
        grown = np.rint(now["queued_bits"]) - np.rint(self._before("link")["queued_bits"])
        sent = delivered + lost + dropped + grown
        delivered = delivered + np.maximum(-sent, 0)
        return {
            "link": facts.links,
            "from_node": facts.from_node,
            "to_node": facts.to_node,
            "up": links.up,
            "rate_mbps": links.rate_mbps,
            "propagation_ms": links.propagation_ms,
            "queue": self._word("queue", QUEUES),
            **now,
            "delivered_bits": delivered,
            "lost_bits": lost,
            "dropped_bits": dropped,
            "sent_bits": np.maximum(sent, 0),
        }

    def _edge(self) -> dict[str, Any]:
        facts, now = self._facts, self._now("edge")
        if not now:
            return {}
        site = self._control("application_site").astype(int)
        placed = [
            ",".join(a for a, at in zip(facts.applications, site, strict=True) if at == s)
            for s in range(len(facts.edges))
        ]
        dropped, inside = np.rint(now["jobs_dropped"]), np.rint(now["jobs_in_system"])
        before = np.rint(self._before("edge")["jobs_in_system"])
        completed = np.maximum(before + np.rint(now["jobs_arrived"]) - dropped - inside, 0)
        return {
            "site": facts.edges,
            "applications": _words(placed),
            **now,
            "jobs_completed": completed,
            "jobs_arrived": completed + dropped + inside - before,
        }

    def _application(self) -> dict[str, Any]:
        facts, network = self._facts, self._facts.network
        now = self._now("application")
        if not now:
            return {}
        left = np.rint(now["jobs_in_progress"])
        grown = left - np.rint(self._before("application")["jobs_in_progress"])
        made = np.maximum(np.rint(now["jobs_made"]), np.maximum(grown, 0))
        finished = np.minimum(np.rint(now["jobs_finished"]), made - grown)
        return {
            "application": facts.applications,
            "slice": facts.slices[network.application_slice],
            "site": facts.edges[self._control("application_site").astype(int)],
            "fraction": self._control("fraction"),
            **now,
            "jobs_made": made,
            "jobs_offloaded": np.minimum(np.rint(now["jobs_offloaded"]), made),
            "jobs_finished": finished,
            "jobs_lost": made - grown - finished,
        }


def _balance(
    d: str, delivered: Floats, dropped: Floats, queued: Floats, before: Floats
) -> dict[str, Floats]:
    """Bits of queues: offered = delivered + dropped + change of queued.

    Where a queue shrinks by more than it delivers, it delivers what it shrinks by.
    """
    queued = np.rint(queued)
    offered = delivered + dropped + queued - np.rint(before)
    short = np.maximum(-offered, 0)
    return {
        f"{d}_offered_bits": offered + short,
        f"{d}_delivered_bits": delivered + short,
        f"{d}_dropped_bits": dropped,
        f"{d}_queued_bits": queued,
    }


def _loss_pct(dropped: Floats, delivered: Floats) -> Floats:
    ended = dropped + delivered
    return np.divide(100 * dropped, ended, out=np.full_like(ended, np.nan), where=ended > 0)


def _weighted(values: Floats, weights: Floats) -> Floats:
    """Mean over the last axis of values that are known, NaN where there are none."""
    weights = np.where(np.isnan(values), 0.0, weights)
    total = weights.sum(-1)
    mean = (np.nan_to_num(values) * weights).sum(-1)
    found: Floats = np.divide(mean, total, out=np.full_like(total, np.nan), where=total > 0)
    return found
