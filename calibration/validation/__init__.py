# SPDX-License-Identifier: Apache-2.0
"""The evidence beside a model: errors on held-out data, noise floor, simple models, gates.

samples = samples_of_datasets(folders)
report = validate(model, samples, incomparable=incomparable_intervals(folders))
report.passed, report.write("report.json"), write_page(report, "report.html")
"""

from calibration.validation.errors import GatesError, ReportError
from calibration.validation.evaluation import validate
from calibration.validation.floor import incomparable_intervals
from calibration.validation.gates import Gates, read_gates
from calibration.validation.page import page, write_page
from calibration.validation.ranking import rank_actions, situations
from calibration.validation.report import (
    GateResult,
    Line,
    Plot,
    Section,
    Table,
    ValidationReport,
)
from calibration.validation.rollouts import roll_outs

__all__ = [
    "GateResult",
    "Gates",
    "GatesError",
    "Line",
    "Plot",
    "ReportError",
    "Section",
    "Table",
    "ValidationReport",
    "incomparable_intervals",
    "page",
    "rank_actions",
    "read_gates",
    "roll_outs",
    "situations",
    "validate",
    "write_page",
]
