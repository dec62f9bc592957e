# SPDX-License-Identifier: Apache-2.0
"""What all reasoning tools promise: typed answers, bounds, names in scope, and no trace."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pyarrow as pa
import pytest

from env.backends.base import BackendName, Futures
from env.environment import Environment
from env.errors import ToolError
from env.kpis import Kpis
from env.tools import TOOLS
from env.tools.base import Result
from env.view import Scope
from ns3_scenarios.kpi import TABLES

Network = Callable[[BackendName, str], Environment]

REASONING = [tool for tool in TOOLS.values() if tool.effect == "reasoning"]
QUIETER = {"tool": "set_cell_tx_power", "arguments": {"cell": "c0", "tx_power_dbm": 30.0}}
FAST = {"kind": "kpi", "table": "network", "kpi": "latency_ms", "slice": "urllc"}
IN_QUICKSTART: dict[str, dict[str, Any]] = {
    "predict_kpis": {"changes": [QUIETER], "horizon": 1},
    "predict_sla_violation": {"slice": "urllc", "horizon": 1},
    "verify_sla_compliance": {"slice": "urllc", "window": 2},
    "forecast_traffic": {"cell": "c0", "horizon": 1},
    "evaluate_intent_feasibility": {
        "intent": [{**FAST, "comparison": "<=", "value": 1000.0}],
        "horizon": 1,
    },
    "risk_assessment": {"changes": [QUIETER]},
    "select_recovery_strategy": {"alarm": "link_cut:trunk"},
    "select_offload_target": {"application": "vision"},
    "check_migration_feasibility": {"application": "vision", "site": "cloud"},
    "compute_path": {"from": "s0", "to": "cloud"},
    "compute_energy_budget": {"cells": ["c0"], "horizon": 1},
}
IN_UAV_CORRIDOR: dict[str, dict[str, Any]] = {
    "path_planning": {"ue": "u0", "x_m": 300.0, "y_m": 0.0, "z_m": 60.0},
    "compute_energy_budget": {"ue": "u0", "horizon": 1},
}
PLACES: dict[str, dict[str, dict[str, Any]]] = {
    "cut": IN_QUICKSTART,
    "uav_corridor": IN_UAV_CORRIDOR,
}

SLOW = (
    "risk_assessment",
    "select_recovery_strategy",
    "select_offload_target",
    "check_migration_feasibility",
)
"""Tools of many futures, which modules of their own ask on live NS-3."""


def arrow(environment: Environment) -> dict[str, pa.Table]:
    return {name: environment.view().now.to_arrow(name) for name in TABLES}


def test_the_examples_are_of_every_tool() -> None:
    assert {*IN_QUICKSTART, *IN_UAV_CORRIDOR} == {tool.name for tool in REASONING}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("backend", ["surrogate", "ns3"])
def test_calls_answer_as_typed_and_leave_no_trace(
    fresh: Network, backend: BackendName, place: str
) -> None:
    """State, clock and random streams: the next interval is that of a network never asked."""
    with fresh(backend, place) as asked, fresh(backend, place) as twin:
        before = asked.backend.state_hash(), asked.backend.interval, asked.backend.controls
        for name, arguments in PLACES[place].items():
            if backend == "ns3" and name in SLOW:
                continue
            answer = asked.call(name, arguments)
            assert answer.ok, answer.content
            text = json.dumps(answer.content, allow_nan=False)
            result = TOOLS[name].result
            assert result
            assert json.loads(result.model_validate_json(text).model_dump_json()) == answer.content
        assert (
            asked.backend.state_hash(),
            asked.backend.interval,
            asked.backend.controls,
        ) == before
        for environment in (asked, twin):
            environment.run_on()
        assert arrow(asked) == arrow(twin)


@pytest.mark.parametrize("tool", REASONING, ids=lambda tool: tool.name)
def test_schemas_describe_every_argument_and_take_the_examples(tool: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(tool.schema)
    assert tool.schema["additionalProperties"] is False
    for name, field in tool.schema["properties"].items():
        assert field.get("description"), name
    for examples in PLACES.values():
        if tool.name in examples:
            jsonschema.validate(examples[tool.name], tool.schema)
    assert tool.description.split("\n\n")[-1].startswith("Errors:")


def bounded(schema: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str, float]]:
    """Places of a schema's numbers that have bounds, and the bounds."""
    for option in (schema, *schema.get("anyOf", ())):
        for bound in ("minimum", "maximum"):
            if bound in option:
                yield at, bound, option[bound]
        for name, below in option.get("properties", {}).items():
            yield from bounded(below, (*at, name))


@pytest.mark.parametrize("tool", REASONING, ids=lambda tool: tool.name)
def test_numbers_are_taken_up_to_their_bounds_and_refused_beyond(tool: Any) -> None:
    example = next(e[tool.name] for e in PLACES.values() if tool.name in e)
    for (name,), bound, limit in bounded(tool.schema):
        tool.parse({**example, name: limit})
        beyond = limit + (1 if bound == "maximum" else -1)
        with pytest.raises(Exception, match=name) as caught:
            tool.parse({**example, name: beyond})
        assert caught.value.answer()["code"] == "bad_arguments"
        assert f"{limit:g}" in caught.value.answer()["allowed"]


