# SPDX-License-Identifier: Apache-2.0
"""What holds in every packaged scenario while all controls change and all kinds of fault strike."""

from collections.abc import Iterator
from functools import cache

import pyarrow as pa
import pytest

from ns3_scenarios.controls import Schedule
from ns3_scenarios.library import load_scenario, scenario_names
from ns3_scenarios.live import LiveSimulation
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.simulate import simulate
from ns3_scenarios.sweeps.schedules import draw_schedule
from ns3_scenarios.sweeps.spec import RandomPiecewise
from ns3_scenarios.traces import Traces

from ..ran.test_invariants import assert_bits_are_conserved, assert_shares_are_shares

N_INTERVALS = 6
BRANCH_AT = 3


@cache
def disturbed(name: str, seed: int) -> tuple[ScenarioConfig, Schedule, Traces]:
    """A scenario, a schedule of changes, and what came of them."""
    scenario = load_scenario(name)
    interval_s = scenario.interval_ms * 1e-3
    faults = {"mean_gap_s": interval_s / 2, "mean_duration_s": interval_s}
    changes = {"duration_s": N_INTERVALS * interval_s, "faults": (), "random_faults": faults}
    scenario = ScenarioConfig.model_validate({**scenario.model_dump(), **changes})
    spec = RandomPiecewise(
        kind="random_piecewise", controls="all", min_gap_intervals=1, max_gap_intervals=2
    )
    schedule = draw_schedule(spec, scenario, f"{name}:{seed}")
    return scenario, schedule, simulate(scenario, schedule, seed)


def as_bytes(table: pa.Table) -> bytes:
    table = table.unify_dictionaries().combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", scenario_names())
def test_nothing_is_lost_or_out_of_bounds(assert_conserved, name, seed):
    tables = disturbed(name, seed)[2].tables
    assert_bits_are_conserved(tables)
    assert_shares_are_shares(tables)
    frames = {name: table.to_pandas() for name, table in tables.items()}
    assert_conserved(frames)
    assert (frames["cell"].power_w >= 0).all()
    assert frames["ue"].dl_delivered_bits.sum() > 0


@pytest.mark.parametrize("name", scenario_names())
def test_steps_and_branches_are_the_run(assert_conserved, name):
    scenario, schedule, through = disturbed(name, 1)

    def go_on(simulation: LiveSimulation, intervals: range) -> Iterator[dict[str, pa.Table]]:
        for interval in intervals:
            simulation.apply(change for change in schedule if change.interval == interval)
            yield simulation.advance()

    with LiveSimulation(scenario, seed=1) as live:
        first = list(go_on(live, range(BRANCH_AT)))
        with live.branch() as branch, live.branch() as redrawn:
            redrawn.redraw(1)
            *ends, other = (
                list(go_on(one, range(BRANCH_AT, N_INTERVALS))) for one in (live, branch, redrawn)
            )
    drawn = {name: pa.concat_tables([t[name] for t in (*first, *other)]) for name in other[0]}
    assert_bits_are_conserved(drawn)
    assert_shares_are_shares(drawn)
    assert_conserved({name: table.to_pandas() for name, table in drawn.items()})
    assert as_bytes(drawn["flow"]) != as_bytes(through.tables["flow"])
    for table, whole in through.tables.items():
        for last in ends:
            stepped = pa.concat_tables([step[table] for step in (*first, *last)])
            assert as_bytes(stepped) == as_bytes(whole), table
