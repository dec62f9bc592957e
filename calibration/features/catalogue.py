# SPDX-License-Identifier: Apache-2.0
"""What every feature column is: `describe` gives its unit and a description.

docs/features.md has the whole catalogue (`calibration.features.document`).
"""

from __future__ import annotations

from calibration.features.families import Described, Entries
from calibration.features.words import GROUPS

__all__ = ["CATALOGUE", "Described", "describe"]


def _by_kind() -> dict[str, Entries]:
    found: dict[str, Entries] = {}
    for group in GROUPS:
        for kind in group.kinds:
            found.setdefault(kind, {}).update(group.entries)
    return found


CATALOGUE = _by_kind()
"""The columns of each kind of row."""


def describe(kind: str, name: str) -> Described:
    """What a feature column is.

    Args:
        kind: of the row, as in `ROWS`.
        name: of the column.

    Raises:
        KeyError: rows of that kind have no such column.
    """
    try:
        return CATALOGUE[kind][name]
    except KeyError:
        raise KeyError(f"rows of kind {kind!r} have no feature {name!r}") from None
