# SPDX-License-Identifier: Apache-2.0
"""The 6G RAN as an ns-3 model in C++, and how it is compiled.

`model/`, `helper/` and `bindings/` hold the C++; it becomes one Python extension module, `_ran`,
which only the simulation worker loads. `build` compiles it and imports neither it nor ns-3.
"""
