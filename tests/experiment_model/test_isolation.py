# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys
for name in ABSENT:
    sys.modules[name] = None  # as if it were not installed
import numpy as np
from experiment_model import ExperimentModel
model = ExperimentModel.load(sys.argv[1])
rows = np.ones((2, 5), np.float32)
prediction = model.predict("cell", rows)
prediction.quantiles, prediction.in_distribution
model.sample("cell", rows, np.random.default_rng(0))
model.explain("cell", rows[0])
print(*{name.partition(".")[0] for name, module in sys.modules.items() if module})
"""
ABSENT = [
    "calibration",
    "joblib",
    "matplotlib",
    "ns3_scenarios",
    "optuna",
    "pandas",
    "polars",
    "pyarrow",
    "sklearn",
]
OWN = {"experiment_model", "numba", "numpy", "pydantic", "xgboost"}
BROUGHT_ALONG = {
    "annotated_types",
    "cffi",
    "charset_normalizer",
    "cython_runtime",
    "llvmlite",
    "pycparser",
    "pydantic_core",
    "scipy",
    "typing_extensions",
    "typing_inspection",
    "yaml",
}
"""Imported by those themselves."""


def imported(program: str, *arguments: str) -> set[str]:
    """Top-level modules, not of the standard library, that a program imports."""
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = {name for name in result.stdout.split() if not name.startswith("_")}
    return names - sys.stdlib_module_names


def test_nothing_but_numpy_numba_xgboost_and_pydantic_is_needed(folder: Path) -> None:
    loaded = imported(f"ABSENT = {ABSENT}\n{PROGRAM}", str(folder))
    at_start = imported("import sys; print(*(n.partition('.')[0] for n in sys.modules))")
    assert loaded >= OWN
    assert loaded - at_start <= OWN | BROUGHT_ALONG
