"""A writer over any OpenAI-compatible chat endpoint: hosted, vLLM, llama.cpp, Ollama."""

from __future__ import annotations

import os

from agents.writers.answers import parse_answer
from agents.writers.base import Draft, NothingUsable, WriterResult, WriterUsage, WritingTask
from agents.writers.chat_model import ChatModel
from agents.writers.chat_prompt import messages
from agents.writers.spending import SpendMeter
from lcbm_model.chat_endpoint import shown
from lcbm_model.errors import SettingsError

_ENV = "LCBM_WRITER_"


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
        self.model, self.max_tokens = model or _required("MODEL"), max_tokens
        self.meter = SpendMeter(
            _price("PRICE_IN") or 0.0 if price_in is None else price_in,
            _price("PRICE_OUT") or 0.0 if price_out is None else price_out,
            _price("SPEND_CAP") if spend_cap is None else spend_cap,
        )
        self.chat = ChatModel(
            address,
            self.model,
            api_key or os.environ.get(f"{_ENV}API_KEY"),
            timeout=timeout,
            max_retries=max_retries,
            temperature=temperature,
            meter=self.meter,
            settings=_ENV,
        )

    @property
    def name(self) -> str:
        return f"openai:{self.model}"

    def __repr__(self) -> str:
        return f"OpenAIWriter(base_url={self.chat.endpoint.where!r}, model={self.model!r})"

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        """Up to `n` drafts from one call.

        Raises:
            BackendError: Down, too slow, too long, or the spend cap is near.
            NothingUsable: There was no draft in the answer, which is paid for all the same.
        """
        if n <= 0:
            return WriterResult(drafts=(), usage=WriterUsage())
        most_out = self.max_tokens or min(64 + n * (40 + task.max_length), 8192)
        answer = self.chat.ask(messages(task, n), most_out=most_out, seed=seed)
        allowed = "\n".join((task.content.text, task.message, *task.must_keep))
        drafts, dropped = parse_answer(answer.text, channel=task.content.channel, allowed=allowed)
        if not drafts:
            raise NothingUsable(
                f"writer {self.name} at {self.chat.endpoint.where} answered nothing usable: {shown(answer.text)}. "
                f"Check that the model follows instructions and that the address is a chat endpoint",
                answer.usage + WriterUsage(dropped=dropped),
            )
        parent = task.content.text or None
        made = (Draft(text=d.text, writer=self.name, strategy=d.strategy, parent=parent) for d in drafts[:n])
        usage = answer.usage + WriterUsage(dropped=dropped + max(len(drafts) - n, 0))
        return WriterResult(drafts=tuple(made), usage=usage)


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
