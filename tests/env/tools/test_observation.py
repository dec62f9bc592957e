# SPDX-License-Identifier: Apache-2.0
"""Observation tools say what the KPI tables say, of what is in scope, and leave all as it is."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from env.backends.ns3 import Ns3Backend
from env.environment import Environment
from env.kpis import Kpis
from env.sla import sla_holds, sla_terms
from env.tools import TOOLS
from env.tools.observation.reading import MAX_LIMIT, MAX_WINDOW
from env.view import Scope
from ns3_scenarios.geometry import neighbour_cells
from ns3_scenarios.kpi import TABLES
from ns3_scenarios.library import load_scenario

INTERVALS = {"quickstart": 6, "edge_campus": 4, "uav_corridor": 4, "disaster_degradation": 11}
"""That are run; those of disaster_degradation are until some faults have come and gone."""
OBSERVATION = [tool for tool in TOOLS.values() if tool.effect == "observation"]
ELEMENTS = ("cell", "ue", "slice", "link", "site")
NO_ELEMENT = ("ends", "from_node", "to_node", "flow", "group", "users", "path")
"""Fields with names of nodes, flows, groups and controls."""


@pytest.fixture(scope="module", params=INTERVALS)
def played(request: pytest.FixtureRequest) -> Iterator[Environment]:
    """An episode some intervals on, in which one change was made and rolled back."""
    name = request.param
    with Environment(Ns3Backend(load_scenario(name), 1), max_calls=10**6) as environment:
        environment.run_on(INTERVALS[name] - 4)
        change = environment.call("set_cell_tx_power", {"cell": "c0", "tx_power_dbm": 30})
        environment.call("rollback_change", {"change_id": change.content["change_id"]})
        yield environment


def ask(
    environment: Environment, tool: str, within: Scope | None = None, /, **arguments: Any
) -> Any:
    answer = environment.call(tool, arguments, scope=within)
    assert answer.ok, answer.content
    return answer.content


def near(expected: float | None) -> Any:
    """Equal but for the rounding of answers."""
    return None if expected is None else pytest.approx(expected, rel=1e-5)


def check(found: dict[str, Any], row: dict[str, Any], *, but: tuple[str, ...] = ()) -> int:
    """Every field that is a column has its value."""
    shared = [name for name in found if name in row and name not in but]
    for name in shared:
        expected = row[name]
        exact = isinstance(expected, str | bool)
        assert found[name] == (expected if exact else near(expected)), name
    return len(shared)


def examples(environment: Environment) -> dict[str, str]:
    """An element of each kind that there is."""
    scenario = environment.backend.scenario
    return {
        "cell": scenario.cell_ids[-1],
        "ue": scenario.ue_ids[0],
        "slice": scenario.slices[-1].name,
        "link": scenario.links[0].name,
        "site": scenario.anchors[1],
    }


def calls(environment: Environment) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each tool with what it needs alone, and with each argument that it may have."""
    known = examples(environment)
    for tool in OBSERVATION:
        needed = {name: known[name] for name in tool.schema.get("required", ())}
        yield tool.name, needed
        for name in tool.schema["properties"]:
            if name in ELEMENTS and name not in needed:
                yield tool.name, {**needed, name: known[name]}


def test_reading_leaves_everything_as_it_is_and_answers_are_json(played: Environment) -> None:
    backend = played.backend
    before = (backend.state_hash(), backend.interval, backend.controls, len(played.changes))
    for tool, arguments in calls(played):
        content = ask(played, tool, **arguments)
        assert json.loads(json.dumps(content, allow_nan=False)) == content
        assert TOOLS[tool].result is not None
        assert TOOLS[tool].result.model_validate(content)
        assert len(json.dumps(content)) < 16_000
    after = (backend.state_hash(), backend.interval, backend.controls, len(played.changes))
    assert after == before


def test_every_bound_is_allowed_and_nothing_beyond(played: Environment) -> None:
    known = examples(played)
    for tool in OBSERVATION:
        needed = {name: known[name] for name in tool.schema.get("required", ())}
        for name, about in tool.schema["properties"].items():
            if "enum" in about:
                allowed, refused = about["enum"], ["other", 1, None]
            elif "minimum" in about:
                low, high = about["minimum"], about["maximum"]
                assert (low, high) in ((1, MAX_WINDOW), (1, MAX_LIMIT))
                allowed, refused = [low, high], [low - 1, high + 1, float(low), str(low), True]
            else:
                assert name in ELEMENTS
                allowed, refused = [known[name]], [1, ["c0"]]
            for value in allowed:
                assert ask(played, tool.name, **{**needed, name: value})
            for value in refused:
                if value is None and name not in needed:
                    continue
                answer = played.call(tool.name, {**needed, name: value})
                assert (answer.ok, answer.content["code"]) == (False, "bad_arguments")
                assert answer.content["argument"] == name
                assert answer.content["allowed"]


