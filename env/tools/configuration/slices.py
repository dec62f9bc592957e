# SPDX-License-Identifier: Apache-2.0
"""Tools that configure slices and who is in them."""

from __future__ import annotations

from pydantic import Field

from env.tools.base import Arguments, Proposal, tool
from env.tools.configuration.changing import CellSettings, changes, flow_of
from env.view import View
from ns3_scenarios.controls import Degradation
from ns3_scenarios.scenario import Percent


class SwitchNetworkSlice(Arguments):
    """Of `switch_network_slice`."""

    ue: str = Field(description="Name of the user.")
    flow: str | None = Field(
        default=None, description="Name of one of its flows; all of them by default."
    )
    slice: str = Field(description="Name of the slice that they join.")


@tool("configuration")
def switch_network_slice(view: View, args: SwitchNetworkSlice) -> Proposal:
    """Move a user, or one of its flows, to another network slice (TS 23.501 5.15).

    Its flows then share that slice's resource blocks, transport paths and promises; those with a
    5QI or a path of their own keep them.

    Errors: no_such_element for an unknown user, flow or slice.
    """
    ue = view.ue(args.ue)
    every = view.controls.ues[ue].flows
    flows = every if args.flow is None else [flow_of(view, ue, args.flow)]
    slice_ = view.slice(args.slice)
    return Proposal(tuple(c for f in flows for c in changes(f"ues.{ue}.flows.{f}", slice=slice_)))


class TriggerSliceReallocation(CellSettings):
    """Of `trigger_slice_reallocation`."""

    slice: str = Field(description="Name of the slice.")
    dedicated_pct: Percent | None = Field(
        default=None,
        description="Of the cell's resource blocks, kept for the slice even when unused; by "
        "default as it is.",
    )
    min_pct: Percent | None = Field(
        default=None, description="Guaranteed when needed; by default as it is."
    )
    max_pct: Percent | None = Field(
        default=None, description="Most that it gets; by default as it is."
    )


@tool("configuration")
def trigger_slice_reallocation(view: View, args: TriggerSliceReallocation) -> Proposal:
    """Set the shares of a cell's resource blocks that a slice has, or some of them.

    They are those of RRMPolicyRatio (TS 28.541 4.3.36): dedicated_pct <= min_pct <= max_pct, and
    dedicated_pct and min_pct of all slices of a cell each add up to 100 at most.

    Errors: no_such_element; not_allowed where shares do not fit together; bad_arguments where none
    is given.
    """
    return Proposal(
        changes(
            f"cells.{view.cell(args.cell)}.slices.{view.slice(args.slice)}",
            dedicated_pct=args.dedicated_pct,
            min_pct=args.min_pct,
            max_pct=args.max_pct,
        )
    )


class GracefulDegradation(Arguments):
    """Of `graceful_degradation`."""

    slice: str = Field(description="Name of the slice.")
    level: Degradation = Field(
        description="none; reduce_rate: every application sends at its reduced rate; "
        "essential_only: only those that are essential send, at that rate."
    )


@tool("configuration")
def graceful_degradation(view: View, args: GracefulDegradation) -> Proposal:
    """Let the applications of a slice send less, to relieve the network or save the essential.

    What is essential, and the reduced rate of each application, are the scenario's. Traffic that is
    not sent counts as neither offered nor lost.

    Errors: no_such_element.
    """
    return Proposal(changes(f"slices.{view.slice(args.slice)}", degradation=args.level))
