# SPDX-License-Identifier: Apache-2.0
"""What holds in every scenario: bits are conserved, shares are shares, seeds decide."""

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ns3_scenarios.library import load_scenario, scenario_names
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.simulate import simulate

DIRECTIONS = ("dl", "ul")


def assert_bits_are_conserved(tables):
    """In every interval: queued before + offered = delivered + dropped + queued after.

    Of each user, and of the network: users take what is queued along from cell to cell.
    """
    counters = ("offered", "delivered", "dropped", "queued")
    columns = [f"{d}_{name}_bits" for d in DIRECTIONS for name in counters]
    frames = {"ue": tables["ue"].to_pandas().sort_values(["ue", "interval"])}
    for name in ("cell", "slice"):
        sums = tables[name].to_pandas().groupby("interval")[columns].sum().reset_index()
        frames[name] = sums.assign(ue="all")
    for name, frame in frames.items():
        for d in DIRECTIONS:
            queued = frame[f"{d}_queued_bits"]
            before = queued.groupby(frame["ue"], observed=True).shift(fill_value=0)
            balance = (
                before
                + frame[f"{d}_offered_bits"]
                - frame[f"{d}_delivered_bits"]
                - frame[f"{d}_dropped_bits"]
                - queued
            )
            assert (balance == 0).all(), f"{name} {d}"
            assert (queued >= 0).all()
    assert_paths_are_conserved(tables["flow"].to_pandas())


def assert_paths_are_conserved(frame):
    """From end to end, in flight before + sent = delivered + dropped + in flight after."""
    keys = ["ue", "flow", "direction"]
    frame = frame.sort_values([*keys, "interval"])
    after = frame.in_flight_bits
    before = after.groupby([frame[k] for k in keys], observed=True).shift(fill_value=0)
    dropped = frame.dropped_radio_bits + frame.dropped_transport_bits
    assert (before + frame.sent_bits == frame.delivered_bits + dropped + after).all()
    assert (after >= 0).all()


def assert_shares_are_shares(tables):
    for name in ("cell", "slice", "ue"):
        frame = tables[name].to_pandas()
        for column in frame.columns:
            if column.endswith("_pct"):
                values = frame[column].dropna()
                assert values.between(0, 100 + 1e-9).all(), f"{name}.{column}"
    cells = tables["cell"].to_pandas().set_index(["interval", "cell"])
    slices = tables["slice"].to_pandas().groupby(["interval", "cell"], observed=True)
    for d in DIRECTIONS:
        column = f"{d}_prb_util_pct"
        together = slices[column].sum()
        pd.testing.assert_series_equal(
            together, cells[column].fillna(0).reindex(together.index), check_names=False
        )


@pytest.mark.parametrize("name", scenario_names())
def test_bits_are_conserved_in_every_packaged_scenario(name):
    scenario = load_scenario(name)
    duration_s = 5 * scenario.interval_ms * 1e-3
    tables = simulate(scenario, seed=4, duration_s=duration_s).tables
    assert_bits_are_conserved(tables)
    assert_shares_are_shares(tables)
    assert tables["ue"].to_pandas().dl_delivered_bits.sum() > 0


traffic = st.one_of(
    st.fixed_dictionaries(
        {
            "kind": st.just("cbr"),
            "rate_mbps": st.floats(0.1, 60),
            "packet_bytes": st.integers(12, 1400),
            "direction": st.sampled_from(["downlink", "uplink"]),
        }
    ),
    st.fixed_dictionaries({"kind": st.just("bursty"), "rate_mbps": st.floats(1, 60)}),
    st.fixed_dictionaries({"kind": st.just("tcp_bulk")}),
    st.fixed_dictionaries({"kind": st.just("xr"), "rate_mbps": st.floats(1, 60)}),
    st.fixed_dictionaries({"kind": st.just("mtc"), "mean_gap_ms": st.floats(1, 100)}),
    st.fixed_dictionaries({"kind": st.just("control_loop")}),
    st.fixed_dictionaries({"kind": st.just("http")}),
)
networks = st.fixed_dictionaries(
    {
        "layout": st.fixed_dictionaries(
            {
                "kind": st.just("hexagonal"),
                "n_sites": st.integers(1, 3),
                "isd_m": st.floats(50, 500),
            }
        ),
        "propagation": st.fixed_dictionaries(
            {"environment": st.sampled_from(["UMi", "UMa", "RMa", "InH-Open", "InH-Mixed"])}
        ),
        "carriers": st.lists(
            st.fixed_dictionaries(
                {
                    "frequency_ghz": st.floats(0.7, 7),
                    "bandwidth_mhz": st.sampled_from([5, 10, 20, 37]),
                    "numerology": st.integers(0, 3),
                    "duplex": st.sampled_from(["FDD", "TDD"]),
                    "tdd_pattern": st.sampled_from(["DDDSU", "DSUUD", "F", "DFU"]),
                }
            ),
            min_size=1,
            max_size=2,
        ),
        "radio": st.fixed_dictionaries(
            {
                "scheduler": st.sampled_from(["round_robin", "proportional_fair", "max_ci", "qos"]),
                "multiplexing": st.sampled_from(["ofdma", "tdma"]),
                "queue_discipline": st.sampled_from(["drop_tail", "codel"]),
                "harq_max_retx": st.integers(0, 3),
                "dl_queue_kb": st.floats(2, 300),
                "mcs_table": st.sampled_from(["qam64", "qam256", "qam1024"]),
            }
        ),
        "users": st.lists(st.lists(traffic, min_size=1, max_size=2), min_size=1, max_size=3),
    }
)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(networks, st.integers(0, 2**31))
def test_bits_are_conserved_in_any_network(parts, seed):
    groups = [
        {
            "name": f"g{k}",
            "slice": "s0",
            "count": 3,
            "placement": {"kind": "disc", "radius_m": 400},
            "traffic": items,
        }
        for k, items in enumerate(parts["users"])
    ]
    scenario = ScenarioConfig.model_validate(
        {
            "name": "any",
            "description": "Any network.",
            "duration_s": 0.6,
            "slices": [{"name": "s0"}],
            **parts,
            "users": groups,
        }
    )
    tables = simulate(scenario, seed=seed).tables
    assert_bits_are_conserved(tables)
    assert_shares_are_shares(tables)


def test_a_seed_decides_everything_and_another_one_something_else():
    first, again, other = (simulate("quickstart", seed=s, duration_s=1) for s in (5, 5, 6))
    for name, table in first.tables.items():
        assert table.equals(again[name], check_metadata=True)
        assert not len(table) or not table.equals(other[name])
