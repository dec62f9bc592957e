# SPDX-License-Identifier: Apache-2.0
"""The vector environment as Stable-Baselines3 takes one: `BatchedVecEnv`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from env.gym.vector_env import ControlVectorEnv


class BatchedVecEnv(VecEnv):
    """Lets `PPO`, `SAC` and the like train on all copies of a `ControlVectorEnv` at once.

    Args:
        env: to be stepped.
    """

    def __init__(self, env: ControlVectorEnv) -> None:
        self.env = env
        self._seed: int | None = None
        self._actions: NDArray[np.float32] = np.zeros(env.action_space.shape or (), np.float32)
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> NDArray[np.float32]:
        """Begin an episode in all copies."""
        seen, _ = self.env.reset(seed=self._seed)
        self._seed = None
        return seen

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """The seed of the next reset."""
        self._seed = seed
        return [seed] * self.num_envs

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take the actions."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, NDArray[Any], NDArray[Any], list[dict[str, Any]]]:
        """Step all copies; after the last step of an episode, the next one has begun."""
        seen, rewards, _, truncated, _ = self.env.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if truncated.any():
            for info, last in zip(infos, seen, strict=True):
                info |= {"terminal_observation": last, "TimeLimit.truncated": True}
            seen, _ = self.env.reset()
        return seen, rewards, truncated, infos

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute of the environment, for each copy."""
        return [getattr(self.env, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the environment, which all copies share."""
        setattr(self.env, attr_name, value)

    def env_method(
        self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any
    ) -> list[Any]:
        """Call a method of the environment once; its answer is that of each copy."""
        answer = getattr(self.env, method_name)(*args, **kwargs)
        return [answer] * len(list(self._get_indices(indices)))

    def env_is_wrapped(
        self, wrapper_class: type[Any], indices: int | Iterable[int] | None = None
    ) -> list[bool]:
        """No copy is wrapped."""
        return [False] * len(list(self._get_indices(indices)))
