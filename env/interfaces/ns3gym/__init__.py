# SPDX-License-Identifier: Apache-2.0
"""The wire protocol of ns3-gym, both ways.

`serving` plays episodes of our networks with an agent that speaks the protocol; `driving` is a
Gymnasium environment on any simulation that does. `messages` has the protocol's messages, `wire`
the socket with its limits. The extra `ns3gym` has what both need; `driving` also needs `gym`.
"""
