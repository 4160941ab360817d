"""A writer over any OpenAI-compatible chat endpoint: hosted, vLLM, llama.cpp, Ollama."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from agents.writers.answers import parse_answer
from agents.writers.base import Draft, WriterResult, WriterUsage, WritingTask
from agents.writers.chat_prompt import messages
from agents.writers.spending import SpendMeter
from lcbm_model.chat_endpoint import ChatEndpoint, shown
from lcbm_model.errors import BackendError, SettingsError

_ENV = "LCBM_WRITER_"


@dataclass(frozen=True)
class _Answer:
    text: str
    tokens_in: int
    tokens_out: int


class OpenAIWriter:
    """Asks a chat model for drafts as JSON. Whatever comes back is text: nothing in it is run or followed.

    Args:
        base_url: For example "http://127.0.0.1:8000/v1"; else LCBM_WRITER_BASE_URL.
        model: The endpoint's model name; else LCBM_WRITER_MODEL.
        api_key: Else LCBM_WRITER_API_KEY; local servers need none. No other variable is read, so that a key never
            goes to a server it was not meant for.
        timeout: Seconds for one answer.
        max_retries: Tries after the first on connection errors, timeouts, 429 and 5xx, with growing pauses.
        temperature: Of sampling, 0..2.
        max_tokens: Most tokens of one answer; None: by the number and length of the drafts.
        price_in: Price of a million prompt tokens; else LCBM_WRITER_PRICE_IN, else 0.
        price_out: Price of a million written tokens; else LCBM_WRITER_PRICE_OUT, else 0.
        spend_cap: Most this writer may ever spend, same currency; else LCBM_WRITER_SPEND_CAP, else no cap.

    Raises:
        SettingsError: The package is missing, no base URL or model is set, or a setting is out of range.
    """

    def __init__(
        self,
        base_url: str | None = None,
        model: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        max_retries: int = 2,
        temperature: float = 0.9,
        max_tokens: int | None = None,
        price_in: float | None = None,
        price_out: float | None = None,
        spend_cap: float | None = None,
    ) -> None:
        address = base_url or _required("BASE_URL")
        self.model = model or _required("MODEL")
        self.temperature, self.max_tokens = temperature, max_tokens
        self.meter = SpendMeter(
            _price("PRICE_IN") or 0.0 if price_in is None else price_in,
            _price("PRICE_OUT") or 0.0 if price_out is None else price_out,
            _price("SPEND_CAP") if spend_cap is None else spend_cap,
        )
        self._endpoint = ChatEndpoint(
            f"writer {self.name}",
            address,
            self.model,
            api_key or os.environ.get(f"{_ENV}API_KEY"),
            timeout=timeout,
            max_retries=max_retries,
            settings=_ENV,
        )

    @property
    def name(self) -> str:
        return f"openai:{self.model}"

    def __repr__(self) -> str:
        return f"OpenAIWriter(base_url={self._endpoint.where!r}, model={self.model!r})"

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        """Up to `n` drafts from one call.

        Raises:
            BackendError: Down, too slow, too long, the spend cap is near, or nothing usable in the answer.
        """
        if n <= 0:
            return WriterResult(drafts=(), usage=WriterUsage())
        chat = messages(task, n)
        most_out = self.max_tokens or min(64 + n * (40 + task.max_length), 8192)
        # A byte is at least as much as a token in every tokenizer in use: never below what is billed.
        most_in = sum(len(m["content"].encode()) for m in chat) + 64
        reserved = self.meter.reserve(most_in, most_out, where=f"writer {self.name} at {self._endpoint.where}")
        answer = _Answer("", 0, 0)
        try:
            answer = self._ask(chat, most_out, seed)
        finally:
            cost = self.meter.settle(reserved, answer.tokens_in, answer.tokens_out)
        allowed = "\n".join((task.content.text, task.message, *task.must_keep))
        drafts, dropped = parse_answer(answer.text, channel=task.content.channel, allowed=allowed)
        if not drafts:
            raise BackendError(
                f"writer {self.name} at {self._endpoint.where} answered nothing usable: {shown(answer.text)}. "
                f"Check that the model follows instructions and that the address is a chat endpoint"
            )
        usage = WriterUsage(
            calls=1,
            tokens=answer.tokens_in + answer.tokens_out,
            cost=cost,
            dropped=dropped + max(len(drafts) - n, 0),
        )
        parent = task.content.text or None
        made = (Draft(text=d.text, writer=self.name, strategy=d.strategy, parent=parent) for d in drafts[:n])
        return WriterResult(drafts=tuple(made), usage=usage)

    def _ask(self, chat: list[dict[str, str]], most_out: int, seed: int) -> _Answer:
        return self._read(self._endpoint.ask(chat, _dialects(most_out, self.temperature, seed)), chat)

    def _read(self, data: dict[str, Any], chat: list[dict[str, str]]) -> _Answer:
        """Text and token counts of a completion; counts that are missing are estimated from the texts' length."""
        try:
            content = data["choices"][0]["message"].get("content")
        except (LookupError, TypeError, AttributeError) as error:
            raise self._endpoint.no_completion(str(data)) from error
        text = content if isinstance(content, str) else ""
        usage = data["usage"] if isinstance(data.get("usage"), dict) else {}
        prompt = sum(len(m["content"]) for m in chat)
        return _Answer(
            text,
            _count(usage.get("prompt_tokens"), prompt // 4 + 1),
            _count(usage.get("completion_tokens"), len(text) // 4 + 1),
        )


def _dialects(most_out: int, temperature: float, seed: int) -> list[dict[str, Any]]:
    """Ways to ask, richest first: older servers know no response_format, newer models no max_tokens."""
    json_mode = {"response_format": {"type": "json_object"}}
    return [
        {"max_tokens": most_out, "temperature": temperature, "seed": seed, **json_mode},
        {"max_tokens": most_out, "temperature": temperature},
        {"max_completion_tokens": most_out},
    ]


def _required(name: str) -> str:
    if value := os.environ.get(f"{_ENV}{name}", "").strip():
        return value
    raise SettingsError(f"{_ENV}{name}", "is not set", remedy="Set it, or pass it as an argument")


def _price(name: str) -> float | None:
    value = os.environ.get(f"{_ENV}{name}", "").strip()
    if not value:
        return None
    try:
        return float(value)
    except ValueError:
        raise SettingsError(f"{_ENV}{name}", "is no number", value=value, remedy="For example 0.15") from None


def _count(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise
