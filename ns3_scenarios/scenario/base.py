# SPDX-License-Identifier: Apache-2.0
"""What all parts of a scenario share: the base model, the common types, and canonical JSON."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Numerology = Annotated[int, Field(ge=0, le=6)]
Percent = Annotated[float, Field(ge=0, le=100)]
McsTable = Literal["qam64", "qam256", "qam1024"]
SchedulerPolicy = Literal["round_robin", "proportional_fair", "max_ci", "qos"]
SleepMode = Literal["on", "micro", "light", "deep", "off"]
QueueDiscipline = Literal["fifo", "red", "codel", "fq_codel", "token_bucket"]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)]


class Model(BaseModel):
    """Base of all configuration: immutable, and strict about names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Position(Model):
    """A point; z is height above ground."""

    x_m: float = Field(ge=-1e5, le=1e5)
    y_m: float = Field(ge=-1e5, le=1e5)
    z_m: float | None = Field(default=None, ge=0.5, le=1e4, description="By default the layout's.")


def canonical_json(value: Any) -> str:
    """JSON in which equal values are equal text: sorted keys, and 25 for 25.0."""
    return json.dumps(_numbers_alike(value), sort_keys=True, separators=(",", ":"))


def _numbers_alike(value: Any) -> Any:
    """25 and 25.0 are the same value, so they must be the same text."""
    if isinstance(value, dict):
        return {k: _numbers_alike(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers_alike(v) for v in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
