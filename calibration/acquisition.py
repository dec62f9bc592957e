# SPDX-License-Identifier: Apache-2.0
"""Which runs to simulate next, judged before they are simulated.

Of a run that is not simulated yet, its scenario, its schedule and its faults are known: its
descriptors (`describe_run`). Quick models that are fitted without a part of the runs each say how
wrong they are about the others, and how far they disagree (`held_out_errors`). A random forest
carries that over to candidates (`expected`), and `choose` takes a batch of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.ensemble import RandomForestRegressor
from sklearn.preprocessing import StandardScaler

from calibration.boosting import BoostingSettings
from calibration.checks import Run
from calibration.fitting import Settings, mean_residuals
from calibration.samples import Samples, split_of
from calibration.targets import TARGETS
from experiment_model import Transforms
from ns3_scenarios.controls import ControlState, Schedule
from ns3_scenarios.scenario import ScenarioConfig

Floats = NDArray[np.float64]
Strategy = Literal["random", "novelty", "error", "disagreement", "error_novelty"]

FOLDS = 3
QUICK = BoostingSettings(max_depth=5, n_rounds=30, learning_rate=0.25)
QUICK_ROWS = 15_000
"""Of a kind, that a quick model is fitted on."""
TREES = 200
WIDE_SPAN = 10
"""A positive descriptor whose values differ by more than this factor counts by its logarithm."""
LEAST = 1e-6


def describe_run(scenario: ScenarioConfig, schedule: Schedule, seed: int) -> dict[str, float]:
    """What is known of a run before it is simulated, as numbers by name.

    Every number of the scenario; for each class of controls the mean of its values over time and
    elements, and the share of time in which elements are not as the scenario has them; the changes
    per interval; and the share of time with a fault of each kind.
    """
    found = {f"scenario.{scenario.name}": 1.0}
    tree = scenario.model_dump(mode="json", exclude={"faults", "description"})
    found |= {f"scenario.{path}": value for path, value in _numbers(tree)}
    for fault in scenario.all_faults(seed):
        share = (min(fault.end_s, scenario.duration_s) - fault.start_s) / scenario.duration_s
        name = f"faults.{fault.kind}"
        found[name] = found.get(name, 0.0) + max(share, 0.0)
    found["changes_per_interval"] = len(schedule) / scenario.n_intervals
    return found | _controls_over_time(scenario, schedule)


def _numbers(node: Any, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(node, dict):
        for name, child in node.items():
            yield from _numbers(child, f"{path}.{name}" if path else name)
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from _numbers(child, f"{path}.{index}")
    elif isinstance(node, bool | int | float):
        yield path, float(node)


def _controls_over_time(scenario: ScenarioConfig, schedule: Schedule) -> dict[str, float]:
    state = ControlState.initial(scenario)
    initial = {path: state.get(path) for path in state.paths()}
    now, since = dict(initial), dict.fromkeys(initial, 0)
    value_time = dict.fromkeys(initial, 0.0)
    moved_time = dict.fromkeys(initial, 0.0)

    def pass_time(path: str, until: int) -> None:
        span = until - since[path]
        if isinstance(now[path], bool | int | float):
            value_time[path] += span * float(now[path])
        moved_time[path] += span * (now[path] != initial[path])
        since[path] = until

    for change in schedule:
        for path in [change.path] if change.path in now else state.expand(change.path):
            if path in now:
                pass_time(path, change.interval)
                now[path] = change.value
    elements = {*scenario.cell_ids, *(s.name for s in scenario.slices)}
    classes: dict[str, list[str]] = {}
    for path in initial:
        pass_time(path, scenario.n_intervals)
        section, _, *rest = path.split(".")
        kind = ".".join([section, *(part for part in rest if part not in elements)])
        classes.setdefault(kind, []).append(path)
    found = {}
    for kind, paths in classes.items():
        per = scenario.n_intervals * len(paths)
        found[f"{kind}.mean"] = sum(value_time[p] for p in paths) / per
        found[f"{kind}.moved"] = sum(moved_time[p] for p in paths) / per
    return found


def descriptor_matrix(described: Sequence[Mapping[str, float]]) -> Floats:
    """Descriptors of several runs side by side, standardised, without those that are all equal.

    Args:
        described: by run; what one of them does not say is 0.

    Returns:
        Shape (runs, descriptors).
    """
    names = sorted({name for one in described for name in one})
    values = np.array([[one.get(name, 0.0) for name in names] for one in described])
    values = values[:, np.ptp(values, axis=0) > 0]
    low, high = values.min(axis=0), values.max(axis=0)
    wide = (low > 0) & (high > WIDE_SPAN * low)
    values[:, wide] = np.log(values[:, wide])
    return np.asarray(StandardScaler().fit_transform(values))


@dataclass(frozen=True)
class HeldOut:
    """What quick models say of a run that they were not fitted on."""

    error: float
    """Squared error over the variance of the KPI in the scenario, on the scale z on which trees
    learn; mean over rows, then KPIs, then kinds."""
    disagreement: float
    """Variance between the quick models, likewise."""


def held_out_errors(
    samples: Mapping[str, Samples],
    *,
    kinds: Iterable[str] | None = None,
    boosting: BoostingSettings = QUICK,
    rows: int = QUICK_ROWS,
    threads: int = 0,
    seed: int = 0,
    on_step: Callable[[str], None] | None = None,
) -> dict[Run, HeldOut]:
    """Errors on runs of training seeds, each by quick models that were fitted without it.

    The configurations that are fitted on are dealt out to `FOLDS` parts, and each quick model lacks
    one of them. Those that are kept apart for early stopping and for the conformal correction are
    new to all. Test seeds are not looked at.

    Raises:
        DatasetError: there are too few configurations.
    """
    errors: dict[Run, list[float]] = {}
    spreads: dict[Run, list[float]] = {}
    for kind in kinds or samples:
        every = samples[kind].in_split("fit", "stop", "conformal")
        fold = _folds(every, seed)
        settings = Settings({kind: boosting}, seed, threads, max_rows=rows)
        residuals = np.stack(
            [
                mean_residuals(kind, every.where(fold != number), every, settings)
                for number in range(FOLDS)
            ]
        )
        if on_step:
            on_step(f"{kind}: errors on runs that were left out")
        unseen = (np.arange(FOLDS)[:, None] == fold) | (fold == -1)
        squared = np.sum(residuals**2 * unseen[..., None], axis=0) / unseen.sum(axis=0)[:, None]
        scale = variances(every)
        for found, values in ((errors, squared), (spreads, residuals.var(axis=0))):
            for identity, value in _by_run(every, values / scale).items():
                found.setdefault(identity, []).append(value)
    return {
        identity: HeldOut(float(np.mean(errors[identity])), float(np.mean(spreads[identity])))
        for identity in errors
    }


def _folds(samples: Samples, seed: int) -> NDArray[np.int64]:
    """The part in which each row's configuration is; -1 if it is never fitted on."""
    fitted = sorted({c for _, c, s in samples.runs if split_of(c, s) == "fit"})
    order = np.random.default_rng(seed).permutation(len(fitted))
    part = {config: int(place) % FOLDS for config, place in zip(fitted, order, strict=True)}
    return np.array([part.get(c, -1) for _, c, _ in samples.runs], np.int64)[samples.run]


