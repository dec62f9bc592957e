# SPDX-License-Identifier: Apache-2.0
"""The front door of 6GAgentGym: the `sixg` command line, and the public Python API.

import sixg

traces = sixg.simulate("quickstart", seed=1)
dataset = sixg.sweep("my_sweep.yaml", "my-dataset", jobs=2)
dataset.to_pandas("slice")

What the API names stand for is imported when first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ns3_scenarios.checking import Finding, Report, check_dataset
    from ns3_scenarios.controls import ControlChange, ControlState, Schedule
    from ns3_scenarios.dataset import Dataset
    from ns3_scenarios.errors import (
        BuildError,
        ControlError,
        DatasetError,
        ScenarioError,
        SimulationError,
        SixgError,
        SweepError,
        UserError,
        WorkerError,
    )
    from ns3_scenarios.foreign import RecordedRun, write_dataset
    from ns3_scenarios.library import load_scenario, scenario_names
    from ns3_scenarios.live import LiveSimulation, Observation
    from ns3_scenarios.scenario import ScenarioConfig
    from ns3_scenarios.simulate import simulate
    from ns3_scenarios.sweeps import SweepSpec, load_spec, sweep
    from ns3_scenarios.traces import Provenance, Traces

__all__ = [
    "BuildError",
    "ControlChange",
    "ControlError",
    "ControlState",
    "Dataset",
    "DatasetError",
    "Finding",
    "LiveSimulation",
    "Observation",
    "Provenance",
    "RecordedRun",
    "Report",
    "ScenarioConfig",
    "ScenarioError",
    "Schedule",
    "SimulationError",
    "SixgError",
    "SweepError",
    "SweepSpec",
    "Traces",
    "UserError",
    "WorkerError",
    "check_dataset",
    "load_scenario",
    "load_spec",
    "scenario_names",
    "simulate",
    "sweep",
    "write_dataset",
]

_HOMES = {
    "ns3_scenarios.checking": ("Finding", "Report", "check_dataset"),
    "ns3_scenarios.controls": ("ControlChange", "ControlState", "Schedule"),
    "ns3_scenarios.dataset": ("Dataset",),
    "ns3_scenarios.foreign": ("RecordedRun", "write_dataset"),
    "ns3_scenarios.library": ("load_scenario", "scenario_names"),
    "ns3_scenarios.live": ("LiveSimulation", "Observation"),
    "ns3_scenarios.scenario": ("ScenarioConfig",),
    "ns3_scenarios.simulate": ("simulate",),
    "ns3_scenarios.sweeps": ("SweepSpec", "load_spec", "sweep"),
    "ns3_scenarios.traces": ("Provenance", "Traces"),
}

USER_MISTAKE = 2
FAILURE = 1
INTERRUPTED = 130


def __getattr__(name: str) -> Any:
    """Import a name of the API when it is first used."""
    if name in __all__:
        module = next((m for m, names in _HOMES.items() if name in names), "ns3_scenarios.errors")
        return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names of the API and of this module."""
    return sorted({*globals(), *__all__})


def main() -> None:
    """Run the command line."""
    import typer

    from agent_learning.bench import cli as bench_cli
    from calibration import cli as calibration_cli
    from env import cli as env_cli
    from env.fidelity import cli as fidelity_cli
    from env.interfaces import cli as serving_cli
    from ns3_scenarios import cli
    from ns3_scenarios.errors import SixgError, UserError

    app = typer.Typer(
        help="Simulate 6G networks on NS-3, fit fast models to it, and let agents run them.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.add_typer(cli.app)
    app.add_typer(calibration_cli.app)
    app.add_typer(env_cli.app)
    app.add_typer(fidelity_cli.app)
    app.add_typer(serving_cli.app)
    app.add_typer(bench_cli.app, name="bench")
    try:
        app()
    except SixgError as error:
        # The user's mistakes and the machine's troubles have a message; a bug has a traceback.
        cli.err_console().print(str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(USER_MISTAKE if isinstance(error, UserError) else FAILURE)


if __name__ == "__main__":
    main()
