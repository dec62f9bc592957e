# SPDX-License-Identifier: Apache-2.0
"""Controls as calls of the tools that set them: `setting`, and what follows from controls alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from env.goals import ControlPredicate, Goal
from env.tools.reasoning.candidates import Candidate, call, candidate
from env.tools.reasoning.foresight import ToolCall, measured
from env.view import View
from ns3_scenarios.control_ranges import ControlRange, Scalar, Span, control_ranges
from ns3_scenarios.controls import AUTO, SLICE_ROUTE, ControlState

AXES = ("x_m", "y_m", "z_m")
MOST_SPEED_MPS = 40.0


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


def planned(view: View, goal: Goal) -> Iterator[Candidate]:
    """Controls go back to what the network was planned with: all of a kind, then everything.

    Those that the goal itself names are left alone.
    """
    named = {
        p for g in goal if isinstance(g, ControlPredicate) for p in view.controls.expand(g.path)
    }
    plan = ControlState.initial(view.scenario)
    kinds: dict[tuple[str, str], list[ToolCall]] = {}
    for path in plan.paths():
        if not view.scope.has_control(path):
            continue
        now, then = view.controls.get(path), plan.get(path)
        if now == then or ".waypoint." in path or path in named:
            continue
        if made := setting(path, then):
            names = path.split(".")
            slice_ = names[3] if names[2] == "slices" else names[-1]
            kinds.setdefault((made.tool, slice_), []).append(made)
    joined = {kind: _fitting(view, _joined(calls)) for kind, calls in kinds.items()}
    for (tool, what), calls in joined.items():
        yield from candidate(f"{tool} of {what} as planned", calls)
    if len(joined) > 1:
        every = [one for calls in joined.values() for one in calls]
        yield from candidate("everything as planned", _fitting(view, every))


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


def wanted(view: View, goal: Goal) -> Iterator[Candidate]:
    """Controls as a goal wants them, those in scope."""
    calls = []
    points: dict[str, dict[str, float]] = {}
    for predicate in goal:
        if not isinstance(predicate, ControlPredicate):
            continue
        for path in view.controls.expand(predicate.path):
            value = _meeting(view, path, predicate) if view.scope.has_control(path) else None
            if value is None:
                continue
            if ".waypoint." in path and not isinstance(value, str):
                _, ue, _, axis = path.split(".")
                points.setdefault(ue, {})[axis] = value
            elif made := setting(path, value):
                calls.append(made)
    calls = _whole_users(view, calls)
    flights = [fly_to(view, ue, point) for ue, point in points.items()]
    yield from candidate(
        "what the goal says of controls", [*_fitting(view, _joined(calls)), *flights]
    )


def _whole_users(view: View, calls: Sequence[ToolCall]) -> list[ToolCall]:
    """Users all of whose flows go to one slice go there in one call."""
    moved = [c for c in calls if c.tool == "switch_network_slice"]
    found = [c for c in calls if c.tool != "switch_network_slice"]
    for ue in dict.fromkeys(c.arguments["ue"] for c in moved):
        own = [c for c in moved if c.arguments["ue"] == ue]
        slices = {c.arguments["slice"] for c in own}
        others = {
            flow.slice
            for name, flow in view.controls.ues[ue].flows.items()
            if name not in {c.arguments["flow"] for c in own}
        }
        if len(own) > 1 and len(slices | others) == 1:
            own = [call("switch_network_slice", ue=ue, slice=slices.pop())]
        found += own
    return found


def fly_to(view: View, ue: str, to: Mapping[str, float]) -> ToolCall | None:
    """A UAV goes to a point inside its geofence; axes that are not given stay as they are.

    Args:
        view: of the network.
        ue: that flies.
        to: by names of controls of the waypoint; without a speed, the greatest.
    """
    order = view.controls.ues[ue].waypoint
    ranges = control_ranges(view.scenario)
    if order is None:
        return None
    sent = any(s.path.startswith(f"ues.{ue}.waypoint") for c in view.changes for s in c.settings)
    now = [getattr(order, axis) for axis in AXES] if sent else measured(view, ue, *AXES).tolist()
    point = dict(zip(AXES, now, strict=True)) | {"speed_mps": MOST_SPEED_MPS} | dict(to)
    for name, value in point.items():
        span = ranges[f"ues.{ue}.waypoint.{name}"].allowed
        assert isinstance(span, Span)
        if not math.isfinite(value):
            return None
        point[name] = round(min(max(value, span.min), span.max), 2)
    return call("set_waypoint", ue=ue, **point)


def _meeting(view: View, path: str, predicate: ControlPredicate) -> Scalar | None:
    """A value of a control that meets a predicate; None where it does, or none is known."""
    one = predicate.model_copy(update={"path": path})
    if one.holds(view.controls):
        return None
    tries = _values(control_ranges(view.scenario)[path], predicate.value)
    return next((v for v in tries if one.holds(cast(ControlState, _Only(v)))), None)


def _values(range_: ControlRange, near: Scalar) -> Iterator[Scalar]:
    """What a control may be: of numbers first what is near, then what is sensible."""
    if not isinstance(range_.allowed, Span):
        yield from range_.allowed
        return
    low, high = range_.allowed.min, range_.allowed.max
    sweep = range_.sweep
    sensible = (sweep.min, sweep.max) if isinstance(sweep, Span) else sweep
    assert not isinstance(near, str)
    for value in (near, near - 1, near + 1, near - 0.05, near + 0.05, *sensible, low, high):
        if not isinstance(value, str) and low <= value <= high:
            yield value


class _Only:
    """Controls that are all set to one value, for a predicate to look at."""

    def __init__(self, value: Scalar) -> None:
        self._value = value

    def expand(self, path: str) -> list[str]:
        """The path, which has no `*`."""
        return [path]

    def get(self, path: str) -> Scalar:
        """The value."""
        return self._value


def _fitting(view: View, calls: Sequence[ToolCall]) -> list[ToolCall]:
    """Shares of slices made to fit each other, those that give blocks back first."""
    found = []
    for one in calls:
        if one.tool != "trigger_slice_reallocation":
            found.append((0.0, one))
            continue
        given = one.arguments
        now = view.controls.cells[given["cell"]].slices[given["slice"]].model_dump()
        share = now | {name: given[name] for name in now if name in given}
        if "max_pct" in given:
            share["min_pct"] = min(share["min_pct"], share["max_pct"])
        share["max_pct"] = max(share["max_pct"], share["min_pct"])
        if "dedicated_pct" in given:
            share["min_pct"] = max(share["min_pct"], share["dedicated_pct"])
            share["max_pct"] = max(share["max_pct"], share["min_pct"])
        share["dedicated_pct"] = min(share["dedicated_pct"], share["min_pct"])
        found.append((share["min_pct"] - now["min_pct"], call(one.tool, **{**given, **share})))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]
