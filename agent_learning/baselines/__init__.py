# SPDX-License-Identifier: Apache-2.0
"""Agents to compare others with, by name: `make_baseline`."""
