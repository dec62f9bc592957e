# SPDX-License-Identifier: Apache-2.0
"""Every column that a model sees is described, and docs/features.md has them all."""

import re
from pathlib import Path

import pytest

from calibration.features import ROWS, Radio, steps_of
from calibration.features.catalogue import CATALOGUE, describe
from calibration.features.document import document
from calibration.features.words import GROUPS
from calibration.network import network_of
from calibration.trajectory import trajectory
from ns3_scenarios.kpi import TABLES
from ns3_scenarios.library import load_scenario
from ns3_scenarios.simulate import simulate

PAGE = Path(__file__).resolve().parents[2] / "docs" / "features.md"
SCENARIOS = ("quickstart", "factory_urllc", "indoor_hotspot_fr2")
"""Small ones: with edge applications, with another scheduler, and with full buffers but no jobs."""


@pytest.fixture(scope="module", params=SCENARIOS)
def radio(request):
    scenario = load_scenario(request.param)
    traces = simulate(request.param, duration_s=0.6)
    return Radio(steps_of(trajectory(network_of(scenario), traces.tables, (), 1)))


def test_every_column_has_an_entry_and_every_entry_a_column(radio):
    for kind, rows_of in ROWS.items():
        rows = rows_of(radio)
        if len(rows):
            assert set(rows.columns) == set(CATALOGUE[kind]), kind
        else:
            assert not radio.network.application_names


def test_entries_say_unit_and_text():
    assert set(CATALOGUE) == set(ROWS)
    for entries in CATALOGUE.values():
        for name, entry in entries.items():
            assert entry.unit, name
            assert entry.text.endswith("."), name
            assert "{" not in name + entry.text


@pytest.mark.parametrize("kind", ROWS)
def test_units_agree_with_names(kind):
    units = {"db": "dB", "dbm": "dBm", "ms": "ms", "pct": "%", "mbps": "Mbit/s", "deg": "deg",
             "bits": "bit", "kbit": "kbit", "gflop": "Gflop", "ghz": "GHz"}  # fmt: skip
    for name, entry in CATALOGUE[kind].items():
        suffix = name.removesuffix("_change").rsplit("_", 1)[-1]
        if name.endswith("_per_pct"):
            assert entry.unit == "Mbit/s per %"
        else:
            assert entry.unit == units.get(suffix, entry.unit), name


@pytest.mark.parametrize("kind", ROWS)
def test_no_column_is_described_in_two_groups(kind):
    mine = [name for group in GROUPS if kind in group.kinds for name in group.entries]
    assert len(mine) == len(set(mine))


def test_kpis_are_described_as_in_their_table():
    column = next(c for c in TABLES["slice"] if c.name == "ul_latency_ms")
    entry = describe("slice", "before_ul_latency_ms")
    assert entry.unit == column.unit
    assert column.description.rstrip(".") in entry.text
    assert entry.text.startswith("Earlier interval")


def test_unknown_column_is_a_key_error():
    with pytest.raises(KeyError, match="'link' have no feature 'dl_blocks'"):
        describe("link", "dl_blocks")
    with pytest.raises(KeyError, match="'planet'"):
        describe("planet", "dl_blocks")


def test_page_is_what_the_command_prints():
    assert PAGE.read_text() == document()


def test_page_shows_every_column():
    first_cells = re.findall(r"^\| (`.*?) \|", document(), re.MULTILINE)
    shown = set()
    for name in re.findall(r"`(.*?)`", "\n".join(first_cells)):
        shown |= {name.replace("{dl,ul}", d) for d in ("dl", "ul")}
    assert shown >= {name for entries in CATALOGUE.values() for name in entries}
