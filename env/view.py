# SPDX-License-Identifier: Apache-2.0
"""What tools see of a network, and nothing through which they could change it: `View`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from env.backends.base import Futures
from env.errors import ToolError
from env.kpis import Kpis
from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.scenario import ScenarioConfig, UserGroup

Foresee = Callable[[Sequence[ControlChange], int, int], Futures]


@dataclass(frozen=True)
class Setting:
    """One control that a call changed."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """What one call of a configuration tool changed."""

    change_id: str
    tool: str
    arguments: dict[str, Any]
    interval: int
    """Intervals done when it was made."""
    settings: tuple[Setting, ...]
    reversible: bool
    undoes: str = ""
    """The change that it rolls back, if it does."""


@dataclass(frozen=True)
class Scope:
    """What an agent may see and do in a task of several agents; empty sets allow everything."""

    tools: frozenset[str] = frozenset()
    elements: frozenset[str] = frozenset()
    """Names of cells, slices, users, links, edge sites and applications."""

    def has_tool(self, name: str) -> bool:
        """Whether a tool may be called."""
        return not self.tools or name in self.tools

    def has(self, element: str) -> bool:
        """Whether an element may be named."""
        return not self.elements or element in self.elements

    def has_control(self, path: str) -> bool:
        """Whether all elements that the path of a control names may be named."""
        kind, name, *rest = path.split(".")
        match kind, rest:
            case "cells", ["slices", other, _] | ["handover", "cio_db", other]:
                return self.has(name) and self.has(other)
            case _:
                return self.has(name)


@dataclass(frozen=True)
class View:
    """What is known of a network at the end of an interval."""

    scenario: ScenarioConfig
    controls: ControlState
    history: Sequence[Kpis]
    """KPIs of all intervals done, the oldest first."""
    changes: Sequence[Change] = ()
    """Made so far, the oldest first."""
    scope: Scope = field(default_factory=Scope)
    foresee: Foresee | None = None

    @property
    def now(self) -> Kpis:
        """KPIs of the last interval."""
        return self.history[-1]

    @property
    def interval(self) -> int:
        """Intervals done."""
        return len(self.history)

    def window(self, n: int) -> Sequence[Kpis]:
        """KPIs of the last n intervals, or of as many as there are, the oldest first."""
        return self.history[-n:]

    def futures(self, changes: Sequence[ControlChange], horizon: int, draws: int) -> Futures:
        """What may become of the network if changes were made now; see `Backend.futures`.

        Raises:
            ControlError: a change is impossible.
            ToolError: the backend cannot foresee.
        """
        if self.foresee is None:
            raise ToolError("unavailable", "this backend has no model to look ahead with")
        return self.foresee(changes, horizon, draws)

    @cached_property
    def group_of(self) -> dict[str, UserGroup]:
        """The group of each user, by the user's name."""
        return dict(zip(self.scenario.ue_ids, self.scenario.ue_groups, strict=True))

    @property
    def uavs(self) -> list[str]:
        """Users that fly."""
        return [ue for ue, group in self.group_of.items() if group.mobility.kind == "uav"]

    def cell(self, name: str, argument: str = "cell") -> str:
        """A cell of the network.

        Raises:
            ToolError: there is none of that name, or it is out of scope.
        """
        return self._one(name, argument, "cell", self.scenario.cell_ids)

    def slice(self, name: str, argument: str = "slice") -> str:
        """A slice of the network; raises as `cell`."""
        return self._one(name, argument, "slice", [s.name for s in self.scenario.slices])

    def ue(self, name: str, argument: str = "ue") -> str:
        """A user of the network; raises as `cell`."""
        return self._one(name, argument, "user", self.scenario.ue_ids)

    def uav(self, name: str, argument: str = "ue") -> str:
        """A user that flies; raises as `cell`."""
        return self._one(name, argument, "UAV", self.uavs)

    def link(self, name: str, argument: str = "link") -> str:
        """A transport link of the network; raises as `cell`."""
        return self._one(name, argument, "transport link", [n.name for n in self.scenario.links])

    def node(self, name: str, argument: str = "node") -> str:
        """A node of the transport network; raises as `cell`."""
        return self._one(name, argument, "transport node", self.scenario.transport_nodes)

    def site(self, name: str, argument: str = "site") -> str:
        """An edge site of the network; raises as `cell`."""
        return self._one(name, argument, "edge site", self.scenario.anchors[1:])

    def application(self, name: str, argument: str = "application") -> str:
        """An edge application of the network; raises as `cell`."""
        return self._one(name, argument, "application", self.controls.applications)

    def _one(self, name: str, argument: str, kind: str, names: Iterable[str]) -> str:
        mine = [n for n in names if self.scope.has(n)]
        if name not in mine:
            has = f"it is not one of the {len(mine)} here" if mine else "there is none here"
            raise ToolError(
                "no_such_element",
                f"{argument}={name!r} is no {kind} of this network: {has}",
                argument=argument,
                value=name,
                allowed=mine[:MOST_NAMES],
            )
        return name


MOST_NAMES = 40
"""Names that an error lists."""
