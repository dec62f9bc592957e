# SPDX-License-Identifier: Apache-2.0
"""The agent `mapek`: Monitor, Analyse, Plan and Execute over shared knowledge.

The loop is that of Kephart and Chess, *The Vision of Autonomic Computing* (2003). What it knows is
written in `rules.yaml`. It sees the network through tools only, and of the task the intent alone.
"""

from agent_learning.baselines.mapek.loop import MapeK
from agent_learning.baselines.mapek.rules import Rule, load_rules

__all__ = ["MapeK", "Rule", "load_rules"]
