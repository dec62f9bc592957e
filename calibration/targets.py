# SPDX-License-Identifier: Apache-2.0
"""What a model predicts of each kind of element, and in which form the trees learn it.

Trees learn a residual: of a KPI y with first guess b (a feature, mostly of the fluid model), they
learn z(y) - z(b), where z is y/scale or log(1 + y/scale). The logarithm is for KPIs that span
orders of magnitude; `scale` is where it turns from linear to logarithmic. Every KPI keeps its
physical bounds.

KPIs that follow from one another share a booster; those of different causes, such as handovers and
power, learn better apart. Where physics says that more load cannot mean less use (links, edge
sites), the trees are constrained to be monotone; XGBoost can do that for one KPI at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.network import Floats
from calibration.trajectory import Trajectory
from experiment_model import Kpi


@dataclass(frozen=True)
class Target:
    """One KPI of one kind of element."""

    name: str
    unit: str
    transform: Literal["linear", "log"]
    scale: float
    base: str | None
    """Feature that holds the first guess; without one it is 0."""
    lower: float | None = 0.0
    upper: float | None = None
    booster: str = "all"
    """KPIs with the same booster share the splits of its trees."""
    adds_up: bool = False
    """Whether it grows with the size of the network. Trees do not see its first guess, which would
    tell them the size, and nothing that was seen bounds it."""
    rises_with: tuple[str, ...] = ()
    """Features in which it must not fall, all else being equal; it has a booster of its own."""

    def kpi(self, offset: float = 0.0, upper: float | None = None) -> Kpi:
        """As a model has it, with an upper bound where physics gives none."""
        return Kpi(
            name=self.name,
            unit=self.unit,
            transform=self.transform,
            scale=self.scale,
            base=self.base,
            lower=self.lower,
            upper=upper if self.upper is None else self.upper,
            offset=offset,
        )


def _pct(
    name: str,
    base: str | None,
    scale: float = 20,
    **rest: Any,
) -> Target:
    return Target(name, "%", "linear", scale, base, 0, 100, **rest)


def _log(
    name: str,
    unit: str,
    scale: float,
    base: str | None,
    **rest: Any,
) -> Target:
    return Target(name, unit, "log", scale, base, 0, None, **rest)


def _both(*targets: Target) -> tuple[Target, ...]:
    """The same for downlink and uplink, each with a booster: `{d}` in name and base."""
    return tuple(
        replace(
            t,
            name=t.name.replace("{d}", d),
            base=t.base and t.base.replace("{d}", d),
            booster=d,
        )
        for d in ("dl", "ul")
        for t in targets
    )


LINK_LOAD = ("arriving_load", "load", "util_base_pct")
EDGE_LOAD = ("load", "backlog_load", "background_pct", "util_base_pct")

TARGETS: dict[str, tuple[Target, ...]] = {
    "cell": (
        *_both(
            Target("{d}_sinr_db", "dB", "linear", 5, "{d}_sinr_fluid_db", None, None),
            Target("{d}_mcs", "1", "linear", 4, "{d}_mcs_fluid", 0, 28),
            _pct("{d}_bler_pct", "now_cell_{d}_bler_pct", 10),
        ),
        Target("ul_iot_db", "dB", "linear", 5, "now_cell_ul_iot_db", 0, None, booster="ul"),
        Target("power_w", "W", "linear", 100, "now_power_w", 0, None, "energy"),
        _pct("sleep_pct", "now_sleep_pct", 30, booster="energy"),
        _log("ho_attempts", "1", 1, "leaving_base_users", booster="mobility"),
        _log("ho_failures", "1", 1, "now_ho_failures", booster="mobility"),
        _log("ho_ping_pongs", "1", 1, "now_ho_ping_pongs", booster="mobility"),
        _log("rlf", "1", 1, "lost_users", booster="mobility"),
    ),
    "slice": _both(
        _log("{d}_throughput_mbps", "Mbit/s", 0.1, "{d}_fluid_mbps"),
        _pct("{d}_prb_util_pct", "{d}_fluid_prb_pct", 20),
        _log("{d}_latency_ms", "ms", 5, "{d}_fluid_latency_ms"),
        _log("{d}_latency_p95_ms", "ms", 5, "{d}_fluid_tail_ms"),
        _log("{d}_jitter_ms", "ms", 2, "now_{d}_jitter_ms"),
        _pct("{d}_loss_pct", "{d}_fluid_loss_pct", 20),
        _log("{d}_queued_bits", "bit", 1e5, "{d}_fluid_queued_bits"),
    ),
    "link": (
        _pct("util_pct", "util_base_pct", 20, rises_with=LINK_LOAD),
        _log("throughput_mbps", "Mbit/s", 1, "through_mbps", adds_up=True),
        _log("delay_ms", "ms", 1, "delay_base_ms"),
        _log("delay_p95_ms", "ms", 1, "delay_base_ms"),
        _pct("loss_pct", "loss_base_pct", 10),
        _log("queue_packets", "1", 1, "now_queue_packets"),
        _log("queued_bits", "bit", 1e4, "now_queued_bits"),
    ),
    "edge": (
        _pct("util_pct", "util_base_pct", 20, rises_with=EDGE_LOAD),
        _log("queue_jobs", "1", 0.5, "queue_base_jobs", adds_up=True),
        _log("jobs_in_system", "1", 1, "system_base_jobs", adds_up=True),
        _log("jobs_arrived", "1", 1, "arriving_jobs", adds_up=True),
        _log("jobs_dropped", "1", 1, "dropped_base_jobs", adds_up=True),
        _log("waiting_ms", "ms", 5, "wait_base_ms"),
        _log("service_ms", "ms", 5, "service_base_ms"),
    ),
    "application": (
        _log("jobs_finished", "1", 1, "finished_base_jobs", adds_up=True),
        _log("jobs_in_progress", "1", 1, "progress_base_jobs", adds_up=True),
        _log("latency_ms", "ms", 10, "now_latency_ms"),
        _log("latency_p95_ms", "ms", 10, "now_latency_p95_ms"),
        _log("radio_ms", "ms", 5, "radio_base_ms"),
        _log("transport_ms", "ms", 2, "transport_base_ms"),
        _log("queue_ms", "ms", 5, "now_queue_ms"),
        _log("compute_ms", "ms", 5, "compute_base_ms"),
        _pct("within_deadline_pct", "now_within_deadline_pct", 30),
    ),
    "class": (
        _log("throughput_mbps", "Mbit/s", 0.05, "fluid_mbps", adds_up=True),
        _log("latency_ms", "ms", 5, "fluid_latency_ms"),
        _log("latency_p95_ms", "ms", 5, "fluid_tail_ms"),
        _log("jitter_ms", "ms", 2, "now_jitter_ms"),
        _pct("loss_pct", "fluid_loss_pct", 20),
        _pct("within_budget_pct", "fluid_within_pct", 30),
        _log("in_flight_bits", "bit", 1e5, "in_flight_base_bits", adds_up=True),
    ),
    "network": (
        _log("throughput_mbps", "Mbit/s", 0.2, "fluid_mbps", adds_up=True),
        _log("latency_ms", "ms", 5, "fluid_latency_ms"),
        _log("jitter_ms", "ms", 2, "now_jitter_ms"),
        _pct("packet_loss_pct", "fluid_loss_pct", 20),
        _pct("within_budget_pct", "fluid_within_pct", 30),
        _pct("prb_util_pct", "now_prb_util_pct", 20),
        Target("jain_index", "1", "linear", 0.3, "now_jain_index", 0, 1),
    ),
}
"""The KPIs of each kind of element, in the order of the model's outputs."""


