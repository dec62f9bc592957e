# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from env.backends.base import BackendName
from env.backends.making import make_backend
from env.environment import Environment
from ns3_scenarios.library import load_scenario, parse_model
from ns3_scenarios.scenario import ScenarioConfig

Network = Callable[[BackendName, str], Environment]


def _scenario(name: str) -> ScenarioConfig:
    """A packaged scenario; in `cut` the trunk of `quickstart` is, and `bare` is but its radio."""
    if name == "bare":
        update = {"transport": None, "edge": None}
        return load_scenario("quickstart").model_copy(update=update)
    if name != "cut":
        return load_scenario(name)
    data = load_scenario("quickstart").model_dump(mode="json")
    data["faults"] = [{"kind": "link_cut", "link": "trunk", "start_s": 0.1, "duration_s": 3}]
    return parse_model(ScenarioConfig, data, "cut")


@pytest.fixture(scope="session")
def fresh() -> Callable[[BackendName, str], Environment]:
    """Opens an episode, for the caller to close."""
    return lambda backend, name: Environment(
        make_backend(backend, _scenario(name)), max_calls=10**6
    )


@pytest.fixture(scope="session")
def network(fresh: Network) -> Iterator[Network]:
    """Episodes that tests share, as none of them changes anything."""
    opened: dict[tuple[BackendName, str], Environment] = {}
    with ExitStack() as stack:

        def opening(backend: BackendName, name: str) -> Environment:
            if (backend, name) not in opened:
                opened[backend, name] = stack.enter_context(fresh(backend, name))
            return opened[backend, name]

        yield opening


@pytest.fixture(scope="session")
def ask() -> Callable[..., Any]:
    """Calls a tool that must answer, and leave the network as it was."""

    def asking(environment: Environment, tool: str, **arguments: Any) -> Any:
        before = environment.backend.state_hash(), environment.backend.interval
        answer = environment.call(tool, arguments)
        assert answer.ok, answer.content
        assert (environment.backend.state_hash(), environment.backend.interval) == before
        return answer.content

    return asking


@pytest.fixture(scope="session")
def refused() -> Callable[..., Any]:
    """Calls a tool that must refuse; what it answers then."""

    def asking(environment: Environment, tool: str, **arguments: Any) -> Any:
        answer = environment.call(tool, arguments)
        assert not answer.ok, answer.content
        return answer.content

    return asking
