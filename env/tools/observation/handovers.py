# SPDX-License-Identifier: Apache-2.0
"""The tool that reads handovers."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from env.tools.base import Arguments, Result, tool
from env.tools.observation.reading import (
    Limit,
    Listing,
    Window,
    cells_of,
    count,
    in_scope,
    listing,
    panel,
    read,
    read_one,
    rounded,
    seen,
)
from env.view import View

PENDING = ("preparing", "handover", "lost")


class CheckHandoverStatus(Arguments):
    """Of `check_handover_status`."""

    cell: str | None = Field(default=None, description="Only handovers from this cell.")
    ue: str | None = Field(default=None, description="Only this user; not with `cell`.")
    window: Window = 10
    limit: Limit = 20

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.cell is not None and self.ue is not None:
            raise ValueError("give `cell` or `ue`, not both")
        return self


class PendingUser(Result):
    """A user that is being handed over, or has lost its cell."""

    ue: str
    cell: str | None = None
    """That serves it, or did."""
    state: str | None = None
    """preparing, handover or lost."""


class HandoverStatus(Result):
    """Handovers over a window; of a single user only `successes` and `pending` are known."""

    intervals: int
    """That there were: fewer than `window` at the start."""
    attempts: int | None = None
    """Commanded (MM.HoExeInterReq, TS 28.552 5.1.1.6.1.7)."""
    successes: int | None = None
    """Completed."""
    failures: int | None = None
    ping_pongs: int | None = None
    """Users handed straight back."""
    radio_link_failures: int | None = None
    success_pct: float | None = None
    """Completed, of those that were completed or failed."""
    pending: Listing[PendingUser]
    """At the end of the last interval."""


COUNTS = {
    "attempts": "ho_attempts",
    "successes": "ho_successes",
    "failures": "ho_failures",
    "ping_pongs": "ho_ping_pongs",
    "radio_link_failures": "rlf",
}


@tool("observation")
def check_handover_status(view: View, args: CheckHandoverStatus) -> HandoverStatus:
    """Count handovers of a cell, a user or all cells over a window, and list who is in one.

    Attempts are counted when they are commanded, results when they are known, so that a handover
    over the end of an interval is counted in two.

    Errors: no_such_element; bad_arguments where both a cell and a user are given.
    """
    window = view.window(args.window)
    if args.ue is not None:
        ue = view.ue(args.ue)
        done = panel(window, "ue", "ue", [ue], ["handovers"])
        now = PendingUser(**(read_one(PendingUser, view.now, "ue", ue=ue) | {"ue": ue}))
        waits = [now] if now.state in PENDING else []
        return HandoverStatus(
            intervals=len(window),
            successes=count(done.flat),
            pending=listing(_seen(view, waits), 1),
        )
    cells = cells_of(view) if args.cell is None else [view.cell(args.cell)]
    measured = panel(window, "cell", "cell", cells, list(COUNTS.values()))
    counts = {name: count(measured[:, number].flat) for number, name in enumerate(COUNTS)}
    finished = (counts["successes"] or 0) + (counts["failures"] or 0)
    success_pct = 100 * (counts["successes"] or 0) / finished if finished else None
    names = {} if args.cell is None else {"cell": args.cell}
    rows = in_scope(view, view.now, "ue", "ue", **names)
    rows = rows[np.isin(view.now.column("ue", "state")[rows], PENDING)]
    waits = [PendingUser(**row) for row in read(PendingUser, view.now, "ue", rows[: args.limit])]
    return HandoverStatus(
        intervals=len(window),
        **counts,
        success_pct=rounded(success_pct),
        pending=listing(_seen(view, waits), args.limit, len(rows)),
    )


def _seen(view: View, users: list[PendingUser]) -> list[PendingUser]:
    return [user.model_copy(update={"cell": seen(view, user.cell)}) for user in users]
