# SPDX-License-Identifier: Apache-2.0
"""From traces to features to fitted, validated and refitted Experiment Models."""
