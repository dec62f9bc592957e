# SPDX-License-Identifier: Apache-2.0
"""Scores of trials whose outcomes are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agent_learning.bench.scores import RunScores
from agent_learning.bench.scoring import compare, score, verify
from agent_learning.bench.trial import Counts, Trial

MakeTrial = Callable[..., Trial]


@pytest.fixture
def trial() -> MakeTrial:
    def make(task: int, status: str, number: int = 1, changes: int = 2, **fields: Any) -> Trial:
        counts = {"steps": 3 * changes, "changes": changes, "invalid_calls": 0}
        counts |= {"constraint_violations": 0, "harmful_changes": 0}
        values = {
            "task_id": f"task-{task}",
            "task_hash": "",
            "template": f"template_{task % 3}",
            "domain": "edge" if task % 2 else "slicing",
            "tier": "L2" if task > 3 else "L1",
            "split": "evaluation",
            "seed": 51,
            "agent": "one",
            "trial": number,
            "agent_seed": number,
            "backend": "surrogate",
            "model_sha256": "",
            "code_version": "1",
            "status": status,
            "reason": "",
            "shortest": 2,
            "wall_s": 0.1,
        }
        made = {**values, **fields}
        return Trial.model_validate({**made, "counts": Counts(**counts)})

    return make


def group(scores: RunScores, name: str) -> Any:
    return next(g for g in scores.groups if g.group == name)


def test_rates_by_tier_and_domain(trial: MakeTrial) -> None:
    trials = [
        *(trial(n, "success") for n in (0, 1, 2)),
        trial(3, "success", changes=4),
        trial(4, "failure"),
        trial(5, "failure"),
    ]
    scores = score(trials)
    assert scores.overall.sr.value == pytest.approx(4 / 6)
    assert scores.overall.spl.value == pytest.approx(3.5 / 6)
    assert scores.overall.steps.value == pytest.approx((5 * 6 + 12) / 6)
    assert group(scores, "L1").sr.value == 1
    assert group(scores, "L2").sr.value == 0
    assert group(scores, "edge").spl.value == pytest.approx(1.5 / 3)
    assert sum(g.tasks for g in scores.groups if g.kind == "domain") == 6
    for g in scores.groups:
        for estimate in (g.sr, g.spl):
            assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_tasks_count_once_however_often_they_are_tried(trial: MakeTrial) -> None:
    often = [trial(0, "success" if n == 1 else "failure", n) for n in (1, 2, 3, 4)]
    scores = score([*often, trial(1, "success"), trial(1, "success", 2)]).overall
    assert scores.sr.value == pytest.approx((1 / 4 + 1) / 2)
    assert [p.value for p in scores.pass_k] == pytest.approx([5 / 8, 1 / 2])
    assert (scores.tasks, scores.trials) == (2, 6)


def test_infrastructure_is_in_no_rate(trial: MakeTrial) -> None:
    fine = [trial(0, "success"), trial(1, "failure")]
    scores = score([*fine, trial(1, "infrastructure", 2), trial(2, "infrastructure")]).overall
    assert scores.infrastructure == 2
    assert scores.model_copy(update={"infrastructure": 0}) == score(fine).overall
    nothing = score([trial(0, "infrastructure")]).overall
    assert (nothing.tasks, nothing.sr.value, nothing.sr.low) == (0, None, None)


def test_comparison_is_paired(trial: MakeTrial) -> None:
    one = [trial(n, "success" if n < 9 else "failure") for n in range(12)]
    other = [
        trial(n, "success" if n in (0, 10) else "failure", agent="other") for n in range(1, 14)
    ]
    found = compare(one, other)
    assert found is not None
    assert found.tasks == 11
    assert (found.only_one, found.only_other) == (8, 1)
    assert found.difference.value == pytest.approx(7 / 11)
    assert found.p_value == pytest.approx(2 * (1 + 9) / 2**9)
    assert compare(one, [trial(20, "success")]) is None


def test_verified_rate_is_that_of_ns3(trial: MakeTrial) -> None:
    surrogate = [trial(n, "success") for n in range(6)]
    live = [trial(n, "success" if n else "failure", backend="ns3") for n in range(4)]
    found = verify(surrogate, [*live, trial(5, "infrastructure", backend="ns3")])
    assert found is not None
    assert found.tasks == 4
    assert found.verified_sr.value == found.same_outcome == pytest.approx(3 / 4)
    assert (found.surrogate_sr.value, found.gap.value) == (1, pytest.approx(1 / 4))
