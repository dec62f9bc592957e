# SPDX-License-Identifier: Apache-2.0
"""Agents that learn, and how they are scored."""
