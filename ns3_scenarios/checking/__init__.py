# SPDX-License-Identifier: Apache-2.0
"""Says what is wrong with a dataset, whoever made it: files, schema, rows, values, schedules."""

from ns3_scenarios.checking.checker import OnRuns, check_dataset
from ns3_scenarios.checking.findings import Finding, Report, Rule

__all__ = ["Finding", "OnRuns", "Report", "Rule", "check_dataset"]
