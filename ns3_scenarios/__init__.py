# SPDX-License-Identifier: Apache-2.0
"""Scenarios, the RAN model for ns-3, the simulation worker, sweeps and Parquet datasets."""
