# SPDX-License-Identifier: Apache-2.0
"""6GAgentBench: tasks that a network decides, agents that try them, and their scores."""
