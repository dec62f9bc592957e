# SPDX-License-Identifier: Apache-2.0
"""A network on a model, held against live NS-3 and against what may be known of the future."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

import numpy as np
import pytest

from env.backends.ns3 import Ns3Backend
from env.backends.surrogate import SurrogateBackend
from env.kpis import Kpis
from experiment_model import ExperimentModel
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.library import load_scenario, parse_model
from ns3_scenarios.scenario import ScenarioConfig

INTERVALS = 10
SEEDS = (1, 2, 3, 4)


@pytest.fixture(scope="module")
def histories(model: ExperimentModel) -> dict[str, list[list[Kpis]]]:
    """What ten intervals of `quickstart` without actions are on the model and on NS-3."""
    scenario = load_scenario("quickstart")
    makers: dict[str, Callable[[int], SurrogateBackend | Ns3Backend]] = {
        "model": lambda seed: SurrogateBackend(scenario, seed, model),
        "ns3": lambda seed: Ns3Backend(scenario, seed),
    }
    found: dict[str, list[list[Kpis]]] = {}
    for name, make in makers.items():
        for seed in SEEDS:
            with closing(make(seed)) as backend:
                backend.advance(INTERVALS)
                found.setdefault(name, []).append(list(backend.history[2:]))
    return found


@pytest.mark.parametrize(
    ("table", "column", "relative", "absolute"),
    [
        ("network", "offered_mbps", 0.1, 0),
        ("network", "throughput_mbps", 0.15, 0),
        ("network", "latency_ms", 0.5, 0),
        ("network", "within_budget_pct", 0, 6),
        ("network", "packet_loss_pct", 0, 2),
        ("network", "jain_index", 0, 0.15),
        ("cell", "power_w", 0.15, 0),
        ("ue", "dl_throughput_mbps", 0.2, 0),
        ("ue", "rsrp_dbm", 0, 1),
        ("link", "throughput_mbps", 0.15, 0),
        ("application", "jobs_made", 0.3, 0),
    ],
)
def test_without_actions_it_stays_near_ns3(
    histories: dict[str, list[list[Kpis]]],
    table: str,
    column: str,
    relative: float,
    absolute: float,
) -> None:
    ours, real = (
        np.nanmean([k.column(table, column) for run in histories[name] for k in run])
        for name in ("model", "ns3")
    )
    assert ours == pytest.approx(real, rel=relative, abs=absolute)


def test_every_user_stands_where_it_stands_in_ns3_unless_it_walks(
    everything: ScenarioConfig,
    model: ExperimentModel,
    recordings: Callable[[int], dict[str, object]],
) -> None:
    real = Kpis.each_of_arrow(recordings(1))  # type: ignore[arg-type]
    backend = SurrogateBackend(everything, 1, model)
    backend.advance(len(real) - 2)
    there = np.array([g.mobility.kind != "random_walk" for g in everything.ue_groups])
    for ours, theirs in zip(backend.history, real, strict=True):
        for name in ("x_m", "y_m", "z_m", "speed_mps", "battery_pct"):
            np.testing.assert_allclose(
                ours.column("ue", name)[there], theirs.column("ue", name)[there], atol=1e-6
            )


@pytest.fixture
def troubled(model: ExperimentModel) -> Callable[[float], SurrogateBackend]:
    """`quickstart` in which a cell fails at some time for good."""

    def make(start_s: float) -> SurrogateBackend:
        data = load_scenario("quickstart").model_dump(mode="json")
        data["faults"] = [
            {"kind": "cell_outage", "cell": "c0", "start_s": start_s, "duration_s": 0.5}
        ]
        scenario = parse_model(ScenarioConfig, data, "troubled")
        return SurrogateBackend(scenario, 1, model)

    return make


def outages(future: Sequence[Kpis]) -> list[bool]:
    return [bool(len(k.where("alarm", cause="cell_outage"))) for k in future]


def test_futures_know_what_has_failed_and_nothing_that_will(
    troubled: Callable[[float], SurrogateBackend],
) -> None:
    ahead = troubled(0.45)
    assert outages(ahead.futures((), 4, 1).draws[0]) == [False] * 4
    ahead.advance(1)
    # It ends at 0.95 s, which nobody knows at 0.6 s.
    assert outages(ahead.futures((), 4, 1).draws[0]) == [True] * 4
    ahead.advance(3)
    assert outages(ahead.history) == [False, False, True, True, True, False]


def test_futures_of_equal_states_differ_by_the_changes_alone(
    troubled: Callable[[float], SurrogateBackend],
) -> None:
    backend = troubled(100)
    weaker = [ControlChange(path="cells.*.tx_power_dbm", value=20.0)]
    same, other = backend.futures((), 3, 2).draws, backend.futures(weaker, 3, 2).draws
    for one, two in zip(same, other, strict=True):
        np.testing.assert_array_equal(one[0].column("ue", "x_m"), two[0].column("ue", "x_m"))
        assert (one[0].column("ue", "rsrp_dbm") > two[0].column("ue", "rsrp_dbm")).all()
    assert backend.controls.cells["c0"].tx_power_dbm == 38


def test_it_says_where_it_is_not_at_home(model: ExperimentModel) -> None:
    backend = SurrogateBackend(load_scenario("quickstart"), 1, model)
    backend.advance(3)
    assert backend.in_distribution
    strange = [ControlChange(path="cells.*.tilt_deg", value=-60)]
    assert backend.futures((), 1, 2).in_distribution
    assert not backend.futures(strange, 1, 2).in_distribution
    backend.apply(strange)
    backend.advance(1)
    assert not backend.in_distribution


def test_a_change_of_many_controls_is_the_change_of_each(model: ExperimentModel) -> None:
    scenario = load_scenario("quickstart")
    one, many = (SurrogateBackend(scenario, 1, model) for _ in range(2))
    one.apply([ControlChange(path="cells.*.tilt_deg", value=5.0)])
    for cell in scenario.cell_ids:
        many.apply([ControlChange(path=f"cells.{cell}.tilt_deg", value=5.0)])
    assert one.state_hash() == many.state_hash()
