# SPDX-License-Identifier: Apache-2.0
"""How errors grow when a model rolls on: errors by horizon, whole networks, responses to events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.checks import Run
from calibration.rolling import Roll, moments_of
from calibration.samples import read_runs, split_of
from calibration.targets import class_table
from calibration.trajectory import Table, Trajectory
from calibration.validation.ensembles import DRAWS, Ensembles
from calibration.validation.gates import Gates
from calibration.validation.report import GateResult, Line, Plot, Section
from calibration.validation.report import Table as ReportTable
from calibration.validation.responses import Responses
from experiment_model import ExperimentModel
from ns3_scenarios.dataset import Dataset

Floats = NDArray[np.float64]

RUNS_PER_DATASET = 8
DRAWN_RUNS = 2
"""Of those, that roll-outs are drawn over."""
JUDGED: Mapping[str, tuple[str, ...]] = {
    "slice": ("dl_throughput_mbps", "ul_throughput_mbps", "dl_prb_util_pct", "ul_prb_util_pct",
              "dl_latency_ms", "ul_latency_ms", "dl_loss_pct", "ul_loss_pct"),
    "cell": ("dl_sinr_db", "ul_sinr_db", "power_w"),
    "link": ("util_pct", "delay_ms"),
    "edge": ("util_pct",),
    "application": ("latency_ms",),
    "class": ("throughput_mbps", "latency_ms"),
    "network": ("throughput_mbps", "latency_ms", "packet_loss_pct", "prb_util_pct"),
}  # fmt: skip
"""KPIs whose roll-outs are judged."""
DRAWN = ("slice/dl_throughput_mbps", "slice/dl_latency_ms", "cell/dl_sinr_db", "link/util_pct",
         "edge/util_pct", "network/throughput_mbps", "network/latency_ms")  # fmt: skip


@dataclass(frozen=True)
class Rolled:
    """Roll-outs from every interval of one run, beside what NS-3 did."""

    identity: Run
    run: Trajectory
    true: dict[str, Table]
    """KPIs by kind, shape (intervals, elements...)."""
    ahead: list[dict[str, Table]]
    """By steps ahead, less one: KPIs by kind, shape (starts, elements...); starts are all intervals
    but the last, and roll-outs that pass the end of the run repeat its last controls."""

    def at(self, kind: str, kpi: str, steps: int) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """A KPI as predicted some steps ahead and as it was, and the interval, by start."""
        last = self.run.n_intervals - 1
        target = np.arange(last) + steps
        inside = target <= last
        return (
            self.ahead[steps - 1][kind][kpi][inside],
            self.true[kind][kpi][target[inside]],
            target[inside],
        )


def roll_out(model: ExperimentModel, identity: Run, run: Trajectory, steps: int) -> Rolled:
    """Roll out from every interval of a run, with its controls, faults and open-loop traffic."""
    last = run.n_intervals - 1
    starts = np.arange(last)
    roll = Roll(model, moments_of(run, starts), identity[0])
    ahead = []
    for step in range(1, steps + 1):
        at = np.minimum(starts + step, last)
        moment = roll.step_as(run, at)
        ahead.append(moment.now | {"class": moment.of_class})
    return Rolled(identity, run, run.tables | {"class": class_table(run)}, ahead)


def runs_to_roll(
    folder: str | Path, steps: int, most: int = RUNS_PER_DATASET
) -> Iterator[tuple[Run, Trajectory]]:
    """Some runs of a dataset's test split: of each configuration one, as far as they go."""
    seen: set[str] = set()
    for identity, run in read_runs(Dataset.open(folder)):
        _, config, seed = identity
        if split_of(config, seed) == "test" and config not in seen and run.n_intervals > steps + 1:
            seen.add(config)
            yield identity, run
            if len(seen) == most:
                return


