# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.network import Floats
from env.backends.starts import start_of
from env.numbers.kpis import UNKNOWN, Read, full_power_w, observer_of, reader_of_kpis
from env.numbers.places import read_state
from env.numbers.utility import ENERGY_WEIGHT, utility_of
from ns3_scenarios.controls import ControlState
from ns3_scenarios.library import load_scenario

QUICKSTART, DENSE = load_scenario("quickstart"), load_scenario("fr3_wideband")


def reading(**columns: float) -> Read:
    def read(table: str, column: str) -> Floats:
        rows = 3 if table == "network" else len(QUICKSTART.cell_ids)
        return np.full((1, rows), columns[column])

    return read


IDEAL = {
    "throughput_mbps": 5.0,
    "offered_mbps": 5.0,
    "packet_loss_pct": 0.0,
    "within_budget_pct": 100.0,
    "power_w": 0.0,
}
percent = st.floats(0, 100)


def of(**columns: float) -> float:
    return float(utility_of(QUICKSTART).of(reading(**IDEAL | columns))[0])


def test_serving_everything_for_nothing_is_worth_one() -> None:
    assert of() == 1


@given(loss=percent, late=percent, power_share=st.floats(0, 2))
def test_losses_delays_and_energy_each_cost(loss: float, late: float, power_share: float) -> None:
    power_w = power_share * full_power_w(QUICKSTART)
    found = of(packet_loss_pct=loss, within_budget_pct=100 - late, power_w=power_w)
    served = (1 - loss / 100) * (1 - late / 100)
    assert found == pytest.approx(served - ENERGY_WEIGHT * power_share)


def test_silence_is_satisfied_and_starving_is_not() -> None:
    nothing = {"throughput_mbps": 0.0, "within_budget_pct": np.nan, "packet_loss_pct": np.nan}
    assert of(**nothing, offered_mbps=0.0) == 1
    assert of(**nothing, offered_mbps=5.0) == 0


def test_elastic_traffic_counts_by_its_rate() -> None:
    utility = utility_of(DENSE)
    name = DENSE.slices[0].name
    n_users = sum(group.slice == name for group in DENSE.ue_groups)

    def read(table: str, column: str) -> Floats:
        return np.array([[0.0], [n_users * 1.0], [n_users * 100.0]])

    assert utility.satisfaction(read)[:, 0].tolist() == pytest.approx([0, 1 / 3, 1])


def test_what_is_not_known_is_told_from_nothing() -> None:
    observer = observer_of(QUICKSTART)
    controls = read_state(observer.places, ControlState.initial(QUICKSTART))
    n_kpis = len(observer.names) - len(observer.places)
    start = reader_of_kpis(QUICKSTART, start_of(QUICKSTART, 1)[-1])
    for value, seen in ((np.nan, UNKNOWN), (0.0, 0.0)):
        figures = observer.see(lambda t, c, v=value: np.full_like(start(t, c), v), controls)[0]
        pcts = [i for i, name in enumerate(observer.names[:n_kpis]) if name.endswith("_pct")]
        assert len(pcts) > 20
        assert (figures[pcts] == seen).all()
        assert (figures[n_kpis:] >= 0).all()
