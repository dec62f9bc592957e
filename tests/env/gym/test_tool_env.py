# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from env.gym.tool_env import ToolEnv
from env.tasks import Task


def action(env: ToolEnv, label: str, **chosen: int) -> NDArray[np.int64]:
    """The action that chooses an entry by its label; what is not given is 0."""
    found = {"tool": env.actions.labels.index(label), **chosen}
    return np.array([found.get(name, 0) for name in env.actions.dimensions])


POWER = "set_cell_tx_power(cell, tx_power_dbm)"


def test_action_calls_the_tool_and_an_interval_passes() -> None:
    env = ToolEnv()
    _, info = env.reset(seed=1)
    seen, reward, terminated, truncated, after = env.step(action(env, POWER, cell=1, value_0=0))
    assert after["ok"]
    assert after["arguments"] == {"cell": "c1", "tx_power_dbm": 26.0}
    assert after["interval"] == info["interval"] + 1
    assert env.session.environment.backend.controls.cells["c1"].tx_power_dbm == 26
    assert seen[env.observation_names.index("cells.c1.tx_power_dbm")] == 0
    assert reward == after["utility"]
    assert not terminated
    assert not truncated


def test_hold_lets_an_interval_pass_without_a_call() -> None:
    env = ToolEnv()
    _, before = env.reset(seed=1)
    *_, after = env.step(action(env, "hold"))
    assert after["interval"] == before["interval"] + 1
    assert env.session.environment.n_calls == 0


def test_masked_action_is_answered_and_changes_nothing() -> None:
    env = ToolEnv()
    env.reset(seed=1)
    rollback = action(env, "rollback_change(change_id)")
    assert not env.action_masks()[rollback[0]]
    controls = env.session.environment.backend.controls
    *_, info = env.step(rollback)
    assert not info["ok"]
    assert info["answer"]["code"] == "no_such_element"
    assert env.session.environment.backend.controls == controls
    assert info["interval"] == 3
    env.step(action(env, POWER))
    assert env.action_masks()[rollback[0]]
    *_, info = env.step(rollback)
    assert info["ok"]
    assert env.session.environment.backend.controls == controls


def test_choices_within_the_masks_are_hardly_ever_refused() -> None:
    env = ToolEnv(steps=60)
    env.reset(seed=1)
    rng = np.random.default_rng(1)
    sizes = np.cumsum(env.action_space.nvec)[:-1]
    codes = []
    for _ in range(60):
        masks = np.split(env.action_masks(), sizes)
        *_, info = env.step(np.array([rng.choice(np.flatnonzero(m)) for m in masks]))
        if not info["ok"]:
            codes.append(info["answer"]["code"])
    assert set(codes) <= {"not_allowed", "conflict"}
    assert len(codes) < 8


def test_goal_that_is_reached_ends_the_episode(make_power_task: Any) -> None:
    env = ToolEnv(task=make_power_task())
    _, info = env.reset(seed=1)
    assert info["progress"] == 0
    _, reward, terminated, truncated, info = env.step(action(env, POWER, value_0=0))
    assert reward == 2
    assert info["status"] == "success"
    assert terminated
    assert not truncated
    *_, terminated, _, info = env.step(action(env, "hold"))
    assert terminated
    assert info["interval"] == 3


def test_a_step_takes_as_long_as_the_task_says(make_power_task: Any) -> None:
    env = ToolEnv(task=make_power_task(advance=3))
    _, start = env.reset(seed=1)
    for taken in ("hold", POWER, "rollback_change(change_id)"):
        *_, info = env.step(action(env, taken, value_0=5, change_id=0))
        assert info["interval"] == start["interval"] + 3
        start = info


def test_broken_constraint_ends_the_episode(make_power_task: Any) -> None:
    served = {
        "kind": "kpi",
        "table": "cell",
        "kpi": "power_w",
        "cell": "c1",
        "comparison": ">=",
        "value": 5000.0,
    }
    env = ToolEnv(task=make_power_task(constraints=(served,)))
    env.reset(seed=1)
    _, reward, terminated, truncated, info = env.step(action(env, POWER, cell=1, value_0=3))
    assert reward == -1
    assert info["status"] == "failure"
    assert terminated
    assert not truncated


def test_changes_that_are_used_up_cut_the_episode_short(make_power_task: Any) -> None:
    env = ToolEnv(task=make_power_task())
    env.reset(seed=1)
    ends = [env.step(action(env, POWER, cell=2, value_0=n))[2:4] for n in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]
    assert env.session.observation()[env.observation_names.index("changes_left")] == 0


def test_steps_that_are_used_up_cut_the_episode_short() -> None:
    env = ToolEnv(steps=3)
    env.reset(seed=1)
    assert [env.step(action(env, "hold"))[3] for _ in range(3)] == [False, False, True]


def test_progress_grows_with_the_margin(energy_task: Task) -> None:
    env = ToolEnv(task=energy_task)
    env.reset(seed=1)
    total, goal = 0.0, env.observation_names.index("goal.0")
    for number in range(3):
        seen, reward, terminated, _, info = env.step(action(env, POWER, cell=number))
        total += reward - terminated
        assert info["progress"] == pytest.approx(total)
        assert seen[goal] == pytest.approx(max(-1, info["progress"]), abs=1e-6)
    assert total > 0.5


def test_tools_of_the_task_are_all_that_can_be_chosen(make_power_task: Any) -> None:
    env = ToolEnv(task=make_power_task())
    assert env.actions.labels == ["hold", POWER, "rollback_change(change_id)"]
    assert env.actions.dimensions == {"tool": 3, "cell": 3, "change_id": 8, "value_0": 11}


def test_live_ns3_answers_as_the_surrogate_does() -> None:
    found = []
    for backend in ("ns3", "surrogate"):
        env = ToolEnv(backend=backend)
        start, _ = env.reset(seed=1)
        seen, reward, *_, info = env.step(action(env, POWER, cell=1, value_0=0))
        assert env.observation_space.contains(seen)
        assert 0 < reward < 1
        assert info["served_by"] == backend
        found.append((start, info["answer"]))
        env.close()
    assert np.array_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def test_maskable_ppo_stays_within_the_masks() -> None:
    from sb3_contrib import MaskablePPO

    env = ToolEnv(steps=8)
    agent = MaskablePPO("MlpPolicy", env, n_steps=16, batch_size=16, n_epochs=1, seed=1)
    agent.learn(32)
    seen, _ = env.reset(seed=1)
    rollback = env.actions.labels.index("rollback_change(change_id)")
    masks = env.action_masks()
    chosen = {int(agent.predict(seen, action_masks=masks)[0][0]) for _ in range(200)}
    assert rollback not in chosen
    assert len(chosen) > 10