def variances(samples: Samples) -> Floats:
    """Variance of z of each row's KPIs over its scenario, shape of y; NaN where it is 0."""
    names, of_row = np.unique(samples.scenario, return_inverse=True)
    table = np.full((len(names), samples.y.shape[1]), np.nan)
    kpis = [target.kpi() for target in TARGETS[samples.kind]]
    for k, z in enumerate(Transforms(kpis, samples.features).to_z(samples.y).T):
        for index in range(len(names)):
            known = z[(of_row == index) & np.isfinite(z)]
            if len(known) and (variance := float(known.var())) > 0:
                table[index, k] = variance
    return np.asarray(table[of_row])


def _by_run(samples: Samples, values: Floats) -> dict[Run, float]:
    """Mean over rows, then over KPIs, of each run that has any."""
    known = np.isfinite(values)
    n_runs = len(samples.runs)
    sums = np.zeros((n_runs, values.shape[1]))
    counts = np.zeros((n_runs, values.shape[1]))
    np.add.at(sums, samples.run, np.where(known, values, 0))
    np.add.at(counts, samples.run, known)
    found = {}
    for index in np.unique(samples.run):
        there = counts[index] > 0
        if there.any():
            found[samples.runs[index]] = float(np.mean(sums[index, there] / counts[index, there]))
    return found


