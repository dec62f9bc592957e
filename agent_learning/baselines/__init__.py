# SPDX-License-Identifier: Apache-2.0
"""Agents to compare others with, by name: `make_baseline`."""

from agent_learning.baselines.making import make_baseline

__all__ = ["make_baseline"]
