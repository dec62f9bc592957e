# SPDX-License-Identifier: Apache-2.0
"""The tool that undoes what others did."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from env.errors import ToolError
from env.tools.base import Arguments, Proposal, tool
from env.view import Change, View
from ns3_scenarios.control_ranges import control_ranges
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.errors import ControlError


class RollbackChange(Arguments):
    """Of `rollback_change`."""

    change_id: str = Field(description="As the call answered that made the change.")


@tool("configuration")
def rollback_change(view: View, args: RollbackChange) -> Proposal:
    """Set all controls that a change set back to what they were before it.

    Changes may be rolled back in any order. One that a later change has set anew, or made
    impossible to go back to, is refused until that one is rolled back. A rollback itself cannot be
    undone; make the first call again.

    Errors: no_such_element for an unknown change, or one of elements out of scope; not_allowed for
    one that is not reversible or is rolled back already; conflict where a later change stands in
    the way: it has set the same control, or one that does not go together with what was there, such
    as another slice's share.
    """
    known = {change.change_id: change for change in view.changes if _in_scope(view, change)}
    if args.change_id not in known:
        raise ToolError(
            "no_such_element",
            f"change_id={args.change_id!r} is no change that was made here",
            argument="change_id",
            value=args.change_id,
            allowed=list(known) or "no change was made yet",
        )
    change = known[args.change_id]
    if not change.reversible:
        raise ToolError(
            "not_allowed",
            f"{change.change_id} ({change.tool}) cannot be undone",
            argument="change_id",
            value=change.change_id,
        )
    standing = standing_changes(view.changes)
    if change not in standing:
        raise ToolError(
            "not_allowed",
            f"{change.change_id} is rolled back already",
            argument="change_id",
            value=change.change_id,
        )
    undoing = _undoing(change)
    group_of = {path: range_.group for path, range_ in control_ranges(view.scenario).items()}
    mine = {s.path for s in change.settings}
    groups = {group_of[path] for path in mine}
    others = [c for c in standing if c is not change and c.reversible
              and not groups.isdisjoint(group_of[s.path] for s in c.settings)]  # fmt: skip
    bound = groups if _impossible(view, undoing, others) else set()
    for later in reversed(standing[standing.index(change) + 1 :]):
        paths = sorted(s.path for s in later.settings)
        if shared := [path for path in paths if path in mine or group_of[path] in bound]:
            raise ToolError(
                "conflict",
                f"{later.change_id} ({later.tool}) has set {shared[0]} since; roll it back first",
                argument="change_id",
                value=change.change_id,
            )
    return Proposal(undoing, reversible=False, undoes=change.change_id)


def _undoing(change: Change) -> tuple[ControlChange, ...]:
    return tuple(ControlChange(path=s.path, value=s.before) for s in change.settings)


def _impossible(view: View, undoing: Sequence[ControlChange], others: Sequence[Change]) -> bool:
    """Whether controls would not go together, now or as the others are undone, the latest first."""
    controls = view.controls
    try:
        for changes in (undoing, *map(_undoing, reversed(others))):
            controls = controls.with_changes(changes, view.scenario)
    except ControlError:
        return True
    return False


def undoable(view: View) -> list[Change]:
    """Changes in force and in scope that are reversible, the oldest first."""
    standing = standing_changes(view.changes)
    return [c for c in standing if c.reversible and _in_scope(view, c)]


def _in_scope(view: View, change: Change) -> bool:
    return all(view.scope.has_control(setting.path) for setting in change.settings)


def standing_changes(changes: Sequence[Change]) -> list[Change]:
    """Changes that are in force, the oldest first: neither rollbacks nor rolled back."""
    undone = {change.undoes for change in changes}
    return [c for c in changes if not c.undoes and c.change_id not in undone]
