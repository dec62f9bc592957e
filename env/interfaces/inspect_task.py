# SPDX-License-Identifier: Apache-2.0
"""Episodes as a task of Inspect AI: the tools for its agents, and a score that the network decides.

The network is started before the agent begins and closed when its sample is scored, so any solver
will do. An agent's mistake is an error of the tool that the agent reads; a failure of the network
is an error of the sample, which Inspect counts apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio
import anyio.to_thread
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, generate, solver
from inspect_ai.tool import Tool as InspectTool
from inspect_ai.tool import ToolDef, ToolError, ToolParams
from inspect_ai.util import StoreModel
from pydantic import Field

from env.environment import Environment
from env.interfaces.functions import answer_text
from env.tools import TOOLS, Tool
from env.view import Scope

SYSTEM = (
    "You operate a 6G network through tools. Reading takes no time; after a call that configures, "
    "the network runs on for a while. A refused call changes nothing and says what is allowed. "
    "When the task is done, or cannot be done, answer without a tool call."
)


class Record(StoreModel):
    """What Inspect's log keeps of an episode."""

    calls: list[dict[str, Any]] = Field(default_factory=list)
    """Every call: tool, arguments, whether it was taken, and the interval after it."""
    interval: int = 0
    """Intervals done."""


def inspect_task(
    make_environment: Callable[[Mapping[str, Any]], Environment],
    rows: Sequence[Mapping[str, Any]],
    outcome: Callable[[Environment], bool | None],
    *,
    scope: Scope | None = None,
    agent: Solver | None = None,
    name: str = "sixg",
    message_limit: int | None = 200,
) -> Task:
    """A task for Inspect AI.

    Args:
        make_environment: starts the episode of a row.
        rows: one per sample. Its `intent` is what the agent reads, its `id`, if it has one, names
            the sample; the rest, such as scenario and seed, is for `make_environment`.
        outcome: whether an episode has succeeded, from the network and the event log; None counts
            as failure.
        scope: what the agent may see and do; everything by default.
        agent: a solver; Inspect's `generate` with its loop of tool calls by default.
        name: of the task.
        message_limit: of a sample; None for no limit.
    """
    episodes: dict[str, _Episode] = {}

    @solver
    def begin() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            environment = await anyio.to_thread.run_sync(make_environment, dict(state.metadata))
            episode = episodes[state.uuid] = _Episode(environment, scope)
            state.tools = [
                episode.tool(tool, state.store_as(Record))
                for tool in TOOLS.values()
                if scope is None or scope.has_tool(tool.name)
            ]
            return state

        return solve

    async def end(state: TaskState) -> None:
        if episode := episodes.pop(state.uuid, None):
            await anyio.to_thread.run_sync(episode.environment.close)

    @scorer(metrics=[accuracy(), stderr()])
    def network() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            environment = episodes[state.uuid].environment
            succeeded = await anyio.to_thread.run_sync(outcome, environment)
            return Score(
                value=CORRECT if succeeded else INCORRECT,
                metadata={
                    "outcome": succeeded,
                    "calls": len(environment.events),
                    "changes": len(environment.changes),
                },
            )

        return score

    return Task(
        name=name,
        dataset=[
            Sample(id=row.get("id"), input=str(row["intent"]), metadata=dict(row)) for row in rows
        ],
        setup=begin(),
        solver=agent or _system_and_generate(),
        scorer=network(),
        cleanup=end,
        message_limit=message_limit,
    )


class _Episode:
    """An environment, used by one call at a time."""

    def __init__(self, environment: Environment, scope: Scope | None) -> None:
        self.environment = environment
        self._scope = scope
        self._turn = anyio.Lock()

    def tool(self, tool: Tool, record: Record) -> InspectTool:
        async def execute(**kwargs: Any) -> str:
            async with self._turn:
                answer = await anyio.to_thread.run_sync(
                    lambda: self.environment.call(tool.name, kwargs, scope=self._scope)
                )
                record.interval = answer.interval
                record.calls = [
                    *record.calls,
                    {
                        "tool": tool.name,
                        "arguments": kwargs,
                        "ok": answer.ok,
                        "interval": answer.interval,
                    },
                ]
            if not answer.ok:
                raise ToolError(answer_text(answer))
            return answer_text(answer)

        return ToolDef(
            execute,
            name=tool.name,
            description=tool.description,
            parameters=ToolParams.model_validate(tool.schema),
            parallel=False,
        ).as_tool()


@solver
def _system_and_generate() -> Solver:
    run = generate()

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.messages.insert(0, ChatMessageSystem(content=SYSTEM))
        return await run(state, generate)

    return solve
