# SPDX-License-Identifier: Apache-2.0
"""A model of the Hugging Face Transformers library on this machine: `LocalChat`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from agent_learning.baselines.language_model.chat import (
    ContextLengthError,
    Function,
    Message,
    Reply,
)
from agent_learning.baselines.language_model.settings import ModelSettings
from agent_learning.baselines.language_model.written_calls import calls_in
from agent_learning.errors import AgentInfrastructureError, BenchUserError


class LocalChat:
    """Runs a causal language model that has a chat template with tools.

    Weights are read from safetensors only, and no code that comes with a model is run.

    Args:
        settings: `model` is a folder, or the id of a model of the hub.

    Raises:
        BenchUserError: a library is missing, the model cannot be loaded, or it has no template.
    """

    def __init__(self, settings: ModelSettings) -> None:
        try:
            import torch
            import transformers
        except ImportError:
            raise BenchUserError(
                "local models need transformers and torch; install sixg-agent-gym[train]"
            ) from None
        self._settings, self._torch = settings, torch
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(settings.model)
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                settings.model, use_safetensors=True, dtype="auto"
            )
        except (OSError, ValueError, RuntimeError) as error:
            words = " ".join(str(error).split())[:300]
            raise BenchUserError(f"the model {settings.model} cannot be loaded: {words}") from None
        if not self._tokenizer.chat_template:
            raise BenchUserError(f"the model {settings.model} has no chat template")
        self._model = model.to(self._device).eval()

    def complete(self, messages: Sequence[Message], tools: Sequence[Function], seed: int) -> Reply:
        """The model's next turn; raises as `ChatModel.complete`."""
        torch, settings = self._torch, self._settings
        inputs = self._tokenizer.apply_chat_template(
            [_as_templates_take_it(message) for message in messages],
            tools=list(tools),
            add_generation_prompt=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self._device)
        n_in = int(inputs["input_ids"].shape[1])
        most = getattr(self._model.config, "max_position_embeddings", None) or 10**9
        if n_in + settings.max_tokens > most:
            raise ContextLengthError(f"{n_in} tokens and {settings.max_tokens} more exceed {most}")
        sampling: dict[str, Any] = {"do_sample": False}
        if settings.temperature:
            sampling = {"do_sample": True, "temperature": settings.temperature}
        torch.manual_seed(seed)
        try:
            with torch.inference_mode():
                whole = self._model.generate(
                    **inputs,
                    max_new_tokens=settings.max_tokens,
                    pad_token_id=self._tokenizer.eos_token_id,
                    **sampling,
                )
        except RuntimeError as error:
            words = " ".join(str(error).split())[:300]
            raise AgentInfrastructureError(f"{settings.model} has failed: {words}") from None
        written = whole[0, n_in:]
        text, calls = calls_in(self._decoded(written))
        return Reply(text, calls, tokens_in=n_in, tokens_out=len(written))

    def _decoded(self, tokens: Any) -> str:
        """What was written, with the marks of calls and without those of turns."""
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=False)
        special = self._tokenizer
        for mark in (special.eos_token, special.bos_token, special.pad_token, "<|eot_id|>"):
            if mark:
                text = text.replace(mark, "")
        return text


def _as_templates_take_it(message: Message) -> Message:
    """Templates render arguments themselves, so they get them as objects where they are."""
    if "tool_calls" not in message:
        return message
    calls = []
    for call in message["tool_calls"]:
        function = dict(call["function"])
        try:
            arguments = json.loads(function["arguments"] or "{}")
        except (ValueError, RecursionError):
            arguments = {}
        function["arguments"] = arguments if isinstance(arguments, dict) else {}
        calls.append(call | {"function": function})
    return message | {"tool_calls": calls}


load_local = lru_cache(maxsize=1)(LocalChat)
"""A model stays loaded while episodes are played with it."""
