# SPDX-License-Identifier: Apache-2.0
"""How far an agent's episodes on the surrogate are those on live NS-3: `sixg fidelity`."""
