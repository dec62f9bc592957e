# SPDX-License-Identifier: Apache-2.0
"""Moves at cells: shares of slices, carriers, handovers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from env.goals import KpiPredicate
from env.tools.reasoning import candidates as make
from env.tools.reasoning.candidates import Candidate, call, candidate
from env.tools.reasoning.foresight import serving_cell
from env.view import View
from ns3_scenarios.control_ranges import Span, control_ranges

SHARES = ((None, None, 100.0), (0.0, 40.0, 100.0), (20.0, 60.0, 100.0), (0.0, 0.0, 10.0))
"""Dedicated, guaranteed and most resource blocks of a slice, in %."""
HANDOVERS = ((2.0, 80.0), (4.0, 320.0), (0.0, 40.0), (8.0, 640.0))
"""A3 offset in dB and time to trigger in ms: balanced, slow, eager, sticky."""


def cells_of_goal(view: View, goal: KpiPredicate) -> list[str]:
    """Cells that a goal is about, the fullest first."""
    if goal.cell:
        return [goal.cell]
    if goal.ue:
        return serving_cell(view, goal.ue)
    return make.busiest(view, view.scenario.n_cells)


def shares(view: View, slice_: str, cells: Sequence[str]) -> Iterator[Candidate]:
    """A slice gets more of cells, if need be from what is promised to others."""
    for dedicated, least, most in SHARES[:3]:
        calls = []
        for cell in cells:
            shares = view.controls.cells[cell].slices
            if slice_ not in shares:
                continue
            own = shares[slice_]
            free = 100 - sum(s.min_pct for n, s in shares.items() if n != slice_)
            wanted = {
                "dedicated_pct": own.dedicated_pct if dedicated is None else min(dedicated, free),
                "min_pct": own.min_pct if least is None else min(max(least, own.min_pct), free),
                "max_pct": most,
            }
            if wanted != own.model_dump():
                calls.append(call("trigger_slice_reallocation", cell=cell, slice=slice_, **wanted))
        yield from candidate(f"{slice_} gets {least or 'as'} to {most:g} % of cells", calls)


def limited(view: View, slice_: str, cells: Sequence[str]) -> list[Candidate]:
    """A slice gets little of cells."""
    dedicated, least, most = SHARES[3]
    calls = [
        call(
            "trigger_slice_reallocation",
            cell=cell,
            slice=slice_,
            dedicated_pct=dedicated,
            min_pct=least,
            max_pct=most,
        )
        for cell in cells
        if slice_ in view.controls.cells[cell].slices
    ]
    return candidate(f"{slice_} gets at most {most:g} % of cells", calls)


def carriers(view: View, cells: Sequence[str], *, shrink: bool) -> Iterator[Candidate]:
    """Cells use more or less of their carriers."""
    ranges = control_ranges(view.scenario)
    for share in (0, 1) if shrink else (-1,):
        calls = []
        for cell in cells:
            steps = ranges[f"cells.{cell}.bandwidth_mhz"].sweep
            assert not isinstance(steps, Span)
            width = steps[min(share, len(steps) - 1)]
            if width != view.controls.cells[cell].bandwidth_mhz:
                calls.append(call("set_cell_carrier", cell=cell, bandwidth_mhz=width))
        yield from candidate(f"step {share} of bandwidth at {', '.join(cells)}", calls)


def handovers(view: View, cells: Sequence[str]) -> Iterator[Candidate]:
    """Cells hand users over by another offset and time to trigger of event A3."""
    for offset_db, ttt_ms in HANDOVERS:
        calls = []
        for cell in cells:
            own = view.controls.cells[cell].handover
            if own and (own.a3_offset_db, own.ttt_ms) != (offset_db, ttt_ms):
                calls.append(
                    call("set_handover_params", cell=cell, a3_offset_db=offset_db, ttt_ms=ttt_ms)
                )
        yield from candidate(f"A3 at {offset_db:g} dB after {ttt_ms:g} ms", calls)


def lure(view: View, cell: str) -> Iterator[Candidate]:
    """Neighbours hand users over to a cell, or it hands its own to them."""
    near = make.around(view, cell, 3)
    for words, by_db in (("to", 6.0), ("away from", -6.0)):
        calls = []
        for other in near:
            own = view.controls.cells[other].handover
            if own and cell in own.cio_db:
                calls.append(call("set_handover_params", cell=other, neighbour=cell, cio_db=by_db))
        yield from candidate(f"neighbours hand users over {words} {cell}", calls)
    yield from make.handover(view, [cell], -make.OFFSET_STEP_DB)
    yield from make.handover(view, [cell], make.OFFSET_STEP_DB)
