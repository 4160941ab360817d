"""Contents as the token ids that vLLM is asked with: the very sequence the local backend scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lcbm_model.backbone.chat import PromptEncoder
from lcbm_model.content import Content
from lcbm_model.errors import CheckpointError, InputError
from lcbm_model.metrics import Metric
from lcbm_model.serving.checkpoint import ServedCheckpoint
from lcbm_model.simulator.base import Context
from lcbm_model.simulator.refusals import refusal
from lcbm_model.verbalize import Prompt, behavior_prompt


@dataclass(frozen=True)
class Picture:
    """A picture by its bytes' hash, under which vLLM keeps what it saw."""

    key: str
    path: Path


@dataclass(frozen=True)
class Item:
    """One prompt to be scored. Equal items have equal scores. A picture is one token here; vLLM makes room for it."""

    ids: tuple[int, ...]
    pictures: tuple[Picture, ...]
    prompt: Prompt


class TokenPrompts:
    """Makes prompts for one checkpoint.

    Args:
        checkpoint: Its tokenizer and configuration are read; no weights are.
        max_tokens: Longest prompt with its answer; None takes what the model was built for.

    Raises:
        CheckpointError: No tokenizer or configuration there, or a digit is not one token for it.
    """

    def __init__(self, checkpoint: ServedCheckpoint, *, max_tokens: int | None = None) -> None:
        config, tokenizer = _pretrained(checkpoint.model)
        text = config.get_text_config()
        built = int(getattr(text, "max_position_embeddings", None) or 2048)
        self.max_tokens = min(max_tokens or built, built)
        self.sees = config.model_type == "llava"
        self._picture_tokens = _picture_tokens(config) if self.sees else 0
        self.encoder = PromptEncoder(
            tokenizer,
            image_token=int(config.image_token_index) if self.sees else None,
            tokens_per_picture=1 if self.sees else 0,
            template=checkpoint.template,
        )

    def prepare(self, content: Content, metric: Metric, context: Context | None) -> Item | str:
        """The prompt of a content, or why it cannot be asked."""
        if reason := refusal(content, sees=self.sees, max_tokens=self.max_tokens):
            return reason
        prompt = behavior_prompt(content, metric, context)
        try:
            encoded = self.encoder.encode(prompt)
        except ValueError as error:
            return f"cannot be put into a prompt: {error}"
        length = len(encoded.ids) + len(encoded.pictures) * (self._picture_tokens - 1)
        if length >= self.max_tokens:
            return f"{length} tokens are too long for the model's {self.max_tokens}. Shorten the text"
        try:
            pictures = tuple(_picture(path) for path in encoded.pictures)
        except InputError as error:
            return str(error)
        return Item(encoded.ids, pictures, prompt)


def in_prefix_order(items: Sequence[Item]) -> list[Item]:
    """Distinct items, those with equal beginnings side by side, so that a prefix cache of any size finds them."""
    return sorted(dict.fromkeys(items), key=lambda item: ([p.key for p in item.pictures], item.ids))


def digit_weights(logprobs: Mapping[int, float], digits: Sequence[int]) -> list[float] | str:
    """(N_BINS,) weights of the digits 0..9 from their log-probabilities, or why there are none."""
    values = [logprobs.get(token, math.nan) for token in digits]
    if any(math.isnan(v) or v == math.inf for v in values) or max(values) == -math.inf:
        return "the model answered with numbers that are not finite"
    highest = max(values)
    return [math.exp(value - highest) for value in values]


def _pretrained(model: str) -> tuple[Any, Any]:
    from transformers import AutoConfig, AutoTokenizer

    from lcbm_model.backbone.runtime import quiet

    try:
        with quiet():
            return AutoConfig.from_pretrained(model), AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError, KeyError) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            "model", f"its tokenizer cannot be loaded: {problem}", value=model, remedy="Name the whole folder"
        ) from error


def _picture_tokens(config: Any) -> int:
    """Tokens that a picture takes in a LLaVA."""
    if tokens := getattr(config, "image_seq_length", None):
        return int(tokens)
    vision = config.vision_config
    return int((vision.image_size // vision.patch_size) ** 2)


def _picture(path: Path) -> Picture:
    from lcbm_model.simulator.pictures import picture_key

    return Picture(picture_key(path), path)
