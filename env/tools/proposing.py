# SPDX-License-Identifier: Apache-2.0
"""What calls of configuration tools come to, whether or not they are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from env.errors import ToolError
from env.tools.base import Proposal
from env.view import Change, Setting, View
from ns3_scenarios.controls import ControlState
from ns3_scenarios.errors import ControlError


def proposed(
    view: View, tool: str, arguments: dict[str, Any], proposal: Proposal
) -> tuple[Change, ControlState]:
    """What a proposal comes to: the change, and the controls after it.

    Raises:
        ControlError: the controls would be impossible.
    """
    before = view.controls
    after = before.with_changes(proposal.changes, view.scenario)
    paths = dict.fromkeys(p for c in proposal.changes for p in before.expand(c.path))
    change = Change(
        change_id=f"c{len(view.changes) + 1}",
        tool=tool,
        arguments=arguments,
        interval=view.interval,
        settings=tuple(Setting(path, before.get(path), after.get(path)) for path in paths),
        reversible=proposal.reversible,
        undoes=proposal.undoes,
    )
    return change, after


def changes_of(
    view: View, calls: Sequence[tuple[str, dict[str, Any]]]
) -> tuple[View, list[Change]]:
    """What several calls of configuration tools would come to, one after the other.

    Args:
        view: of the network.
        calls: names and arguments.

    Returns:
        The network as if they had been made, and the changes.

    Raises:
        ToolError: a call would be refused; its message says which.
    """
    from env.tools import TOOLS  # among them are tools that ask for this

    found: list[Change] = []
    for number, (name, arguments) in enumerate(calls):
        tool = TOOLS.get(name)
        if tool is None or tool.read_only or not view.scope.has_tool(name):
            allowed = [t.name for t in TOOLS.values() if not t.read_only]
            raise ToolError(
                "bad_arguments",
                f"changes.{number}: {name!r} is no tool that configures",
                argument=f"changes.{number}.tool",
                value=name,
                allowed=[n for n in allowed if view.scope.has_tool(n)],
            )
        try:
            proposal = tool.run(view, tool.parse(arguments))
            assert isinstance(proposal, Proposal)
            change, after = proposed(view, name, arguments, proposal)
        except (ControlError, ToolError) as error:
            code = error.code if isinstance(error, ToolError) else "not_allowed"
            raise ToolError(
                code,
                f"changes.{number} ({name}): {error}",
                argument=f"changes.{number}.arguments",
                value=arguments,
                allowed=error.allowed if isinstance(error, ToolError) else (),
            ) from None
        found.append(change)
        view = dataclasses.replace(view, controls=after, changes=(*view.changes, change))
    return view, found
