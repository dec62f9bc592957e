# SPDX-License-Identifier: GPL-2.0-only
"""Why the RAN model is compiled ahead of time: what it takes to have it, or only ns-3, in memory.

`compiled` loads the RAN model with the ns-3 libraries that it links to. `cling` loads the same
libraries and their headers into cppyy's interpreter, which is the least that a model compiled by
Cling would need before its own sources. Each is measured in a process of its own. ::

    python benchmarks/compiled_or_cling.py
"""

import resource
import subprocess
import sys
import time

from report import Line, emit

from ns3_scenarios.ran.build import NS3_MODULES, ensure_built, ns3_root

REPETITIONS = 3


def load_compiled() -> None:
    sys.path.insert(0, str(ensure_built().parent))
    import _ran

    _ran.warm_up()


def load_cling() -> None:
    import cppyy
    import libcppyy

    libcppyy.AddSmartPtrType("Ptr")
    root = ns3_root()
    cppyy.add_include_path(str(root / "include"))
    cppyy.add_library_path(str(root / "lib64"))
    for module in NS3_MODULES:
        cppyy.load_library(str(next(root.glob(f"lib64/libns3.*-{module}.so"))))
        cppyy.include(f"ns3/{module}-module.h")


def main() -> int:
    ensure_built()
    lines = []
    for way in ("compiled", "cling"):
        runs = []
        for _ in range(REPETITIONS):
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, __file__, way], stdout=subprocess.PIPE, text=True, check=True
            )
            runs.append((time.perf_counter() - start, float(done.stdout)))
        seconds, rss_mb = sorted(runs)[REPETITIONS // 2]
        lines += [Line(f"{way}: start", seconds, "s"), Line(f"{way}: memory", rss_mb, "MB")]
    return emit("Compiled ahead of time, and the least that Cling needs", lines, as_json=False)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {"compiled": load_compiled, "cling": load_cling}[sys.argv[1]]()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    else:
        sys.exit(main())
