# SPDX-License-Identifier: Apache-2.0
"""The same actions in the same situation, on NS-3 and on a model, and how alike they are ranked."""

from random import Random

import numpy as np
import pytest

from calibration.validation import read_gates
from calibration.validation.ranking import Ranking, rank_actions, situations
from calibration.whatifs import OBJECTIVES, Outcome, Situation, situation_of, what_if
from experiment_model import ExperimentModel
from ns3_scenarios.controls import ControlChange, ControlState
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


@pytest.fixture(scope="module")
def outcome():
    scenario = load_scenario("quickstart")
    less = ControlChange(interval=4, path="cells.*.tx_power_dbm", value=10)
    nothing = ControlChange(interval=4, path="links.*.queue", value="fifo")
    situation = Situation(scenario, 51, 4, ((), (less,), (nothing,)))
    return what_if(ExperimentModel.load(), situation, 3)


def test_ns3_and_model_agree_that_less_power_takes_less_power(outcome):
    for found in (outcome.ns3, outcome.model):
        assert found["power_w"][1] < 0.9 * found["power_w"][0]


def test_branches_share_their_past_down_to_the_last_packet(outcome):
    """What changes nothing leaves NS-3 where doing nothing leaves it."""
    for name in OBJECTIVES:
        assert outcome.ns3[name][2] == outcome.ns3[name][0]


def outcome_of(real, ours):
    situation = Situation(load_scenario("quickstart"), 1, 1, ((),) * len(real))
    every = dict.fromkeys(OBJECTIVES, np.zeros(len(real)))
    return Outcome(situation, every | {"latency_ms": np.array(real)},
                   every | {"latency_ms": np.array(ours)})  # fmt: skip


def test_tau_and_regret_are_those_worked_out_by_hand():
    """Less latency is better; 10 and 10.1 lie too near to each other to count."""
    ranking = Ranking([outcome_of([10, 10.1, 20, 30], [5, 6, 8, 7])], "latency_ms")
    assert sorted(ranking.agreements()) == [-1, 1, 1, 1, 1]
    assert ranking.regrets() == [0]
    worst = Ranking([outcome_of([10, 10.1, 20, 30], [9, 9, 9, 1])], "latency_ms")
    assert worst.regrets() == [1]
    undecided = Ranking([outcome_of([10, 30], [4, 4])], "latency_ms")
    assert undecided.regrets() == [0.5]
    assert undecided.agreements() == [0]


def test_situations_are_of_the_test_split_and_drawn_alike(dataset):
    one, again = (list(situations([dataset.path], 2)) for _ in range(2))
    assert one == again
    assert len(one) == 2
    assert all(51 <= s.seed <= 80 and len(s.actions) == 10 for s in one)
    assert situation_of(one[0].scenario, 51, 5, 4) == situation_of(one[0].scenario, 51, 5, 4)


def test_the_section_of_a_report_ranks_by_every_objective(dataset):
    played = [
        Situation(s.scenario, s.seed, s.interval, s.actions[:4])
        for s in situations([dataset.path], 1)
    ]
    section, gates = rank_actions(ExperimentModel.load(), played, read_gates())
    rows = section.tables[0].rows
    assert [row[:2] for row in rows if row[0] == "all"] == [("all", name) for name in OBJECTIVES]
    assert {gate.name.split("/")[-1] for gate in gates} == set(OBJECTIVES)
