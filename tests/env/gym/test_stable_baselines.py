# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from stable_baselines3 import PPO

from env.gym.stable_baselines import BatchedVecEnv
from env.gym.vector_env import ControlVectorEnv


def test_episodes_end_as_stable_baselines_expects() -> None:
    env = BatchedVecEnv(ControlVectorEnv(3, steps=2))
    env.seed(4)
    start = env.reset()
    zeros = np.zeros((3, 61), np.float32)
    _, _, done, infos = env.step(zeros)
    assert not done.any()
    assert infos == [{}, {}, {}]
    seen, rewards, done, infos = env.step(zeros)
    assert done.all()
    assert rewards.all()
    assert (seen[:, -1] == 1).all()
    assert all(info["terminal_observation"][-1] == 0 for info in infos)
    assert all(info["TimeLimit.truncated"] for info in infos)
    env.seed(4)
    assert np.array_equal(env.reset(), start)


def test_ppo_learns_to_save_power() -> None:
    env = ControlVectorEnv(64, controls=("cells.*.tx_power_dbm",), steps=8, n_seeds=20)
    agent = PPO(
        "MlpPolicy", BatchedVecEnv(env), n_steps=8, batch_size=128, learning_rate=1e-2, gamma=0.5,
        seed=1, policy_kwargs={"net_arch": [32]},
    )  # fmt: skip

    def mean_reward() -> float:
        seen, _ = env.reset(seed=50)
        rewards = []
        for _ in range(4):
            chosen, _ = agent.predict(seen, deterministic=True)
            seen, reward, *_ = env.step(chosen)
            rewards.append(reward.mean())
        return float(np.mean(rewards[1:]))

    untrained = mean_reward()
    agent.learn(3072)
    assert mean_reward() > untrained + 0.008
