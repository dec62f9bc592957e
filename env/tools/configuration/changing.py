# SPDX-License-Identifier: Apache-2.0
"""What tools that configure share: settings that may be left out, and flows of users."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from env.errors import ToolError
from env.tools.base import Arguments
from env.view import View
from ns3_scenarios.controls import ControlChange


class Settings(Arguments):
    """Base of arguments whose optional ones are settings, left as they are by default."""

    @model_validator(mode="after")
    def _something_is_set(self) -> Self:
        fields = type(self).model_fields.items()
        optional = [name for name, field in fields if not field.is_required()]
        if all(getattr(self, name) is None for name in optional):
            raise ValueError(f"give at least one of {', '.join(optional)}")
        return self


class CellSettings(Settings):
    """Base of settings of a cell."""

    cell: str = Field(description="Name of the cell, as in get_topology.")


def changes(above: str, /, **values: float | str | None) -> tuple[ControlChange, ...]:
    """Controls below a path set to values; None leaves one as it is."""
    return tuple(
        ControlChange(path=f"{above}.{name}", value=value)
        for name, value in values.items()
        if value is not None
    )


def flow_of(view: View, ue: str, flow: str) -> str:
    """A flow of a user.

    Raises:
        ToolError: it has none of that name.
    """
    known = list(view.controls.ues[ue].flows)
    if flow not in known:
        raise ToolError(
            "no_such_element",
            f"flow={flow!r} is no flow of {ue}: it is not one of {', '.join(known)}",
            argument="flow",
            value=flow,
            allowed=known,
        )
    return flow
