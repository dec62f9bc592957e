# SPDX-License-Identifier: Apache-2.0
"""What episodes cost: a tool call, a step of many networks at once, a step on live NS-3.

python benchmarks/environment.py [--only NAME ...] [--json]

The part `vector` compares with mobile-env's small scenario where that is installed
(`pip install mobile-env`).
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # all figures are of one core

import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from report import Line, run_parts

from env.backends.making import make_backend
from env.environment import Environment
from env.gym.actions import ToolActions
from env.gym.tool_env import ToolEnv
from env.gym.vector_env import ControlVectorEnv
from env.tools import TOOLS, Tool
from ns3_scenarios.library import load_scenario
from ns3_scenarios.live import LiveSimulation

Clock = Callable[[], float]
SCENARIO = "quickstart"
CALLS = 12
COPIES = 2048
LIVE_INTERVALS = 40
GOAL = [
    {
        "kind": "kpi", "table": "network", "kpi": "latency_ms", "slice": "embb",
        "comparison": "<=", "value": 50.0,
    }
]  # fmt: skip
ARGUMENTS: dict[str, Any] = {
    "cell": "c0",
    "slice": "embb",
    "ue": "u0",
    "link": "trunk",
    "site": "cloud",
    "application": "vision",
    "intent": GOAL,
    "changes": [{"tool": "set_cell_tx_power", "arguments": {"cell": "c0", "tx_power_dbm": 35}}],
    "from": "s0",
    "to": "core",
}
"""Of read-only calls, where a tool needs them."""
MORE = {"forecast_traffic": {"cell": "c0"}, "compute_energy_budget": {"cells": ["c0"]}}
"""What else some tools need."""


def in_turn(
    calls: dict[str, Callable[[], object]], n: int, clock: Clock = time.process_time
) -> dict[str, list[float]]:
    """Seconds of each call, n times, in rounds so that a disturbance meets all alike.

    What runs in this process alone is measured in its processor time, one thread, which others on
    the machine disturb less.
    """
    found: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(n + 1):
        for name, call in calls.items():
            begin = clock()
            call()
            if number:
                found[name].append(clock() - begin)
    return found


def needed(tool: Tool) -> dict[str, Any]:
    required = {name: ARGUMENTS.get(name) for name in tool.schema.get("required", ())}
    return required | MORE.get(tool.name, {})


def measure_calls() -> list[Line]:
    """Calls with validation on the surrogate; those that configure with and without an interval."""
    lines = []
    environment = Environment(make_backend("surrogate", SCENARIO, seed=1))
    for _ in range(3):
        environment.run_on(1)
    for effect in ("observation", "reasoning"):
        calls, left_out = {}, []
        for tool in TOOLS.values():
            if tool.effect != effect:
                continue
            arguments = needed(tool)
            if environment.call(tool.name, arguments).ok:
                calls[tool.name] = lambda t=tool.name, a=arguments: environment.call(t, a)
            else:
                left_out.append(tool.name)
        if left_out:
            print(f"not measured, for want of arguments: {', '.join(left_out)}", file=sys.stderr)
        seconds = in_turn(calls, CALLS)
        every = [s * 1e3 for own in seconds.values() for s in own]
        if every:
            slowest = max(seconds, key=lambda name: statistics.median(seconds[name]))
            fastest = min(seconds, key=lambda name: statistics.median(seconds[name]))
            least, most = (statistics.median(seconds[n]) * 1e3 for n in (fastest, slowest))
            lines += [
                Line(f"{effect}, {len(calls)} tools", statistics.median(every), "ms", at_most=2),
                Line(f"{effect}, the fastest: {fastest}", least, "ms"),
                Line(f"{effect}, the slowest: {slowest}", most, "ms"),
            ]
    rng = np.random.default_rng(1)
    for advance, what in ((0, "without the interval"), (1, "with its interval")):
        environment.advance = advance
        actions = ToolActions(environment.backend.scenario)
        every = []
        while len(every) < 5 * CALLS:
            chosen = [rng.choice(np.flatnonzero(m)) for m in actions.masks(environment.view())]
            call = actions.call(chosen, environment.view())
            if call:
                begin = time.process_time()
                answer = environment.call(*call)
                if answer.ok:
                    every.append((time.process_time() - begin) * 1e3)
        target = 2 if advance == 0 else None
        name = f"configuration, {what}"
        lines.append(Line(name, statistics.median(every), "ms", at_most=target))
    return lines


def measure_vector() -> list[Line]:
    """Network steps a second, beside the bare roll-out and mobile-env, in turns."""
    env = ControlVectorEnv(COPIES, SCENARIO, steps=10**6)
    env.reset(seed=1)
    action = env.action_space.sample()
    env.step(action)
    roll = env._roll
    assert roll is not None
    moment = roll.moment
    bare = roll.copies(1, np.random.default_rng(0))

    def whole() -> None:
        env.step(action)

    def model_only() -> None:
        bare.step(moment.controls, moment.outside)

    calls: dict[str, Callable[[], object]] = {"whole": whole, "model": model_only}
    small = mobile_env_steps()
    if small:
        calls["mobile-env"] = small
    seconds = in_turn(calls, 7)
    rate = COPIES / statistics.median(seconds["whole"])
    share = statistics.median(
        a / b for a, b in zip(seconds["model"], seconds["whole"], strict=True)
    )
    lines = [
        Line(f"vector environment, {COPIES} x {SCENARIO}", rate, "steps/s", at_least=20_000),
        Line("of which the model's roll-out takes", 100 * share, "%"),
    ]
    if small:
        theirs = MOBILE_STEPS / statistics.median(seconds["mobile-env"])
        lines += [
            Line("mobile-env, mobile-small-central-v0", theirs, "steps/s"),
            Line("times mobile-env", rate / theirs, "", at_least=50),
        ]
    else:
        print("mobile-env is not installed, so that nothing is compared with it", file=sys.stderr)
    return lines


MOBILE_STEPS = 200


def mobile_env_steps() -> Callable[[], object] | None:
    """Runs some steps of mobile-env's small scenario, if it is installed."""
    if find_spec("mobile_env") is None or find_spec("pygame") is None:
        return None
    import gymnasium
    import mobile_env  # noqa: F401

    env = gymnasium.make("mobile-small-central-v0")
    env.reset(seed=1)
    env.action_space.seed(1)

    def steps() -> None:
        for _ in range(MOBILE_STEPS):
            *_, terminated, truncated, _ = env.step(env.action_space.sample())
            if terminated or truncated:
                env.reset()

    return steps


def measure_live() -> list[Line]:
    """Steps of the tool environment on live NS-3 over those of the bare simulation, in turns."""
    env = ToolEnv(SCENARIO, backend="ns3", steps=10**6)
    env.reset(seed=1)
    hold = np.zeros(len(env.actions.dimensions), int)
    with LiveSimulation(load_scenario(SCENARIO), seed=1) as live:
        live.advance(2)
        seconds = in_turn(
            {"env": lambda: env.step(hold), "bare": lambda: live.advance(1)},
            LIVE_INTERVALS,
            time.perf_counter,
        )
    env.close()
    # Both simulate the same intervals of the same network.
    speed = 100 * statistics.median(
        b / e for e, b in zip(seconds["env"], seconds["bare"], strict=True)
    )
    return [
        Line("bare live NS-3, an interval", statistics.median(seconds["bare"]) * 1e3, "ms"),
        Line("environment on live NS-3, a step", statistics.median(seconds["env"]) * 1e3, "ms"),
        Line("speed of the environment over bare NS-3", speed, "%", at_least=90),
    ]


PARTS = {"calls": measure_calls, "vector": measure_vector, "live": measure_live}

if __name__ == "__main__":
    sys.exit(run_parts("Environment", __doc__, PARTS))
