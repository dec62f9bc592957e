# SPDX-License-Identifier: Apache-2.0
"""Networks with something behind the radio, and what must hold in each of their intervals."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from ns3_scenarios.controls import ControlChange
from ns3_scenarios.scenario import ScenarioConfig

Users = Callable[..., dict[str, Any]]
Network = Callable[..., ScenarioConfig]

#: Two ways from each of two sites to the core: one of 5 ms over r0, one of 12 ms over r1.
LINKS = (
    {"name": "a", "ends": ("s*", "r0"), "rate_mbps": 100, "delay_ms": 2},
    {"name": "b", "ends": ("r0", "core"), "rate_mbps": 1000, "delay_ms": 3},
    {"name": "c", "ends": ("s*", "r1"), "rate_mbps": 100, "delay_ms": 5},
    {"name": "d", "ends": ("r1", "core"), "rate_mbps": 1000, "delay_ms": 7},
)
EDGE_LINK = {"name": "e", "ends": ("r0", "e0"), "rate_mbps": 1000, "delay_ms": 1}
FAR_EDGE_LINK = {"name": "f", "ends": ("r1", "e1"), "rate_mbps": 1000, "delay_ms": 1}


@pytest.fixture(scope="session")
def users() -> Users:
    """Makes a group of users on the line between both sites, near the first unless told so."""

    def make(*traffic: dict[str, Any], name: str = "u", x_m: Any = (30,), **more: Any) -> Any:
        points = [{"x_m": x, "y_m": 0} for x in x_m]
        placement = {"kind": "points", "points": points}
        return {"name": name, "slice": "s0", "placement": placement, "traffic": traffic, **more}

    return make


@pytest.fixture(scope="session")
def wired(network: Network, users: Users) -> Network:
    """Makes a scenario of two sites 300 m apart, two routers and the core, unless told so.

    Args:
        links: changes of links by name.
        changes: of anything else.
    """

    def make(links: dict[str, dict[str, Any]] | None = None, **changes: Any) -> ScenarioConfig:
        every = [*LINKS]
        if "edge" in changes:
            n_sites = len(changes["edge"]["sites"])
            every += [EDGE_LINK, FAR_EDGE_LINK][:n_sites]
        every = [{**link, **(links or {}).get(link["name"], {})} for link in every]
        sites = [{"x_m": 0, "y_m": 0}, {"x_m": 300, "y_m": 0}]
        plain = {
            "layout": {"kind": "free", "n_sectors": 1, "sites": sites},
            "slices": [{"name": "s0"}, {"name": "s1"}],
            "users": [users({"kind": "cbr", "rate_mbps": 4})],
            "transport": {"routers": ["r0", "r1"], "links": every},
        }
        return network(**{**plain, **changes})

    return make


@pytest.fixture(scope="session")
def schedule() -> Callable[..., list[ControlChange]]:
    """Makes the changes that open an interval."""

    def make(interval: int, **by_path: Any) -> list[ControlChange]:
        return [
            ControlChange(interval=interval, path=path.replace("__", "."), value=value)
            for path, value in by_path.items()
        ]

    return make


def balances(frame: pd.DataFrame, keys: list[str], before: str, ins: str, outs: list[str]) -> None:
    """What was there before and came in went out or is still there, in every row."""
    frame = frame.sort_values([*keys, "interval"])
    after = frame[before]
    was = after.groupby([frame[k].astype(str) for k in keys]).shift(fill_value=0)
    missing = was + frame[ins] - frame[outs].sum(axis=1) - after
    assert (missing == 0).all(), (keys, frame[missing != 0])
    assert (after >= 0).all()


@pytest.fixture(scope="session")
def assert_conserved() -> Callable[[dict[str, pd.DataFrame]], None]:
    """Checks that bits on the radio, on paths and in queues, and jobs, are conserved exactly."""

    def check(tables: dict[str, pd.DataFrame]) -> None:
        for d in ("dl", "ul"):
            outs = [f"{d}_delivered_bits", f"{d}_dropped_bits"]
            balances(tables["ue"], ["ue"], f"{d}_queued_bits", f"{d}_offered_bits", outs)
        outs = ["delivered_bits", "dropped_radio_bits", "dropped_transport_bits"]
        balances(tables["flow"], ["ue", "flow", "direction"], "in_flight_bits", "sent_bits", outs)
        outs = ["jobs_finished", "jobs_lost"]
        balances(tables["application"], ["application"], "jobs_in_progress", "jobs_made", outs)
        balances(
            tables["edge"],
            ["site"],
            "jobs_in_system",
            "jobs_arrived",
            ["jobs_completed", "jobs_dropped"],
        )
        # What is on a link's wire is not reported, but it must be somewhere.
        link = (
            tables["link"].set_index(["interval", "link", "from_node"]).astype({"sent_bits": float})
        )
        by = link.groupby(["link", "from_node"], observed=True)
        gone = link[["delivered_bits", "dropped_bits", "lost_bits"]].sum(axis=1)
        on_wire = (
            by.sent_bits.cumsum()
            - gone.groupby(["link", "from_node"], observed=True).cumsum()
            - link.queued_bits
        )
        assert (on_wire >= 0).all()

    return check
