# SPDX-License-Identifier: Apache-2.0
"""What an episode runs on: `surrogate`, `ns3`, `replay` and `auto`, behind one protocol.

`env.backends.making.make_backend` makes one by its name.
"""

from env.backends.base import Backend, Futures

__all__ = ["Backend", "Futures"]
