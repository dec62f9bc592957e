# SPDX-License-Identifier: Apache-2.0
"""Fits a model anew with runs that are chosen for it and with episodes that agents played."""

from calibration.refitting.datasets import check_datasets
from calibration.refitting.report import EpisodesReport, RefitReport, RoundReport
from calibration.refitting.rounds import Refitted, refit

__all__ = [
    "EpisodesReport",
    "RefitReport",
    "Refitted",
    "RoundReport",
    "check_datasets",
    "refit",
]
