"""Prompts as tokens: the model's own chat template around a `verbalize.Prompt`, shared part and own part apart.

Every backend, and training, takes its tokens from here, so that a score is always read from the sequence the model
was tuned on. Text from outside is tokenized with special tokens switched off: `<|im_end|>` in a draft is eight
ordinary characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from lcbm_model.behavior import N_BINS
from lcbm_model.errors import CheckpointError
from lcbm_model.verbalize import IMAGE, MASK, Prompt

_MARK = "LCBM-CONTENT-HERE"
Template = Literal["chat", "plain"]


@dataclass(frozen=True)
class EncodedPrompt:
    """Token ids of one prompt. `shared + own` is the whole sequence; the answer's first token comes next."""

    shared: tuple[int, ...]
    own: tuple[int, ...]
    pictures: tuple[Path, ...]
    words: tuple[int, int]
    """Start and end inside `own` of the candidate's own words: what a value head pools over."""

    @property
    def ids(self) -> tuple[int, ...]:
        return self.shared + self.own


class PromptEncoder:
    """Turns prompts into token ids for one tokenizer.

    Args:
        tokenizer: A Hugging Face tokenizer.
        image_token: Id that stands for a picture token; None where the model sees nothing: picture slots are then
            masked like any other unknown slot.
        tokens_per_picture: How many of them one picture takes.
        template: "chat" puts the model's chat template around a prompt; "plain" asks without it, as a checkpoint may
            have been trained.

    Raises:
        CheckpointError: A digit is not one token for this tokenizer.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        image_token: int | None = None,
        tokens_per_picture: int = 0,
        template: Template = "chat",
    ) -> None:
        self.tokenizer, self.image_token, self.tokens_per_picture = tokenizer, image_token, tokens_per_picture
        self._before: tuple[int, ...] = ()
        self._after: tuple[int, ...] = ()
        if template == "chat":
            before, after = _template(tokenizer)
            has_template = bool(before or after)
            self._before = self._special(before) if has_template else self._begin()
            self._after = self._special(after) if has_template else self.plain("\n")
        self.digits = digit_tokens(tokenizer)
        self._shared = lru_cache(maxsize=64)(self._encode_shared)

    def encode(self, prompt: Prompt) -> EncodedPrompt:
        """Token ids of one prompt.

        Raises:
            ValueError: The number of picture marks is not the number of pictures.
        """
        if prompt.shared.count(IMAGE) != len(prompt.pictures) or IMAGE in prompt.own:
            raise ValueError(f"{len(prompt.pictures)} pictures for {prompt.text.count(IMAGE)} picture marks")
        own, words = self._encode_own(prompt.own)
        pictures = prompt.pictures if self.image_token is not None else ()
        return EncodedPrompt(shared=self._shared(prompt.shared), own=own + self._after, pictures=pictures, words=words)

    def _encode_shared(self, shared: str) -> tuple[int, ...]:
        if self.image_token is None:
            return self._before + self.plain(shared.replace(IMAGE, MASK))
        ids = self._before
        for number, piece in enumerate(shared.split(IMAGE)):
            ids += ((self.image_token,) * self.tokens_per_picture if number else ()) + self.plain(piece)
        return ids

    def _encode_own(self, own: str) -> tuple[tuple[int, ...], tuple[int, int]]:
        """Ids and the span of the candidate's words: after the first ": ", up to the end of that line."""
        end = own.find("\n") if "\n" in own else len(own)
        start = own.find(": ", 0, end) + 2 if ": " in own[:end] else 0
        fast = bool(getattr(self.tokenizer, "is_fast", False))
        encoded = self.tokenizer(
            own, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=fast, verbose=False
        )
        ids = tuple(encoded["input_ids"])
        if not fast:
            return ids, (0, len(ids))
        inside = [i for i, (a, b) in enumerate(encoded["offset_mapping"]) if b > start and a < end]
        return ids, (inside[0], inside[-1] + 1) if inside else (0, len(ids))

    def plain(self, text: str) -> tuple[int, ...]:
        """Ids of text from outside: no special token can come of it."""
        if not text:
            return ()
        kwargs = {"add_special_tokens": False, "split_special_tokens": True, "verbose": False}
        return tuple(self.tokenizer(text, **kwargs)["input_ids"])

    def text(self, ids: Sequence[int]) -> str:
        """The text behind ids that came from `plain`, without white space around it."""
        found: str = self.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False)
        return found.strip()

    def _special(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]) if text else ()

    def _begin(self) -> tuple[int, ...]:
        """What a model without a chat template expects in front of a text."""
        token = getattr(self.tokenizer, "bos_token_id", None)
        starts = self.tokenizer("", add_special_tokens=True, verbose=False)["input_ids"]
        return (token,) if token is not None and token in starts else ()


def _template(tokenizer: Any) -> tuple[str, str]:
    """What the chat template writes before and after one user message, up to the answer's first token."""
    if not getattr(tokenizer, "chat_template", None):
        return "", ""
    # Reasoning models are asked to answer at once; other templates ignore the switch.
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": _MARK}], tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    before, mark, after = rendered.partition(_MARK)
    if not mark or _MARK in after:
        raise CheckpointError("chat template", "does not show the user's message exactly once")
    return before, after


def digit_tokens(tokenizer: Any) -> tuple[int, ...]:
    """Ids of the digits 0..9, looked up for this tokenizer.

    Raises:
        CheckpointError: A digit is not one token, so the ten-bin read-out cannot be used.
    """
    ids: list[int] = []
    for digit in range(N_BINS):
        found: Sequence[int] = tokenizer(str(digit), add_special_tokens=False, verbose=False)["input_ids"]
        # SentencePiece tokenizers may put their word mark in front: the digit itself is the last one.
        if len(found) == 2 and tokenizer.convert_ids_to_tokens(found[0]) == "\u2581":
            found = found[1:]
        if len(found) != 1 or found[0] in ids:
            remedy = "Use a checkpoint whose tokenizer has one token for each digit"
            raise CheckpointError("tokenizer", "a digit is not one token", value=str(digit), remedy=remedy)
        ids.append(found[0])
    return tuple(ids)
