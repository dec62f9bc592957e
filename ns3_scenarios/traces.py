# SPDX-License-Identifier: Apache-2.0
"""What one simulation leaves behind: KPI tables and where they came from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Provenance:
    """Everything that a run's tables depend on."""

    scenario: str
    config_hash: str
    """Of the scenario (`ScenarioConfig.config_hash`)."""
    schedule_hash: str
    seed: int
    code_version: str
    """Version of this distribution."""
    ran_hash: str
    """Hash of the RAN model's source."""
    ns3_version: str
    kpi_schema_version: int

    def as_dict(self) -> dict[str, Any]:
        """Fields by name."""
        return asdict(self)


@dataclass(frozen=True)
class Traces:
    """KPI tables of one run, by table name, with their provenance."""

    tables: dict[str, pa.Table]
    provenance: Provenance
    wall_s: float
    """Wall-clock time of the simulation itself."""
    events: int
    """ns-3 events executed."""

    def __getitem__(self, table: str) -> pa.Table:
        """The table of that name."""
        return self.tables[table]
