# SPDX-License-Identifier: Apache-2.0
"""Scenarios by name and from files, and what a user is told about a mistake in them."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ns3_scenarios.errors import ScenarioError
from ns3_scenarios.library import load_scenario, scenario_names, scenario_text

NAMES = (
    "dense_urban",
    "fr3_wideband",
    "indoor_hotspot_fr2",
    "quickstart",
    "urban_macro_slices",
)


def test_package_has_its_scenarios() -> None:
    assert set(NAMES) <= set(scenario_names())
    assert scenario_names() == sorted(scenario_names())


@pytest.mark.parametrize("name", NAMES)
def test_scenario_is_named_as_its_file_and_says_what_it_is_for(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.description.endswith(".")
    assert yaml.safe_load(scenario_text(name))["name"] == name


def test_quickstart_is_small_and_mixed() -> None:
    scenario = load_scenario("quickstart")
    assert (scenario.layout.n_sites, scenario.n_cells, scenario.n_users) == (1, 3, 12)
    assert [s.name for s in scenario.slices] == ["embb", "urllc", "mmtc"]
    kinds = {t.kind for g in scenario.users for t in g.traffic}
    assert {"xr", "http", "control_loop", "mtc"} <= kinds
    assert {t.direction for g in scenario.users for t in g.traffic} == {"downlink", "uplink"}


def test_large_scenarios_are_what_they_are_named_after() -> None:
    dense, fr2 = load_scenario("dense_urban"), load_scenario("indoor_hotspot_fr2")
    macro, fr3 = load_scenario("urban_macro_slices"), load_scenario("fr3_wideband")
    assert (dense.n_cells, dense.n_users) == (21, 210)
    assert (fr2.n_cells, fr2.carriers[0].frequency_ghz, fr2.carriers[0].numerology) == (12, 28, 3)
    assert (len(macro.slices), macro.propagation.environment) == (4, "UMa")
    assert (len(fr3.carriers), fr3.radio.mcs_table) == (2, "qam1024")
    assert all(7 < c.frequency_ghz < 15 for c in fr3.carriers)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Any], Path]:
    def write(data: Any) -> Path:
        path = tmp_path / "mine.yaml"
        path.write_text(data if isinstance(data, str) else yaml.safe_dump(data))
        return path

    return write


def test_file_and_name_give_the_same_scenario(written: Callable[[Any], Path]) -> None:
    path = written(scenario_text("quickstart"))
    assert load_scenario(path) == load_scenario(str(path)) == load_scenario("quickstart")
    assert scenario_text(str(path)) == scenario_text("quickstart")


def test_what_is_dumped_can_be_loaded(written: Callable[[Any], Path]) -> None:
    for name in scenario_names():
        scenario = load_scenario(name)
        again = load_scenario(written(scenario.model_dump(mode="json")))
        assert (again, again.config_hash()) == (scenario, scenario.config_hash())


def move(old: str, new: str) -> Callable[[dict[str, Any]], None]:
    def change(carrier: dict[str, Any]) -> None:
        carrier[new] = carrier.pop(old)

    return change


Change = Callable[[dict[str, Any]], object]
MISTAKES: list[tuple[Change, list[str]]] = [
    (
        lambda d: move("frequency_ghz", "frequency_hz")(d["carriers"][0]),
        ["carriers.0.frequency_hz is not a field", "did you mean 'frequency_ghz'", "not hz"],
    ),
    (
        lambda d: move("bandwidth_mhz", "bandwidth_khz")(d["carriers"][0]),
        ["carriers.0.bandwidth_khz is not a field", "did you mean 'bandwidth_mhz'", "not khz"],
    ),
    (
        lambda d: move("tx_power_dbm", "tx_power_w")(d["carriers"][0]),
        ["carriers.0.tx_power_w", "did you mean 'tx_power_dbm'"],
    ),
    (
        lambda d: move("tx_power_dbm", "tx_power")(d["carriers"][0]),
        ["carriers.0.tx_power is not a field", "did you mean 'tx_power_dbm'"],
    ),
    (move("duration_s", "duration_ms"), ["duration_ms", "did you mean 'duration_s'"]),
    (
        lambda d: d["carriers"][0].update(frequency_ghz=3.5e9),
        ["carriers.0.frequency_ghz=3500000000.0", "at least 0.5 and at most 100"],
    ),
    (
        lambda d: d["carriers"][0].update(bandwidth_mhz="20 MHz"),
        ["carriers.0.bandwidth_mhz='20 MHz'", "at least 5 and at most 2000"],
    ),
    (
        lambda d: d["carriers"][0].update(bandwidth_mhz=float("nan")),
        ["carriers.0.bandwidth_mhz=nan", "at least 5 and at most 2000"],
    ),
    (
        lambda d: d["carriers"][0].update(numerology=1.5),
        ["carriers.0.numerology=1.5", "at least 0 and at most 6"],
    ),
    (
        lambda d: d["carriers"][0].update(duplex="XDD"),
        ["carriers.0.duplex='XDD'", "'FDD' or 'TDD'"],
    ),
    (
        lambda d: d["carriers"][0].update(tdd_pattern="UU"),
        ["carriers.0", "tdd_pattern='UU' has no downlink slot"],
    ),
    (
        lambda d: d["carriers"][0].update(bandwidth_mhz=5, numerology=6),
        ["carriers.0", "bandwidth_mhz=5 holds no resource block at numerology 6"],
    ),
    (
        lambda d: d["users"][0]["traffic"][0].update(rate_mbs=3),
        ["users.0.traffic.0.rate_mbs is not a field", "did you mean 'rate_mbps'"],
    ),
    (
        lambda d: d["users"][1]["traffic"][1].update(rate_mbps=-3),
        ["users.1.traffic.1.rate_mbps=-3", "at most 100000"],
    ),
    (
        lambda d: d["users"][0]["traffic"][0].update(kind="xrr"),
        ["users.0.traffic.0.kind='xrr' is unknown", "'xr'", "'http'"],
    ),
    (
        lambda d: d["users"][0]["traffic"][0].pop("kind"),
        ["users.0.traffic.0.kind is missing", "'full_buffer'"],
    ),
    (lambda d: d["users"][0].update(traffic=[]), ["users.0.traffic=[]", "at least 1 item"]),
    (lambda d: d["users"][0].update(slice="gold"), ["'video' is in slice 'gold'", "embb, urllc"]),
    (
        lambda d: d["users"][0]["placement"].update(min_radius_m=1000),
        ["users.0.placement", "min_radius_m=1000 must be less than radius_m=110"],
    ),
    (lambda d: d["slices"][0].update(min_pct=95), ["slices.0", "'embb' needs dedicated_pct <="]),
    (lambda d: d["slices"][0].update(name="urllc"), ["slices names 'urllc' more than once"]),
    (lambda d: d["slices"][0].update(name="e mbb"), ["slices.0.name='e mbb'", "match pattern"]),
    (lambda d: d.update(carriers=3), ["carriers=3", "must be a list"]),
    (
        lambda d: d.update(carriers=["3.5"]),
        ["carriers.0='3.5'", "mapping of field names to values"],
    ),
    (lambda d: d.pop("layout"), ["layout is missing"]),
    (lambda d: d.update(interval_ms=0.3e3), ["duration_s=4 must be a whole number of intervals"]),
    (lambda d: d["layout"].update(kind="free"), ["layout", "a free layout needs `sites`"]),
    (lambda d: d["layout"].update(n_sectors=2), ["layout.n_sectors=2", "1 or 3"]),
]


@pytest.mark.parametrize(("change", "says"), MISTAKES, ids=[says[0] for _, says in MISTAKES])
def test_mistake_is_one_sentence_with_file_field_value_and_remedy(
    written: Callable[[Any], Path], change: Change, says: list[str]
) -> None:
    data = copy.deepcopy(yaml.safe_load(scenario_text("quickstart")))
    change(data)
    path = written(data)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert "pydantic" not in message
    for text in says:
        assert text in message


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'quickstart'") as caught:
        load_scenario("quickstrt")
    assert all(name in str(caught.value) for name in NAMES)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1", "is not YAML at line 1"),
        ("- a\n- b", "must be a mapping of field names to values, not a list"),
        ("", "must be a mapping of field names to values, not nothing"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
    ],
)
def test_what_is_no_scenario_is_said_to_be_none(
    written: Callable[[Any], Path], text: str, says: str
) -> None:
    path = written(text)
    with pytest.raises(ScenarioError, match=says) as caught:
        load_scenario(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"cannot read .*none\.yaml: No such file"):
        load_scenario(tmp_path / "none.yaml")
    with pytest.raises(ScenarioError, match=r"cannot read .*: Is a directory"):
        load_scenario(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(ScenarioError, match=r"latin\.yaml is not a text file in UTF-8"):
        load_scenario(tmp_path / "latin.yaml")
