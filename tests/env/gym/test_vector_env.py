# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from calibration.rolling import Roll
from env.errors import EnvUserError
from env.gym import CONTROL_ID
from env.gym.control_env import ControlEnv
from env.gym.vector_env import ControlVectorEnv


def make(n: int, **arguments: Any) -> Any:
    return gymnasium.make_vec(CONTROL_ID, num_envs=n, **arguments)


def test_it_is_a_vector_environment() -> None:
    env = make(6)
    assert isinstance(env, ControlVectorEnv)
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    seen, info = env.reset(seed=1)
    assert env.observation_space.contains(seen)
    assert info == {}
    seen, reward, terminated, truncated, _ = env.step(env.action_space.sample())
    assert env.observation_space.contains(seen)
    assert reward.shape == terminated.shape == truncated.shape == (6,)
    assert not (terminated | truncated).any()


@pytest.mark.parametrize("scenario", ["quickstart", "highway_mobility"])
def test_a_single_copy_is_the_single_environment(scenario: str) -> None:
    one, many = ControlEnv(scenario), ControlVectorEnv(1, scenario)
    seen, _ = one.reset(seed=3)
    seen_many, _ = many.reset(seed=3)
    assert np.array_equal(seen, seen_many[0])
    rng = np.random.default_rng(1)
    for _ in range(4):
        action = rng.uniform(-1, 1, one.action_space.shape).astype(np.float32)
        seen, reward, *_ = one.step(action)
        seen_many, rewards, *_ = many.step(action[None])
        np.testing.assert_allclose(seen_many[0], seen, atol=1e-6)
        assert rewards[0] == pytest.approx(reward, abs=1e-9)


def test_copies_do_as_well_as_single_environments_do() -> None:
    controls, n, copies, steps = ("cells.*.tx_power_dbm",), 8, 8, 4
    action = np.array([-0.5, 0.0, 0.5], np.float32)
    many = ControlVectorEnv(n * copies, controls=controls, n_networks=n)
    many.reset(seed=20)
    rewards = np.mean([many.step(np.tile(action, (n * copies, 1)))[1] for _ in range(steps)], 0)
    of_network = rewards.reshape(n, copies).mean(1)
    single = []
    for seed in range(20, 20 + n):
        one = ControlEnv(controls=controls)
        one.reset(seed=seed)
        single.append(np.mean([one.step(action)[1] for _ in range(steps)]))
    apart = of_network - np.array(single)
    assert abs(apart.mean()) < 3 * apart.std(ddof=1) / np.sqrt(n)
    assert np.corrcoef(of_network, single)[0, 1] > 0.5


def test_actions_reach_their_own_copy_only() -> None:
    controls = ("cells.*.tx_power_dbm",)
    first, other = (ControlVectorEnv(4, controls=controls, n_networks=1) for _ in range(2))
    first.reset(seed=2)
    other.reset(seed=2)
    action = np.zeros((4, 3), np.float32)
    action[1] = -1
    seen, rewards, *_ = first.step(np.zeros((4, 3), np.float32))
    seen_other, rewards_other, *_ = other.step(action)
    differs = (seen != seen_other).any(1)
    assert differs.tolist() == [False, True, False, False]
    assert (rewards != rewards_other).tolist() == [False, True, False, False]


def test_equal_seeds_run_alike_and_others_do_not() -> None:
    def rewards(seed: int) -> list[list[float]]:
        env = ControlVectorEnv(5, steps=3)
        env.reset(seed=seed)
        return [env.step(np.zeros((5, 61), np.float32))[1].tolist() for _ in range(6)]

    assert rewards(1) == rewards(1)
    assert rewards(1) != rewards(2)


def test_copies_of_one_network_go_different_ways() -> None:
    env = ControlVectorEnv(4, n_networks=1)
    seen, _ = env.reset(seed=1)
    assert (seen == seen[0]).all()
    seen, *_ = env.step(np.zeros((4, 61), np.float32))
    assert len({row.tobytes() for row in seen}) == 4


def test_the_step_after_the_last_begins_the_next_episode() -> None:
    env = ControlVectorEnv(3, steps=2)
    start, _ = env.reset(seed=1)
    zeros = np.zeros((3, 61), np.float32)
    assert not env.step(zeros)[3].any()
    assert env.step(zeros)[3].all()
    seen, reward, terminated, truncated, _ = env.step(zeros)
    assert not reward.any()
    assert not (terminated | truncated).any()
    assert (seen[:, -1] == 1).all()
    assert not np.array_equal(seen, start)
    assert env.step(zeros)[1].any()


def test_all_copies_take_one_call_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = []
    step = Roll.step

    def counted(self: Roll, *args: Any) -> Any:
        moment = step(self, *args)
        batches.append(len(moment.controls["tx_power_dbm"]))
        return moment

    monkeypatch.setattr(Roll, "step", counted)
    env = ControlVectorEnv(100)
    env.reset(seed=1)
    env.step(env.action_space.sample())
    assert batches == [100]


def test_what_cannot_be_done_is_named() -> None:
    with pytest.raises(EnvUserError, match="num_envs=0"):
        ControlVectorEnv(0)
    env = ControlVectorEnv(2)
    with pytest.raises(EnvUserError, match="call reset first"):
        env.step(env.action_space.sample())
    with pytest.raises(EnvUserError, match="reset_mask"):
        env.reset(options={"reset_mask": np.array([True, False])})
