# SPDX-License-Identifier: Apache-2.0
"""Recovery: calls that could be made at once, ranked by what they gain in the futures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from env.backends.base import BackendName, Futures
from env.environment import Environment
from env.tools.proposing import changes_of
from env.tools.reasoning.foresight import OPTION_DRAWS, controls_changes
from env.tools.reasoning.recovery import HORIZON

Network = Callable[[BackendName, str], Environment]


def served_pct(environment: Environment, futures: Futures, nothing: Futures) -> list[float]:
    """What is in time of what is wanted without changes, mean over slices and applications."""
    scenario = environment.backend.scenario
    assert scenario.edge
    kinds = [("network", "slice", s.name) for s in scenario.slices]
    kinds += [("application", "application", a.name) for a in scenario.edge.applications]

    def total(draw: Any, table: str, key: str, name: str, wanted: bool) -> float:
        found = 0.0
        for kpis in draw:
            for r in kpis.rows(table, **{key: name}):
                if table == "network":
                    done = r["throughput_mbps"] * (r["within_budget_pct"] or 0) / 100
                    found += r["offered_mbps"] if wanted else done
                else:
                    ended = r["jobs_finished"] + r["jobs_lost"]
                    done = ended * (r["within_deadline_pct"] or 0) / 100
                    found += r["jobs_made"] if wanted else done
        return found

    result = []
    for draw, plain in zip(futures.draws, nothing.draws, strict=True):
        shares = [
            100 * total(draw, *kind, wanted=False) / wanted
            for kind in kinds
            if (wanted := total(plain, *kind, wanted=True)) > 0
        ]
        result.append(float(np.mean(shares)))
    return result


@pytest.mark.parametrize(
    ("backend", "scenario", "alarm"),
    [
        ("surrogate", "cut", "link_cut:trunk"),
        ("surrogate", "edge_campus", "edge_overload:library"),
    ],
)
def test_strategies_are_ranked_by_what_they_serve_in_time(
    network: Network, ask: Callable[..., Any], backend: BackendName, scenario: str, alarm: str
) -> None:
    environment = network(backend, scenario)
    told = ask(environment, "select_recovery_strategy", alarm=alarm)
    assert told["alarm"] == alarm == f"{told['cause']}:{told['element']}"
    strategies = told["strategies"]
    assert 0 < len(strategies) <= 5
    assert told["tried"] >= len(strategies)
    gains = [s["served_gain_pct"]["mean"] for s in strategies]
    assert gains == sorted(gains, reverse=True)
    nothing = environment.backend.futures((), HORIZON, OPTION_DRAWS)
    before = served_pct(environment, nothing, nothing)
    assert told["do_nothing_served_pct"]["mean"] == pytest.approx(np.mean(before), rel=1e-4)
    for strategy in strategies[:1]:
        calls = [(c["tool"], c["arguments"]) for c in strategy["changes"]]
        _, changes = changes_of(environment.view(), calls)
        assert strategy["reversible"] == all(c.reversible for c in changes)
        futures = environment.backend.futures(controls_changes(changes), HORIZON, OPTION_DRAWS)
        after = served_pct(environment, futures, nothing)
        assert strategy["served_pct"]["mean"] == pytest.approx(np.mean(after), rel=1e-4)
        gained = np.mean(np.subtract(after, before))
        assert strategy["served_gain_pct"]["mean"] == pytest.approx(gained, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("backend", ["surrogate", "ns3"])
def test_traffic_is_led_round_a_cut_and_that_really_helps(
    fresh: Network, ask: Callable[..., Any], backend: BackendName
) -> None:
    """The calls of the first strategy are made, and what they promise comes true."""
    with fresh(backend, "cut") as network:
        best = ask(network, "select_recovery_strategy", alarm="link_cut:trunk")["strategies"][0]
        assert {call["tool"] for call in best["changes"]} == {"reroute_flow"}
        assert all("ring" in call["arguments"]["path"] for call in best["changes"])
        (before,) = network.view().now.rows("network", slice="embb")
        for call in best["changes"]:
            assert network.call(call["tool"], call["arguments"]).ok
        (after,) = network.view().now.rows("network", slice="embb")
    assert after["throughput_mbps"] > 3 * before["throughput_mbps"]
    assert best["served_gain_pct"]["low"] > 0


def test_an_alarm_must_be_active(network: Network, refused: Callable[..., Any]) -> None:
    environment = network("surrogate", "cut")
    found = refused(environment, "select_recovery_strategy", alarm="link_cut:access_s0")
    assert (found["code"], found["allowed"]) == ("no_such_element", ["link_cut:trunk"])