def target_values(run: Trajectory, kind: str) -> NDArray[Any]:
    """The KPIs of every interval but the first, shape (rows, KPIs); NaN where there is none.

    Rows are in the order of `ROWS[kind](Radio(steps_of(run)))`.
    """
    table = class_table(run) if kind == "class" else run.tables[kind]
    return np.stack([table[t.name][1:].reshape(-1) for t in TARGETS[kind]], axis=1)


def class_table(run: Trajectory) -> dict[str, Floats]:
    """KPIs of flow classes, from those of their flows; delays weighted by delivered bits."""
    flow, network = run.tables["flow"], run.network
    n_classes, n_intervals = len(network.class_names), run.n_intervals
    member = np.zeros((len(network.row_class), n_classes))
    member[np.arange(len(network.row_class)), network.row_class] = 1

    def mean(values: Floats) -> Floats:
        weights = np.where(np.isnan(values), 0, flow["delivered_bits"])
        total = weights @ member
        out = np.full((n_intervals, n_classes), np.nan)
        share: Floats = np.divide(
            (np.nan_to_num(values) * weights) @ member, total, out=out, where=total > 0
        )
        return share

    delivered = flow["delivered_bits"] @ member
    dropped = (flow["dropped_radio_bits"] + flow["dropped_transport_bits"]) @ member
    ended = delivered + dropped
    return {
        "throughput_mbps": delivered / (network.scenario.interval_ms * 1e3),
        "latency_ms": mean(flow["latency_ms"]),
        "latency_p95_ms": mean(flow["latency_p95_ms"]),
        "jitter_ms": mean(flow["jitter_ms"]),
        "loss_pct": np.divide(
            100 * dropped, ended, out=np.full_like(ended, np.nan), where=ended > 0
        ),
        "within_budget_pct": mean(flow["within_budget_pct"]),
        "in_flight_bits": flow["in_flight_bits"] @ member,
    }
