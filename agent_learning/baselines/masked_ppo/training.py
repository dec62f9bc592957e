# SPDX-License-Identifier: Apache-2.0
"""Trains a policy on tasks of one scenario: `train`, and as a command.

`python -m agent_learning.baselines.masked_ppo.training quickstart --steps 20000 --out FOLDER`
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.vec_env import SubprocVecEnv
from torch import nn

from agent_learning.baselines.masked_ppo.agent import without_faults
from agent_learning.baselines.masked_ppo.layout import layout_of
from agent_learning.baselines.masked_ppo.policy import Policy, PolicyCard
from agent_learning.errors import BenchUserError
from env.backends.making import make_backend
from env.numbers.places import Floats32
from env.tasks import Attempt, Task, load_task, task_names
from env.view import View

SEEDS = tuple(range(1, 51))
"""Of the networks of training; evaluation has others."""
MOST_CALLS = 30
"""Of an episode."""
REFUSED = -0.05
"""What a call that is refused is worth."""
HIDDEN = (128, 128)


class ManyTasks(gymnasium.Env[Floats32, NDArray[np.int64]]):
    """Episodes of several tasks of one scenario, a call in each step.

    A step is worth the change of the mean progress of the goal's predicates, plus 1 on success,
    minus 1 where a constraint breaks.

    Args:
        tasks: of one scenario; each episode draws one.
        seeds: of networks; each episode draws one.
    """

    def __init__(self, tasks: Sequence[Task], seeds: Sequence[int] = SEEDS) -> None:
        self._tasks, self._seeds = tuple(tasks), tuple(seeds)
        self.layout = layout_of(without_faults(tasks[0].scenario))
        self.action_space = spaces.MultiDiscrete(list(self.layout.actions.dimensions.values()))
        n = len(self.layout.observation_names)
        self.observation_space = spaces.Box(-1, 1, (n,), np.float32)
        self._attempt: Attempt | None = None

    @property
    def _view(self) -> View:
        return self.attempt.environment.view(self.task.scope)

    @property
    def attempt(self) -> Attempt:
        """At the task of this episode."""
        assert self._attempt
        return self._attempt

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats32, dict[str, Any]]:
        """Begin an episode of a task and a network that are drawn."""
        super().reset(seed=seed)
        self.close()
        self.task = self._tasks[self.np_random.integers(len(self._tasks))]
        network_seed = self._seeds[self.np_random.integers(len(self._seeds))]
        backend = make_backend("surrogate", self.task.network, network_seed)
        self._attempt = Attempt(self.task, backend)
        self._begun = self.layout.start(self.task, self._view)
        self._progress, self._calls = self._mean_progress(), 0
        return self._seen(), {"task": self.task.name}

    def step(self, action: NDArray[np.int64]) -> tuple[Floats32, float, bool, bool, dict[str, Any]]:
        """Make a call."""
        call = self.layout.call(action, self._view)
        assert call
        answer = self.attempt.call(*call)
        self._calls += 1
        before, self._progress = self._progress, self._mean_progress()
        status, reason = self.attempt.status, self.attempt.reason
        reward = self._progress - before + (0.0 if answer.ok else REFUSED)
        reward += (status == "success") - reason.startswith("broken")
        ended = status != "running"
        info = {"task": self.task.name, "is_success": status == "success"}
        return self._seen(), reward, ended, not ended and self._calls >= MOST_CALLS, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which choices there are now, all dimensions one after the other."""
        return np.concatenate(self.layout.masks(self._view))

    def close(self) -> None:
        """End the episode."""
        if self._attempt:
            self._attempt.environment.close()
            self._attempt = None

    def _seen(self) -> Floats32:
        return self.layout.observation(self.task, self._view, self._begun)

    def _mean_progress(self) -> float:
        found = self.layout.progress(self.task, self._view, self._begun)
        return float(np.mean([p or 0.0 for p in found]))


def train(
    tasks: Sequence[Task],
    steps: int,
    *,
    seeds: Sequence[int] = SEEDS,
    seed: int = 0,
    processes: int = 1,
    verbose: int = 0,
    settings: dict[str, Any] | None = None,
) -> Policy:
    """Train a policy with MaskablePPO.

    Args:
        tasks: of one scenario.
        steps: calls.
        seeds: of the networks.
        seed: of training.
        processes: in which episodes run.
        verbose: 1 for tables of progress.
        settings: of MaskablePPO, besides the defaults here.

    Raises:
        BenchUserError: the tasks are of several scenarios, or there is none.
    """
    names = sorted({task.scenario.name for task in tasks})
    if len(names) != 1:
        raise BenchUserError(f"tasks={names} is not allowed; they must be of one scenario")
    makers: list[Callable[[], gymnasium.Env[Any, Any]]] = [lambda: ManyTasks(tasks, seeds)]
    many = processes > 1
    envs: Any = SubprocVecEnv(makers * processes, start_method="fork") if many else makers[0]()
    options: dict[str, Any] = {
        "n_steps": max(64, 512 // processes),
        "batch_size": 128,
        "learning_rate": 7e-4,
        "ent_coef": 0.005,
        "gamma": 0.95,
        "policy_kwargs": {"net_arch": list(HIDDEN)},
    }
    model = MaskablePPO(
        MaskableActorCriticPolicy,
        envs,
        seed=seed,
        verbose=verbose,
        device="cpu",
        **(options | (settings or {})),
    )
    try:
        model.learn(steps)
    finally:
        envs.close()
    layout = layout_of(without_faults(tasks[0].scenario))
    hidden = model.policy.mlp_extractor.policy_net
    linear = [one for one in (*hidden, model.policy.action_net) if isinstance(one, nn.Linear)]
    layers = tuple(
        (one.weight.detach().double().numpy(), one.bias.detach().double().numpy()) for one in linear
    )
    card = PolicyCard(
        scenario=tasks[0].scenario.name,
        observation=layout.observation_names,
        dimensions=layout.actions.dimensions,
        hidden=tuple(len(bias) for _, bias in layers[:-1]),
        tasks=tuple(task.name for task in tasks),
        seeds=tuple(seeds),
        steps=model.num_timesteps,
        code_version=version("sixg-agent-gym"),
    )
    return Policy(card, layers)


def main() -> None:
    """Train on the packaged tasks of a scenario."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    tasks = [load_task(name) for name in task_names()]
    mine = [task for task in tasks if task.scenario.name == options.scenario]
    policy = train(mine, options.steps, seed=options.seed, processes=options.processes, verbose=1)
    policy.save(options.out)


if __name__ == "__main__":
    main()
