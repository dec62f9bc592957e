# SPDX-License-Identifier: Apache-2.0
"""Whether a search finds better hyper-parameters than the default ones.

python benchmarks/search.py DATASET... [--kinds KIND ...] [--trials N] [--log FILE] [--json]

Errors are mean absolute ones in z, of which KPIs weigh alike, on the split that the search looks at
and on the test split that it does not. One thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from report import Line, emit

from calibration.boosting import BoostingSettings
from calibration.fitting import KindFit, Settings
from calibration.samples import samples_of_datasets
from calibration.search import search


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--kinds", nargs="+", default=["network", "slice"])
    parser.add_argument("--trials", type=int, default=15)
    parser.add_argument("--log", type=Path, default=Path("build/search.log"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    settings = Settings(threads=1)
    every = samples_of_datasets(arguments.datasets)
    lines = []
    for kind in arguments.kinds:
        samples = {kind: every[kind]}
        found = search(samples, settings, arguments.trials, arguments.log).boosting[kind]
        for name, boosting in (("default", BoostingSettings()), ("found", found)):
            work = KindFit(kind, every[kind], settings, lambda _: None)
            start = time.monotonic()
            stop = work.error(boosting)
            took_s = time.monotonic() - start
            test = work.error_on(every[kind].in_split("test"))
            lines += [
                Line(f"{kind}, {name}: error where it was searched", stop, ""),
                Line(f"{kind}, {name}: error on the test split", test, ""),
                Line(f"{kind}, {name}: fit", took_s, "s"),
            ]
    return emit("Search for hyper-parameters", lines, as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
