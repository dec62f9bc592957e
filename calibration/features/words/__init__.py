# SPDX-License-Identifier: Apache-2.0
"""The words of the catalogue: every feature column, in groups that some kinds of rows share."""

from __future__ import annotations

from calibration.features.families import Group
from calibration.features.words.cells import CELL_LOAD, MOBILITY, OF_A_CELL
from calibration.features.words.flows import CLASS, FLOWS, NETWORK
from calibration.features.words.paths import APPLICATION, EDGE, LINK
from calibration.features.words.slices import SLICE

GROUPS = (
    Group("What holds of a cell", ("cell", "slice"), OF_A_CELL),
    Group("Load of a cell", ("cell",), CELL_LOAD),
    Group("Mobility of a cell's users", ("cell",), MOBILITY),
    Group("A slice of a cell", ("slice",), SLICE),
    Group("A direction of a transport link", ("link",), LINK),
    Group("An edge site", ("edge",), EDGE),
    Group("An application", ("application",), APPLICATION),
    Group("Flows from end to end", ("class", "network"), FLOWS),
    Group("A flow class", ("class",), CLASS),
    Group("A slice of the whole network", ("network",), NETWORK),
)
"""All columns; none is in two groups of one kind."""
