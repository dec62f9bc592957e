# SPDX-License-Identifier: Apache-2.0
"""A refit from what is there to the new model, in rounds: `refit`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.calibrating import fit_to_roll, judged_and_written
from calibration.fitting import Fitted, Settings, fit, fitted_card
from calibration.refitting.choosing import Chooser
from calibration.refitting.datasets import check_datasets
from calibration.refitting.designs import Designs
from calibration.refitting.episodes import training_episodes, with_episodes
from calibration.refitting.report import (
    EpisodesReport,
    RefitReport,
    RoundReport,
    relative_errors,
    section_of,
)
from calibration.refitting.simulating import OnRuns, OnStep, Simulator
from calibration.refitting.state import Round, State, Traces
from calibration.samples import Samples, joined, samples_of_datasets
from calibration.validation import ValidationReport
from experiment_model import ExperimentModel
from ns3_scenarios.errors import DatasetError, UserError

ROUNDS = 3


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
    loaded = ExperimentModel.load(model)
    digests = check_datasets(loaded, folders)
    played = [episode for folder in episodes for episode in training_episodes(folder)]
    if budget < 0 or rounds < 1:
        raise UserError(f"budget={budget} and rounds={rounds} must be 0 or more, and 1 or more")
    if not (budget or played or set(digests) - set(loaded.card.data.datasets)):
        raise UserError(
            "there is nothing to fit anew with: give a budget, episodes, or further datasets"
        )
    say, paths, traces = on_step or (lambda _: None), [Path(f) for f in folders], Traces(Path(out))
    settings, designs = settings or Settings(), Designs(paths)
    work = _Refit(
        model=loaded,
        digest=hashlib.sha256((Path(model) / "model.json").read_bytes()).hexdigest(),
        datasets=digests,
        folders=paths,
        traces=traces,
        chooser=Chooser(paths, designs, traces, settings.threads, say),
        simulator=Simulator(
            designs, traces, played, budget, jobs, say, on_runs or (lambda done, total: None)
        ),
        budget=budget,
        jobs=jobs,
        settings=settings,
        say=say,
    )
    return work.run(min(rounds, max(budget, 1)))


@dataclass(frozen=True)
class _Refit:
    """One refit."""

    model: ExperimentModel
    digest: str
    """SHA-256 of its `model.json`."""
    datasets: dict[str, str]
    """SHA-256 of each manifest, by name."""
    folders: Sequence[Path]
    traces: Traces
    chooser: Chooser
    simulator: Simulator
    budget: int
    jobs: int
    settings: Settings
    say: OnStep

    def run(self, rounds: int) -> Refitted:
        """Do it."""
        self.say("reading traces")
        every = samples_of_datasets(
            self.folders, jobs=self.jobs, on_dataset=lambda name: self.say(f"read {name}")
        )
        given = self._of_model(every)
        if not given:
            raise DatasetError(
                f"the model knows {', '.join(self.model.kinds)}, and there are only rows of "
                f"{', '.join(every)}"
            )
        tests = {kind: every.in_split("test") for kind, every in given.items()}
        if not any(map(len, tests.values())):
            raise DatasetError(
                "there are no runs with test seeds (51-80) in the datasets, so that nothing would "
                "say what a refit is worth"
            )
        state = self.traces.state(self.digest, self.datasets) or self.traces.keep(
            State(
                model=self.digest,
                datasets=self.datasets,
                before=relative_errors(self.model, tests),
            )
        )
        replayed, held_out = map(self._of_model, self.simulator.episodes())
        reports = [_round_report(given, state.before)]
        number = 0
        while not number or number < len(state.rounds) or len(state.chosen()) < self.budget:
            if number == len(state.rounds):
                state = self._with_next_round(given, state, -(-self.budget // rounds))
            samples = joined(given, self.simulator.chosen(state, number + 1))
            this = state.rounds[number]
            if this.errors is None:
                fitted = fit(with_episodes(samples, replayed), self.settings, self.say)
                this = Round(chosen=this.chosen, errors=relative_errors(fitted.model(), tests))
                state = self.traces.keep(state.with_round(number, this))
            reports.append(_round_report(joined(samples, replayed), this.errors or {}))
            number += 1
            self.say(f"round {number}: error {reports[-1].error:.3f} on the test seeds")
        return self._finished(samples, replayed, held_out, reports, len(state.chosen()))

    def _of_model(self, samples: Mapping[str, Samples]) -> dict[str, Samples]:
        """Rows of the kinds that the model has; the new one has no others."""
        return {kind: every for kind, every in samples.items() if kind in self.model.kinds}

    def _with_next_round(self, given: Mapping[str, Samples], state: State, size: int) -> State:
        """The state with one more round, whose runs are chosen."""
        before = state.chosen()
        samples = joined(given, self.simulator.chosen(state, len(state.rounds)))
        chosen = self.chooser.choose(samples, before, min(size, self.budget - len(before)))
        return self.traces.keep(state.with_round(len(state.rounds), Round(chosen=chosen)))

    def _finished(
        self,
        samples: Mapping[str, Samples],
        replayed: Mapping[str, Samples],
        held_out: Mapping[str, Samples],
        rounds: Sequence[RoundReport],
        simulated: int,
    ) -> Refitted:
        """Fit the new model, whose card says what its rows are, and write it with its verdict."""
        folders = [*self.folders, *self.traces.datasets()]
        fitted = fit_to_roll(
            with_episodes(samples, replayed),
            folders,
            self.settings,
            jobs=self.jobs,
            on_step=self.say,
        )
        data = fitted_card(joined(samples, replayed)).data
        card = fitted.spec.card.model_copy(update={"data": data})
        fitted = Fitted(fitted.spec.model_copy(update={"card": card}), fitted.boosters)
        validation = judged_and_written(
            fitted, self.traces.out, samples, folders, jobs=self.jobs, on_step=self.say
        )
        episodes = None
        if held_out:
            episodes = EpisodesReport(
                held_out=_n_runs(held_out),
                before=relative_errors(self.model, held_out),
                after=relative_errors(ExperimentModel.load(self.traces.out), held_out),
            )
        report = RefitReport(
            model=self.traces.out.name,
            simulated=simulated,
            rounds=tuple(rounds),
            episodes=episodes,
            gates_passed=validation.passed,
        )
        return Refitted(report, validation.extended(section_of(report)))


def _round_report(samples: Mapping[str, Samples], errors: Mapping[str, float]) -> RoundReport:
    return RoundReport(
        training_runs=fitted_card(samples).data.runs,
        error=float(np.mean(list(errors.values()))),
        errors=dict(errors),
    )


def _n_runs(samples: Mapping[str, Samples]) -> int:
    return len({every.runs[r] for every in samples.values() for r in np.unique(every.run).tolist()})
