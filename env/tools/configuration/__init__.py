# SPDX-License-Identifier: Apache-2.0
"""Tools 29 to 42: they change controls."""
