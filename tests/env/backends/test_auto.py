# SPDX-License-Identifier: Apache-2.0
"""Handing over between a model and live NS-3, and moving an episode from one to the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from env.backends.auto import AutoBackend
from env.backends.base import Backend
from env.backends.making import make_backend
from env.backends.ns3 import Ns3Backend
from env.backends.surrogate import SurrogateBackend
from env.backends.swapping import swap_backend
from env.environment import Environment
from env.errors import EnvUserError
from experiment_model import ExperimentModel
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.kpi import TABLES
from ns3_scenarios.library import load_scenario

SCENARIO = load_scenario("quickstart")
STRANGE = [ControlChange(path="cells.*.tilt_deg", value=-60)]
USUAL = [ControlChange(path="cells.*.tilt_deg", value=12)]


@pytest.fixture
def auto(model: ExperimentModel) -> Iterator[AutoBackend]:
    with closing(AutoBackend(SCENARIO, 1, model)) as backend:
        yield backend


def test_ns3_serves_what_the_model_was_not_fitted_on(auto: AutoBackend) -> None:
    auto.advance(1)
    auto.apply(STRANGE)
    auto.advance(2)
    auto.apply(USUAL)
    auto.advance(2)
    assert auto.served[2:5] == ["surrogate", "ns3", "ns3"]
    assert auto.served_by == "surrogate"
    assert [k.interval for k in auto.history] == list(range(7))
    with closing(Ns3Backend(SCENARIO, 1)) as real:
        real.advance(1)
        real.apply(STRANGE)
        real.advance(2)
        for interval in (3, 4):
            for name in TABLES:
                served = auto.history[interval].to_arrow(name)
                assert served.equals(real.history[interval].to_arrow(name))


def test_ns3_foresees_what_the_model_cannot(auto: AutoBackend) -> None:
    auto.advance(1)
    before = auto.state_hash()
    assert auto.futures((), 1, 1).served_by == "surrogate"
    strange = auto.futures(STRANGE, 2, 2)
    assert strange.served_by == "ns3"
    assert strange.in_distribution
    assert [k.interval for k in strange.draws[1]] == [3, 4]
    assert auto.state_hash() == before
    assert auto.interval == 3


def test_the_model_goes_on_from_what_ns3_says(auto: AutoBackend) -> None:
    auto.apply(STRANGE)
    auto.advance(1)
    now = auto.history[-1]
    auto.apply(USUAL)
    auto.advance(1)
    moved = abs(auto.history[-1].column("ue", "x_m") - now.column("ue", "x_m"))
    assert moved.max() < 1
    queued = now.column("ue", "dl_queued_bits")
    after = {n: auto.history[-1].column("ue", f"dl_{n}_bits")
             for n in ("offered", "delivered", "dropped", "queued")}  # fmt: skip
    grown = after["queued"] - queued
    assert (after["offered"] == after["delivered"] + after["dropped"] + grown).all()


@pytest.fixture
def make(model: ExperimentModel) -> Iterator[Callable[[str, int], Backend]]:
    makers: dict[str, Callable[[int], Backend]] = {
        "ns3": lambda seed: Ns3Backend(SCENARIO, seed),
        "surrogate": lambda seed: SurrogateBackend(SCENARIO, seed, model),
    }
    with ExitStack() as stack:
        yield lambda name, seed: stack.enter_context(closing(makers[name](seed)))


@pytest.mark.parametrize(("first", "then"), [("surrogate", "ns3"), ("ns3", "surrogate")])
def test_an_episode_moves_to_another_backend(
    make: Callable[[str, int], Backend], first: str, then: str
) -> None:
    environment = Environment(make(first, 1))
    change = environment.call("set_cell_tx_power", {"cell": "c0", "tx_power_dbm": 30})
    environment.run_on(1)
    environment.call("set_cell_tx_power", {"cell": "c1", "tx_power_dbm": 31})
    controls = environment.backend.controls
    swap_backend(environment, make(then, 1))
    backend = environment.backend
    assert backend.name == then
    assert (backend.controls, backend.interval) == (controls, 5)
    assert [k.rows("cell", cell="c1")[0]["tx_power_dbm"] for k in backend.history] == [
        38, 38, 38, 38, 31,
    ]  # fmt: skip
    assert environment.call("rollback_change", {"change_id": change.content["change_id"]}).ok
    assert [event.served_by for event in environment.events] == [first, first, first, then]
    whole = make(then, 1)
    whole.apply([ControlChange(path="cells.c0.tx_power_dbm", value=30)])
    whole.advance(2)
    whole.apply([ControlChange(path="cells.c1.tx_power_dbm", value=31)])
    whole.advance(1)
    whole.apply([ControlChange(path="cells.c0.tx_power_dbm", value=38)])
    whole.advance(1)
    for name in TABLES:
        assert backend.history[-1].to_arrow(name).equals(whole.history[-1].to_arrow(name))


def test_an_episode_does_not_move_to_another_seed_or_into_the_past(
    make: Callable[[str, int], Backend],
) -> None:
    environment = Environment(make("surrogate", 1))
    environment.call("set_cell_tx_power", {"cell": "c0", "tx_power_dbm": 30})
    kept = environment.backend
    with pytest.raises(EnvUserError, match="another seed"):
        swap_backend(environment, make("surrogate", 2))
    ahead = make("surrogate", 1)
    ahead.advance(1)
    with pytest.raises(EnvUserError, match=r"has done 3 intervals; .* more than 2"):
        swap_backend(environment, ahead)
    assert environment.backend is kept


@pytest.mark.parametrize(
    ("name", "rest", "match"),
    [
        ("omnet", {}, "backend='omnet' is not allowed; it must be one of surrogate, ns3"),
        ("replay", {}, "a recording goes with replay"),
        ("surrogate", {"recording": "x"}, "a recording goes with replay"),
        ("surrogate", {"model": "no/such/model"}, "no/such/model"),
    ],
)
def test_a_backend_that_cannot_be_made_says_why(
    name: str, rest: dict[str, str], match: str
) -> None:
    with pytest.raises(EnvUserError, match=match):
        make_backend(name, SCENARIO, 1, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["surrogate", "ns3", "auto"])
def test_backends_are_made_by_name(name: str) -> None:
    with closing(make_backend(name, "quickstart", 2)) as backend:  # type: ignore[arg-type]
        assert (backend.name, backend.seed, backend.interval) == (name, 2, 2)
