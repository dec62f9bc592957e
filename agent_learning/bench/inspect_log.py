# SPDX-License-Identifier: Apache-2.0
"""Runs as logs that the viewer of Inspect AI opens (`inspect view`): `write_log`.

A sample is a task, an epoch is a trial, and its messages are the calls and their answers. Trials
that the infrastructure failed are samples with an error and without a score.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agent_learning.bench.saving import RUN, TRIALS, RunFolder
from agent_learning.bench.scores import RunScores
from agent_learning.bench.scoring import score
from agent_learning.bench.task import BenchTask
from agent_learning.bench.trial import TrialRecord
from agent_learning.errors import BenchUserError

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample
    from inspect_ai.model import ChatMessage

NAME = "6GAgentBench"
SCORER = "network"


def write_log(run: str | Path, folder: str | Path) -> Path:
    """Write the log of a run.

    Args:
        run: folder of the run.
        folder: of logs; it is made if it is not there.

    Returns:
        The file, which a later log of the same run replaces.

    Raises:
        BenchUserError: Inspect AI is not installed, the run cannot be read or has no trial, or the
            log cannot be written.
    """
    try:
        from inspect_ai.log import write_eval_log
    except ImportError:
        raise BenchUserError(
            "logs for Inspect AI need inspect-ai, which is not installed; it comes with the extra "
            "`inspect`"
        ) from None
    log = log_of(RunFolder(run))
    stamp = re.sub(r"[:+]", "-", log.eval.created)
    name = re.sub(r"[^\w.-]+", "-", f"{stamp}_{log.eval.task}_{log.eval.model}")
    file = Path(folder) / f"{name}.eval"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_eval_log(log, file)
    except OSError as error:
        raise BenchUserError(f"cannot write {file}: {error.strerror}") from None
    return file


def log_of(run: RunFolder) -> EvalLog:
    """A run as Inspect AI has it; raises as `write_log`."""
    from inspect_ai.log import (
        EvalConfig,
        EvalDataset,
        EvalLog,
        EvalMetric,
        EvalResults,
        EvalScore,
        EvalSpec,
        EvalStats,
    )

    header, tasks = run.header(), {task.id: task for task in run.tasks()}
    records = list(run.records())
    if not records:
        raise BenchUserError(f"{run.path} has no trial yet")
    scores = score(records)
    created, ended = (_written(run.path / name) for name in (RUN, TRIALS))
    overall = scores.overall
    split = "-".join(scores.splits)
    return EvalLog(
        status="success",
        eval=EvalSpec(
            created=created,
            task=f"{NAME}-{split}",
            dataset=EvalDataset(name=split, samples=len(tasks), sample_ids=list(tasks)),
            model=f"{header.agent}/{header.backend}",
            config=EvalConfig(epochs=max(record.trial for record in records)),
            packages={"sixg-agent-gym": header.code_version},
            metadata={"model_sha256": header.model_sha256},
        ),
        results=EvalResults(
            total_samples=len(records),
            completed_samples=overall.trials,
            scores=[
                EvalScore(
                    name=SCORER,
                    scorer=SCORER,
                    metrics={
                        name: EvalMetric(name=name, value=value)
                        for name, value in _metrics(scores).items()
                    },
                )
            ],
        ),
        stats=EvalStats(started_at=created, completed_at=ended),
        samples=[_sample(record, tasks[record.task_id]) for record in records],
    )


def _written(file: Path) -> str:
    """When a file was, in ISO 8601."""
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="seconds")


def _metrics(scores: RunScores) -> dict[str, float]:
    """Success by tier and domain, and SPL."""
    found = {f"sr_{g.group}": g.sr.value for g in scores.groups}
    found["spl"] = scores.overall.spl.value
    return {name: value for name, value in found.items() if value is not None}


def _sample(record: TrialRecord, task: BenchTask) -> EvalSample:
    from inspect_ai.log import EvalError, EvalSample
    from inspect_ai.model import ModelUsage
    from inspect_ai.scorer import CORRECT, INCORRECT, Score

    failed = record.status == "infrastructure"
    tokens = (record.tokens_in, record.tokens_out)
    return EvalSample(
        id=record.task_id,
        epoch=record.trial,
        input=task.task.intent,
        target="the goal holds",
        messages=_messages(record, task.task.intent),
        scores=None
        if failed
        else {
            SCORER: Score(
                value=CORRECT if record.succeeded else INCORRECT,
                explanation=record.reason,
                metadata=record.counts.model_dump() | {"spl": record.spl},
            )
        },
        error=EvalError(message=record.reason, traceback="", traceback_ansi="") if failed else None,
        metadata=record.model_dump(include={"template", "domain", "tier", "seed", "shortest"}),
        model_usage={
            record.agent: ModelUsage(
                input_tokens=tokens[0], output_tokens=tokens[1], total_tokens=sum(tokens)
            )
        }
        if sum(tokens)
        else {},
        total_time=record.wall_s,
    )


def _messages(record: TrialRecord, intent: str) -> list[ChatMessage]:
    from inspect_ai.model import ChatMessageAssistant, ChatMessageTool, ChatMessageUser
    from inspect_ai.tool import ToolCall, ToolCallError

    found: list[ChatMessage] = [ChatMessageUser(content=intent)]
    for number, call in enumerate(record.calls, 1):
        known = isinstance(call.arguments, dict)
        arguments = call.arguments if known else {"arguments": call.arguments}
        asked = ToolCall(id=f"call-{number}", function=call.tool, arguments=arguments)
        answer = json.dumps(call.content, indent=1)
        error = None if call.ok else ToolCallError("unknown", str(call.content.get("message")))
        found += [
            ChatMessageAssistant(content="", tool_calls=[asked], model=call.agent),
            ChatMessageTool(content=answer, tool_call_id=asked.id, function=call.tool, error=error),
        ]
    return found
