"""A vLLM server as the simulator: batches of token ids over HTTP, the ten digits' log-probabilities back.

Prompts without pictures travel as token ids, many to a request, so that they are the very sequences the local backend
scores. Prompts with pictures travel as chat messages, one to a request: the server's own template puts them together.
"""

from __future__ import annotations

import base64
import io
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lcbm_model.chat_endpoint import ChatEndpoint, Refused
from lcbm_model.errors import BackendError, PictureError, SettingsError
from lcbm_model.serving.checkpoint import ServedCheckpoint, find_checkpoint
from lcbm_model.simulator.partial import ask_each
from lcbm_model.simulator.vllm_base import Reading, VLLMBase
from lcbm_model.simulator.vllm_prompts import Item, Picture, TokenPrompts, digit_weights

PICTURE_SIDE = 1024
"""Pixels of the longer side of a picture that is sent: more than the towers of served models look at."""
PICTURES_KEPT = 64
"""Encoded pictures kept for further requests (a few MB each)."""
_ENV = "LCBM_SIMULATOR_"


class VLLMServedSimulator(VLLMBase):
    """Plays the audience with a vLLM server: `lcbm model serve`, or any of its OpenAI-compatible servers.

    Args:
        name: The checkpoint that is served, as this machine knows it: its tokenizer and calibration are read here.
            Empty: the folder that the server says it loaded, where it is on this machine too.
        base_url: For example "http://127.0.0.1:8000/v1".
        model: The server's name for it, where that is neither the checkpoint's name nor its folder.
        api_key: Else LCBM_SIMULATOR_API_KEY.
        timeout: Seconds for one request: a processor takes minutes for a batch of long prompts.
        max_retries: Tries after the first on broken or refused connections, timeouts, 429 and 5xx.
        batch_size: Prompts a request.
        concurrency: Requests under way at once.
        calibrated: Whether to apply the calibration stored beside the checkpoint.

    Raises:
        SettingsError: A setting is out of range, the checkpoint is unknown, or the server serves another.
        CheckpointError: The checkpoint's digits mean nothing, or its tokenizer is missing.
        BackendError: No server answers.
    """

    def __init__(
        self,
        name: str | Path,
        base_url: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        timeout: float = 600.0,
        max_retries: int = 4,
        batch_size: int = 64,
        concurrency: int = 4,
        calibrated: bool = True,
    ) -> None:
        for key, value, most in (("batch_size", batch_size, 1024), ("concurrency", concurrency, 256)):
            if not 1 <= value <= most:
                raise SettingsError(key, f"must be 1 to {most}", value=value)
        self.batch_size, self.concurrency = batch_size, concurrency
        self._endpoint = ChatEndpoint(
            f"simulator {name or model or 'on vLLM'}",
            base_url,
            model or str(name),
            api_key or os.environ.get(f"{_ENV}API_KEY"),
            timeout=timeout,
            max_retries=max_retries,
            settings=_ENV,
        )
        checkpoint, card = _match(str(name), model, self._endpoint)
        self._endpoint.model = card["id"]
        longest = card.get("max_model_len")
        limit = longest if isinstance(longest, int) and longest > 0 else None
        super().__init__(checkpoint, TokenPrompts(checkpoint, max_tokens=limit), calibrated=calibrated)
        self._pictures: OrderedDict[str, str] = OrderedDict()
        self._encoding = threading.Lock()

    def _read(self, items: Sequence[Item], cancelled: Callable[[], bool]) -> Iterator[Mapping[Item, Reading]]:
        plain = [item for item in items if not item.pictures]
        jobs = [plain[start : start + self.batch_size] for start in range(0, len(plain), self.batch_size)]
        jobs += [[item] for item in items if item.pictures]
        for _, readings in ask_each(jobs, self._batch, concurrency=self.concurrency, cancelled=cancelled):
            yield readings

    def _batch(self, batch: Sequence[Item]) -> dict[Item, Reading]:
        """Readings of one request; a prompt that the server refuses is found by halving, and is an error of its own."""
        try:
            if batch[0].pictures:
                return {batch[0]: self._seen(batch[0])}
            return dict(zip(batch, self._tokens(batch), strict=True))
        except Refused as error:
            if len(batch) == 1:
                return {batch[0]: str(error)}
            half = len(batch) // 2
            return {**self._batch(batch[:half]), **self._batch(batch[half:])}

    def _tokens(self, batch: Sequence[Item]) -> list[Reading]:
        digits = list(self.prompts.encoder.digits)
        body = self._endpoint.complete(
            [item.ids for item in batch],
            max_tokens=1,
            temperature=0,
            logprobs=len(digits),
            extra_body={"logprob_token_ids": digits, "return_tokens_as_token_ids": True},
        )
        try:
            choices = sorted(body["choices"], key=lambda choice: int(choice["index"]))
            if [choice["index"] for choice in choices] != list(range(len(batch))):
                raise ValueError("not one answer for each prompt")
            tables = [choice["logprobs"]["top_logprobs"][0] for choice in choices]
            return [self._weights(table.items()) for table in tables]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise self._endpoint.no_completion(str(body)) from error

    def _seen(self, item: Item) -> Reading:
        """The reading of a prompt with pictures."""
        if self.checkpoint.template == "plain":
            return "a server puts pictures into its chat template, which this checkpoint was not tuned with"
        try:
            urls = [self._data_url(picture) for picture in item.pictures]
        except PictureError as error:
            return str(error)
        shown = [
            {"type": "image_url", "image_url": {"url": url}, "uuid": picture.key}
            for picture, url in zip(item.pictures, urls, strict=True)
        ]
        # The text keeps its picture marks, which are where the server puts the pictures.
        message = {"role": "user", "content": [*shown, {"type": "text", "text": item.prompt.text}]}
        digits = list(self.prompts.encoder.digits)
        extra = {"logprob_token_ids": digits, "return_tokens_as_token_ids": True}
        asked = {"max_tokens": 1, "temperature": 0, "logprobs": True, "top_logprobs": len(digits), "extra_body": extra}
        body = self._endpoint.ask([message], [asked])
        try:
            table = body["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
            return self._weights([(entry["token"], entry["logprob"]) for entry in table])
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise self._endpoint.no_completion(str(body)) from error

    def _weights(self, shown: Any) -> Reading:
        """From pairs of "token_id:N" and log-probability."""
        logprobs = {int(str(token).removeprefix("token_id:")): float(value) for token, value in shown}
        if not set(self.prompts.encoder.digits) <= set(logprobs):
            raise BackendError(
                f"simulator {self.checkpoint.name} at {self._endpoint.where} does not show the ten digits: it is no "
                "vLLM server that knows logprob_token_ids. Use openai:MODEL@URL for other servers"
            )
        # vLLM writes minus infinity as -9999.
        return digit_weights(
            {k: v if v > -9999 else -math.inf for k, v in logprobs.items()}, self.prompts.encoder.digits
        )

    def _data_url(self, picture: Picture) -> str:
        """A picture as the server takes it, encoded once."""
        with self._encoding:
            url = self._pictures.get(picture.key)
            if url is None:
                url = self._pictures[picture.key] = _png(picture.path)
                while len(self._pictures) > PICTURES_KEPT:
                    self._pictures.popitem(last=False)
            return url


def _png(path: Path) -> str:
    from lcbm_model.vision.images import open_picture

    picture = open_picture(path)
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _match(name: str, model: str | None, endpoint: ChatEndpoint) -> tuple[ServedCheckpoint, dict[str, Any]]:
    """The checkpoint and the server's card of it."""
    cards = endpoint.models()
    ids = [str(card["id"]) for card in cards]
    remedy = f"It has {', '.join(ids)}: name one of them, or serve this one with `lcbm model serve`"
    if not name:
        card = next((c for c in cards if c["id"] == model), None) if model else cards[0] if len(cards) == 1 else None
        if card is None:
            raise SettingsError("model", "say which model of the server", value=model or "", remedy=remedy)
        root = card.get("root")
        if not (isinstance(root, str) and Path(root).is_dir()):  # a server's word is no reason to ask a hub
            remedy = "Name it as this machine knows it: vllm:NAME@URL"
            raise SettingsError("model", "what the server loaded is not on this machine", value=root, remedy=remedy)
        return replace(find_checkpoint(root), name=str(card["id"])), card
    checkpoint = find_checkpoint(name)
    folder = str(checkpoint.lora or checkpoint.model)
    wanted = {model} if model else {checkpoint.name, folder}
    for card in cards:
        if card["id"] in wanted or (model is None and card.get("root") == folder):
            return checkpoint, card
    raise SettingsError("model", f"the server at {endpoint.where} serves another", value=model or name, remedy=remedy)
