# SPDX-License-Identifier: Apache-2.0
"""Lets a network run on a model, interval after interval: `Roll`."""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration import offloading
from calibration.carrying import Users, can_carry, flows_after
from calibration.energy import power_w
from calibration.features import ROWS, Radio, Step
from calibration.features.rows import Rows
from calibration.network import FULL_BUFFER, Floats, Network
from calibration.sums import sum_into
from calibration.trajectory import Table, Trajectory, taken
from experiment_model import ExperimentModel, ModelError

LATENCIES = ("latency_ms", "latency_p95_ms", "jitter_ms", "within_budget_pct")
"""That only packets that arrive have."""
CARRIED = ("throughput_mbps", "prb_util_pct", "loss_pct", "queued_bits")
"""That is nothing where there is nothing to send."""
LEAST_BITS = 400.0
"""Of a short packet: an interval that carries less has carried none."""
LEAST_PRB_PCT = 0.02
OLDEST = 10
"""Intervals beyond which KPIs do not get any older."""


@dataclass(frozen=True)
class Moment:
    """The state of B copies of a network at the end of an interval."""

    network: Network
    now: dict[str, Table]
    before: dict[str, Table]
    controls: Table
    outside: Table
    of_class: Table = field(default_factory=dict)
    """KPIs of flow classes that a model predicted."""


def moments_of(run: Trajectory, intervals: Sequence[int] | NDArray[Any]) -> Moment:
    """The states at the ends of some intervals of a run."""
    now = np.asarray(intervals)
    earlier = np.maximum(now - 1, 0)

    return Moment(
        run.network,
        {name: taken(table, now) for name, table in run.tables.items()},
        {name: taken(table, earlier) for name, table in run.tables.items()},
        taken(run.controls, now),
        taken(run.outside, now),
    )


def can_roll(kinds: Collection[str]) -> bool:
    """Whether a model that knows some kinds of elements can roll on."""
    return {"cell", "slice", "class", "network"} <= set(kinds)


