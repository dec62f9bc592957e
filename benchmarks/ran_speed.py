# SPDX-License-Identifier: Apache-2.0
"""What the RAN model costs: wall-clock seconds per simulated second, growth with cells, overheads.

python benchmarks/ran_speed.py [--only NAME ...] [--json]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from report import Line, run_parts

from ns3_scenarios.scenario import (
    Carrier,
    ConstantBitRate,
    FullBuffer,
    Layout,
    Placement,
    Position,
    Propagation,
    Radio,
    ScenarioConfig,
    Slice,
    UserGroup,
    resource_blocks,
)
from ns3_scenarios.simulate import simulate
from ns3_scenarios.sweeps import SweepSpec, sweep
from ns3_scenarios.validation.mapping import drawn_positions, triangle
from ns3_scenarios.worker import SimulationWorker

Traffic = FullBuffer | ConstantBitRate
FULL_BUFFER = FullBuffer(kind="full_buffer")
REPETITIONS = 3


def cbr(rate_mbps: float) -> ConstantBitRate:
    return ConstantBitRate(kind="cbr", rate_mbps=rate_mbps)


def network(
    name: str,
    *,
    layout: Layout,
    bandwidth_mhz: float,
    numerology: int,
    placement: Placement,
    traffic: Traffic,
    duration_s: float,
    radio: Radio | None = None,
    count: int = 1,
) -> ScenarioConfig:
    return ScenarioConfig(
        name=name,
        description="A benchmark.",
        duration_s=duration_s,
        interval_ms=200,
        layout=layout,
        propagation=Propagation(environment="UMi", line_of_sight="always", shadowing=False),
        carriers=(
            Carrier(
                frequency_ghz=3.5,
                bandwidth_mhz=bandwidth_mhz,
                numerology=numerology,
                duplex="FDD",
                n_rb=int(0.96 * bandwidth_mhz * 1e3 / (180 * 2**numerology)),
                rbg_size_rb=1 if radio and radio.multiplexing == "ofdma" else None,
                tx_power_dbm=30,
            ),
        ),
        radio=radio or Radio(),
        slices=(Slice(name="all"),),
        users=(
            UserGroup(
                name="users", slice="all", count=count, placement=placement, traffic=(traffic,)
            ),
        ),
    )


def reference_e(duration_s: float = 2) -> ScenarioConfig:
    """Reference scenario e_noharq: three cells, 30 saturated users, 20 MHz, no retransmissions."""
    return network(
        "reference_e",
        layout=Layout(kind="free", sites=triangle(), n_sectors=1),
        bandwidth_mhz=20,
        numerology=1,
        placement=Placement(kind="points", points=drawn_positions(10, seed=1)),
        traffic=cbr(15),
        duration_s=duration_s,
        radio=Radio(
            outer_loop=False,
            repetition_gain=False,
            harq_max_retx=0,
            scheduler="round_robin",
            restart_round_robin=True,
        ),
    )


def reference_a(numerology: int, traffic: Traffic, duration_s: float = 2) -> ScenarioConfig:
    """Reference scenario a: one user at 50 m, 100 MHz."""
    return network(
        "reference_a",
        layout=Layout(kind="free", sites=(Position(x_m=0, y_m=0),), n_sectors=1),
        bandwidth_mhz=100,
        numerology=numerology,
        placement=Placement(kind="points", points=(Position(x_m=50, y_m=0),)),
        traffic=traffic,
        duration_s=duration_s,
        radio=Radio(multiplexing="tdma", scheduler="round_robin"),
    )


def hexagonal(n_cells: int, traffic: Traffic, duration_s: float = 4) -> ScenarioConfig:
    """Sites of three sectors, ten users in each sector, 20 MHz at numerology 1, TDD."""
    frequency_ghz = 3.5
    return ScenarioConfig(
        name=f"hexagonal_{n_cells}",
        description="A benchmark.",
        duration_s=duration_s,
        interval_ms=200,
        layout=Layout(kind="hexagonal", n_sites=n_cells // 3, n_sectors=3, isd_m=200),
        propagation=Propagation(environment="UMi"),
        carriers=(
            Carrier(
                frequency_ghz=frequency_ghz,
                bandwidth_mhz=20,
                numerology=1,
                n_rb=resource_blocks(frequency_ghz, 20, 1),
                tx_power_dbm=41,
            ),
        ),
        slices=(Slice(name="all"),),
        users=(
            UserGroup(
                name="users",
                slice="all",
                count=10,
                placement=Placement(kind="per_cell", min_radius_m=10, radius_m=115),
                traffic=(traffic,),
            ),
        ),
    )


def cost(scenario: ScenarioConfig) -> float:
    """Wall-clock seconds per simulated second; the median of several runs."""
    return statistics.median(
        simulate(scenario, seed=seed).wall_s / scenario.duration_s
        for seed in range(1, REPETITIONS + 1)
    )


def measure_reference() -> list[Line]:
    """Costs on the reference's own configurations."""
    unit = "s per simulated s"
    lines = [Line("e_noharq: 3 cells, 30 saturated users", cost(reference_e()), unit, at_most=2.0)]
    for numerology in (0, 1, 2):
        packets = cost(reference_a(numerology, cbr(560)))
        full = cost(reference_a(numerology, FULL_BUFFER))
        name = f"a: 100 MHz, numerology {numerology}"
        lines.append(Line(f"{name}, 50,000 packets/s", packets, unit, at_most=1.5))
        lines.append(Line(f"{name}, full buffer", full, unit, at_most=0.1))
    return lines


