# SPDX-License-Identifier: Apache-2.0
"""Shared knowledge of the loop: what answers of tools say of each element, as flat records.

A record is a mapping of facts by name, with the names and units of the answers. Kinds of elements
are the keys of `FIELDS`; `SOURCES` says which tool tells of which.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from env.tools import TOOLS

Record = dict[str, Any]
Answer = dict[str, Any]

LONG = {"limit": 100}
"""Most entries that are asked for."""
SLA_WINDOW = 10
"""Reporting intervals over which promises of slices are judged: one alone varies a lot."""
MOST_ASKED = 9
"""Elements of a kind that are asked for one by one in a cycle: the fullest cells, the weakest
users."""
CONTROLS = {
    "tx_power_dbm", "tilt_deg", "scheduler", "target_bler", "wake_prb_pct", "a3_offset_db",
    "hysteresis_db", "ttt_ms",
}  # fmt: skip
"""Facts of cells that get_cell_config tells, besides the width of their carrier."""
WITH = {
    "share": ("slice", "cell"),
    "application": ("site", "slice"),
    "ue": ("cell", "slice"),
    "flow": ("slice",),
}
"""Records of what an element belongs to, which conditions may read as well."""
PLURALS = {
    "slice": "slices", "share": "shares", "cell": "cells", "ue": "ues", "link": "links",
    "site": "sites", "application": "applications", "alarm": "alarms", "change": "changes",
    "flow": "flows", "radio_site": "radio_sites",
}  # fmt: skip
LISTS = tuple(PLURALS.values())
"""Names of the lists of all records of a kind."""


class Facts:
    """All records, by kind and name."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Record]] = {kind: {} for kind in PLURALS}
        self.before: dict[str, dict[str, Record]] = {kind: {} for kind in PLURALS}

    def begin(self) -> None:
        """A new cycle: what is known becomes what was; what comes and goes is forgotten."""
        self.before = {
            kind: {name: dict(one) for name, one in named.items()}
            for kind, named in self.records.items()
        }
        for kind in ("alarm", "change", "flow"):
            self.records[kind] = {}

    def learn(self, tool: str, answer: Answer) -> None:
        """Take over what a tool has answered."""
        SOURCES[tool].take(self, answer)

    def add(self, kind: str, name: str, facts: Record) -> None:
        """Set facts of an element."""
        self.records[kind].setdefault(name, {}).update(facts)

    def names(self, kind: str, name: str) -> dict[str, Any]:
        """What an expression about an element may read: its record, those it belongs to, lists."""
        own = self.records[kind][name]
        found: dict[str, Any] = {
            PLURALS[k]: list(named.values()) for k, named in self.records.items()
        }
        for other in WITH.get(kind, ()):
            found[other] = self.records[other].get(str(own.get(other)), {})
        return found | {kind: own, "before": self.before[kind].get(name, {})}

    def asked_one_by_one(self, kind: str, uavs: Iterable[str], tool: str) -> list[str]:
        """Elements of a kind of which a tool is asked that answers for one of them."""
        if tool == "read_telemetry":
            return list(uavs)[:MOST_ASKED]
        found = self.records[kind]
        if kind == "slice":
            return list(found)
        order: Callable[[str], float]
        if kind == "cell":
            use = dict.fromkeys(found, 0.0)
            for share in self.records["share"].values():
                use[share["cell"]] = use.get(share["cell"], 0.0) + (share["dl_prb_util_pct"] or 0)
            order = lambda name: -use[name]  # noqa: E731
        else:
            order = lambda name: found[name]["rsrp_dbm"] or -200.0  # noqa: E731
        return sorted(found, key=order)[:MOST_ASKED]


@dataclass(frozen=True)
class Source:
    """How a tool tells of elements."""

    take: Callable[[Facts, Answer], None]
    per: str = ""
    """Kind of element that is asked for one by one; empty where one answer tells of all."""
    argument: str = ""
    arguments: Record | None = None


def _topology(facts: Facts, answer: Answer) -> None:
    for one in (answer["sites"] or {"items": ()})["items"]:
        facts.add("radio_site", one["site"], one)
    for one in (answer["cells"] or {"items": ()})["items"]:
        facts.add("cell", one["cell"], one)
    for one in (answer["links"] or {"items": ()})["items"]:
        for direction in (one["ends"], one["ends"][::-1]):
            name = f"{one['link']} from {direction[0]}"
            built = {"built_mbps": one["rate_mbps"], "built_ms": one["delay_ms"]}
            facts.add("link", name, built | {"link": one["link"], "ends": one["ends"]})
    for one in (answer["applications"] or {"items": ()})["items"]:
        facts.add("application", one["application"], one)


