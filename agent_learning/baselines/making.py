# SPDX-License-Identifier: Apache-2.0
"""Baselines by name: `make_baseline`."""

from __future__ import annotations

from agent_learning.errors import BenchUserError
from env.agents import AGENTS, REFERENCE, SCRIPT, Agent, Hold, make_agent
from env.tasks import Task

NAMES = ("noop", "threshold", "mapek", "planner", "ppo:FOLDER")
MODELS = ("openai:MODEL@URL", "openai:FILE.yaml", "hf:PATH")


def make_baseline(name: str, task: Task) -> Agent:
    """An agent by its name.

    `noop` does nothing, `threshold` is `rules` of `env.agents`, `mapek` acts by written rules,
    `planner` searches on an Experiment Model, `ppo:FOLDER` plays a trained policy, `openai:` and
    `hf:` ask a language model, and all agents of `env.agents.make_agent` are there as well.

    Args:
        name: of the agent.
        task: that it plays.

    Raises:
        BenchUserError: there is no such agent, or it cannot be made.
        EnvUserError: an agent of `env.agents` cannot be made.
    """
    kind, _, rest = name.partition(":")
    match kind:
        case "noop" if not rest:
            return _named(Hold(), name)
        case "threshold" if not rest:
            return _named(make_agent("rules"), name)
        case "mapek" if not rest:
            from agent_learning.baselines.mapek import MapeK

            return MapeK()
        case "planner" if not rest:
            from agent_learning.baselines.planner import Planner

            return Planner(task)
        case "ppo" if rest:
            return _ppo(rest, task)
        case "openai" | "hf" if rest:
            return _language_model(name, kind, rest)
        case _ if kind in (*AGENTS, REFERENCE) or name.startswith(SCRIPT):
            return make_agent(name, task)
    known = [*NAMES, *MODELS, *AGENTS, REFERENCE, f"{REFERENCE}:SHARE", f"{SCRIPT}FILE"]
    raise BenchUserError(f"agent={name!r} is not allowed; it must be one of {', '.join(known)}")


def _named(agent: Agent, name: str) -> Agent:
    agent.name = name
    return agent


def _ppo(folder: str, task: Task) -> Agent:
    try:
        from agent_learning.baselines.masked_ppo.agent import PpoAgent
    except ImportError:
        raise BenchUserError(
            "trained policies need gymnasium; install sixg-agent-gym[gym]"
        ) from None
    return PpoAgent(folder, task)


def _language_model(name: str, kind: str, rest: str) -> Agent:
    from agent_learning.baselines.language_model.agent import LanguageModelAgent
    from agent_learning.baselines.language_model.chat import ChatModel
    from agent_learning.baselines.language_model.settings import ModelSettings

    settings = ModelSettings.of(rest)
    model: ChatModel
    if kind == "openai":
        from agent_learning.baselines.language_model.endpoint import EndpointChat

        model = EndpointChat(settings)
    else:
        from agent_learning.baselines.language_model.local import load_local

        model = load_local(settings)
    return LanguageModelAgent(name, model, settings)
