# SPDX-License-Identifier: Apache-2.0
"""Reference figures: what a row is built into, when it holds, and what a bad file says."""

import dataclasses
import importlib.resources
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ns3_scenarios import simulate as simulate_module
from ns3_scenarios.errors import SimulationError, UserError
from ns3_scenarios.scenario import Radio, ScenarioConfig
from ns3_scenarios.traces import Traces
from ns3_scenarios.validation import mapping, measure, rules, validate
from ns3_scenarios.validation.printing import report_lines, summary_line
from ns3_scenarios.validation.rows import ReferenceRow, read_reference, read_users

BASE = {
    "scenario": "a",
    "freq_ghz": "3.5",
    "duplex": "FDD",
    "fading": "none",
    "los_cond": "LOS",
    "shadowing": "0",
    "sched": "TdmaRR",
    "bw_mhz": "20",
    "mu": "1",
    "n_cells": "1",
    "n_ue_per_cell": "1",
    "dist_m": "100",
    "n_rb": "53",
    "n_seeds": "1",
    "pathloss_db_mean": "85.3142",
    "snr_from_pathloss_db": "36.9",
    "sinr_db_mean": "36.9",
    "mcs_mean": "27",
    "cell_goodput_mbps": "110",
    "jain": "1",
    "delay_ms_mean": "1.5",
    "delay_ms_p95": "2",
    "ue_goodput_p5": "110",
    "ue_goodput_p50": "110",
    "ue_goodput_p95": "110",
    "ue_sinr_db_p5": "36.9",
    "ue_sinr_db_p50": "36.9",
    "ue_sinr_db_p95": "36.9",
}
USER = {
    "scenario": "e_noharq",
    "bw_mhz": "20",
    "mu": "1",
    "duplex": "FDD",
    "sched": "OfdmaRR",
    "fading": "none",
    "los_cond": "LOS",
    "shadowing": "0",
    "n_ue_per_cell": "1",
    "seed": "1",
    "ue": "0",
    "x_m": "0",
    "y_m": "80",
    "sinr_db": "9",
    "mcs_mean": "5",
    "bler_first_tx": "0",
    "goodput_mbps": "2",
}

MakeCsv = Callable[..., Path]


@pytest.fixture
def csv(tmp_path: Path) -> MakeCsv:
    def write(*changes: dict[str, str], base: dict[str, str] = BASE, drop: str = "") -> Path:
        columns = [name for name in base if name != drop]
        lines = [",".join(columns)]
        for change in changes:
            lines.append(",".join({**base, **change}[name] for name in columns))
        path = tmp_path / "figures.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def one_row(path: Path) -> ReferenceRow:
    (row,) = read_reference(path)
    return row


def one_scenario(path: Path) -> ScenarioConfig:
    return mapping.runs_of_row(one_row(path), {})[0][0].scenario


def traffic_of(scenario: ScenarioConfig) -> Any:
    return scenario.users[0].traffic[0]


# From a row to a scenario


def test_row_of_a_single_user_becomes_its_configuration(csv: MakeCsv) -> None:
    scenario = one_scenario(csv({}))
    (carrier,) = scenario.carriers
    assert (carrier.frequency_ghz, carrier.bandwidth_mhz, carrier.numerology) == (3.5, 20, 1)
    assert (carrier.resource_blocks, carrier.rbg_size_rb, carrier.tx_power_dbm) == (53, 1, 30)
    assert carrier.duplex == "FDD"
    radio = scenario.radio
    assert (radio.outer_loop, radio.repetition_gain, radio.mcs_table) == (False, False, "qam256")
    assert (radio.multiplexing, radio.scheduler) == ("tdma", "round_robin")
    assert (radio.harq_max_retx, radio.preparation_slots, radio.decode_ms) == (3, 2, 0.1)
    assert (radio.restart_round_robin, radio.noise_figure_ue_db) == (True, 9)
    assert scenario.propagation.line_of_sight == "always"
    assert not scenario.propagation.shadowing
    assert not scenario.propagation.fading
    assert (scenario.n_cells, scenario.layout.site_height_m) == (1, 10)
    (user,) = scenario.users[0].placement.points
    assert math.hypot(user.x_m, user.y_m) == pytest.approx(100)
    assert scenario.users[0].height_m == 1.5
    assert traffic_of(scenario).rate_mbps > 112


