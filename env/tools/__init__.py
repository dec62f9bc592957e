# SPDX-License-Identifier: Apache-2.0
"""The 42 tools, by name and in the order of the catalogue: `TOOLS`."""

from collections.abc import Mapping
from types import MappingProxyType

from env.tools.base import Arguments, Effect, Proposal, Result, Tool
from env.tools.configuration.cells import set_cell_tx_power
from env.tools.configuration.rollback import rollback_change
from env.tools.observation.cells import get_cell_config

__all__ = ["TOOLS", "Arguments", "Effect", "Proposal", "Result", "Tool"]

_OBSERVATION = (get_cell_config,)
_REASONING: tuple[Tool, ...] = ()
_CONFIGURATION = (set_cell_tx_power, rollback_change)

TOOLS: Mapping[str, Tool] = MappingProxyType(
    {tool.name: tool for tool in (*_OBSERVATION, *_REASONING, *_CONFIGURATION)}
)
