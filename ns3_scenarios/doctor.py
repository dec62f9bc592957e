# SPDX-License-Identifier: Apache-2.0
"""What `sixg doctor` looks at: all that a simulation needs, and how to get what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ns3_scenarios.errors import BuildError, SixgError

PYTHONS = ((3, 11), (3, 13))
"""Oldest and newest Python for which ns-3 is published."""
PACKAGES = (
    *("numpy", "scipy", "pandas", "pyarrow", "pydantic", "PyYAML", "joblib", "psutil", "filelock"),
    *("matplotlib", "rich", "typer", "xgboost", "pybind11", "platformdirs"),
)
INSTALL = "run 'make install' in a checkout of the project"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    fix: str = ""
    """What to do about it, if it is not well."""

    def as_dict(self) -> dict[str, Any]:
        """Fields by name."""
        return asdict(self)


def examine(on_build: Callable[[str], None] = lambda _: None) -> Iterator[Finding]:
    """Look at one thing after the other; the RAN model is compiled if it was not yet.

    Args:
        on_build: told what is compiled.
    """
    yield _python()
    yield from map(_package, PACKAGES)
    yield _ns3()
    yield _compiler()
    model = _ran_model(on_build)
    yield model
    yield _worker() if model.ok else Finding("worker", False, "not tried", model.fix)


def _python() -> Finding:
    (_, oldest), (_, newest) = PYTHONS
    ok = PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]
    fix = f"use Python 3.{oldest} to 3.{newest}, for which ns-3 is published"
    return Finding("Python", ok, platform.python_version(), "" if ok else fix)


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", INSTALL)


def _ns3() -> Finding:
    from ns3_scenarios.ran.build import ns3_root, ns3_version

    try:
        ns3_root()
        return Finding("ns-3", True, ns3_version())
    except BuildError as error:
        return Finding("ns-3", False, "not installed", str(error))


def _compiler() -> Finding:
    command = (shlex.split(os.environ.get("CXX", "")) or ["g++"])[0]
    path = shutil.which(command)
    if path:
        return Finding("C++ compiler", True, path)
    fix = f"install it with 'apt-get install g++', or let CXX name another one than {command}"
    return Finding("C++ compiler", False, "not found", fix)


def _ran_model(on_build: Callable[[str], None]) -> Finding:
    from ns3_scenarios.ran.build import ensure_built, source_hash

    built = False

    def say(text: str) -> None:
        nonlocal built
        built = True
        on_build(text)

    started = time.monotonic()
    try:
        ensure_built(say)
    except BuildError as error:
        return Finding("RAN model", False, "does not compile", str(error))
    how = f"compiled in {time.monotonic() - started:.0f} s" if built else "compiled before"
    return Finding("RAN model", True, f"{source_hash()}, {how}")


def _worker() -> Finding:
    from ns3_scenarios.worker import SimulationWorker

    try:
        with SimulationWorker() as worker:
            info = worker.start()
    except SixgError as error:
        return Finding("worker", False, "does not start", str(error))
    return Finding("worker", True, f"warm after {info.warm_s:.1f} s")
