# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from agent_learning.bench.task import BenchTask, tier_of
from env.tasks import load_task, task_names


def made(name: str, seed: int = 51) -> BenchTask:
    return BenchTask.make(name, "slicing", "evaluation", seed, load_task(name))


@pytest.mark.parametrize("name", task_names())
def test_a_task_survives_freezing(name: str) -> None:
    task = made(name)
    frozen = json.loads(json.dumps(task.as_frozen()))
    assert frozen["task"]["scenario"] == task.task.scenario.name
    assert BenchTask.from_frozen(frozen) == task
    assert task.id == f"{name}-51-{task.content_hash[:8]}"


def test_content_decides_the_hash_but_split_and_id_do_not() -> None:
    task = made("wake_cell")
    assert task.model_copy(update={"split": "train", "id": "x"}).content_hash == task.content_hash
    assert made("wake_cell", 52).content_hash != task.content_hash
    shorter = task.task.scenario.model_copy(update={"duration_s": 3.0})
    other = task.task.model_copy(update={"scenario": shorter})
    changed = task.model_copy(update={"task": other})
    assert changed.content_hash != task.content_hash
    assert isinstance(changed.as_frozen()["task"]["scenario"], dict)


def test_tiers_end_at_three_and_at_seven_steps() -> None:
    assert [tier_of(n) for n in (1, 3, 4, 7, 8, 20)] == ["L1", "L1", "L2", "L2", "L3", "L3"]
