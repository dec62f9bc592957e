# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from env.tasks import Task
from ns3_scenarios.controls import ControlChange


def power_task(**fields: Any) -> Task:
    """Bring cell c0 of `quickstart`, which is set to 38 dBm, down to 32 dBm."""
    goal = {
        "kind": "control",
        "path": "cells.c0.tx_power_dbm",
        "comparison": "<=",
        "value": 32.0,
    }
    given = {
        "name": "less_power",
        "intent": "Send with 32 dBm or less in c0.",
        "scenario": "quickstart",
        "goal": (goal,),
        "tools": ("set_cell_tx_power", "rollback_change"),
        "max_changes": 3,
    }
    return Task.model_validate(given | fields)


@pytest.fixture
def make_power_task() -> Any:
    """Makes the task `less_power`, with other fields where they are given."""
    return power_task


@pytest.fixture
def energy_task() -> Task:
    """Bring the power of all cells down from a wasteful setting."""
    return Task.model_validate(
        {
            "name": "save_energy",
            "intent": "Take 900 W or less in all cells.",
            "scenario": "quickstart",
            "settings": (ControlChange(path="cells.*.tx_power_dbm", value=41.0).model_dump(),),
            "goal": (
                {
                    "kind": "kpi",
                    "table": "cell",
                    "kpi": "power_w",
                    "over_elements": "sum",
                    "comparison": "<=",
                    "value": 900.0,
                },
            ),
            "max_changes": 20,
        }
    )
