# SPDX-License-Identifier: Apache-2.0
"""A network as numbers, for agents that take those rather than tools.

`controls` says which controls can be set as numbers and how, `kpis` what is read and how it is
scaled, `utility` what an interval is worth. `whole_network` joins them for one network; vector
environments use them for many at once.
"""
