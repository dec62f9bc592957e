# SPDX-License-Identifier: Apache-2.0
"""The agent `ppo`: a policy that MaskablePPO has trained on tasks of one scenario.

Huang and Ontañón, *A Closer Look at Invalid Action Masking in Policy Gradient Algorithms* (2022).
A checkpoint is a folder of JSON and arrays, and plays without PyTorch.
"""
