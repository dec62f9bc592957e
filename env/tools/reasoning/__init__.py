# SPDX-License-Identifier: Apache-2.0
"""Tools 17 to 28: they compute, and change nothing."""
