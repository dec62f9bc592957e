# SPDX-License-Identifier: Apache-2.0
"""Plays episodes on surrogate and NS-3 and says how far they agree: `fidelity`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version

from env.fidelity.gates import GATES, Gates, judge
from env.fidelity.kpi_errors import kpi_errors
from env.fidelity.outcomes import Successes, by_task, outcomes, ranking
from env.fidelity.playing import Setup, Subject, Triple, cases_of, model_hash, play_all
from env.fidelity.report import Failure, FidelityReport
from env.fidelity.transients import transients
from experiment_model import ExperimentModel
from ns3_scenarios.ran.build import ns3_version


def fidelity(
    subjects: Sequence[Subject],
    agents: Sequence[str],
    episodes: int,
    setup: Setup,
    *,
    jobs: int = 1,
    gates: Gates = GATES,
    on_episodes: Callable[[int, int], None] | None = None,
) -> FidelityReport:
    """Play the same episodes on the surrogate, on NS-3 and on NS-3 redrawn, and compare.

    Args:
        subjects: tasks and scenarios.
        agents: by their names.
        episodes: of each subject with each agent; seeds are 51 upward.
        setup: where episodes are kept, with which model, how long.
        jobs: episodes at the same time.
        gates: what must be reached.
        on_episodes: told how many episodes are done, of how many.

    Raises:
        EnvUserError: something cannot be used as asked.
        UserError: a scenario cannot be simulated as it is.
        WorkerError: processes are killed again and again.
    """
    cases = cases_of(subjects, agents, episodes)
    triples = play_all(cases, setup, jobs=jobs, on_episodes=on_episodes)
    return report_of(triples, setup, gates)


def report_of(triples: Sequence[Triple], setup: Setup, gates: Gates = GATES) -> FidelityReport:
    """What episodes that were played say.

    Args:
        triples: every subject with every agent and seed.
        setup: how they were played.
        gates: what must be reached.
    """
    complete = [triple for triple in triples if triple.complete]
    successes = Successes.of(complete)
    report = FidelityReport(
        created_with={"sixg-agent-gym": version("sixg-agent-gym"), "ns3": ns3_version()},
        model=ExperimentModel.load(setup.model).card.name,
        model_sha256=model_hash(setup.model),
        subjects=tuple(dict.fromkeys(t.case.subject.name for t in triples)),
        agents=tuple(dict.fromkeys(t.case.agent for t in triples)),
        seeds=tuple(sorted({t.case.seed for t in triples})),
        episodes=len(complete),
        failures=tuple(
            Failure(
                subject=ended.case.subject.name,
                agent=ended.case.agent,
                seed=ended.case.seed,
                stage=ended.stage,
                reason=ended.reason,
            )
            for triple in triples
            for ended in triple.stages
            if ended.path is None
        ),
        kpis=kpi_errors(complete),
        outcomes=outcomes(successes),
        tasks=by_task(successes),
        ranking=ranking(successes),
        transients=transients(complete),
    )
    return report.model_copy(update={"gates": judge(report, gates)})