@pytest.mark.parametrize(
    ("duplex", "expected"),
    [("FDD", ("FDD", "DDDSU")), ("TDD", ("TDD", "DDDSU")), ("F", ("TDD", "F"))],
)
def test_duplex_becomes_a_slot_pattern(
    csv: MakeCsv, duplex: str, expected: tuple[str, str]
) -> None:
    (carrier,) = one_scenario(csv({"duplex": duplex})).carriers
    assert (carrier.duplex, carrier.tdd_pattern) == expected


@pytest.mark.parametrize(
    ("sched", "multiplexing", "scheduler", "restart"),
    [
        ("TdmaPF", "tdma", "proportional_fair", False),
        ("OfdmaRR", "ofdma", "round_robin", True),
        ("OfdmaPF", "ofdma", "proportional_fair", False),
        ("TdmaMR", "tdma", "max_ci", False),
    ],
)
def test_scheduler_code_is_taken_apart(
    csv: MakeCsv, sched: str, multiplexing: str, scheduler: str, restart: bool
) -> None:
    radio = one_scenario(csv({"sched": sched})).radio
    assert (radio.multiplexing, radio.scheduler) == (multiplexing, scheduler)
    assert radio.restart_round_robin is restart


def test_noharq_allows_no_retransmission(csv: MakeCsv) -> None:
    change = {"scenario": "c_noharq", "n_ue_per_cell": "2", "dist_m": "nan"}
    assert one_scenario(csv(change)).radio.harq_max_retx == 0


def test_swept_snr_becomes_transmit_power(csv: MakeCsv) -> None:
    change = {"scenario": "la", "snr_from_pathloss_db": "10", "sinr_db_mean": "10"}
    (carrier,) = one_scenario(csv(change)).carriers
    noise_dbm = -174 + 10 * math.log10(53 * 360e3) + 9
    assert carrier.tx_power_dbm - 85.3142 - noise_dbm == pytest.approx(10)


def test_snr_below_the_least_power_raises_the_noise_figure(csv: MakeCsv) -> None:
    scenario = one_scenario(csv({"scenario": "la", "snr_from_pathloss_db": "-30"}))
    noise_dbm = -174 + 10 * math.log10(53 * 360e3) + scenario.radio.noise_figure_ue_db
    snr_db = scenario.carriers[0].tx_power_dbm - 85.3142 - noise_dbm
    assert snr_db == pytest.approx(-30)


def test_millimetre_wave_row_has_arrays_fading_and_its_seeds(csv: MakeCsv) -> None:
    change = {"scenario": "b", "freq_ghz": "28", "fading": "ThreeGpp", "n_seeds": "3"}
    ((first, *others),) = mapping.runs_of_row(one_row(csv(change)), {})
    assert len(others) == 2
    scenario = first.scenario
    assert scenario.propagation.fading
    assert (scenario.gnb_antenna.rows, scenario.gnb_antenna.columns) == (4, 8)
    assert (scenario.ue_antenna.rows, scenario.ue_antenna.columns) == (2, 4)
    assert scenario.radio.noise_figure_ue_db == 10


def test_load_of_h_is_the_goodput_of_the_row(csv: MakeCsv) -> None:
    traffic = traffic_of(one_scenario(csv({"scenario": "h", "cell_goodput_mbps": "55"})))
    assert (traffic.rate_mbps, traffic.packet_bytes) == (55, 1400)


def test_small_packets_of_d2(csv: MakeCsv) -> None:
    traffic = traffic_of(one_scenario(csv({"scenario": "d2"})))
    gap_ms = traffic.packet_bytes * 8 / traffic.rate_mbps / 1e3
    assert (traffic.packet_bytes, gap_ms) == (100, pytest.approx(10.7331))


