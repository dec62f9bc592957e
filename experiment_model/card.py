# SPDX-License-Identifier: Apache-2.0
"""The model card: what a model was made from, what it was judged by, and where it ends."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, FiniteFloat, JsonValue, NonNegativeInt


class Part(BaseModel):
    """Base of everything in `model.json`: immutable, and strict about names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Part):
    """What a model was fitted on."""

    scenarios: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    """Keys of the configurations."""
    seeds: tuple[int, ...] = ()
    runs: NonNegativeInt = 0
    rows: dict[str, NonNegativeInt] = {}
    """By kind of element."""
    datasets: dict[str, str] = {}
    """SHA-256 of each dataset's manifest, by name of the dataset."""


class Gate(Part):
    """One condition that the model had to meet."""

    name: str
    passed: bool
    value: FiniteFloat | None = None
    """What was measured."""
    limit: FiniteFloat | None = None
    """What `value` was held against."""
    unit: str = ""
    comment: str = ""


class Card(Part):
    """What a reader should know before trusting a model."""

    name: str = ""
    created_with: dict[str, str] = {}
    """Versions, by name of the program or library."""
    data: Data = Data()
    settings: dict[str, dict[str, int | float]] = {}
    """Hyper-parameters of the boosters for means, by kind of element and name."""
    gates: tuple[Gate, ...] = ()
    metrics: dict[str, JsonValue] = {}
    """Measured figures, in any arrangement."""
    limits: tuple[str, ...] = ()
    """Where the model should not be used, in words."""

    @property
    def passed(self) -> bool:
        """Whether there are gates and the model meets all of them."""
        return bool(self.gates) and all(gate.passed for gate in self.gates)
