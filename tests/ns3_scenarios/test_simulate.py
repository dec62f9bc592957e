# SPDX-License-Identifier: Apache-2.0
"""One call, one simulation: by name, path or object, in this process or in a fork of it."""

import os
import sys
import traceback
from pathlib import Path

import pytest

from ns3_scenarios.controls import ControlChange
from ns3_scenarios.errors import ControlError, ScenarioError
from ns3_scenarios.library import load_scenario
from ns3_scenarios.simulate import simulate


def test_by_name_path_and_object(tmp_path: Path) -> None:
    named = simulate("quickstart", duration_s=0.2)
    path = tmp_path / "mine.json"
    path.write_text(load_scenario("quickstart").model_dump_json())
    assert simulate(str(path), duration_s=0.2).tables == named.tables
    assert simulate(load_scenario("quickstart"), duration_s=0.2).tables == named.tables
    assert named["network"].column("interval").to_pylist() == [0, 0, 0]


def test_mistakes_are_found_before_anything_runs() -> None:
    with pytest.raises(ScenarioError, match="quickstar"):
        simulate("quickstar")
    with pytest.raises(ScenarioError, match="duration_s"):
        simulate("quickstart", duration_s=0.3)
    with pytest.raises(ScenarioError, match="seed=-1"):
        simulate("quickstart", seed=-1)
    with pytest.raises(ControlError, match="interval 20"):
        simulate("quickstart", [ControlChange(interval=20, path="cells.c0.tilt_deg", value=1)])


def test_order_is_given_once_and_not_with_every_later_change() -> None:
    changes = [
        ControlChange(interval=1, path="ues.u0.target_cell", value="c1"),
        ControlChange(interval=8, path="cells.c2.tilt_deg", value=12),
    ]
    users = simulate("quickstart", changes, duration_s=2)["ue"].to_pandas()
    cells = list(users[users.ue == "u0"].cell)
    assert cells[0] == "c0"
    assert cells[1] == "c1"  # a worse cell, which it soon leaves
    assert cells[-4:] == ["c0"] * 4


def test_a_fork_of_this_process_has_a_worker_of_its_own() -> None:
    before = simulate("quickstart", duration_s=0.2)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            same = simulate("quickstart", duration_s=0.2).tables == before.tables
            status = 0 if same else 2
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert simulate("quickstart", duration_s=0.2).tables == before.tables
