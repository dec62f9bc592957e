# SPDX-License-Identifier: Apache-2.0
"""Fits a model anew with runs that are chosen for it and with episodes that agents played: `refit`.

What is simulated lies in a folder beside the new model, `NEW-traces`: a dataset for each dataset
that candidates came from, one for the episodes of each scenario, and `refit.json`, which says what
was chosen in which round and what came of it. The same call goes on from there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import FiniteFloat, NonNegativeInt

from calibration.acquisition import (
    choose,
    describe_run,
    descriptor_matrix,
    expected,
    held_out_errors,
    variances,
)
from calibration.calibrating import fit_to_roll, judged_and_written
from calibration.fitting import Fitted, Settings, fit, fitted_card
from calibration.samples import Samples, concatenated, joined, samples_of_datasets, split_of
from calibration.targets import TARGETS
from calibration.validation import ValidationReport
from calibration.validation.report import Line, Part, Plot, Section, Table
from experiment_model import ExperimentModel, Transforms
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.episode import Episode, load_episodes, replay
from ns3_scenarios.errors import DatasetError, UserError
from ns3_scenarios.library import parse_model
from ns3_scenarios.storage import MANIFEST, read_json, write_json
from ns3_scenarios.sweeps import Point, Progress, Run, SweepSpec, parse_spec, plan, spec_of, sweep

STATE = "refit.json"
ROUNDS = 3
TRAINING_SEEDS = range(1, 51)
CANDIDATES_PER_RUN = 6
"""Candidates for each run of the budget, of which about 30 % are not fitted on and left out."""
LEAST_CANDIDATES = 30
HELD_OUT_SHARE = 0.2
"""Of the episodes, which tell what the others are worth."""
EPISODE_SHARE = 0.2
"""Of the rows of a kind in a scenario, that episodes have in the fit."""
MOST_REPEATS = 20

OnStep = Callable[[str], None]
OnRuns = Callable[[int, int], None]


class Chosen(Part):
    """A run that was chosen."""

    dataset: str
    point: Point


class Round(Part):
    """One round of choosing, simulating and fitting."""

    chosen: tuple[Chosen, ...]
    errors: dict[str, FiniteFloat] | None = None
    """On the test seeds, by kind; null while the round is not over."""


class State(Part):
    """What `refit.json` says."""

    format: Literal["sixg-refit"] = "sixg-refit"
    model: str
    """SHA-256 of the `model.json` that is fitted anew."""
    datasets: dict[str, str]
    """SHA-256 of each manifest, by name."""
    before: dict[str, FiniteFloat]
    """Errors of that model on the test seeds, by kind."""
    rounds: tuple[Round, ...] = ()


class RoundReport(Part):
    """Errors after a round."""

    training_runs: NonNegativeInt
    error: float
    """Root of the squared error over the variance of the KPI, on the scale z on which trees learn;
    mean over the KPIs of a kind, and over kinds."""
    errors: dict[str, float]
    """By kind."""


class EpisodesReport(Part):
    """What episodes did to the error on those of them that were held out."""

    held_out: NonNegativeInt
    before: dict[str, float]
    after: dict[str, float]


class RefitReport(Part):
    """What a refit has done."""

    format: Literal["sixg-refit-report"] = "sixg-refit-report"
    model: str
    simulated: NonNegativeInt
    """Runs of the budget."""
    rounds: tuple[RoundReport, ...]
    """The first is of the model as it was."""
    episodes: EpisodesReport | None = None
    gates_passed: bool


@dataclass(frozen=True)
class Refitted:
    """A refit, and the verdict on the model that it made."""

    report: RefitReport
    validation: ValidationReport


def refit(
    model: str | Path,
    folders: Sequence[str | Path],
    out: str | Path,
    *,
    budget: int = 0,
    episodes: Sequence[str | Path] = (),
    rounds: int = ROUNDS,
    jobs: int = 1,
    settings: Settings | None = None,
    on_step: OnStep | None = None,
    on_runs: OnRuns | None = None,
) -> Refitted:
    """Fit a model anew with more runs: chosen ones, played ones, or both.

    In each round, quick models that lack a part of the runs say how wrong they are about it, a
    forest carries that over to candidates, and those are taken of which the product of expected
    error and distance from all others is the largest (`calibration.acquisition`). Candidates are
    further points of the design of each dataset, of those configurations that the split fits on:
    what is kept apart for stopping and for intervals stays as the design has it, so that intervals
    hold for it. Seeds are those of training.

    Episodes are replayed and split like all configurations; of a fifth of them, but not of those
    that are fitted on while there are others, nothing is used but the error before and after. In
    the fit, rows of the others count so often that they are a fifth of their scenario.

    Args:
        model: folder of the model that is fitted anew.
        folders: the datasets that it was fitted on; further ones are added.
        out: folder of the new model.
        budget: runs to simulate.
        episodes: folders of episodes.
        rounds: in which the budget is spent.
        jobs: simulations at the same time.
        settings: hyper-parameters of the fit.
        on_step: told what is being done.
        on_runs: told of runs that are simulated, done and in all.

    Raises:
        DatasetError: a dataset of the model is missing or not what it was; an episode cannot be
            used; or the folder of the runs belongs to another refit.
        SixgError: what `sweep` and `calibrate` raise.
    """
    if Path(out).resolve() == Path(model).resolve():
        raise UserError(f"out={out} is the model that is fitted anew; choose another folder")
    work = _Refit(model, folders, Path(out), settings or Settings(), jobs, on_step, on_runs)
    played = [episode for folder in episodes for episode in _training_episodes(folder)]
    if budget < 0 or rounds < 1:
        raise UserError(f"budget={budget} and rounds={rounds} must be 0 or more, and 1 or more")
    if not (budget or played or work.further):
        raise UserError(
            "there is nothing to fit anew with: give a budget, episodes, or further datasets"
        )
    return work.run(budget, played, min(rounds, max(budget, 1)))


def check_datasets(model: ExperimentModel, folders: Iterable[str | Path]) -> dict[str, str]:
    """Make sure that the datasets of a model are all there and as they were.

    Returns:
        SHA-256 of each manifest, by name of the dataset; further datasets among them.

    Raises:
        DatasetError: one is missing, is another one, or has the name of another one.
    """
    found: dict[str, str] = {}
    for folder in folders:
        path = Dataset.open(folder).path
        name = path.resolve().name
        if name in found:
            raise DatasetError(f"two datasets are called {name!r}; give each a name of its own")
        found[name] = hashlib.sha256((path / MANIFEST).read_bytes()).hexdigest()
    for name, digest in model.card.data.datasets.items():
        if name not in found:
            raise DatasetError(
                f"dataset {name!r}, on which the model was fitted, is missing; a refit needs "
                f"{', '.join(model.card.data.datasets)}"
            )
        if found[name] != digest:
            raise DatasetError(
                f"dataset {name!r} is not what the model was fitted on: its manifest has the "
                f"SHA-256 {found[name][:12]}…, where the model's card says {digest[:12]}…"
            )
    return found


def _training_episodes(folder: str | Path) -> list[Episode]:
    episodes = load_episodes(folder)
    for episode in episodes:
        if split_of(episode.key, episode.seed) == "test":
            raise DatasetError(
                f"{folder}: an episode of {episode.scenario.name} has seed={episode.seed}, which "
                "is kept for tests (51-80); play episodes with seeds from 1 to 50"
            )
    return episodes


def relative_errors(model: ExperimentModel, samples: Mapping[str, Samples]) -> dict[str, float]:
    """Errors of a model on some rows, by kind; see `RoundReport.error`."""
    found = {}
    for kind, every in samples.items():
        if kind not in model.kinds or not len(every):
            continue
        spec = model.spec.kinds[kind]
        names = [target.name for target in TARGETS[kind]]
        columns = [names.index(kpi.name) for kpi in spec.kpis]
        transforms = Transforms(spec.kpis, [feature.name for feature in spec.features])
        rows = dict(zip(every.features, every.x.T, strict=True))
        z = model.predict(kind, rows).z
        squared = (transforms.to_z(every.y[:, columns].astype(float)) - z) ** 2
        with np.errstate(all="ignore"):
            share = squared / variances(every)[:, columns]
        known = np.isfinite(share)
        there = known.any(axis=0)
        means = np.where(known, share, 0).sum(axis=0)[there] / known.sum(axis=0)[there]
        found[kind] = float(np.sqrt(means).mean())
    return found


class _Refit:
    """One refit, from what is there to the new model."""

    def __init__(
        self,
        model: str | Path,
        folders: Sequence[str | Path],
        out: Path,
        settings: Settings,
        jobs: int,
        on_step: OnStep | None,
        on_runs: OnRuns | None,
    ) -> None:
        self._model = ExperimentModel.load(model)
        self._digests = check_datasets(self._model, folders)
        self.further = set(self._digests) - set(self._model.card.data.datasets)
        self._folders = [Path(folder) for folder in folders]
        self._out, self._settings, self._jobs = out, settings, jobs
        self._traces = out.with_name(f"{out.name}-traces")
        self._say: OnStep = on_step or (lambda _: None)
        self._on_runs: OnRuns = on_runs or (lambda done, total: None)
        self._total = self._done = self._n_episodes = 0
        text = (Path(model) / "model.json").read_bytes()
        self._digest = hashlib.sha256(text).hexdigest()
        self._specs: dict[str, SweepSpec] = {}
        self._described: dict[tuple[str, str, int], dict[str, float]] = {}

    def run(self, budget: int, played: Sequence[Episode], rounds: int) -> Refitted:
        """Do it."""
        self._n_episodes = len({e.key for e in played})
        self._total = budget + self._n_episodes
        self._say("reading traces")
        given = self._of_model(
            samples_of_datasets(
                self._folders, jobs=self._jobs, on_dataset=lambda name: self._say(f"read {name}")
            )
        )
        tests = {kind: every.in_split("test") for kind, every in given.items()}
        if not any(map(len, tests.values())):
            raise DatasetError(
                "there are no runs with test seeds (51-80) in the datasets, so that nothing would "
                "say what a refit is worth"
            )
        state = self._state(tests)
        replayed, held_out = self._replayed(played)
        reports = [self._round_report(given, state.before)]
        number = 0
        while not number or number < len(state.rounds) or _spent(state.rounds) < budget:
            if number == len(state.rounds):
                size = min(-(-budget // rounds), budget - _spent(state.rounds))
                this = Round(chosen=self._choose(given, state, size))
                state = self._kept(state, number, this)
            this = state.rounds[number]
            samples = joined(given, self._simulated(state, number + 1))
            if this.errors is None:
                fitted = self._fit(samples, replayed)
                errors = relative_errors(fitted.model(), tests)
                this = Round(chosen=this.chosen, errors=errors)
                state = self._kept(state, number, this)
            reports.append(self._round_report(samples, this.errors or {}, replayed))
            number += 1
            self._say(f"round {number}: error {reports[-1].error:.3f} on the test seeds")
        fitted = self._fit(samples, replayed, to_roll=True)
        return self._finished(fitted, samples, reports, held_out, _spent(state.rounds))

    def _of_model(self, samples: Mapping[str, Samples]) -> dict[str, Samples]:
        """Rows of the kinds that the model has; the new one has no others."""
        found = {kind: every for kind, every in samples.items() if kind in self._model.kinds}
        if not found:
            raise DatasetError(
                f"the model knows {', '.join(self._model.kinds)}, and there are only rows of "
                f"{', '.join(samples)}"
            )
        return found

    def _kept(self, state: State, number: int, this: Round) -> State:
        """The state with a round in its place, on disk as well."""
        rounds = (*state.rounds[:number], this, *state.rounds[number + 1 :])
        state = state.model_copy(update={"rounds": rounds})
        self._write(state)
        return state

    def _state(self, tests: Mapping[str, Samples]) -> State:
        """What an earlier call left, or a new state.

        Raises:
            DatasetError: it was another refit's.
        """
        path = self._traces / STATE
        if path.exists():
            state = parse_model(State, read_json(path), str(path), DatasetError)
            if (state.model, state.datasets) != (self._digest, self._digests):
                raise DatasetError(
                    f"{self._traces} belongs to the refit of another model or of other datasets; "
                    "choose another --out, or delete the folder"
                )
            return state
        state = State(
            model=self._digest,
            datasets=self._digests,
            before=relative_errors(self._model, tests),
        )
        self._write(state)
        return state

    def _write(self, state: State) -> None:
        write_json(self._traces / STATE, state.model_dump(mode="json"))

    def _round_report(
        self,
        samples: Mapping[str, Samples],
        errors: Mapping[str, float],
        replayed: Mapping[str, Samples] | None = None,
    ) -> RoundReport:
        data = fitted_card(joined(samples, replayed or {})).data
        mean = float(np.mean(list(errors.values())))
        return RoundReport(training_runs=data.runs, error=mean, errors=dict(errors))

    def _choose(self, given: Mapping[str, Samples], state: State, size: int) -> tuple[Chosen, ...]:
        """The runs of the next round."""
        if not size:
            return ()
        before = [one for each in state.rounds for one in each.chosen]
        samples = joined(given, self._simulated(state, len(state.rounds)))
        pool = self._candidates(before, max(LEAST_CANDIDATES, CANDIDATES_PER_RUN * size))
        if len(pool) < size:
            raise UserError(
                f"budget: only {len(pool)} candidates are left for {size} runs; a refit needs "
                "datasets of sweeps that vary something"
            )
        self._say("looking for what the model does not know")
        self._describe_known(before)
        held_out = held_out_errors(
            samples, threads=self._settings.threads, seed=len(before), on_step=self._say
        )
        known = [run for run in held_out if run in self._described]
        described = [self._described[run] for run in known]
        described += [describe_run(run.config.scenario, run.schedule, run.seed) for _, run in pool]
        matrix = descriptor_matrix(described)
        simulated, free = matrix[: len(known)], matrix[len(known) :]
        errors = np.array([held_out[run].error for run in known])
        weight = expected(simulated, errors, free)
        taken = choose("error_novelty", free, simulated, size, weight=weight)
        return tuple(
            Chosen(
                dataset=pool[i][0],
                point=Point(seed=pool[i][1].seed, values=pool[i][1].config.values),
            )
            for i in taken
        )

    def _candidates(self, before: Sequence[Chosen], most: int) -> list[tuple[str, Run]]:
        """Runs that could be simulated, each with the dataset whose design it belongs to.

        Their number is shared out as the configurations of the designs are.
        """
        self._read_specs()
        seen = {
            key for folder in self._folders for key in Dataset.open(folder).manifest.configs
        } | {run.config.key for name in self._specs for run in self._listed(name, before)}
        sizes = {name: spec.n_configs or 0 for name, spec in self._specs.items()}
        found = []
        for name, spec in self._specs.items():
            more = max(1, round(most * sizes[name] / sum(sizes.values())))
            self._say(f"candidates of {name}")
            wider = spec.model_copy(
                update={
                    "n_configs": sizes[name] + len(before) + more,
                    "seeds": tuple(TRAINING_SEEDS),
                    "seeds_per_config": 1,
                }
            )
            found += [
                (name, run)
                for run in plan(wider).runs
                if run.config.key not in seen and split_of(*run.id) == "fit"
            ]
        return found

    def _read_specs(self) -> None:
        """Of the datasets whose design can be made larger."""
        for folder in self._folders:
            dataset = Dataset.open(folder)
            name = dataset.path.resolve().name
            if name in self._specs or dataset.manifest.spec is None:
                continue
            spec = spec_of(dataset.manifest)
            if spec.vary and spec.design != "grid":
                self._specs[name] = spec

    def _listed(self, name: str, chosen: Iterable[Chosen]) -> tuple[Run, ...]:
        spec = self._listed_spec(name, chosen)
        return plan(spec).runs if spec else ()

    def _listed_spec(self, name: str, chosen: Iterable[Chosen]) -> SweepSpec | None:
        """The sweep of what was chosen of a dataset's design."""
        points = [one.point for one in chosen if one.dataset == name]
        if not points:
            return None
        said = self._specs[name].model_dump(
            mode="json", exclude={"vary", "n_configs", "seeds", "seeds_per_config", "points"}
        )
        return parse_spec(
            {
                **said,
                "description": f"Runs that were chosen from the design of {name}.",
                "design": "listed",
                "points": [point.model_dump(mode="json") for point in points],
            }
        )

    def _dataset_of(self, name: str) -> Path:
        return self._traces / f"{name}-for-{self._out.name}"

    def _simulated(self, state: State, rounds: int) -> dict[str, Samples]:
        """Rows of the runs that the first rounds chose, once those of all rounds are simulated."""
        chosen = [one for each in state.rounds for one in each.chosen]
        if not chosen:
            return {}
        self._read_specs()
        mine = [one for each in state.rounds[:rounds] for one in each.chosen]
        keys, folders, before = set(), [], self._n_episodes
        for name in dict.fromkeys(one.dataset for one in chosen):
            folder, spec = self._dataset_of(name), self._listed_spec(name, chosen)
            assert spec is not None
            self._say(f"simulating runs of {name}")
            sweep(spec, folder, self._jobs, self._progress(before))
            before += len(spec.points)
            folders.append(folder)
            keys |= {run.config.key for run in self._listed(name, mine)}
        return _of_configs(samples_of_datasets(folders, jobs=self._jobs), keys)

    def _progress(self, before: int) -> Callable[[Progress], None]:
        def tell(progress: Progress) -> None:
            if progress.message:
                self._say(progress.message)
            self._done = max(self._done, before + progress.done)
            self._on_runs(self._done, self._total)

        return tell

    def _describe_known(self, before: Sequence[Chosen]) -> None:
        """Descriptors of all runs of training seeds that are simulated."""
        folders = [*self._folders, *(self._dataset_of(n) for n in {b.dataset for b in before})]
        for folder in folders:
            dataset = Dataset.open(folder)
            for row in dataset.runs.select(["config", "seed", "schedule"]).to_pylist():
                config, seed = row["config"], row["seed"]
                if split_of(config, seed) == "test":
                    continue
                scenario = dataset.scenario(config)
                identity = scenario.name, config, seed
                if identity not in self._described:
                    changes = [ControlChange(**change) for change in json.loads(row["schedule"])]
                    self._described[identity] = describe_run(scenario, tuple(changes), seed)

    def _replayed(self, played: Sequence[Episode]) -> tuple[dict[str, Samples], dict[str, Samples]]:
        """Rows of the episodes that are used, and of those that are held out."""
        if not played:
            return {}, {}
        by_scenario: dict[str, list[Episode]] = {}
        for episode in played:
            by_scenario.setdefault(episode.scenario.name, []).append(episode)
        before, folders = 0, []
        for name, episodes in by_scenario.items():
            folder = self._traces / f"episodes-{name}-for-{self._out.name}"
            self._say(f"replaying episodes of {name}")
            before += len(replay(episodes, folder, self._jobs, self._progress(before)))
            folders.append(folder)
        samples = self._of_model(samples_of_datasets(folders, jobs=self._jobs))
        held_out = _held_out(played)
        used = {episode.key for episode in played} - held_out
        return _of_configs(samples, used), _of_configs(samples, held_out)

    def _fit(
        self,
        samples: Mapping[str, Samples],
        replayed: Mapping[str, Samples],
        *,
        to_roll: bool = False,
    ) -> Fitted:
        """Fit with episodes at their weight, and say in the card what the rows are."""
        weighted = {
            kind: _favoured(every, replayed[kind]) if kind in replayed else every
            for kind, every in samples.items()
        }
        fitted = (
            fit_to_roll(weighted, self._all_folders(), self._settings, jobs=self._jobs,
                        on_step=self._say)
            if to_roll
            else fit(weighted, self._settings, self._say)
        )  # fmt: skip
        data = fitted_card(joined(samples, replayed)).data
        card = fitted.spec.card.model_copy(update={"data": data})
        return Fitted(fitted.spec.model_copy(update={"card": card}), fitted.boosters)

    def _all_folders(self) -> list[Path]:
        made = sorted(path.parent for path in self._traces.glob(f"*/{MANIFEST}"))
        return [*self._folders, *made]

    def _finished(
        self,
        fitted: Fitted,
        samples: Mapping[str, Samples],
        reports: Sequence[RoundReport],
        held_out: Mapping[str, Samples],
        simulated: int,
    ) -> Refitted:
        """Write the model with its verdict."""
        validation = judged_and_written(
            fitted, self._out, samples, self._all_folders(), jobs=self._jobs, on_step=self._say
        )
        episodes = None
        if held_out:
            after = ExperimentModel.load(self._out)
            episodes = EpisodesReport(
                held_out=_n_runs(held_out),
                before=relative_errors(self._model, held_out),
                after=relative_errors(after, held_out),
            )
        report = RefitReport(
            model=self._out.name,
            simulated=simulated,
            rounds=tuple(reports),
            episodes=episodes,
            gates_passed=validation.passed,
        )
        return Refitted(report, validation.extended(_section(report)))


