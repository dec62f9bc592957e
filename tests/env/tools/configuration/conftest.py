# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from env.backends.ns3 import Ns3Backend
from env.environment import Environment
from ns3_scenarios.library import load_scenario
from ns3_scenarios.scenario import ScenarioConfig


def _scenario(name: str) -> ScenarioConfig:
    """A packaged scenario; `bare` has two carriers, and nothing behind the radio."""
    if name != "bare":
        return load_scenario(name)
    quickstart = load_scenario("quickstart")
    (carrier,) = quickstart.carriers
    second = carrier.model_copy(update={"frequency_ghz": 2.6})
    update = {"carriers": (carrier, second), "transport": None, "edge": None}
    return quickstart.model_copy(update=update)


@pytest.fixture(scope="module")
def network() -> Iterator[Callable[[str], Environment]]:
    """Episodes on live NS-3 by scenario, which the tests of a module share."""
    opened: dict[str, Environment] = {}
    with ExitStack() as stack:

        def opening(name: str) -> Environment:
            if name not in opened:
                backend = Ns3Backend(_scenario(name), 1)
                opened[name] = stack.enter_context(Environment(backend, max_calls=10**6))
            return opened[name]

        yield opening
