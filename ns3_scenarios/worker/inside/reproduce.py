# SPDX-License-Identifier: GPL-2.0-only
"""Run the simulation of a failed request in the foreground, where a debugger can hold it.

    python -m ns3_scenarios.worker.inside.reproduce FILE
    gdb --args python -m ns3_scenarios.worker.inside.reproduce FILE

FILE was written by `SimulationWorker` and is named in the error that it raised.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ns3_scenarios.ran.build import ensure_built


def main(file: Path) -> None:
    """Run the request in the file and print how far it got after every interval."""
    sys.path.insert(0, str(ensure_built(print).parent))
    from ns3_scenarios.worker.inside.running import run

    def report(interval: int, intervals: int, _: object) -> None:
        print(f"interval {interval + 1} of {intervals}", flush=True)

    end = run(json.loads(file.read_text()), report)
    print(f"{end['events']} events in {end['wall_s']:.2f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
