# SPDX-License-Identifier: Apache-2.0
"""Tools that configure cells."""

from __future__ import annotations

from pydantic import Field

from env.tools.base import Arguments, Proposal, tool
from env.view import View
from ns3_scenarios.controls import ControlChange


class SetCellTxPower(Arguments):
    """Of `set_cell_tx_power`."""

    cell: str = Field(description="Name of the cell, as in get_topology.")
    tx_power_dbm: float = Field(ge=-30, le=60, description="Over the whole carrier, in dBm.")


@tool("configuration")
def set_cell_tx_power(view: View, args: SetCellTxPower) -> Proposal:
    """Set the transmit power of a cell.

    More power reaches further and disturbs neighbours more. The bounds are those of the RAN model.

    Errors: no_such_element.
    """
    path = f"cells.{view.cell(args.cell)}.tx_power_dbm"
    return Proposal((ControlChange(path=path, value=args.tx_power_dbm),))
