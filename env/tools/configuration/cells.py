# SPDX-License-Identifier: Apache-2.0
"""Tools that configure cells."""

from __future__ import annotations

from pydantic import Field

from env.tools.base import Arguments, Proposal, tool
from env.tools.configuration.changing import CellSettings, changes
from env.view import View
from ns3_scenarios.controls import Bandwidth, TargetBler, Tilt, TxPower
from ns3_scenarios.scenario import Numerology, SchedulerPolicy


class SetCellTxPower(Arguments):
    """Of `set_cell_tx_power`."""

    cell: str = Field(description="Name of the cell, as in get_topology.")
    tx_power_dbm: TxPower = Field(description="Over the whole carrier, in dBm.")


@tool("configuration")
def set_cell_tx_power(view: View, args: SetCellTxPower) -> Proposal:
    """Set the transmit power of a cell.

    More power reaches further and disturbs neighbours more. The bounds are those of the RAN model.

    Errors: no_such_element.
    """
    return Proposal(changes(f"cells.{view.cell(args.cell)}", tx_power_dbm=args.tx_power_dbm))


class SetAntennaTilt(Arguments):
    """Of `set_antenna_tilt`."""

    cell: str = Field(description="Name of the cell, as in get_topology.")
    tilt_deg: Tilt = Field(description="Down-tilt in degrees; negative looks up.")


@tool("configuration")
def set_antenna_tilt(view: View, args: SetAntennaTilt) -> Proposal:
    """Set the down-tilt of a cell's antenna.

    More down-tilt serves users near the site better and disturbs neighbours less. The bounds are
    those of digitalTilt (TS 28.541 4.4.1). A single isotropic antenna radiates alike at any tilt.

    Errors: no_such_element.
    """
    return Proposal(changes(f"cells.{view.cell(args.cell)}", tilt_deg=args.tilt_deg))


class SetCellCarrier(CellSettings):
    """Of `set_cell_carrier`."""

    bandwidth_mhz: Bandwidth | None = Field(
        default=None, description="Channel bandwidth, at most the carrier's; by default as it is."
    )
    numerology: Numerology | None = Field(
        default=None,
        description="Subcarriers are 15 kHz times 2**numerology apart; by default as it is.",
    )


@tool("configuration")
def set_cell_carrier(view: View, args: SetCellCarrier) -> Proposal:
    """Set the bandwidth and the numerology of a cell, or one of them.

    Bandwidth scales capacity; the transmit power stays and spreads over it. A higher numerology has
    shorter slots and fewer, wider resource blocks. Resource blocks are those of TS 38.101-1 and
    38.101-2 5.3.2, numerologies those of TS 38.211 4.2.

    Errors: no_such_element; not_allowed for more bandwidth than the carrier has, or less than one
    resource block; bad_arguments where neither is given.
    """
    return Proposal(
        changes(
            f"cells.{view.cell(args.cell)}",
            bandwidth_mhz=args.bandwidth_mhz,
            numerology=args.numerology,
        )
    )


class SetScheduler(CellSettings):
    """Of `set_scheduler`."""

    policy: SchedulerPolicy | None = Field(
        default=None, description="Who is served first; by default as it is."
    )
    target_bler: TargetBler | None = Field(
        default=None,
        description="Share of first transmissions that may fail; by default as it is.",
    )


@tool("configuration")
def set_scheduler(view: View, args: SetScheduler) -> Proposal:
    """Set the scheduling policy and the target block error rate of a cell, or one of them.

    round_robin serves users in turn, proportional_fair by rate over mean rate, max_ci the best
    channels, qos by delay budget and guaranteed rate. A lower target chooses more robust
    transmissions. CQI are defined at a target of 0.1 (TS 38.214 5.2.2.1); the bounds are those of
    the RAN model.

    Errors: no_such_element; bad_arguments where neither is given.
    """
    return Proposal(
        changes(
            f"cells.{view.cell(args.cell)}", scheduler=args.policy, target_bler=args.target_bler
        )
    )
