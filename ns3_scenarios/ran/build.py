# SPDX-License-Identifier: Apache-2.0
"""Compile the RAN model into the extension module `_ran`, once per source, ns-3 and Python.

The result is kept in a folder named after everything it depends on, below the Python environment
or, where that cannot be written, the user's cache folder. Object files are kept too, so that a
change to one source file compiles that file only. Nothing here imports ns-3 or the result.

    python -m ns3_scenarios.ran.build
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_dir

from ns3_scenarios.errors import BuildError

MODEL = Path(__file__).parent
ASSEMBLY = MODEL.parent / "worker" / "inside"
"""The Python code that puts a network together from the model's parts."""
NS3_MODULES = (
    "core",
    "network",
    "stats",
    "mobility",
    "bridge",
    "traffic-control",
    "internet",
    "antenna",
    "propagation",
    "spectrum",
    "buildings",
    "point-to-point",
    "applications",
    "flow-monitor",
    "energy",
    "virtual-net-device",
)
# No -march=native and no contraction: the same results on every machine. NS3_LOG_ENABLE because the
# wheel is compiled with it and the size of some of its classes depends on it.
COMPILE_FLAGS = (
    "-std=c++20",
    "-O2",
    "-fPIC",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-Wall",
    "-Wextra",
    "-DNS3_LOG_ENABLE",
    "-DNS3_BUILD_PROFILE_RELEASE",
)
LOCK_TIMEOUT_S = 1800
KEPT_BUILDS = 8

Progress = Callable[[str], None]


def source_hash() -> str:
    """16 hex digits for everything that decides what a simulation gives.

    That is the C++ sources and the Python code that puts networks together from them.
    """
    return _digest([*_named_contents(_cpp()), *_named_contents(sorted(ASSEMBLY.glob("*.py")))])


def ns3_version() -> str:
    """Version of the installed ns-3 package.

    Raises:
        BuildError: ns-3 is not installed.
    """
    try:
        return importlib.metadata.version("ns3")
    except importlib.metadata.PackageNotFoundError:
        raise BuildError("ns-3 is not installed; install it with: pip install ns3") from None


def ns3_root() -> Path:
    """Folder of the installed ns-3, with its `include` and `lib64`; ns-3 is not imported.

    Raises:
        BuildError: ns-3 is not installed.
    """
    for folder in _package_folders("ns3"):
        if (folder / "include" / "ns3" / "core-module.h").is_file():
            return folder.resolve()
    raise BuildError("ns-3 is not installed; install it with: pip install ns3")


def ensure_built(progress: Progress | None = None) -> Path:
    """Path of the compiled extension module; it is compiled if no earlier build fits.

    Processes that need the same build at once compile it once.

    Args:
        progress: called with a short text as the compilation goes on; not called at all when there
            is nothing to compile.

    Raises:
        BuildError: ns-3, the compiler or a header is missing, the source does not compile, or no
            folder can be written.
    """
    name = f"_ran{sysconfig.get_config_var('EXT_SUFFIX')}"
    folder = f"ran-{_build_key()}"
    roots = (Path(sys.prefix, "lib", "sixg"), Path(user_cache_dir("sixg")))
    for root in roots:
        if (root / folder / name).is_file():
            return root / folder / name
    root = _first_writable(roots)
    say = progress or (lambda _: None)
    try:
        with FileLock(root / "build.lock", timeout=LOCK_TIMEOUT_S):
            if not (root / folder / name).is_file():
                _build(root, folder, name, say)
    except Timeout:
        raise BuildError(
            f"another process has been compiling the RAN model for {LOCK_TIMEOUT_S} s; "
            f"end the process that holds {root / 'build.lock'}"
        ) from None
    except OSError as error:
        raise BuildError(f"the RAN model cannot be compiled in {root}: {error}") from error
    return root / folder / name


