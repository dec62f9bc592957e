# SPDX-License-Identifier: Apache-2.0
"""Controls that can be set as numbers, as a vector of actions: `Knobs`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.network import Floats, network_of
from calibration.trajectory import Controls, Table
from env.errors import EnvUserError
from env.numbers.places import Floats32, Gather, Scale, places, read_state
from env.view import Scope
from ns3_scenarios.control_ranges import Span, control_ranges
from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.scenario import ScenarioConfig

TOOLS = {
    "cells.*.tx_power_dbm": "set_cell_tx_power",
    "cells.*.tilt_deg": "set_antenna_tilt",
    "cells.*.bandwidth_mhz": "set_cell_carrier",
    "cells.*.numerology": "set_cell_carrier",
    "cells.*.target_bler": "set_scheduler",
    "cells.*.slices.*.dedicated_pct": "trigger_slice_reallocation",
    "cells.*.slices.*.min_pct": "trigger_slice_reallocation",
    "cells.*.slices.*.max_pct": "trigger_slice_reallocation",
    "cells.*.wake_prb_pct": "set_cell_sleep",
    "cells.*.handover.a3_offset_db": "set_handover_params",
    "cells.*.handover.hysteresis_db": "set_handover_params",
    "cells.*.handover.ttt_ms": "set_handover_params",
    "cells.*.handover.cio_db.*": "set_handover_params",
    "applications.*.fraction": "edge_offload",
}
"""Controls that can be set as numbers, and the tool that sets each."""
ROUNDING = 1e-6
"""By how much an action may miss what leaves a control as it is: actions are 32-bit floats."""


class Knobs:
    """The numeric controls of cells and applications as a vector of actions.

    A number from -1 to 1 for each of `places`, over what is sensible to set it to
    (`ns3_scenarios.control_ranges`, sweep); of those that are a list of values, the nearest. A
    control that stands beyond what is sensible stays there at the end that is nearest to it.

    Args:
        scenario: whose they are.
        patterns: paths, in which `*` stands for anything, of those that are turned.
        scope: tools of which the controls may be turned.

    Raises:
        EnvUserError: a pattern matches none, or the scope allows none.
    """

    def __init__(
        self,
        scenario: ScenarioConfig,
        patterns: Sequence[str] = ("*",),
        scope: Scope | None = None,
    ) -> None:
        numbers = [place for place in places(scenario) if not place.words]
        for pattern in patterns:
            if not any(fnmatchcase(place.path, pattern) for place in numbers):
                raise EnvUserError(
                    f"controls={pattern!r} matches no numeric control of {scenario.name}; they are "
                    f"like {', '.join(dict.fromkeys(_general(p.path) for p in numbers))}"
                )
        allowed = scope or Scope()
        self.places = [
            place
            for place in numbers
            if any(fnmatchcase(place.path, pattern) for pattern in patterns)
            and allowed.has_tool(TOOLS[_general(place.path)])
        ]
        if not self.places:
            known = ", ".join(dict.fromkeys(TOOLS.values()))
            raise EnvUserError(f"the task allows no tool for numeric controls; they are {known}")
        self._scenario, self._numbers = scenario, numbers
        self._gather, self._scale = Gather(self.places), Scale(self.places)

    def turned(self, arrays: Table, action: NDArray[np.floating]) -> Table:
        """Controls after an action.

        Shares of slices that do not fit together are made to fit: a slice is guaranteed at least
        what is dedicated to it, guarantees of a cell that add up to more than 100 % shrink to that,
        and no slice may use less than its guarantee.

        Args:
            arrays: controls before, of B copies.
            action: from -1 to 1, shape (B, n); beyond, it is clipped.
        """
        wanted = np.clip(np.nan_to_num(action.astype(float)), -1, 1)
        now = self._gather.read(arrays)
        held = np.abs(wanted - self._actions(now)) <= ROUNDING
        values = np.where(held, now, self._scale.values((wanted + 1) / 2))
        found = self._gather.write(arrays, values)
        dedicated = found["dedicated_pct"]
        beyond = np.maximum(found["min_pct"] - dedicated, 0)
        free = 100 - dedicated.sum(-1, keepdims=True)
        wanted_pct = beyond.sum(-1, keepdims=True)
        beyond = beyond * np.minimum(1.0, free / np.maximum(wanted_pct, 1e-9))
        found["min_pct"] = np.where(wanted_pct > free, dedicated + beyond,
                                    np.maximum(found["min_pct"], dedicated))  # fmt: skip
        found["max_pct"] = np.maximum(found["max_pct"], found["min_pct"])
        return found

    def action(self, arrays: Table) -> Floats:
        """The action that leaves controls as they are, shape (B, n)."""
        return self._actions(self._gather.read(arrays))

    def changes(self, state: ControlState, action: NDArray[np.floating]) -> list[ControlChange]:
        """What an action changes in one network, maybe nothing; see `turned`.

        Args:
            state: controls before.
            action: from -1 to 1, shape (n,); beyond, it is clipped.
        """
        gather = Gather(self._numbers)
        before = read_state(self._numbers, state)
        arrays = {name: a[None] for name, a in Controls(network_of(self._scenario)).arrays.items()}
        turned = self.turned(gather.write(arrays, before), action[None])
        after = gather.read(turned)
        return [
            ControlChange(path=place.path, value=float(value))
            for place, value, old in zip(self._numbers, after[0], before[0], strict=True)
            if not math.isclose(value, old, rel_tol=1e-9)
        ]

    def hold(self, state: ControlState) -> Floats32:
        """The action that leaves the controls of one network as they are, shape (n,)."""
        return np.asarray(self._actions(read_state(self.places, state))[0], np.float32)

    def described(self) -> list[dict[str, Any]]:
        """Each number of an action: name, unit, `min` and `max`, which -1 and 1 stand for.

        `log` says that values between are spread on a logarithmic scale; `values`, where it is
        there, that only these can be set, in even steps.
        """
        ranges = control_ranges(self._scenario)
        found = []
        for place in self.places:
            values = place.values
            about: dict[str, Any] = {"name": place.path, "unit": ranges[place.path].unit}
            if isinstance(values, Span):
                about |= asdict(values)
            else:
                about |= {"min": values[0], "max": values[-1], "log": False, "values": list(values)}
            found.append(about)
        return found

    def _actions(self, values: Floats) -> Floats:
        return 2 * self._scale.share(values) - 1


def _general(path: str) -> str:
    """A path with `*` for its names."""
    kind, _, *rest = path.split(".")
    if len(rest) > 2:
        rest[1 if rest[0] == "slices" else 2] = "*"
    return ".".join([kind, "*", *rest])
