# SPDX-License-Identifier: Apache-2.0
"""The closed-loop environment: an agent calls typed tools, the network changes, the agent sees it.

`Environment` plays an episode: it checks a call, lets the tool work out what it means, makes the
changes on a backend and runs one reporting interval. `env.tools` has the 42 tools, pure functions
of what is known of the network; `env.backends` has what the network runs on: the surrogate, live
NS-3, or a recording. An episode is its event log, and replaying the log on any backend reproduces
the episode there.
"""