class Roll:
    """B copies of a network that run side by side on a model.

    Args:
        model: what predicts the next interval.
        start: from where.
        group: label of the rows, which picks the model's interval tables.
        rng: draws KPIs and handovers that vary as simulated ones do; without one, KPIs are means.

    Raises:
        ModelError: the model does not know a kind of element that the network has.
    """

    def __init__(
        self,
        model: ExperimentModel,
        start: Moment,
        group: str = "",
        rng: np.random.Generator | None = None,
    ) -> None:
        self._model, self._group, self._rng = model, group, rng
        network = start.network
        has = {"link": network.link_names, "edge": network.edge_names,
               "application": network.application_names}  # fmt: skip
        self._kinds = [kind for kind in ROWS if has.get(kind, True)]
        if missing := [kind for kind in self._kinds if kind not in model.kinds]:
            raise ModelError(
                f"the model does not know {', '.join(missing)}, which the network has, so that it "
                f"cannot roll on; it knows {', '.join(model.kinds)}"
            )
        self._scores: dict[str, Floats] = {}
        self.steps = 0
        self.rows: dict[str, Rows] = {}
        """What the last interval was predicted from, by kind."""
        self.moment = start
        self._users = Users(start.network, start.now["ue"], start.now["neighbour"])

    def step(self, controls: Table, outside: Table) -> Moment:
        """Run one interval.

        Args:
            controls: in force in it, as `control_arrays` gives them, with B first.
            outside: faults and open-loop traffic of it, as in `Trajectory.outside`.

        Returns:
            The state at its end; its KPIs are in `now`.
        """
        last = self.moment
        ones = np.ones(len(controls["tx_power_dbm"]))
        age = float(min(self.steps, OLDEST))
        drawn = float(self._rng is not None and self.steps > 0)
        step = Step(last.network, last.now, last.before, controls, last.controls, outside,
                    last.outside, age * ones, drawn * ones)  # fmt: skip
        radio = Radio(step)
        self.rows = {kind: ROWS[kind](radio) for kind in self._kinds}
        kpis = {kind: self._predicted(kind) for kind in self._kinds}
        self.steps += 1
        now = _tables(radio, kpis)
        now["ue"], now["neighbour"] = self._users.after(radio, now["cell"], self._rng)
        finished = kpis.get("application", {}).get("jobs_finished", np.zeros((radio.batch, 0)))
        now["flow"] = flows_after(radio, kpis["class"], finished)
        _sum_up(now["network"], last.network, now["flow"], controls)
        now["slice"]["users"] = _slice_users(last.network, now["ue"]["cell"], controls)
        _bound_queues(last.network, now, controls)
        self.moment = Moment(last.network, now, last.now, controls, outside, kpis["class"])
        return self.moment

    def copies(self, n: int, rng: np.random.Generator | None = None) -> Roll:
        """Each of the networks n times, to go on apart from this one.

        Args:
            n: copies.
            rng: draws for all of them.
        """
        other = copy.copy(self)
        last = self.moment

        def repeated(table: Table) -> Table:
            return {name: np.repeat(values, n, axis=0) for name, values in table.items()}

        other.moment = Moment(
            last.network,
            {name: repeated(table) for name, table in last.now.items()},
            {name: repeated(table) for name, table in last.before.items()},
            repeated(last.controls),
            repeated(last.outside),
            repeated(last.of_class),
        )
        batch = len(last.controls["tx_power_dbm"])
        other._scores = {
            kind: np.repeat(scores.reshape(batch, -1), n, axis=0).reshape(-1, scores.shape[-1])
            for kind, scores in self._scores.items()
        }
        other._users = self._users.copies(n)
        other._rng, other.rows = rng, {}
        return other

    @property
    def state(self) -> dict[str, Table]:
        """All arrays that decide, with those that come from outside, what comes next."""
        last = self.moment
        now = {f"now.{name}": table for name, table in last.now.items()}
        before = {f"before.{name}": table for name, table in last.before.items()}
        age = {"intervals": np.array(self.steps)}
        own = {"scores": self._scores, "users": self._users.state, "age": age}
        return {**now, **before, "controls": last.controls, "outside": last.outside, **own}

    def in_distribution(self) -> Floats:
        """Share of the rows of the last interval that are like those of training, shape (B,).

        They are taken as if KPIs had been measured.
        """
        batch = len(self.moment.controls["tx_power_dbm"])
        known = [
            self._model.in_distribution(kind, _as_measured(rows)).reshape(batch, -1)
            for kind, rows in self.rows.items()
            if len(rows)
        ]
        return np.asarray(np.concatenate(known, axis=1).mean(1))

    def step_as(self, run: Trajectory, intervals: NDArray[np.int64]) -> Moment:
        """Run one interval with the controls, faults and open-loop traffic of a run.

        Args:
            run: whose they are.
            intervals: of the run, one for each copy.
        """
        return self.step(taken(run.controls, intervals), taken(run.outside, intervals))

    def _predicted(self, kind: str) -> Table:
        rows = self.rows[kind]
        if not len(rows):
            return {}
        matrix, period = rows.matrix(), math.prod(rows.shape[1:])
        if self._rng is None:
            values = self._model.predict(kind, matrix, self._group, period).mean
        else:
            sample = self._model.sample(
                kind, matrix, self._rng, self._group, self._scores.get(kind), period
            )
            values, self._scores[kind] = sample.values, sample.scores
        columns = np.ascontiguousarray(values.T).reshape(-1, *rows.shape)
        return {
            kpi.name: column for kpi, column in zip(self._model.kpis(kind), columns, strict=True)
        }


def _as_measured(rows: Rows) -> NDArray[np.float32]:
    matrix, names = rows.matrix().copy(), list(rows.columns)
    matrix[:, [names.index("age_intervals"), names.index("drawn")]] = 0
    return matrix