class Errors:
    """Errors of each KPI by steps ahead, all for the same intervals."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._squares: dict[tuple[str, str], list[tuple[Floats, Floats, float, int]]] = {}

    def add(self, rolled: Sequence[Rolled]) -> None:
        """Take the runs of one scenario in."""
        for kind, names in JUDGED.items():
            for kpi in names:
                if all(kpi in r.true[kind] and kpi in r.ahead[0][kind] for r in rolled):
                    self._add(rolled, kind, kpi)

    def _add(self, rolled: Sequence[Rolled], kind: str, kpi: str) -> None:
        mse, true = [], np.empty(0)
        for step in range(1, self.steps + 1):
            pairs = []
            for one in rolled:
                predicted, real, target = one.at(kind, kpi, step)
                same = target >= self.steps
                pairs.append((predicted[same].ravel(), real[same].ravel()))
            predicted, true = (np.concatenate(side) for side in zip(*pairs, strict=True))
            known = np.isfinite(true) & np.isfinite(predicted)
            mse.append(float(np.mean((predicted - true)[known] ** 2)) if known.any() else np.nan)
        every = [one.true[kind][kpi] for one in rolled]
        was = np.concatenate([values[: -self.steps].ravel() for values in every])
        now = np.concatenate([values[self.steps :].ravel() for values in every])
        persistence = np.nanmean((was - now) ** 2) if np.isfinite(was - now).any() else np.nan
        spread = float(np.nanvar(true)) if np.isfinite(true).any() else 0.0
        if spread > 1e-12 and np.isfinite(mse).all():
            found = np.array(mse) / spread, np.array(persistence / spread), spread, len(true)
            self._squares.setdefault((kind, kpi), []).append(found)

    def merge(self, other: Errors) -> None:
        """Take the errors of other scenarios in."""
        for kpi, found in other._squares.items():
            self._squares.setdefault(kpi, []).extend(found)

    @property
    def kpis(self) -> list[tuple[str, str]]:
        """Kind and name of those that were met."""
        return list(self._squares)

    def rows(self, kpi: tuple[str, str]) -> int:
        """Values that each figure is made from."""
        return sum(n for *_, n in self._squares[kpi])

    def nrmse(self, kpi: tuple[str, str]) -> Floats:
        """RMSE to the KPI's standard deviation in a scenario, by steps ahead, less one.

        The median over scenarios: in some, a KPI hardly varies.
        """
        return np.asarray(np.sqrt(np.median([mse for mse, *_ in self._squares[kpi]], axis=0)))

    def persistence(self, kpi: tuple[str, str]) -> float:
        """The same when the last KPI is taken to stay, all steps ahead."""
        return float(np.sqrt(np.nanmedian([p for _, p, *_ in self._squares[kpi]])))


class Networks:
    """Relative errors of whole networks: throughput, and mean latency weighted by it."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._errors: dict[tuple[str, int], list[tuple[Floats, Floats]]] = {}

    def add(self, one: Rolled) -> None:
        """Take a run in."""
        key = one.identity[0], one.run.network.n_cells
        figures = []
        for steps in (1, self._steps):
            windows: list[list[Floats]] = [[], []]
            for ahead in range(1, steps + 1):
                last = one.run.n_intervals - steps
                for side, source in enumerate((one.ahead[ahead - 1], one.true)):
                    at = slice(0, last) if side == 0 else slice(ahead, ahead + last)
                    table = source["network"]
                    windows[side].append(
                        np.stack([table["throughput_mbps"][at], table["latency_ms"][at]])
                    )
            figures.append(_relative(*(np.stack(side) for side in windows)))
        self._errors.setdefault(key, []).append((figures[0], figures[1]))

    def merge(self, other: Networks) -> None:
        """Take the errors of other runs in."""
        for key, found in other._errors.items():
            self._errors.setdefault(key, []).extend(found)

    def table(self) -> ReportTable:
        """Mean relative errors by scenario and number of cells."""
        what = [
            f"{kpi}, {n} ahead, %" for kpi in ("throughput", "latency") for n in (1, self._steps)
        ]
        columns = ("scenario", "cells", *what)
        rows = []
        for (scenario, cells), found in sorted(self._errors.items()):
            one, ten = (np.concatenate(side, axis=1) for side in zip(*found, strict=True))
            figures = (np.nanmean(side[i]) * 100 for i in (0, 1) for side in (one, ten))
            rows.append((scenario, cells, *(_rounded(f) for f in figures)))
        return ReportTable(columns=columns, rows=tuple(rows))


def _relative(predicted: Floats, true: Floats) -> Floats:
    """Relative errors of means over windows; shapes (steps, 2, starts, slices) to (2, starts)."""

    def means(values: Floats) -> Floats:
        mbps, ms = values[:, 0], values[:, 1]
        weight = np.where(np.isnan(ms), 0, mbps)
        delay = (np.nan_to_num(ms) * weight).sum((0, 2)) / np.maximum(weight.sum((0, 2)), 1e-9)
        return np.stack([mbps.mean(0).sum(-1), delay])

    found, real = means(predicted), means(true)
    return np.divide(abs(found - real), real, out=np.full_like(real, np.nan), where=real > 1e-6)


