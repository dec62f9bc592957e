# SPDX-License-Identifier: Apache-2.0
"""The commands `bench tasks`, `bench audit` and `bench freeze`."""

from __future__ import annotations

import typer

from agent_learning.bench import tasks_cli

app = typer.Typer(no_args_is_help=True, help="6GAgentBench: tasks, runs of agents, scores.")

app.command()(tasks_cli.tasks)
app.command()(tasks_cli.audit)
app.command()(tasks_cli.freeze)
