# SPDX-License-Identifier: Apache-2.0
"""Where controls are in the arrays of a network, and how they are scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.network import (
    DEGRADATIONS,
    QUEUES,
    SCHEDULERS,
    SLEEP_MODES,
    Floats,
    Network,
    network_of,
)
from calibration.trajectory import Table
from ns3_scenarios.control_ranges import ControlRange, Span, control_ranges
from ns3_scenarios.controls import ControlState
from ns3_scenarios.scenario import ScenarioConfig

Floats32 = NDArray[np.float32]

_WORDS = {
    "scheduler": SCHEDULERS,
    "sleep_mode": SLEEP_MODES,
    "degradation": DEGRADATIONS,
    "queue": QUEUES,
}


@dataclass(frozen=True)
class Place:
    """One control of cells, slices, links or applications, and where it is."""

    path: str
    array: str
    """Name of the array in `calibration.trajectory.Controls`."""
    index: tuple[int, ...]
    values: Span | tuple[float, ...]
    """What is sensible to set it to; numbers of words."""
    words: tuple[str, ...] = ()
    """Empty for a number."""


@lru_cache(maxsize=64)
def places(scenario: ScenarioConfig) -> tuple[Place, ...]:
    """All controls but those of users and routes, in the order of `control_ranges`."""
    network = network_of(scenario)
    return tuple(
        _place(network, range_)
        for path, range_ in control_ranges(scenario).items()
        if not path.startswith("ues.") and ".routes." not in path
    )


def _place(network: Network, range_: ControlRange) -> Place:
    kind, name, *rest = range_.path.split(".")
    if kind == "applications" and rest == ["site"]:
        words, array = network.edge_names, "application_site"
    else:
        words, array = _WORDS.get(rest[-1], ()), rest[-1]
    match kind, rest:
        case "cells", ["slices", slice_, _]:
            index: tuple[int, ...] = (
                network.cell_names.index(name),
                network.slice_names.index(slice_),
            )
        case "cells", ["handover", "cio_db", other]:
            array = "cio_db"
            index = network.cell_names.index(name), network.cell_names.index(other)
        case "cells", _:
            index = (network.cell_names.index(name),)
        case "slices", _:
            index = (network.slice_names.index(name),)
        case "links", _:
            index = (network.link_names.index(name),)
        case _:
            index = (network.application_names.index(name),)
    if words:
        return Place(range_.path, array, index, Span(0, len(words) - 1), words)
    sweep = range_.sweep
    values = sweep if isinstance(sweep, Span) else tuple(sorted(float(v) for v in sweep))
    return Place(range_.path, array, index, values)


def read_state(chosen: Sequence[Place], state: ControlState) -> Floats:
    """Controls as numbers, shape (1, P)."""
    values = [_get(state, place.path) for place in chosen]
    numbers = [p.words.index(v) if p.words else v for p, v in zip(chosen, values, strict=True)]
    return np.array([numbers], float)


def _get(state: ControlState, path: str) -> Any:
    """A control that is known to be there."""
    node: Any = state
    for name in path.split("."):
        node = node[name] if isinstance(node, dict) else getattr(node, name)
    return node


class Gather:
    """Takes controls out of arrays with an axis of copies, and puts them in.

    Args:
        chosen: the controls, P of them.
    """

    def __init__(self, chosen: Sequence[Place]) -> None:
        self._n = len(chosen)
        self._parts: list[tuple[str, NDArray[np.int64], tuple[Any, ...]]] = []
        for array in dict.fromkeys(p.array for p in chosen):
            columns = [i for i, p in enumerate(chosen) if p.array == array]
            index = np.array([chosen[i].index for i in columns]).T
            self._parts.append((array, np.array(columns), (slice(None), *index)))

    def read(self, arrays: Table) -> Floats:
        """Their values, shape (B, P)."""
        batch = len(arrays["tx_power_dbm"])
        found = np.empty((batch, self._n))
        for array, columns, index in self._parts:
            found[:, columns] = arrays[array][index]
        return found

    def write(self, arrays: Table, values: Floats) -> Table:
        """Arrays in which they have other values."""
        found = dict(arrays)
        for array, columns, index in self._parts:
            changed = found[array].astype(float)
            changed[index] = values[:, columns]
            found[array] = changed
        return found


class Scale:
    """Maps controls to numbers from 0 to 1 over what is sensible, and back.

    Args:
        chosen: the controls, P of them.
    """

    def __init__(self, chosen: Sequence[Place]) -> None:
        lists = [p.values for p in chosen]
        ends = [(v.min, v.max) if isinstance(v, Span) else (v[0], v[-1]) for v in lists]
        log = np.array([isinstance(v, Span) and v.log for v in lists], bool)
        low, high = np.array(ends, float).reshape(-1, 2).T
        self._log = log
        self._low = np.where(log, np.log(np.where(log, low, 1.0)), low)
        self._high = np.where(log, np.log(np.where(log, high, 1.0)), high)
        listed = dict.fromkeys(v for v in lists if not isinstance(v, Span))
        self._listed = [
            (np.array(v), np.flatnonzero([other == v for other in lists])) for v in listed
        ]

    def share(self, values: Floats) -> Floats:
        """Where values lie between the least and the most, from 0 to 1, shape (..., P)."""
        at = np.where(self._log, np.log(np.maximum(np.where(self._log, values, 1.0), 1e-9)), values)
        width = np.where(self._high > self._low, self._high - self._low, 1.0)
        share: Floats = np.clip((at - self._low) / width, 0.0, 1.0)
        for known, columns in self._listed:
            even = np.linspace(0, 1, len(known))
            share[..., columns] = np.interp(values[..., columns], known, even)
        return share

    def values(self, share: Floats) -> Floats:
        """Values at shares from 0 to 1; of those that are a list, the one that is nearest."""
        at = self._low + share * (self._high - self._low)
        found: Floats = np.where(self._log, np.exp(np.where(self._log, at, 0.0)), at)
        for known, columns in self._listed:
            number = np.rint(share[:, columns] * (len(known) - 1)).astype(int)
            found[:, columns] = known[number]
        return found
