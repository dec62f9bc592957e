# SPDX-License-Identifier: Apache-2.0
"""Tools 1 to 16: they read what is known of the network."""
