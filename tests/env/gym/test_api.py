# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from env.errors import EnvUserError
from env.gym import CONTROL_ID, TOOLS_ID
from env.gym.tool_env import ToolEnv
from ns3_scenarios.errors import ScenarioError

IDS = (TOOLS_ID, CONTROL_ID)


@pytest.mark.parametrize("id_", IDS)
def test_gymnasium_accepts_it(id_: str) -> None:
    env = gymnasium.make(id_, render_mode="rgb_array", disable_env_checker=True)
    check_env(env.unwrapped)
    env.close()


@pytest.mark.filterwarnings("ignore:.*We recommend you to use a symmetric")
@pytest.mark.parametrize("id_", IDS)
def test_stable_baselines_accepts_it(id_: str) -> None:
    env = gymnasium.make(id_, render_mode="rgb_array").unwrapped
    sb3_check_env(env, warn=True)
    env.close()


def test_id_with_module_needs_no_import() -> None:
    env = gymnasium.make(f"env.gym:{TOOLS_ID}")
    assert isinstance(env.unwrapped, ToolEnv)
    assert env.spec is not None
    assert env.spec.id == TOOLS_ID


def trajectory(env: Any, seed: int, n: int = 6) -> list[Any]:
    rng = np.random.default_rng(0)
    seen, _ = env.reset(seed=seed)
    found = [seen]
    for _ in range(n):
        space = env.action_space
        action = (
            rng.integers(space.nvec)
            if isinstance(space, gymnasium.spaces.MultiDiscrete)
            else rng.uniform(-1, 1, space.shape)
        )
        seen, reward, *_ = env.step(action)
        found += [seen, reward]
    return found


@pytest.mark.parametrize("id_", IDS)
def test_equal_seeds_run_alike_and_others_do_not(id_: str) -> None:
    first, again = gymnasium.make(id_), gymnasium.make(id_)
    one, two = trajectory(first, 4), trajectory(again, 4)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    repeated = trajectory(first, 4)
    assert all(np.array_equal(a, b) for a, b in zip(one, repeated, strict=True))
    other = trajectory(first, 5)
    assert not np.array_equal(one[0], other[0])
    assert one[2::2] != other[2::2]


@pytest.mark.parametrize("id_", IDS)
def test_episodes_without_a_seed_follow_from_the_last_seed(id_: str) -> None:
    first, again = gymnasium.make(id_, n_seeds=4), gymnasium.make(id_, n_seeds=4)
    starts = []
    for env in (first, again):
        env.reset(seed=1)
        starts.append([env.reset()[0] for _ in range(4)])
    assert np.array_equal(*starts)
    assert len({start.tobytes() for start in starts[0]}) > 1


@pytest.mark.parametrize("id_", IDS)
def test_figures_are_scaled_and_named(id_: str) -> None:
    env = gymnasium.make(id_).unwrapped
    seen, _ = env.reset(seed=2)
    names = env.observation_names
    assert len(set(names)) == len(names) == len(seen)
    known = seen[seen != -1]
    assert known.min() >= 0
    assert known.max() <= 1
    assert len(known) > 0.9 * len(seen)
    at = names.index("cells.c0.tilt_deg")
    assert seen[at] == pytest.approx(12 / 20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps=0"),
        ({"n_seeds": 0}, "n_seeds=0"),
        ({"model": "nowhere"}, "no folder nowhere"),
        ({"render_mode": "ansi"}, "render_mode='ansi'"),
    ],
)
@pytest.mark.parametrize("id_", IDS)
@pytest.mark.filterwarnings("ignore:.*render_mode")
def test_impossible_argument_is_named(id_: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(EnvUserError, match=message):
        gymnasium.make(id_, **arguments)


def test_unknown_scenario_is_named() -> None:
    with pytest.raises(ScenarioError, match="atlantis"):
        gymnasium.make(TOOLS_ID, scenario="atlantis")


def test_no_step_before_an_episode() -> None:
    env = gymnasium.make(TOOLS_ID).unwrapped
    with pytest.raises(EnvUserError, match="call reset first"):
        env.step(env.action_space.sample())
