# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sb3_contrib")

from agent_learning.baselines import make_baseline
from agent_learning.baselines.masked_ppo.agent import without_faults
from agent_learning.baselines.masked_ppo.layout import Layout, layout_of
from agent_learning.baselines.masked_ppo.policy import Policy, PolicyCard
from agent_learning.baselines.masked_ppo.training import ManyTasks, train
from agent_learning.errors import BenchUserError
from env.backends.making import make_backend
from env.goals import ControlPredicate
from env.playing import Played, play
from env.tasks import Attempt, Task, load_task
from ns3_scenarios.library import load_scenario

TASKS = [load_task(name) for name in ("end_degradation", "move_vision", "protect_urllc")]


@pytest.fixture(scope="module")
def layout() -> Layout:
    return layout_of(without_faults(load_scenario("quickstart")))


@pytest.fixture
def policy(layout: Layout) -> Policy:
    """With random weights."""
    rng = np.random.default_rng(0)
    sizes = [len(layout.observation_names), 8, sum(layout.actions.dimensions.values())]
    layers = [
        (rng.normal(size=(n_out, n_in)), rng.normal(size=n_out))
        for n_in, n_out in itertools.pairwise(sizes)
    ]
    card = PolicyCard(
        scenario="quickstart",
        observation=layout.observation_names,
        dimensions=layout.actions.dimensions,
        hidden=(8,),
    )
    return Policy(card, tuple(layers))


def _play(folder: Path, task: Task, seed: int = 51) -> Played:
    agent = make_baseline(f"ppo:{folder}", task)
    return play(lambda: make_backend("surrogate", task.network, seed), agent, task=task)


def test_training_learns_what_to_call(tmp_path: Path, layout: Layout) -> None:
    """One right call of a dozen, on one network: the least that learning must do."""
    task = load_task("end_degradation").model_copy(
        update={
            "tools": ("graceful_degradation",),
            "max_changes": 3,
            "advance": 1,
            "lead_intervals": 0,
            "goal": parse_goal({"path": "slices.embb.degradation", "value": "none"}),
            "hold_intervals": 1,
        }
    )
    settings = {"n_steps": 64, "batch_size": 32, "learning_rate": 1e-2, "n_epochs": 10}
    policy = train([task], 448, seeds=[51], settings=settings)
    policy.save(tmp_path)
    attempt = Attempt(task, make_backend("surrogate", task.network, 52))
    view = attempt.environment.view(task.scope)
    seen = layout.observation(task, view, layout.start(task, view))
    call = layout.call(Policy.load(tmp_path).choose(seen, layout.masks(view)), view)
    assert call == ("graceful_degradation", {"slice": "embb", "level": "none"})
    assert policy.card.steps == 448
    assert _play(tmp_path, task, 52).environment.events


def parse_goal(wanted: dict[str, str]) -> tuple[ControlPredicate, ...]:
    """That a control has a value."""
    return (ControlPredicate.model_validate({"kind": "control", "comparison": "=="} | wanted),)


def test_numpy_says_what_torch_says(tmp_path: Path) -> None:
    import torch
    from sb3_contrib import MaskablePPO

    env = ManyTasks(TASKS[:1], [51])
    model = MaskablePPO("MlpPolicy", env, n_steps=8, batch_size=8, device="cpu", seed=1)
    seen, _ = env.reset(seed=1)
    pi = model.policy.mlp_extractor.policy_net
    linear = [one for one in (*pi, model.policy.action_net) if isinstance(one, torch.nn.Linear)]
    layers = tuple(
        (one.weight.detach().double().numpy(), one.bias.detach().double().numpy()) for one in linear
    )
    card = PolicyCard(
        scenario="quickstart",
        observation=env.layout.observation_names,
        dimensions=env.layout.actions.dimensions,
        hidden=tuple(len(bias) for _, bias in layers[:-1]),
    )
    ours = Policy(card, layers)
    masks = env.action_masks()
    theirs, _ = model.predict(seen, action_masks=masks, deterministic=True)
    splits = np.cumsum(list(card.dimensions.values()))[:-1]
    assert (ours.choose(seen, np.split(masks, splits)) == theirs).all()
    env.close()