def test_several_users_stand_on_a_spiral(csv: MakeCsv) -> None:
    change = {"scenario": "c", "sched": "OfdmaRR", "n_ue_per_cell": "5", "dist_m": "nan"}
    points = one_scenario(csv(change)).users[0].placement.points
    radii = [math.hypot(p.x_m, p.y_m) for p in points]
    assert radii == pytest.approx([50, 137.5, 225, 312.5, 400])
    assert math.atan2(points[1].y_m, points[1].x_m) == pytest.approx(2 * math.pi / 5)


def test_tdma_round_robin_may_start_at_any_user(csv: MakeCsv) -> None:
    change = {"scenario": "c", "n_ue_per_cell": "4", "dist_m": "nan"}
    sets = mapping.runs_of_row(one_row(csv(change)), {})
    first = [runs[0].scenario.users[0].placement.points[0] for runs in sets]
    assert [math.hypot(p.x_m, p.y_m) for p in first] == pytest.approx([50, 500 / 3, 850 / 3, 400])


def test_three_cells_stand_on_a_triangle_and_use_listed_positions(csv: MakeCsv) -> None:
    users = read_users(csv(*({"ue": str(i), "x_m": str(10 * i)} for i in range(3)), base=USER))
    run, *_ = mapping.runs_of_users(users)
    a, b, c = run.scenario.layout.sites
    for one, other in ((a, b), (b, c), (c, a)):
        assert math.hypot(one.x_m - other.x_m, one.y_m - other.y_m) == pytest.approx(200)
    assert [p.x_m for p in run.scenario.users[0].placement.points] == [0, 10, 20]
    assert run.scenario.carriers[0].resource_blocks == 53


