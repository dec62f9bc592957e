# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator

import pytest

from env.backends.ns3 import Ns3Backend
from env.environment import Environment
from ns3_scenarios.library import load_scenario


@pytest.fixture
def live() -> Iterator[Environment]:
    """An episode in `quickstart` on live NS-3."""
    with Environment(Ns3Backend(load_scenario("quickstart"), 1)) as environment:
        yield environment
