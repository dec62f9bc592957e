# SPDX-License-Identifier: Apache-2.0
"""The tool that leads traffic through the transport network."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from env.errors import ToolError
from env.tools.base import Arguments, Proposal, tool
from env.tools.configuration.changing import changes, flow_of
from env.view import View
from ns3_scenarios.controls import AUTO, SLICE_ROUTE, ControlChange
from ns3_scenarios.scenario import Identifier, QueueDiscipline

_WAYS = ({"slice", "path"}, {"ue", "flow", "path"}, {"link", "queue"})


class RerouteFlow(Arguments):
    """Of `reroute_flow`."""

    slice: str | None = Field(
        default=None, description="Name of the slice whose traffic is rerouted; goes with path."
    )
    ue: str | None = Field(
        default=None, description="Name of a user one of whose flows is rerouted; goes with flow."
    )
    flow: str | None = Field(
        default=None, description="Name of the flow, as in get_qos_flows; goes with ue and path."
    )
    path: tuple[Identifier, ...] | None = Field(
        default=None,
        max_length=100,
        description="Nodes from a radio site to the core or an edge site, as compute_path answers. "
        "An empty path gives up those set before: a flow goes as its slice does, a slice on all "
        "paths of least delay.",
    )
    link: str | None = Field(
        default=None, description="Name of the link whose queue is set; goes with queue."
    )
    queue: QueueDiscipline | None = Field(
        default=None, description="Queue discipline of both directions of the link."
    )

    @model_validator(mode="after")
    def _one_way_to_call(self) -> Self:
        given = {name for name in type(self).model_fields if getattr(self, name) is not None}
        if given not in _WAYS:
            raise ValueError("give slice and path; or ue, flow and path; or link and queue")
        return self


@tool("configuration")
def reroute_flow(view: View, args: RerouteFlow) -> Proposal:
    """Lead a slice or a flow over a transport path, or set the queue discipline of a link.

    The path of a slice holds for its traffic between the two ends; that of a flow while its user is
    at the site where the path starts and its traffic ends where the path does. No path moves by
    itself when a link fails. Queue disciplines are those of ns-3: red, codel (RFC 8289), fq_codel
    (RFC 8290), a token_bucket at the scenario's share of the link's rate, and fifo.

    Errors: no_such_element; not_allowed for nodes that no link joins, a node passed twice, ends
    that are not a site and an anchor, or a network without transport; bad_arguments where the
    arguments do not go together.
    """
    if args.link is not None:
        return Proposal(changes(f"links.{view.link(args.link)}", queue=args.queue))
    assert args.path is not None
    if args.slice is not None:
        return Proposal(_slice(view, view.slice(args.slice), args.path))
    assert args.ue is not None
    assert args.flow is not None
    ue = view.ue(args.ue)
    flow = flow_of(view, ue, args.flow)
    _check_ends(view, args.path)
    route = "-".join(args.path) or SLICE_ROUTE
    return Proposal(changes(f"ues.{ue}.flows.{flow}", route=route))


def _slice(view: View, name: str, path: tuple[str, ...]) -> tuple[ControlChange, ...]:
    _check_ends(view, path)
    at = f"slices.{name}.routes"
    if path:
        return changes(f"{at}.{path[0]}", **{path[-1]: "-".join(path)})
    routes = view.controls.slices[name].routes
    return tuple(
        change
        for site, by_anchor in routes.items()
        for change in changes(f"{at}.{site}", **dict.fromkeys(by_anchor, AUTO))
    )


def _check_ends(view: View, path: tuple[str, ...]) -> None:
    scenario = view.scenario
    if scenario.transport is None:
        raise ToolError(
            "not_allowed",
            f"path={list(path)} is not allowed: this network has no transport links",
            argument="path",
            value=list(path),
        )
    sites, anchors = scenario.site_ids, scenario.anchors
    if path and (path[0] not in sites or path[-1] not in anchors):
        allowed = f"from one of {', '.join(sites)} to one of {', '.join(anchors)}"
        raise ToolError(
            "not_allowed",
            f"path={list(path)} is not allowed: it must lead {allowed}",
            argument="path",
            value=list(path),
            allowed=allowed,
        )