def test_three_cells_without_listed_positions_are_drawn_within_the_radius(csv: MakeCsv) -> None:
    change = {"scenario": "e", "sched": "OfdmaPF", "n_cells": "3", "n_ue_per_cell": "10"}
    (runs,) = mapping.runs_of_row(one_row(csv({**change, "n_seeds": "3"})), {})
    assert not any(run.known for run in runs)
    points = runs[0].scenario.users[0].placement.points
    assert len(points) == 30
    for i, point in enumerate(points):
        site = mapping.triangle()[i // 10]
        assert math.hypot(point.x_m - site.x_m, point.y_m - site.y_m) <= 115


def test_round_robin_of_three_cells_may_start_at_any_user(csv: MakeCsv) -> None:
    users = read_users(csv(*({"ue": str(i), "x_m": str(10 * i)} for i in range(3)), base=USER))
    runs = mapping.runs_of_users(users)
    orders = [[p.x_m for p in run.scenario.users[0].placement.points] for run in runs]
    assert orders == [[0, 10, 20], [10, 20, 0], [20, 0, 10]]
    fair = [dataclasses.replace(u.configuration, scheduler="proportional_fair") for u in users]
    one = [dataclasses.replace(u, configuration=c) for u, c in zip(users, fair, strict=True)]
    assert len(mapping.runs_of_users(one)) == 1


def test_default_adaptation_changes_only_link_adaptation(csv: MakeCsv) -> None:
    plain = one_scenario(csv({}))
    default = mapping.with_default_adaptation(plain)
    assert default.radio.outer_loop
    assert default.radio.repetition_gain
    assert default.radio.harq_max_retx == Radio().harq_max_retx
    names = ("outer_loop", "repetition_gain", "harq_max_retx", "restart_round_robin")
    back = default.radio.model_copy(update={n: getattr(plain.radio, n) for n in names})
    assert default.model_copy(update={"radio": back}) == plain


# When a row holds


def figures_like(row: ReferenceRow, **changes: Any) -> measure.Figures:
    assert row.sinr_db is not None
    same = measure.Figures(
        sinr_db=row.sinr_db,
        mcs=row.mcs,
        goodput_mbps=row.goodput_mbps,
        jain=row.jain or 0,
        delay_ms_mean=row.delay_ms_mean or 0,
        delay_ms_p95=row.delay_ms_p95 or 0,
        ue_goodput={p: v or 0 for p, v in row.ue_goodput.items()},
        ue_sinr={p: v or 0 for p, v in row.ue_sinr.items()},
    )
    return dataclasses.replace(same, **changes)


def failing(row: ReferenceRow, **changes: Any) -> set[str]:
    return {c.figure for c in rules.check_row(row, figures_like(row, **changes)) if not c.holds}


def test_equal_figures_hold(csv: MakeCsv) -> None:
    assert failing(one_row(csv({}))) == set()


def test_sinr_is_held_to_half_a_decibel(csv: MakeCsv) -> None:
    row = one_row(csv({}))
    assert failing(row, sinr_db=36.9 + 0.49) == set()
    assert failing(row, sinr_db=36.9 - 0.51) == {"SINR"}
    assert failing(row, sinr_db=math.nan) == {"SINR"}


def test_fading_widens_sinr_and_goodput(csv: MakeCsv) -> None:
    row = one_row(csv({"scenario": "b", "fading": "ThreeGpp"}))
    assert failing(row, sinr_db=36.9 - 1.9, goodput_mbps=110 * 0.81) == set()
    assert failing(row, sinr_db=36.9 - 2.1, goodput_mbps=110 * 0.79) == {"SINR", "goodput"}


def test_goodput_at_the_ceiling_is_held_to_five_per_cent(csv: MakeCsv) -> None:
    row = one_row(csv({}))
    assert failing(row, goodput_mbps=110 * 1.049) == set()
    assert failing(row, goodput_mbps=110 * 0.949) == {"goodput"}


def test_goodput_below_the_ceiling_may_be_one_step_off(csv: MakeCsv) -> None:
    row = one_row(csv({"mcs_mean": "3", "cell_goodput_mbps": "12.9"}))
    down, up = rules.one_step(12.9, 3)
    assert down == pytest.approx(12.9 * 0.3770 / 0.8770)
    assert up == pytest.approx(12.9 * 1.4766 / 0.8770)
    assert failing(row, goodput_mbps=down * 1.001) == set()
    assert failing(row, goodput_mbps=down * 0.99) == {"goodput"}
    assert failing(row, goodput_mbps=up * 1.01) == {"goodput"}
    high = one_row(csv({"mcs_mean": "25", "cell_goodput_mbps": "90"}))
    assert failing(high, goodput_mbps=90 * 0.86) == set()  # steps are closer than 15 %
    assert failing(high, goodput_mbps=90 * 0.84) == {"goodput"}


def test_one_step_below_the_lowest_mcs_is_nothing() -> None:
    down, up = rules.one_step(3.4, 0)
    assert down == 0
    assert up == pytest.approx(3.4 * 0.3770 / 0.2344)


def test_one_step_between_two_mcs_lies_between_theirs() -> None:
    down, up = rules.one_step(100, 26)
    assert rules.one_step(100, 25)[0] < 95
    assert down < 100 < up


def test_outage_must_be_outage(csv: MakeCsv) -> None:
    row = one_row(csv({"mcs_mean": "0", "cell_goodput_mbps": "0"}))
    lowest = rules.lowest_rate_mbps(53, 1)
    assert lowest == pytest.approx(3.55, rel=0.01)
    assert failing(row, goodput_mbps=0.019 * lowest) == set()
    assert failing(row, goodput_mbps=0.021 * lowest) == {"goodput"}


def test_latency_is_compared_where_the_queue_is_not_full(csv: MakeCsv) -> None:
    assert failing(one_row(csv({})), delay_ms_mean=9, delay_ms_p95=9) == set()
    loaded = one_row(csv({"scenario": "h"}))
    assert failing(loaded, delay_ms_mean=1.5 * 1.19, delay_ms_p95=2 * 0.81) == set()
    assert failing(loaded, delay_ms_mean=1.5 * 1.21) == {"latency mean"}
    assert failing(loaded, delay_ms_p95=2 * 0.79) == {"latency p95"}
    short = one_row(csv({"scenario": "d2", "delay_ms_mean": "0.2", "delay_ms_p95": "0.3"}))
    assert failing(short, delay_ms_mean=0.29, delay_ms_p95=0.39) == set()
    assert failing(short, delay_ms_mean=0.31) == {"latency mean"}


def test_spread_over_users_is_compared(csv: MakeCsv) -> None:
    row = one_row(csv({"scenario": "c", "n_ue_per_cell": "2", "jain": "0.8"}))
    assert failing(row, jain=0.875) == set()
    assert failing(row, jain=0.715) == {"Jain"}
    same = {5: 110.0, 50: 110.0, 95: 110.0}
    assert failing(row, ue_goodput={**same, 5: 110 * 0.81}) == set()
    assert failing(row, ue_goodput={**same, 95: 110 * 1.21}) == {"user goodput p95"}
    sinr = {5: 36.9, 50: 36.9, 95: 36.9}
    assert failing(row, ue_sinr={**sinr, 50: 37.8}) == set()
    assert failing(row, ue_sinr={**sinr, 5: 35.8}) == {"user SINR p5"}


def test_unknown_positions_widen_by_two_deviations(csv: MakeCsv) -> None:
    row = one_row(csv({}))
    assert failing(row, sinr_db=37.8, sigma={"sinr_db": 0.21}) == set()
    assert failing(row, sinr_db=37.8, sigma={"sinr_db": 0.19}) == {"SINR"}


def test_user_of_three_cells_is_compared(csv: MakeCsv) -> None:
    (user,) = read_users(csv({}, base=USER))
    checks = rules.check_user(user, sinr_db=9.4, goodput_mbps=2.5, n_rb=53)
    assert [c.holds for c in checks] == [True, True]
    checks = rules.check_user(user, sinr_db=9.6, goodput_mbps=2.7, n_rb=53)
    assert [c.holds for c in checks] == [False, False]


def measured(goodput: list[float]) -> measure.Measured:
    values = np.array(goodput)
    return measure.Measured(values, values, values, values, 1.0, 1.0, values, values)


def test_resampling_knows_how_much_is_drawn() -> None:
    runs = [measured([1.0, 2.0, 3.0, 6.0]) for _ in range(3)]
    half = measure.resampled_figures(runs[:1], runs, n_runs=2, n_cells=1)
    drawn = measure.resampled_figures([], runs, n_runs=2, n_cells=1)
    assert half.goodput_mbps == pytest.approx(12, rel=0.1)
    assert 0 < half.sigma["goodput_mbps"] < drawn.sigma["goodput_mbps"]


def test_jain_is_one_for_equals_and_one_over_n_for_one() -> None:
    assert measure.jain(np.array([2.0, 2.0, 2.0])) == pytest.approx(1)
    assert measure.jain(np.array([0.0, 5.0, 0.0, 0.0])) == pytest.approx(1 / 4)
    assert measure.jain(np.zeros(3)) == 0


def test_measure_averages_after_the_start() -> None:
    table = pa.table(
        {
            "interval": [0, 0, 1, 1, 2, 2],
            "ue": ["u0", "u1"] * 3,
            "dl_delivered_bits": [9, 9, 1_000_000, 0, 3_000_000, 0],
            "dl_sinr_db": [0.0, None, 10.0, None, 20.0, None],
            "dl_mcs": [0.0, None, 4.0, None, 8.0, None],
            "dl_tb_count": [1, 0, 300, 0, 100, 0],
            "dl_latency_ms": [9.0, None, 1.0, None, 3.0, None],
            "dl_latency_p95_ms": [9.0, None, 2.0, None, 4.0, None],
            "rsrp_dbm": [-90.0, -100.0] * 3,
            "x_m": [0.0, 5.0] * 3,
            "y_m": [0.0, 5.0] * 3,
        }
    )
    traces = Traces({"ue": table}, None, 0.0, 0)  # type: ignore[arg-type]
    got = measure.measure(traces, n_skipped=1, counted_s=2.0, payload_share=0.5, noise_dbm=-120.0)
    assert got.snr_db.tolist() == [30.0, 20.0]
    filled = measure.with_starved_users(got).sinr_db
    assert filled.tolist() == pytest.approx([12.5, 20.0])
    assert got.goodput_mbps.tolist() == [1.0, 0.0]
    assert got.sinr_db[0] == pytest.approx(12.5)
    assert math.isnan(got.sinr_db[1])
    assert got.mcs[0] == pytest.approx(5)
    assert (got.delay_ms_mean, got.delay_ms_p95) == (pytest.approx(2.5), pytest.approx(3.5))


# Bad files


@pytest.mark.parametrize("column", ["sched", "n_rb", "cell_goodput_mbps", "ue_sinr_db_p50"])
def test_missing_column_is_named(csv: MakeCsv, column: str) -> None:
    with pytest.raises(UserError, match=rf"figures.csv: .*'{column}'"):
        validate(csv({}, drop=column), None)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("scenario", "z"),
        ("sched", "Tdma"),
        ("duplex", "half"),
        ("fading", "Rayleigh"),
        ("los_cond", "sometimes"),
        ("shadowing", "yes"),
        ("mu", "1.5"),
        ("mu", "x"),
        ("n_rb", "0"),
        ("n_cells", "2"),
        ("n_ue_per_cell", "3"),
        ("dist_m", "nan"),
        ("cell_goodput_mbps", "-1"),
        ("cell_goodput_mbps", "inf"),
    ],
)
def test_bad_cell_names_file_line_and_column(csv: MakeCsv, column: str, value: str) -> None:
    with pytest.raises(UserError, match=rf"figures.csv, line 3: {column}='{value}' must be"):
        validate(csv({}, {column: value}), None)