def _build(root: Path, folder: str, name: str, say: Progress) -> None:
    """Compile and link into `root/folder`, which appears only when complete."""
    sources = _sources(".cc")
    if not sources:
        raise BuildError(f"there are no C++ sources below {MODEL}")
    _check_tools()
    for leftover in root.glob("*.partial"):  # of a build that was killed; we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    objects = root / "obj"
    objects.mkdir(exist_ok=True)
    partial = root / f"{folder}.partial"
    partial.mkdir()
    try:
        compiled = _compile(sources, objects, partial, say)
        _run([*_compiler(), *map(str, compiled), *_link_flags(), "-o", str(partial / name)])
        os.replace(partial, root / folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _keep_newest(root.glob("ran-*"), KEPT_BUILDS)
    _keep_newest(objects.glob("*.o"), KEPT_BUILDS * len(sources))


def _compile(sources: list[Path], objects: Path, partial: Path, say: Progress) -> list[Path]:
    """Object files of the sources, compiled where the cache does not have them."""
    common: list[str | bytes] = [_compile_key(), *_named_contents(_sources(".h"))]
    cached = {
        source: objects / f"{source.stem}-{_digest([*common, *_named_contents([source])])}.o"
        for source in sources
    }
    missing = [source for source in sources if not cached[source].is_file()]
    for path in cached.values():
        if path.is_file():
            os.utime(path)  # used, so not old

    def compile_one(source: Path) -> None:
        output = partial / cached[source].name
        _run([*_compiler(), *_compile_flags(), "-c", str(source), "-o", str(output)])
        os.replace(output, cached[source])

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        if missing:
            say(f"compiling the RAN model: {len(missing)} files")
        running = {pool.submit(compile_one, source): source for source in missing}
        try:
            for done, future in enumerate(as_completed(running), start=1):
                future.result()
                say(f"compiled {running[future].name} ({done} of {len(missing)})")
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return list(cached.values())


def _run(command: list[str]) -> None:
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    if result.returncode:
        raise BuildError(f"the RAN model does not compile:\n{_first_errors(result.stderr)}")


def _first_errors(text: str, count: int = 5) -> str:
    """The first lines of a compiler's output that name an error, or its last lines."""
    lines = text.strip().splitlines()
    errors = [line for line in lines if "error:" in line or "undefined reference" in line]
    return "\n".join(errors[:count] or lines[-count:])


def _check_tools() -> None:
    """Say what to install when the compiler or Python's headers are missing."""
    compiler = _compiler()[0]
    if shutil.which(compiler) is None:
        raise BuildError(
            f"the RAN model needs a C++ compiler and {compiler!r} is not there; "
            "install it with: apt install g++"
        )
    if not any(Path(folder, "Python.h").is_file() for folder in _python_includes()):
        raise BuildError(
            "the RAN model needs Python's C headers and Python.h is not there; "
            "install it with: apt install python3-dev"
        )


def _compiler() -> list[str]:
    return shlex.split(os.environ.get("CXX", "")) or ["g++"]


def _compile_flags() -> list[str]:
    system = [str(ns3_root() / "include"), str(_pybind11_include()), *_python_includes()]
    return [*COMPILE_FLAGS, f"-I{MODEL}", *(f"-isystem{folder}" for folder in system)]


def _link_flags() -> list[str]:
    """Flags that link the wheel's libraries by their names, which carry the ns-3 version."""
    core = sorted(ns3_root().glob("lib*/libns3*-core.so"))
    if not core:
        raise BuildError(f"the ns-3 in {ns3_root()} has no shared libraries")
    folder, prefix = core[0].parent, core[0].name.removesuffix("core.so")
    libraries = [f"-l:{prefix}{module}.so" for module in NS3_MODULES]
    return ["-shared", f"-L{folder}", f"-Wl,-rpath,{folder}", *libraries]


def _python_includes() -> list[str]:
    return sorted({sysconfig.get_path("include"), sysconfig.get_path("platinclude")})


def _pybind11_include() -> Path:
    for folder in _package_folders("pybind11"):
        return folder / "include"
    raise BuildError("pybind11 is not installed; install it with: pip install pybind11")


def _package_folders(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    return [Path(p) for p in (spec.submodule_search_locations or ())] if spec else []


def _compile_key() -> str:
    """Everything but the source that object files depend on."""
    python = f"{sys.implementation.cache_tag} {sysconfig.get_config_var('EXT_SUFFIX')}"
    pybind11 = importlib.metadata.version("pybind11")
    return shlex.join([*_compiler(), ns3_version(), python, pybind11, *_compile_flags()])


def _build_key() -> str:
    return _digest([*_named_contents(_cpp()), _compile_key(), *_link_flags()])


def _cpp() -> list[Path]:
    return _sources(".cc") + _sources(".h")


def _sources(suffix: str) -> list[Path]:
    return sorted(MODEL.rglob(f"*{suffix}"))


def _named_contents(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in paths:
        yield path.name.encode()
        yield path.read_bytes()


def _digest(parts: Iterable[str | bytes]) -> str:
    """16 hex digits that tell apart any two sequences of parts."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:16]


def _first_writable(roots: Iterable[Path]) -> Path:
    problems = []
    for root in roots:
        try:
            root.mkdir(parents=True, exist_ok=True)
            probe = root / f"probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            problems.append(f"{root} ({error.strerror})")
        else:
            return root
    raise BuildError(f"no folder can be written for the compiled model: {', '.join(problems)}")


def _keep_newest(paths: Iterable[Path], count: int) -> None:
    by_age = sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_age[count:]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def main() -> int:
    """Build and print the path of the extension module."""
    try:
        path = ensure_built(lambda text: print(text, file=sys.stderr))
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