def _spent(rounds: Sequence[Round]) -> int:
    return sum(len(each.chosen) for each in rounds)


def _of_configs(samples: Mapping[str, Samples], configs: set[str]) -> dict[str, Samples]:
    """Rows of some configurations; kinds without any are left out."""
    found = {}
    for kind, every in samples.items():
        mine = np.array([config in configs for _, config, _ in every.runs])[every.run]
        if mine.any():
            found[kind] = every.where(mine)
    return found


def _held_out(played: Sequence[Episode]) -> set[str]:
    """Keys of the episodes that nothing is fitted on; none of a single one."""
    keys = sorted(
        {e.key: e.seed for e in played}.items(), key=lambda item: (split_of(*item) == "fit", item)
    )
    count = int(np.ceil(HELD_OUT_SHARE * len(keys))) if len(keys) > 1 else 0
    return {key for key, _ in keys[:count]}


def _favoured(samples: Samples, replayed: Samples) -> Samples:
    """Samples with those of episodes, so often that they are a fifth of their scenario."""
    scenarios = np.unique(replayed.scenario)
    others = int(np.isin(samples.scenario, scenarios).sum())
    wanted = EPISODE_SHARE / (1 - EPISODE_SHARE) * others / len(replayed)
    repeats = int(np.clip(np.ceil(wanted), 1, MOST_REPEATS))
    return concatenated([samples, *[replayed] * repeats])


