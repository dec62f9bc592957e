# SPDX-License-Identifier: Apache-2.0
"""`sixg serve ns3gym` with an agent that knows the protocol from its description alone."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen
from types import ModuleType
from typing import Any

import pytest
import yaml

from env.backends.making import make_backend
from env.episodes import read_logs
from env.errors import EnvUserError
from env.interfaces.ns3gym.serving import Limits
from env.playing import play_again

Run = Callable[..., Popen[str]]
TASK: dict[str, Any] = {
    "name": "quieter",
    "intent": "Let cell c0 send with 30 dBm or less.",
    "scenario": "quickstart",
    "goal": [
        {"kind": "control", "path": "cells.c0.tx_power_dbm", "comparison": "<=", "value": 30.0}
    ],
    "constraints": [
        {"kind": "control", "path": "cells.c1.tx_power_dbm", "comparison": ">=", "value": 30.0}
    ],
    "tools": ["get_cell_config", "set_cell_tx_power"],
}


@pytest.fixture
def own_agent(by_hand: ModuleType) -> Iterator[Any]:
    """Of a server that is still to be started."""
    found = by_hand.Agent()
    yield found
    found.close()


def finished(process: Popen[str]) -> tuple[str, str]:
    out, err = process.communicate(timeout=60)
    return out, err


def test_agent_plays_live_ns3_to_the_end(run: Run, serve: Run, by_hand: ModuleType) -> None:
    """Two episodes, each process by itself; the second has the next seed."""
    agent = run(by_hand.__file__, 2, -1.0)
    assert agent.stdout is not None
    port = agent.stdout.readline().strip()
    server = serve(
        "quickstart", "--backend", "ns3", "--port", port, "--max-intervals", 4,
        "--max-episodes", 2, "--seed", 7,
    )  # fmt: skip
    out, err = finished(agent)
    assert agent.returncode == 0, err
    _, said = finished(server)
    assert (server.returncode, said.count("is over: all 4 intervals have passed")) == (0, 2), said
    states = [json.loads(line) for line in out.splitlines()]
    assert [s["episode"] for s in states] == [0] * 5 + [1] * 5
    for number in (0, 1):
        states_of = [s for s in states if s["episode"] == number]
        assert [s["info"]["interval"] for s in states_of] == [2, 3, 4, 5, 6]
        assert [s["over"] for s in states_of] == [0, 0, 0, 0, 1]
        assert states_of[-1]["reason"] == 0  # the end of the simulation, not of the game
        about = states_of[0]["info"]
        assert (about["seed"], about["backend"]) == (7 + number, "ns3")
        names = about["observations"]
        assert all(len(s["observation"]) == len(names) for s in states_of)
        power = names.index("cells.c0.tx_power_dbm")
        assert states_of[0]["observation"][power] == pytest.approx(0.8)
        assert all(s["observation"][power] == 0 for s in states_of[1:])
        utilisation = names.index("cell.c0.dl_prb_util_pct")
        assert all(0 < s["observation"][utilisation] <= 1 for s in states_of)
        assert all(-0.5 <= s["reward"] <= 1 for s in states_of)
        assert all(math.isfinite(o) for s in states_of for o in s["observation"])


def test_task_decides_reward_and_end(own_agent: Any, serve: Run, tmp_path: Path) -> None:
    agent = own_agent
    task = tmp_path / "task.yaml"
    task.write_text(yaml.safe_dump(TASK))
    server = serve(
        task, "--port", agent.port, "--max-episodes", 2, "--max-intervals", 9,
        "--out", tmp_path / "kept",
    )  # fmt: skip
    agent.begin()
    assert agent.observation_space[:3] == (-1, 1, 3)
    assert agent.action_space == (-1, 1, 3, (3,))  # only what the task's tools may set
    state = agent.state()
    assert state["info"]["task"] == TASK["intent"]
    assert [a["name"] for a in state["info"]["actions"]] == [
        f"cells.c{n}.tx_power_dbm" for n in range(3)
    ]
    hold = agent.hold(state)
    agent.act(hold)
    state = agent.state()
    assert (state["reward"], state["over"]) == (-1, 0)  # the one predicate is missed
    agent.act([hold[0], -1, hold[2]])
    state = agent.state()
    assert "the task demands cells.c1.tx_power_dbm >= 30" in state["info"]["error"]
    assert state["info"]["interval"] == 3
    agent.act([-1, *hold[1:]])
    state = agent.state()
    assert (state["reward"], state["over"], state["reason"]) == (0, 1, 1)
    assert (state["info"]["status"], state["info"]["over"]) == ("success", "the goal is reached")

    agent.rebind()
    agent.begin()
    agent.state()
    agent.stop()
    _, said = finished(server)
    assert server.returncode == 0
    assert "episode 1 is over: the agent stopped" in said
    first, second = sorted(read_logs(tmp_path / "kept"), key=lambda log: log.header.seed)
    assert first.ending is not None
    assert second.ending is not None
    assert (first.ending.outcome, second.ending.outcome) == ("success", "failure")
    assert (first.ending.intervals, first.ending.changes) == (4, 1)
    again = play_again(lambda: make_backend("surrogate", first.header.scenario, 1), first)
    assert again.outcome == "success"
    assert again.environment.backend.state_hash() == first.calls[-1].state_hash


def test_failure_costs_the_intervals_that_are_left(
    own_agent: Any, serve: Run, tmp_path: Path
) -> None:
    agent = own_agent
    task = tmp_path / "task.yaml"
    constraint = {"kind": "kpi", "table": "network", "kpi": "users", "comparison": "<", "value": 0}
    task.write_text(yaml.safe_dump({**TASK, "constraints": [constraint]}))
    serve(task, "--port", agent.port, "--max-intervals", 9)
    agent.begin()
    agent.act(agent.hold(agent.state()))
    state = agent.state()
    assert (state["reward"], state["over"], state["reason"]) == (-1 - 8, 1, 1)
    assert state["info"]["status"] == "failure"


def test_agent_may_decline(agent: Any, server: Any) -> None:
    agent.socket.recv()
    agent.stop()  # of SimInitAck, the same field
    agent.rebind()
    agent.begin()
    assert agent.state()["info"]["interval"] == 2
    assert server.has_said("is over: the agent wants none")


def test_introduction_is_sent_again_where_it_met_a_closing_agent(agent: Any) -> None:
    agent.socket.recv()
    agent.rebind()
    agent.begin()
    assert agent.state()["info"]["interval"] == 2


def test_agent_that_dies_ends_its_episode_only(
    run: Run, agent: Any, server: Any, by_hand: ModuleType
) -> None:
    agent.close()
    dying = run(by_hand.__file__, 1, -1, server.port)
    assert dying.stdout is not None
    assert int(dying.stdout.readline()) == server.port
    state = json.loads(dying.stdout.readline())
    dying.kill()
    dying.wait()
    agent.bind()
    agent.begin()
    assert agent.state()["info"]["seed"] == state["info"]["seed"] + 1
    assert server.has_said("has gone")


def test_silent_agent_is_waited_for_no_longer_than_allowed(agent: Any, server: Any) -> None:
    agent.begin()
    agent.state()
    assert server.has_said("has sent EnvActMsg within 5 s")


def test_operator_learns_that_no_agent_came(serve: Run) -> None:
    server = serve("quickstart", "--port", 1, "--wait-s", 0.3)
    _, said = finished(server)
    assert server.returncode == 2
    assert said == "no agent at tcp://127.0.0.1:1 began an episode within 0.3 s\n"


def test_impossible_limits_are_refused() -> None:
    with pytest.raises(EnvUserError, match=r"wait_s=0.* must be more than 0 and finite"):
        Limits(wait_s=0)
