# SPDX-License-Identifier: Apache-2.0
"""Places of applications are ranked by the delays of futures, and checked by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from env.backends.base import BackendName
from env.environment import Environment
from env.tools.reasoning.edge import HORIZON
from env.tools.reasoning.foresight import OPTION_DRAWS
from ns3_scenarios.controls import ControlChange

Network = Callable[[BackendName, str], Environment]


def median_ms(environment: Environment, name: str, site: str, fraction: float) -> float:
    """Delay after the first interval where an application runs so."""
    values: dict[str, str | float] = {"site": site, "fraction": fraction}
    changes = [ControlChange(path=f"applications.{name}.{k}", value=v) for k, v in values.items()]
    futures = environment.backend.futures(changes, HORIZON, OPTION_DRAWS)
    means = []
    for draw in futures.draws:
        rows = [r for k in draw[1:] for r in k.rows("application", application=name)]
        known = [r["latency_ms"] for r in rows if r["latency_ms"] is not None]
        means += [np.mean(known)] if known else []
    return float(np.median(means))


@pytest.mark.parametrize(
    ("backend", "scenario", "name"),
    [("ns3", "quickstart", "vision"), ("surrogate", "edge_campus", "overlay")],
)
def test_places_are_ranked_by_the_delay_of_futures(
    network: Network, ask: Callable[..., Any], backend: BackendName, scenario: str, name: str
) -> None:
    environment = network(backend, scenario)
    control = environment.backend.controls.applications[name]
    told = ask(environment, "select_offload_target", application=name)
    targets = told["targets"]
    places = {(t["site"], t["fraction"]) for t in targets}
    sites = environment.backend.scenario.anchors[1:]
    assert places == {(site, control.fraction) for site in sites} | {(None, 0.0)}
    assert [t["current"] for t in targets].count(True) == 1
    delays = [t["median_latency_ms"] for t in targets]
    assert delays == sorted(delays)
    for target in targets[:1]:
        expected = median_ms(environment, name, target["site"] or control.site, target["fraction"])
        assert target["median_latency_ms"] == pytest.approx(expected, rel=1e-5)


def test_capacity_transport_and_delay_decide_a_migration(
    network: Network, ask: Callable[..., Any]
) -> None:
    environment = network("ns3", "quickstart")
    scenario = environment.backend.scenario
    told = ask(environment, "check_migration_feasibility", application="vision", site="cloud")
    checks = {check["condition"]: check for check in told["checks"]}
    assert set(checks) == {"capacity", "transport", "delay"}
    assert told["feasible"] == all(c["needed"] <= c["available"] for c in checks.values())
    edge: Any = scenario.edge
    (application,) = [a for a in edge.applications if a.name == "vision"]
    (cloud,) = [s for s in edge.sites if s.name == "cloud"]
    history = environment.backend.history
    rows = [k.rows("application", application="vision")[0] for k in history[-5:]]
    per_s = np.mean([r["jobs_made"] for r in rows]) / 0.2
    (site,) = history[-1].rows("edge", site="cloud")
    assert checks["capacity"]["needed"] == pytest.approx(per_s * application.work_gflop, rel=1e-5)
    free = cloud.servers * cloud.gflops * (1 - site["util_pct"] / 100)
    assert checks["capacity"]["available"] == pytest.approx(free, rel=1e-5)
    job_mbit = max(application.request_kb, application.response_kb) * 8e-3
    assert checks["transport"]["needed"] == pytest.approx(per_s * job_mbit, rel=1e-5)
    path = ask(environment, "compute_path", **{"from": "s0", "to": "cloud"})
    assert checks["transport"]["available"] == pytest.approx(path["bottleneck_mbps"], rel=1e-5)
    assert checks["delay"]["available"] == application.deadline_ms
    assert told["jobs_in_progress"] == rows[-1]["jobs_in_progress"]


def test_a_site_that_is_full_is_no_place_to_move_to(
    network: Network, ask: Callable[..., Any]
) -> None:
    environment = network("surrogate", "edge_campus")
    told = ask(environment, "check_migration_feasibility", application="navigation", site="library")
    (capacity,) = [c for c in told["checks"] if c["condition"] == "capacity"]
    assert not capacity["ok"]
    assert not told["feasible"]


def test_without_an_edge_there_is_no_application(
    network: Network, refused: Callable[..., Any]
) -> None:
    found = refused(network("ns3", "bare"), "select_offload_target", application="vision")
    assert found["code"] == "no_such_element"
