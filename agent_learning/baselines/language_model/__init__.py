# SPDX-License-Identifier: Apache-2.0
"""Language models as agents: a ReAct-style loop of tool calls, behind an endpoint or local.

Yao et al., *ReAct: Synergizing Reasoning and Acting in Language Models* (2023). The loop knows a
`ChatModel` and nothing of where it runs.
"""
