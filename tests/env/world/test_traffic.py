# SPDX-License-Identifier: Apache-2.0
"""Open-loop traffic, held against what its definition says and against live NS-3."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.network import FLOW_KINDS, Network, network_of
from calibration.trajectory import Controls
from env.world.traffic import Sources
from ns3_scenarios.controls import ControlChange
from ns3_scenarios.library import load_scenario, parse_model
from ns3_scenarios.live import LiveSimulation
from ns3_scenarios.scenario import ScenarioConfig

TRAFFIC = {
    "cbr": {"kind": "cbr", "rate_mbps": 0.05, "packet_bytes": 200},
    "bursty": {"kind": "bursty", "direction": "uplink", "rate_mbps": 0.2, "packet_bytes": 200,
               "on_ms": 60, "off_ms": 90},
    "xr": {"kind": "xr", "rate_mbps": 0.1, "frame_rate_hz": 60},
    "mtc": {"kind": "mtc", "packet_bytes": 100, "mean_gap_ms": 40},
    "control_loop": {"kind": "control_loop", "packet_bytes": 64, "period_ms": 30,
                     "essential": True},
}  # fmt: skip
INTERVAL_S = 0.2
PHASES = (40, 40, 10)
"""Intervals under each level of degradation."""
LEVELS = ("none", "reduce_rate", "essential_only")
KINDS = (*TRAFFIC, "poisson", "periodic")


@pytest.fixture(scope="module")
def scenario() -> ScenarioConfig:
    """One cell whose users each have one kind of traffic, in all of them."""
    data = load_scenario("quickstart").model_dump(mode="json")
    data["layout"]["n_sectors"] = 1
    data["users"] = [
        {"name": name, "count": 12, "slice": "embb", "traffic": [item],
         "placement": {"kind": "disc", "radius_m": 60}}
        for name, item in TRAFFIC.items()
    ]  # fmt: skip
    job = {**data["edge"]["applications"][0], "interval_ms": 70, "request_kb": 0.5, "fraction": 0.6}
    data["edge"]["applications"] = [
        {**job, "name": arrivals, "arrivals": arrivals, "users": users}
        for arrivals, users in (("poisson", "cbr"), ("periodic", "control_loop"))
    ]
    return parse_model(ScenarioConfig, data, "traffic")


@pytest.fixture(scope="module")
def network(scenario: ScenarioConfig) -> Network:
    return network_of(scenario)


def rows(network: Network, kind: str) -> NDArray[np.bool_]:
    if kind in network.application_names:
        mine = network.row_application == network.application_names.index(kind)
        return mine & (network.row_kind == FLOW_KINDS.index("request"))
    return np.asarray(network.row_kind == FLOW_KINDS.index(kind))


@pytest.fixture(scope="module")
def real(scenario: ScenarioConfig, network: Network) -> list[NDArray[np.float64]]:
    """What each flow row sends in NS-3, interval by interval, by level of degradation."""
    found = []
    with LiveSimulation(scenario, 1) as live:
        live.advance(2)
        for level, n in zip(LEVELS, PHASES, strict=True):
            live.apply([ControlChange(path="slices.embb.degradation", value=level)])
            sent = live.advance(n)["flow"]["sent_bits"].to_numpy()
            found.append(sent.reshape(n, len(network.row_ue)).astype(float))
    return found


@pytest.fixture(scope="module")
def ours(network: Network) -> list[NDArray[np.float64]]:
    """The same of many copies, shape (T, B, R)."""
    rng = np.random.default_rng(1)
    sources = Sources(network, rng, np.zeros(len(network.row_ue)), 0.0).copies(20, rng)
    controls = Controls(network)
    surge = np.ones(network.n_slices)
    for _ in range(5):
        sources.sent_bits(controls.arrays, surge)
    found = []
    for level, n in zip(LEVELS, PHASES, strict=True):
        controls.change("slices.embb.degradation", level)
        found.append(np.stack([sources.sent_bits(controls.arrays, surge) for _ in range(n)]))
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phase", [0, 1, 2])
def test_sends_what_ns3_sends(
    network: Network,
    real: list[NDArray[np.float64]],
    ours: list[NDArray[np.float64]],
    kind: str,
    phase: int,
) -> None:
    """The mean within 2 %, or three standard errors of the random kinds; and as much scatter."""
    mine = rows(network, kind)
    theirs, drawn = real[phase][:, mine], ours[phase][..., mine]
    if phase == 2 and kind != "control_loop":
        assert drawn.sum() == 0
        assert theirs[1:].sum() == 0
        return
    error = theirs.mean(0).std(ddof=1) / np.sqrt(mine.sum())
    assert drawn.mean() == pytest.approx(theirs.mean(), rel=0.02, abs=3 * error)
    scatter, each = drawn.std(0).mean(), theirs.std(0)
    doubt = 3 * each.std(ddof=1) / np.sqrt(len(each))
    assert scatter == pytest.approx(each.mean(), rel=0.05, abs=doubt)


@pytest.mark.parametrize(
    ("kind", "mbps"),
    [
        ("cbr", 0.05 * 228 / 200),
        ("bursty", 0.2 * 228 / 200 * 60 / 150),
        ("xr", 0.1 * (1 + 28 * 60 * 8 / 0.1e6)),
        ("mtc", 128 * 8 / 40e3),
        ("control_loop", 92 * 8 / 30e3),
        ("poisson", 0.6 * 528 * 8 / 70e3),
        ("periodic", 0.6 * 528 * 8 / 70e3),
    ],
)
def test_means_are_those_of_the_definitions(
    network: Network, ours: list[NDArray[np.float64]], kind: str, mbps: float
) -> None:
    mine = rows(network, kind)
    assert ours[0][..., mine].mean() == pytest.approx(mbps * 1e6 * INTERVAL_S, rel=0.02)
    if kind in ("mtc", "poisson"):
        packets = ours[0][..., mine] / (8 * (128 if kind == "mtc" else 528))
        assert packets.var() == pytest.approx(packets.mean(), rel=0.05)


def test_a_surge_multiplies_what_is_sent(network: Network) -> None:
    arrays = Controls(network).arrays
    quiet = np.zeros(len(network.row_ue))
    totals = []
    for factor in (1.0, 3.0):
        rng = np.random.default_rng(2)
        sources = Sources(network, rng, quiet, 1.0).copies(50, rng)
        surge = np.full(network.n_slices, factor)
        totals.append(sum(sources.sent_bits(arrays, surge).mean(0) for _ in range(20)))
    for kind in ("cbr", "bursty", "mtc", "control_loop", "poisson", "periodic"):
        mine = rows(network, kind)
        assert totals[1][mine].sum() == pytest.approx(3 * totals[0][mine].sum(), rel=0.05)


def test_nothing_is_sent_before_the_start(scenario: ScenarioConfig) -> None:
    data = scenario.model_dump(mode="json")
    for group in data["users"]:
        group["traffic"][0]["start_ms"] = 500
    late = network_of(parse_model(ScenarioConfig, data, "late"))
    nothing = np.zeros(len(late.row_ue))
    sources = Sources(late, np.random.default_rng(3), nothing, 0.0)
    arrays, surge = Controls(late).arrays, np.ones(late.n_slices)
    sent = np.stack([sources.sent_bits(arrays, surge)[0] for _ in range(4)])
    ours = late.row_application < 0
    assert sent[:2, ours].sum() == 0
    assert 0 < sent[2, ours].sum() < sent[3, ours].sum()
