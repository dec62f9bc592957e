# SPDX-License-Identifier: Apache-2.0
"""The tool that places applications."""

from __future__ import annotations

from pydantic import Field

from env.tools.base import Proposal, tool
from env.tools.configuration.changing import Settings, changes
from env.view import View
from ns3_scenarios.controls import Fraction


class EdgeOffload(Settings):
    """Of `edge_offload`."""

    application: str = Field(description="Name of the application, as in get_topology.")
    site: str | None = Field(
        default=None, description="Edge site that it is to run at; by default as it is."
    )
    fraction: Fraction | None = Field(
        default=None,
        description="Share of its jobs that is offloaded, the others run on the users' devices; by "
        "default as it is.",
    )


@tool("configuration")
def edge_offload(view: View, args: EdgeOffload) -> Proposal:
    """Set where an edge application runs and how much of it is offloaded, or one of them.

    New jobs go to the new site; those under way end where they are, as in a relocation without
    transfer of context (TS 23.558 8.8). The bounds are those of the edge model.

    Errors: no_such_element; bad_arguments where neither site nor fraction is given.
    """
    at = f"applications.{view.application(args.application)}"
    site = None if args.site is None else view.site(args.site)
    return Proposal(changes(at, site=site, fraction=args.fraction))
