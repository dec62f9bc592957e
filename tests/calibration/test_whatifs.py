# SPDX-License-Identifier: Apache-2.0
"""The same actions in the same situation, on NS-3 and on a model, and how alike they are ranked."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from calibration import whatifs
from calibration.validation import read_gates
from calibration.validation.ranking import (
    SIGNIFICANCE,
    Pair,
    Ranking,
    Tally,
    judged,
    rank_actions,
    situations,
)
from calibration.whatifs import OBJECTIVES, REDRAWS, Outcome, Situation, situation_of, what_if
from experiment_model import ExperimentModel
from ns3_scenarios.controls import ControlChange, ControlState
from ns3_scenarios.errors import SimulationError
from ns3_scenarios.library import load_scenario, scenario_names
from ns3_scenarios.sweeps import draw_action


@pytest.mark.parametrize("name", scenario_names())
def test_every_action_that_is_drawn_can_be_taken(name):
    scenario = load_scenario(name)
    state = ControlState.initial(scenario)
    random = Random(1)
    kinds = set()
    for _ in range(60):
        action = draw_action(scenario, random, 3)
        assert action
        assert {change.interval for change in action} == {3}
        state.with_changes(action, scenario)
        kinds.update(change.path.split(".")[-1] for change in action)
    assert len(kinds) > 8


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    """An empty one at first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def outcome():
    scenario = load_scenario("quickstart")
    less = ControlChange(interval=4, path="cells.*.tx_power_dbm", value=10)
    nothing = ControlChange(interval=4, path="links.*.queue", value="fifo")
    situation = Situation(scenario, 51, 4, ((), (less,), (nothing,)))
    return what_if(ExperimentModel.load(), situation, 3)


def test_ns3_and_model_agree_on_how_much_less_power_is_taken(outcome):
    saved_w = (outcome.ns3["power_w"][0] - outcome.ns3["power_w"][1]).mean()
    assert saved_w > 0.2 * outcome.ns3["power_w"][0].mean()
    ours = outcome.model["power_w"]
    assert ours[0] - ours[1] == pytest.approx(saved_w, rel=0.1)


def test_all_actions_meet_the_same_draws(outcome):
    """What changes nothing leaves NS-3, under each draw, where doing nothing leaves it."""
    for name in OBJECTIVES:
        nothing = outcome.ns3[name][0]
        assert (outcome.ns3[name][2] == nothing).all()
        assert len(set(nothing)) == REDRAWS


@pytest.fixture
def _without_ns3(monkeypatch):
    def fails(*_):
        raise SimulationError("there is no NS-3")

    monkeypatch.setattr(whatifs, "LiveSimulation", fails)


@pytest.mark.usefixtures("_without_ns3")
def test_ns3_plays_a_situation_once(outcome):
    again = what_if(ExperimentModel.load(), outcome.situation, 3)
    for name in OBJECTIVES:
        assert np.array_equal(again.ns3[name], outcome.ns3[name])
        assert np.array_equal(again.model[name], outcome.model[name])


@pytest.mark.usefixtures("_without_ns3")
@pytest.mark.parametrize(
    ("situation", "horizon", "redraws"),
    [
        ({"scenario": load_scenario("uav_corridor")}, 3, REDRAWS),
        ({"seed": 52}, 3, REDRAWS),
        ({"interval": 5}, 3, REDRAWS),
        ({"actions": ()}, 3, REDRAWS),
        ({}, 2, REDRAWS),
        ({}, 3, REDRAWS - 1),
    ],
)
def test_what_was_played_in_another_situation_is_not_taken(outcome, situation, horizon, redraws):
    with pytest.raises(SimulationError, match="there is no NS-3"):
        what_if(ExperimentModel.load(), replace(outcome.situation, **situation), horizon, redraws)


def outcome_of(real, ours):
    """Of latencies, of which less is better; all else is alike."""
    situation = Situation(load_scenario("quickstart"), 1, 1, ((),) * len(real))
    alike = dict.fromkeys(OBJECTIVES, np.zeros((len(real), len(real[0]))))
    means = {name: values[:, 0] for name, values in alike.items()}
    return Outcome(situation, alike | {"latency_ms": np.array(real, float)},
                   means | {"latency_ms": np.array(ours, float)})  # fmt: skip


SURE = [[10, 12, 11], [10.1, 12.1, 11.1], [20, 22, 22], [30, 32, 31]]
"""Actions that differ much more than draws do, but the first two, which do not differ enough."""


def test_tau_and_regret_are_those_worked_out_by_hand():
    ranking = Ranking([outcome_of(SURE, [5, 6, 8, 7])], "latency_ms")
    assert sorted(pair.agreement for pair in ranking.told_apart()) == [-1, 1, 1, 1, 1]
    assert [pair.own_agreement for pair in ranking.told_apart()] == [1] * 5
    assert ranking.regrets() == [0]
    assert Ranking([outcome_of(SURE, [9, 9, 9, 1])], "latency_ms").regrets() == [1]
    undecided = Ranking([outcome_of([[10] * 3, [30] * 3], [4, 4])], "latency_ms")
    assert undecided.regrets() == [0.5]
    assert [pair.agreement for pair in undecided.told_apart()] == [0]


def test_what_draws_do_not_agree_on_is_not_held_against_a_model():
    """By one draw the second action is far better, by the two others it is worse."""
    tally = Tally()
    tally.add(Ranking([outcome_of([[10, 10, 10], [11, 11, 2]], [1, 2])], "latency_ms"))
    assert tally.told_apart == []
    assert sorted(tally.in_one_draw) == [(-1, -1), (1, 0), (1, 0)]


def test_chance_tells_few_actions_apart():
    draws = np.random.default_rng(1).normal(size=(4000, REDRAWS))
    found = np.mean([Pair(one, 0.0).is_told_apart(0.0) for one in draws])
    assert found == pytest.approx(SIGNIFICANCE, abs=0.01)


@pytest.mark.parametrize(("draws", "holds"), [((9, 9, 9), False), ((9, -1, -1), True)])
def test_a_model_need_not_agree_with_ns3_more_than_ns3_does(draws, holds):
    """A tau of 0.5 is too little where the draws agree, and enough where they hardly do."""
    pairs = [Pair(np.array(draws, float), model) for model in (1, 1, 1, -1) * 10]
    tau, _ = judged(read_gates(), "latency_ms", Tally(pairs, [], [0.0]))
    assert tau.value == 0.5
    assert tau.holds is holds


def test_situations_are_of_the_test_split_and_drawn_alike(dataset):
    one, again = (list(situations([dataset.path], 2)) for _ in range(2))
    assert one == again
    assert len(one) == 2
    assert all(51 <= s.seed <= 80 and len(s.actions) == 10 for s in one)
    assert situation_of(one[0].scenario, 51, 5, 4) == situation_of(one[0].scenario, 51, 5, 4)


def test_the_section_of_a_report_ranks_by_every_objective(dataset):
    played = [
        Situation(s.scenario, s.seed, s.interval, s.actions[:3])
        for s in situations([dataset.path], 2)
    ]
    section, gates = rank_actions(ExperimentModel.load(), played, read_gates(), jobs=2)
    table = section.tables[0]
    rows = table.rows
    assert all(len(row) == len(table.columns) for row in rows)
    assert [row[:2] for row in rows if row[0] == "all"] == [("all", name) for name in OBJECTIVES]
    assert {gate.name.split("/")[-1] for gate in gates} == set(OBJECTIVES)