def _slices(facts: Facts, answer: Answer) -> None:
    for one in answer["slices"]:
        plain = {k: v for k, v in one.items() if k not in ("cells", "kpis", "members", "sla")}
        name = one["slice"]
        facts.add("slice", name, plain | one["kpis"] | {"members": one["members"]["items"]})
        for cell in one["cells"]["items"]:
            facts.add("share", f"{name} in {cell['cell']}", cell | {"slice": name})
    shares = facts.records["share"].values()
    for share in shares:
        others = [o for o in shares if o["cell"] == share["cell"] and o is not share]
        promised = sum(o["min_pct"] or 0 for o in others)
        used = [o["dl_prb_util_pct"] or 0 for o in (*others, share)]
        share |= {"free_pct": max(0.0, 100 - promised), "cell_prb_util_pct": sum(used)}


def _sla(facts: Facts, answer: Answer) -> None:
    for term in answer["terms"]:
        if term["name"] == "within_budget":
            facts.add("slice", answer["slice"], {"kept_budget_pct": term["achieved"]})


def _links(facts: Facts, answer: Answer) -> None:
    for one in answer["items"]:
        facts.add("link", f"{one['link']} from {one['from_node']}", one)


def _edge(facts: Facts, answer: Answer) -> None:
    for one in answer["sites"]:
        plain = {k: v for k, v in one.items() if k != "applications"}
        facts.add("site", one["site"], plain | {"n_applications": len(one["applications"])})
        for application in one["applications"]:
            facts.add(
                "application", application["application"], application | {"site": one["site"]}
            )


def _energy(facts: Facts, answer: Answer) -> None:
    for one in answer["cells"]["items"]:
        facts.add("cell", one["cell"], one)


def _alarms(facts: Facts, answer: Answer) -> None:
    for one in answer["active"]["items"]:
        facts.add("alarm", one["alarm"], one)
    for age, one in enumerate(answer["recent_changes"]):
        facts.add("change", one["change_id"], one | {"age": age})


def _users(facts: Facts, answer: Answer) -> None:
    for one in answer["items"]:
        facts.add("ue", one["ue"], one)


def _flows(facts: Facts, answer: Answer) -> None:
    for one in answer["items"]:
        facts.add("flow", f"{one['flow']} {one['direction']} of {one['ue']}", one)


def _config(facts: Facts, answer: Answer) -> None:
    found: Record = {}
    for control in answer["controls"]:
        _, _, *rest = control["path"].split(".")
        if rest[-1] in CONTROLS:
            found[rest[-1]] = control["value"]
        elif rest[-1] in ("bandwidth_mhz", "numerology"):
            found[rest[-1]] = control["value"]
            if rest[-1] == "bandwidth_mhz":
                found["carrier_mhz"] = control["maximum"]
    facts.add("cell", answer["cell"], found)


def _cell_kpis(facts: Facts, answer: Answer) -> None:
    facts.add("cell", answer["cell"], answer["mean"] | answer["events"])


def _interference(facts: Facts, answer: Answer) -> None:
    found: Record = {"dl_iot_db": answer["dl_iot_db"]}
    for direction in ("dl", "ul"):
        worst = answer[f"{direction}_contributors"][:1] or [{}]
        found[f"{direction}_interferer"] = worst[0].get("cell")
        found[f"{direction}_interferer_pct"] = worst[0].get("share_pct")
    facts.add("cell", answer["cell"], found)


def _telemetry(facts: Facts, answer: Answer) -> None:
    plain = {k: v for k, v in answer.items() if k not in ("flows", "applications", "waypoint")}
    there = {f"to_{k}": v for k, v in (answer["waypoint"] or {}).items()}
    facts.add("ue", answer["ue"], plain | there)


