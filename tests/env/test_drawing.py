# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from env.backends.making import make_backend
from env.drawing import Screen, draw, picture
from env.environment import Environment


@pytest.fixture
def quickstart() -> Environment:
    return Environment(make_backend("surrogate", "quickstart", seed=1))


def words_of(environment: Environment) -> str:
    figure = draw(environment.view())
    return "\n".join(text.get_text() for axes in figure.axes for text in axes.texts)


def test_picture_shows_something_and_the_same_again(quickstart: Environment) -> None:
    shown = picture(quickstart.view())
    assert shown.dtype == np.uint8
    assert shown.shape[2] == 3
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 50
    assert np.array_equal(picture(quickstart.view()), shown)


def test_picture_changes_with_the_network(quickstart: Environment) -> None:
    before = picture(quickstart.view())
    quickstart.call("set_cell_tx_power", {"cell": "c0", "tx_power_dbm": 26})
    after = picture(quickstart.view())
    half = before.shape[1] // 2
    assert (before[:, :half] != after[:, :half]).any()
    assert (before[:, half:] != after[:, half:]).any()
    assert "set_cell_tx_power" in words_of(quickstart)
    assert "power of all cells" in words_of(quickstart)


@pytest.mark.parametrize(
    "name", ["uav_corridor", "factory_urllc", "urban_macro_slices", "disaster_degradation"]
)
def test_every_kind_of_layout_can_be_drawn(name: str) -> None:
    environment = Environment(make_backend("surrogate", name, seed=1))
    figure = draw(environment.view())
    cells = environment.backend.scenario.cell_ids
    assert len(figure.axes[0].patches) == len(cells)
    assert (
        environment.backend.scenario.slices[0].name in figure.axes[0].get_legend_handles_labels()[1]
    )


def test_screen_says_once_that_there_is_no_window(
    quickstart: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    screen = Screen()
    screen.show(quickstart.view())
    screen.show(quickstart.view())
    screen.close()
    assert capsys.readouterr().err.count("No window can be opened here") == 1
