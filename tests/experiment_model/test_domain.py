# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest

from experiment_model import ExperimentModel


def test_rows_like_those_of_training_are_in_distribution(
    model: ExperimentModel, parts: Any
) -> None:
    prediction = model.predict("cell", parts.rows["cell"])
    assert prediction.in_distribution.mean() > 0.95
    # Shares of as many rows lie farther out: a p-value, which is uniform.
    assert abs(prediction.score.mean() - 0.5) < 0.06
    assert abs((prediction.score < 0.2).mean() - 0.2) < 0.08


def test_unusual_combination_is_out_of_distribution(model: ExperimentModel) -> None:
    usual = [90.0, 40.0, 35.0, 5.0, 12.0]
    odd = [3.0, 119.0, 48.0, -5.0, 12.0]  # much load, and nothing gets through
    prediction = model.predict("cell", [usual, odd])
    assert prediction.score[0] > 0.3
    assert prediction.score[1] < 0.01
    np.testing.assert_array_equal(prediction.in_distribution, [True, False])


@pytest.mark.parametrize(
    ("feature", "value", "inside"),
    [
        (2, 49.0, True),
        (2, 51.5, True),  # a tenth of the range of 20 to 49 dBm is allowed beyond it
        (2, 52.5, False),
        (2, 17.5, True),
        (2, 16.5, False),
        (4, np.nan, True),  # was missing in training
        (2, np.nan, False),  # never was
    ],
)
def test_single_feature_leads_out_of_the_range_of_training(
    model: ExperimentModel, feature: int, value: float, inside: bool
) -> None:
    row = np.array([[90.0, 40.0, 35.0, 5.0, 12.0]])
    row[0, feature] = value
    prediction = model.predict("cell", row)
    assert prediction.score[0] >= 0.01
    assert prediction.in_distribution[0] == inside