def test_unknown_elements_are_refused_with_the_names_that_there_are(played: Environment) -> None:
    known = examples(played)
    for tool in OBSERVATION:
        needed = {name: known[name] for name in tool.schema.get("required", ())}
        for name in set(ELEMENTS) & set(tool.schema["properties"]):
            answer = played.call(tool.name, {**needed, name: "nowhere"})
            assert answer.content["code"] == "no_such_element"
            assert answer.content["argument"] == name
            assert known[name] in answer.content["allowed"] or len(answer.content["allowed"]) == 40


def test_only_elements_in_scope_are_named(played: Environment) -> None:
    scenario = played.backend.scenario
    applications = list(played.backend.controls.applications)
    every = {
        *scenario.cell_ids,
        *scenario.ue_ids,
        *(s.name for s in scenario.slices),
        *(link.name for link in scenario.links),
        *scenario.anchors[1:],
        *applications,
    }
    mine = {
        *scenario.cell_ids[-2:],
        *scenario.ue_ids[::3],
        *(s.name for s in scenario.slices[-1:]),
        scenario.links[0].name,
        scenario.anchors[1],
    }
    mine |= set(examples(played).values())
    scope = Scope(elements=frozenset(mine))
    named = set()
    for tool, arguments in calls(played):
        named |= set(_names(ask(played, tool, scope, **arguments))) & every
    assert named <= mine
    assert {scenario.cell_ids[-1], scenario.ue_ids[0], scenario.links[0].name} <= named
    assert ask(played, "list_ues", scope)["total"] == len(mine & set(scenario.ue_ids))
    assert ask(played, "list_alarms", scope)["recent_changes"] == []
    hidden = played.call("get_cell_kpis", {"cell": "c0"}, scope=scope)
    assert set(hidden.content["allowed"]) == mine & set(scenario.cell_ids)


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _names(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key not in NO_ELEMENT:
                yield from _names(value)


def test_what_a_backend_does_not_know_is_null(played: Environment) -> None:
    view = played.view()
    names = {t: [c.name for c in TABLES[t] if c.unit == ""] for t in TABLES}

    def only_names(kpis: Kpis) -> Kpis:
        return Kpis(
            kpis.interval,
            kpis.time_ms,
            lambda t: {n: kpis.column(t, n) for n in names[t] if n != "up"},
        )

    nothing = [Kpis(k.interval, k.time_ms, lambda _: {}) for k in view.history]
    for history in ([only_names(k) for k in view.history], nothing):
        blind = dataclasses.replace(view, history=history)
        for name, arguments in calls(played):
            found = TOOLS[name].run(blind, TOOLS[name].parse(arguments)).model_dump(mode="json")
            assert json.dumps(found, allow_nan=False)
        link = TOOLS["get_topology"].run(blind, TOOLS["get_topology"].parse({})).links.items[0]
        assert link.up is None
        terms = sla_terms(view.scenario, view.scenario.slices[0].name, history)
        assert sla_holds(terms) is None


def test_topology_is_that_of_the_scenario(played: Environment) -> None:
    scenario, controls = played.backend.scenario, played.backend.controls
    found = ask(played, "get_topology", limit=MAX_LIMIT)
    cells = [cell for site in found["sites"]["items"] for cell in site["cells"]]
    assert cells == [c["cell"] for c in found["cells"]["items"]] == list(scenario.cell_ids)
    for cell in found["cells"]["items"]:
        site = next(s for s in found["sites"]["items"] if s["site"] == cell["site"])
        assert cell["cell"] in site["cells"]
        assert cell["neighbours"] == neighbour_cells(scenario, cell["cell"])
        assert cell["frequency_ghz"] == scenario.cell_carrier(cell["cell"]).frequency_ghz
    up = {
        name: all(row["up"] for row in rows)
        for name, rows in itertools.groupby(
            played.backend.history[-1].rows("link"), key=lambda row: row["link"]
        )
    }
    assert {link["link"]: link["up"] for link in found["links"]["items"]} == up
    assert [set(link["ends"]) for link in found["links"]["items"]] == [
        set(link.ends) for link in scenario.links
    ]
    placed = {
        (application, site["site"])
        for site in found["edge_sites"]["items"]
        for application in site["applications"]
    }
    assert placed == {(name, a.site) for name, a in controls.applications.items()}
    assert {(a["application"], a["site"]) for a in found["applications"]["items"]} == placed
    only = ask(played, "get_topology", scope="edge", limit=1)
    assert only["sites"] is only["cells"] is only["links"] is None
    assert (only["edge_sites"]["total"], only["edge_sites"]["shown"]) == (
        len(scenario.anchors) - 1,
        1,
    )


def test_network_state_and_its_change(played: Environment) -> None:
    before, now = (k.rows("network") for k in played.backend.history[-2:])
    found = ask(played, "check_network_state")
    assert [s["slice"] for s in found["slices"]] == [row["slice"] for row in now]
    for number, (state, old, new) in enumerate(zip(found["slices"], before, now, strict=True)):
        assert state["index"] == number
        assert check(state, new) == 6
        for name, change in state["change"].items():
            known = old[name] is not None and new[name] is not None
            expected = new[name] - old[name] if known else None
            assert change == (None if expected is None else pytest.approx(expected, rel=1e-5))


def test_cell_kpis_are_last_mean_and_count(played: Environment) -> None:
    for cell, n in itertools.product(played.backend.scenario.cell_ids[:4], (1, 3, MAX_WINDOW)):
        found = ask(played, "get_cell_kpis", cell=cell, window=n)
        window = played.backend.history[-n:]
        assert found["intervals"] == len(window) == min(n, played.backend.interval)
        rows = [k.rows("cell", cell=cell)[0] for k in window]
        assert check(found["last"], rows[-1]) == len(found["last"])
        for name, value in found["mean"].items():
            known = [row[name] for row in rows if row[name] is not None]
            assert value == near(sum(known) / len(known) if known else None)
        for name, value in found["events"].items():
            assert value == sum(row[name] for row in rows)
        assert found["state"] == rows[-1]["state"]


SORTED = {
    "throughput": lambda r: r["dl_throughput_mbps"] + r["ul_throughput_mbps"],
    "sinr": lambda r: r["dl_sinr_db"],
    "rsrp": lambda r: r["rsrp_dbm"],
    "latency": lambda r: max(
        (r[f"{d}_latency_ms"] for d in ("dl", "ul") if r[f"{d}_latency_ms"] is not None),
        default=None,
    ),
}


def test_users_are_filtered_sorted_and_cut(played: Environment) -> None:
    rows = {row["ue"]: row for row in played.backend.history[-1].rows("ue")}
    whole = ask(played, "list_ues", limit=MAX_LIMIT)
    assert [ue["ue"] for ue in whole["items"]] == list(rows)
    for ue in whole["items"]:
        assert check(ue, rows[ue["ue"]]) == len(ue)
    for sort, order in itertools.product(SORTED, ("ascending", "descending")):
        found = ask(played, "list_ues", sort=sort, order=order, limit=MAX_LIMIT)["items"]
        values = [SORTED[sort](rows[ue["ue"]]) for ue in found]
        known = [value for value in values if value is not None]
        assert known == sorted(known, reverse=order == "descending")
        assert values[: len(known)] == known
        assert len(found) == len(rows)
    where = {key: whole["items"][0][key] for key in ("cell", "slice")}
    expected = [u for u, row in rows.items() if all(row[k] == v for k, v in where.items())]
    some = ask(played, "list_ues", **where, limit=1)
    assert (some["total"], some["shown"]) == (len(expected), 1)
    assert [ue["ue"] for ue in some["items"]] == expected[:1]


def test_telemetry_and_velocity(played: Environment) -> None:
    backend = played.backend
    seconds = backend.scenario.interval_ms * 1e-3
    for ue, group in zip(backend.scenario.ue_ids, backend.scenario.ue_groups, strict=True):
        found = ask(played, "read_telemetry", ue=ue)
        before, now = (k.rows("ue", ue=ue)[0] for k in backend.history[-2:])
        assert check(found, now) == 8
        for axis in "xyz":
            moved_m = now[f"{axis}_m"] - before[f"{axis}_m"]
            assert found[f"v{axis}_mps"] == pytest.approx(moved_m / seconds, rel=1e-5)
        assert (found["waypoint"] is not None) == (group.mobility.kind == "uav")
        assert (found["battery_pct"] is not None) == (group.mobility.kind == "uav")
        flows = backend.history[-1].rows("flow", ue=ue)
        assert [(f["flow"], f["direction"]) for f in found["flows"]] == [
            (row["flow"], row["direction"]) for row in flows
        ]
        for flow, row in zip(found["flows"], flows, strict=True):
            assert check(flow, row) == len(flow)
        for application in found["applications"]:
            name = application["application"]
            (row,) = backend.history[-1].rows("application", application=name)
            assert check(application, row) == len(application)


def test_signal_over_time_and_neighbours(played: Environment) -> None:
    history = played.backend.history
    for ue in played.backend.scenario.ue_ids[:9]:
        found = ask(played, "get_signal_strength", ue=ue, window=3)
        assert found["intervals"] == 3
        for signal, kpis in zip(found["series"], history[-3:], strict=True):
            assert (signal["interval"], signal["time_ms"]) == (kpis.interval, kpis.time_ms)
            assert check(signal, kpis.rows("ue", ue=ue)[0]) == 5
        scan = ask(played, "scan_available_gnbs", ue=ue)
        own = history[-1].rows("ue", ue=ue)[0]
        assert scan["serving"]["cell"] == own["cell"]
        heard = history[-1].rows("neighbour", ue=ue)
        assert [c["cell"] for c in scan["neighbours"]] == [row["cell"] for row in heard]
        levels = [c["rsrp_dbm"] for c in scan["neighbours"]]
        assert levels == sorted(levels, reverse=True)
        for cell, row in zip(scan["neighbours"], heard, strict=True):
            assert cell["rsrp_dbm"] == near(row["rsrp_dbm"])
            above_db = row["rsrp_dbm"] - own["rsrp_dbm"]
            assert cell["above_serving_db"] == pytest.approx(above_db, abs=2e-3)
            assert check(cell, history[-1].rows("cell", cell=cell["cell"])[0]) == 5


def test_link_quality_is_given_by_direction(played: Environment) -> None:
    rows = played.backend.history[-1].rows("link")
    found = ask(played, "check_link_quality", limit=MAX_LIMIT)
    assert found["total"] == len(rows) == 2 * len(played.backend.scenario.links)
    for link, row in zip(found["items"], rows, strict=True):
        assert check(link, row) == len(link)
    one = ask(played, "check_link_quality", link=rows[0]["link"])["items"]
    assert [(d["from_node"], d["to_node"]) for d in one] == [
        (rows[0]["from_node"], rows[0]["to_node"]),
        (rows[0]["to_node"], rows[0]["from_node"]),
    ]


def test_interference_follows_from_measurements(played: Environment) -> None:
    """The documented formula, worked out pair by pair."""
    scenario, kpis = played.backend.scenario, played.backend.history[-1]
    cells = {row["cell"]: row for row in kpis.rows("cell")}
    users = {row["ue"]: row for row in kpis.rows("ue")}
    heard = kpis.rows("neighbour")
    scs_hz = 15e3 * 2 ** scenario.carriers[0].numerology
    elements = 12 * scenario.carriers[0].resource_blocks
    noise_ue_mw = 10 ** ((-174 + scenario.radio.noise_figure_ue_db) / 10) * scs_hz
    noise_gnb_mw = 10 ** ((-174 + scenario.radio.noise_figure_gnb_db) / 10) * 180e3
    for name, cell in cells.items():
        found = ask(played, "monitor_interference", cell=name, window=1)
        assert found["ul_iot_db"] == pytest.approx(cell["ul_iot_db"], rel=1e-5, abs=1e-6)
        members = [u for u, row in users.items() if row["cell"] == name]
        down: dict[str, float] = {}
        up: dict[str, float] = {}
        for pair in heard:
            user, other = users[pair["ue"]], pair["cell"]
            level_mw = 10 ** (pair["rsrp_dbm"] / 10)
            if pair["ue"] in members:
                load = cells[other]["dl_prb_util_pct"] / 100
                part = level_mw * load / noise_ue_mw / len(members)
                down[other] = down.get(other, 0) + part
            if other == name:
                serving = cells[user["cell"]]
                per_element = 10 * math.log10(elements)
                loss_db = serving["tx_power_dbm"] - per_element - user["rsrp_dbm"]
                power_dbm = scenario.radio.ul_p0_dbm + scenario.radio.ul_alpha * loss_db
                power_dbm = min(power_dbm, scenario.radio.ue_max_power_dbm)
                to_cell_db = cell["tx_power_dbm"] - per_element - pair["rsrp_dbm"]
                part = 10 ** ((power_dbm - to_cell_db) / 10) / noise_gnb_mw
                part *= user["ul_prb_util_pct"] / 100
                up[user["cell"]] = up.get(user["cell"], 0) + part
        if members:
            total_db = 10 * math.log10(1 + sum(down.values()))
            assert found["dl_iot_db"] == pytest.approx(total_db, rel=1e-5, abs=1e-9)
        else:
            assert found["dl_iot_db"] is None
        for direction, parts in (("dl", down), ("ul", up)):
            loud = {n: p for n, p in parts.items() if p > 0}
            listed = found[f"{direction}_contributors"]
            loudest = sorted(loud, key=lambda n: -loud[n])[:8]
            assert [c["cell"] for c in listed] == loudest
            for contributor in listed:
                part = loud[contributor["cell"]]
                over_db = contributor["interference_over_thermal_db"]
                assert over_db == pytest.approx(10 * math.log10(part), rel=1e-5, abs=1e-5)
                assert contributor["share_pct"] == near(100 * part / sum(loud.values()))


def test_handovers_are_counted_and_pending_users_listed(played: Environment) -> None:
    history = played.backend.history
    cells = played.backend.scenario.cell_ids
    for cell, n in itertools.product((None, cells[0]), (2, MAX_WINDOW)):
        wanted = {} if cell is None else {"cell": cell}
        found = ask(played, "check_handover_status", **wanted, window=n)
        rows = [row for k in history[-n:] for row in k.rows("cell", **wanted)]
        assert found["intervals"] == min(n, len(history))
        assert found["attempts"] == sum(row["ho_attempts"] for row in rows)
        done = sum(row["ho_successes"] for row in rows)
        failed = sum(row["ho_failures"] for row in rows)
        assert (found["successes"], found["failures"]) == (done, failed)
        assert found["ping_pongs"] == sum(row["ho_ping_pongs"] for row in rows)
        assert found["radio_link_failures"] == sum(row["rlf"] for row in rows)
        ended = done + failed
        assert found["success_pct"] == near(100 * done / ended if ended else None)
        waiting = [r["ue"] for r in history[-1].rows("ue", **wanted) if r["state"] != "connected"]
        assert found["pending"]["total"] == len(waiting)
        assert [ue["ue"] for ue in found["pending"]["items"]] == waiting[:20]
    for ue in played.backend.scenario.ue_ids[:5]:
        found = ask(played, "check_handover_status", ue=ue, window=MAX_WINDOW)
        assert found["successes"] == sum(k.rows("ue", ue=ue)[0]["handovers"] for k in history)
        assert found["attempts"] is None
    both = played.call("check_handover_status", {"ue": "u0", "cell": "c0"})
    assert both.content["code"] == "bad_arguments"


def test_slice_status_and_its_sla(played: Environment) -> None:
    scenario, kpis = played.backend.scenario, played.backend.history[-1]
    for status in ask(played, "get_slice_status", limit=MAX_LIMIT)["slices"]:
        name = status["slice"]
        own = next(s for s in scenario.slices if s.name == name)
        (network,) = kpis.rows("network", slice=name)
        assert check(status["kpis"], network) == len(status["kpis"])
        assert status["degradation"] == network["degradation"]
        assert status["members"]["total"] == network["users"]
        rows = kpis.rows("slice", slice=name)
        assert status["cells"]["total"] == len(rows)
        for cell, row in zip(status["cells"]["items"], rows, strict=True):
            assert check(cell, row) == len(cell)
        terms = {term["name"]: term for term in status["sla"]}
        assert ("guaranteed_rate" in terms) == (own.qos.guaranteed_mbps > 0)
        latency = terms["latency"]
        assert latency["target"] == status["delay_budget_ms"] == own.qos.delay_budget_ms
        assert latency["achieved"] == near(network["latency_ms"])
        if network["latency_ms"] is not None:
            assert latency["holds"] == (network["latency_ms"] <= own.qos.delay_budget_ms)
        assert status["sla_holds"] == all(term["holds"] for term in status["sla"])


def test_flows_have_promises_and_what_they_got(played: Environment) -> None:
    kpis, interval_ms = played.backend.history[-1], played.backend.scenario.interval_ms
    for where in ({}, {"slice": examples(played)["slice"]}, {"ue": "u1"}):
        rows = kpis.rows("flow", **where)
        found = ask(played, "get_qos_flows", **where, limit=MAX_LIMIT)
        assert found["total"] == len(rows)
        for flow, row in zip(found["items"], rows, strict=False):
            assert check(flow, row) == len(flow) - 1
            assert flow["sent_mbps"] == near(row["sent_bits"] / interval_ms / 1e3)


def test_edge_load_and_placed_applications(played: Environment) -> None:
    kpis, edge = played.backend.history[-1], played.backend.scenario.edge
    assert edge is not None
    found = ask(played, "get_edge_load")["sites"]
    assert [site["site"] for site in found] == [site.name for site in edge.sites]
    for site in found:
        (row,) = kpis.rows("edge", site=site["site"])
        assert check(site, row, but=("applications",)) == 9
        placed = [a["application"] for a in site["applications"]]
        assert ",".join(placed) == row["applications"]
        for application in site["applications"]:
            (row,) = kpis.rows("application", application=application["application"])
            assert check(application, row) == len(application) - 1
        assert ask(played, "get_edge_load", site=site["site"])["sites"] == [site]


def test_energy_adds_up(played: Environment) -> None:
    history, seconds = played.backend.history, played.backend.scenario.interval_ms * 1e-3
    found = ask(played, "get_energy_report", window=3, limit=MAX_LIMIT)
    every = [row for k in history[-3:] for row in k.rows("cell")]
    total = found["total"]
    assert total["energy_j"] == near(sum(row["energy_j"] for row in every))
    assert total["power_w"] == near(sum(row["energy_j"] for row in every) / 3 / seconds)
    assert total["sleep_pct"] == near(float(np.mean([row["sleep_pct"] for row in every])))
    powers = [cell["power_w"] for cell in found["cells"]["items"]]
    assert powers == sorted(powers, reverse=True)
    assert sum(powers) == near(total["power_w"])
    for cell in found["cells"]["items"]:
        last = ask(played, "get_energy_report", cell=cell["cell"], window=1)
        (row,) = history[-1].rows("cell", cell=cell["cell"])
        (only,) = last["cells"]["items"]
        assert check(only, row) == len(only)
        assert {k: only[k] for k in last["total"]} == last["total"]


def test_alarms_and_changes(played: Environment) -> None:
    rows = played.backend.history[-1].rows("alarm")
    ranks = ("critical", "major", "minor", "warning")
    for number, severity in enumerate(ranks):
        found = ask(played, "list_alarms", min_severity=severity, limit=MAX_LIMIT)
        wanted = [row for row in rows if row["severity"] in ranks[: number + 1]]
        active = {row["alarm"]: row for row in wanted if row["cleared_ms"] is None}
        assert {alarm["alarm"] for alarm in found["active"]["items"]} == set(active)
        for alarm in found["active"]["items"]:
            assert check(alarm, active[alarm["alarm"]]) == len(alarm)
        severities = [ranks.index(alarm["severity"]) for alarm in found["active"]["items"]]
        assert severities == sorted(severities)
        assert set(found["cleared"]) == {r["alarm"] for r in wanted} - set(active)
    undo, change = found["recent_changes"]
    assert (undo["tool"], undo["undoes"]) == ("rollback_change", change["change_id"])
    assert (change["tool"], change["rolled_back"]) == ("set_cell_tx_power", True)
    assert change["settings"]["items"] == [
        {
            "path": "cells.c0.tx_power_dbm",
            "before": played.backend.scenario.carriers[0].tx_power_dbm,
            "after": 30,
        }
    ]
    if played.backend.scenario.name == "disaster_degradation":
        assert "cell_outage:c3" in {alarm["alarm"] for alarm in found["active"]["items"]}


def test_computed_uplink_interference_is_about_what_is_measured(played: Environment) -> None:
    errors_db = []
    for cell in played.backend.scenario.cell_ids:
        found = ask(played, "monitor_interference", cell=cell, window=MAX_WINDOW)
        parts = [c["interference_over_thermal_db"] for c in found["ul_contributors"]]
        computed_db = 10 * math.log10(1 + sum(10 ** (part / 10) for part in parts))
        errors_db.append(computed_db - found["ul_iot_db"])
    assert abs(float(np.median(errors_db))) < 1.5