UNKNOWN: list[tuple[str, dict[str, Any], str, str]] = [
    ("predict_sla_violation", {"slice": "gold"}, "no_such_element", "slice"),
    ("verify_sla_compliance", {"slice": "gold"}, "no_such_element", "slice"),
    ("forecast_traffic", {"cell": "c99"}, "no_such_element", "cell"),
    ("forecast_traffic", {"slice": "gold"}, "no_such_element", "slice"),
    ("forecast_traffic", {"cell": "c0", "slice": "embb"}, "bad_arguments", ""),
    ("forecast_traffic", {}, "bad_arguments", ""),
    ("select_recovery_strategy", {"alarm": "fire:c0"}, "no_such_element", "alarm"),
    ("select_offload_target", {"application": "chess"}, "no_such_element", "application"),
    (
        "check_migration_feasibility",
        {"application": "vision", "site": "moon"},
        "no_such_element",
        "site",
    ),
    (
        "check_migration_feasibility",
        {"application": "vision", "site": "mec"},
        "not_allowed",
        "site",
    ),
    ("compute_path", {"from": "s0", "to": "moon"}, "no_such_element", "to"),
    ("compute_path", {"from": "s0", "to": "s0"}, "bad_arguments", ""),
    ("compute_path", {"from": "s0", "to": "core", "avoid": ["x"]}, "no_such_element", "avoid.0"),
    ("compute_path", {"from_node": "s0", "to": "core"}, "bad_arguments", "from"),
    ("compute_energy_budget", {"cells": ["c0", "c99"]}, "no_such_element", "cells.1"),
    ("compute_energy_budget", {"cells": ["c0", "c0"]}, "bad_arguments", ""),
    ("compute_energy_budget", {"cells": ["c0"], "ue": "u0"}, "bad_arguments", ""),
    ("compute_energy_budget", {"ue": "u0"}, "no_such_element", "ue"),
    ("path_planning", {"ue": "u0", "x_m": 0.0, "y_m": 0.0, "z_m": 9.0}, "no_such_element", "ue"),
    ("risk_assessment", {"changes": []}, "bad_arguments", "changes"),
    (
        "predict_kpis",
        {"changes": [{"tool": "get_topology", "arguments": {}}]},
        "bad_arguments",
        "changes.0.tool",
    ),
    (
        "predict_kpis",
        {"changes": [QUIETER, {**QUIETER, "arguments": {"cell": "c99", "tx_power_dbm": 30}}]},
        "no_such_element",
        "changes.1.arguments",
    ),
    (
        "risk_assessment",
        {"changes": [{"tool": "rollback_change", "arguments": {"change_id": "c9"}}]},
        "no_such_element",
        "changes.0.arguments",
    ),
]


@pytest.mark.parametrize(("tool", "arguments", "code", "argument"), UNKNOWN)
def test_what_does_not_exist_is_refused_by_name(
    network: Network,
    refused: Callable[..., Any],
    tool: str,
    arguments: dict[str, Any],
    code: str,
    argument: str,
) -> None:
    found = refused(network("surrogate", "quickstart"), tool, **arguments)
    assert (found["code"], found.get("argument", "")) == (code, argument)


def test_what_is_out_of_scope_is_neither_taken_nor_told(network: Network) -> None:
    environment = network("surrogate", "quickstart")
    scope = Scope(elements=frozenset({"c0", "embb"}))
    for tool, arguments in (
        ("predict_sla_violation", {"slice": "urllc"}),
        ("compute_energy_budget", {"cells": ["c1"]}),
        (
            "risk_assessment",
            {"changes": [{**QUIETER, "arguments": {"cell": "c1", "tx_power_dbm": 9}}]},
        ),
    ):
        answer = environment.call(tool, arguments, scope=scope)
        assert answer.content["code"] == "no_such_element"
    told = environment.call("predict_kpis", {"horizon": 1}, scope=scope).content
    assert [s["slice"] for s in told["intervals"][0]["slices"]] == ["embb"]
    assert [c["cell"] for c in told["cells"]] == ["c0"]
    told = environment.call("risk_assessment", {"changes": [QUIETER]}, scope=scope).content
    assert {m["element"] for m in told["moved"]} <= {"c0", "embb"}


KNOWN = ("slice", "cell", "ue", "link", "site", "application", "alarm", "element", "cause")


def blind(kpis: Kpis) -> Kpis:
    """The same with names alone, all else missing."""

    def names(table: str) -> dict[str, Any]:
        columns = [column.name for column in TABLES[table] if column.name in KNOWN]
        return {name: kpis.column(table, name) for name in columns}

    return Kpis(kpis.interval, kpis.time_ms, names)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("past_is_known", [True, False])
def test_where_nothing_is_known_tools_say_so(
    network: Network, place: str, past_is_known: bool
) -> None:
    environment = network("surrogate", place)

    def foresee(*asked: Any) -> Futures:
        found = environment.backend.futures(*asked)
        draws = [[blind(kpis) for kpis in draw] for draw in found.draws]
        return dataclasses.replace(found, draws=draws)

    view = environment.view()
    history = view.history if past_is_known else [blind(kpis) for kpis in view.history]
    view = dataclasses.replace(view, history=history, foresee=foresee)
    refusals: dict[str, str] = {}
    for name, arguments in PLACES[place].items():
        tool = TOOLS[name]
        try:
            result = tool.run(view, tool.parse(arguments))
        except ToolError as error:
            refusals[name] = error.code
            continue
        assert isinstance(result, Result)
        content = result.model_dump(mode="json")
        json.dumps(content, allow_nan=False)
        if name == "verify_sla_compliance" and not past_is_known:
            assert content["compliant"] is None
        if name == "evaluate_intent_feasibility":
            assert content["verdict"] == "unknown"
        if name == "predict_sla_violation":
            assert content["probability"] is None
    if not past_is_known:
        assert refusals.pop("select_recovery_strategy", "") in ("", "no_such_element")
    assert set(refusals.values()) <= {"unavailable"}
