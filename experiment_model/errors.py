# SPDX-License-Identifier: Apache-2.0
"""The exception that `experiment_model` raises on purpose."""


class ModelError(Exception):
    """Raised when a model, or what it is asked to predict from, cannot be used.

    Its message is one sentence that names the file, kind of element or feature, the value, and what
    is allowed.
    """