@dataclass(frozen=True)
class Expected:
    """What is expected of candidates."""

    value: Floats
    """Shape (candidates,)."""
    importance: Floats
    """How much each descriptor tells about it, shape (descriptors,); together 1."""


def expected(known: Floats, values: Floats, pool: Floats, *, seed: int = 0) -> Expected:
    """Carry a positive figure of simulated runs over to candidates, by a random forest.

    Args:
        known: descriptors of simulated runs, shape (runs, descriptors).
        values: the figure of each of these runs, such as its error.
        pool: descriptors of the candidates.
        seed: of the forest.
    """
    forest = RandomForestRegressor(TREES, min_samples_leaf=2, max_features=0.5, random_state=seed)
    forest.fit(known, np.log(values + LEAST))
    return Expected(np.exp(forest.predict(pool)), forest.feature_importances_)


def choose(
    strategy: Strategy,
    pool: Floats,
    known: Floats,
    n: int,
    *,
    weight: Expected | None = None,
    seed: int = 0,
) -> list[int]:
    """A batch of candidates.

    - `random`: any.
    - `novelty`: each the farthest from all known and chosen ones (greedy k-centre; Sener and
      Savarese, ICLR 2018).
    - `error`, `disagreement`: drawn with a probability in proportion to the expected error or
      disagreement (root of the square), so that a batch spreads as the errors do (Neyman's
      allocation; Kirsch et al., "Stochastic batch acquisition", TMLR 2023).
    - `error_novelty`: each the one with the largest product of expected error and distance from all
      known and chosen ones; descriptors count for as much as they tell about the error.

    Args:
        strategy: see above.
        pool: descriptors of the candidates.
        known: descriptors of the runs that are there.
        n: size of the batch; all candidates if there are no more.
        weight: expected squared error or disagreement of the candidates, for the last three.
        seed: of what is drawn.

    Returns:
        Indices of candidates, in the order in which they were taken.
    """
    n = min(n, len(pool))
    random = np.random.default_rng(seed)
    if strategy == "random":
        return [int(i) for i in random.permutation(len(pool))[:n]]
    if strategy in ("error", "disagreement"):
        assert weight is not None
        # The n largest of log-weights plus Gumbel noise are n draws without replacement.
        keys = 0.5 * np.log(weight.value + LEAST) + random.gumbel(size=len(pool))
        return [int(i) for i in np.argsort(-keys)[:n]]
    worth = np.ones(len(pool))
    if strategy == "error_novelty":
        assert weight is not None
        worth = np.sqrt(weight.value)
        scale = np.sqrt(weight.importance * len(weight.importance))
        pool, known = pool * scale, known * scale
    nearest = cdist(pool, known).min(axis=1)
    taken: list[int] = []
    for _ in range(n):
        gain = worth * nearest
        gain[taken] = -1
        taken.append(int(np.argmax(gain)))
        nearest = np.minimum(nearest, cdist(pool, pool[taken[-1:]])[:, 0])
    return taken
