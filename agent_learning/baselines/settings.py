# SPDX-License-Identifier: Apache-2.0
"""Controls as calls of the tools that set them: `setting`, and what follows from controls alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from env.goals import ControlPredicate
from env.tools.reasoning.candidates import Candidate, call, candidate
from env.tools.reasoning.foresight import ToolCall
from env.view import View
from ns3_scenarios.control_ranges import Scalar, Span, control_ranges
from ns3_scenarios.controls import AUTO, SLICE_ROUTE, ControlChange, ControlState


def setting(path: str, value: Scalar) -> ToolCall | None:
    """The call that sets a control; None for one that no tool sets alone."""
    kind, name, *rest = path.split(".")
    match kind, rest:
        case "cells", ["tx_power_dbm" as key]:
            return call("set_cell_tx_power", cell=name, **{key: value})
        case "cells", ["tilt_deg" as key]:
            return call("set_antenna_tilt", cell=name, **{key: value})
        case "cells", [("bandwidth_mhz" | "numerology") as key]:
            return call("set_cell_carrier", cell=name, **{key: value})
        case "cells", ["scheduler"]:
            return call("set_scheduler", cell=name, policy=value)
        case "cells", ["target_bler" as key]:
            return call("set_scheduler", cell=name, **{key: value})
        case "cells", ["sleep_mode"]:
            return call("set_cell_sleep", cell=name, mode=value)
        case "cells", ["wake_prb_pct" as key]:
            return call("set_cell_sleep", cell=name, **{key: value})
        case "cells", ["slices", slice_, key]:
            return call("trigger_slice_reallocation", cell=name, slice=slice_, **{key: value})
        case "cells", ["handover", "cio_db" as key, other]:
            return call("set_handover_params", cell=name, neighbour=other, **{key: value})
        case "cells", ["handover", key]:
            return call("set_handover_params", cell=name, **{key: value})
        case "slices", ["degradation"]:
            return call("graceful_degradation", slice=name, level=value)
        case "slices", ["routes", *_]:
            nodes = [] if value == AUTO else str(value).split("-")
            return call("reroute_flow", slice=name, path=nodes)
        case "links", ["queue" as key]:
            return call("reroute_flow", link=name, **{key: value})
        case "applications", [key]:
            return call("edge_offload", application=name, **{key: value})
        case "ues", ["flows", flow, "slice" as key]:
            return call("switch_network_slice", ue=name, flow=flow, **{key: value})
        case "ues", ["flows", flow, "route"]:
            nodes = [] if value == SLICE_ROUTE else str(value).split("-")
            return call("reroute_flow", ue=name, flow=flow, path=nodes)
    return None


def keep(view: View) -> Candidate | None:
    """A call that sets a control to what it is: time passes, and nothing changes."""
    for path in view.controls.paths():
        if path.startswith("ues.") and not path.endswith(".slice"):
            continue
        made = setting(path, view.controls.get(path)) if view.scope.has_control(path) else None
        if made and made.tool != "reroute_flow" and view.scope.has_tool(made.tool):
            return Candidate("keep everything as it is", (made,))
    return None


def planned(view: View) -> Iterator[Candidate]:
    """Controls go back to what the network was planned with: all of a kind, then everything."""
    plan = ControlState.initial(view.scenario)
    kinds: dict[tuple[str, str], list[ToolCall]] = {}
    for path in plan.paths():
        if not view.scope.has_control(path):
            continue
        now, then = view.controls.get(path), plan.get(path)
        if now == then or ".waypoint." in path:
            continue
        if made := setting(path, then):
            names = path.split(".")
            slice_ = names[3] if names[2] == "slices" else names[-1]
            kinds.setdefault((made.tool, slice_), []).append(made)
    joined = {kind: _joined(calls) for kind, calls in kinds.items()}
    for (tool, what), calls in joined.items():
        yield from candidate(f"{tool} of {what} as planned", calls)
    if len(joined) > 1:
        yield from candidate("everything as planned", itertools.chain(*joined.values()))


def _joined(calls: Iterable[ToolCall]) -> list[ToolCall]:
    """Calls of one tool for one element made one."""
    found: dict[tuple[str, ...], ToolCall] = {}
    for one in calls:
        names = [str(one.arguments.get(n)) for n in ("cell", "slice", "application", "neighbour")]
        flow = [str(one.arguments.get(n)) for n in ("ue", "flow", "link")]
        key = (one.tool, *names, *flow)
        if one.tool == "reroute_flow" and "path" in one.arguments:
            key = (*key, repr(one.arguments["path"]))
        before = found[key].arguments if key in found else {}
        found[key] = ToolCall(tool=one.tool, arguments=before | one.arguments)
    return list(found.values())


def wanted(view: View, goal: Sequence[ControlPredicate]) -> Iterator[Candidate]:
    """Controls as a goal wants them."""
    calls = []
    for predicate in goal:
        for path in view.controls.expand(predicate.path):
            value = _meeting(view, path, predicate)
            if value is not None and (made := setting(path, value)):
                calls.append(made)
    return iter(candidate("what the goal says of controls", _joined(calls)))


def _meeting(view: View, path: str, predicate: ControlPredicate) -> Scalar | None:
    """A value of a control that meets a predicate; None where it does, or none is known."""
    now = view.controls.get(path)
    range_ = control_ranges(view.scenario)[path]
    values = range_.allowed
    tries: Sequence[Scalar]
    if isinstance(values, Span):
        numbers = [predicate.value, values.min, values.max]
        numbers += () if isinstance(range_.sweep, Span) else range_.sweep
        tries = [n for n in numbers if not isinstance(n, str) and values.min <= n <= values.max]
    else:
        tries = values

    def holds(value: Scalar) -> bool:
        one = ControlPredicate(
            kind="control", path=path, comparison=predicate.comparison, value=predicate.value
        )
        change = ControlChange(path=path, value=value)
        return one.holds(view.controls.with_changes([change], view.scenario))

    return None if holds(now) else next((v for v in tries if holds(v)), None)
