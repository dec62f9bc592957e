# SPDX-License-Identifier: Apache-2.0
"""Rows know the present, what will be set and what comes from outside, and nothing else."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration import features as features_of
from calibration.features import ROWS, Radio, Step, steps_of
from calibration.features.handovers import _best
from calibration.targets import TARGETS, target_values
from calibration.trajectory import open_rows

CUT = 4


def scrambled_future(run):
    """The same run with other KPIs from the interval `CUT` on; what comes from outside stays."""
    random = np.random.default_rng(0)
    tables = {}
    for name, table in run.tables.items():
        tables[name] = {}
        for column, values in table.items():
            later = values.copy()
            if column in ("cell", "state"):
                later[CUT:] = 0
            else:
                later[CUT:] = random.uniform(0, 50, later[CUT:].shape)
            tables[name][column] = later
    return dataclasses.replace(run, tables=tables)


def assert_knows_no_future(rows_of, run):
    known, other = (rows_of(Radio(steps_of(r))).columns for r in (run, scrambled_future(run)))
    for name, values in known.items():
        # The step from interval CUT - 1 predicts interval CUT.
        assert np.array_equal(values[:CUT], other[name][:CUT], equal_nan=True), name


@pytest.mark.parametrize("kind", ROWS)
def test_rows_know_no_kpi_of_the_interval_they_predict(runs, kind):
    for _, run in runs[:3]:
        assert_knows_no_future(ROWS[kind], run)


def test_a_feature_that_leaks_is_found(runs, monkeypatch):
    _, run = runs[0]
    original = features_of.step.steps_of

    def leaking(run):
        step = original(run)
        cell = {**step.now["cell"], "power_w": run.tables["cell"]["power_w"][1:]}
        return dataclasses.replace(step, now={**step.now, "cell": cell})

    monkeypatch.setitem(globals(), "steps_of", leaking)
    with pytest.raises(AssertionError, match="now_power_w"):
        assert_knows_no_future(ROWS["cell"], run)


def test_only_open_loop_traffic_is_known_ahead(runs):
    _, run = runs[0]
    ahead = run.outside["sent_bits"]
    assert (ahead[:, ~open_rows(run.network)] == 0).all()
    assert ahead.sum() > 0


@pytest.mark.parametrize("kind", ROWS)
def test_one_moment_gives_the_rows_that_many_give(runs, kind):
    """Running computes one moment at a time, training all of them at once."""
    _, run = runs[1]
    whole = steps_of(run)
    every = ROWS[kind](Radio(whole)).columns
    for moment in (0, 3):

        def at(table, moment=moment):
            return {name: values[moment : moment + 1] for name, values in table.items()}

        single = Step(
            whole.network,
            {name: at(table) for name, table in whole.now.items()},
            {name: at(table) for name, table in whole.before.items()},
            at(whole.controls),
            at(whole.controls_now),
            at(whole.outside),
            at(whole.outside_now),
            whole.age_intervals[moment : moment + 1],
            whole.drawn[moment : moment + 1],
        )
        for name, values in ROWS[kind](Radio(single)).columns.items():
            assert values[0] == pytest.approx(every[name][moment], rel=1e-5, nan_ok=True), name


@pytest.mark.parametrize("kind", ROWS)
def test_rows_are_finite_and_fit_the_targets(runs, kind):
    for _, run in runs:
        rows = ROWS[kind](Radio(steps_of(run)))
        matrix = rows.matrix()
        assert not np.isinf(matrix).any()
        assert target_values(run, kind).shape == (len(matrix), len(TARGETS[kind]))
        bases = {t.base for t in TARGETS[kind] if t.base}
        rising = {name for t in TARGETS[kind] for name in t.rises_with}
        assert bases | rising <= set(rows.columns)


def test_fluid_conserves_bits_and_keeps_shares(runs):
    for _, run in runs:
        radio = Radio(steps_of(run))
        fluid, network = radio.fluid, run.network
        brought = radio.waiting_bits + radio.arriving_bits
        out = fluid.served_bits + fluid.queued_bits + fluid.dropped_bits
        assert out == pytest.approx(brought, abs=1e-3)
        for share in radio.by_slice(fluid.share):
            assert share.sum(-1).max() <= 1 + 1e-9
            assert (share <= radio.step.controls["max_pct"] / 100 + 1e-9).all()
        assert (fluid.served_bits >= 0).all()
        assert network.row_direction.sum() > 0


@settings(deadline=None, max_examples=30)
@given(factor=st.floats(1.1, 5), row=st.integers(0, 40))
def test_more_traffic_never_means_less_served(runs, factor, row):
    _, run = runs[2]
    step = steps_of(run)
    row %= len(run.network.row_ue)
    sent = step.outside["sent_bits"].copy()
    sent[:, row] *= factor
    more = dataclasses.replace(step, outside={**step.outside, "sent_bits": sent})
    before, after = Radio(step).fluid, Radio(more).fluid
    assert (after.wanted[:, row] >= before.wanted[:, row] - 1e-12).all()
    total = [f.served_bits.sum(1) for f in (before, after)]
    assert (total[1] >= 0.5 * total[0]).all()


def test_a_user_without_a_known_level_is_due_nowhere():
    one, two = np.ones(1), np.ones(2)
    margin_db, best = _best(
        np.array([0]), np.array([-80.0]), two, two, two, np.ones(4), np.array([1]), one * np.nan
    )
    assert (margin_db, best) == (-np.inf, 1)
