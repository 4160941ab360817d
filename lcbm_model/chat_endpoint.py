"""One endpoint that speaks OpenAI's protocol (hosted, vLLM, llama.cpp, Ollama), asked carefully.

The official client keeps retries and timeouts; around it stand a bound on what is read, the dialects that servers of
different age understand, and one plain error for everything that can go wrong.
"""

from __future__ import annotations

import importlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lcbm_model.errors import BackendError, SettingsError

if TYPE_CHECKING:
    from openai import OpenAI

MAX_BYTES = 4 * 1024 * 1024
"""Most of an answer that is read, so that a broken server cannot fill the memory."""


class Refused(BackendError):
    """The server is there and will not take this request: what was asked is at fault, not the server."""


class ChatEndpoint:
    """A model behind an address.

    Args:
        who: Begins every error: "writer openai:gpt-x", "simulator gpt-x".
        base_url: For example "http://127.0.0.1:8000/v1".
        model: The endpoint's model name.
        api_key: None for local servers. It comes from no environment variable here, so that a key never goes to a
            server it was not meant for.
        timeout: Seconds for one answer.
        max_retries: Tries after the first on connection errors, timeouts, 429 and 5xx, with growing pauses.
        settings: Beginning of the environment variables named in remedies: "LCBM_WRITER_".

    Raises:
        SettingsError: The openai package is missing, or a setting is out of range.
    """

    def __init__(
        self,
        who: str,
        base_url: str,
        model: str,
        api_key: str | None,
        *,
        timeout: float = 60.0,
        max_retries: int = 2,
        settings: str = "",
    ) -> None:
        self.who, self.model, self.timeout, self.settings = who, model, timeout, settings
        self.base_url = _address(base_url, f"{settings}BASE_URL")
        self._client = _client(who, self.base_url, api_key, timeout, max_retries)
        self._dialect = 0

    @property
    def where(self) -> str:
        """The base URL without user name and password."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def ask(self, chat: Sequence[Mapping[str, Any]], dialects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The decoded body of one chat completion, in the first dialect that the server takes; the choice is kept.

        Raises:
            Refused: HTTP 400 or 422 in every dialect.
            BackendError: Down, too slow, too long, or no JSON object in the answer.
        """
        import openai

        def asked() -> bytes:
            number = self._dialect
            while True:
                try:
                    settings = {"messages": chat, **dialects[number]}
                    body = self._read(self._client.chat.completions.with_streaming_response.create, settings)
                except (openai.BadRequestError, openai.UnprocessableEntityError):
                    number += 1
                    if number >= len(dialects):
                        raise
                else:
                    # Kept only now: what a server refuses in every dialect says nothing about the dialects.
                    self._dialect = number
                    return body

        return self._decode(self._careful(asked))

    def complete(self, prompts: Sequence[Sequence[int]], **settings: Any) -> dict[str, Any]:
        """The decoded body of one completion of many prompts, each a list of token ids.

        Raises:
            Refused: HTTP 400 or 422.
            BackendError: As for `ask`.
        """
        create = self._client.completions.with_streaming_response.create
        asked = {"prompt": [list(ids) for ids in prompts], **settings}
        return self._decode(self._careful(lambda: self._read(create, asked)))

    def models(self) -> list[dict[str, Any]]:
        """What the server says of the models it has: `id`, and from vLLM `root`, `parent`, `max_model_len`.

        Raises:
            BackendError: As for `ask`, or no list of models.
        """
        listing = self._client.models.with_streaming_response.list
        body = self._decode(self._careful(lambda: self._read(listing, None)))
        cards = body.get("data")
        if not isinstance(cards, list) or not all(isinstance(c, dict) and isinstance(c.get("id"), str) for c in cards):
            raise self.failed(f"answered no list of models: {shown(str(body))}", f"Check {self._address_named()}")
        return cards

    def _careful(self, send: Callable[[], bytes]) -> bytes:
        """A body, once more where the connection broke while it was read, with one plain error for all that fails."""
        import openai

        left, pause = self._client.max_retries, 0.5
        while True:
            try:
                return send()
            except openai.APITimeoutError as error:
                raise self.failed(f"did not answer within {self.timeout:g} s", "Raise the timeout") from error
            except openai.APIConnectionError as error:
                problem = f"cannot be reached ({error.__cause__ or error})"
                raise self.failed(problem, f"Start the server or mend {self._address_named()}") from error
            except openai.AuthenticationError as error:
                raise self.failed("refused the key", f"Set {self.settings}API_KEY") from error
            except openai.NotFoundError as error:
                remedy = f"Check {self.settings}MODEL and that the base URL ends where the API begins (often /v1)"
                raise self.failed(f"knows no such path or model {self.model!r}", remedy) from error
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                said = f": {shown(error.message)}" if error.message else ""
                raise Refused(f"{self.who} at {self.where} answered HTTP {error.status_code}{said}") from error
            except openai.APIStatusError as error:
                raise self.failed(f"answered HTTP {error.status_code}", "Look at the server's log") from error
            except _transport_errors() as error:
                if not left:
                    raise self.failed(f"broke off ({error})", "Try again or look at the server's log") from error
                left -= 1
                time.sleep(pause)
                pause = min(2 * pause, 8.0)

    def failed(self, problem: str, remedy: str) -> BackendError:
        """The error to raise, naming who asked and where."""
        return BackendError(f"{self.who} at {self.where} {problem}. {remedy}")

    def no_completion(self, body: bytes | str) -> BackendError:
        """The error for an answer that is no chat completion."""
        text = body[:200].decode("utf-8", "replace") if isinstance(body, bytes) else body
        return self.failed(f"answered no chat completion: {shown(text)}", f"Check {self._address_named()}")

    def _address_named(self) -> str:
        """The variable to mend where the address came from it, else the address that was given in another way."""
        variable = f"{self.settings}BASE_URL"
        held = os.environ.get(variable, "").strip().rstrip("/")
        return variable if held == self.base_url.rstrip("/") else f"the address {self.where} that was given"

    def _read(self, request: Callable[..., Any], settings: Mapping[str, Any] | None) -> bytes:
        """The raw body, read only as far as `MAX_BYTES` and the timeout allow."""
        began, body = time.monotonic(), bytearray()
        kwargs = {"model": self.model, **settings} if settings is not None else {}
        with request(**kwargs) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise self.failed(f"sent more than {MAX_BYTES} bytes", "Lower max_tokens")
                if time.monotonic() - began > self.timeout * (self._client.max_retries + 1):
                    raise self.failed(f"did not finish within {self.timeout:g} s", "Raise the timeout")
        return bytes(body)

    def _decode(self, body: bytes) -> dict[str, Any]:
        try:
            data = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise self.no_completion(body) from error
        if not isinstance(data, dict):
            raise self.no_completion(body)
        return data


def _client(who: str, base_url: str, api_key: str | None, timeout: float, max_retries: int) -> OpenAI:
    try:
        import openai
    except ImportError as error:
        raise SettingsError(
            who, "the openai package is missing", remedy="Install it: pip install 'lcbm[openai]'"
        ) from error
    if not timeout > 0 or max_retries < 0:
        raise SettingsError(f"{who}: timeout", "must be above zero", value=timeout, remedy="Mend the setting")
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


def _address(base_url: str, where: str) -> str:
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            where, "is no http(s) address", value=base_url, remedy="For example http://127.0.0.1:8000/v1"
        )
    return base_url


def shown(text: str) -> str:
    """A stranger's text in one short quoted line."""
    text = " ".join(text.split())
    return repr(text if len(text) <= 80 else text[:77] + "...")