def _tables(radio: Radio, kpis: dict[str, Table]) -> dict[str, Table]:
    """KPI tables of the interval; parts sum to wholes, and what no packet had is missing."""
    network, step = radio.network, radio.step
    kbit = network.scenario.interval_ms * 1e3
    least_mbps = LEAST_BITS / kbit
    now = {kind: dict(table) for kind, table in kpis.items() if kind != "class"}
    slice_, cell = now["slice"], now["cell"]
    there = can_carry(radio)
    of_class = sum_into(network.row_class, there, len(network.class_names))
    of_slice = radio.by_slice(there)
    _without(kpis["class"], of_class > 0, ("throughput_mbps", "loss_pct", "in_flight_bits"), 0.0)
    for index, d in enumerate(("dl", "ul")):
        _without(slice_, of_slice[index] > 0, [f"{d}_{n}" for n in CARRIED], 0.0)
        carried = slice_[f"{d}_throughput_mbps"] > least_mbps
        _without(slice_, carried, [f"{d}_{n}" for n in LATENCIES[:3]])
        prb = f"{d}_prb_util_pct"
        slice_[prb] = np.minimum(slice_[prb], step.controls["max_pct"])
        for name in ("prb_util_pct", "throughput_mbps"):
            cell[f"{d}_{name}"] = slice_[f"{d}_{name}"].sum(-1)
        busy = cell[f"{d}_prb_util_pct"] > LEAST_PRB_PCT
        _without(cell, busy, [f"{d}_{n}" for n in ("sinr_db", "mcs", "bler_pct")])
    cell["power_w"] = power_w(network, cell, step.controls, step.outside)
    _without(kpis["class"], kpis["class"]["throughput_mbps"] > least_mbps, LATENCIES)
    link = now.setdefault("link", {})
    if link:
        kept = 1 - np.minimum(link["loss_pct"], 99) / 100
        grown = link["queued_bits"] - step.now["link"]["queued_bits"]
        link["sent_bits"] = np.maximum(link["throughput_mbps"] * kbit / kept + grown, 0)
        carried = link["throughput_mbps"] > least_mbps
        _without(link, carried, ("delay_ms", "delay_p95_ms", "loss_pct"))
    edge, application = now.setdefault("edge", {}), now.setdefault("application", {})
    if edge:
        edge["background_pct"] = step.outside["background_pct"]
        _without(edge, edge["jobs_arrived"] > offloading.HALF_A_JOB, ("waiting_ms", "service_ms"))
    if application:
        offloading.agree(radio, application, edge)
    now["flow"] = {}
    return now


def _sum_up(slices: Table, network: Network, flow: Table, controls: Table) -> None:
    """Throughput of slices as wholes: what their flows deliver, as in the KPI tables."""
    kbit = network.scenario.interval_ms * 1e3
    delivered = sum_into(controls["row_slice"], flow["delivered_bits"], network.n_slices)
    slices["throughput_mbps"] = delivered / kbit
    _without(slices, delivered > LEAST_BITS, LATENCIES)


def _bound_queues(network: Network, now: dict[str, Table], controls: Table) -> None:
    """What waits at the radio is on its way: no slice has more in its queues than its flows."""
    on_way = np.where(network.row_is[FULL_BUFFER], np.inf, now["flow"]["in_flight_bits"])
    batch = len(on_way)
    group = now["ue"]["cell"][:, network.row_ue] * network.n_slices + controls["row_slice"]
    shape = batch, network.n_cells, network.n_slices
    for index, d in enumerate(("dl", "ul")):
        mine = np.where(network.row_is_of[index], group, -1)
        most = sum_into(mine, on_way, shape[1] * shape[2]).reshape(shape)
        name = f"{d}_queued_bits"
        now["slice"][name] = np.minimum(now["slice"][name], most)


def _without(
    table: Table, there: NDArray[np.bool_], names: Sequence[str], none: float = np.nan
) -> None:
    for name in names:
        if name in table:
            table[name] = np.where(there, table[name], none)


def _slice_users(network: Network, cell: NDArray[np.int64], controls: Table) -> Floats:
    """Users of each slice in each cell, shape (B, C, S)."""
    batch, n_slices = len(cell), network.n_slices
    user, first = network.ues_with_flows
    index = cell[:, user] * n_slices + controls["row_slice"][:, first]
    count = sum_into(index, np.ones(len(user)), network.n_cells * n_slices)
    return count.reshape(batch, network.n_cells, n_slices)
