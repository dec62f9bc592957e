# SPDX-License-Identifier: Apache-2.0
"""Every packaged task can be read, asks for something, and can be solved."""

from __future__ import annotations

import pytest

from env.agents import make_agent
from env.backends.ns3 import Ns3Backend
from env.playing import play
from env.tasks import Attempt, load_task, task_names

QUICK = ["end_degradation", "leave_slow_trunk", "offload_vision", "protect_urllc", "widen_embb"]
"""Of `quickstart`; `benchmarks/tasks.py` audits all of them."""


def test_there_are_twenty() -> None:
    assert len(task_names()) == 20


@pytest.mark.parametrize("name", task_names())
def test_task_is_whole(name: str) -> None:
    task = load_task(name)
    assert task.name == name
    assert task.reference
    assert len(task.reference) <= task.max_changes
    assert task.intent.endswith(".")


@pytest.mark.parametrize("name", QUICK)
def test_reference_succeeds_on_live_ns3_and_waiting_does_not(name: str) -> None:
    task = load_task(name)

    def make() -> Ns3Backend:
        return Ns3Backend(task.network, 51)

    assert play(make, make_agent("reference", task), task=task).outcome == "success"
    waiting = Attempt(task, make())
    with waiting.environment as environment:
        environment.run_on(len(task.reference) * task.advance)
        assert waiting.status == "running"
