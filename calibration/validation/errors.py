# SPDX-License-Identifier: Apache-2.0
"""Mistakes of users that validation meets."""

from ns3_scenarios.errors import UserError


class GatesError(UserError):
    """Raised when a file of gates cannot be used."""


class ReportError(UserError):
    """Raised when a validation report cannot be read."""
