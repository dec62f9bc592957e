# SPDX-License-Identifier: GPL-2.0-only
"""Everything that runs in the simulation worker process, and only there."""
