# SPDX-License-Identifier: Apache-2.0
"""Comparison of the RAN model with published and quoted figures."""

from ns3_scenarios.validation.reference import RowResult, ValidationReport, validate
from ns3_scenarios.validation.rules import Check

__all__ = ["Check", "RowResult", "ValidationReport", "validate"]
