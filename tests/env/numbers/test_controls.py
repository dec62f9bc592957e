# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.network import network_of
from calibration.trajectory import Controls, Table
from env.errors import EnvUserError
from env.numbers.controls import Knobs
from env.numbers.places import Gather, places, read_state
from ns3_scenarios.control_ranges import Span, control_ranges
from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.library import load_scenario

SCENARIOS = ["quickstart", "urban_macro_slices", "edge_campus"]


def initial(name: str, n: int = 1) -> Table:
    arrays = Controls(network_of(load_scenario(name))).arrays
    return {key: np.repeat(array[None], n, axis=0) for key, array in arrays.items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_arrays_and_state_say_the_same(name: str) -> None:
    scenario = load_scenario(name)
    chosen = places(scenario)
    read = Gather(chosen).read(initial(name))
    assert np.array_equal(read, read_state(chosen, ControlState.initial(scenario)))


@pytest.mark.parametrize("name", SCENARIOS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), wild=st.booleans())
def test_any_action_gives_controls_that_are_possible(name: str, seed: int, wild: bool) -> None:
    scenario = load_scenario(name)
    knobs = Knobs(scenario, ["*"])
    rng = np.random.default_rng(seed)
    action = rng.uniform(-1, 1, (3, len(knobs.places)))
    if wild:
        action = np.sign(action) * np.where(rng.random(action.shape) < 0.1, np.inf, 1.0)
    values = Gather(knobs.places).read(knobs.turned(initial(name, 3), action))
    state = ControlState.initial(scenario)
    for row in values:
        state.with_changes(
            [ControlChange(path=p.path, value=float(v)) for p, v in zip(knobs.places, row,
                                                                        strict=True)],
            scenario,
        )  # fmt: skip


def test_extreme_actions_reach_the_ends_of_what_is_sensible() -> None:
    scenario = load_scenario("quickstart")
    knobs = Knobs(scenario, ["*_dbm", "*_deg", "*.ttt_ms", "*.target_bler"])
    gather, ranges = Gather(knobs.places), control_ranges(scenario)
    for sign, end in ((-1.0, 0), (1.0, 1)):
        turned = knobs.turned(initial("quickstart"), np.full((1, len(knobs.places)), sign))
        for place, value in zip(knobs.places, gather.read(turned)[0], strict=True):
            sweep = ranges[place.path].sweep
            ends = (
                (sweep.min, sweep.max)
                if isinstance(sweep, Span)
                else (min(map(float, sweep)), max(map(float, sweep)))
            )
            assert value == pytest.approx(ends[end])


@pytest.mark.parametrize("name", SCENARIOS)
def test_action_of_now_changes_nothing(name: str) -> None:
    knobs = Knobs(load_scenario(name), ["*"])
    before = initial(name)
    after = knobs.turned(before, knobs.action(before))
    for key in before:
        np.testing.assert_allclose(after[key], before[key], rtol=1e-9)


def test_only_chosen_controls_are_turned() -> None:
    knobs = Knobs(load_scenario("quickstart"), ["cells.c1.tilt_deg"])
    before = initial("quickstart", 2)
    after = knobs.turned(before, np.array([[1.0], [-1.0]]))
    assert after["tilt_deg"].tolist() == [[12, 20, 12], [12, 0, 12]]
    assert all(np.array_equal(after[k], before[k]) for k in before if k != "tilt_deg")


def test_pattern_that_matches_nothing_is_named() -> None:
    with pytest.raises(EnvUserError, match=r"controls='cells.c9.\*' matches no numeric control"):
        Knobs(load_scenario("quickstart"), ["cells.c9.*"])
