# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

from env.gym.multi_agent import WORDS, ToolParallelEnv, env, parallel_env
from env.view import Scope

pytestmark = pytest.mark.filterwarnings(
    "ignore:(?s).*(Action space|Observation|agents to be named)"
)
POWER = "set_cell_tx_power(cell, tx_power_dbm)"


def test_pettingzoo_accepts_it() -> None:
    parallel_api_test(parallel_env(steps=5), num_cycles=8)
    api_test(env(steps=4), num_cycles=10)


def test_pettingzoo_finds_it_seeded() -> None:
    parallel_seed_test(lambda: parallel_env(steps=4), num_cycles=5)
    seed_test(lambda: env(steps=3), num_cycles=8)


def action(game: ToolParallelEnv, agent: str, label: str, word: int = 0, **chosen: int) -> Any:
    given = {"tool": game.actions[agent].labels.index(label), **chosen}
    return np.array([*(given.get(n, 0) for n in game.actions[agent].dimensions), word])


def holds(game: ToolParallelEnv) -> dict[str, NDArray[np.int64]]:
    return {agent: action(game, agent, "hold") for agent in game.agents}


def test_all_act_in_one_interval() -> None:
    game = ToolParallelEnv()
    _, infos = game.reset(seed=1)
    before = infos["c0"]["interval"]
    cells = ("c0", "c1", "c2")
    acts = {cell: action(game, cell, POWER, value_0=i) for i, cell in enumerate(cells)}
    _, rewards, _, _, infos = game.step(holds(game) | acts)
    controls = game.session.environment.backend.controls
    assert [controls.cells[c].tx_power_dbm for c in cells] == [26.0, 27.5, 29.0]
    assert infos["c0"]["interval"] == before + 1
    assert len(set(rewards.values())) == 1
    events = game.session.environment.events
    assert [event.agent for event in events] == [*cells, ""]


def test_later_agents_meet_what_earlier_ones_did() -> None:
    everything = {"first": Scope(), "second": Scope()}
    game = ToolParallelEnv(agents=everything)
    game.reset(seed=1)
    change = action(game, "first", POWER, value_0=1)
    undo = action(game, "second", "rollback_change(change_id)")
    *_, infos = game.step({"first": change, "second": undo})
    assert infos["first"]["ok"]
    assert infos["second"]["ok"]
    assert game.session.environment.backend.controls.cells["c0"].tx_power_dbm == 38
    game.reset(seed=1)
    reversed_ = ToolParallelEnv(agents=dict(reversed(everything.items())))
    reversed_.reset(seed=1)
    *_, infos = reversed_.step({"first": change, "second": undo})
    assert not infos["second"]["ok"]


def test_an_agent_undoes_nothing_out_of_its_scope() -> None:
    game = ToolParallelEnv()
    game.reset(seed=1)
    game.step(holds(game) | {"c0": action(game, "c0", POWER, value_0=1)})
    label = "rollback_change(change_id)"
    views = {agent: game.session.view(scope) for agent, scope in game.scopes.items()}
    offered = {
        agent: game.actions[agent].masks(view)[0][game.actions[agent].labels.index(label)]
        for agent, view in views.items()
    }
    assert offered == {"c0": True, "c1": False, "c2": False, "core": False}
    _, _, _, _, infos = game.step(holds(game) | {"c1": action(game, "c1", label)})
    assert not infos["c1"]["ok"]
    answer = game.session.call(("rollback_change", {"change_id": "c1"}), "c1", game.scopes["c1"])
    assert answer.content["code"] == "no_such_element"
    assert game.session.environment.backend.controls.cells["c0"].tx_power_dbm == 27.5
    _, _, _, _, infos = game.step(holds(game) | {"c0": action(game, "c0", label)})
    assert infos["c0"]["ok"]
    assert game.session.environment.backend.controls.cells["c0"].tx_power_dbm == 38


def test_scope_bounds_what_is_seen_and_done() -> None:
    game = ToolParallelEnv()
    seen, _ = game.reset(seed=1)
    names = game.session._observer.names
    for agent in ("c0", "c1"):
        other = "c1" if agent == "c0" else "c0"
        mine = [i for i, n in enumerate(names) if n.split(".")[1] == agent]
        theirs = [i for i, n in enumerate(names) if n.split(".")[1] == other]
        assert (seen[agent][mine] != -1).mean() > 0.8
        assert (seen[agent][theirs] == -1).all()
    assert game.actions["c1"].dimensions["cell"] == 1
    assert not any("cell" in label for label in game.actions["core"].labels)
    rng = np.random.default_rng(0)
    for _ in range(8):
        acts = {a: rng.integers(game.action_space(a).nvec) for a in game.agents}
        *_, infos = game.step(acts)
        for agent, info in infos.items():
            if info["tool"] and agent != "core":
                named = {v for v in info["arguments"].values() if isinstance(v, str)}
                assert not named & ({"c0", "c1", "c2"} - {agent})


def test_words_are_heard_by_all_in_the_next_step() -> None:
    game = ToolParallelEnv()
    seen, _ = game.reset(seed=1)
    acts = holds(game)
    acts["c1"] = action(game, "c1", "hold", word=5)
    heard, *_, infos = game.step(acts)
    at = -len(game.possible_agents) * WORDS
    said = heard["c0"][at:].reshape(-1, WORDS).argmax(1)
    assert said.tolist() == [0, 5, 0, 0]
    assert infos["core"]["words"] == {"c1": 5}
    assert (seen["c0"][at:].reshape(-1, WORDS).argmax(1) == 0).all()


def test_team_reaches_a_goal_and_ends_together(make_power_task: Any) -> None:
    game = ToolParallelEnv(task=make_power_task())
    game.reset(seed=1)
    assert game.actions["core"].labels == ["hold", "rollback_change(change_id)"]
    acts = holds(game) | {"c0": action(game, "c0", POWER, value_0=0)}
    _, rewards, terminated, truncated, _ = game.step(acts)
    assert all(terminated.values())
    assert not any(truncated.values())
    assert set(rewards.values()) == {2.0}
    assert game.agents == []


def test_masks_are_those_of_each_dimension() -> None:
    game = ToolParallelEnv()
    _, infos = game.reset(seed=1)
    for agent, info in infos.items():
        space = game.action_space(agent)
        space.seed(0)
        assert [len(m) for m in info["action_mask"]] == space.nvec.tolist()
        rollback = game.actions[agent].labels.index("rollback_change(change_id)")
        picks = {int(space.sample(info["action_mask"])[0]) for _ in range(60)}
        assert rollback not in picks
        assert len(picks) > 3
