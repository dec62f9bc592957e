# SPDX-License-Identifier: Apache-2.0
"""What the project promises about itself: pinned, licensed, free of local addresses, bootable."""

import ast
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ns3_scenarios.sweeps import SweepSpec, plan

ROOT = Path(__file__).resolve().parents[1]
BOOTSTRAP = ROOT / "tools" / "bootstrap.sh"
WORKER_CODE = "ns3_scenarios/worker/inside/"
CPP = (".h", ".cc", ".cpp")
PRODUCT = (
    "sixg.py",
    "ns3_scenarios/",
    "calibration/",
    "experiment_model/",
    "env/",
    "agent_learning/",
)
NS3_MODULES = {"_ran", "cppyy", "libcppyy", "ns", "ns3"}


def project_files() -> list[str]:
    """Paths, relative to the root, of all files that are committed or could be."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others"]
    try:
        listed = subprocess.run(
            [*command, "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"not a git checkout: {error}")
    return sorted(name for name in listed.stdout.split("\0") if (ROOT / name).is_file())


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def imports_ns3(name: str) -> bool:
    for node in ast.walk(ast.parse(text_of(name))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules = [node.module or ""]
        else:
            continue
        if any(module.partition(".")[0] in NS3_MODULES for module in modules):
            return True
    return False


# Dependencies


def pins() -> dict[str, str]:
    lines = text_of("constraints.txt").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def requirements() -> list[Requirement]:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    extras = project["optional-dependencies"].values()
    return [Requirement(line) for group in (project["dependencies"], *extras) for line in group]


@pytest.mark.parametrize("requirement", requirements(), ids=lambda requirement: requirement.name)
def test_direct_dependency_is_pinned_to_an_allowed_version(requirement: Requirement) -> None:
    pinned = pins()
    name = canonicalize_name(requirement.name)
    assert name in pinned
    assert requirement.specifier.contains(pinned[name])


def test_constraints_are_exact_versions_only() -> None:
    lines = [line for line in text_of("constraints.txt").splitlines() if line[:1] != "#"]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    assert lines == sorted(lines, key=lambda line: line.partition("==")[0])
    assert len(pins()) == len(lines)


# Addresses

REGISTRIES = re.compile(
    r"pypi\.org|pythonhosted\.org|download\.pytorch\.org|anaconda\.org|registry\.npmjs"
    r"|--(?:extra-)?index-url|--find-link[s]"
)
HOME_PATHS = re.compile(r"(?<![\w.$}/-])/(?:home|root|Users)/[\w.-]+")


def test_no_file_names_a_package_registry() -> None:
    found = [name for name in project_files() if REGISTRIES.search(text_of(name))]
    assert found == []


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    # Images have paths of their own.
    names = [name for name in project_files() if not name.startswith("docker/")]
    here = re.compile(re.escape(str(ROOT)) + r"\b")
    deep = len(ROOT.parts) > 2
    found = [
        name
        for name in names
        if HOME_PATHS.search(text_of(name)) or (deep and here.search(text_of(name)))
    ]
    assert found == []


# Licences


def test_every_source_file_names_its_licence_at_its_head() -> None:
    wrong = []
    for name in project_files():
        if not name.endswith((".py", *CPP)):
            continue
        gpl = name.endswith(CPP) or name.startswith(WORKER_CODE) or imports_ns3(name)
        licence = "GPL-2.0-only" if gpl else "Apache-2.0"
        head = text_of(name).splitlines()[:3]
        if not any(line.endswith(f"SPDX-License-Identifier: {licence}") for line in head):
            wrong.append(f"{name}: {licence} expected")
    assert wrong == []


def test_only_the_worker_process_imports_ns3() -> None:
    found = [
        name
        for name in project_files()
        if name.endswith(".py")
        and name.startswith(PRODUCT)
        and not name.startswith(WORKER_CODE)
        and imports_ns3(name)
    ]
    assert found == []


def test_notice_names_the_gpl_parts_and_the_texts_are_there() -> None:
    notice = text_of("NOTICE")
    for folder in ("ns3_scenarios/ran/", WORKER_CODE):
        assert folder in notice
        assert (ROOT / folder).is_dir()
    assert "GNU GENERAL PUBLIC LICENSE" in text_of("LICENSES/GPL-2.0-only.txt")
    assert text_of("LICENSE") == text_of("LICENSES/Apache-2.0.txt")


# The first command on a fresh machine


def fake_program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def bare_machine(tmp_path: Path) -> Path:
    """A PATH folder with a suitable Python, its venv module and headers, and a compiler."""
    fake_program(tmp_path, "python3", "exit 0")
    fake_program(tmp_path, "g++", "exit 0")
    return tmp_path


def bootstrap(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    shell = shutil.which("sh") or "/bin/sh"
    environment = {key: os.environ[key] for key in os.environ.keys() - {"PYTHON", "CXX"}}
    return subprocess.run(
        [shell, str(BOOTSTRAP), *arguments],
        env={**environment, "PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def without_module(module: str) -> str:
    """A Python that runs everything but what mentions this module."""
    return f'case "$2" in *{module}*) exit 1;; esac'


@pytest.mark.parametrize(
    ("program", "script", "sentence", "packages"),
    [
        ("g++", None, "a C++ compiler", "g++"),
        ("python3", None, "Python 3.11, 3.12 or 3.13", "python3 python3-venv python3-dev"),
        (
            "python3",
            "exit 1",  # too old
            "Python 3.11, 3.12 or 3.13",
            "python3.11 python3.11-venv python3.11-dev",
        ),
        ("python3", without_module("ensurepip"), "Python's venv module", "python3-venv"),
        ("python3", without_module("Python.h"), "Python's C headers", "python3-dev"),
    ],
    ids=["compiler", "python", "old python", "venv", "headers"],
)
def test_bootstrap_says_in_one_sentence_what_is_missing(
    bare_machine: Path, program: str, script: str | None, sentence: str, packages: str
) -> None:
    if script is None:
        (bare_machine / program).unlink()
    else:
        fake_program(bare_machine, program, script)
    result = bootstrap(bare_machine)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        f'6GAgentGym needs {sentence}: install it with "apt-get install {packages}".\n'
    )
    assert bootstrap(bare_machine, "--missing").stdout.strip() == packages


def test_bootstrap_finds_a_newer_python_beside_an_old_one(bare_machine: Path) -> None:
    fake_program(bare_machine, "python3", "exit 1")
    fake_program(bare_machine, "python3.12", without_module("ensurepip"))
    result = bootstrap(bare_machine)
    assert '"apt-get install python3.12-venv"' in result.stderr


def test_bootstrap_asks_for_everything_at_once(bare_machine: Path) -> None:
    (bare_machine / "g++").unlink()
    fake_program(bare_machine, "python3", without_module("ensurepip"))
    assert bootstrap(bare_machine).stderr.count("\n") == 1
    assert bootstrap(bare_machine, "--missing").stdout.strip() == "python3-venv g++"


def test_bootstrap_misses_nothing_on_a_complete_machine(bare_machine: Path) -> None:
    result = bootstrap(bare_machine, "--missing")
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "", "")


# The README


def test_readme_sweep_is_valid() -> None:
    spec = re.search(r"```yaml\n(.*?)```", text_of("README.md"), re.DOTALL)
    assert spec
    runs = plan(SweepSpec.model_validate(yaml.safe_load(spec[1]))).runs
    assert len(runs) == 8 * 2