def test_a_saved_policy_comes_back_as_it_was(policy: Policy, tmp_path: Path) -> None:
    policy.save(tmp_path)
    again = Policy.load(tmp_path)
    assert again.card == policy.card
    seen = np.linspace(-1, 1, len(policy.card.observation))
    for ours, theirs in zip(policy.logits(seen), again.logits(seen), strict=True):
        assert (ours == theirs).all()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_equal_seeds_play_equally_and_no_call_waits(
    policy: Policy, tmp_path: Path, task: Task
) -> None:
    policy.save(tmp_path)
    episodes = [_play(tmp_path, task).environment.events for _ in range(2)]
    calls = [[(e.tool, e.arguments) for e in events] for events in episodes]
    assert calls[0] == calls[1]
    assert calls[0]
    assert all(tool for tool, _ in calls[0])


def test_a_policy_calls_only_tools_of_the_task(policy: Policy, tmp_path: Path) -> None:
    policy.save(tmp_path)
    task = TASKS[0].model_copy(update={"tools": ("set_antenna_tilt", "set_cell_sleep")})
    tools = {event.tool for event in _play(tmp_path, task).environment.events}
    assert tools <= {"set_antenna_tilt", "set_cell_sleep"}


def test_a_folder_of_scenarios_holds_a_policy_for_each(policy: Policy, tmp_path: Path) -> None:
    policy.save(tmp_path / "quickstart")
    assert _play(tmp_path, TASKS[0]).environment.events


def test_faults_make_no_difference_to_what_is_seen(layout: Layout) -> None:
    for task in TASKS:
        attempt = Attempt(task, make_backend("surrogate", task.network, 51))
        view = attempt.environment.view(task.scope)
        begun = layout.start(task, view)
        seen = layout.observation(task, view, begun)
        assert seen.shape == (len(layout.observation_names),)
        assert ((seen >= -1) & (seen <= 1)).all()
        assert seen[layout.observation_names.index("changes_left")] == 1
        assert seen[layout.observation_names.index("goal.0")] == 0
        assert seen[layout.observation_names.index("goal.1")] == -1


def test_a_policy_of_another_scenario_is_refused(policy: Policy, tmp_path: Path) -> None:
    policy.save(tmp_path)
    with pytest.raises(BenchUserError, match="trained for the scenario quickstart"):
        make_baseline(f"ppo:{tmp_path}", load_task("move_navigation"))


def test_tasks_of_several_scenarios_are_refused() -> None:
    with pytest.raises(BenchUserError, match="of one scenario"):
        train([TASKS[0], load_task("move_navigation")], 64)


def _damage_card(folder: Path, **fields: Any) -> None:
    card = json.loads((folder / "policy.json").read_text())
    (folder / "policy.json").write_text(json.dumps(card | fields))


def _pickled(folder: Path) -> None:
    weights = np.array([{"a": 1}], dtype=object)
    np.savez(folder / "policy.npz", weight0=weights, bias0=weights)


def _not_finite(folder: Path) -> None:
    arrays = dict(np.load(folder / "policy.npz"))
    arrays["bias0"][0] = np.nan
    np.savez(folder / "policy.npz", **arrays)


def _zip_bomb(folder: Path) -> None:
    file = folder / "policy.npz"
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("weight0.npy", "w", force_zip64=True) as entry,
    ):
        for _ in range(257):
            entry.write(bytes(1024 * 1024))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "policy.json").unlink(), "policy.json"),
        (lambda folder: (folder / "policy.npz").unlink(), "policy.npz"),
        (lambda folder: (folder / "policy.npz").write_bytes(b"PK"), "policy.npz"),
        (lambda folder: _damage_card(folder, format=2), "format"),
        (lambda folder: _damage_card(folder, hidden=[9]), "shapes"),
        (_pickled, "does not hold the weights"),
        (_not_finite, "no number"),
        (_zip_bomb, "more than"),
    ],
)
def test_a_damaged_or_dangerous_folder_is_refused_in_one_sentence(
    policy: Policy, tmp_path: Path, damage: Callable[[Path], Any], words: str
) -> None:
    policy.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(BenchUserError) as refusal:
        Policy.load(tmp_path)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)