def test_impossible_scenario_names_file_and_line(csv: MakeCsv) -> None:
    with pytest.raises(UserError, match=r"figures.csv, line 2: .*n_rb"):
        validate(csv({"n_rb": "500"}), None)


def test_users_of_another_scenario_are_refused(csv: MakeCsv) -> None:
    with pytest.raises(UserError, match="line 2: scenario='c' must be e or e_noharq"):
        validate(None, csv({"scenario": "c"}, base=USER))


def test_files_that_are_not_csv(tmp_path: Path, csv: MakeCsv) -> None:
    with pytest.raises(UserError, match=r"nowhere\.csv: cannot be read"):
        validate(tmp_path / "nowhere.csv", None)
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UserError, match=r"binary\.csv: is not a CSV file"):
        validate(binary, None)
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(UserError, match=r"empty\.csv: has no rows"):
        validate(empty, None)
    ragged = csv({})
    ragged.write_text(ragged.read_text() + "a,3.5\n")
    with pytest.raises(UserError, match="line 3: has not as many cells"):
        validate(ragged, None)


# The command's work


def test_simulation_that_ends_abnormally_is_a_failing_row(
    csv: MakeCsv, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Traces:
        raise SimulationError("ns-3 ended abnormally")

    monkeypatch.setattr(simulate_module, "simulate", broken)
    report = validate(csv({}), None)
    assert (report.holds, report.n_failed) == (False, 1)
    assert report.rows[0].error == "ns-3 ended abnormally"
    assert summary_line(report) == "1 of 1 rows fail, 0 hold."
    assert "ns-3 ended abnormally" in [line.plain.strip() for line in report_lines(report)]


@pytest.mark.slow
def test_quoted_figures_hold() -> None:
    seen: list[tuple[int, int]] = []
    report = validate(None, None, on_row=lambda row, done, total: seen.append((done, total)))
    assert [row.label for row in report.rows if not row.holds] == []
    n = len(report.rows)
    assert seen == [(i + 1, n) for i in range(n)]
    assert all(row.outer_loop_mbps is not None for row in report.rows)
    plain = json.loads(json.dumps(report.as_dict()))
    assert (plain["holds"], plain["n_rows"], plain["n_failed"]) == (True, n, 0)
    lines = [line.plain for line in report_lines(report)]
    assert len(lines) == 1 + sum(1 + len(row.checks) for row in report.rows)


def test_quoted_figures_name_their_source() -> None:
    text = (importlib.resources.files("ns3_scenarios.validation") / "quoted.csv").read_text()
    header, *rows = text.splitlines()
    assert header.endswith(",source")
    assert rows
    assert all(row.endswith(",5G-LENA nr v4.0 on ns-3.44") for row in rows)
