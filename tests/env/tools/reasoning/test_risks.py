# SPDX-License-Identifier: Apache-2.0
"""Risks: constraints that break, and the blast radius by the futures with and without changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from env.backends.base import BackendName
from env.environment import Environment
from env.sla import sla_holds, sla_terms
from env.tools.reasoning.foresight import DRAWS
from env.tools.reasoning.risks import HORIZON
from ns3_scenarios.controls import ControlChange

Network = Callable[[BackendName, str], Environment]

TABLES = {"slice": "network", "cell": "cell", "user": "ue", "link": "link", "edge site": "edge"}
KEYS = {"slice": "slice", "cell": "cell", "user": "ue", "link": "link", "edge site": "site"}


def off(cell: str) -> dict[str, Any]:
    return {"tool": "set_cell_sleep", "arguments": {"cell": cell, "mode": "off"}}


@pytest.mark.parametrize("backend", ["surrogate", "ns3"])
def test_a_cell_with_users_that_goes_off_is_a_high_risk(
    network: Network, ask: Callable[..., Any], backend: BackendName
) -> None:
    told = ask(network(backend, "quickstart"), "risk_assessment", changes=[off("c0")])
    checks = {check["constraint"]: check["ok"] for check in told["checks"]}
    assert told["risk"] == "high"
    assert not checks["no cell with users goes off"]
    assert told["reversible"]
    assert told["controls"] == ["cells.c0.sleep_mode"]
    assert told["users_moved"] > 0
    power = next(m for m in told["moved"] if (m["element"], m["kpi"]) == ("c0", "power_w"))
    assert power["changed"] < power["unchanged_low"]


def test_what_moves_leaves_the_interval_that_it_has_without_the_changes(
    network: Network, ask: Callable[..., Any]
) -> None:
    environment = network("surrogate", "quickstart")
    told = ask(environment, "risk_assessment", changes=[off("c0")])
    checks = {check["constraint"]: check["ok"] for check in told["checks"]}
    changes = [ControlChange(path="cells.c0.sleep_mode", value="off")]
    before, after = (environment.backend.futures(c, HORIZON, DRAWS) for c in ((), changes))

    def means(futures: Any, moved: dict[str, Any]) -> list[float]:
        found = []
        for draw in futures.draws:
            by_interval = []
            for kpis in draw:
                rows = kpis.rows(TABLES[moved["kind"]], **{KEYS[moved["kind"]]: moved["element"]})
                values = [r[moved["kpi"]] for r in rows if r[moved["kpi"]] is not None]
                by_interval += [max(values)] if values else []
            found += [float(np.mean(by_interval))] if by_interval else []
        return found

    assert told["moved"]
    for moved in told["moved"]:
        low, high = np.quantile(means(before, moved), (0.1, 0.9), method="weibull")
        assert moved["unchanged_low"] == pytest.approx(low, rel=1e-4, abs=1e-6)
        assert moved["unchanged_high"] == pytest.approx(high, rel=1e-4, abs=1e-6)
        mean = np.mean(means(after, moved))
        assert moved["changed"] == pytest.approx(mean, rel=1e-4, abs=1e-6)
        assert not low <= mean <= high
        better_up = moved["kpi"] in ("rsrp_dbm", "dl_sinr_db", "within_budget_pct") or moved[
            "kpi"
        ].endswith("throughput_mbps")
        assert moved["worse"] == ((mean < low) == better_up)
    assert told["worst"] == told["moved"][0]
    worse = [m["worse"] for m in told["moved"]]
    assert worse == sorted(worse, reverse=True)
    scenario = environment.backend.scenario
    for item in scenario.slices:
        shares = []
        for futures in (before, after):
            holds = [sla_holds(sla_terms(scenario, item.name, d)) for d in futures.draws]
            shares.append(sum(h is False for h in holds) / len(holds))
        expected = not (shares[1] >= 0.5 and shares[1] - shares[0] >= 0.1)
        assert checks[f"SLA of {item.name}"] == expected


def test_what_changes_nothing_is_no_risk_and_moves_nothing(
    network: Network, ask: Callable[..., Any]
) -> None:
    environment = network("surrogate", "quickstart")
    power = environment.backend.controls.cells["c0"].tx_power_dbm
    same = {"tool": "set_cell_tx_power", "arguments": {"cell": "c0", "tx_power_dbm": power}}
    told = ask(environment, "risk_assessment", changes=[same])
    assert (told["risk"], told["moved"], told["worst"], told["controls"]) == ("low", [], None, [])
    assert (told["elements_moved"], told["users_moved"]) == (0, 0)


def test_what_cannot_be_undone_is_a_risk_even_where_nothing_breaks(
    network: Network, ask: Callable[..., Any]
) -> None:
    environment = network("surrogate", "uav_corridor")
    (here,) = environment.view().now.rows("ue", ue="u0")
    point = {"ue": "u0", **{f"{a}_m": here[f"{a}_m"] for a in "xyz"}}
    fly = {"tool": "set_waypoint", "arguments": point}
    told = ask(environment, "risk_assessment", changes=[fly])
    assert not told["reversible"]
    assert told["risk"] in ("medium", "high")


def test_later_calls_build_upon_earlier_ones(network: Network, ask: Callable[..., Any]) -> None:
    environment = network("surrogate", "quickstart")
    power = {"tool": "set_cell_tx_power", "arguments": {"cell": "c0", "tx_power_dbm": 20.0}}
    back = {"tool": "rollback_change", "arguments": {"change_id": "c1"}}
    told = ask(environment, "risk_assessment", changes=[power, back])
    assert (told["controls"], told["moved"], told["reversible"]) == ([], [], False)
