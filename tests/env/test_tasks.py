# SPDX-License-Identifier: Apache-2.0
"""What decides over a task: the network, by typed predicates."""

from __future__ import annotations

from typing import Any

import pytest

from env.backends.surrogate import SurrogateBackend
from env.tasks import Attempt, Task
from ns3_scenarios.errors import ScenarioError

POWER = {"kind": "control", "path": "cells.c0.tx_power_dbm", "comparison": "<=", "value": 30.0}
NEVER = {
    "kind": "kpi", "table": "cell", "kpi": "power_w", "over_elements": "sum", "comparison": "<=",
    "value": 0.0,
}  # fmt: skip
LOUD = {"cell": "c0", "tx_power_dbm": 37}
QUIET = {"cell": "c0", "tx_power_dbm": 30}


def attempt(**fields: Any) -> Attempt:
    task = Task.model_validate(
        {"name": "t", "intent": "i", "scenario": "quickstart", "goal": [NEVER], **fields},
    )
    return Attempt(task, SurrogateBackend(task.network, 1))


def test_success_is_a_goal_that_holds_for_long_enough() -> None:
    tried = attempt(goal=[POWER], hold_intervals=3)
    tried.call("set_cell_tx_power", QUIET)
    assert tried.status == "running"
    tried.environment.run_on()
    assert tried.status == "running"
    tried.environment.run_on(5)
    assert tried.status == "success"
    assert tried.environment.backend.interval == 5
    answer = tried.call("get_topology")
    assert answer.content["message"] == "the episode is over: the goal is reached"
    assert tried.environment.n_calls == 1


def test_goal_that_is_lost_meanwhile_counts_anew() -> None:
    tried = attempt(goal=[POWER], hold_intervals=2)
    tried.call("set_cell_tx_power", QUIET)
    tried.call("set_cell_tx_power", LOUD)
    tried.call("set_cell_tx_power", QUIET)
    assert tried.status == "running"
    tried.environment.run_on()
    assert tried.status == "success"


def test_observing_lets_no_time_pass_and_decides_nothing() -> None:
    tried = attempt(goal=[{**POWER, "value": 60.0}])
    tried.call("get_topology")
    assert tried.status == "running"
    tried.environment.run_on()
    assert tried.status == "success"


def test_constraint_on_controls_is_refused_and_the_attempt_goes_on() -> None:
    tried = attempt(constraints=[{**POWER, "comparison": ">=", "value": 35.0}])
    answer = tried.call("set_cell_tx_power", QUIET)
    assert not answer.ok
    assert answer.content["code"] == "not_allowed"
    assert tried.status == "running"
    assert tried.environment.backend.interval == 2


def test_broken_constraint_on_kpis_is_a_failure() -> None:
    tried = attempt(constraints=[NEVER])
    tried.call("set_cell_tx_power", QUIET)
    assert tried.status == "failure"
    assert "broken constraint: cell power_w <= 0 W, it is" in tried.reason


def test_used_up_limits_are_failures() -> None:
    tried = attempt(max_changes=2)
    tried.call("set_cell_tx_power", QUIET)
    assert tried.status == "running"
    tried.call("set_cell_tx_power", LOUD)
    assert tried.reason == "all 2 changes were used"
    tried = attempt(max_calls=2)
    tried.call("get_topology")
    tried.call("nonsense")
    assert tried.reason == "all 2 calls were used"


def test_last_change_may_still_reach_the_goal() -> None:
    tried = attempt(goal=[POWER], max_changes=1)
    tried.call("set_cell_tx_power", QUIET)
    assert tried.status == "success"


def test_giving_up_is_a_failure() -> None:
    tried = attempt()
    tried.give_up()
    assert tried.status == "failure"


def test_settings_and_faults_of_a_task_are_in_force() -> None:
    fault = {"kind": "cell_outage", "cell": "c1", "start_s": 0.0, "duration_s": 100.0}
    setting = {"interval": 0, "path": "cells.c0.tx_power_dbm", "value": 20.0}
    tried = attempt(settings=[setting], faults=[fault])
    backend = tried.environment.backend
    assert backend.controls.get("cells.c0.tx_power_dbm") == 20.0
    assert [f.cell for f in backend.scenario.faults] == ["c1"]
    with pytest.raises(ScenarioError, match="c9"):
        attempt(faults=[{**fault, "cell": "c9"}])


def test_only_tools_of_the_task_may_be_called() -> None:
    tried = attempt(tools=("get_topology",))
    assert tried.call("get_topology").ok
    assert tried.call("set_cell_tx_power", QUIET).content["code"] == "unknown_tool"
