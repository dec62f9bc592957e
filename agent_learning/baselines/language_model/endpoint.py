# SPDX-License-Identifier: Apache-2.0
"""A model behind an OpenAI-compatible endpoint: `EndpointChat`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from agent_learning.baselines.language_model.chat import (
    ContextLengthError,
    Function,
    Message,
    Reply,
    Wanted,
)
from agent_learning.baselines.language_model.settings import ModelSettings
from agent_learning.errors import AgentInfrastructureError, BenchUserError

NO_KEY = "none"
"""Sent to endpoints of one's own, which need no key."""
TOO_LONG = ("context_length", "maximum context", "context length", "too many tokens", "too long")
KEPT = ("reasoning_content", "reasoning")
"""Parts of a message beyond OpenAI's own that endpoints want back in the next request."""


class EndpointChat:
    """Asks a model by the chat completions API, with native function calling.

    The client tries again, ever later, after rate limits, timeouts, lost connections and failures
    of the server; it waits as long as the server says, if it says so.

    Args:
        settings: of the model.

    Raises:
        BenchUserError: the client is not installed, or the key is missing.
    """

    def __init__(self, settings: ModelSettings) -> None:
        try:
            import openai
        except ImportError:
            raise BenchUserError(
                "models behind an endpoint need openai; install sixg-agent-gym[llm]"
            ) from None
        self._settings, self._errors = settings, openai
        self._key = os.environ.get(settings.key_env, "").strip()
        if not self._key and not settings.url:
            raise BenchUserError(
                f"the environment variable {settings.key_env} must hold the key of the endpoint; "
                f"it is empty"
            )
        self._client = openai.OpenAI(
            api_key=self._key or NO_KEY,
            base_url=settings.url or None,
            timeout=settings.timeout_s,
            max_retries=settings.retries,
        )

    def complete(self, messages: Sequence[Message], tools: Sequence[Function], seed: int) -> Reply:
        """The model's next turn; raises as `ChatModel.complete`."""
        settings, errors = self._settings, self._errors
        # OpenAI has renamed the bound of a reply; many compatible endpoints know the old name only.
        bound = "max_tokens" if settings.url else "max_completion_tokens"
        options: dict[str, Any] = {bound: settings.max_tokens}
        if settings.temperature is not None:
            options["temperature"] = settings.temperature
        try:
            found = self._client.chat.completions.create(
                model=settings.model,
                messages=list(messages),
                tools=list(tools),
                seed=seed % 2**31,
                **options,
            )
            return _reply(found)
        except errors.BadRequestError as error:
            if any(words in str(error).lower() for words in TOO_LONG):
                raise ContextLengthError(self._told(error)) from None
            raise AgentInfrastructureError(self._told(error)) from None
        except (errors.OpenAIError, ValueError, TypeError, AttributeError, IndexError) as error:
            raise AgentInfrastructureError(self._told(error)) from None

    def _told(self, error: Exception) -> str:
        """One sentence, without the key."""
        text = " ".join(str(error).split())[:500]
        where = self._settings.url or "OpenAI"
        if self._key:
            text, where = text.replace(self._key, "***"), where.replace(self._key, "***")
        return f"{self._settings.model} at {where}: {type(error).__name__}: {text}"


def _reply(found: Any) -> Reply:
    message = found.choices[0].message
    usage = found.usage
    calls = tuple(
        Wanted(call.id or f"call_{i}", call.function.name or "", call.function.arguments or "")
        for i, call in enumerate(message.tool_calls or ())
    )
    extra = message.model_extra or {}
    return Reply(
        text=message.content or message.refusal or "",
        calls=calls,
        tokens_in=(usage.prompt_tokens or 0) if usage else 0,
        tokens_out=(usage.completion_tokens or 0) if usage else 0,
        extra={name: extra[name] for name in KEPT if extra.get(name)},
    )
