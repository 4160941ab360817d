"""A server on loopback that answers as vLLM's does, with a real tiny model behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.chat_server import Handler

if TYPE_CHECKING:
    from lcbm_model.backbone.model import Backbone


class TinyVLLM:
    """`GET /v1/models` and `POST /v1/completions` over token ids, as vLLM speaks them.

    Attributes:
        cards: What `/models` lists.
        before: Called with every completion's prompts before they are answered; may send an answer of its own and
            return True.
        prompts: How many prompts were answered.
    """

    def __init__(self, backbone: Backbone, name: str, root: str, *, max_model_len: int = 2048) -> None:
        self.backbone = backbone
        self.cards: list[dict[str, Any]] = [
            {"id": name, "object": "model", "root": root, "parent": None, "max_model_len": max_model_len}
        ]
        self.max_model_len = max_model_len
        self.before: Callable[[Handler, list[list[int]]], bool] = lambda handler, prompts: False
        self.prompts = 0

    def __call__(self, handler: Handler) -> None:
        if handler.path.endswith("/models"):
            handler.send(200, json.dumps({"object": "list", "data": self.cards}).encode())
        elif not handler.path.endswith("/completions"):
            handler.send(404, b'{"error": {"message": "no such path"}}')
        elif not self.before(handler, handler.request_json["prompt"]):
            self._complete(handler)

    def _complete(self, handler: Handler) -> None:
        asked = handler.request_json
        if any(len(ids) >= self.max_model_len for ids in asked["prompt"]):
            handler.send(400, b'{"error": {"message": "longer than the maximum model length"}}')
            return
        assert asked["max_tokens"] == 1
        assert asked["return_tokens_as_token_ids"] is True
        choices = [
            {"index": i, "text": "7", "finish_reason": "length",
             "logprobs": {"tokens": ["token_id:7"], "token_logprobs": [-1.0], "top_logprobs": [table]}}
            for i, table in enumerate(self._tables(asked["prompt"], asked["logprob_token_ids"]))
        ]  # fmt: skip
        self.prompts += len(choices)
        body = {"id": "c", "object": "text_completion", "created": 1, "model": asked["model"], "choices": choices[::-1]}
        handler.send(200, json.dumps(body).encode())

    def _tables(self, prompts: list[list[int]], tokens: list[int]) -> list[dict[str, float]]:
        import torch

        tables = []
        with self.backbone.lock, torch.inference_mode():
            for ids in prompts:
                logits = self.backbone.language_model(input_ids=torch.tensor([ids])).logits[0, -1].float()
                logprobs = logits.log_softmax(-1)
                tables.append({f"token_id:{t}": float(logprobs[t]) for t in [int(logits.argmax()), *tokens]})
        return tables