def roll_outs(
    model: ExperimentModel,
    folders: Sequence[str | Path],
    gates: Gates,
    *,
    jobs: int = 1,
    on_dataset: Callable[[str], None] | None = None,
) -> tuple[Section, list[GateResult]]:
    """Roll out over some runs that were kept apart; the report's section, and its gates.

    Args:
        model: that rolls.
        folders: of datasets.
        gates: what it must reach.
        jobs: datasets at the same time.
        on_dataset: told of each dataset that is done.
    """
    from joblib import Parallel, delayed

    steps = gates.rollout.steps
    parts = _Parts(steps)
    work = (delayed(_of_folder)(model, folder, steps) for folder in folders)
    done = Parallel(n_jobs=jobs, return_as="generator")(work)
    for folder, part in zip(folders, done, strict=True):
        parts.merge(part)
        if on_dataset:
            on_dataset(str(folder))
    return _section(parts), [_gate(gates, parts.errors, kpi) for kpi in parts.errors.kpis]


def _of_folder(model: ExperimentModel, folder: str | Path, steps: int) -> _Parts:
    parts, rolled = _Parts(steps), []
    for number, (identity, run) in enumerate(runs_to_roll(folder, steps)):
        rolled.append(one := roll_out(model, identity, run, steps))
        parts.networks.add(one)
        parts.responses.add(one)
        if number < DRAWN_RUNS:
            parts.ensembles.add(model, identity, run)
    if rolled:
        parts.errors.add(rolled)
    return parts


class _Parts:
    """All that is learned from roll-outs."""

    def __init__(self, steps: int) -> None:
        self.errors, self.networks = Errors(steps), Networks(steps)
        self.responses, self.ensembles = Responses(), Ensembles(steps)

    def merge(self, other: _Parts) -> None:
        self.errors.merge(other.errors)
        self.networks.merge(other.networks)
        self.responses.merge(other.responses)
        self.ensembles.merge(other.ensembles)


def _gate(gates: Gates, errors: Errors, kpi: tuple[str, str]) -> GateResult:
    limits, nrmse = gates.rollout, errors.nrmse(kpi)
    name = f"rollout/{kpi[0]}/{kpi[1]}"
    if errors.rows(kpi) < limits.least_rows:
        return GateResult(
            name=name,
            holds=None,
            why=f"too few values to judge: {errors.rows(kpi)}, and {limits.least_rows} are needed",
        )
    ratio = float(nrmse[-1] / nrmse[0])
    return GateResult(
        name=name,
        value=ratio,
        high=limits.most_ratio,
        unit="x one step",
        holds=ratio <= limits.most_ratio,
        why=(
            f"{limits.steps} steps ahead the error is {nrmse[-1]:.3f} standard deviations, "
            f"one step ahead {nrmse[0]:.3f}"
        ),
    )


def _section(parts: _Parts) -> Section:
    errors, networks, responses = parts.errors, parts.networks, parts.responses
    steps = errors.steps
    shown = sorted({1, 2, min(5, steps), steps})
    columns = ("KPI", *(f"{s} ahead" for s in shown), "ratio", f"persistence, {steps} ahead")
    rows = []
    for kpi in errors.kpis:
        nrmse = errors.nrmse(kpi)
        figures = [*(nrmse[s - 1] for s in shown), nrmse[-1] / nrmse[0], errors.persistence(kpi)]
        rows.append(("/".join(kpi), *(_rounded(f) for f in figures)))
    growth = Plot(
        title="Error of roll-outs",
        x_label="steps ahead",
        y_label="RMSE / standard deviation",
        lines=tuple(
            Line(name=name, x=tuple(range(1, steps + 1)), y=tuple(map(float, errors.nrmse(kpi))))
            for kpi in errors.kpis
            if (name := "/".join(kpi)) in DRAWN
        ),
    )
    tables, plots = responses.shown()
    return Section(
        key="rollouts",
        title="Roll-outs",
        text=(
            "The model runs on from what it has predicted, from every interval of some runs that "
            "were kept apart, with the controls, faults and open-loop traffic of the run. Errors "
            "are to the standard deviation of the KPI in its scenario, the median over scenarios, "
            "for the same intervals at all horizons. Whole networks: relative error of "
            "their throughput and mean latency, averaged over the roll-out. Drawn roll-outs: "
            f"{DRAWS} of them from one start, beside what NS-3 did. Responses: averages over all "
            "events of a kind, NS-3 beside a roll-out that starts in the interval before."
        ),
        tables=(
            ReportTable(columns=columns, rows=tuple(rows)),
            networks.table(),
            parts.ensembles.table(),
            *tables,
        ),
        plots=(growth, *plots),
    )


def _rounded(figure: float) -> float | None:
    return round(float(figure), 3) if np.isfinite(figure) else None
