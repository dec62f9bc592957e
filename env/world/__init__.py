# SPDX-License-Identifier: Apache-2.0
"""What comes to a network from outside, without NS-3: traffic, movement, faults and alarms."""

from env.world.world import Links, World

__all__ = ["Links", "World"]
