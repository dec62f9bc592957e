# SPDX-License-Identifier: Apache-2.0
"""KPIs around handovers and faults, on the surrogate and on NS-3: `transients`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from env.episodes import read_kpis
from env.fidelity.playing import STAGES, Stage, Triple
from env.fidelity.report import Curve, Transient
from env.fidelity.statistics import Floats, plain, quotient
from ns3_scenarios.scenario import Fault, ScenarioConfig

BEFORE, AFTER = 3, 6
STEPS = tuple(range(-BEFORE, AFTER + 1))
"""Intervals around the one in which something happens."""
KPI_UNITS = {"throughput_mbps": "Mbit/s", "latency_ms": "ms"}
HANDOVER = "handover"

Event = tuple[str, int, NDArray[np.bool_]]
"""What happens, in which interval, to which users."""


def transients(triples: Sequence[Triple]) -> tuple[Transient, ...]:
    """Mean curves of throughput and latency around every kind of event.

    Each stage has its own handovers; faults strike all stages at the same times, and those users
    who are there when they do.

    Args:
        triples: cases that were played to their end on all stages.
    """
    found: dict[str, dict[Stage, list[Floats]]] = {}
    for triple in triples:
        network, seed = triple.case.subject.network, triple.case.seed
        for ended in triple.stages:
            assert ended.path
            users = read_users(ended.path, network.ue_ids)
            for event, at, struck in events(users, network, seed):
                by_stage = found.setdefault(event, {stage: [] for stage in STAGES})
                by_stage[ended.stage].append(curves(users, at, struck))
    return tuple(
        transient_of(event, kpi, {s: [c[n] for c in each] for s, each in by_stage.items()})
        for event, by_stage in sorted(found.items())
        for n, kpi in enumerate(KPI_UNITS)
    )


@dataclass(frozen=True)
class Users:
    """The users of a recorded episode; arrays have the shape (intervals, users)."""

    cell: NDArray[np.object_]
    handovers: Floats
    throughput_mbps: Floats
    """Sum over flows."""
    latency_bits: Floats
    """Sum over flows of mean latency in ms times delivered bits."""
    timed_bits: Floats
    """Delivered bits of flows that have a latency."""


def read_users(path: Path, names: Sequence[str]) -> Users:
    """The users of a recorded episode, in the order of names."""
    ue = read_kpis(path, "ue", ["interval", "ue", "cell", "handovers"]).to_pandas()
    columns = ["interval", "ue", "throughput_mbps", "latency_ms", "delivered_bits"]
    flow = read_kpis(path, "flow", columns).to_pandas()
    flow["timed_bits"] = flow["delivered_bits"].astype(float).where(flow["latency_ms"].notna(), 0.0)
    flow["latency_bits"] = (flow["latency_ms"] * flow["timed_bits"]).fillna(0.0)

    def shaped(frame: pd.DataFrame, column: str) -> NDArray[Any]:
        return frame.set_index(["interval", "ue"])[column].unstack()[list(names)].to_numpy()

    ue = ue.astype({"ue": str, "cell": str, "handovers": float})
    sums = ["throughput_mbps", "latency_bits", "timed_bits"]
    flow = flow.astype({"ue": str}).groupby(["interval", "ue"], as_index=False)[sums].sum()
    return Users(shaped(ue, "cell"), shaped(ue, "handovers"), *(shaped(flow, c) for c in sums))


def events(users: Users, network: ScenarioConfig, seed: int) -> Iterator[Event]:
    """Handovers that were completed, and faults that begin and end."""
    n_intervals, n_users = users.handovers.shape
    for at, user in np.argwhere(users.handovers > 0):
        yield HANDOVER, int(at), np.arange(n_users) == user
    for fault in network.all_faults(seed):
        start, end = (int(1000 * s // network.interval_ms) for s in (fault.start_s, fault.end_s))
        if 0 < start < n_intervals:
            struck = affected(users, network, fault, start)
            yield f"{fault.kind} start", start, struck
            if end < n_intervals:
                yield f"{fault.kind} end", end, struck


def affected(users: Users, network: ScenarioConfig, fault: Fault, start: int) -> NDArray[np.bool_]:
    """Which users a fault strikes that starts in an interval; of links, all of the network."""
    groups = np.array([group.name for group in network.ue_groups])
    match fault.kind:
        case "cell_outage" | "interference_burst":
            return np.asarray(users.cell[start - 1] == fault.cell)
        case "traffic_surge":
            return np.array([group.slice == fault.slice for group in network.ue_groups])
        case "battery_low":
            return np.asarray(groups == fault.users)
        case "edge_overload":
            applications = network.edge.applications if network.edge else ()
            there = [a.users for a in applications if a.site == fault.site]
            return np.isin(groups, there)
        case _:
            return np.ones(len(groups), bool)


def curves(users: Users, at: int, struck: NDArray[np.bool_]) -> Floats:
    """Throughput and latency of some users together around an interval, shape (2, 10).

    NaN before the first and after the last interval, and where nothing was delivered.
    """
    found = np.full((len(KPI_UNITS), len(STEPS)), np.nan)
    for step, number in enumerate(range(at - BEFORE, at + AFTER + 1)):
        if 0 <= number < len(users.handovers):
            found[0, step] = users.throughput_mbps[number, struck].sum()
            timed = users.timed_bits[number, struck].sum()
            found[1, step] = users.latency_bits[number, struck].sum() / timed if timed else np.nan
    return found


def transient_of(event: str, kpi: str, found: Mapping[Stage, Sequence[Floats]]) -> Transient:
    """What the curves of one KPI around one kind of event come to.

    Args:
        event: kind of event.
        kpi: name.
        found: curves of shape (10,), by stage and event.
    """
    mean = {stage: _mean(each) for stage, each in found.items()}
    error, own = (_apart(mean[stage], mean["ns3"]) for stage in ("surrogate", "redrawn"))
    level = _apart(mean["ns3"], np.zeros(len(STEPS)))
    surrogate, ns3, redrawn = (
        Curve(events=len(found[stage]), values=tuple(plain(v) for v in mean[stage]))
        for stage in STAGES
    )
    return Transient(
        event=event, kpi=kpi, unit=KPI_UNITS[kpi],
        ns3=ns3, surrogate=surrogate, redrawn=redrawn,
        error=error, error_pct=_pct(error, level), own_error=own, own_error_pct=_pct(own, level),
    )  # fmt: skip


def _mean(each: Sequence[Floats]) -> Floats:
    """Of curves, step by step, leaving NaN out."""
    values = np.array(each).reshape(-1, len(STEPS))
    return quotient(np.nansum(values, axis=0), np.isfinite(values).sum(axis=0).astype(float))


def _apart(one: Floats, other: Floats) -> float | None:
    """Mean absolute difference, over the steps that both have."""
    apart = np.abs(one - other)
    return float(np.nanmean(apart)) if np.isfinite(apart).any() else None


def _pct(value: float | None, level: float | None) -> float | None:
    return 100 * value / level if value is not None and level else None
