# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from agent_learning.bench.auditing import RECORDS
from agent_learning.bench.cli import app
from agent_learning.bench.loading import load_tasks
from agent_learning.errors import BenchUserError
from env.tools import TOOLS


def called(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == exit_code, result.output
    return result.stdout


def test_tasks_are_counted_listed_and_shown() -> None:
    assert "62 templates" in called("tasks")
    listed = json.loads(called("tasks", "--json", "--template", "climb"))
    assert {task["template"] for task in listed} == {"climb"}
    shown = json.loads(called("tasks", listed[0]["id"]))
    assert shown == listed[:1]
    with pytest.raises(BenchUserError, match="no task 'climb-1-0'"):
        called("tasks", "climb-1-0")


def test_each_tool_has_a_template_that_needs_it() -> None:
    needed = json.loads(called("tasks", "--tools", "--json"))
    assert list(needed) == list(TOOLS)
    assert all(needed.values())


def test_an_audit_is_told_and_sifts_tasks(tmp_path: Path) -> None:
    out = tmp_path / "audit"
    line = ("audit", "-b", "surrogate", "-t", "climb", "-n", "2", "-j", "1", "--out", str(out))
    told = json.loads(called(*line, "--json"))
    assert told["summary"][-1] == told["summary"][-1] | {"tier": "all", "tasks": 2, "sound": 2}
    faulty, easy, other = load_tasks("evaluation")[:3]
    record = told["tasks"][0] | {"task_id": faulty.id, "reference_solves": False}
    del record["faults"]
    (out / RECORDS).write_text(json.dumps(record) + "\n")
    ended = [(easy.id, "success"), (easy.id, "infrastructure"), (other.id, "failure")]
    rows = [
        {"task_id": task, "agent": agent, "status": status}
        for agent in ("rules", "planner")
        for task, status in ended
    ]
    (tmp_path / "run").mkdir()
    pd.DataFrame(rows).to_parquet(tmp_path / "run" / "summary.parquet")
    sifted = tmp_path / "sifted"
    called("freeze", "--out", str(sifted), "--audit", str(out), "--run", str(tmp_path / "run"))
    assert [task.id for task in load_tasks("basic", sifted)] == [easy.id]
    left = {task.id for task in load_tasks("evaluation", sifted)}
    assert other.id in left
    assert not {faulty.id, easy.id} & left


def test_backends_that_cannot_be_audited_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchUserError, match="backend='replay' is not allowed"):
        called("audit", "-b", "replay", "-t", "climb", "--out", str(tmp_path))