def _neighbours(facts: Facts, answer: Answer) -> None:
    heard = [n for n in answer["neighbours"] if n["state"] in ("on", "micro", "light", None)]
    best: Record = max(heard, key=lambda n: n["above_serving_db"] or -200.0, default={})
    facts.add(
        "ue",
        answer["ue"],
        {
            "best_neighbour": best.get("cell"),
            "neighbour_above_db": best.get("above_serving_db"),
            "neighbour_prb_util_pct": best.get("dl_prb_util_pct"),
        },
    )


SOURCES = {
    "get_topology": Source(_topology, arguments={"scope": "all"} | LONG),
    "list_alarms": Source(_alarms, arguments=LONG),
    "get_slice_status": Source(_slices, arguments=LONG),
    "verify_sla_compliance": Source(
        _sla, per="slice", argument="slice", arguments={"window": SLA_WINDOW}
    ),
    "check_link_quality": Source(_links, arguments=LONG),
    "get_edge_load": Source(_edge),
    "get_energy_report": Source(_energy, arguments=LONG),
    "list_ues": Source(_users, arguments=LONG),
    "get_qos_flows": Source(_flows, arguments=LONG),
    "get_cell_config": Source(_config, per="cell", argument="cell"),
    "get_cell_kpis": Source(_cell_kpis, per="cell", argument="cell"),
    "monitor_interference": Source(_interference, per="cell", argument="cell"),
    "read_telemetry": Source(_telemetry, per="ue", argument="ue"),
    "scan_available_gnbs": Source(_neighbours, per="ue", argument="ue"),
}
"""Tools that are monitored by, those that answer for all elements at once first."""


def _models(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Models of parts of an answer, by name, whatever they are nested in."""
    found = {}
    for field in model.model_fields.values():
        todo = [field.annotation]
        while todo:
            kind = todo.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found[kind.__name__] = kind
                found |= _models(kind)
            todo += get_args(kind)
    return found


def _fields(tool: str, *models: str, without: Iterable[str] = ()) -> set[str]:
    result = TOOLS[tool].result
    assert result is not None
    known = {result.__name__: result} | _models(result)
    return {f for m in models for f in known[m].model_fields} - set(without)


FIELDS: dict[str, set[str]] = {
    "slice": _fields("get_slice_status", "SliceStatus", "SliceKpis", without=("kpis", "cells"))
    | {"kept_budget_pct"},
    "share": _fields("get_slice_status", "SliceInCell")
    | {"slice", "free_pct", "cell_prb_util_pct"},
    "cell": _fields("get_topology", "CellPlace")
    | _fields("get_energy_report", "CellEnergy")
    | _fields("get_cell_kpis", "CellMeasures", "CellEvents")
    | CONTROLS
    | {"carrier_mhz", "dl_iot_db"}
    | {f"{d}_interferer{end}" for d in ("dl", "ul") for end in ("", "_pct")},
    "ue": _fields("list_ues", "UserSummary")
    | _fields("read_telemetry", "Telemetry", without=("flows", "applications", "waypoint"))
    | {"to_x_m", "to_y_m", "to_z_m", "to_speed_mps"}
    | {"best_neighbour", "neighbour_above_db", "neighbour_prb_util_pct"},
    "link": _fields("check_link_quality", "LinkDirection") | {"built_mbps", "built_ms", "ends"},
    "site": _fields("get_edge_load", "EdgeLoad", without=("applications",)) | {"n_applications"},
    "application": _fields("get_edge_load", "PlacedApplication")
    | _fields("get_topology", "ApplicationPlace"),
    "alarm": _fields("list_alarms", "Alarm"),
    "change": _fields("list_alarms", "RecentChange") | {"age"},
    "flow": _fields("get_qos_flows", "QosFlow"),
    "radio_site": _fields("get_topology", "SiteOfCells"),
}
"""Facts of each kind of element."""


def words(intent: str) -> dict[str, Callable[..., Any]]:
    """Functions of expressions about what is asked for.

    Args:
        intent: of the task.
    """
    text = intent.lower()

    def about(*any_of: str) -> bool:
        """Whether a word is in the intent."""
        return any(re.search(rf"\b{re.escape(word)}", text) for word in any_of)

    def asked(unit: str) -> float | None:
        """The first number of that unit in the intent."""
        found = re.search(rf"(-?\d+(?:\.\d+)?)\s*{re.escape(unit.lower())}\b", text)
        return float(found[1]) if found else None

    return {"about": about, "asked": asked}


FUNCTIONS = tuple(words(""))
