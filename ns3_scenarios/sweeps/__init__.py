# SPDX-License-Identifier: Apache-2.0
"""Sweeps: a specification in YAML, the runs that follow from it, and the dataset they leave.

`spec` says what a user may write, `design` and `schedules` turn it into runs, `runner` simulates
the ones that are missing. A run is fully determined by the specification, so the same one gives
the same dataset, byte for byte, on any number of processes and after any number of interruptions.
"""

from ns3_scenarios.sweeps.design import Config, Plan, Run, plan, spec_of
from ns3_scenarios.sweeps.runner import Progress, run_plan, sweep
from ns3_scenarios.sweeps.schedules import draw_action
from ns3_scenarios.sweeps.spec import Point, SweepSpec, load_spec, parse_spec

__all__ = [
    "Config",
    "Plan",
    "Point",
    "Progress",
    "Run",
    "SweepSpec",
    "draw_action",
    "load_spec",
    "parse_spec",
    "plan",
    "run_plan",
    "spec_of",
    "sweep",
]
