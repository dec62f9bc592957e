# SPDX-License-Identifier: Apache-2.0
"""Every exception that `agent_learning` raises on purpose."""

from __future__ import annotations

from ns3_scenarios.errors import SixgError, UserError


class AgentLearningError(SixgError):
    """Base of what `agent_learning` raises."""


class BenchUserError(AgentLearningError, UserError):
    """Raised when a benchmark task, run or file cannot be used as asked."""


class AgentInfrastructureError(AgentLearningError):
    """Raised when what an agent runs on fails it: an endpoint that is down or refuses requests.

    Such a trial is no failure of the agent, and counts neither as one nor as a success.
    """
