# SPDX-License-Identifier: Apache-2.0
"""How the tools reach agents: one JSON Schema per tool is the source of every interface.

`functions` has the function list of chat models, `mcp_server` an MCP server, `inspect_task` a task
for Inspect AI, `trl_environment` an environment class for TRL's GRPO trainer. What they need beyond
the project itself is an optional extra, imported when the module is.
"""
