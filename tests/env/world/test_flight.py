# SPDX-License-Identifier: Apache-2.0
"""UAVs: their way, and what it takes out of the battery."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from env.world.flight import BASE_W, GROUND_M, Flight, propulsion_w

SQUARE = [(100.0, 0.0, 50.0), (100.0, 100.0, 50.0), (0.0, 100.0, 50.0), (0.0, 0.0, 50.0)]


def flight(repeats: bool = True, charge_pct: float = 80.0) -> Flight:
    return Flight((0.0, 0.0, 50.0), SQUARE, 10.0, repeats, 50.0, charge_pct)


def test_hovering_takes_168_w_and_cruising_less() -> None:
    """The curve of Zeng, Xu and Zhang 2019, Fig. 2: 168 W in hover, least near 10 m/s."""
    assert propulsion_w(np.zeros(3)) == pytest.approx(168.5, abs=0.5)
    powers = [propulsion_w(np.array([v, 0.0, 0.0])) for v in range(31)]
    assert 9 <= int(np.argmin(powers)) <= 11
    assert min(powers) == pytest.approx(126, abs=2)


@given(st.lists(st.floats(0.01, 30), min_size=1, max_size=12))
def test_time_may_pass_in_any_pieces(pieces: list[float]) -> None:
    whole, parts = flight(), flight()
    whole.run(sum(pieces))
    for piece in pieces:
        parts.run(piece)
    np.testing.assert_allclose(parts.position, whole.position, atol=1e-6)
    assert parts.charge_pct == pytest.approx(whole.charge_pct, abs=1e-9)


def test_a_mission_is_flown_again_or_ends_in_hover() -> None:
    again, once = flight(), flight(repeats=False)
    for one in (again, once):
        one.run(45)
    np.testing.assert_allclose(again.position, (50, 0, 50), atol=1e-9)
    np.testing.assert_allclose(once.position, (0, 0, 50), atol=1e-9)
    assert (again.speed_mps, once.speed_mps) == (10, 0)


def test_an_empty_battery_lands() -> None:
    low = flight(charge_pct=0.5)
    lasts_s = 0.005 * 50 * 3600 / (BASE_W + propulsion_w(np.array([10.0, 0, 0])))
    low.run(lasts_s + 5)
    assert low.charge_pct == 0
    np.testing.assert_allclose(low.position, (10 * lasts_s, 0, 40), atol=1e-6)
    low.run(60)
    assert low.position[2] == GROUND_M
    assert low.speed_mps == 0
