# SPDX-License-Identifier: Apache-2.0
"""Networks that run on a model: one interval after the other, from states of NS-3."""

from types import SimpleNamespace

import numpy as np
import pytest

from calibration.carrying import levels_of
from calibration.features import ROWS, Radio, steps_of
from calibration.rolling import Roll, moments_of
from calibration.trajectory import UNHEARD_DBM
from experiment_model import ExperimentModel

STEPS = 6


@pytest.fixture(scope="module")
def model():
    return ExperimentModel.load()


def at(table, index):
    return {name: values[index] for name, values in table.items()}


def rolled(model, run, starts, rng=None, steps=STEPS):
    roll = Roll(model, moments_of(run, starts), "quickstart", rng)
    starts = np.asarray(starts)
    return [
        roll.step(at(run.controls, starts + h), at(run.outside, starts + h))
        for h in range(1, steps + 1)
    ]


FOLLOWING = (("cell", "power_w"), ("network", "throughput_mbps"))
"""KPIs that follow from others in a roll-out."""


def test_the_first_interval_is_the_prediction_of_one_step(model, runs):
    for _, run in runs:
        step = steps_of(run)
        first = rolled(model, run, range(run.n_intervals - 1), steps=1)[0]
        for kind in ("link", "cell", "network"):
            rows = ROWS[kind](Radio(step))
            mean = model.predict(kind, rows.matrix(), "quickstart").mean
            for k, kpi in enumerate(model.kpis(kind)):
                if (kind, kpi.name) in FOLLOWING:
                    continue
                found = first.now[kind][kpi.name].reshape(-1)
                there = ~np.isnan(found)
                np.testing.assert_allclose(found[there], mean[there, k])


@pytest.mark.parametrize("seed", [None, 5])
def test_bits_jobs_and_users_are_conserved_over_the_steps(model, runs, seed):
    rng = None if seed is None else np.random.default_rng(seed)
    for _, run in runs:
        before = moments_of(run, [0, 1])
        for after in rolled(model, run, [0, 1], rng):
            flow = after.now["flow"]
            whole = (
                after.now["network"]["throughput_mbps"].sum(-1) * run.network.scenario.interval_ms
            )
            np.testing.assert_allclose(whole * 1e3, flow["delivered_bits"].sum(-1), rtol=1e-9)
            grown = flow["in_flight_bits"] - before.now["flow"]["in_flight_bits"]
            lost = flow["dropped_radio_bits"] + flow["dropped_transport_bits"]
            out = flow["delivered_bits"] + lost
            np.testing.assert_allclose(flow["sent_bits"], out + grown, atol=1)
            for name in ("sent_bits", "delivered_bits", "in_flight_bits"):
                assert (flow[name] >= 0).all()
            jobs, was = after.now["application"], before.now["application"]["jobs_in_progress"]
            ended = jobs["jobs_finished"] + jobs["jobs_lost"] + jobs["jobs_in_progress"]
            np.testing.assert_allclose(was + jobs["jobs_made"], ended, atol=1e-6)
            users = after.now["slice"]["users"].sum((1, 2))
            assert (users == len(run.network.ue_names)).all()
            for d in ("dl", "ul"):
                parts = after.now["slice"][f"{d}_prb_util_pct"].sum(-1)
                np.testing.assert_allclose(after.now["cell"][f"{d}_prb_util_pct"], parts)
            before = after


def test_copies_side_by_side_do_not_touch_each_other(model, runs):
    """But for the last digits of sums, which may take a row to the other side of a split."""
    _, run = runs[0]
    together = rolled(model, run, [0, 1], steps=2)[-1]
    for i in (0, 1):
        alone = rolled(model, run, [i], steps=2)[-1]
        for name, table in together.now.items():
            if table:
                pairs = [(v[i].ravel(), alone.now[name][c][0].ravel()) for c, v in table.items()]
                a, b = (np.concatenate(side) for side in zip(*pairs, strict=True))
                assert np.isclose(a, b, rtol=1e-5, equal_nan=True).mean() > 0.97, name


def test_a_roll_out_leaves_its_start_as_it_was(model, runs):
    _, run = runs[0]
    start = moments_of(run, [0])
    kept = {t: {n: v.copy() for n, v in table.items()} for t, table in start.now.items()}
    rolled(model, run, [0])
    for name, table in kept.items():
        for column, values in table.items():
            np.testing.assert_array_equal(values, run.tables[name][column][[0]])
            np.testing.assert_array_equal(values, start.now[name][column])


def test_drawn_roll_outs_differ_by_their_seed_alone(model, runs):
    _, run = runs[0]
    one, same, other = (
        rolled(model, run, [0], np.random.default_rng(seed))[-1].now["network"]["throughput_mbps"]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_a_stronger_neighbour_takes_users_over(model, runs):
    _, run = runs[0]
    starts = np.array([0])
    roll = Roll(model, moments_of(run, starts), "quickstart")
    controls = {name: values.copy() for name, values in at(run.controls, starts).items()}
    controls["cio_db"][:] = 0
    controls["cio_db"][:, :, 0] = 60
    controls["ttt_ms"][:] = 0
    controls["sleep_mode"][:] = 0
    for _ in range(3):
        moment = roll.step(controls, at(run.outside, starts))
    assert (moment.now["ue"]["cell"] == 0).mean() > 0.9


def test_users_who_hear_few_cells_still_hear_the_first_one():
    ue = {"cell": np.array([[2, 0]]), "rsrp_dbm": np.array([[-60.0, -70.0]])}
    neighbour = {
        "cell": np.array([[[0, 1, 0, 0], [3, 0, 0, 0]]]),  # places without a cell hold a 0
        "rsrp_dbm": np.array([[[-80.0, -90.0, UNHEARD_DBM, UNHEARD_DBM],
                               [-85.0, UNHEARD_DBM, UNHEARD_DBM, UNHEARD_DBM]]]),
    }  # fmt: skip
    u = UNHEARD_DBM
    expected = [[[-80, -90, -60, u, u], [-70, u, u, -85, u]]]
    np.testing.assert_array_equal(levels_of(SimpleNamespace(n_cells=5), ue, neighbour), expected)
