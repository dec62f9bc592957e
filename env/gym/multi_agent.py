# SPDX-License-Identifier: Apache-2.0
"""Several agents in one network, as a PettingZoo environment.

In each step every agent chooses a call, or none, and a word for the others. The calls are made one
after the other in the order of `possible_agents`, so that a later one may be refused for what an
earlier one did; then one interval passes for all, or as many as the task says. Words are heard in
the next step. All agents get the reward of the team, which is that of `SixG/Tools-v1`, and end
together.

`parallel_env` is that environment; `env` is the same one in turns (AEC): agents choose one after
the other without seeing what those before them chose, and time passes after the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from numpy.typing import NDArray
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils import parallel_to_aec
from pettingzoo.utils.wrappers import OrderEnforcingWrapper

from env.backends.base import BackendName
from env.errors import EnvUserError
from env.gym.actions import ToolActions
from env.gym.networks import Model
from env.gym.session import within
from env.gym.stage import STEPS, Stage
from env.numbers.kpis import UNKNOWN, observer_of
from env.numbers.places import Floats32
from env.tasks import Task
from env.view import Scope
from ns3_scenarios.scenario import ScenarioConfig

WORDS = 8
"""That an agent may say; 0 is silence."""
CORE_AGENT = "core"
Actions = NDArray[np.int64]


class ToolParallelEnv(Stage, ParallelEnv[str, Floats32, Actions]):
    """Agents with scopes call tools in the same network.

    An action is one of `SixG/Tools-v1` among the tools of the agent, and then a word. An
    observation has its figures, `UNKNOWN` where an element is out of scope, and then the last word
    of each agent as a row of zeros and a one. `info["action_mask"]` has the choices that make
    sense, one array for each dimension, as `MultiDiscrete.sample` takes them.

    Args:
        scenario: of an open-ended episode; a scenario, a packaged one's name, or a YAML file.
        task: to be reached, instead; a task, a packaged one's name, or a YAML file.
        agents: what each may see and do, by name, in the order in which they act; by default
            `cell_scopes`.
        backend: surrogate, ns3 or auto.
        model: for all but ns3; that of the package by default.
        steps: after which an episode is cut short.
        n_seeds: networks that episodes without a seed of their own draw from.
        render_mode: rgb_array or human.

    Raises:
        EnvUserError: an argument cannot be used.
        ScenarioError: the scenario cannot be used.
    """

    def __init__(
        self,
        scenario: ScenarioConfig | str | Path = "quickstart",
        task: Task | str | Path | None = None,
        agents: Mapping[str, Scope] | None = None,
        backend: BackendName = "surrogate",
        model: Model | None = None,
        steps: int = STEPS,
        n_seeds: int = 100,
        render_mode: str | None = None,
    ) -> None:
        self.set_up(scenario, task, backend, model, steps, n_seeds, render_mode)
        self.metadata = {
            "name": "sixg_tools_v1",
            "render_modes": ["human", "rgb_array"],
            "render_fps": 5,
            "is_parallelizable": True,
        }
        self.scopes = dict(cell_scopes(self.scenario) if agents is None else agents)
        if not self.scopes:
            raise EnvUserError("agents={} is not allowed; there must be one at least")
        self.possible_agents = list(self.scopes)
        self.agents: list[str] = []
        self._rng = np.random.default_rng()
        self._said = dict.fromkeys(self.possible_agents, 0)
        self.actions = {
            name: ToolActions(self.scenario, within(self.task, scope))
            for name, scope in self.scopes.items()
        }
        observer = observer_of(self.scenario)
        n_own = 2 + len(self.task.goal if self.task else ())
        n_seen = len(observer.names) + n_own
        self._seen = {
            name: np.append(observer.in_scope(scope), np.ones(n_own, bool))
            for name, scope in self.scopes.items()
        }
        size = n_seen + len(self.scopes) * WORDS
        self.action_spaces = {
            name: spaces.MultiDiscrete([*actions.dimensions.values(), WORDS])
            for name, actions in self.actions.items()
        }
        self.observation_spaces = {
            name: spaces.Box(-1, 1, (size,), np.float32) for name in self.scopes
        }

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """What an agent sees."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """What an agent chooses from."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Floats32], dict[str, dict[str, Any]]]:
        """Begin an episode; the seed is the network's."""
        if seed is not None:
            self._rng, _ = seeding.np_random(seed)
        self.begin(seed, self._rng, together=True)
        self.agents = list(self.possible_agents)
        self._said = dict.fromkeys(self.possible_agents, 0)
        self.show()
        infos = {name: self._info(name) for name in self.agents}
        return self._observations(), infos

    def step(
        self, actions: dict[str, Actions]
    ) -> tuple[
        dict[str, Floats32],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Make all calls in order, and let an interval pass."""
        session = self.session
        interval = session.environment.backend.interval
        answers: dict[str, dict[str, Any]] = {}
        for name in self.agents:
            if name in actions:
                *choice, word = (int(a) for a in actions[name])
                self._said[name] = word
                answers[name] = self._call(name, choice)
        reward = float(session.end_step(interval))
        self.show()
        playing = self.agents
        observations = self._observations()
        infos = {name: self._info(name) | answers.get(name, {}) for name in playing}
        terminated, truncated = session.terminated, session.truncated
        if terminated or truncated:
            self.agents = []
        return (
            observations,
            dict.fromkeys(playing, reward),
            dict.fromkeys(playing, terminated),
            dict.fromkeys(playing, truncated),
            infos,
        )

    def action_masks(self, agent: str) -> NDArray[np.bool_]:
        """Which choices of an agent make sense now, all dimensions one after the other."""
        return np.concatenate(self._masks(agent)).astype(bool)

    def _call(self, name: str, choice: list[int]) -> dict[str, Any]:
        session, scope = self.session, self.scopes[name]
        call = self.actions[name].call(choice, session.view(scope))
        if call is None:
            return {"tool": "", "ok": True}
        answer = session.call(call, name, scope)
        return {"tool": call[0], "arguments": call[1], "ok": answer.ok, "answer": answer.content}

    def _observations(self) -> dict[str, Floats32]:
        seen = self.session.observation()
        words = np.eye(WORDS, dtype=np.float32)[list(self._said.values())].ravel()
        return {
            name: np.append(np.where(self._seen[name], seen, np.float32(UNKNOWN)), words)
            for name in self.agents
        }

    def _masks(self, agent: str) -> list[NDArray[np.int8]]:
        own = self.actions[agent].masks(self.session.view(self.scopes[agent]))
        return [mask.astype(np.int8) for mask in (*own, np.ones(WORDS))]

    def _info(self, agent: str) -> dict[str, Any]:
        words = {name: word for name, word in self._said.items() if word}
        mask = tuple(self._masks(agent))
        return self.session.info() | {"action_mask": mask, "words": words}


def cell_scopes(scenario: ScenarioConfig) -> dict[str, Scope]:
    """An agent for each cell, and one for what the cells share.

    Agents of cells have their own cell, all users and all slices: they set their cell and take
    users over. The agent `core` has slices, users, transport and edge.
    """
    shared = {*scenario.ue_ids, *(s.name for s in scenario.slices)}
    core = {
        *(link.name for link in scenario.links),
        *scenario.anchors[1:],
        *(a.name for a in (scenario.edge.applications if scenario.edge else ())),
    }
    found = {cell: Scope(elements=frozenset({cell, *shared})) for cell in scenario.cell_ids}
    return found | {CORE_AGENT: Scope(elements=frozenset(core | shared))}


def parallel_env(**arguments: Any) -> ToolParallelEnv:
    """The environment in which all agents act at once; arguments are those of `ToolParallelEnv`."""
    return ToolParallelEnv(**arguments)


def env(**arguments: Any) -> AECEnv[str, Any, Any]:
    """The environment in which agents act in turn; arguments are those of `ToolParallelEnv`."""
    return OrderEnforcingWrapper(parallel_to_aec(ToolParallelEnv(**arguments)))
