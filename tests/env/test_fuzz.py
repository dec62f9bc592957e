# SPDX-License-Identifier: Apache-2.0
"""Random, malformed and adversarial calls of every tool: answered, and nothing changes on error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from env.backends.surrogate import SurrogateBackend
from env.environment import Environment
from env.tools import TOOLS
from ns3_scenarios.library import load_scenario

SLOW = {"select_recovery_strategy", "evaluate_intent_feasibility"}
"""Play hundreds of futures; `tests/env/tools/reasoning` throws wrong arguments at them."""
NAMES = st.sampled_from(
    ["c0", "c1", "u0", "u5", "embb", "urllc", "trunk", "mec", "cloud", "vision", "s0", "core",
     "__class__", "../../etc/passwd", "c0; rm -rf /", "", "c" * 5000, "\x00", "🛰", "none"]
)  # fmt: skip
SCALARS = st.one_of(
    NAMES,
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=True, allow_infinity=True),
    st.booleans(),
    st.none(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    with Environment(SurrogateBackend(load_scenario("quickstart"), 1), max_calls=10**9) as found:
        yield found


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that look like what a schema asks for, or anything."""
    if "anyOf" in schema:
        return st.one_of([fitting(one) for one in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "number":
            low, high = schema.get("minimum", -1e6), schema.get("maximum", 1e6)
            return st.floats(low, high) | st.sampled_from([low, high, low - 1e-3, high + 1e-3])
        case "integer":
            return st.integers(schema.get("minimum", -5), min(schema.get("maximum", 5), 5))
        case "string":
            return NAMES
        case "boolean":
            return st.booleans()
        case _:
            return VALUES


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, Any]:
    name = draw(st.sampled_from([n for n in TOOLS if n not in SLOW]))
    properties = TOOLS[name].schema["properties"]
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(NAMES), draw(VALUES)
    if kind == 1:
        return name, draw(VALUES)
    arguments = {
        argument: draw(VALUES if draw(st.integers(0, 9)) == 0 else fitting(schema))
        for argument, schema in properties.items()
        if draw(st.integers(0, 4))
    }
    if kind == 2:
        arguments[draw(NAMES)] = draw(VALUES)
    return name, arguments


@settings(
    max_examples=1500,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(call=calls())
def test_any_call_is_answered_and_errors_change_nothing(
    environment: Environment, call: tuple[str, Any]
) -> None:
    name, arguments = call
    backend = environment.backend
    before = backend.state_hash(), backend.interval, len(environment.changes)
    answer = environment.call(name, arguments)
    after = backend.state_hash(), backend.interval, len(environment.changes)
    tool = TOOLS.get(name)
    if not answer.ok:
        assert after == before
        assert answer.content["message"]
        assert len(answer.content["message"]) < 1000
    elif tool and tool.read_only:
        assert after == before
    else:
        assert after[1:] == (before[1] + 1, before[2] + 1)
