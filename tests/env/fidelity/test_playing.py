# SPDX-License-Identifier: Apache-2.0
"""The same episodes on all stages: kept, taken up again, and failing one by one."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from env.backends.ns3 import Ns3Backend
from env.episodes import LOG, read_logs
from env.errors import EnvUserError
from env.fidelity.comparing import report_of
from env.fidelity.kpi_errors import read_series
from env.fidelity.playing import Case, Setup, Subject, Triple, cases_of, play_all
from env.fidelity.transients import HANDOVER, read_users
from ns3_scenarios.library import load_scenario
from ns3_scenarios.scenario import ScenarioConfig


def test_redrawn_ns3_has_the_same_start_and_another_future() -> None:
    scenario = load_scenario("quickstart")
    as_it_is, redrawn, again, other = (
        Ns3Backend(scenario, 51, redraw=seed) for seed in (None, 7, 7, 8)
    )
    hashes = set()
    series = []
    for backend in (as_it_is, redrawn, again, other):
        backend.advance(3)
        hashes.add(backend.state_hash())
        values = [kpis.column("network", "throughput_mbps").tolist() for kpis in backend.history]
        series.append(values)
        backend.close()
    assert series[0][:2] == series[1][:2] == series[3][:2]
    assert series[0][2:] != series[1][2:] != series[3][2:]
    assert series[1] == series[2]
    assert len(hashes) == 3


def test_stages_start_alike_and_get_the_same_calls(triples: list[Triple]) -> None:
    first = triples[0]
    assert [t.case.seed for t in triples] == [51, 52, 51, 52]
    assert all(triple.complete for triple in triples)
    calls = []
    for ended in first.stages:
        assert ended.path
        (log,) = [each for each in read_logs(ended.path.parent) if each.path == ended.path]
        calls.append([(call.tool, call.arguments) for call in log.calls])
        users = read_users(ended.path, first.case.subject.network.ue_ids)
        assert len(users.handovers) == 10
    assert calls[0] == calls[1] == calls[2]
    assert len(calls[0]) == 8
    starts = [read_users(e.path, ["u0", "u1"]).throughput_mbps[:2] for e in first.stages if e.path]
    np.testing.assert_array_equal(starts[1], starts[2])
    np.testing.assert_allclose(starts[0], starts[1])


def test_what_is_kept_is_not_played_again(
    cases: list[Case], setup: Setup, triples: list[Triple]
) -> None:
    paths = [ended.path for triple in triples for ended in triple.stages]
    before = [os.stat(path / LOG).st_mtime_ns for path in paths if path]
    killed = triples[0].surrogate.path
    assert killed
    lines = (killed / LOG).read_text().splitlines(keepends=True)
    (killed / LOG).write_text("".join(lines[:-1]))  # as if it had been killed
    told: list[tuple[int, int]] = []
    again = play_all(cases, setup, on_episodes=lambda *counts: told.append(counts))
    assert told == [(11, 12), (12, 12)]
    assert again == triples
    after = [os.stat(path / LOG).st_mtime_ns for path in paths if path]
    assert [a == b for a, b in zip(after, before, strict=True)] == [False] + 11 * [True]
    assert not list(setup.out.glob(".playing-*"))


def test_other_episodes_have_other_places(cases: list[Case], setup: Setup, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    names = set()
    for text in ('[{"tool": "get_topology"}]', '[{"tool": "list_alarms"}]'):
        script.write_text(text)
        scripted = replace(cases[2], agent=f"script:{script}")
        (triple,) = play_all([scripted], setup)
        names |= {e.path.name for e in triple.stages if e.path}
    assert len(names) == 6


def test_killed_simulation_fails_its_episode_only_and_is_played_anew_next_time(
    cases: list[Case], setup: Setup, triples: list[Triple], tmp_path: Path
) -> None:
    there = {process.pid for process in psutil.Process().children(recursive=True)}

    def kill_one() -> None:
        """Kill the first simulation that starts; those of other tests go on."""
        while True:
            for worker in psutil.Process().children():
                for simulation in worker.children():
                    if simulation.pid not in there:
                        simulation.kill()
                        return
            time.sleep(0.001)

    mine = replace(setup, out=tmp_path)
    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    played = play_all(cases[:2], mine)
    killer.join(timeout=10)
    report = report_of(played, mine)
    (failure,) = report.failures
    assert (failure.subject, failure.stage, failure.seed) == ("outage", "ns3", 51)
    assert "killed" in failure.reason
    assert report.episodes == 1
    assert {kpi.episodes for kpi in report.kpis} == {1}
    gate = report.gates[0]
    assert (gate.name, gate.holds, gate.value) == ("played", False, 50)
    assert report.verdict == "failed"
    told: list[tuple[int, int]] = []
    again = play_all(cases[:2], mine, on_episodes=lambda *counts: told.append(counts))
    assert told == [(5, 6), (6, 6)]
    assert report_of(again, mine).kpis == report_of(triples[:2], setup).kpis


def test_mistakes_get_one_sentence(outage: ScenarioConfig, setup: Setup, tmp_path: Path) -> None:
    subject = Subject("outage", outage)
    with pytest.raises(EnvUserError, match="agent='random' is there twice"):
        cases_of([subject], ["random", "random"], 1)
    with pytest.raises(EnvUserError, match="name='outage' is there twice"):
        cases_of([subject, subject], ["random"], 1)
    with pytest.raises(EnvUserError, match="agent='x' is not allowed"):
        cases_of([subject], ["x"], 1)
    with pytest.raises(EnvUserError, match="nowhere"):
        play_all(cases_of([subject], ["hold"], 1), Setup(tmp_path, model=tmp_path / "nowhere"))


def test_faults_strike_the_users_who_are_there(triples: list[Triple], setup: Setup) -> None:
    report = report_of(triples, setup)
    found = {(t.event, t.kpi): t for t in report.transients if t.event != HANDOVER}
    assert set(found) == {
        (f"cell_outage {what}", kpi)
        for what in ("start", "end")
        for kpi in ("throughput_mbps", "latency_ms")
    }
    start = found["cell_outage start", "throughput_mbps"]
    assert start.ns3.events == start.surrogate.events == start.redrawn.events == 2
    before, during = start.ns3.values[:3], start.ns3.values[3]
    assert during is not None
    assert during < 0.5 * min(v for v in before if v is not None)


def test_series_begin_after_the_start(triples: list[Triple]) -> None:
    assert triples[0].ns3.path
    series = read_series(triples[0].ns3.path)
    assert {len(values) for values in series.values()} == {8}
    assert ("cells", "power_w") in series
    assert {element for element, _ in series} == {"embb", "urllc", "mmtc", "cells"}
