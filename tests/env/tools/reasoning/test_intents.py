# SPDX-License-Identifier: Apache-2.0
"""Feasibility of intents: the odds in the futures, and calls that bring them about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from env.backends.base import BackendName
from env.environment import Environment
from env.tools.proposing import changes_of
from env.tools.reasoning.foresight import DRAWS, controls_changes

Network = Callable[[BackendName, str], Environment]


def kpi(table: str, name: str, comparison: str, value: float, **more: Any) -> dict[str, Any]:
    return {
        "kind": "kpi", "table": table, "kpi": name, "comparison": comparison, "value": value, **more
    }  # fmt: skip


@pytest.mark.parametrize("backend", ["surrogate", "ns3"])
def test_what_holds_anyway_needs_no_change(
    network: Network, ask: Callable[..., Any], backend: BackendName
) -> None:
    environment = network(backend, "quickstart")
    intent = [kpi("network", "latency_ms", "<=", 1e6, slice="embb")]
    told = ask(environment, "evaluate_intent_feasibility", intent=intent, horizon=1)
    assert (told["verdict"], told["probability"], told["changes"]) == ("feasible", 1, [])
    assert (told["tried"], told["binding"]) == (1, "")


def test_what_nothing_brings_about_is_infeasible_and_the_obstacle_is_named(
    network: Network, ask: Callable[..., Any]
) -> None:
    environment = network("surrogate", "quickstart")
    intent = [
        kpi("network", "latency_ms", "<=", 1e6, slice="embb"),
        kpi("network", "latency_ms", "<", 0.0, slice="urllc"),
    ]
    told = ask(environment, "evaluate_intent_feasibility", intent=intent, horizon=1)
    assert (told["verdict"], told["probability"]) == ("infeasible", 0)
    assert told["binding"] == "network latency_ms of slice=urllc < 0 ms"
    assert [p["probability"] for p in told["predicates"]] == [1, 0]
    assert told["tried"] > 3


@pytest.mark.parametrize("backend", ["surrogate", "ns3"])
def test_changes_are_found_and_their_odds_are_those_of_the_futures(
    network: Network, ask: Callable[..., Any], backend: BackendName
) -> None:
    """Only round the cut trunk can embb have its rate back, which is about 50 Mbit/s."""
    environment = network(backend, "cut")
    rate_mbps = 25.0
    goal = kpi("network", "throughput_mbps", ">=", rate_mbps, slice="embb")
    told = ask(environment, "evaluate_intent_feasibility", intent=[goal], horizon=1)

    def odds(calls: list[tuple[str, Any]]) -> float:
        _, changes = changes_of(environment.view(), calls)
        futures = environment.backend.futures(controls_changes(changes), 1, DRAWS)
        last = [draw[-1].rows("network", slice="embb")[0] for draw in futures.draws]
        return sum(row["throughput_mbps"] >= rate_mbps for row in last) / DRAWS

    assert told["do_nothing_probability"] == odds([])
    assert told["probability"] == odds([(c["tool"], c["arguments"]) for c in told["changes"]])
    assert told["verdict"] == "feasible"
    assert "reroute_flow" in {call["tool"] for call in told["changes"]}


def test_sleep_is_found_to_save_power(network: Network, ask: Callable[..., Any]) -> None:
    environment = network("surrogate", "edge_campus")
    now = ask(environment, "predict_kpis", horizon=3)["cells"]
    total_w = sum(cell["power_w"]["mean"] for cell in now)
    intent = [kpi("cell", "power_w", "<=", 0.9 * total_w, over_elements="sum")]
    told = ask(environment, "evaluate_intent_feasibility", intent=intent)
    assert told["probability"] > told["do_nothing_probability"]
    assert any(call["tool"] == "set_cell_sleep" for call in told["changes"])


def test_a_control_that_is_not_as_wanted_is_for_the_agent_to_set(
    network: Network, ask: Callable[..., Any]
) -> None:
    environment = network("surrogate", "quickstart")
    power = environment.backend.controls.cells["c0"].tx_power_dbm
    for wanted, verdict in ((power, "feasible"), (power - 3, "unknown")):
        intent = [
            {
                "kind": "control",
                "path": "cells.c0.tx_power_dbm",
                "comparison": "==",
                "value": wanted,
            }
        ]
        told = ask(environment, "evaluate_intent_feasibility", intent=intent, horizon=1)
        assert told["verdict"] == verdict


@pytest.mark.parametrize(
    ("predicate", "code", "argument"),
    [
        (kpi("network", "mood", "<=", 1), "bad_arguments", "intent.0.kpi"),
        (kpi("network", "slice", "<=", 1), "bad_arguments", "intent.0.kpi"),
        (kpi("network", "latency_ms", "<=", 1, unit="s"), "bad_arguments", "intent.0.unit"),
        (kpi("network", "latency_ms", "<=", 1, cell="c0"), "bad_arguments", "intent.0.cell"),
        (kpi("network", "latency_ms", "<=", 1, slice="x"), "no_such_element", "intent.0.slice"),
        (kpi("flow", "latency_ms", "<=", 1, flow="x"), "no_such_element", "intent.0.flow"),
        (kpi("network", "latency_ms", "=<", 1), "bad_arguments", "intent.0.kpi.comparison"),
        (kpi("network", "latency_ms", "<=", 1, window=0), "bad_arguments", "intent.0.kpi.window"),
        (kpi("network", "latency_ms", "<=", 1, window=51), "bad_arguments", "intent.0.kpi.window"),
        (
            {"kind": "control", "path": "cells.c9.tx_power_dbm", "comparison": "<", "value": 1},
            "no_such_element",
            "intent.0.path",
        ),
        (
            {"kind": "control", "path": "cells.c0", "comparison": "<", "value": 1},
            "no_such_element",
            "intent.0.path",
        ),
        (
            {"kind": "control", "path": "cells.c0.scheduler", "comparison": "==", "value": 1},
            "bad_arguments",
            "intent.0.value",
        ),
        (
            {"kind": "control", "path": "cells.*.scheduler", "comparison": "<", "value": "qos"},
            "bad_arguments",
            "intent.0.comparison",
        ),
    ],
)
def test_intents_that_make_no_sense_are_refused(
    network: Network,
    refused: Callable[..., Any],
    predicate: dict[str, Any],
    code: str,
    argument: str,
) -> None:
    environment = network("surrogate", "quickstart")
    found = refused(environment, "evaluate_intent_feasibility", intent=[predicate])
    assert (found["code"], found["argument"]) == (code, argument)
    for intent in ([], [predicate] * 9):
        found = refused(environment, "evaluate_intent_feasibility", intent=intent)
        assert found["code"] == "bad_arguments"
