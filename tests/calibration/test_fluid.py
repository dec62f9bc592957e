# SPDX-License-Identifier: Apache-2.0
"""First guesses of the fluid model against live NS-3 and against arithmetic; no tree is asked."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.features import ROWS, Radio, steps_of
from calibration.features.delays import Delays
from calibration.fluid import _in_units
from calibration.network import network_of
from calibration.trajectory import trajectory
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.library import load_scenario
from ns3_scenarios.live import LiveSimulation

WARM_UP, N_INTERVALS = 2, 12


def played(scenario, **settings_):
    """A run of live NS-3 in which some controls are set after two intervals."""
    config = load_scenario(scenario)
    changes = [
        ControlChange(interval=WARM_UP, path=path.replace("__", "."), value=value)
        for path, value in settings_.items()
    ]
    with LiveSimulation(config, 51) as live:
        parts = [live.advance(WARM_UP)]
        live.apply(changes)
        parts.append(live.advance(N_INTERVALS))
    tables = {name: pa.concat_tables([part[name] for part in parts]) for name in parts[0]}
    return trajectory(network_of(config), tables, changes, 51)


def guessed_and_real(run, slice_, feature, kpi):
    """Means over the intervals after the change, of a slice as a whole."""
    index = run.network.slice_names.index(slice_)
    rows = ROWS["network"](Radio(steps_of(run)))
    guess = np.broadcast_to(rows.columns[feature], rows.shape)[WARM_UP:, index]
    return guess.mean(), np.nanmean(run.tables["network"][kpi][WARM_UP + 1 :, index])


@pytest.fixture(scope="module")
def capped():
    """`quickstart` whose urllc slice may use 2 % of each cell."""
    path = "cells.*.slices.urllc."
    return played(
        "quickstart", **{f"{path}dedicated_pct": 0, f"{path}min_pct": 0, f"{path}max_pct": 2}
    )


def test_small_packets_of_a_capped_slice_wait_for_a_turn_as_in_ns3(capped):
    guess, real = guessed_and_real(capped, "urllc", "fluid_latency_ms", "latency_ms")
    assert guess == pytest.approx(real, rel=0.15)
    guess, real = guessed_and_real(capped, "urllc", "fluid_within_pct", "within_budget_pct")
    assert real < 80
    assert guess == pytest.approx(real, abs=8)


def test_small_packets_take_whole_groups_of_resource_blocks_as_in_ns3():
    run = played("quickstart")
    index = run.network.slice_names.index("urllc")
    rows = ROWS["slice"](Radio(steps_of(run)))
    for d in ("dl", "ul"):
        guess = np.broadcast_to(rows.columns[f"{d}_fluid_prb_pct"], rows.shape)[WARM_UP:, :, index]
        real = run.tables["slice"][f"{d}_prb_util_pct"][WARM_UP + 1 :, :, index]
        assert guess.mean() == pytest.approx(real.mean(), rel=0.25)


@settings(max_examples=100, deadline=None)
@given(
    sent=st.floats(1, 1e6),
    at_once=st.floats(100, 1e5),
    slots=st.integers(1, 400),
    unit_bits=st.floats(10, 1e5),
)
def test_whole_units_hold_what_is_sent_and_little_more(sent, at_once, slots, unit_bits):
    whole = float(_in_units(*(np.float64(v) for v in (sent, at_once, slots, unit_bits))))
    turns = min(sent / at_once, slots)
    assert sent * (1 - 1e-9) <= whole <= sent + turns * unit_bits * (1 + 1e-9)


def test_delays_are_in_order(runs):
    for _, run in runs[:3]:
        radio = Radio(steps_of(run))
        delays = radio.once(Delays)
        assert (delays.radio_ms > 0).all()
        assert (delays.radio_tail_ms > 0.5 * delays.radio_ms).all()
        assert (delays.burst_ms >= delays.radio_ms).all()
        assert (delays.in_budget >= 0).all()
        assert (delays.in_budget <= 1).all()


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(1.0, 20.0))
def test_more_time_never_puts_fewer_packets_in_budget(runs, factor):
    _, run = runs[0]
    step = steps_of(run)
    flow = step.now["flow"]
    longer = {**flow, "delay_budget_ms": flow["delay_budget_ms"] * factor}
    more = dataclasses.replace(step, now={**step.now, "flow": longer})
    few, many = (Radio(s).once(Delays).in_budget for s in (step, more))
    assert (many >= few - 1e-12).all()


def test_transport_keeps_its_bits(runs):
    for _, run in runs[:3]:
        radio = Radio(steps_of(run))
        transport = radio.transport
        assert (transport.passing <= transport.kept + 1e-12).all()
        assert (transport.kept <= 1).all()
        assert (transport.waiting_bits <= run.tables["flow"]["in_flight_bits"][:-1]).all()
        into, waits = radio._into_path_bits, transport.path_kept - transport.path_passing
        assert (waits >= -1e-12).all()
        parts = into * (transport.path_passing + waits + 1 - transport.path_kept)
        assert parts == pytest.approx(into)
