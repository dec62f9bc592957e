# SPDX-License-Identifier: Apache-2.0
"""Tools that configure and order handovers."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from env.errors import ToolError
from env.tools.base import Arguments, Proposal, tool
from env.tools.configuration.changing import CellSettings, changes
from env.view import View
from ns3_scenarios.controls import CellOffset
from ns3_scenarios.scenario import A3Offset, Hysteresis, TimeToTrigger


class SetHandoverParams(CellSettings):
    """Of `set_handover_params`."""

    a3_offset_db: A3Offset | None = Field(
        default=None,
        description="How much better another cell must be, in dB; by default as it is.",
    )
    hysteresis_db: Hysteresis | None = Field(
        default=None, description="Added to it, in dB; by default as it is."
    )
    ttt_ms: TimeToTrigger | None = Field(
        default=None, description="For how long it must be so, in ms; by default as it is."
    )
    neighbour: str | None = Field(
        default=None, description="A neighbour relation of the cell; goes with cio_db."
    )
    cio_db: CellOffset | None = Field(
        default=None,
        description="Individual offset in favour of `neighbour`, in dB; by default as it is.",
    )

    @model_validator(mode="after")
    def _offset_has_a_neighbour(self) -> Self:
        if (self.neighbour is None) != (self.cio_db is None):
            raise ValueError("neighbour and cio_db go together")
        return self


@tool("configuration")
def set_handover_params(view: View, args: SetHandoverParams) -> Proposal:
    """Set when users of a cell are handed over, or a part of it.

    A user leaves when event A3 holds for the time to trigger: another cell plus its individual
    offset exceeds the serving cell by offset and hysteresis (TS 38.331 5.5.4.4). Bounds are those
    of TS 38.331 6.3.2: a3-Offset, Hysteresis, TimeToTrigger, Q-OffsetRange.

    Errors: no_such_element for an unknown cell, or a neighbour that is no relation of it;
    not_allowed for a cell of a further carrier, on which no user is connected; bad_arguments where
    nothing is given, or only one of neighbour and cio_db.
    """
    cell = _connects(view, args.cell, "cell")
    at = f"cells.{cell}.handover"
    found = changes(
        at, a3_offset_db=args.a3_offset_db, hysteresis_db=args.hysteresis_db, ttt_ms=args.ttt_ms
    )
    if args.neighbour is not None:
        found += changes(f"{at}.cio_db", **{_neighbour(view, cell, args.neighbour): args.cio_db})
    return Proposal(found)


class RequestHandover(Arguments):
    """Of `request_handover`."""

    ue: str = Field(description="Name of the user.")
    target_cell: str = Field(description="Name of the cell that is to serve it.")


@tool("configuration")
def request_handover(view: View, args: RequestHandover) -> Proposal:
    """Order the handover of a user to another cell, whatever event A3 says.

    Preparation and execution take their time and may fail (TS 38.300 9.2.3.2):
    check_handover_status tells. Event A3 may take the user back. An order is carried out once and
    cannot be undone.

    Errors: no_such_element; not_allowed where the cell serves the user already, is one of a further
    carrier, on which no user is connected, or the user is in a handover or has lost its cell.
    """
    ue = view.ue(args.ue)
    target = _connects(view, args.target_cell, "target_cell")
    for row in view.now.rows("ue", ue=ue):
        if row["cell"] == target and row["state"] == "connected":
            raise _refused("target_cell", target, f"it serves {ue} already")
        if row["state"] not in (None, "connected"):
            raise _refused("ue", ue, f"its state is {row['state']}, and it must be connected")
    return Proposal(changes(f"ues.{ue}", target_cell=target), reversible=False)


def _connects(view: View, name: str, argument: str) -> str:
    """A cell on which users are connected."""
    cell = view.cell(name, argument)
    if view.controls.cells[cell].handover is None:
        first = [c for c, own in view.controls.cells.items() if own.handover and view.scope.has(c)]
        message = "users are connected on the first carrier, and it is a cell of a further one"
        raise _refused(argument, cell, message, first)
    return cell


def _neighbour(view: View, cell: str, name: str) -> str:
    own = view.controls.cells[cell].handover
    known = [n for n in (own.cio_db if own else ()) if view.scope.has(n)]
    if name not in known:
        raise ToolError(
            "no_such_element",
            f"neighbour={name!r} is no neighbour relation of {cell}: it is not one of "
            f"{', '.join(known)}",
            argument="neighbour",
            value=name,
            allowed=known,
        )
    return name


def _refused(argument: str, value: str, why: str, allowed: list[str] | None = None) -> ToolError:
    return ToolError(
        "not_allowed",
        f"{argument}={value!r} is not allowed: {why}",
        argument=argument,
        value=value,
        allowed=allowed or (),
    )
