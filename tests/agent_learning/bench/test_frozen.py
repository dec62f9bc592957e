# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from agent_learning.bench.leakage import LIMIT, rouge_l
from agent_learning.bench.loading import FROZEN, freeze, load_tasks, read_manifest
from agent_learning.bench.task import EVALUATION_SEEDS, TRAINING_SEEDS, BenchTask, tier_of
from agent_learning.errors import BenchUserError


@pytest.fixture
def evaluation() -> list[BenchTask]:
    return load_tasks("evaluation")


def test_the_packaged_tasks_are_what_the_benchmark_promises(evaluation: list[BenchTask]) -> None:
    assert len({task.content_hash for task in evaluation}) >= 600
    assert len({task.template for task in evaluation}) >= 40
    assert {task.tier for task in evaluation} == {"L1", "L2", "L3"}
    assert min(Counter(task.domain for task in evaluation).values()) >= 30
    assert all(task.seed in EVALUATION_SEEDS for task in evaluation)
    assert all(task.tier == tier_of(len(task.task.reference)) for task in evaluation)
    assert len(evaluation) == read_manifest().splits["evaluation"].tasks


def test_training_gives_no_evaluation_away(evaluation: list[BenchTask]) -> None:
    train = load_tasks("train")
    assert train
    assert all(task.seed in TRAINING_SEEDS for task in train)
    ones, others = ({task.task.intent for task in tasks} for tasks in (train, evaluation))
    assert rouge_l(sorted(ones), sorted(others)).max() < LIMIT
    assert {t.template for t in evaluation} - {t.template for t in train}


def test_freezing_the_same_tasks_gives_the_same_files(
    evaluation: list[BenchTask], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        freeze(evaluation[:5], tmp_path / name, provisional=True)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
    assert load_tasks("evaluation", tmp_path / "a") == evaluation[:5]
    assert load_tasks("basic", tmp_path / "a") == []


def test_tampering_is_told(evaluation: list[BenchTask], tmp_path: Path) -> None:
    freeze(evaluation[:2], tmp_path, provisional=True)
    file = tmp_path / "evaluation.jsonl.gz"
    content = gzip.decompress(file.read_bytes())
    file.write_bytes(gzip.compress(content.replace(b'"max_changes":', b'"max_changes":1', 1)))
    with pytest.raises(BenchUserError, match="not what was frozen: its SHA-256"):
        load_tasks("evaluation", tmp_path)
    file.write_bytes(b"nonsense")
    with pytest.raises(BenchUserError, match="cannot read"):
        load_tasks("evaluation", tmp_path)


def test_a_task_whose_scenario_has_changed_is_told(
    evaluation: list[BenchTask], tmp_path: Path
) -> None:
    task = evaluation[0]
    other = task.model_copy(update={"seed": task.seed + 1})
    freeze([other], tmp_path, provisional=True)
    with pytest.raises(BenchUserError, match=f"line 1: task {task.id} is not what was frozen"):
        load_tasks("evaluation", tmp_path)


def test_unknown_splits_folders_and_twins_are_refused(
    evaluation: list[BenchTask], tmp_path: Path
) -> None:
    with pytest.raises(BenchUserError, match="split='test' is not allowed"):
        load_tasks("test")
    with pytest.raises(BenchUserError, match="cannot read"):
        load_tasks("train", tmp_path)
    with pytest.raises(BenchUserError, match="is there twice"):
        freeze([evaluation[0], evaluation[0]], tmp_path, provisional=True)


def test_the_manifest_is_plain_json() -> None:
    assert json.loads((FROZEN / "manifest.json").read_text())["version"] == 1
