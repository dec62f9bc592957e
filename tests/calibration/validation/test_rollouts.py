# SPDX-License-Identifier: Apache-2.0
"""Errors of roll-outs and responses to events, held against figures worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.samples import read_runs, split_of
from calibration.validation import read_gates
from calibration.validation.ensembles import KPIS, Ensembles
from calibration.validation.responses import BEFORE, Responses
from calibration.validation.rollouts import (
    Errors,
    Networks,
    Rolled,
    roll_out,
    roll_outs,
    runs_to_roll,
)
from experiment_model import ExperimentModel

STEPS = 3


@pytest.fixture(scope="module")
def rolled(dataset):
    identity, run = next(runs_to_roll(dataset.path, STEPS))
    return roll_out(ExperimentModel.load(), identity, run, STEPS)


def perfect(rolled):
    """A roll-out that says what NS-3 did."""
    last = rolled.run.n_intervals - 1
    ahead = [
        {
            kind: {
                name: values[np.minimum(np.arange(last) + step, last)]
                for name, values in table.items()
            }
            for kind, table in rolled.true.items()
        }
        for step in range(1, STEPS + 1)
    ]
    return Rolled(rolled.identity, rolled.run, rolled.true, ahead)


def test_one_run_of_each_configuration_of_the_test_split_is_rolled(dataset):
    found = [identity for identity, _ in runs_to_roll(dataset.path, STEPS)]
    configs = {c for (_, c, s), _ in read_runs(dataset) if split_of(c, s) == "test"}
    assert {c for _, c, _ in found} == configs
    assert len(found) == len(configs)
    assert not list(runs_to_roll(dataset.path, 1000))


def test_a_perfect_model_has_no_error_at_any_horizon(rolled):
    errors = Errors(STEPS)
    errors.add([perfect(rolled)])
    assert errors.kpis
    for kpi in errors.kpis:
        np.testing.assert_allclose(errors.nrmse(kpi), 0, atol=1e-9)
    assert errors.persistence(("network", "throughput_mbps")) > 0
    networks = Networks(STEPS)
    networks.add(perfect(rolled))
    ((scenario, cells, *relative),) = networks.table().rows
    assert (scenario, cells) == ("quickstart", 3)
    np.testing.assert_allclose(relative, 0, atol=1e-6)


def test_an_error_is_to_the_spread_of_the_kpi(rolled):
    off = perfect(rolled)
    for table in off.ahead:
        table["network"]["throughput_mbps"] = table["network"]["throughput_mbps"] + 5
    errors = Errors(STEPS)
    errors.add([off])
    true = rolled.true["network"]["throughput_mbps"][STEPS:]
    expected = 5 / true.std()
    kpi = ("network", "throughput_mbps")
    np.testing.assert_allclose(errors.nrmse(kpi), expected)
    was, now = (rolled.true["network"]["throughput_mbps"][part] for part in
                (slice(None, -STEPS), slice(STEPS, None)))  # fmt: skip
    assert errors.persistence(kpi) == pytest.approx(np.sqrt(((was - now) ** 2).mean()) / true.std())


def test_errors_of_two_parts_are_those_of_the_whole(rolled):
    whole, one, two = Errors(STEPS), Errors(STEPS), Errors(STEPS)
    for errors in (whole, one):
        errors.add([rolled])
    for errors in (whole, two):
        errors.add([perfect(rolled)])
    one.merge(two)
    for kpi in whole.kpis:
        np.testing.assert_array_equal(one.nrmse(kpi), whole.nrmse(kpi))
        assert one.rows(kpi) == whole.rows(kpi)


def test_a_planted_outage_shows_as_its_response(rolled):
    """Throughput of the cell falls to nothing when it goes out, and the model sees half of it."""
    run = rolled.run
    at, cell = BEFORE + 1, 1
    outage = np.zeros_like(run.outside["outage"])
    outage[at:, cell] = 1
    run = replace(run, outside=run.outside | {"outage": outage})
    level = np.full_like(run.tables["cell"]["dl_throughput_mbps"], 8.0)
    level[at:, cell] = 0
    true = rolled.true | {"cell": rolled.true["cell"] | {"dl_throughput_mbps": level}}
    ahead = [
        part | {"cell": part["cell"] | {"dl_throughput_mbps": np.full_like(level[:-1], 4.0)}}
        for part in rolled.ahead
    ]
    responses = Responses()
    responses.add(Rolled(rolled.identity, run, true, ahead))
    tables, plots = responses.shown()
    row = next(r for r in tables[0].rows if r[0] == "cell outage: cell dl_throughput_mbps")
    assert row[1:4] == (1, 8.0, 4.0)
    plot = next(p for p in plots if p.title == row[0])
    ns3, model = plot.lines
    assert ns3.y == (8,) * BEFORE + (0,) * STEPS
    assert model.y == (None,) * BEFORE + (4,) * STEPS


def test_the_section_of_a_report_has_a_gate_for_every_kpi(dataset):
    gates = read_gates()
    gates = gates.model_copy(
        update={"rollout": gates.rollout.model_copy(update={"steps": STEPS, "least_rows": 1})}
    )
    section, results = roll_outs(ExperimentModel.load(), [dataset.path], gates)
    assert {row[0] for row in section.tables[0].rows} == {
        gate.name.removeprefix("rollout/") for gate in results
    }
    for gate, row in zip(results, section.tables[0].rows, strict=True):
        assert gate.value == pytest.approx(row[-2], abs=1e-3)
        assert gate.holds == (gate.value <= 2)
    assert any(plot.title == "Error of roll-outs" for plot in section.plots)


def test_drawn_roll_outs_are_held_against_what_ns3_did(dataset):
    identity, run = next(runs_to_roll(dataset.path, STEPS))
    ensembles, again, twice = Ensembles(STEPS), Ensembles(STEPS), Ensembles(STEPS)
    for one in (ensembles, again, twice):
        one.add(ExperimentModel.load(), identity, run)
    assert ensembles.table() == again.table()
    twice.merge(ensembles)
    for row, doubled in zip(ensembles.table().rows, twice.table().rows, strict=True):
        kpi, step, values, bias, spread, covered = row
        assert kpi in KPIS
        assert step in (1, STEPS)
        assert doubled[2] == 2 * values
        assert abs(bias) < 2
        assert spread > 0
        assert 0 <= covered <= 100
