# SPDX-License-Identifier: Apache-2.0
"""The tool that reads alarms."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import Limit, Listing, in_scope, listing, read
from env.view import View

SEVERITIES = ("critical", "major", "minor", "warning")
"""Of ITU-T X.733, the worst first."""
RECENT_CHANGES = 10
MAX_SETTINGS = 10
"""Of a change, that are shown."""


class ListAlarms(Arguments):
    """Of `list_alarms`."""

    min_severity: Literal["critical", "major", "minor", "warning"] = Field(
        default="warning", description="The least severity that is listed."
    )
    limit: Limit = 20


class Alarm(Result):
    """An active alarm."""

    alarm: str
    """Its name, the same as long as it lasts."""
    element: str
    """A cell, link, edge site, slice or user."""
    cause: str | None = None
    severity: str | None = None
    """ITU-T X.733."""
    raised_ms: float | None = None
    """In simulated time."""


class ChangedSetting(Result):
    """A control that a change set."""

    path: str
    before: float | int | str
    after: float | int | str


class RecentChange(Result):
    """A change of the configuration that was made by a call."""

    change_id: str
    tool: str
    interval: int
    """Intervals done when it was made."""
    undoes: str | None
    """The change that it rolled back."""
    rolled_back: bool
    settings: Listing[ChangedSetting]


class AlarmList(Result):
    """Alarms and changes of the configuration."""

    time_ms: float
    """Simulated time now."""
    active: Listing[Alarm]
    """The worst first, then the oldest."""
    cleared: list[str]
    """Alarms that were cleared in the last interval."""
    recent_changes: list[RecentChange]
    """The last ten, the latest first."""


@tool("observation")
def list_alarms(view: View, args: ListAlarms) -> AlarmList:
    """List active alarms with element, cause, severity and since when, and recent changes.

    Severities are those of ITU-T X.733. Elements report what fails in them at once (TS 28.532
    11.2.1.1); congestion, overload, low battery and loss of service are seen at the end of a
    reporting interval.

    Errors: none.
    """
    kpis = view.now
    rows = in_scope(view, kpis, "alarm", "element")
    severities = SEVERITIES[: SEVERITIES.index(args.min_severity) + 1]
    rows = rows[np.isin(kpis.column("alarm", "severity")[rows], severities)]
    over = np.isfinite(kpis.column("alarm", "cleared_ms")[rows])
    active = [Alarm(**row) for row in read(Alarm, kpis, "alarm", rows[~over])]
    active.sort(key=lambda a: (SEVERITIES.index(a.severity or ""), a.raised_ms or 0.0))
    return AlarmList(
        time_ms=kpis.time_ms,
        active=listing(active, args.limit),
        cleared=[str(name) for name in kpis.column("alarm", "alarm")[rows[over]]][: args.limit],
        recent_changes=_recent_changes(view),
    )


def _recent_changes(view: View) -> list[RecentChange]:
    undone = {change.undoes for change in view.changes}
    found: list[RecentChange] = []
    for change in reversed(view.changes):
        settings: list[Any] = [s for s in change.settings if view.scope.has_control(s.path)]
        if settings and len(found) < RECENT_CHANGES:
            shown = [
                ChangedSetting(path=s.path, before=s.before, after=s.after)
                for s in settings[:MAX_SETTINGS]
            ]
            found.append(
                RecentChange(
                    change_id=change.change_id,
                    tool=change.tool,
                    interval=change.interval,
                    undoes=change.undoes or None,
                    rolled_back=change.change_id in undone,
                    settings=listing(shown, MAX_SETTINGS, len(settings)),
                )
            )
    return found