def _n_runs(samples: Mapping[str, Samples]) -> int:
    return len({every.runs[r] for every in samples.values() for r in np.unique(every.run).tolist()})


def _section(report: RefitReport) -> Section:
    """What a page shows of a refit."""
    kinds = list(report.rounds[0].errors)
    rows = [
        (str(number), float(r.training_runs), r.error, *(r.errors.get(kind) for kind in kinds))
        for number, r in enumerate(report.rounds)
    ]
    tables = [Table(columns=("round", "training runs", "all kinds", *kinds), rows=tuple(rows))]
    text = (
        "Error on the test seeds after each round of chosen simulations: root of the squared "
        "error over the variance of the KPI, on the scale on which trees learn, mean over KPIs."
    )
    if report.episodes:
        text += f" Below, the error on {report.episodes.held_out} episodes that were held out."
        tables.append(
            Table(
                columns=("kind", "before", "after"),
                rows=tuple(
                    (kind, before, report.episodes.after.get(kind))
                    for kind, before in report.episodes.before.items()
                ),
            )
        )
    x = tuple(float(r.training_runs) for r in report.rounds)
    plot = Plot(
        title="Error by number of simulations",
        x_label="training runs",
        y_label="relative error",
        lines=tuple(
            Line(name=kind, x=x, y=tuple(r.errors.get(kind) for r in report.rounds))
            for kind in kinds
        ),
    )
    return Section(key="refit", title="Refit", text=text, tables=tuple(tables), plots=(plot,))
