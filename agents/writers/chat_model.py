"""One chat model behind an OpenAI-compatible address, its spend meter, and the cost of each answer.

Several writers share one of these: each asks the same model in its own way, and the spend cap holds for all together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agents.writers.base import WriterUsage
from agents.writers.spending import SpendMeter
from lcbm_model.chat_endpoint import ChatEndpoint


@dataclass(frozen=True)
class Answer:
    """What the model wrote and what it cost."""

    text: str
    usage: WriterUsage


class ChatModel:
    """A model, asked carefully.

    Args:
        base_url: For example "http://127.0.0.1:8000/v1".
        model: The endpoint's model name.
        api_key: None for local servers.
        timeout: Seconds for one answer.
        max_retries: Tries after the first on connection errors, timeouts, 429 and 5xx, with growing pauses.
        temperature: Of sampling, 0..2.
        meter: Prices and cap; None for a model that costs nothing.
        settings: Beginning of the environment variables that remedies name.

    Raises:
        SettingsError: The package is missing, or a setting is out of range.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        max_retries: int = 2,
        temperature: float = 0.9,
        meter: SpendMeter | None = None,
        settings: str = "LCBM_WRITER_",
    ) -> None:
        self.model, self.temperature = model, temperature
        self.meter = meter or SpendMeter()
        self.endpoint = ChatEndpoint(
            f"writer {self.name}",
            base_url,
            model,
            api_key,
            timeout=timeout,
            max_retries=max_retries,
            settings=settings,
        )

    @property
    def name(self) -> str:
        return f"openai:{self.model}"

    def ask(self, chat: list[dict[str, str]], *, most_out: int, seed: int) -> Answer:
        """One answer of at most `most_out` tokens.

        Raises:
            BackendError: Down, too slow, too long, or the spend cap is near.
        """
        # A byte is at least as much as a token in every tokenizer in use: never below what is billed.
        most_in = sum(len(m["content"].encode()) for m in chat) + 64
        reserved = self.meter.reserve(most_in, most_out, where=f"writer {self.name} at {self.endpoint.where}")
        tokens_in = tokens_out = 0
        try:
            data = self.endpoint.ask(chat, _dialects(most_out, self.temperature, seed))
            text, tokens_in, tokens_out = self._read(data, chat)
        finally:
            cost = self.meter.settle(reserved, tokens_in, tokens_out)
        return Answer(text, WriterUsage(calls=1, tokens=tokens_in + tokens_out, cost=cost))

    def _read(self, data: dict[str, Any], chat: list[dict[str, str]]) -> tuple[str, int, int]:
        """Text and token counts of a completion; counts that are missing are estimated from the texts' length."""
        try:
            content = data["choices"][0]["message"].get("content")
        except (LookupError, TypeError, AttributeError) as error:
            raise self.endpoint.no_completion(str(data)) from error
        text = content if isinstance(content, str) else ""
        usage = data["usage"] if isinstance(data.get("usage"), dict) else {}
        prompt = sum(len(m["content"]) for m in chat)
        tokens_in = _count(usage.get("prompt_tokens"), prompt // 4 + 1)
        return text, tokens_in, _count(usage.get("completion_tokens"), len(text) // 4 + 1)


def _dialects(most_out: int, temperature: float, seed: int) -> list[dict[str, Any]]:
    """Ways to ask, richest first: older servers know no response_format, newer models no max_tokens."""
    json_mode = {"response_format": {"type": "json_object"}}
    return [
        {"max_tokens": most_out, "temperature": temperature, "seed": seed, **json_mode},
        {"max_tokens": most_out, "temperature": temperature},
        {"max_completion_tokens": most_out},
    ]


def _count(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise
