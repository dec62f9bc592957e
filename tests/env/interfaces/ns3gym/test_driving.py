# SPDX-License-Identifier: Apache-2.0
"""`Ns3GymEnv` on a simulation that knows the protocol from its description alone."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from env.errors import BackendError, EnvUserError
from env.interfaces.ns3gym.driving import Ns3GymEnv

SIXG = Path(__file__).resolve().parents[4] / "sixg.py"
SIMULATION = Path(__file__).parent / "simulation.py"
FIVE = (np.array([5.0], np.float32), (0,))
FLOOD = (np.array([0.0], np.float32), (2,))


def command(mode: str) -> list[str]:
    return [sys.executable, str(SIMULATION), mode]


def test_episode_runs_to_the_end_of_the_simulation() -> None:
    with Ns3GymEnv(command("ok"), seed=3) as env:
        assert env.observation_space == spaces.Dict(
            seen=spaces.Box(0, 20, (2, 2), np.float32), count=spaces.Discrete(21)
        )
        assert env.action_space == spaces.Tuple(
            [spaces.Box(0, 10, (1,), np.float32), spaces.Tuple([spaces.Discrete(3)])]
        )
        with pytest.raises(ResetNeeded):
            env.step(FIVE)
        observation, info = env.reset()
        assert info == {"info": "queue=5", "sim_seed": 3}
        np.testing.assert_array_equal(observation["seen"], [[5, 0], [5, 0]])
        empty = (np.array([10.0], np.float32), (0,))
        for step in range(1, 6):
            observation, reward, terminated, truncated, info = env.step(empty)
            assert env.observation_space.contains(observation)
            assert reward == -observation["count"]
            assert observation["count"] == observation["seen"][0, 1]  # all others were let go
            assert (terminated, truncated) == (False, step == 5)
        with pytest.raises(ResetNeeded):
            env.step(empty)


def test_game_over_terminates() -> None:
    with Ns3GymEnv(command("ok")) as env:
        env.reset()
        for _ in range(2):
            _, _, terminated, truncated, _ = env.step(FLOOD)
            if terminated:
                break
        assert (terminated, truncated) == (True, False)


def test_seeds_reach_the_simulation() -> None:
    def arrivals(env: Ns3GymEnv, seed: int | None) -> list[int]:
        env.reset(seed=seed)
        return [int(env.step(FIVE)[0]["seen"][0, 1]) for _ in range(3)]

    with Ns3GymEnv(command("ok")) as env:
        one, unseeded = arrivals(env, 1), arrivals(env, None)
        assert arrivals(env, 1) == one
        assert arrivals(env, None) == unseeded
        assert arrivals(env, 2) != one
        assert len({tuple(arrivals(env, seed)) for seed in (0, 1, 2)}) == 3


def test_gymnasium_accepts_it() -> None:
    with Ns3GymEnv(command("ok")) as env:
        check_env(env, skip_render_check=True)


def test_command_may_say_where_port_and_seed_go() -> None:
    python = f"{sys.executable} {SIMULATION} ok --openGymPort={{port}} --simSeed={{seed}}"
    with Ns3GymEnv(["sh", "-c", f"{python}; true"], seed=7) as env:
        assert env.reset()[1]["sim_seed"] == 7


def test_it_drives_what_we_serve(compiled: None) -> None:
    """Both ends are ours, each in a process of its own."""
    served = ["serve", "ns3gym", "quickstart", "--port", "{port}", "--seed", "{seed}"]
    with Ns3GymEnv([sys.executable, str(SIXG), *served, "--max-intervals", "3"], seed=4) as env:
        observation, info = env.reset()
        assert isinstance(env.action_space, spaces.Box)
        assert json.loads(info["info"])["seed"] == 4
        n = len(env.action_space.sample())
        for step in range(1, 4):
            assert env.observation_space.contains(observation)
            observation, reward, terminated, truncated, info = env.step(observation[-n:])
            assert 0 <= reward <= 1
            assert json.loads(info["info"])["error"] == ""
            assert (terminated, truncated) == (False, step == 3)


def test_action_outside_the_space_is_not_sent() -> None:
    with Ns3GymEnv(command("ok")) as env:
        env.reset()
        for action in ((np.array([11.0], np.float32), (0,)), 3, (np.zeros(2, np.float32), (0,))):
            with pytest.raises(EnvUserError, match="is not allowed"):
                env.step(action)
        observation, *_ = env.step(FIVE)
        assert observation["count"] == observation["seen"][0, 1]


def test_simulations_that_others_start(run: Callable[..., Any], by_hand: Any) -> None:
    agent = by_hand.Agent()  # to find a free port
    port = agent.port
    agent.close()
    first = run(SIMULATION, "ok", f"--openGymPort={port}", "--simSeed=1")
    with Ns3GymEnv(port=port) as env:
        env.reset()
        while not env.step(FIVE)[3]:
            pass
        assert first.wait(10) == 0
        second = run(SIMULATION, "ok", f"--openGymPort={port}", "--simSeed=2")
        assert env.reset(seed=9)[1] == {"info": "queue=5", "sim_seed": None}
        env.step(FIVE)
    assert second.wait(10) == 0  # told to stop


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("crash at once", "exit status 1; it said: no such topology"),
        ("garbage", "50 bytes are no SimInitMsg"),
        ("huge", "messages of more than the 1048576 bytes that are allowed"),
        ("vast", r"a box of shape \(65536, 65536\) is too large"),
        ("wrong order", "are no EnvStateMsg|stands where"),
        ("silent", "no simulation at tcp://127.0.0.1:[0-9]+ has sent SimInitMsg within 2 s"),
    ],
)
def test_simulation_that_does_not_begin_is_one_sentence(
    mode: str, said: str, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    started = time.monotonic()
    with pytest.raises(BackendError, match=said) as raised:
        Ns3GymEnv(
            [*command(mode), "--openGymPort={port}", "--simSeed={seed}", f"--told={told}"],
            start_s=2,
        )
    assert str(raised.value).count("\n") == 0
    assert time.monotonic() - started < 10
    if mode == "silent":
        assert not Path(f"/proc/{told.read_text()}/cmdline").read_bytes()  # with its child


@pytest.mark.parametrize(
    ("mode", "said"), [("killed", "exit status -9"), ("hung", "has sent EnvStateMsg within 1 s")]
)
def test_simulation_lost_in_mid_episode_is_one_sentence(mode: str, said: str) -> None:
    env = Ns3GymEnv(command(mode), step_s=1)
    env.reset()
    env.step(FIVE)
    with pytest.raises(BackendError, match=said):
        env.step(FIVE)
    with pytest.raises(ResetNeeded):
        env.step(FIVE)
    env.close()


def test_forgotten_environment_leaves_no_process(run: Callable[..., Any]) -> None:
    """Though its simulation waits for an answer."""
    code = f"""
from env.interfaces.ns3gym.driving import Ns3GymEnv
env = Ns3GymEnv({command("ok")!r})
print(env._process._process.pid)
"""
    ended = run("-c", code)
    pid, _ = ended.communicate(timeout=30)
    assert ended.returncode == 0
    for _ in range(50):
        if not Path(f"/proc/{pid.strip()}").exists():
            return
        time.sleep(0.1)
    pytest.fail("the simulation still runs")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "port=0 is not allowed"),
        ({"command": ["/no/such/program"]}, "/no/such/program cannot be started"),
        ({"port": 5555, "host": "no such host"}, "cannot be used"),
    ],
)
def test_users_mistake_is_one_sentence(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(EnvUserError, match=said):
        Ns3GymEnv(**arguments)
