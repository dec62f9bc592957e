# SPDX-License-Identifier: Apache-2.0
"""The tool that sends cells to sleep."""

from __future__ import annotations

from pydantic import Field

from env.tools.base import Proposal, tool
from env.tools.configuration.changing import CellSettings, changes
from env.view import View
from ns3_scenarios.scenario import Percent, SleepMode


class SetCellSleep(CellSettings):
    """Of `set_cell_sleep`."""

    mode: SleepMode | None = Field(
        default=None,
        description="How deeply it may sleep; off takes it away. By default as it is.",
    )
    wake_prb_pct: Percent | None = Field(
        default=None,
        description="Load that wakes it from light or deep sleep, in % of its resource blocks; by "
        "default as it is.",
    )


@tool("configuration")
def set_cell_sleep(view: View, args: SetCellSleep) -> Proposal:
    """Set how deeply a cell may sleep, and the load that wakes it, or one of them.

    on never sleeps; micro sleeps in idle slots; light sleeps after a time without work; deep and
    off first hand their users to other cells. A deeper sleep saves more and takes longer to wake
    from. The states and their power are those of TR 38.864 Table 5.1-1.

    Errors: no_such_element; bad_arguments where neither is given.
    """
    return Proposal(
        changes(
            f"cells.{view.cell(args.cell)}", sleep_mode=args.mode, wake_prb_pct=args.wake_prb_pct
        )
    )
