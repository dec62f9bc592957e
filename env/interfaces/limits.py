# SPDX-License-Identifier: Apache-2.0
"""What others may take of a server: `check_limits`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from env.errors import EnvUserError


def check_limits(limits: Any) -> None:
    """Refuse limits, the fields of a dataclass, that are not positive and finite.

    Raises:
        EnvUserError: names the first.
    """
    for each in fields(limits):
        value = getattr(limits, each.name)
        if not 0 < value < float("inf"):
            raise EnvUserError(
                f"{each.name}={value} is not allowed; it must be more than 0 and finite"
            )
