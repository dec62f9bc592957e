# SPDX-License-Identifier: Apache-2.0
"""Settings of language models: `ModelSettings`, from a name or a small YAML file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from agent_learning.errors import BenchUserError
from ns3_scenarios.library import parse_model, read_yaml
from ns3_scenarios.scenario import Model


class ModelSettings(Model):
    """Which model, where, and how it is asked."""

    model: str = Field(min_length=1, description="As the endpoint knows it, or a folder or hub id.")
    url: str = Field(
        default="", pattern="^(https?://.+)?$", description="Of the endpoint; OpenAI's by default."
    )
    key_env: str = Field(
        default="OPENAI_API_KEY",
        pattern=r"^[A-Za-z_]\w*$",
        description="Environment variable that holds the key; the key itself stands nowhere.",
    )
    temperature: float | None = Field(default=None, ge=0, le=2, description="The model's own.")
    max_tokens: int = Field(default=2048, ge=1, le=1_000_000, description="Of a reply.")
    context_tokens: int = Field(
        default=64_000,
        ge=2_000,
        le=10_000_000,
        description="Of a conversation, about; older answers of tools are left out beyond it.",
    )
    timeout_s: float = Field(default=120, gt=0, le=3600, description="Of a request.")
    retries: int = Field(default=5, ge=0, le=20, description="Of a request, ever further apart.")
    usd_per_million_in: float = Field(default=0, ge=0, description="Price of tokens that go in.")
    usd_per_million_out: float = Field(default=0, ge=0, description="Price of tokens that come.")

    @classmethod
    def of(cls, text: str) -> ModelSettings:
        """Settings from `MODEL`, `MODEL@URL`, or the path of a YAML file.

        Raises:
            BenchUserError: they cannot be used; the message names the field.
        """
        if text.endswith((".yaml", ".yml")):
            data = read_yaml(Path(text), BenchUserError)
            return parse_model(cls, data, text, BenchUserError)
        model, _, url = text.rpartition("@") if "@http" in text else (text, "", "")
        return parse_model(cls, {"model": model, "url": url}, text or "model", BenchUserError)
