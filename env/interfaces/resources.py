# SPDX-License-Identifier: Apache-2.0
"""What can be read of a network without calling a tool: `RESOURCES`, by URI."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from env.kpis import Kpis
from env.tools import TOOLS, Result
from env.view import View
from ns3_scenarios.kpi import TABLES

Content = Callable[[View], dict[str, Any]]


def topology(view: View) -> dict[str, Any]:
    """The answer of `get_topology` for everything."""
    return _read(view, "get_topology", {"scope": "all"})


def network_state(view: View) -> dict[str, Any]:
    """The answer of `check_network_state`."""
    return _read(view, "check_network_state", {})


def kpis(view: View) -> dict[str, Any]:
    """The KPI tables of the last interval, by column; null where nothing is known.

    A scope of elements leaves no whole tables to show; tools then answer what may be seen.
    """
    now = view.now
    tables = {name: _columns(now, name) for name in TABLES} if not view.scope.elements else {}
    return {"interval": now.interval, "time_ms": now.time_ms, "tables": tables}


RESOURCES: Mapping[str, tuple[str, str, Content]] = MappingProxyType(
    {
        "sixg://topology": ("topology", "Cells, links and edge sites of the network.", topology),
        "sixg://kpis": ("kpis", "KPI tables of the last reporting interval.", kpis),
    }
)
"""Name, description and content."""


def _read(view: View, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    tool = TOOLS[name]
    found = tool.run(view, tool.parse(arguments))
    assert isinstance(found, Result)
    content: dict[str, Any] = found.model_dump(mode="json")
    return content


def _columns(now: Kpis, table: str) -> dict[str, list[Any]]:
    return {
        name: [
            None if isinstance(value, float) and not math.isfinite(value) else value
            for value in values.tolist()
        ]
        for name, values in now.table(table).items()
    }
