# SPDX-License-Identifier: Apache-2.0
"""What every valid scenario has in common, and that equal scenarios have equal hashes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ns3_scenarios.library import load_scenario, scenario_names
from ns3_scenarios.scenario import STANDARD_N_RB, Carrier, ScenarioConfig, resource_blocks

NAMES = scenario_names()


def changed(data: Any, change: Any) -> Any:
    """The same tree with every number passed through a function."""
    if isinstance(data, dict):
        return {key: changed(value, change) for key, value in data.items()}
    if isinstance(data, list):
        return [changed(value, change) for value in data]
    return change(data) if type(data) in (int, float) else data


@pytest.mark.parametrize("name", NAMES)
def test_hash_does_not_depend_on_how_numbers_are_written(name: str) -> None:
    scenario = load_scenario(name)
    data = scenario.model_dump(mode="json")
    for write in (float, lambda v: int(v) if float(v).is_integer() else v):
        again = ScenarioConfig.model_validate(changed(data, write))
        assert again.config_hash() == scenario.config_hash()
        assert again.canonical_json() == scenario.canonical_json()


@pytest.mark.parametrize("name", NAMES)
def test_hash_does_not_depend_on_the_order_of_fields(name: str) -> None:
    scenario = load_scenario(name)
    turned = json.loads(
        json.dumps(scenario.model_dump(mode="json")),
        object_pairs_hook=lambda pairs: dict(reversed(pairs)),
    )
    assert ScenarioConfig.model_validate(turned).config_hash() == scenario.config_hash()


def test_scenarios_differ_in_their_hashes() -> None:
    hashes = {load_scenario(name).config_hash() for name in NAMES}
    assert len(hashes) == len(NAMES)
    assert all(len(h) == 16 and int(h, 16) >= 0 for h in hashes)


@given(st.floats(4, 100), st.floats(4, 100))
def test_different_values_give_different_hashes(a: float, b: float) -> None:
    base = load_scenario("quickstart")
    first, second = (
        base.model_copy(
            update={"carriers": (base.carriers[0].model_copy(update={"tx_power_dbm": v}),)}
        )
        for v in (a, b)
    )
    assert (first.config_hash() == second.config_hash()) == (a == b)


def test_scenario_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_scenario("quickstart").duration_s = 1  # type: ignore[misc]


@pytest.mark.parametrize("name", NAMES)
def test_cells_are_numbered_carrier_by_carrier(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.cell_ids == tuple(f"c{i}" for i in range(scenario.n_cells))
    carriers = [scenario.cell_carrier(c) for c in scenario.cell_ids[: len(scenario.carriers)]]
    assert carriers == list(scenario.carriers)


@pytest.mark.parametrize(
    ("ghz", "mhz", "numerology", "n_rb"),
    [
        (3.5, 100, 1, 273),  # TS 38.101-1 Table 5.3.2-1
        (3.5, 20, 0, 106),
        (3.5, 20, 1, 51),
        (3.5, 100, 2, 135),
        (28, 400, 3, 264),  # TS 38.101-2 Table 5.3.2-1
        (28, 100, 3, 66),
        (10, 400, 2, 533),  # no table: floor(0.96 B / (12 SCS))
        (10, 1000, 5, 166),
    ],
)
def test_resource_blocks_follow_the_standard(
    ghz: float, mhz: float, numerology: int, n_rb: int
) -> None:
    assert resource_blocks(ghz, mhz, numerology) == n_rb
    carrier = Carrier(frequency_ghz=ghz, bandwidth_mhz=mhz, numerology=numerology)
    assert carrier.resource_blocks == n_rb


@given(
    st.floats(0.5, 100), st.integers(5, 2000), st.integers(0, 6), st.sampled_from(["FDD", "TDD"])
)
def test_carrier_either_fits_its_bandwidth_or_is_refused(
    ghz: float, mhz: int, numerology: int, duplex: str
) -> None:
    data = {"frequency_ghz": ghz, "bandwidth_mhz": mhz, "numerology": numerology, "duplex": duplex}
    try:
        carrier = Carrier.model_validate(data)
    except ValidationError:
        assert resource_blocks(ghz, mhz, numerology) < 1
    else:
        assert carrier.resource_blocks >= 1
        assert carrier.resource_blocks * 0.18 * 2**numerology <= mhz


def test_every_listed_combination_is_accepted() -> None:
    for band, ghz in (("FR1", 3.5), ("FR2", 28.0)):
        for scs_khz, by_bandwidth in STANDARD_N_RB[band].items():
            for mhz, n_rb in by_bandwidth.items():
                numerology = (scs_khz // 15).bit_length() - 1
                carrier = Carrier(frequency_ghz=ghz, bandwidth_mhz=mhz, numerology=numerology)
                assert carrier.resource_blocks == n_rb