def measure_growth() -> list[Line]:
    """Costs of 3, 21 and 57 cells with ten users each."""
    lines = []
    for name, traffic in (("full buffer", FULL_BUFFER), ("2 Mbit/s each", cbr(2))):
        # In rounds, so that a disturbance of the machine meets all sizes alike.
        rounds: dict[int, list[float]] = {3: [], 21: [], 57: []}
        for seed in range(1, REPETITIONS + 1):
            for n, seconds in rounds.items():
                scenario = hexagonal(n, traffic)
                seconds.append(simulate(scenario, seed=seed).wall_s / scenario.duration_s)
        costs = {n: statistics.median(seconds) for n, seconds in rounds.items()}
        for n, seconds in costs.items():
            bound = 10.0 if n == 57 and traffic is FULL_BUFFER else None
            what = f"{n} cells, {10 * n} users, {name}"
            lines.append(Line(what, seconds, "s per simulated s", at_most=bound))
        per_cell = {n: seconds / n for n, seconds in costs.items()}
        for few, many in ((3, 21), (21, 57)):
            what = f"cost per cell, {many} cells over {few}, {name}"
            lines.append(Line(what, per_cell[many] / per_cell[few], "", at_most=1.0))
    return lines


def measure_worker() -> list[Line]:
    """Start of a worker, and what a run costs beside its simulation."""
    tiny = reference_a(0, FULL_BUFFER, duration_s=0.2)
    simulate(tiny)  # nothing is compiled after this
    starts = []
    for _ in range(REPETITIONS):
        worker = SimulationWorker()
        begin = time.perf_counter()
        worker.start()
        starts.append(time.perf_counter() - begin)
        worker.close()
    overheads = []
    for seed in range(1, 21):
        begin = time.perf_counter()
        traces = simulate(tiny, seed=seed)
        overheads.append((time.perf_counter() - begin - traces.wall_s) * 1e3)
    return [
        Line("worker start", statistics.median(starts), "s", at_most=8.0),
        Line("run outside its simulation", statistics.median(overheads), "ms", at_most=100.0),
    ]


def measure_sweep() -> list[Line]:
    """The same sweep by one process and by two, with all that a user waits for."""
    spec = SweepSpec.model_validate(
        {
            "scenario": "urban_macro_slices",
            "duration_s": 4,
            "vary": {"scenario.radio.scheduler": {"values": ["proportional_fair", "qos"]}},
            "design": "grid",
            "seeds": "1-20",
        }
    )
    wall_s = {}
    with tempfile.TemporaryDirectory() as folder:
        for jobs in (1, 2):
            begin = time.perf_counter()
            sweep(spec, Path(folder, str(jobs)), jobs=jobs)
            wall_s[jobs] = time.perf_counter() - begin
    return [
        Line("sweep of 40 runs, 1 process", wall_s[1], "s"),
        Line("sweep of 40 runs, 2 processes", wall_s[2], "s"),
        Line("sweep, 1 process over 2", wall_s[1] / wall_s[2], "", at_least=1.9),
    ]


PARTS: dict[str, Callable[[], list[Line]]] = {
    "reference": measure_reference,
    "growth": measure_growth,
    "worker": measure_worker,
    "sweep": measure_sweep,
}


if __name__ == "__main__":
    sys.exit(run_parts("RAN model speed", __doc__, PARTS))
