# SPDX-License-Identifier: Apache-2.0
"""The RAN model is compiled once, for what it depends on, and mistakes are one clear sentence."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ns3_scenarios.errors import BuildError
from ns3_scenarios.ran import build

PLAIN = {"a.h": "int a();\n", "a.cc": '#include "a.h"\nint a() { return 1; }\n', "b.cc": "int b;\n"}
EXTENSION = """
#include "ns3/nstime.h"
#include <pybind11/pybind11.h>
PYBIND11_MODULE(_ran, m) { m.def("ms", [] { return ns3::Seconds(2).GetMilliSeconds(); }); }
"""


def write(folder: Path, sources: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in sources.items():
        (folder / name).write_text(text)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of two small files, and empty caches."""
    write(tmp_path / "model", PLAIN)
    monkeypatch.setattr(build, "MODEL", tmp_path / "model")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "model"


def compiled() -> list[str]:
    """Names of the files that `ensure_built` compiles now."""
    said: list[str] = []
    build.ensure_built(said.append)
    return sorted(line.split()[1] for line in said if line.startswith("compiled "))


def test_source_hash_tells_contents_and_names_apart(model: Path) -> None:
    seen = [build.source_hash()]
    assert seen[0] == build.source_hash()
    assert re.fullmatch("[0-9a-f]{16}", seen[0])
    (model / "a.h").write_text("int a(); // changed\n")
    seen.append(build.source_hash())
    (model / "a.h").rename(model / "c.h")
    seen.append(build.source_hash())
    (model / "notes.txt").write_text("not a source")
    assert build.source_hash() == seen[-1]
    assert len(set(seen)) == 3


def test_only_what_changed_is_compiled(model: Path) -> None:
    assert compiled() == ["a.cc", "b.cc"]
    assert compiled() == []
    write(model, {"b.cc": "int b = 2;\n"})
    assert compiled() == ["b.cc"]
    write(model, {"a.h": "int a(); // changed\n"})
    assert compiled() == ["a.cc", "b.cc"]
    write(model, PLAIN)
    assert compiled() == []


def test_the_newest_builds_are_kept(model: Path, tmp_path: Path) -> None:
    for value in range(build.KEPT_BUILDS + 2):
        write(model, {"b.cc": f"int b = {value};\n"})
        newest = build.ensure_built()
    kept = list((tmp_path / "prefix/lib/sixg").glob("ran-*"))
    assert len(kept) == build.KEPT_BUILDS
    assert newest.parent in kept


def test_what_a_killed_build_left_is_removed(model: Path, tmp_path: Path) -> None:
    leftover = tmp_path / "prefix/lib/sixg/ran-0.partial"
    leftover.mkdir(parents=True)
    path = build.ensure_built()
    assert path.is_file()
    assert not leftover.exists()


def test_builds_in_the_cache_folder_where_the_environment_cannot_be_written(
    model: Path, tmp_path: Path
) -> None:
    (tmp_path / "prefix").write_text("not a folder")
    assert build.ensure_built().is_relative_to(tmp_path / "cache")
    (tmp_path / "cache").rename(tmp_path / "away")
    (tmp_path / "cache").write_text("not a folder either")
    with pytest.raises(BuildError, match="no folder can be written"):
        build.ensure_built()


def test_a_missing_compiler_is_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler -flag")
    with pytest.raises(BuildError, match=r"'no-such-compiler' is not there.*apt install g\+\+"):
        build.ensure_built()


def test_missing_headers_of_python_are_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_python_includes", list)
    with pytest.raises(BuildError, match="apt install python3-dev"):
        build.ensure_built()


def test_missing_ns3_is_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_package_folders", lambda package: [])
    with pytest.raises(BuildError, match="pip install ns3"):
        build.ns3_root()


def test_a_compile_error_shows_its_line_and_leaves_nothing(model: Path, tmp_path: Path) -> None:
    write(model, {"b.cc": "int b = nonsense;\n"})
    with pytest.raises(BuildError, match=r"b\.cc:1:9: error: .*nonsense"):
        build.ensure_built()
    assert not list((tmp_path / "prefix/lib/sixg").glob("ran-*"))


def test_processes_that_need_the_same_build_make_it_once(model: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from ns3_scenarios.ran import build;"
        f"build.MODEL = Path({str(model)!r}); sys.prefix = {str(tmp_path / 'prefix')!r};"
        "build.ensure_built(print)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(4)
    ]
    said = "".join(process.communicate()[0] for process in running)
    assert [process.returncode for process in running] == [0, 0, 0, 0]
    assert said.count("compiled a.cc") == 1


def test_the_extension_runs_ns3_code_from_the_installed_package(model: Path) -> None:
    for name in PLAIN:
        (model / name).unlink()
    write(model, {"bindings.cc": EXTENSION})
    path = build.ensure_built()
    assert not {"_ran", "ns", "ns3", "cppyy"} & sys.modules.keys()
    result = subprocess.run(
        [sys.executable, "-c", "import _ran; print(_ran.ms())"],
        env={**os.environ, "PYTHONPATH": str(path.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout.strip(), result.stderr) == ("2000", "")
