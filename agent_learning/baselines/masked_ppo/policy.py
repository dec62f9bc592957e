# SPDX-License-Identifier: Apache-2.0
"""A trained policy as a folder of JSON and arrays: `Policy`.

`policy.json` says what it sees and chooses from, `policy.npz` holds the weights. Nothing in either
is ever run as code: loading a stranger's folder is safe.
"""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent_learning.baselines.masked_ppo.layout import Layout
from agent_learning.errors import BenchUserError
from ns3_scenarios.library import parse_model, read_yaml
from ns3_scenarios.scenario import Model

CARD, WEIGHTS = "policy.json", "policy.npz"
MOST_BYTES = 256 * 1024 * 1024
"""Of all arrays together."""

Floats = NDArray[np.float64]


class PolicyCard(Model):
    """What a policy is."""

    format: Literal[1] = 1
    scenario: str
    observation: tuple[str, ...]
    dimensions: dict[str, int] = Field(description="Number of choices by name.")
    hidden: tuple[int, ...] = Field(description="Units of the layers between, all tanh.")
    tasks: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    steps: int = Field(default=0, ge=0, description="Calls that it was trained with.")
    code_version: str = ""


@dataclass(frozen=True)
class Policy:
    """A multi-layer perceptron from observations to logits.

    Attributes:
        card: what it sees and chooses from.
        layers: weight (out, in) and bias (out,) of each layer, the last one linear.
    """

    card: PolicyCard
    layers: tuple[tuple[Floats, Floats], ...]

    def logits(self, observation: NDArray[Any]) -> list[Floats]:
        """Of each dimension, given one observation."""
        values = np.asarray(observation, float)
        *hidden, (weight, bias) = self.layers
        for w, b in hidden:
            values = np.tanh(w @ values + b)
        splits = np.cumsum(list(self.card.dimensions.values()))[:-1]
        return np.split(weight @ values + bias, splits)

    def choose(
        self,
        observation: NDArray[Any],
        masks: Sequence[NDArray[np.bool_]],
        rng: np.random.Generator | None = None,
    ) -> NDArray[np.int64]:
        """The action: of each dimension the likeliest choice, or with `rng` a drawn one."""
        found = []
        for logits, mask in zip(self.logits(observation), masks, strict=True):
            allowed = np.where(mask, logits, -np.inf)
            if rng is not None:
                allowed = allowed + rng.gumbel(size=len(allowed))
            found.append(int(allowed.argmax()))
        return np.array(found)

    def check(self, layout: Layout) -> None:
        """Refuse a network that it was not trained for.

        Raises:
            BenchUserError: what it sees or chooses from is another.
        """
        card = self.card
        same = card.observation == layout.observation_names
        if not same or card.dimensions != layout.actions.dimensions:
            raise BenchUserError(
                f"this policy was trained for the scenario {card.scenario}, and cannot play on "
                f"{layout.scenario.name}, which has other elements or controls"
            )

    def save(self, folder: str | Path) -> None:
        """Write `policy.json` and `policy.npz`."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {
            f"{name}{i}": array
            for i, layer in enumerate(self.layers)
            for name, array in zip(("weight", "bias"), layer, strict=True)
        }
        np.savez_compressed(folder / WEIGHTS, **arrays)
        (folder / CARD).write_text(self.card.model_dump_json(indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Policy:
        """Read a folder that `save` has written.

        Raises:
            BenchUserError: a file is missing, damaged, or of another form.
        """
        folder = Path(folder)
        card = parse_model(
            PolicyCard, read_yaml(folder / CARD, BenchUserError), str(folder / CARD), BenchUserError
        )
        sizes = [len(card.observation), *card.hidden, sum(card.dimensions.values())]
        file = folder / WEIGHTS
        layers = []
        try:
            _check_size(file)
            with np.load(file, allow_pickle=False) as arrays:
                for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
                    layer = arrays[f"weight{i}"], arrays[f"bias{i}"]
                    shapes = tuple(array.shape for array in layer)
                    if shapes != ((n_out, n_in), (n_out,)):
                        raise ValueError(f"layer {i} has the shapes {shapes}")
                    if not all(np.isfinite(array).all() for array in layer):
                        raise ValueError(f"layer {i} has a weight that is no number")
                    layers.append((layer[0].astype(float), layer[1].astype(float)))
        except OSError as error:
            raise BenchUserError(f"cannot read {file}: {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise BenchUserError(f"{file} does not hold the weights of a policy: {error}") from None
        return cls(card, tuple(layers))


def _check_size(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > MOST_BYTES:
        raise ValueError(f"its arrays take {size} bytes, more than {MOST_BYTES}")
