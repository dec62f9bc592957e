# SPDX-License-Identifier: Apache-2.0
"""The RAN model against LENA-LTE of the same ns-3: sites, users, traffic and spectrum alike.

Compiles `lena_lte.cc` against the installed ns-3, then runs both programs in turn, several times,
and prints simulated seconds per wall-clock second, their ratio, events, and the delivered rates,
which show that both carry the traffic. LENA's figure leaves out its set-up and attachment.

    python benchmarks/lena_lte.py [--repetitions 3] [--json]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from report import Line, emit

from ns3_scenarios.scenario import (
    Carrier,
    ConstantBitRate,
    Handover,
    Layout,
    Placement,
    Position,
    Propagation,
    Radio,
    ScenarioConfig,
    Slice,
    UserGroup,
)
from ns3_scenarios.simulate import simulate

TARGET_RATIO = 10
ISD_M = 500.0
CELL_RADIUS_M = 100.0
SITE_HEIGHT_M = 10.0
USER_HEIGHT_M = 1.5
FREQUENCY_GHZ = 2.12  # LENA's default downlink carrier, EARFCN 100
RATE_MBPS = 2.0
PAYLOAD_BYTES = 1400
IP_PACKET_BYTES = PAYLOAD_BYTES + 28
MODULES = [
    *("lte", "virtual-net-device", "config-store", "csma", "point-to-point", "applications"),
    *("flow-monitor", "buildings", "spectrum", "propagation", "antenna", "energy", "internet"),
    *("traffic-control", "bridge", "mobility", "stats", "network", "core"),
]


@dataclass(frozen=True)
class Case:
    """Sites in a hexagonal neighbourhood, users in discs around them."""

    name: str
    sites: tuple[tuple[float, float], ...]
    users: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True)
class Outcome:
    speed: float
    """Simulated seconds per wall-clock second."""
    delivered_mbps: float
    events: int


def make_case(n_sites: int, n_users: int) -> Case:
    """Three sites around a corner, or seven around a centre, with users spread over them."""
    if n_sites == 3:
        radius, first = ISD_M / math.sqrt(3), 90
        sites = [(radius, first + 120 * i) for i in range(3)]
    else:
        sites = [(0.0, 0), *((ISD_M, 60 * i) for i in range(6))]
    places = [(r * math.cos(math.radians(a)), r * math.sin(math.radians(a))) for r, a in sites]
    rng = random.Random(n_sites)
    users = []
    for i in range(n_users):
        site = i % n_sites
        r = CELL_RADIUS_M * math.sqrt(rng.uniform(0.01, 1))
        angle = rng.uniform(0, 2 * math.pi)
        x, y = places[site]
        users.append((x + r * math.cos(angle), y + r * math.sin(angle), site))
    return Case(f"{n_sites} cells, {n_users} users", tuple(places), tuple(users))


def compile_lena(folder: Path) -> Path:
    """Compile the LENA program; returns the executable."""
    spec = importlib.util.find_spec("ns3")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("ns-3 is not installed")
    ns3 = Path(next(iter(spec.submodule_search_locations)))
    binary = folder / "lena_lte"
    source = Path(__file__).with_name("lena_lte.cc")
    command = ["g++", "-std=c++20", "-O2", "-DNDEBUG", f"-I{ns3 / 'include'}", str(source)]
    command += ["-o", str(binary), f"-L{ns3 / 'lib64'}"]
    command += [f"-lns3.44-{module}" for module in MODULES]
    command += [f"-Wl,-rpath,{ns3 / 'lib64'}", "-Wl,--unresolved-symbols=ignore-in-shared-libs"]
    subprocess.run(command, check=True)
    return binary


def run_lena(binary: Path, case: Case, duration_s: float) -> Outcome:
    lines = [f"duration_s {duration_s}", "warmup_s 0.5", f"rate_mbps {RATE_MBPS}"]
    lines += [f"site {x} {y} {SITE_HEIGHT_M}" for x, y in case.sites]
    lines += [f"user {x} {y} {USER_HEIGHT_M} {site}" for x, y, site in case.users]
    done = subprocess.run(
        [str(binary)], input="\n".join(lines), capture_output=True, text=True, check=True
    )
    result = json.loads(done.stdout)
    return Outcome(
        speed=result["simulated_s"] / result["wall_s"],
        delivered_mbps=result["delivered_mbps"],
        events=round(result["events"] / duration_s),
    )


def our_scenario(case: Case, duration_s: float) -> ScenarioConfig:
    """The same network: UMi in line of sight, 20 MHz at 15 kHz, 100 resource blocks, 30 dBm."""
    return ScenarioConfig(
        name="beside_lena",
        description="The network of the LENA-LTE benchmark.",
        duration_s=duration_s,
        interval_ms=500,
        layout=Layout(
            kind="free",
            n_sectors=1,
            site_height_m=SITE_HEIGHT_M,
            sites=tuple(Position(x_m=x, y_m=y) for x, y in case.sites),
        ),
        propagation=Propagation(environment="UMi", line_of_sight="always", shadowing=False),
        carriers=(
            Carrier(
                frequency_ghz=FREQUENCY_GHZ,
                bandwidth_mhz=20,
                numerology=0,
                duplex="FDD",
                n_rb=100,
                tx_power_dbm=30,
            ),
        ),
        radio=Radio(
            scheduler="proportional_fair", dl_queue_kb=300, handover=Handover(enabled=False)
        ),
        slices=(Slice(name="all"),),
        users=(
            UserGroup(
                name="users",
                slice="all",
                height_m=USER_HEIGHT_M,
                placement=Placement(
                    kind="points", points=tuple(Position(x_m=x, y_m=y) for x, y, _ in case.users)
                ),
                traffic=(
                    ConstantBitRate(kind="cbr", rate_mbps=RATE_MBPS, packet_bytes=PAYLOAD_BYTES),
                ),
            ),
        ),
    )


def run_ours(case: Case, duration_s: float) -> Outcome:
    traces = simulate(our_scenario(case, duration_s))
    # The first interval has the start-up; the rate is that of the rest.
    cell = traces["cell"].to_pandas()
    rest = cell[cell["interval"] > 0]
    seconds = rest["interval"].nunique() * 0.5
    bits = rest["dl_delivered_bits"].sum() * PAYLOAD_BYTES / IP_PACKET_BYTES
    return Outcome(
        speed=duration_s / traces.wall_s,
        delivered_mbps=float(bits) / seconds / 1e6,
        events=round(traces.events / duration_s),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--duration", type=float, default=4, help="simulated seconds of ours")
    parser.add_argument("--lena-duration", type=float, default=2, help="simulated seconds of LENA")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    lines = []
    with tempfile.TemporaryDirectory() as folder:
        binary = compile_lena(Path(folder))
        run_ours(make_case(3, 3), 1)  # start the worker
        for case in (make_case(3, 20), make_case(7, 70)):
            lena, ours = [], []
            for _ in range(arguments.repetitions):
                lena.append(run_lena(binary, case, arguments.lena_duration))
                ours.append(run_ours(case, arguments.duration))
            lines += compare(case, lena, ours)
    return emit("RAN model beside LENA-LTE", lines, as_json=arguments.json)


def compare(case: Case, lena: list[Outcome], ours: list[Outcome]) -> list[Line]:
    speed = {
        name: statistics.median(o.speed for o in runs)
        for name, runs in (("LENA-LTE", lena), ("ours", ours))
    }
    ratio = statistics.median(o.speed / t.speed for o, t in zip(ours, lena, strict=True))
    offered = len(case.users) * RATE_MBPS
    lines = []
    for name, runs in (("LENA-LTE", lena), ("ours", ours)):
        lines.append(Line(f"{case.name}: {name}", speed[name], "simulated s per s"))
        lines.append(Line(f"{case.name}: {name}, events", runs[0].events, "per simulated s"))
        lines.append(
            Line(
                f"{case.name}: {name}, delivered of {offered:g} Mbit/s",
                min(run.delivered_mbps for run in runs),
                "Mbit/s",
                at_least=0.98 * offered,
            )
        )
    lines.append(Line(f"{case.name}: ours over LENA-LTE", ratio, "", at_least=TARGET_RATIO))
    return lines


if __name__ == "__main__":
    sys.exit(main())
