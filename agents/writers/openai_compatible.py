"""A writer over any OpenAI-compatible chat endpoint: hosted, vLLM, llama.cpp, Ollama."""

from __future__ import annotations

import importlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agents.writers.answers import parse_answer
from agents.writers.base import Draft, WriterResult, WriterUsage, WritingTask
from agents.writers.chat_prompt import messages
from agents.writers.spending import SpendMeter
from lcbm_model.errors import BackendError, SettingsError

if TYPE_CHECKING:
    from openai import OpenAI

MAX_BYTES = 4 * 1024 * 1024
"""Most of an answer that is read, so that a broken server cannot fill the memory."""
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
        self.base_url = _address(base_url or _required("BASE_URL"))
        self.model = model or _required("MODEL")
        self.timeout, self.temperature, self.max_tokens = timeout, temperature, max_tokens
        self.meter = SpendMeter(
            _price("PRICE_IN") or 0.0 if price_in is None else price_in,
            _price("PRICE_OUT") or 0.0 if price_out is None else price_out,
            _price("SPEND_CAP") if spend_cap is None else spend_cap,
        )
        self._client = _client(self.base_url, api_key or os.environ.get(f"{_ENV}API_KEY"), timeout, max_retries)
        self._dialect = 0

    @property
    def name(self) -> str:
        return f"openai:{self.model}"

    def __repr__(self) -> str:
        return f"OpenAIWriter(base_url={self._where!r}, model={self.model!r})"

    @property
    def _where(self) -> str:
        """The base URL without user name and password."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

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
        reserved = self.meter.reserve(most_in, most_out, where=f"writer {self.name} at {self._where}")
        answer = _Answer("", 0, 0)
        try:
            answer = self._ask(chat, most_out, seed)
        finally:
            cost = self.meter.settle(reserved, answer.tokens_in, answer.tokens_out)
        allowed = "\n".join((task.content.text, task.message, *task.must_keep))
        drafts, dropped = parse_answer(answer.text, channel=task.content.channel, allowed=allowed)
        if not drafts:
            raise BackendError(
                f"writer {self.name} at {self._where} answered nothing usable: {_shown(answer.text)}. "
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
        """One chat completion, in the first dialect of the API that the server takes; the choice is kept."""
        import openai

        dialects = _dialects(most_out, self.temperature, seed)
        try:
            while True:
                try:
                    body = self._post(chat, dialects[self._dialect])
                    break
                except (openai.BadRequestError, openai.UnprocessableEntityError):
                    if self._dialect + 1 >= len(dialects):
                        raise
                    self._dialect += 1
        except openai.APITimeoutError as error:
            raise self._failed(f"did not answer within {self.timeout:g} s", "Raise the timeout") from error
        except openai.APIConnectionError as error:
            problem = f"cannot be reached ({error.__cause__ or error})"
            raise self._failed(problem, "Start the server or mend LCBM_WRITER_BASE_URL") from error
        except openai.AuthenticationError as error:
            raise self._failed("refused the key", "Set LCBM_WRITER_API_KEY") from error
        except openai.NotFoundError as error:
            remedy = "Check LCBM_WRITER_MODEL and that the base URL ends where the API begins (often /v1)"
            raise self._failed(f"knows no such path or model {self.model!r}", remedy) from error
        except openai.APIStatusError as error:
            raise self._failed(f"answered HTTP {error.status_code}", "Look at the server's log") from error
        except _transport_errors() as error:
            raise self._failed(f"broke off ({error})", "Try again or look at the server's log") from error
        return self._read(body, chat)

    def _post(self, chat: list[dict[str, str]], dialect: Mapping[str, Any]) -> bytes:
        """The raw body, read only as far as `MAX_BYTES` and the timeout allow."""
        began, body = time.monotonic(), bytearray()
        with self._client.chat.completions.with_streaming_response.create(
            model=self.model,
            messages=chat,  # type: ignore[arg-type]
            **dialect,
        ) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise self._failed(f"sent more than {MAX_BYTES} bytes", "Lower max_tokens")
                if time.monotonic() - began > self.timeout * (self._client.max_retries + 1):
                    raise self._failed(f"did not finish within {self.timeout:g} s", "Raise the timeout")
        return bytes(body)

    def _read(self, body: bytes, chat: list[dict[str, str]]) -> _Answer:
        """Text and token counts of a completion; counts that are missing are estimated from the texts' length."""
        try:
            data = json.loads(body)
            content = data["choices"][0]["message"].get("content")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            shown = _shown(body[:200].decode("utf-8", "replace"))
            raise self._failed(f"answered no chat completion: {shown}", "Check LCBM_WRITER_BASE_URL") from error
        text = content if isinstance(content, str) else ""
        usage = data["usage"] if isinstance(data.get("usage"), dict) else {}
        prompt = sum(len(m["content"]) for m in chat)
        return _Answer(
            text,
            _count(usage.get("prompt_tokens"), prompt // 4 + 1),
            _count(usage.get("completion_tokens"), len(text) // 4 + 1),
        )

    def _failed(self, problem: str, remedy: str) -> BackendError:
        return BackendError(f"writer {self.name} at {self._where} {problem}. {remedy}")


def _dialects(most_out: int, temperature: float, seed: int) -> list[dict[str, Any]]:
    """Ways to ask, richest first: older servers know no response_format, newer models no max_tokens."""
    json_mode = {"response_format": {"type": "json_object"}}
    return [
        {"max_tokens": most_out, "temperature": temperature, "seed": seed, **json_mode},
        {"max_tokens": most_out, "temperature": temperature},
        {"max_completion_tokens": most_out},
    ]


def _client(base_url: str, api_key: str | None, timeout: float, max_retries: int) -> OpenAI:
    try:
        import openai
    except ImportError as error:
        raise SettingsError(
            "writer openai", "the openai package is missing", remedy="Install it: pip install 'lcbm[openai]'"
        ) from error
    if not timeout > 0 or max_retries < 0:
        raise SettingsError("writer timeout", "must be above zero", value=timeout, remedy="Mend the setting")
    # Explicit values everywhere: the client would otherwise take OPENAI_* variables meant for another server.
    return openai.OpenAI(
        base_url=base_url, api_key=api_key or "none", organization="", project="", timeout=timeout,
        max_retries=max_retries,
    )  # fmt: skip


def _transport_errors() -> tuple[type[Exception], ...]:
    """Errors met while a body is read, which the client does not wrap: those of its own HTTP library."""
    import openai

    below = next(c for c in openai.DefaultHttpxClient.__mro__ if not c.__module__.startswith("openai"))
    library = importlib.import_module(below.__module__.partition(".")[0])
    return (openai.APIError, library.HTTPError, library.StreamError)


def _address(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            f"{_ENV}BASE_URL", "is no http(s) address", value=base_url, remedy="For example http://127.0.0.1:8000/v1"
        )
    return base_url


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


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 80 else text[:77] + "...")
