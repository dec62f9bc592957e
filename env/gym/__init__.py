# SPDX-License-Identifier: Apache-2.0
"""Episodes as Gymnasium and PettingZoo environments.

Importing this module registers `SixG/Tools-v1` (tool calls as a flat discrete action) and
`SixG/Control-v1` (all numeric controls at once; also as a vector environment that steps all its
networks in one batch). `gymnasium.make("env.gym:SixG/Tools-v1")` imports it by itself. Several
agents play in `env.gym.multi_agent`.

The number after `v` goes up with any change that makes results incomparable.
"""

from gymnasium import register

TOOLS_ID = "SixG/Tools-v1"
CONTROL_ID = "SixG/Control-v1"

register(TOOLS_ID, entry_point="env.gym.tool_env:ToolEnv")
register(
    CONTROL_ID,
    entry_point="env.gym.control_env:ControlEnv",
    vector_entry_point="env.gym.vector_env:ControlVectorEnv",
)
