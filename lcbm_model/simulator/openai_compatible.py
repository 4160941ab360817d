"""A hosted model as the simulator: one token, its top log-probabilities, read out over the ten digits.

Hosted endpoints show only their most likely tokens. Digits below that line count as zero, the rest is renormalised, and
the mass that was missing is reported in every `Prediction`. A model that shows no log-probabilities is refused.
"""

from __future__ import annotations

import base64
import hashlib
import io
import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lcbm_model.behavior import N_BINS
from lcbm_model.chat_endpoint import ChatEndpoint, Refused
from lcbm_model.content import Content
from lcbm_model.errors import InputError, SettingsError
from lcbm_model.metrics import Metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context
from lcbm_model.simulator.partial import ask_each
from lcbm_model.simulator.raw_scale import on_raw_scale
from lcbm_model.simulator.streamed import StreamedSimulator
from lcbm_model.verbalize import IMAGE, Prompt, behavior_prompt

LEAST_MASS = 0.05
"""Probability on digits below which an answer says nothing about behaviour."""
PICTURE_SIDE = 512
"""Pixels of the longer side of a picture that is sent."""
_ENV = "LCBM_SIMULATOR_"


class OpenAICompatibleSimulator(StreamedSimulator):
    """Plays the audience with a chat endpoint.

    Args:
        model: The endpoint's model name; else LCBM_SIMULATOR_MODEL.
        base_url: For example "http://127.0.0.1:8000/v1"; else LCBM_SIMULATOR_BASE_URL.
        api_key: Else LCBM_SIMULATOR_API_KEY; local servers need none.
        timeout: Seconds for one answer.
        max_retries: Tries after the first on connection errors, timeouts, 429 and 5xx.
        top_logprobs: Tokens asked for, 5..20; what the endpoint allows.
        concurrency: Requests under way at once.

    Raises:
        SettingsError: The openai package is missing, no model or address is set, or a setting is out of range.
    """

    def __init__(
        self,
        model: str | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        max_retries: int = 2,
        top_logprobs: int = 20,
        concurrency: int = 8,
    ) -> None:
        for name, value, low, high in (("top_logprobs", top_logprobs, 5, 20), ("concurrency", concurrency, 1, 256)):
            if not low <= value <= high:
                raise SettingsError(name, f"must be {low} to {high}", value=value)
        self.top_logprobs, self.concurrency = top_logprobs, concurrency
        self.model = model or _setting("MODEL")
        self._endpoint = ChatEndpoint(
            f"simulator {self.model}",
            base_url or _setting("BASE_URL"),
            self.model,
            api_key or os.environ.get(f"{_ENV}API_KEY"),
            timeout=timeout,
            max_retries=max_retries,
            settings=_ENV,
        )

    @property
    def identity(self) -> SimulatorIdentity:
        """The model's name at its address: what stands behind it may change without notice."""
        digest = hashlib.sha256(f"{self._endpoint.where}\n{self.model}".encode()).hexdigest()
        return SimulatorIdentity(
            backend="openai_compatible", checkpoint=self.model, checkpoint_hash=digest, tuned=False
        )

    def _stream(
        self, contents: Sequence[Content], metric: Metric, context: Context | None, cancelled: Callable[[], bool]
    ) -> Iterator[tuple[int, Prediction]]:
        def one(content: Content) -> Prediction:
            return self._one(content, metric, context)

        return ask_each(contents, one, concurrency=self.concurrency, cancelled=cancelled)

    def _one(self, content: Content, metric: Metric, context: Context | None) -> Prediction:
        identity = self.identity
        if not (content.says_something or content.media):
            return Prediction.failed(metric.name, identity, "the text is empty")
        try:
            chat = [{"role": "user", "content": _message(behavior_prompt(content, metric, context))}]
        except InputError as error:
            return Prediction.failed(metric.name, identity, str(error))
        try:
            answer = self._endpoint.ask(chat, self._dialects())
        except Refused as error:
            return Prediction.failed(metric.name, identity, str(error))
        weights = self._digits(answer)
        mass = math.fsum(weights)
        if mass < LEAST_MASS:
            return Prediction.failed(
                metric.name, identity, f"the model gave the ten digits {mass:.1%} of its probability: no answer to read"
            )
        prediction = Prediction.from_bins(metric.name, identity, weights)
        return on_raw_scale(prediction.model_copy(update={"missing_mass": max(0.0, 1.0 - mass)}), context)

    def _dialects(self) -> list[dict[str, Any]]:
        """Ways to ask for one token: newer models know no max_tokens, some servers fewer log-probabilities."""
        shown = {"logprobs": True, "top_logprobs": self.top_logprobs, "temperature": 0}
        return [
            {"max_tokens": 1, **shown},
            {"max_completion_tokens": 1, **shown},
            {"max_tokens": 1, **shown, "top_logprobs": 5},
        ]

    def _digits(self, body: dict[str, Any]) -> list[float]:
        """Probability of each digit 0..9 as the first token, zero where it is not among those shown."""
        try:
            choice = body["choices"][0]
            tokens = (choice.get("logprobs") or {}).get("content") or []
            shown = tokens[0]["top_logprobs"] if tokens else []
            pairs = [(str(entry["token"]).strip(), float(entry["logprob"])) for entry in shown]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise self._endpoint.no_completion(str(body)) from error
        if not pairs:
            raise self._endpoint.failed("shows no log-probabilities", "Use a model that does, or a local checkpoint")
        weights = [0.0] * N_BINS
        for token, logprob in pairs:
            # "7" and " 7" are two tokens and one answer. Positive or NaN log-probabilities are no probabilities.
            if len(token) == 1 and token in "0123456789" and logprob <= 1e-6:
                weights[int(token)] += math.exp(logprob)
        return weights


def _message(prompt: Prompt) -> str | list[dict[str, Any]]:
    """The prompt as chat content, pictures in their places.

    Raises:
        PictureError: A picture cannot be used.
    """
    if not prompt.pictures:
        return prompt.text
    parts = prompt.text.split(IMAGE)
    content: list[dict[str, Any]] = [{"type": "text", "text": parts[0]}]
    for path, text in zip(prompt.pictures, parts[1:], strict=True):
        content += [{"type": "image_url", "image_url": {"url": _data_url(path)}}, {"type": "text", "text": text}]
    return content


def _data_url(path: Any) -> str:
    from lcbm_model.vision.images import open_picture

    picture = open_picture(path)
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _setting(name: str) -> str:
    if value := os.environ.get(f"{_ENV}{name}", "").strip():
        return value
    raise SettingsError(f"{_ENV}{name}", "is not set", remedy="Set it, or name the model as openai:MODEL@BASE_URL")
