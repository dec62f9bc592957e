# SPDX-License-Identifier: Apache-2.0
"""What a prediction of the next interval is made from: one row per element, by kind.

The same code computes the rows of training, validation and running surrogates. A row knows the KPIs
of the interval that has ended and of the one before it, the controls of the next interval and how
they differ from the present ones, and what comes from outside the network in the next interval:
faults and what open-loop applications send. It knows no KPI of the next interval.
"""

from __future__ import annotations

from collections.abc import Callable

from calibration.features.cells import cell_rows
from calibration.features.edges import application_rows, edge_rows
from calibration.features.flows import class_rows, network_rows
from calibration.features.links import link_rows
from calibration.features.radio import Radio
from calibration.features.rows import Rows
from calibration.features.slices import slice_rows
from calibration.features.step import Step, steps_of

__all__ = ["ROWS", "Radio", "Rows", "Step", "steps_of"]

ROWS: dict[str, Callable[[Radio], Rows]] = {
    "cell": cell_rows,
    "slice": slice_rows,
    "link": link_rows,
    "edge": edge_rows,
    "application": application_rows,
    "class": class_rows,
    "network": network_rows,
}
"""Rows of each kind of element."""
